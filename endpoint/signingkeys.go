package endpoint

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"strings"
	"sync"
)

// A scope is what a signing key is good for: one day, Region and service.
type scope struct{ date, region, service string }

// maxScopes bounds how many signing keys are kept of one secret. A client uses one
// a day for each Region.
const maxScopes = 32

// signingKeys keeps the signing keys that were derived from one secret access key.
// It is a part of that access key, so they are gone when it is removed or replaced.
type signingKeys struct {
	mu   sync.RWMutex
	keys map[scope]*signer // guarded by mu
}

func (k *signingKeys) lookup(s scope) *signer {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[s]
}

// keep keeps a signing key that a right signature was made with: of the Regions that
// others make up nothing stays.
func (k *signingKeys) keep(s scope, key *signer) {
	// The strings are parts of a header, which should not be kept with them.
	s = scope{strings.Clone(s.date), strings.Clone(s.region), strings.Clone(s.service)}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil || len(k.keys) >= maxScopes {
		k.keys = map[scope]*signer{}
	}
	k.keys[s] = key
}

// signingKey derives the key of a scope from the secret access key. It depends on
// nothing else.
func signingKey(secret, date, region, service string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{date, region, service, scopeTerminator} {
		key = hmacSHA256(key, part)
	}
	return key
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// A signer has one signing key. It is safe for concurrent use.
type signer struct{ macs sync.Pool } // of *mac

// A mac is HMAC-SHA256 under a signing key and the text that it is made of.
type mac struct {
	hash hash.Hash
	text []byte
}

func newSigner(key []byte) *signer {
	s := &signer{}
	s.macs.New = func() any { return &mac{hash: hmac.New(sha256.New, key)} }
	return s
}

func (s *signer) get() *mac { return s.macs.Get().(*mac) }

// put takes a mac back for another request.
func (s *signer) put(m *mac) {
	const maxKept = 16 << 10 // longer texts are rare
	if cap(m.text) <= maxKept {
		s.macs.Put(m)
	}
}

// sum returns the MAC of the text, which it overwrites.
func (m *mac) sum() []byte {
	m.hash.Reset()
	m.hash.Write(m.text)
	m.text = m.hash.Sum(m.text[:0])
	return m.text
}
