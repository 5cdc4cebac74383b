package keyring

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/crypto/argon2"

	"github.com/sealring/sealring/internal/suite"
)

// Passphrase wraps data keys with AES-256-GCM under a key that is derived from a
// passphrase with Argon2id (RFC 9106): 64 MiB of memory, 3 passes, 4 lanes, the second
// choice of its section 4. Deriving takes about a tenth of a second of two processors. A
// keyring derives once for all that it encrypts, and once for each salt that it meets,
// of which it keeps the last few; one at a time.
//
// It is an extension of this module: no other Encryption SDK reads a data key that it
// has wrapped. It binds the encryption context. Its encrypted data keys have the
// namespace as provider. The info is
//
//	offset  bytes  meaning
//	     0      1  version, 1: says what is derived with, and how
//	     1     16  salt
//	    17     12  IV
//	    29      n  name
//
// and the ciphertext is 16 bytes longer than the data key.
//
// A passphrase is as good as it is hard to guess: whoever has a message can try offline.
// Whoever can write messages can put a hundred salts into one; bound the number of
// encrypted data keys where such messages are decrypted. A Passphrase is safe for
// concurrent use.
type Passphrase struct {
	namespace string
	name      string
	secret    []byte
	cost      argonCost
	salt      argonSalt // of what it encrypts
	derived   *derivations
}

var _ Keyring = (*Passphrase)(nil)

type argonSalt [16]byte

// argonCost is what deriving takes.
type argonCost struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

// derivations are the ciphers for the last few salts.
type derivations struct {
	mu   sync.Mutex // held while a key is derived
	keys []derivedKey
}

type derivedKey struct {
	salt argonSalt
	aead cipher.AEAD
}

const (
	passphraseVersion = 1
	passphraseInfoLen = 1 + len(argonSalt{}) + suite.IVLen
	keptDerivations   = 4
)

// NewPassphrase returns a keyring for a passphrase, which is copied and must not be
// empty. Namespace and name follow the rules of [NewRawAES].
func NewPassphrase(namespace, name string, passphrase []byte) (*Passphrase, error) {
	if err := checkRawName(namespace, name, passphraseInfoLen); err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		return nil, errors.New("keyring: an empty passphrase")
	}
	k := &Passphrase{namespace: namespace, name: name, secret: bytes.Clone(passphrase), derived: &derivations{}}
	k.cost = argonCost{memory: 64 << 10, passes: 3, lanes: 4}
	rand.Read(k.salt[:])
	return k, nil
}

// OnEncrypt generates the data key if m has none and wraps it.
func (k *Passphrase) OnEncrypt(ctx context.Context, m *EncryptionMaterials) error {
	wrap := func(ctx context.Context, key []byte) (EncryptedDataKey, error) {
		aead, err := k.derive(ctx, k.salt)
		if err != nil {
			return EncryptedDataKey{}, err
		}
		info := append([]byte{passphraseVersion}, k.salt[:]...)
		info = append(info, make([]byte, suite.IVLen)...)
		iv := info[len(info)-suite.IVLen:]
		rand.Read(iv)
		ciphertext := aead.Seal(nil, iv, key, m.SerializedContext())
		return EncryptedDataKey{Provider: k.namespace, Info: append(info, k.name...), Ciphertext: ciphertext}, nil
	}
	return Wrap(ctx, m, wrap, nil)
}

// OnDecrypt unwraps the first of keys that carries this keyring's namespace and name
// and opens under its passphrase and m's encryption context. An attempt that fails has
// the error [ErrUnwrap].
func (k *Passphrase) OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey) error {
	match := func(e EncryptedDataKey) bool {
		return e.Provider == k.namespace && len(e.Info) >= passphraseInfoLen &&
			e.Info[0] == passphraseVersion && string(e.Info[passphraseInfoLen:]) == k.name
	}
	unwrap := func(ctx context.Context, e EncryptedDataKey) ([]byte, error) {
		salt := argonSalt(e.Info[1:])
		iv := e.Info[1+len(salt) : passphraseInfoLen]
		aead, err := k.derive(ctx, salt)
		if err != nil {
			return nil, err
		}
		key, err := aead.Open(nil, iv, e.Ciphertext, m.SerializedContext())
		if err != nil {
			return nil, ErrUnwrap
		}
		return key, nil
	}
	return Unwrap(ctx, m, keys, match, unwrap)
}

// derive returns the cipher for a salt. If ctx is done, its error is ctx's.
func (k *Passphrase) derive(ctx context.Context, salt argonSalt) (cipher.AEAD, error) {
	k.derived.mu.Lock()
	defer k.derived.mu.Unlock()
	for _, d := range k.derived.keys {
		if d.salt == salt {
			return d.aead, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := argon2.IDKey(k.secret, salt[:], k.cost.passes, k.cost.memory, k.cost.lanes, 32)
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("keyring: AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("keyring: AES-GCM: %w", err)
	}
	kept := k.derived.keys
	if len(kept) == keptDerivations {
		kept = append(kept[:0], kept[1:]...)
	}
	k.derived.keys = append(kept, derivedKey{salt, aead})
	return aead, nil
}

// Format prints the namespace and the name only, whatever the verb.
func (k Passphrase) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "keyring.Passphrase{%q, %q}", k.namespace, k.name)
}
