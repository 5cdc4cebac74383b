package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// prf computes HMAC-SHA256 under one key, again and again: setting a key up takes longer
// than a short message. It is safe for concurrent use.
type prf struct {
	key    []byte
	states sync.Pool // of hash.Hash, keyed
}

// newPRF keeps the key.
func newPRF(key []byte) *prf { return &prf{key: key} }

// state returns a keyed hash that nothing was written to. Who is done with it gives it
// back with put.
func (p *prf) state() hash.Hash {
	if h, ok := p.states.Get().(hash.Hash); ok {
		h.Reset()
		return h
	}
	return hmac.New(sha256.New, p.key)
}

func (p *prf) put(h hash.Hash) { p.states.Put(h) }

// mac appends the HMAC of message to dst, which may begin where message does.
func (p *prf) mac(dst, message []byte) []byte {
	h := p.state()
	defer p.put(h)
	h.Write(message)
	return h.Sum(dst)
}

// expand appends HKDF-Expand(key, info)'s first 32 bytes to dst (RFC 5869, section 2.3).
// It overwrites what lies behind info in its array.
func (p *prf) expand(dst, info []byte) []byte {
	return p.mac(dst, append(info, 1))
}

// wipe makes the prf useless: what it computes from then on, it computes under another
// key.
func (p *prf) wipe() {
	clear(p.key)
	for p.states.Get() != nil {
	}
}
