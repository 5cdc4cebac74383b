package awskms

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/internal/ecdhwrap"
	"github.com/sealring/sealring/keyring"
)

// ECDHAPI is the part of AWS KMS that the ECDH keyrings call, with the signatures of
// aws-sdk-go-v2. An implementation must not keep or change what its inputs point to.
// A response's SharedSecret belongs to the keyring, which overwrites it: an
// implementation must hand out a slice that nobody else holds, as the SDK does.
type ECDHAPI interface {
	DeriveSharedSecret(ctx context.Context, in *kms.DeriveSharedSecretInput, o ...func(*kms.Options)) (*kms.DeriveSharedSecretOutput, error)
	GetPublicKey(ctx context.Context, in *kms.GetPublicKeyInput, o ...func(*kms.Options)) (*kms.GetPublicKeyOutput, error)
}

var _ ECDHAPI = (*kms.Client)(nil)

// ECDHOptions adjust an ECDH keyring. The zero value is what most callers want.
type ECDHOptions struct {
	// GrantTokens go with every call, for grants that have not reached all of KMS
	// yet. They are copied.
	GrantTokens []string

	// PublicKey is the public key of the KMS key, for callers who may not ask KMS for
	// it: nil calls GetPublicKey. The constructor makes sure that it is the KMS key's,
	// by one call of DeriveSharedSecret: what is encrypted with another could never
	// be decrypted.
	PublicKey *ecdh.PublicKey
}

// ECDH wraps data keys under the secret on which a KMS key and another party's key
// agree (Encryption SDK framework, "AWS KMS ECDH keyring", schema
// KmsPrivateKeyToStaticPublicKey). KMS derives the secret, the keyring does the rest:
// each data key costs one call of DeriveSharedSecret, both ways. Its encrypted data
// keys have the provider "aws-kms-ecdh" and the public keys of both parties as info.
//
// It opens what either of the two parties has written for the other, with a keyring of
// KMS or with a raw one ([keyring.RawECDHStatic]). Since the secret is the same in both
// directions, a message does not prove which of the two wrote it.
//
// The encryption context is bound to the data key, but unlike that of the other KMS
// keyrings it does not go to KMS: key policies and audit logs do not see it.
type ECDH struct {
	key  *ecdhKey
	peer []byte // compressed point
	der  []byte // the peer's public key as KMS takes it
}

// ECDHDiscovery unwraps data keys that were wrapped for the public key of a KMS key,
// whoever has written them (Encryption SDK framework, "AWS KMS ECDH keyring", schema
// KmsPublicKeyDiscovery). It decrypts only: what [ECDH] keyrings, [keyring.RawECDHStatic]
// and [keyring.RawECDHEphemeral] have written for the key. Each data key costs one call
// of DeriveSharedSecret.
//
// A message that it opens was written by someone who has the public key: it does not
// say by whom, whatever stands in it as the sender's key.
type ECDHDiscovery struct{ key *ecdhKey }

var _, _ keyring.Keyring = (*ECDH)(nil), (*ECDHDiscovery)(nil)

// NewECDH returns a keyring for the messages between the owner of a KMS key and the
// owner of peer. The KMS key is for key agreement, on P-256, P-384 or P-521, as peer is.
// Any name of the key will do, since encrypted data keys name public keys: it is
// resolved to the key's ARN here, once. Nil options are the zero ECDHOptions.
//
// The error is [ErrKeyID] for what cannot name a key. That of the KMS call can be
// reached with errors.As, and is [ErrResponse] for a response that does not fit.
func NewECDH(ctx context.Context, api ECDHAPI, keyID string, peer *ecdh.PublicKey, o *ECDHOptions) (*ECDH, error) {
	if peer == nil {
		return nil, errors.New("awskms: an ECDH keyring without a peer")
	}
	der, err := x509.MarshalPKIXPublicKey(peer)
	if err != nil {
		return nil, fmt.Errorf("awskms: the peer's public key: %w", err)
	}
	k, err := newECDHKey(ctx, api, keyID, o)
	if err != nil {
		return nil, err
	}
	if ecdhwrap.CurveOf(peer.Curve()) != k.curve {
		return nil, fmt.Errorf("awskms: the peer is on %v, key %q on %v", peer.Curve(), k.arn, k.curve)
	}
	return &ECDH{k, ecdhwrap.Compress(peer), der}, nil
}

// NewECDHDiscovery returns a keyring that decrypts what was encrypted for the public key
// of a KMS key. Key, options and errors are those of [NewECDH].
func NewECDHDiscovery(ctx context.Context, api ECDHAPI, keyID string, o *ECDHOptions) (*ECDHDiscovery, error) {
	k, err := newECDHKey(ctx, api, keyID, o)
	if err != nil {
		return nil, err
	}
	return &ECDHDiscovery{k}, nil
}

// OnEncrypt generates the data key if m has none and wraps it for the peer. The error of
// the KMS call can be reached with errors.As, and is [ErrResponse] for a response that
// does not fit.
func (k *ECDH) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	wrap := func(ctx context.Context, key []byte) (keyring.EncryptedDataKey, error) {
		secret, _, err := k.key.derive(ctx, k.der)
		if err != nil {
			return keyring.EncryptedDataKey{}, err
		}
		defer clear(secret)
		info := ecdhwrap.Info{Recipient: k.peer, Sender: k.key.point}
		ciphertext, err := ecdhwrap.Wrap(k.key.curve, info, secret, m.SerializedContext(), key)
		if err != nil {
			return keyring.EncryptedDataKey{}, fmt.Errorf("awskms: %w", err)
		}
		return keyring.EncryptedDataKey{Provider: ecdhwrap.ProviderKMS, Info: info.Bytes(), Ciphertext: ciphertext}, nil
	}
	return keyring.Wrap(ctx, m, wrap, nil)
}

// OnDecrypt unwraps the first of keys that is between the two parties, in either
// direction, and opens under m's encryption context. An attempt that fails has the
// error of the KMS call, [ErrResponse] or [keyring.ErrUnwrap]. The error is
// [keyring.ErrInfo], and KMS is not called, if any of keys has an ECDH provider and
// malformed info.
func (k *ECDH) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	match := func(i ecdhwrap.Info) bool { return i.Between(k.key.point, k.peer) }
	peer := func(ecdhwrap.Info) ([]byte, error) { return k.der, nil }
	return k.key.open(ctx, m, keys, match, peer)
}

// OnEncrypt returns [ErrDecryptOnly]: there is no recipient.
func (k *ECDHDiscovery) OnEncrypt(context.Context, *keyring.EncryptionMaterials) error {
	return ErrDecryptOnly
}

// OnDecrypt unwraps the first of keys that is for the KMS key's public key and opens
// under m's encryption context. The errors are those of [ECDH.OnDecrypt].
func (k *ECDHDiscovery) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	match := func(i ecdhwrap.Info) bool { return bytes.Equal(i.Recipient, k.key.point) }
	peer := func(i ecdhwrap.Info) ([]byte, error) {
		sender, err := k.key.curve.Decompress(i.Sender)
		if err != nil {
			return nil, keyring.ErrUnwrap
		}
		return x509.MarshalPKIXPublicKey(sender)
	}
	return k.key.open(ctx, m, keys, match, peer)
}

// Format prints the key's ARN and the peer's public key only, whatever the verb.
func (k ECDH) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "awskms.ECDH{%q, %v, %x}", k.key.arn, k.key.curve, k.peer)
}

// Format prints the key's ARN only, whatever the verb.
func (k ECDHDiscovery) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "awskms.ECDHDiscovery{%q, %v}", k.key.arn, k.key.curve)
}
