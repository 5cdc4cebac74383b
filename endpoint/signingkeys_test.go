package endpoint

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
)

// The steps of a verification by themselves, for the tests that look at each.

func canonicalRequest(r *http.Request, a authorization, payloadHash [sha256.Size]byte) (string, bool) {
	text, ok := appendCanonicalRequest(nil, r, &a, payloadHash)
	return string(text), ok
}

func stringToSign(a authorization, t time.Time, canonical string) string {
	return string(appendStringToSign(nil, &a, t, sha256.Sum256([]byte(canonical))))
}

func verify(r *http.Request, payloadHash [sha256.Size]byte, secret string, a authorization, signedAt time.Time) error {
	return newSigner(signingKey(secret, a.date, a.region, a.service)).verify(r, payloadHash, &a, signedAt)
}

// exampleAccessKey returns the example key as a registry has it.
func exampleAccessKey(t *testing.T) accessKey {
	var keys AccessKeys
	require.NoError(t, keys.Add(exampleKey+"00000", exampleSecret, identity.Caller{}))
	key, ok := keys.lookup(exampleKey + "00000")
	require.True(t, ok)
	return key
}

// TestKeptSigningKeys has one access key verify many requests of many days, with the
// signing keys that it has kept and with new ones.
func TestKeptSigningKeys(t *testing.T) {
	t.Parallel()
	key, rng := exampleAccessKey(t), rand.New(rand.NewPCG(5, 6))
	for i := range 6 * maxScopes {
		at := signingTime.AddDate(0, 0, i/3%(maxScopes+1))
		r, body := randomRequest(t, rng)
		hash := sign(t, r, body, at)
		a := parsed(t, r)
		for range 2 {
			require.NoError(t, key.verify(r, hash, &a, at), "%s %s", r.Method, r.URL)
			a.signature[i%sha256.Size] ^= 1
			requireCode(t, key.verify(r, hash, &a, at), "InvalidSignatureException", "does not match")
			a.signature[i%sha256.Size] ^= 1
		}
		require.NotNil(t, key.signing.lookup(scope{a.date, "us-east-1", "kms"}))
		require.LessOrEqual(t, len(key.signing.keys), maxScopes)
	}
}

// Whoever does not have the secret leaves nothing behind and pushes nothing out.
func TestSigningKeysOfStrangersAreNotKept(t *testing.T) {
	t.Parallel()
	key, r := exampleAccessKey(t), newRequest(t, nil)
	hash := sign(t, r, nil, signingTime)
	a := parsed(t, r)
	require.NoError(t, key.verify(r, hash, &a, signingTime))
	kept := key.signing.lookup(scope{a.date, a.region, a.service})
	require.NotNil(t, kept)
	for i := range 2 * maxScopes {
		forged := a
		forged.region = fmt.Sprint("made-up-", i)
		requireCode(t, key.verify(r, hash, &forged, signingTime), "InvalidSignatureException", "does not match")
	}
	require.Len(t, key.signing.keys, 1)
	require.NoError(t, key.verify(r, hash, &a, signingTime))
	require.Same(t, kept, key.signing.lookup(scope{a.date, a.region, a.service}))
}

// A signing key that is used by many at a time is for the race detector.
func TestSigningKeysAtOnce(t *testing.T) {
	t.Parallel()
	key := exampleAccessKey(t)
	var wg sync.WaitGroup
	for day := range 8 {
		at := signingTime.AddDate(0, 0, day/2)
		r := newRequest(t, nil)
		hash := sign(t, r, nil, at)
		a := parsed(t, r)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				if err := key.verify(r, hash, &a, at); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	require.Len(t, key.signing.keys, 4)
}

func TestReplacedKeyHasNoSigningKeys(t *testing.T) {
	t.Parallel()
	var keys AccessKeys
	const id = exampleKey + "00000"
	r := newRequest(t, nil)
	hash := sign(t, r, nil, signingTime)
	a := parsed(t, r)
	for _, before := range []func(){func() {}, func() {}, func() { keys.Remove(id) }} {
		before()
		require.NoError(t, keys.Add(id, exampleSecret, identity.Caller{}))
		key, _ := keys.lookup(id)
		require.Empty(t, key.signing.keys)
		require.NoError(t, key.verify(r, hash, &a, signingTime))
		require.Len(t, key.signing.keys, 1)
	}
}

func TestHeaderValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a-", 32) // as long as there is room
	for _, name := range []string{"x-amz-date", "content-type", "etag", "-a", "a-", "a--b", "x-1a", "!#$%&'*+.^_`|~", "x_a", long, long + "b"} {
		h := http.Header{}
		h.Add(name, "1")
		h.Add(name, "2")
		require.Equal(t, []string{"1", "2"}, headerValues(h, name), name)
		require.Empty(t, headerValues(h, name+"c"))
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", "/": "%2F", "abc-._~019XYZ": "abc-._~019XYZ", "a b": "a%20b", "a b c": "a%20b%20c", "%": "%25", "é": "%C3%A9", "a/é": "a%2F%C3%A9",
	} {
		require.Equal(t, want, escape(s, ""))
		require.Equal(t, strings.ReplaceAll(want, "%2F", "/"), escape(s, "/"))
	}
}
