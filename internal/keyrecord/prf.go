package keyrecord

import "github.com/sealring/sealring/internal/prf"

// KeepPRFs readies k, which will be used many times, for it: AppendPRF of its materials
// is then quicker. It has to be called before k is shared. What is kept holds no more than
// the material that it stands beside.
func (k *Key) KeepPRFs() {
	for i := range k.Materials {
		k.Materials[i].prf = prf.New(k.Materials[i].Bytes)
	}
}

// AppendPRF appends HMAC-SHA256 under the material's bytes of the parts, one after the
// other, to dst. It may be called at the same time by several goroutines.
func (m *Material) AppendPRF(dst []byte, parts ...[]byte) []byte {
	p := m.prf
	if p == nil {
		p = prf.New(m.Bytes)
	}
	return p.Append(dst, parts...)
}
