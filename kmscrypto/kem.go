package kmscrypto

import (
	"context"
	"crypto"
	"crypto/mlkem"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// KEM encapsulates and decapsulates keys with an ML-KEM key of KMS, of usage
// ENCAPSULATE_DECAPSULATE (FIPS 203). Unless its key spec is ML_KEM_512 it can stand
// where a [crypto.Decapsulator] is wanted, in package crypto/hpke for example.
type KEM struct {
	key
	api            EncapsulationAPI
	public         crypto.PublicKey
	local          crypto.Encapsulator // nil for ML_KEM_512
	ciphertextSize int                 // in bytes
}

var _ crypto.Decapsulator = (*KEM)(nil)

// ciphertextSize512 is the length of a ciphertext of ML-KEM-512 (FIPS 203, table 3).
const ciphertextSize512 = 768

// NewKEM returns an adapter for the key that keyID names, in any of the forms that
// KMS takes. It fetches the public key.
//
// The error is [ErrKey] for a key that is no ML-KEM key. The error of the request can
// be reached with errors.As.
func NewKEM(ctx context.Context, api EncapsulationAPI, keyID string, o *Options) (*KEM, error) {
	k, err := fetch(ctx, api, keyID, types.KeyUsageTypeEncapsulateDecapsulate, o)
	if err != nil {
		return nil, err
	}
	opaque, raw, err := k.opaque()
	if err != nil {
		return nil, err
	}
	switch k.spec {
	case types.KeySpecMlKem512:
		return &KEM{k, api, opaque, nil, ciphertextSize512}, nil
	case types.KeySpecMlKem768:
		if public, err := mlkem.NewEncapsulationKey768(raw); err == nil {
			return &KEM{k, api, public, public, mlkem.CiphertextSize768}, nil
		}
	case types.KeySpecMlKem1024:
		if public, err := mlkem.NewEncapsulationKey1024(raw); err == nil {
			return &KEM{k, api, public, public, mlkem.CiphertextSize1024}, nil
		}
	}
	return nil, k.unfit("its public key is none of ML-KEM")
}

// WithContext returns a copy of the adapter whose requests run under ctx.
func (k *KEM) WithContext(ctx context.Context) *KEM {
	c := *k
	c.ctx = ctx
	return &c
}

// Public returns the public key: an *mlkem.EncapsulationKey768, an
// *mlkem.EncapsulationKey1024 or, for ML_KEM_512, an [OpaquePublicKey].
func (k *KEM) Public() crypto.PublicKey { return k.public }

// Encapsulator returns the public key: an *mlkem.EncapsulationKey768 or an
// *mlkem.EncapsulationKey1024. It is nil for ML_KEM_512, which the standard library
// does not have.
func (k *KEM) Encapsulator() crypto.Encapsulator { return k.local }

// Encapsulate returns a new shared key of 32 bytes and the ciphertext from which
// Decapsulate gets it back; both belong to the caller. It asks KMS only for ML_KEM_512,
// which the standard library does not have: its errors are those of Decapsulate. For
// others it works with the public key here, cannot fail, and leaves no trace in
// KMS.
func (k *KEM) Encapsulate() (sharedKey, ciphertext []byte, err error) {
	if k.local != nil {
		sharedKey, ciphertext = k.local.Encapsulate()
		return sharedKey, ciphertext, nil
	}
	out, err := k.api.Encapsulate(k.ctx, &kms.EncapsulateInput{
		KeyId:                  &k.arn,
		EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem,
		GrantTokens:            k.grantTokens,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("kmscrypto: Encapsulate: %w", err)
	}
	if out == nil {
		return nil, nil, fmt.Errorf("%w: Encapsulate gave none", ErrResponse)
	}
	sharedKey, err = k.shared("Encapsulate", out.KeyId, out.EncapsulationAlgorithm, out.SharedSecret)
	if err == nil && len(out.SharedSecretCiphertextBlob) != k.ciphertextSize {
		clear(sharedKey)
		err = fmt.Errorf("%w: Encapsulate gave a ciphertext of %d bytes instead of %d", ErrResponse, len(out.SharedSecretCiphertextBlob), k.ciphertextSize)
	}
	if err != nil {
		return nil, nil, err
	}
	return sharedKey, out.SharedSecretCiphertextBlob, nil
}

// Decapsulate has KMS recover the shared key, of 32 bytes, from a ciphertext. It
// belongs to the caller. A ciphertext that was made for another key, or was altered,
// gives another key and no error: what is encrypted under the key has to be
// authenticated.
//
// The error is [ErrRequest] for a ciphertext of the wrong length, and [ErrResponse]
// for a response that does not fit. That of the request can be reached with
// errors.As.
func (k *KEM) Decapsulate(ciphertext []byte) (sharedKey []byte, err error) {
	if len(ciphertext) != k.ciphertextSize {
		return nil, k.refuse("a ciphertext of %d bytes instead of %d", len(ciphertext), k.ciphertextSize)
	}
	out, err := k.api.Decapsulate(k.ctx, &kms.DecapsulateInput{
		KeyId:                      &k.arn,
		EncapsulationAlgorithm:     types.EncapsulationAlgorithmSpecMlKem,
		SharedSecretCiphertextBlob: ciphertext,
		GrantTokens:                k.grantTokens,
	})
	if err != nil {
		return nil, fmt.Errorf("kmscrypto: Decapsulate: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: Decapsulate gave none", ErrResponse)
	}
	return k.shared("Decapsulate", out.KeyId, out.EncapsulationAlgorithm, out.SharedSecret)
}

// shared returns the secret of op's response, or wipes it if the response does not
// fit.
func (k *KEM) shared(op string, keyID *string, algorithm types.EncapsulationAlgorithmSpec, secret []byte) ([]byte, error) {
	err := k.answered(op, keyID, string(algorithm), string(types.EncapsulationAlgorithmSpecMlKem))
	if err == nil && len(secret) != mlkem.SharedKeySize {
		err = fmt.Errorf("%w: %s gave a secret of %d bytes", ErrResponse, op, len(secret))
	}
	if err != nil {
		clear(secret)
		return nil, err
	}
	return secret, nil
}
