package xks

import (
	"context"
	"crypto/sha256"
	"fmt"
)

// Limits that the specification lets KMS rely on, in bytes.
const (
	MaxPlaintext = 4300 // of Encrypt; the ciphertext is as long
	MaxAAD       = 8192 // additional authenticated data
)

const (
	gcm         = "AES_GCM"
	cdiv        = "SHA_256" // how ciphertext data integrity values are made
	tagSize     = 16
	maxMetadata = 20 // of the ciphertext
)

// Encrypt has the proxy encrypt 1 to MaxPlaintext bytes under the external key, with
// at most MaxAAD bytes of additional authenticated data, which may be nil. It returns
// a new slice: the ciphertext and all that Decrypt needs beside the key and the aad,
// at most [MaxOverhead] bytes longer than the plaintext. Neither argument is kept.
//
// The proxy vouches by an integrity value that its answer can be decrypted. An
// answer whose value is wrong is an ErrInvalidResponse; otherwise the error is an
// *Error or one of the package's other errors.
func (p *Proxy) Encrypt(ctx context.Context, keyID string, plaintext, aad []byte, c Call) (blob []byte, err error) {
	if err := c.check(true, true); err != nil {
		return nil, err
	}
	if len(plaintext) < 1 || len(plaintext) > MaxPlaintext || len(aad) > MaxAAD {
		return nil, fmt.Errorf("xks: cannot encrypt %d bytes with %d bytes of additional data", len(plaintext), len(aad))
	}
	a, err := p.ask(ctx, keyID, "encrypt", struct {
		Call      Call   `json:"requestMetadata"`
		AAD       []byte `json:"additionalAuthenticatedData,omitempty"`
		Plaintext []byte `json:"plaintext"`
		Algorithm string `json:"encryptionAlgorithm"`
		Integrity string `json:"ciphertextDataIntegrityValueAlgorithm"`
	}{c, aad, plaintext, gcm, cdiv})
	if err != nil {
		return nil, err
	}
	s, err := a.sealed(len(plaintext), aad)
	if err != nil {
		return nil, err
	}
	return s.blob(), nil
}

// sealed takes the answer to Encrypt for size bytes of plaintext.
func (a *answer) sealed(size int, aad []byte) (sealed, error) {
	s := sealed{
		metadata:   a.optionalBytes("ciphertextMetadata", maxMetadata),
		iv:         a.bytes("initializationVector", 12, 16),
		tag:        a.bytes("authenticationTag", tagSize),
		ciphertext: a.bytes("ciphertext", size),
	}
	value := a.bytes("ciphertextDataIntegrityValue", sha256.Size)
	if a.err != nil {
		return sealed{}, a.err
	}
	if s.integrity(aad) != [sha256.Size]byte(value) {
		return sealed{}, invalid("its integrity value is wrong")
	}
	return s, nil
}

// integrity returns the ciphertext data integrity value (specification, Appendix C).
// It finds accidents, not attacks, and has no lengths in it.
func (s *sealed) integrity(aad []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, part := range [][]byte{aad, s.metadata, s.iv, s.ciphertext, s.tag} {
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}
