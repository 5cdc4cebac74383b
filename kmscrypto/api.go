package kmscrypto

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// The interfaces have the signatures of aws-sdk-go-v2's client. An implementation
// must not keep or change what its inputs point to, and what its outputs point to
// belongs to the adapter.

// PublicKeyAPI is the operation of AWS KMS that every adapter is made with.
type PublicKeyAPI interface {
	GetPublicKey(ctx context.Context, in *kms.GetPublicKeyInput, o ...func(*kms.Options)) (*kms.GetPublicKeyOutput, error)
}

// SigningAPI is the part of AWS KMS that a [Signer] calls.
type SigningAPI interface {
	PublicKeyAPI
	Sign(ctx context.Context, in *kms.SignInput, o ...func(*kms.Options)) (*kms.SignOutput, error)
}

// DecryptionAPI is the part of AWS KMS that a [Decrypter] calls.
type DecryptionAPI interface {
	PublicKeyAPI
	Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

// AgreementAPI is the part of AWS KMS that an [ECDH] calls.
type AgreementAPI interface {
	PublicKeyAPI
	DeriveSharedSecret(ctx context.Context, in *kms.DeriveSharedSecretInput, o ...func(*kms.Options)) (*kms.DeriveSharedSecretOutput, error)
}

// EncapsulationAPI is the part of AWS KMS that a [KEM] calls.
type EncapsulationAPI interface {
	PublicKeyAPI
	Encapsulate(ctx context.Context, in *kms.EncapsulateInput, o ...func(*kms.Options)) (*kms.EncapsulateOutput, error)
	Decapsulate(ctx context.Context, in *kms.DecapsulateInput, o ...func(*kms.Options)) (*kms.DecapsulateOutput, error)
}

var (
	_ SigningAPI       = (*kms.Client)(nil)
	_ DecryptionAPI    = (*kms.Client)(nil)
	_ AgreementAPI     = (*kms.Client)(nil)
	_ EncapsulationAPI = (*kms.Client)(nil)
)

// Options adjust an adapter. The zero value, and nil, are what most callers want.
type Options struct {
	// GrantTokens go with every request, for grants that have not reached all of KMS
	// yet. They are copied.
	GrantTokens []string
}
