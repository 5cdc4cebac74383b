package awskms

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/ecdhwrap"
	"github.com/sealring/sealring/keyring"
)

// ecdhKey is a KMS key for key agreement. It is immutable once made.
type ecdhKey struct {
	api         ECDHAPI
	arn         string
	grantTokens []string
	curve       *ecdhwrap.Curve
	point       []byte // the public key, compressed
}

// newECDHKey resolves keyID, by the one call that tells or proves its public key.
func newECDHKey(ctx context.Context, api ECDHAPI, keyID string, o *ECDHOptions) (*ecdhKey, error) {
	if api == nil {
		return nil, errors.New("awskms: an ECDH keyring without an API")
	}
	if !isKeyID(keyID) {
		return nil, fmt.Errorf("%w: %q", ErrKeyID, keyID)
	}
	if o == nil {
		o = &ECDHOptions{}
	}
	k := &ecdhKey{api: api, arn: keyID, grantTokens: slices.Clone(o.GrantTokens)}
	public := o.PublicKey
	if public == nil {
		var err error
		if public, err = k.fetch(ctx); err != nil {
			return nil, err
		}
	}
	if k.curve = ecdhwrap.CurveOf(public.Curve()); k.curve == nil {
		return nil, fmt.Errorf("awskms: the curve %v is not for ECDH keyrings, P-256, P-384 and P-521 are", public.Curve())
	}
	k.point = ecdhwrap.Compress(public)
	if o.PublicKey != nil {
		if err := k.prove(ctx, public); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// fetch asks KMS for the public key, and resolves the key.
func (k *ecdhKey) fetch(ctx context.Context) (*ecdh.PublicKey, error) {
	keyID := k.arn
	out, err := k.api.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &keyID, GrantTokens: k.grantTokens})
	if err != nil {
		return nil, fmt.Errorf("awskms: GetPublicKey: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: GetPublicKey gave none", ErrResponse)
	}
	if k.arn, err = answering("GetPublicKey", k.arn, out.KeyId); err != nil {
		return nil, err
	}
	if out.KeyUsage != types.KeyUsageTypeKeyAgreement {
		return nil, fmt.Errorf("awskms: key %q is for %s, not for key agreement", k.arn, out.KeyUsage)
	}
	parsed, err := x509.ParsePKIXPublicKey(out.PublicKey) // which does not know SM2
	if err != nil {
		return nil, fmt.Errorf("%w: the public key of %s key %q: %v", ErrResponse, out.KeySpec, k.arn, err)
	}
	if point, ok := parsed.(*ecdsa.PublicKey); ok {
		if public, err := point.ECDH(); err == nil {
			return public, nil
		}
	}
	return nil, fmt.Errorf("%w: the public key of %s key %q is not for ECDH", ErrResponse, out.KeySpec, k.arn)
}

// prove returns an error unless public is the KMS key's, and resolves the key. Whoever
// has the private key agrees with a new key on the secret that the new key agrees on
// with public.
func (k *ecdhKey) prove(ctx context.Context, public *ecdh.PublicKey) error {
	test, err := public.Curve().GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("awskms: generating a key: %w", err)
	}
	want, err := test.ECDH(public)
	if err != nil {
		return fmt.Errorf("awskms: ECDH: %w", err)
	}
	defer clear(want)
	der, err := x509.MarshalPKIXPublicKey(test.PublicKey())
	if err != nil {
		return fmt.Errorf("awskms: %w", err)
	}
	got, arn, err := k.derive(ctx, der)
	if err != nil {
		return err
	}
	defer clear(got)
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return fmt.Errorf("awskms: the public key is not that of key %q", arn)
	}
	k.arn = arn
	return nil
}

// derive has KMS derive the secret shared with the public key in der, and returns it
// and the ARN of the key. The caller wipes the secret.
func (k *ecdhKey) derive(ctx context.Context, der []byte) (secret []byte, arn string, err error) {
	const op = "DeriveSharedSecret"
	keyID := k.arn
	out, err := k.api.DeriveSharedSecret(ctx, &kms.DeriveSharedSecretInput{
		KeyId:                 &keyID,
		KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh,
		PublicKey:             der,
		GrantTokens:           k.grantTokens,
	})
	if err != nil {
		return nil, "", fmt.Errorf("awskms: %s: %w", op, err)
	}
	if out == nil {
		return nil, "", fmt.Errorf("%w: %s gave none", ErrResponse, op)
	}
	arn, err = answering(op, k.arn, out.KeyId)
	switch {
	case err != nil:
	case out.KeyAgreementAlgorithm != types.KeyAgreementAlgorithmSpecEcdh:
		err = fmt.Errorf("%w: %s used algorithm %q", ErrResponse, op, out.KeyAgreementAlgorithm)
	case len(out.SharedSecret) != k.curve.SecretLen():
		err = fmt.Errorf("%w: %s gave %d bytes instead of %d", ErrResponse, op, len(out.SharedSecret), k.curve.SecretLen())
	}
	if err != nil {
		clear(out.SharedSecret)
		return nil, "", err
	}
	return out.SharedSecret, arn, nil
}

// open is the common body of OnDecrypt: it refuses malformed info, and tries the keys
// of ECDH providers whose info match admits with the secret shared with peer, DER.
func (k *ecdhKey) open(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey,
	match func(ecdhwrap.Info) bool, peer func(ecdhwrap.Info) ([]byte, error)) error {
	var ours []keyring.EncryptedDataKey
	for n, e := range keys {
		if !ecdhwrap.IsProvider(e.Provider) {
			continue
		}
		info, err := ecdhwrap.ParseInfo(e.Info)
		if err != nil {
			return fmt.Errorf("%w: %.200q, of encrypted data key %d", keyring.ErrInfo, e.Info, n)
		}
		if match(info) {
			ours = append(ours, e)
		}
	}
	every := func(keyring.EncryptedDataKey) bool { return true }
	return keyring.Unwrap(ctx, m, ours, every, func(ctx context.Context, e keyring.EncryptedDataKey) ([]byte, error) {
		info, err := ecdhwrap.ParseInfo(e.Info)
		if err != nil {
			return nil, keyring.ErrUnwrap
		}
		der, err := peer(info)
		if err != nil {
			return nil, err
		}
		secret, _, err := k.derive(ctx, der)
		if err != nil {
			return nil, err
		}
		defer clear(secret)
		key, err := ecdhwrap.Unwrap(k.curve, info, secret, m.SerializedContext(), e.Ciphertext)
		if err != nil {
			return nil, keyring.ErrUnwrap
		}
		return key, nil
	})
}
