package branchkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"github.com/sealring/sealring/internal/suite"
	"github.com/sealring/sealring/keyring"
)

// provider is the provider of every data key that is wrapped with a branch key, the
// label of the key derivation and the start of the associated data.
const provider = "aws-kms-hierarchy"

// The ciphertext of an encrypted data key (AWS's specification, "AWS KMS hierarchical
// keyring"):
//
//	offset  bytes  meaning
//	     0     16  salt, random
//	    16     12  IV, random
//	    28     16  version of the branch key, the bytes of its UUID
//	    44      n  AES-256-GCM of the data key
//	  44+n     16  tag
//
// The AES key is derived from the branch key and the salt. The associated data is
// provider, branch key id, version and the serialised encryption context.
const (
	saltLen    = 16
	ivAt       = saltLen
	versionAt  = ivAt + suite.IVLen
	sealedAt   = versionAt + len(version{})
	wrappedLen = sealedAt + suite.TagLen // without the data key
)

// wrap returns the ciphertext of a data key for the serialised encryption context.
func (k *Key) wrap(dataKey, context []byte) ([]byte, error) {
	out := make([]byte, sealedAt, wrappedLen+len(dataKey))
	rand.Read(out[:versionAt])
	copy(out[versionAt:], k.version[:])
	aead, err := k.derive(out[:saltLen])
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, out[ivAt:versionAt], dataKey, k.associated(context)), nil
}

// unwrap returns the data key of a ciphertext that is long enough, or ErrUnwrap. The
// caller owns it.
func (k *Key) unwrap(ciphertext, context []byte) ([]byte, error) {
	aead, err := k.derive(ciphertext[:saltLen])
	if err != nil {
		return nil, err
	}
	dataKey, err := aead.Open(nil, ciphertext[ivAt:versionAt], ciphertext[sealedAt:], k.associated(context))
	if err != nil {
		return nil, keyring.ErrUnwrap
	}
	return dataKey, nil
}

// derive returns AES-256-GCM under the key of a salt: NIST SP 800-108, counter mode
// with HMAC-SHA256, of which one block is enough.
func (k *Key) derive(salt []byte) (cipher.AEAD, error) {
	if k.secret == nil {
		return nil, errDestroyed
	}
	mac := hmac.New(sha256.New, k.secret)
	mac.Write(binary.BigEndian.AppendUint32(nil, 1))
	mac.Write([]byte(provider))
	mac.Write([]byte{0})
	mac.Write(salt)
	mac.Write(binary.BigEndian.AppendUint32(nil, 8*sha256.Size))
	var wrapping [sha256.Size]byte
	defer clear(wrapping[:])
	block, err := aes.NewCipher(mac.Sum(wrapping[:0]))
	if err != nil {
		return nil, err // not for 32 bytes
	}
	return cipher.NewGCM(block)
}

func (k *Key) associated(context []byte) []byte {
	out := make([]byte, 0, len(provider)+len(k.id)+len(k.version)+len(context))
	out = append(out, provider...)
	out = append(out, k.id...)
	out = append(out, k.version[:]...)
	return append(out, context...)
}
