package awskms

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// API is the part of AWS KMS that the keyrings call, with the signatures of
// aws-sdk-go-v2. An implementation must not keep or change what its inputs point
// to. A response's Plaintext belongs to the keyring, which overwrites it once it
// is copied: an implementation must hand out a slice that nobody else holds, as
// the SDK does.
type API interface {
	GenerateDataKey(ctx context.Context, in *kms.GenerateDataKeyInput, o ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error)
	Encrypt(ctx context.Context, in *kms.EncryptInput, o ...func(*kms.Options)) (*kms.EncryptOutput, error)
	Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

// RSAAPI is the part of AWS KMS that [RSA] calls, with the rules of [API].
type RSAAPI interface {
	Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

var _ API = (*kms.Client)(nil)
