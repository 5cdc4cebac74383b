package s3crypto

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"maps"
	"slices"
)

// AESOptions adjust an [AES]. The zero value is what most callers want.
type AESOptions struct {
	// Description is the material description that is stored with each new object, to
	// tell its wrapping key from others. It is not secret and not authenticated. It is
	// copied.
	Description map[string]string

	// DecryptionKeys are further keys to read with: each object with exactly the
	// description of one of them is read with that one, all others with the wrapper's
	// own key.
	DecryptionKeys []AESKey

	// AllowKeyWrap admits reading objects of format V2 whose data key is wrapped with
	// AES Key Wrap ("AESWrap", RFC 3394), which does not bind the content algorithm.
	AllowKeyWrap bool

	// AllowECB admits reading objects of format V1: their data key is encrypted with
	// AES in ECB mode, which authenticates nothing.
	AllowECB bool
}

// AESKey is a key to read with, of 16, 24 or 32 bytes, and the material description of the
// objects that it is for. Both are copied.
type AESKey struct {
	Description map[string]string
	Key         []byte
}

// Format prints the material description only, whatever the verb.
func (k AESKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "s3crypto.AESKey{%q}", k.Description) }

// AES wraps data keys with AES-GCM under a key held in memory, and binds the content
// algorithm ("AES/GCM"). A wrapped data key is
//
//	12-byte IV, 32 bytes of ciphertext, 16-byte tag
//
// with the content algorithm's name as associated data. The IV is random: a key should be
// replaced before it has wrapped 2^32 data keys (NIST SP 800-38D, section 8.3).
type AES struct {
	keys   []described[aesKey] // the first one wraps
	legacy map[wrapAlgorithm]bool
}

// aesKey is a wrapping key, ready for use.
type aesKey struct {
	block cipher.Block
	aead  cipher.AEAD // chooses the IV and puts it before the ciphertext
}

var _ Wrapper = (*AES)(nil)

// NewAES returns a wrapper for a key of 16, 24 or 32 bytes, which is copied. Nil options
// are the zero AESOptions. No two keys may have the same material description.
func NewAES(key []byte, o *AESOptions) (*AES, error) {
	if o == nil {
		o = &AESOptions{}
	}
	w := &AES{legacy: map[wrapAlgorithm]bool{wrapAESKW: o.AllowKeyWrap, wrapAESECB: o.AllowECB}}
	for _, k := range slices.Concat([]AESKey{{o.Description, key}}, o.DecryptionKeys) {
		block, err := aes.NewCipher(k.Key)
		if err != nil {
			return nil, fmt.Errorf("s3crypto: wrapping key of %d bytes, AES takes 16, 24 or 32", len(k.Key))
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("s3crypto: AES-GCM: %w", err)
		}
		if w.keys, err = add(w.keys, k.Description, aesKey{block, aead}); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Format prints the material descriptions only, whatever the verb.
func (k AES) Format(f fmt.State, _ rune) { formatKeys(f, "AES", k.keys) }

func formatKeys[K any](f fmt.State, name string, keys []described[K]) {
	fmt.Fprintf(f, "s3crypto.%s{", name)
	for i, k := range keys {
		if i > 0 {
			fmt.Fprint(f, ", ")
		}
		fmt.Fprintf(f, "%q", k.description)
	}
	fmt.Fprint(f, "}")
}

func (k *AES) admits(a wrapAlgorithm) error { return admits(a, wrapAESGCM, k.legacy) }

func (k *AES) wraps(h *header) bool { return h.wrap == wrapAESGCM && index(k.keys, h.description) == 0 }

func (k *AES) wrap(_ context.Context, h *header, key dataKey, c map[string]string) (dataKey, error) {
	if err := noContext(wrapAESGCM, c); err != nil {
		return nil, err
	}
	if key == nil {
		key = newDataKey()
	}
	own := k.keys[0]
	h.wrap, h.description = wrapAESGCM, maps.Clone(own.description)
	h.edk = own.key.aead.Seal(nil, nil, key, []byte(h.suite.name()))
	return key, nil
}

func (k *AES) unwrap(_ context.Context, h *header) (dataKey, error) {
	key := pick(k.keys, h.description)
	switch h.wrap {
	case wrapAESKW:
		return unwrapKW(key.block, h.edk)
	case wrapAESECB:
		return unwrapECB(key.block, h.edk)
	}
	unwrapped, err := key.aead.Open(nil, nil, h.edk, []byte(h.suite.name()))
	if err != nil {
		return nil, ErrAuthentication
	}
	return unwrapped, nil
}

// ecbSize is the length of a data key in ECB mode: a third block is padding.
const ecbSize = dataKeySize + aes.BlockSize

// unwrapECB decrypts ecbSize bytes: the data key and a block of PKCS #7 padding.
func unwrapECB(block cipher.Block, edk []byte) (dataKey, error) {
	out := make([]byte, ecbSize)
	for i := 0; i < ecbSize; i += aes.BlockSize {
		block.Decrypt(out[i:], edk[i:])
	}
	padding := slices.Repeat([]byte{aes.BlockSize}, aes.BlockSize)
	if subtle.ConstantTimeCompare(out[dataKeySize:], padding) != 1 {
		clear(out)
		return nil, ErrAuthentication
	}
	return out[:dataKeySize], nil
}
