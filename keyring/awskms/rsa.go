package awskms

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/keyring"
)

const (
	// rsaProviderID is the provider of data keys that are encrypted under a KMS key
	// pair.
	rsaProviderID = "aws-kms-rsa"

	// minRSABits is the smallest modulus of KMS's key specs.
	minRSABits = 2048
)

// RSA wraps data keys with the public key of a KMS key of an RSA key spec, without
// calling KMS, and has KMS unwrap them (Encryption SDK framework, "AWS KMS RSA
// keyring"). Its encrypted data keys have the provider "aws-kms-rsa", the key ARN as
// info, and an RSAES-OAEP ciphertext of the encryption context's SHA-384 digest
// followed by the data key.
//
// Whoever has the public key can write messages: the encryption context is bound to
// the data key, but by whom is not known. The specification therefore refuses the
// suites that sign, the default one included, because their signature would prove
// nothing: name [keyring.AES256GCMHKDFSHA512CommitKey].
type RSA struct {
	api         RSAAPI // nil: encryption only
	keyARN      string
	algorithm   types.EncryptionAlgorithmSpec
	public      *rsa.PublicKey // nil: decryption only
	grantTokens []string
}

var _ keyring.Keyring = (*RSA)(nil)

// NewRSA returns a keyring for the KMS key with the given ARN and its public key,
// which is not looked up: take it from GetPublicKey, once, by a way that you trust.
// The algorithm is RSAES_OAEP_SHA_256 or RSAES_OAEP_SHA_1; the modulus has at least
// 2,048 bits. The public key is kept and must not be changed.
//
// Either api or public may be nil: the keyring then encrypts or decrypts only, and
// [Options].EncryptOnly counts as a nil api. The error is [ErrKeyID] unless keyARN is
// a key ARN. As for [NewMRK], the key decrypts what names a replica of it in another
// Region. Nil options are the zero Options.
func NewRSA(api RSAAPI, keyARN string, algorithm types.EncryptionAlgorithmSpec, public *rsa.PublicKey, o *Options) (*RSA, error) {
	opts := o.orDefault()
	if opts.EncryptOnly {
		api = nil
	}
	switch {
	case api == nil && public == nil:
		return nil, errors.New("awskms: an RSA keyring that can neither encrypt nor decrypt")
	case !isKeyARN(keyARN):
		return nil, fmt.Errorf("%w: %q", ErrKeyID, keyARN)
	case algorithm != types.EncryptionAlgorithmSpecRsaesOaepSha1 && algorithm != types.EncryptionAlgorithmSpecRsaesOaepSha256:
		return nil, fmt.Errorf("awskms: %q is not an encryption algorithm for RSA", algorithm)
	case public != nil && (public.N == nil || public.N.BitLen() < minRSABits):
		return nil, fmt.Errorf("awskms: RSA modulus of less than %d bits", minRSABits)
	}
	return &RSA{api, keyARN, algorithm, public, opts.GrantTokens}, nil
}

// OnEncrypt generates the data key if m has none and encrypts it with the public
// key, without a call. The error is [ErrDecryptOnly] if there is no public key, and
// [ErrSignedSuite] for a suite that signs.
func (k *RSA) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	if k.public == nil {
		return ErrDecryptOnly
	}
	if m.Suite().Signed() {
		return fmt.Errorf("%w: %v", ErrSignedSuite, m.Suite())
	}
	wrap := func(_ context.Context, key []byte) (keyring.EncryptedDataKey, error) {
		digest := sha512.Sum384(m.SerializedContext())
		plaintext := append(digest[:], key...)
		defer clear(plaintext)
		ciphertext, err := rsa.EncryptOAEP(k.hash(), rand.Reader, k.public, plaintext, nil)
		if err != nil {
			return keyring.EncryptedDataKey{}, fmt.Errorf("awskms: RSA encryption: %w", err)
		}
		return keyring.EncryptedDataKey{Provider: rsaProviderID, Info: []byte(k.keyARN), Ciphertext: ciphertext}, nil
	}
	return keyring.Wrap(ctx, m, wrap, nil)
}

// hash returns a new hash of the algorithm, which MGF1 uses too.
func (k *RSA) hash() hash.Hash {
	if k.algorithm == types.EncryptionAlgorithmSpecRsaesOaepSha1 {
		return sha1.New()
	}
	return sha256.New()
}

// OnDecrypt has KMS decrypt those of keys that name this keyring's key, in order,
// until one gives a data key that is bound to the encryption context; the failures
// are the attempts of the [keyring.NoMatchError], [keyring.ErrUnwrap] for another
// context.
//
// The error is [ErrEncryptOnly] if there is no API, [ErrSignedSuite] for a suite that
// signs, and [ErrKeyID] if any of keys has the provider "aws-kms-rsa" without naming
// a key ARN; KMS is not called for these.
func (k *RSA) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	if k.api == nil {
		return ErrEncryptOnly
	}
	if m.Suite().Signed() {
		return fmt.Errorf("%w: %v", ErrSignedSuite, m.Suite())
	}
	if err := checkInfos(keys, rsaProviderID); err != nil {
		return err
	}
	match := func(e keyring.EncryptedDataKey) bool {
		name := string(e.Info)
		return e.Provider == rsaProviderID && (name == k.keyARN || sameMRK(name, k.keyARN))
	}
	digest := sha512.Sum384(m.SerializedContext())
	unwrap := func(ctx context.Context, e keyring.EncryptedDataKey) ([]byte, error) {
		// No encryption context: KMS knows none for RSA.
		plaintext, err := decrypt(ctx, k.api, k.keyARN, &kms.DecryptInput{
			CiphertextBlob:      e.Ciphertext,
			EncryptionAlgorithm: k.algorithm,
			GrantTokens:         k.grantTokens,
		})
		if err != nil {
			return nil, err
		}
		n := min(len(plaintext), len(digest))
		if subtle.ConstantTimeCompare(plaintext[:n], digest[:]) != 1 {
			clear(plaintext)
			return nil, keyring.ErrUnwrap
		}
		return plaintext[n:], nil
	}
	return keyring.Unwrap(ctx, m, keys, match, unwrap)
}

// Format prints the key's ARN and the algorithm only, whatever the verb.
func (k RSA) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "awskms.RSA{%q, %s}", k.keyARN, k.algorithm) }
