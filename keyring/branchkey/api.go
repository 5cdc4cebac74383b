package branchkey

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// API is the part of AWS KMS that a [KeyStore] calls, with the signatures of
// aws-sdk-go-v2. An implementation must not keep or change what its inputs point to.
// The Plaintext of a response belongs to the key store, which overwrites it once it
// is copied: an implementation must hand out a slice that nobody else holds, as the
// SDK does.
type API interface {
	GenerateDataKeyWithoutPlaintext(ctx context.Context, in *kms.GenerateDataKeyWithoutPlaintextInput, o ...func(*kms.Options)) (*kms.GenerateDataKeyWithoutPlaintextOutput, error)
	ReEncrypt(ctx context.Context, in *kms.ReEncryptInput, o ...func(*kms.Options)) (*kms.ReEncryptOutput, error)
	Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

var _ API = (*kms.Client)(nil)
