package kms

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
)

func blobTestKey(id string) *keyrecord.Key {
	return &keyrecord.Key{
		Account: "111122223333", Region: "us-east-1", ID: id,
		Materials: []keyrecord.Material{keyrecord.NewMaterial(id, bytes.Repeat([]byte{1}, keyrecord.MaterialLen), time.Time{})},
	}
}

func sealed(t testing.TB, k *keyrecord.Key, plaintext string) []byte {
	t.Helper()
	b, err := seal(k, []byte(plaintext), map[string]string{"a": "b"})
	require.NoError(t, err)
	return b
}

// FuzzParseBlob checks that a blob that is taken apart is made of its parts.
func FuzzParseBlob(f *testing.F) {
	good := sealed(f, blobTestKey("12345678-1234-4234-8234-123456789abc"), "secret")
	f.Add(good)
	f.Add(sealed(f, blobTestKey("mrk-0123456789abcdef0123456789abcdef"), strings.Repeat("x", 4096)))
	f.Add([]byte{})
	f.Add([]byte(blobMagic))
	f.Add(good[:blobHeader])
	f.Add(good[:blobHeader+blobTag-1])
	f.Add(bytes.ToUpper(good))
	f.Add(append(outerHeader(blobTestKey("12345678-1234-4234-8234-123456789abc")), good...))
	key := blobTestKey("12345678-1234-4234-8234-123456789abc")
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		p, ok := parseBlob(b)
		if !ok {
			return
		}
		header := blobMagic + "\x01" + p.account + p.keyID + string(p.material) + string(p.salt)
		if p.outer != nil {
			header = blobMagic + "\x02" + p.account + p.keyID
		}
		require.Equal(t, string(b), header+string(p.ciphertext)+string(p.outer))
		require.Equal(t, header, string(p.header))
		require.True(t, arn.IsAccount(p.account))
		require.True(t, isKeyID(p.keyID))
		if plaintext, _, ok := p.open(key, map[string]string{"a": "b"}); ok {
			require.Equal(t, "secret", string(plaintext)) // of the seeds: nobody can make another one
		}
		require.Equal(t, before, b)
	})
}

func TestParseBlobForms(t *testing.T) {
	t.Parallel()
	good := sealed(t, blobTestKey("12345678-1234-4234-8234-123456789abc"), "x")
	for name, change := range map[string]func(b []byte) []byte{
		"magic":                 func(b []byte) []byte { b[4] = 0x79; return b },
		"an older prefix":       func(b []byte) []byte { b[1], b[2] = 1, 1; return b },
		"version 0":             func(b []byte) []byte { b[5] = 0; return b },
		"version 3":             func(b []byte) []byte { b[5] = 3; return b },
		"letter in account":     func(b []byte) []byte { b[6] = 'x'; return b },
		"upper case in key id":  func(b []byte) []byte { b[50] = 'A'; return b },
		"no dash in key id":     func(b []byte) []byte { b[26] = '0'; return b },
		"nothing but a header":  func(b []byte) []byte { return b[:blobHeader] },
		"less than a tag":       func(b []byte) []byte { return b[:blobHeader+blobTag-1] },
		"the header cut by one": func(b []byte) []byte { return b[1:] },
	} {
		_, ok := parseBlob(change(bytes.Clone(good)))
		require.False(t, ok, name)
	}
	p, ok := parseBlob(good[:blobHeader+blobTag]) // an empty plaintext has its form
	require.True(t, ok)
	require.Len(t, p.ciphertext, blobTag)
}

// TestAssociatedDataIsUnambiguous has contexts whose strings run together alike.
func TestAssociatedDataIsUnambiguous(t *testing.T) {
	t.Parallel()
	contexts := []map[string]string{
		nil, {"ab": "c"}, {"a": "bc"}, {"abc": ""}, {"": "abc"}, {"a": "b", "c": ""}, {"a": "", "b": "c"}, {"a": "", "bc": ""},
		{"a\x00\x00\x00\x01b": "c"}, {"a": "\x00\x00\x00\x01bc"}, {"a": "b", "c": "d"}, {"a": "bcd"}, {"\x00\x00\x00\x01": "a"},
	}
	seen := map[string]int{}
	for i, c := range contexts {
		aad := string(appendAAD(nil, []byte("header"), c))
		if j, ok := seen[aad]; ok {
			t.Errorf("contexts %d and %d have the same associated data", i, j)
		}
		seen[aad] = i
		room := make([]byte, 1, 1+len(aad))
		require.Same(t, &room[0], &appendAAD(room, []byte("header"), c)[0], "the size is known beforehand")
	}
	require.Equal(t, appendAAD(nil, nil, nil), appendAAD(nil, nil, map[string]string{}))
}

func TestOpenNeedsTheKeyOfTheBlob(t *testing.T) {
	t.Parallel()
	k := blobTestKey("12345678-1234-4234-8234-123456789abc")
	p, ok := parseBlob(sealed(t, k, "secret"))
	require.True(t, ok)
	context := map[string]string{"a": "b"}
	plaintext, m, ok := p.open(k, context)
	require.True(t, ok)
	require.Equal(t, "secret", string(plaintext))
	require.Equal(t, k.Current(), m)

	// older material stays usable
	rotated := *k
	rotated.Materials = append(rotated.Materials, keyrecord.NewMaterial(k.ID, bytes.Repeat([]byte{2}, keyrecord.MaterialLen), time.Time{}))
	_, m, ok = p.open(&rotated, context)
	require.True(t, ok)
	require.Equal(t, k.Current().ID, m.ID)

	for name, change := range map[string]func(*keyrecord.Key){
		"another account":  func(k *keyrecord.Key) { k.Account = "444455556666" },
		"another key id":   func(k *keyrecord.Key) { k.ID = "12345678-1234-4234-8234-123456789abd" },
		"another material": func(k *keyrecord.Key) { k.Materials = rotated.Materials[1:] },
	} {
		other := *k
		change(&other)
		_, _, ok := p.open(&other, context)
		require.False(t, ok, name)
	}
}

// TestOuterBlob has the form of blobs of external keys.
func TestOuterBlob(t *testing.T) {
	t.Parallel()
	k := blobTestKey("12345678-1234-4234-8234-123456789abc")
	header := outerHeader(k)
	require.Len(t, header, outerLen)
	require.Equal(t, "\x01\x02\x02\x00\x78\x02"+"111122223333"+"12345678-1234-4234-8234-123456789abc", string(header))
	_, ok := parseBlob(header)
	require.False(t, ok, "nothing but a header")
	p, ok := parseBlob(append(header, "what the proxy made"...))
	require.True(t, ok)
	require.Equal(t, blob{account: k.Account, keyID: k.ID, header: header, outer: []byte("what the proxy made")}, p)
	_, _, ok = p.open(k, nil) // not without the proxy
	require.False(t, ok)

	seen := map[string]bool{}
	for _, context := range []map[string]string{nil, {"a": "bc"}, {"ab": "c"}} {
		for _, id := range []string{k.ID, "12345678-1234-4234-8234-123456789abd"} {
			aad := outerAAD(outerHeader(blobTestKey(id)), context)
			require.Len(t, aad, 32)
			seen[string(aad)] = true
		}
	}
	require.Len(t, seen, 6)
}
