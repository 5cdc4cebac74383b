package keyring

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pieces are strings that look like each other's framing when they are joined.
var pieces = []string{"", "a", "aa", "\x00", "\x01", "\x01a", "\x00\x00", "\x00\x01a", "\x01\x00\x01a\x00"}

func piece() string { return pieces[rand.N(len(pieces))] }

func somePieces() []string {
	all := make([]string, rand.N(3))
	for i := range all {
		all[i] = piece()
	}
	return all
}

func someContext() EncryptionContext {
	c := EncryptionContext{}
	for range rand.N(3) {
		c[piece()] = piece()
	}
	return c
}

func someKeys() []EncryptedDataKey {
	keys := make([]EncryptedDataKey, rand.N(3))
	for i := range keys {
		keys[i] = EncryptedDataKey{piece(), []byte(piece()), []byte(piece())}
	}
	return keys
}

func someSuite() (CommitmentPolicy, Suite) {
	return CommitmentPolicy(rand.N(3) - 1), Suite([]uint16{0, 1, 0x0100, 0x0478}[rand.N(4)])
}

// describe prints a context without ambiguity.
func describe(c EncryptionContext) string {
	s := ""
	for _, k := range slices.Sorted(maps.Keys(c)) {
		s += fmt.Sprintf("%q=%q,", k, c[k])
	}
	return s
}

// Two requests have the same bytes to be hashed if, and only if, they are the same.
func TestCacheIDsTellRequestsApart(t *testing.T) {
	t.Parallel()
	meaning := map[string]string{} // of the bytes
	bytes := map[string]string{}   // of the meaning
	for range 60_000 {
		scope := newScope("p"+piece(), time.Duration(rand.N(2)+1))
		what := fmt.Sprintf("%q ", scope)
		var b []byte
		var err error
		policy, suite := someSuite()
		if rand.N(2) == 0 {
			r := EncryptionRequest{Context: someContext(), Suite: suite, CommitmentPolicy: policy, RequiredContextKeys: somePieces()}
			b, err = appendEncryptionRequest(scope, &r)
			slices.Sort(r.RequiredContextKeys)
			what += fmt.Sprintf("encrypt %d %d %q %s", policy, suite, r.RequiredContextKeys, describe(r.Context))
		} else {
			r := DecryptionRequest{
				Context: someContext(), Suite: suite, CommitmentPolicy: policy,
				EncryptedDataKeys: someKeys(), Reproduced: someContext(),
			}
			b, err = appendDecryptionRequest(scope, &r)
			what += fmt.Sprintf("decrypt %d %d %q %s; %s", policy, suite, r.EncryptedDataKeys, describe(r.Context), describe(r.Reproduced))
		}
		require.NoError(t, err)
		if was, ok := meaning[string(b)]; ok && was != what {
			t.Fatalf("the same bytes for\n%s\n%s", was, what)
		}
		if was, ok := bytes[what]; ok && was != string(b) {
			t.Fatalf("%s has two ids", what)
		}
		meaning[string(b)], bytes[what] = what, string(b)
	}
	require.Greater(t, len(meaning), 10_000, "the pieces are too few")
}

// FuzzCacheID cuts the same bytes into a request in two ways: only the same cuts have
// the same id.
func FuzzCacheID(f *testing.F) {
	f.Add("tenant42", "8", uint16(0x0478), uint8(3), uint8(6), uint8(3), uint8(6))
	f.Add("aaaa", "\x02", uint16(0), uint8(1), uint8(2), uint8(2), uint8(3))
	f.Add("\x00\x01\x00\x01", "", uint16(0x0578), uint8(0), uint8(4), uint8(4), uint8(4))
	cache := NewMaterialsCache(1)
	f.Fuzz(func(t *testing.T, text, partition string, s uint16, a1, a2, b1, b2 uint8) {
		cut := func(i, j uint8) (x, y, z string) {
			m := min(int(j), len(text))
			n := min(int(i), m)
			return text[:n], text[n:m], text[m:]
		}
		ids := func(i, j uint8) (cacheID, cacheID, bool) {
			x, y, z := cut(i, j)
			scope := newScope("p"+partition, time.Hour)
			one, err := cache.encryptionID(scope, &EncryptionRequest{
				Suite: Suite(s), RequiredContextKeys: []string{x}, Context: EncryptionContext{y: z},
			})
			two, err2 := cache.decryptionID(scope, &DecryptionRequest{
				Suite: Suite(s), EncryptedDataKeys: []EncryptedDataKey{{x, []byte(y), []byte(z)}},
			})
			return one, two, err == nil && err2 == nil
		}
		e1, d1, ok1 := ids(a1, a2)
		e2, d2, ok2 := ids(b1, b2)
		if !ok1 || !ok2 {
			return
		}
		x1, y1, z1 := cut(a1, a2)
		x2, y2, z2 := cut(b1, b2)
		same := x1 == x2 && y1 == y2 && z1 == z2
		if same != (e1 == e2) || same != (d1 == d2) || e1 == d1 {
			t.Fatalf("ids of %q %q %q and %q %q %q", x1, y1, z1, x2, y2, z2)
		}
	})
}

func TestScopes(t *testing.T) {
	t.Parallel()
	require.Equal(t, newScope("a", 1), newScope("a", 1))
	require.NotEqual(t, newScope("a", 1), newScope("a", 2))
	require.NotEqual(t, newScope("", 1), newScope("", 1))
}

// The order of required keys does not matter; that of encrypted data keys decides
// which is tried first.
func TestCacheIDOrder(t *testing.T) {
	t.Parallel()
	cache := NewMaterialsCache(1)
	id := func(required ...string) cacheID {
		got, err := cache.encryptionID(nil, &EncryptionRequest{RequiredContextKeys: required})
		require.NoError(t, err)
		return got
	}
	unsorted := []string{"b", "a"}
	require.Equal(t, id("a", "b"), id(unsorted...))
	require.Equal(t, []string{"b", "a"}, unsorted, "the request is not changed")
	one, two := EncryptedDataKey{Provider: "1"}, EncryptedDataKey{Provider: "2"}
	first, err := cache.decryptionID(nil, &DecryptionRequest{EncryptedDataKeys: []EncryptedDataKey{one, two}})
	require.NoError(t, err)
	second, err := cache.decryptionID(nil, &DecryptionRequest{EncryptedDataKeys: []EncryptedDataKey{two, one}})
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}
