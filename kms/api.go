package kms

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

// API is the operations of AWS KMS, all 56, with the signatures of
// aws-sdk-go-v2's client. Code that takes an API runs against AWS and against the
// local engine alike.
type API interface {
	CancelKeyDeletion(ctx context.Context, in *sdk.CancelKeyDeletionInput, optFns ...func(*sdk.Options)) (*sdk.CancelKeyDeletionOutput, error)
	ConnectCustomKeyStore(ctx context.Context, in *sdk.ConnectCustomKeyStoreInput, optFns ...func(*sdk.Options)) (*sdk.ConnectCustomKeyStoreOutput, error)
	CreateAlias(ctx context.Context, in *sdk.CreateAliasInput, optFns ...func(*sdk.Options)) (*sdk.CreateAliasOutput, error)
	CreateCustomKeyStore(ctx context.Context, in *sdk.CreateCustomKeyStoreInput, optFns ...func(*sdk.Options)) (*sdk.CreateCustomKeyStoreOutput, error)
	CreateGrant(ctx context.Context, in *sdk.CreateGrantInput, optFns ...func(*sdk.Options)) (*sdk.CreateGrantOutput, error)
	CreateKey(ctx context.Context, in *sdk.CreateKeyInput, optFns ...func(*sdk.Options)) (*sdk.CreateKeyOutput, error)
	Decapsulate(ctx context.Context, in *sdk.DecapsulateInput, optFns ...func(*sdk.Options)) (*sdk.DecapsulateOutput, error)
	Decrypt(ctx context.Context, in *sdk.DecryptInput, optFns ...func(*sdk.Options)) (*sdk.DecryptOutput, error)
	DeleteAlias(ctx context.Context, in *sdk.DeleteAliasInput, optFns ...func(*sdk.Options)) (*sdk.DeleteAliasOutput, error)
	DeleteCustomKeyStore(ctx context.Context, in *sdk.DeleteCustomKeyStoreInput, optFns ...func(*sdk.Options)) (*sdk.DeleteCustomKeyStoreOutput, error)
	DeleteImportedKeyMaterial(ctx context.Context, in *sdk.DeleteImportedKeyMaterialInput, optFns ...func(*sdk.Options)) (*sdk.DeleteImportedKeyMaterialOutput, error)
	DeriveSharedSecret(ctx context.Context, in *sdk.DeriveSharedSecretInput, optFns ...func(*sdk.Options)) (*sdk.DeriveSharedSecretOutput, error)
	DescribeCustomKeyStores(ctx context.Context, in *sdk.DescribeCustomKeyStoresInput, optFns ...func(*sdk.Options)) (*sdk.DescribeCustomKeyStoresOutput, error)
	DescribeKey(ctx context.Context, in *sdk.DescribeKeyInput, optFns ...func(*sdk.Options)) (*sdk.DescribeKeyOutput, error)
	DisableKey(ctx context.Context, in *sdk.DisableKeyInput, optFns ...func(*sdk.Options)) (*sdk.DisableKeyOutput, error)
	DisableKeyRotation(ctx context.Context, in *sdk.DisableKeyRotationInput, optFns ...func(*sdk.Options)) (*sdk.DisableKeyRotationOutput, error)
	DisconnectCustomKeyStore(ctx context.Context, in *sdk.DisconnectCustomKeyStoreInput, optFns ...func(*sdk.Options)) (*sdk.DisconnectCustomKeyStoreOutput, error)
	EnableKey(ctx context.Context, in *sdk.EnableKeyInput, optFns ...func(*sdk.Options)) (*sdk.EnableKeyOutput, error)
	EnableKeyRotation(ctx context.Context, in *sdk.EnableKeyRotationInput, optFns ...func(*sdk.Options)) (*sdk.EnableKeyRotationOutput, error)
	Encapsulate(ctx context.Context, in *sdk.EncapsulateInput, optFns ...func(*sdk.Options)) (*sdk.EncapsulateOutput, error)
	Encrypt(ctx context.Context, in *sdk.EncryptInput, optFns ...func(*sdk.Options)) (*sdk.EncryptOutput, error)
	GenerateDataKey(ctx context.Context, in *sdk.GenerateDataKeyInput, optFns ...func(*sdk.Options)) (*sdk.GenerateDataKeyOutput, error)
	GenerateDataKeyPair(ctx context.Context, in *sdk.GenerateDataKeyPairInput, optFns ...func(*sdk.Options)) (*sdk.GenerateDataKeyPairOutput, error)
	GenerateDataKeyPairWithoutPlaintext(ctx context.Context, in *sdk.GenerateDataKeyPairWithoutPlaintextInput, optFns ...func(*sdk.Options)) (*sdk.GenerateDataKeyPairWithoutPlaintextOutput, error)
	GenerateDataKeyWithoutPlaintext(ctx context.Context, in *sdk.GenerateDataKeyWithoutPlaintextInput, optFns ...func(*sdk.Options)) (*sdk.GenerateDataKeyWithoutPlaintextOutput, error)
	GenerateMac(ctx context.Context, in *sdk.GenerateMacInput, optFns ...func(*sdk.Options)) (*sdk.GenerateMacOutput, error)
	GenerateRandom(ctx context.Context, in *sdk.GenerateRandomInput, optFns ...func(*sdk.Options)) (*sdk.GenerateRandomOutput, error)
	GetKeyLastUsage(ctx context.Context, in *sdk.GetKeyLastUsageInput, optFns ...func(*sdk.Options)) (*sdk.GetKeyLastUsageOutput, error)
	GetKeyPolicy(ctx context.Context, in *sdk.GetKeyPolicyInput, optFns ...func(*sdk.Options)) (*sdk.GetKeyPolicyOutput, error)
	GetKeyRotationStatus(ctx context.Context, in *sdk.GetKeyRotationStatusInput, optFns ...func(*sdk.Options)) (*sdk.GetKeyRotationStatusOutput, error)
	GetParametersForImport(ctx context.Context, in *sdk.GetParametersForImportInput, optFns ...func(*sdk.Options)) (*sdk.GetParametersForImportOutput, error)
	GetPublicKey(ctx context.Context, in *sdk.GetPublicKeyInput, optFns ...func(*sdk.Options)) (*sdk.GetPublicKeyOutput, error)
	ImportKeyMaterial(ctx context.Context, in *sdk.ImportKeyMaterialInput, optFns ...func(*sdk.Options)) (*sdk.ImportKeyMaterialOutput, error)
	ListAliases(ctx context.Context, in *sdk.ListAliasesInput, optFns ...func(*sdk.Options)) (*sdk.ListAliasesOutput, error)
	ListGrants(ctx context.Context, in *sdk.ListGrantsInput, optFns ...func(*sdk.Options)) (*sdk.ListGrantsOutput, error)
	ListKeyPolicies(ctx context.Context, in *sdk.ListKeyPoliciesInput, optFns ...func(*sdk.Options)) (*sdk.ListKeyPoliciesOutput, error)
	ListKeyRotations(ctx context.Context, in *sdk.ListKeyRotationsInput, optFns ...func(*sdk.Options)) (*sdk.ListKeyRotationsOutput, error)
	ListKeys(ctx context.Context, in *sdk.ListKeysInput, optFns ...func(*sdk.Options)) (*sdk.ListKeysOutput, error)
	ListResourceTags(ctx context.Context, in *sdk.ListResourceTagsInput, optFns ...func(*sdk.Options)) (*sdk.ListResourceTagsOutput, error)
	ListRetirableGrants(ctx context.Context, in *sdk.ListRetirableGrantsInput, optFns ...func(*sdk.Options)) (*sdk.ListRetirableGrantsOutput, error)
	PutKeyPolicy(ctx context.Context, in *sdk.PutKeyPolicyInput, optFns ...func(*sdk.Options)) (*sdk.PutKeyPolicyOutput, error)
	ReEncrypt(ctx context.Context, in *sdk.ReEncryptInput, optFns ...func(*sdk.Options)) (*sdk.ReEncryptOutput, error)
	ReplicateKey(ctx context.Context, in *sdk.ReplicateKeyInput, optFns ...func(*sdk.Options)) (*sdk.ReplicateKeyOutput, error)
	RetireGrant(ctx context.Context, in *sdk.RetireGrantInput, optFns ...func(*sdk.Options)) (*sdk.RetireGrantOutput, error)
	RevokeGrant(ctx context.Context, in *sdk.RevokeGrantInput, optFns ...func(*sdk.Options)) (*sdk.RevokeGrantOutput, error)
	RotateKeyOnDemand(ctx context.Context, in *sdk.RotateKeyOnDemandInput, optFns ...func(*sdk.Options)) (*sdk.RotateKeyOnDemandOutput, error)
	ScheduleKeyDeletion(ctx context.Context, in *sdk.ScheduleKeyDeletionInput, optFns ...func(*sdk.Options)) (*sdk.ScheduleKeyDeletionOutput, error)
	Sign(ctx context.Context, in *sdk.SignInput, optFns ...func(*sdk.Options)) (*sdk.SignOutput, error)
	TagResource(ctx context.Context, in *sdk.TagResourceInput, optFns ...func(*sdk.Options)) (*sdk.TagResourceOutput, error)
	UntagResource(ctx context.Context, in *sdk.UntagResourceInput, optFns ...func(*sdk.Options)) (*sdk.UntagResourceOutput, error)
	UpdateAlias(ctx context.Context, in *sdk.UpdateAliasInput, optFns ...func(*sdk.Options)) (*sdk.UpdateAliasOutput, error)
	UpdateCustomKeyStore(ctx context.Context, in *sdk.UpdateCustomKeyStoreInput, optFns ...func(*sdk.Options)) (*sdk.UpdateCustomKeyStoreOutput, error)
	UpdateKeyDescription(ctx context.Context, in *sdk.UpdateKeyDescriptionInput, optFns ...func(*sdk.Options)) (*sdk.UpdateKeyDescriptionOutput, error)
	UpdatePrimaryRegion(ctx context.Context, in *sdk.UpdatePrimaryRegionInput, optFns ...func(*sdk.Options)) (*sdk.UpdatePrimaryRegionOutput, error)
	Verify(ctx context.Context, in *sdk.VerifyInput, optFns ...func(*sdk.Options)) (*sdk.VerifyOutput, error)
	VerifyMac(ctx context.Context, in *sdk.VerifyMacInput, optFns ...func(*sdk.Options)) (*sdk.VerifyMacOutput, error)
}

var (
	_ API = (*sdk.Client)(nil)
	_ API = (*Client)(nil)
)
