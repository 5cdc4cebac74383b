package xks

import (
	"context"
	"fmt"
)

// Decrypt has the proxy decrypt what Encrypt has returned for the same key and aad.
// It returns a new slice and keeps neither argument. A blob that is not one is an
// ErrInvalidBlob, and one that the proxy refuses an *Error with the name
// InvalidCiphertextException: whether a blob is authentic is for the proxy to say.
// Otherwise the error is an *Error or one of the package's other errors.
func (p *Proxy) Decrypt(ctx context.Context, keyID string, blob, aad []byte, c Call) (plaintext []byte, err error) {
	if err := c.check(true, true); err != nil {
		return nil, err
	}
	if len(aad) > MaxAAD {
		return nil, fmt.Errorf("xks: cannot decrypt with %d bytes of additional data", len(aad))
	}
	s, err := parseBlob(blob)
	if err != nil {
		return nil, err
	}
	a, err := p.ask(ctx, keyID, "decrypt", struct {
		Call       Call   `json:"requestMetadata"`
		AAD        []byte `json:"additionalAuthenticatedData,omitempty"`
		Ciphertext []byte `json:"ciphertext"`
		Metadata   []byte `json:"ciphertextMetadata,omitempty"`
		Algorithm  string `json:"encryptionAlgorithm"`
		IV         []byte `json:"initializationVector"`
		Tag        []byte `json:"authenticationTag"`
	}{c, aad, s.ciphertext, s.metadata, gcm, s.iv, s.tag})
	if err != nil {
		return nil, err
	}
	plaintext = a.bytes("plaintext", len(s.ciphertext))
	if a.err != nil {
		return nil, a.err
	}
	return plaintext, nil
}
