package keyring

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/sealring/sealring/internal/ecdhwrap"
	"github.com/sealring/sealring/internal/suite"
)

// reservedProvider starts the provider ids that belong to AWS KMS keyrings.
const reservedProvider = "aws-kms"

// RawAES wraps data keys with AES-GCM under a key held in memory (Encryption SDK
// framework, "Raw AES keyring"). It binds the encryption context. Its encrypted
// data keys have the namespace as provider and
//
//	name, u32 128 (tag length in bits), u32 12 (IV length), 12-byte IV
//
// as info. The ciphertext is 16 bytes longer than the data key.
//
// The IV is random: a wrapping key should be replaced before it has wrapped 2^32
// data keys (NIST SP 800-38D, section 8.3). A RawAES is safe for concurrent use.
type RawAES struct {
	namespace string
	name      string
	prefix    []byte // of the info: all but the IV
	aead      cipher.AEAD
}

var _ Keyring = (*RawAES)(nil)

// NewRawAES returns a keyring for a wrapping key of 16, 24 or 32 bytes, which is
// copied. Namespace and name are stored in each message and have to be the same
// when it is decrypted; they are UTF-8, may be empty, and a namespace must not
// start with "aws-kms" or be "raw-ecdh".
func NewRawAES(namespace, name string, wrappingKey []byte) (*RawAES, error) {
	if err := checkRawName(namespace, name, 8+suite.IVLen); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(wrappingKey)
	if err != nil {
		return nil, fmt.Errorf("keyring: wrapping key of %d bytes, AES takes 16, 24 or 32", len(wrappingKey))
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("keyring: AES-GCM: %w", err)
	}
	prefix := binary.BigEndian.AppendUint32([]byte(name), 8*suite.TagLen)
	prefix = binary.BigEndian.AppendUint32(prefix, suite.IVLen)
	return &RawAES{namespace, name, prefix, aead}, nil
}

// OnEncrypt generates the data key if m has none and wraps it.
func (k *RawAES) OnEncrypt(ctx context.Context, m *EncryptionMaterials) error {
	wrap := func(_ context.Context, key []byte) (EncryptedDataKey, error) {
		info := make([]byte, len(k.prefix)+suite.IVLen)
		iv := info[copy(info, k.prefix):]
		rand.Read(iv)
		ciphertext := k.aead.Seal(nil, iv, key, m.SerializedContext())
		return EncryptedDataKey{Provider: k.namespace, Info: info, Ciphertext: ciphertext}, nil
	}
	return Wrap(ctx, m, wrap, nil)
}

// OnDecrypt unwraps the first of keys that carries this keyring's namespace and
// name and opens under its wrapping key and m's encryption context. An attempt
// that fails has the error [ErrUnwrap].
func (k *RawAES) OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey) error {
	match := func(e EncryptedDataKey) bool {
		return e.Provider == k.namespace && len(e.Info) == len(k.prefix)+suite.IVLen &&
			bytes.HasPrefix(e.Info, k.prefix)
	}
	unwrap := func(_ context.Context, e EncryptedDataKey) ([]byte, error) {
		key, err := k.aead.Open(nil, e.Info[len(k.prefix):], e.Ciphertext, m.SerializedContext())
		if err != nil {
			return nil, ErrUnwrap
		}
		return key, nil
	}
	return Unwrap(ctx, m, keys, match, unwrap)
}

// Format prints the namespace and the name only, whatever the verb.
func (k RawAES) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "keyring.RawAES{%q, %q}", k.namespace, k.name)
}

// checkRawName returns an error unless namespace and name can be the provider and,
// followed by extra bytes, the info of a raw keyring's encrypted data keys.
func checkRawName(namespace, name string, extra int) error {
	switch {
	case strings.HasPrefix(namespace, reservedProvider):
		return fmt.Errorf("keyring: namespace %q: the prefix %q is reserved", namespace, reservedProvider)
	case namespace == ecdhwrap.ProviderRaw: // ECDH keyrings would refuse the message
		return fmt.Errorf("keyring: namespace %q is that of raw ECDH keyrings", namespace)
	case !utf8.ValidString(namespace) || !utf8.ValidString(name):
		return errors.New("keyring: a namespace or name is not UTF-8")
	case len(namespace) > math.MaxUint16:
		return fmt.Errorf("keyring: namespace of %d bytes, at most %d fit", len(namespace), math.MaxUint16)
	case len(name) > math.MaxUint16-extra:
		return fmt.Errorf("keyring: name of %d bytes, at most %d fit", len(name), math.MaxUint16-extra)
	}
	return nil
}
