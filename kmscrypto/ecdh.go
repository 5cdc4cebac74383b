package kmscrypto

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// ECDH agrees on secrets with a KMS key of a NIST curve that has the usage
// KEY_AGREEMENT. Its methods are those of ecdh.KeyExchanger (Go 1.26), so that HPKE
// can use it.
type ECDH struct {
	key
	api    AgreementAPI
	public *ecdh.PublicKey
	size   int // of the secrets in bytes
}

// NewECDH returns an adapter for the key that keyID names, in any of the forms that
// KMS takes. It fetches the public key.
//
// The error is [ErrKey] for a key that is not for key agreement, and for an SM2 key.
// The error of the request can be reached with errors.As.
func NewECDH(ctx context.Context, api AgreementAPI, keyID string, o *Options) (*ECDH, error) {
	k, err := fetch(ctx, api, keyID, types.KeyUsageTypeKeyAgreement, o)
	if err != nil {
		return nil, err
	}
	point, err := k.ecdsa()
	if err != nil {
		return nil, err
	}
	public, err := point.ECDH()
	if err != nil {
		return nil, k.unfit("%v", err)
	}
	return &ECDH{k, api, public, (point.Params().BitSize + 7) / 8}, nil
}

// WithContext returns a copy of the adapter whose requests run under ctx.
func (e *ECDH) WithContext(ctx context.Context) *ECDH {
	c := *e
	c.ctx = ctx
	return &c
}

// Curve returns the key's curve.
func (e *ECDH) Curve() ecdh.Curve { return e.public.Curve() }

// PublicKey returns the public key.
func (e *ECDH) PublicKey() *ecdh.PublicKey { return e.public }

// Public returns PublicKey, as the method of that name does of an ecdh.PrivateKey.
func (e *ECDH) Public() crypto.PublicKey { return e.public }

// ECDH has KMS derive the secret that the key shares with peer: the x coordinate of
// the common point, 32, 48 or 66 bytes, which belongs to the caller. It is not
// uniform: keys are to be derived from it, as HKDF does (NIST SP 800-56A, section
// 5.7.1.2).
//
// The error is [ErrRequest] for a peer on another curve, and [ErrResponse] for a
// secret of another length. That of the request can be reached with errors.As.
func (e *ECDH) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	if peer == nil || peer.Curve() != e.public.Curve() {
		return nil, e.refuse("the peer is on another curve")
	}
	der, err := x509.MarshalPKIXPublicKey(peer)
	if err != nil {
		return nil, e.refuse("%v", err)
	}
	out, err := e.api.DeriveSharedSecret(e.ctx, &kms.DeriveSharedSecretInput{
		KeyId:                 &e.arn,
		KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh,
		PublicKey:             der,
		GrantTokens:           e.grantTokens,
	})
	if err != nil {
		return nil, fmt.Errorf("kmscrypto: DeriveSharedSecret: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: DeriveSharedSecret gave none", ErrResponse)
	}
	err = e.answered("DeriveSharedSecret", out.KeyId, string(out.KeyAgreementAlgorithm), string(types.KeyAgreementAlgorithmSpecEcdh))
	if err == nil && len(out.SharedSecret) != e.size {
		err = fmt.Errorf("%w: DeriveSharedSecret gave %d bytes instead of %d", ErrResponse, len(out.SharedSecret), e.size)
	}
	if err != nil {
		clear(out.SharedSecret)
		return nil, err
	}
	return out.SharedSecret, nil
}
