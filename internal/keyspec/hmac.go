package keyspec

import (
	"bytes"
	"crypto"
	"crypto/hmac"
)

// hmacFamily makes keys of HMAC (FIPS 198-1).
type hmacFamily struct{ rawFamily }

func (f hmacFamily) parse(material []byte) (any, error) {
	if err := f.check(material); err != nil {
		return nil, err
	}
	return hmacKey(bytes.Clone(material)), nil
}

// hmacKey is the key.
type hmacKey []byte

func (k hmacKey) mac(h crypto.Hash, message []byte) []byte {
	m := hmac.New(h.New, k)
	m.Write(message)
	return m.Sum(nil)
}
