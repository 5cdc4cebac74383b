package keyring

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
)

// minRSABits is the smallest modulus that [NewRawRSA] takes: 112 bits of
// security (NIST SP 800-57). crypto/rsa itself accepts 1,024 bits.
const minRSABits = 2048

// RSAPadding is the way in which a [RawRSA] pads a data key.
type RSAPadding int

// The paddings of the Encryption SDK framework. OAEP has an empty label, and
// MGF1 uses the same hash.
const (
	// OAEPSHA256 is the zero value and the one to choose.
	OAEPSHA256 RSAPadding = iota
	OAEPSHA384
	OAEPSHA512
	// OAEPSHA1 is for messages that have to be exchanged with older clients.
	OAEPSHA1
	// PKCS1v15 is for messages that older clients have written. See [RawRSA].
	PKCS1v15
)

// String returns the padding's name in the Encryption SDK.
func (p RSAPadding) String() string {
	switch p {
	case OAEPSHA256:
		return "OAEP_SHA256_MGF1"
	case OAEPSHA384:
		return "OAEP_SHA384_MGF1"
	case OAEPSHA512:
		return "OAEP_SHA512_MGF1"
	case OAEPSHA1:
		return "OAEP_SHA1_MGF1"
	case PKCS1v15:
		return "PKCS1"
	}
	return fmt.Sprintf("RSAPadding(%d)", int(p))
}

// hash returns a new hash of an OAEP padding.
func (p RSAPadding) hash() hash.Hash {
	switch p {
	case OAEPSHA384:
		return sha512.New384()
	case OAEPSHA512:
		return sha512.New()
	case OAEPSHA1:
		return sha1.New()
	}
	return sha256.New()
}

// RawRSA wraps data keys with an RSA public key and unwraps them with the private
// key, both held in memory (Encryption SDK framework, "Raw RSA keyring"). Its
// encrypted data keys have the namespace as provider and the name as info.
//
// RSA does not bind the encryption context to the data key: the context is
// authenticated by the message alone. Whoever has the public key can write
// messages, so that only a context that the reader requires, or another keyring,
// says where a message comes from.
//
// [PKCS1v15] is open to attacks that learn from a reader whether an altered
// encrypted data key had valid padding (Bleichenbacher). When exactly one of the
// encrypted data keys of a message is for the keyring, OnDecrypt therefore does
// not tell: an invalid one yields a random data key, which ends the search of a
// [Multi] too, and it is the message's header that fails to authenticate. When
// several are, each is tried, and whether one is valid does show; whoever sends a
// message chooses how many it has. So do not let the sender see why a message was
// refused, nor how long that took, and prefer OAEP.
//
// A RawRSA is safe for concurrent use.
type RawRSA struct {
	namespace string
	name      string
	padding   RSAPadding
	public    *rsa.PublicKey
	private   *rsa.PrivateKey
}

var _ Keyring = (*RawRSA)(nil)

// NewRawRSA returns a keyring that encrypts with public and decrypts with private.
// One of them may be nil: OnEncrypt or OnDecrypt then fails. The public key is never
// taken from the private one; if both are given they have to be a pair. The
// modulus has at least 2,048 bits. The keys are kept and must not be changed.
// Namespace and name follow the rules of [NewRawAES].
func NewRawRSA(namespace, name string, padding RSAPadding, public *rsa.PublicKey, private *rsa.PrivateKey) (*RawRSA, error) {
	if err := checkRawName(namespace, name, 0); err != nil {
		return nil, err
	}
	if padding < OAEPSHA256 || padding > PKCS1v15 {
		return nil, fmt.Errorf("keyring: %v is not a padding", padding)
	}
	if public == nil && private == nil {
		return nil, errors.New("keyring: a raw RSA keyring without a public and a private key")
	}
	if public != nil {
		if err := checkModulus(public); err != nil {
			return nil, err
		}
	}
	if private != nil {
		if err := checkModulus(&private.PublicKey); err != nil {
			return nil, err
		}
		if private.Validate() != nil {
			return nil, errors.New("keyring: the RSA private key is not consistent")
		}
		if public != nil && !private.PublicKey.Equal(public) {
			return nil, errors.New("keyring: the RSA public and private keys are not a pair")
		}
	}
	return &RawRSA{namespace, name, padding, public, private}, nil
}

func checkModulus(k *rsa.PublicKey) error {
	if k.N == nil || k.N.BitLen() < minRSABits {
		return fmt.Errorf("keyring: RSA modulus of less than %d bits", minRSABits)
	}
	return nil
}

// OnEncrypt generates the data key if m has none and wraps it. It fails if the
// keyring has no public key.
func (k *RawRSA) OnEncrypt(ctx context.Context, m *EncryptionMaterials) error {
	if k.public == nil {
		return errors.New("keyring: this raw RSA keyring has no public key to encrypt with")
	}
	wrap := func(_ context.Context, key []byte) (EncryptedDataKey, error) {
		ciphertext, err := k.wrap(key)
		if err != nil {
			return EncryptedDataKey{}, fmt.Errorf("keyring: RSA encryption: %w", err)
		}
		return EncryptedDataKey{Provider: k.namespace, Info: []byte(k.name), Ciphertext: ciphertext}, nil
	}
	return Wrap(ctx, m, wrap, nil)
}

func (k *RawRSA) wrap(key []byte) ([]byte, error) {
	if k.padding == PKCS1v15 {
		return rsa.EncryptPKCS1v15(rand.Reader, k.public, key) //lint:ignore SA1019 a padding of the specification
	}
	return rsa.EncryptOAEP(k.padding.hash(), rand.Reader, k.public, key, nil)
}

// OnDecrypt unwraps the first of keys that carries this keyring's namespace and
// name and opens under its private key. An attempt that fails has the error
// [ErrUnwrap]. With [PKCS1v15] an altered key may yield a random data key instead
// of an error. It fails if the keyring has no private key.
func (k *RawRSA) OnDecrypt(ctx context.Context, m *DecryptionMaterials, keys []EncryptedDataKey) error {
	if k.private == nil {
		return errors.New("keyring: this raw RSA keyring has no private key to decrypt with")
	}
	ours := 0
	for _, e := range keys {
		if k.match(e) {
			ours++
		}
	}
	unwrap := func(_ context.Context, e EncryptedDataKey) ([]byte, error) {
		// A shorter ciphertext would be taken for one with leading zeros
		// (RFC 8017, section 7.1.2, step 1.b).
		if len(e.Ciphertext) != k.private.Size() {
			return nil, ErrUnwrap
		}
		key, err := k.unwrap(e.Ciphertext, m.Suite().DataKeyLen(), ours == 1)
		if err != nil {
			return nil, ErrUnwrap
		}
		return key, nil
	}
	return Unwrap(ctx, m, keys, k.match, unwrap)
}

func (k *RawRSA) match(e EncryptedDataKey) bool {
	return e.Provider == k.namespace && string(e.Info) == k.name
}

// unwrap decrypts a data key. If it is the only one, n random bytes stand for a
// PKCS #1 v1.5 key whose padding or length is wrong.
func (k *RawRSA) unwrap(ciphertext []byte, n int, only bool) ([]byte, error) {
	switch {
	case k.padding != PKCS1v15:
		return rsa.DecryptOAEP(k.padding.hash(), nil, k.private, ciphertext, nil)
	case only:
		key := make([]byte, n)
		rand.Read(key)
		err := rsa.DecryptPKCS1v15SessionKey(nil, k.private, ciphertext, key) //lint:ignore SA1019 see above
		return key, err
	}
	return rsa.DecryptPKCS1v15(nil, k.private, ciphertext) //lint:ignore SA1019 see above
}

// Format prints the namespace, the name and the padding only, whatever the verb.
func (k RawRSA) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "keyring.RawRSA{%q, %q, %v}", k.namespace, k.name, k.padding)
}
