package kms

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

// API is the operations of AWS KMS that the engine offers, with the signatures of
// aws-sdk-go-v2's client. Code that takes an API runs against AWS and against the
// local engine alike.
type API interface {
	CancelKeyDeletion(ctx context.Context, in *sdk.CancelKeyDeletionInput, optFns ...func(*sdk.Options)) (*sdk.CancelKeyDeletionOutput, error)
	CreateAlias(ctx context.Context, in *sdk.CreateAliasInput, optFns ...func(*sdk.Options)) (*sdk.CreateAliasOutput, error)
	CreateGrant(ctx context.Context, in *sdk.CreateGrantInput, optFns ...func(*sdk.Options)) (*sdk.CreateGrantOutput, error)
	CreateKey(ctx context.Context, in *sdk.CreateKeyInput, optFns ...func(*sdk.Options)) (*sdk.CreateKeyOutput, error)
	Decrypt(ctx context.Context, in *sdk.DecryptInput, optFns ...func(*sdk.Options)) (*sdk.DecryptOutput, error)
	DeleteAlias(ctx context.Context, in *sdk.DeleteAliasInput, optFns ...func(*sdk.Options)) (*sdk.DeleteAliasOutput, error)
	DescribeKey(ctx context.Context, in *sdk.DescribeKeyInput, optFns ...func(*sdk.Options)) (*sdk.DescribeKeyOutput, error)
	DisableKey(ctx context.Context, in *sdk.DisableKeyInput, optFns ...func(*sdk.Options)) (*sdk.DisableKeyOutput, error)
	EnableKey(ctx context.Context, in *sdk.EnableKeyInput, optFns ...func(*sdk.Options)) (*sdk.EnableKeyOutput, error)
	Encrypt(ctx context.Context, in *sdk.EncryptInput, optFns ...func(*sdk.Options)) (*sdk.EncryptOutput, error)
	GenerateDataKey(ctx context.Context, in *sdk.GenerateDataKeyInput, optFns ...func(*sdk.Options)) (*sdk.GenerateDataKeyOutput, error)
	GenerateDataKeyWithoutPlaintext(ctx context.Context, in *sdk.GenerateDataKeyWithoutPlaintextInput, optFns ...func(*sdk.Options)) (*sdk.GenerateDataKeyWithoutPlaintextOutput, error)
	GenerateRandom(ctx context.Context, in *sdk.GenerateRandomInput, optFns ...func(*sdk.Options)) (*sdk.GenerateRandomOutput, error)
	GetKeyPolicy(ctx context.Context, in *sdk.GetKeyPolicyInput, optFns ...func(*sdk.Options)) (*sdk.GetKeyPolicyOutput, error)
	ListAliases(ctx context.Context, in *sdk.ListAliasesInput, optFns ...func(*sdk.Options)) (*sdk.ListAliasesOutput, error)
	ListGrants(ctx context.Context, in *sdk.ListGrantsInput, optFns ...func(*sdk.Options)) (*sdk.ListGrantsOutput, error)
	ListKeyPolicies(ctx context.Context, in *sdk.ListKeyPoliciesInput, optFns ...func(*sdk.Options)) (*sdk.ListKeyPoliciesOutput, error)
	ListKeys(ctx context.Context, in *sdk.ListKeysInput, optFns ...func(*sdk.Options)) (*sdk.ListKeysOutput, error)
	ListResourceTags(ctx context.Context, in *sdk.ListResourceTagsInput, optFns ...func(*sdk.Options)) (*sdk.ListResourceTagsOutput, error)
	ListRetirableGrants(ctx context.Context, in *sdk.ListRetirableGrantsInput, optFns ...func(*sdk.Options)) (*sdk.ListRetirableGrantsOutput, error)
	PutKeyPolicy(ctx context.Context, in *sdk.PutKeyPolicyInput, optFns ...func(*sdk.Options)) (*sdk.PutKeyPolicyOutput, error)
	ReEncrypt(ctx context.Context, in *sdk.ReEncryptInput, optFns ...func(*sdk.Options)) (*sdk.ReEncryptOutput, error)
	RetireGrant(ctx context.Context, in *sdk.RetireGrantInput, optFns ...func(*sdk.Options)) (*sdk.RetireGrantOutput, error)
	RevokeGrant(ctx context.Context, in *sdk.RevokeGrantInput, optFns ...func(*sdk.Options)) (*sdk.RevokeGrantOutput, error)
	ScheduleKeyDeletion(ctx context.Context, in *sdk.ScheduleKeyDeletionInput, optFns ...func(*sdk.Options)) (*sdk.ScheduleKeyDeletionOutput, error)
	TagResource(ctx context.Context, in *sdk.TagResourceInput, optFns ...func(*sdk.Options)) (*sdk.TagResourceOutput, error)
	UntagResource(ctx context.Context, in *sdk.UntagResourceInput, optFns ...func(*sdk.Options)) (*sdk.UntagResourceOutput, error)
	UpdateAlias(ctx context.Context, in *sdk.UpdateAliasInput, optFns ...func(*sdk.Options)) (*sdk.UpdateAliasOutput, error)
	UpdateKeyDescription(ctx context.Context, in *sdk.UpdateKeyDescriptionInput, optFns ...func(*sdk.Options)) (*sdk.UpdateKeyDescriptionOutput, error)
}

var (
	_ API = (*sdk.Client)(nil)
	_ API = (*Client)(nil)
)
