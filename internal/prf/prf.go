// Package prf computes HMAC-SHA256 under one key again and again: setting a key up takes
// longer than a short message.
package prf

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// PRF is HMAC-SHA256 under one key. It keeps idle states that are keyed already, which are
// as secret as the key. It is safe for concurrent use.
type PRF struct {
	key  []byte
	idle sync.Pool // of hash.Hash, keyed and reset
}

// New returns the PRF under key, which it keeps.
func New(key []byte) *PRF { return &PRF{key: key} }

// Append appends the HMAC of the parts, one after the other, to dst, which may begin where
// a part does.
func (p *PRF) Append(dst []byte, parts ...[]byte) []byte {
	h, ok := p.idle.Get().(hash.Hash)
	if !ok {
		h = hmac.New(sha256.New, p.key)
	}
	for _, part := range parts {
		h.Write(part)
	}
	dst = h.Sum(dst)
	h.Reset()
	p.idle.Put(h)
	return dst
}

// Wipe zeroes the key, in the caller's slice, and lets go of the idle states. Nothing may
// be computed meanwhile; what is computed afterwards is under another key.
func (p *PRF) Wipe() {
	clear(p.key)
	for p.idle.Get() != nil {
	}
}
