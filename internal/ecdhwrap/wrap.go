package ecdhwrap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/sealring/sealring/internal/suite"
)

// ErrOpen is returned for a ciphertext that does not open: another secret, other
// parties, another context, or altered bytes. Which one cannot be told.
var ErrOpen = errors.New("ecdhwrap: wrapped key is not authentic")

// saltLen is the length of the random salt, which makes every wrapping key new
// although two static keys agree on the same secret each time.
const saltLen = 32

// Wrap encrypts a data key for i's recipient under the secret that the parties share,
// the x coordinate of their common point. Context is the serialised encryption
// context. None of the slices is kept or changed. The result is
//
//	offset  bytes  meaning
//	     0     32  salt, random
//	    32     32  commitment to the wrapping key
//	    64      n  AES-256-GCM ciphertext of the data key
//	  64+n     16  tag
//
// with a nonce of zeros, because the wrapping key is used once, and the fixed info of
// the key derivation as associated data.
//
// There is an error only if the cryptography library refuses the cipher, as Go's does
// under GODEBUG=fips140=only.
func Wrap(c *Curve, i Info, secret, context, dataKey []byte) ([]byte, error) {
	salt := make([]byte, saltLen)
	rand.Read(salt)
	return wrapWith(c, i, secret, context, dataKey, salt)
}

func wrapWith(c *Curve, i Info, secret, context, dataKey, salt []byte) ([]byte, error) {
	fixed := fixedInfo(c, i, context)
	commitment, wrapping := derive(secret, fixed, salt)
	defer clear(wrapping)
	aead, err := newGCM(wrapping)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, saltLen+commitmentLen+len(dataKey)+suite.TagLen)
	out = append(append(out, salt...), commitment...)
	return aead.Seal(out, make([]byte, suite.IVLen), dataKey, fixed), nil
}

// Unwrap returns the data key in what [Wrap] has made; it belongs to the caller. The
// commitment is compared before anything is decrypted. The error is [ErrOpen], or one of
// [Wrap]'s.
func Unwrap(c *Curve, i Info, secret, context, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) < saltLen+commitmentLen+suite.TagLen {
		return nil, ErrOpen
	}
	salt, rest := ciphertext[:saltLen], ciphertext[saltLen:]
	fixed := fixedInfo(c, i, context)
	commitment, wrapping := derive(secret, fixed, salt)
	defer clear(wrapping)
	if subtle.ConstantTimeCompare(commitment, rest[:commitmentLen]) != 1 {
		return nil, ErrOpen
	}
	aead, err := newGCM(wrapping)
	if err != nil {
		return nil, err
	}
	key, err := aead.Open(nil, make([]byte, suite.IVLen), rest[commitmentLen:], fixed)
	if err != nil {
		return nil, ErrOpen
	}
	return key, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("ecdhwrap: AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("ecdhwrap: AES-GCM: %w", err)
	}
	return aead, nil
}
