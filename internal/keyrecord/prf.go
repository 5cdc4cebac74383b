package keyrecord

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// A prf keeps idle states of HMAC-SHA256 under one material, because setting one up
// costs more than using it. It holds no more than the material that it stands beside.
type prf struct{ idle sync.Pool }

// KeepPRFs readies k, which will be used many times, for it: AppendPRF of its materials
// is then quicker. It has to be called before k is shared.
func (k *Key) KeepPRFs() {
	for i := range k.Materials {
		k.Materials[i].prf = new(prf)
	}
}

// AppendPRF appends HMAC-SHA256 under the material's bytes of the parts, one after the
// other, to dst. It may be called at the same time by several goroutines.
func (m *Material) AppendPRF(dst []byte, parts ...[]byte) []byte {
	var h hash.Hash
	if m.prf != nil {
		h, _ = m.prf.idle.Get().(hash.Hash)
	}
	if h == nil {
		h = hmac.New(sha256.New, m.Bytes)
	}
	for _, p := range parts {
		h.Write(p)
	}
	dst = h.Sum(dst)
	if m.prf != nil {
		h.Reset()
		m.prf.idle.Put(h)
	}
	return dst
}
