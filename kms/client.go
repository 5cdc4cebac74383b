package kms

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/identity"
)

// Client makes requests of the engine directly, as one caller. Its methods are
// those of the SDK's client, with AWS's own validation in place of the SDK's; the
// SDK's options have no meaning here and are not looked at. Errors are a
// smithy.OperationError around the SDK's exception types.
//
// Inputs are read only while the call runs, and outputs belong to the caller. A nil
// input counts as an empty one. A client is safe for concurrent use.
type Client struct {
	service *Service
	caller  identity.Caller
}

// call takes one request through the pipeline.
func call[I, O any](ctx context.Context, c *Client, op *operation[I, O], in *I) (*O, error) {
	if in == nil {
		in = new(I)
	}
	out, _, err := c.service.newRequest(op, c.caller).invoke(ctx, in)
	if err != nil {
		return nil, &smithy.OperationError{ServiceID: sdk.ServiceID, OperationName: op.name, Err: err}
	}
	return out.(*O), nil
}

// CancelKeyDeletion takes a key out of its waiting period and leaves it disabled.
func (c *Client) CancelKeyDeletion(ctx context.Context, in *sdk.CancelKeyDeletionInput, _ ...func(*sdk.Options)) (*sdk.CancelKeyDeletionOutput, error) {
	return call(ctx, c, cancelKeyDeletion, in)
}

// ConnectCustomKeyStore connects a custom key store to what holds its keys.
func (c *Client) ConnectCustomKeyStore(ctx context.Context, in *sdk.ConnectCustomKeyStoreInput, _ ...func(*sdk.Options)) (*sdk.ConnectCustomKeyStoreOutput, error) {
	return call(ctx, c, connectCustomKeyStore, in)
}

// CreateAlias gives a key a name.
func (c *Client) CreateAlias(ctx context.Context, in *sdk.CreateAliasInput, _ ...func(*sdk.Options)) (*sdk.CreateAliasOutput, error) {
	return call(ctx, c, createAlias, in)
}

// CreateCustomKeyStore makes a custom key store, which is not connected yet.
func (c *Client) CreateCustomKeyStore(ctx context.Context, in *sdk.CreateCustomKeyStoreInput, _ ...func(*sdk.Options)) (*sdk.CreateCustomKeyStoreOutput, error) {
	return call(ctx, c, createCustomKeyStore, in)
}

// CreateGrant lets a principal use a key for some operations, without a change of policies.
func (c *Client) CreateGrant(ctx context.Context, in *sdk.CreateGrantInput, _ ...func(*sdk.Options)) (*sdk.CreateGrantOutput, error) {
	return call(ctx, c, createGrant, in)
}

// CreateKey makes a symmetric encryption key.
func (c *Client) CreateKey(ctx context.Context, in *sdk.CreateKeyInput, _ ...func(*sdk.Options)) (*sdk.CreateKeyOutput, error) {
	return call(ctx, c, createKey, in)
}

// Decapsulate recovers the shared secret that an ML-KEM ciphertext carries.
func (c *Client) Decapsulate(ctx context.Context, in *sdk.DecapsulateInput, _ ...func(*sdk.Options)) (*sdk.DecapsulateOutput, error) {
	return call(ctx, c, decapsulate, in)
}

// Decrypt decrypts a ciphertext of Encrypt, ReEncrypt or GenerateDataKey. The ciphertext
// names its key; a KeyId in the request has to agree with it.
func (c *Client) Decrypt(ctx context.Context, in *sdk.DecryptInput, _ ...func(*sdk.Options)) (*sdk.DecryptOutput, error) {
	return call(ctx, c, decrypt, in)
}

// DeleteAlias takes a name away from its key.
func (c *Client) DeleteAlias(ctx context.Context, in *sdk.DeleteAliasInput, _ ...func(*sdk.Options)) (*sdk.DeleteAliasOutput, error) {
	return call(ctx, c, deleteAlias, in)
}

// DeleteCustomKeyStore deletes a custom key store that holds no keys.
func (c *Client) DeleteCustomKeyStore(ctx context.Context, in *sdk.DeleteCustomKeyStoreInput, _ ...func(*sdk.Options)) (*sdk.DeleteCustomKeyStoreOutput, error) {
	return call(ctx, c, deleteCustomKeyStore, in)
}

// DeleteImportedKeyMaterial deletes imported material; the key cannot be used until
// it is imported again.
func (c *Client) DeleteImportedKeyMaterial(ctx context.Context, in *sdk.DeleteImportedKeyMaterialInput, _ ...func(*sdk.Options)) (*sdk.DeleteImportedKeyMaterialOutput, error) {
	return call(ctx, c, deleteImportedKeyMaterial, in)
}

// DeriveSharedSecret returns the ECDH shared secret of a key and somebody's public
// key.
func (c *Client) DeriveSharedSecret(ctx context.Context, in *sdk.DeriveSharedSecretInput, _ ...func(*sdk.Options)) (*sdk.DeriveSharedSecretOutput, error) {
	return call(ctx, c, deriveSharedSecret, in)
}

// DescribeCustomKeyStores lists the caller's custom key stores, or one of them.
func (c *Client) DescribeCustomKeyStores(ctx context.Context, in *sdk.DescribeCustomKeyStoresInput, _ ...func(*sdk.Options)) (*sdk.DescribeCustomKeyStoresOutput, error) {
	return call(ctx, c, describeCustomKeyStores, in)
}

// DescribeKey returns a key's metadata.
func (c *Client) DescribeKey(ctx context.Context, in *sdk.DescribeKeyInput, _ ...func(*sdk.Options)) (*sdk.DescribeKeyOutput, error) {
	return call(ctx, c, describeKey, in)
}

// DisableKey stops the use of a key until it is enabled again.
func (c *Client) DisableKey(ctx context.Context, in *sdk.DisableKeyInput, _ ...func(*sdk.Options)) (*sdk.DisableKeyOutput, error) {
	return call(ctx, c, disableKey, in)
}

// DisableKeyRotation ends the automatic rotation of a key's material.
func (c *Client) DisableKeyRotation(ctx context.Context, in *sdk.DisableKeyRotationInput, _ ...func(*sdk.Options)) (*sdk.DisableKeyRotationOutput, error) {
	return call(ctx, c, disableKeyRotation, in)
}

// DisconnectCustomKeyStore disconnects a custom key store, whose keys are
// unavailable then.
func (c *Client) DisconnectCustomKeyStore(ctx context.Context, in *sdk.DisconnectCustomKeyStoreInput, _ ...func(*sdk.Options)) (*sdk.DisconnectCustomKeyStoreOutput, error) {
	return call(ctx, c, disconnectCustomKeyStore, in)
}

// EnableKey allows the use of a key again.
func (c *Client) EnableKey(ctx context.Context, in *sdk.EnableKeyInput, _ ...func(*sdk.Options)) (*sdk.EnableKeyOutput, error) {
	return call(ctx, c, enableKey, in)
}

// EnableKeyRotation rotates a key's material every so many days.
func (c *Client) EnableKeyRotation(ctx context.Context, in *sdk.EnableKeyRotationInput, _ ...func(*sdk.Options)) (*sdk.EnableKeyRotationOutput, error) {
	return call(ctx, c, enableKeyRotation, in)
}

// Encapsulate makes a shared secret and the ML-KEM ciphertext that carries it.
func (c *Client) Encapsulate(ctx context.Context, in *sdk.EncapsulateInput, _ ...func(*sdk.Options)) (*sdk.EncapsulateOutput, error) {
	return call(ctx, c, encapsulate, in)
}

// Encrypt encrypts up to 4,096 bytes.
func (c *Client) Encrypt(ctx context.Context, in *sdk.EncryptInput, _ ...func(*sdk.Options)) (*sdk.EncryptOutput, error) {
	return call(ctx, c, encrypt, in)
}

// GenerateDataKey returns a new data key, in the clear and encrypted.
func (c *Client) GenerateDataKey(ctx context.Context, in *sdk.GenerateDataKeyInput, _ ...func(*sdk.Options)) (*sdk.GenerateDataKeyOutput, error) {
	return call(ctx, c, generateDataKey, in)
}

// GenerateDataKeyPair returns a new key pair, its private key encrypted under a key
// and in plaintext.
func (c *Client) GenerateDataKeyPair(ctx context.Context, in *sdk.GenerateDataKeyPairInput, _ ...func(*sdk.Options)) (*sdk.GenerateDataKeyPairOutput, error) {
	return call(ctx, c, generateDataKeyPair, in)
}

// GenerateDataKeyPairWithoutPlaintext returns a new key pair, its private key only
// encrypted under a key.
func (c *Client) GenerateDataKeyPairWithoutPlaintext(ctx context.Context, in *sdk.GenerateDataKeyPairWithoutPlaintextInput, _ ...func(*sdk.Options)) (*sdk.GenerateDataKeyPairWithoutPlaintextOutput, error) {
	return call(ctx, c, generateDataKeyPairWithoutPlaintext, in)
}

// GenerateDataKeyWithoutPlaintext returns a new data key, encrypted only.
func (c *Client) GenerateDataKeyWithoutPlaintext(ctx context.Context, in *sdk.GenerateDataKeyWithoutPlaintextInput, _ ...func(*sdk.Options)) (*sdk.GenerateDataKeyWithoutPlaintextOutput, error) {
	return call(ctx, c, generateDataKeyWithoutPlaintext, in)
}

// GenerateMac computes an HMAC.
func (c *Client) GenerateMac(ctx context.Context, in *sdk.GenerateMacInput, _ ...func(*sdk.Options)) (*sdk.GenerateMacOutput, error) {
	return call(ctx, c, generateMac, in)
}

// GenerateRandom returns random bytes.
func (c *Client) GenerateRandom(ctx context.Context, in *sdk.GenerateRandomInput, _ ...func(*sdk.Options)) (*sdk.GenerateRandomOutput, error) {
	return call(ctx, c, generateRandom, in)
}

// GetKeyLastUsage tells when a key was last used, and for what.
func (c *Client) GetKeyLastUsage(ctx context.Context, in *sdk.GetKeyLastUsageInput, _ ...func(*sdk.Options)) (*sdk.GetKeyLastUsageOutput, error) {
	return call(ctx, c, getKeyLastUsage, in)
}

// GetKeyPolicy returns a key's policy as it was given.
func (c *Client) GetKeyPolicy(ctx context.Context, in *sdk.GetKeyPolicyInput, _ ...func(*sdk.Options)) (*sdk.GetKeyPolicyOutput, error) {
	return call(ctx, c, getKeyPolicy, in)
}

// GetKeyRotationStatus tells whether and when a key's material is rotated.
func (c *Client) GetKeyRotationStatus(ctx context.Context, in *sdk.GetKeyRotationStatusInput, _ ...func(*sdk.Options)) (*sdk.GetKeyRotationStatusOutput, error) {
	return call(ctx, c, getKeyRotationStatus, in)
}

// GetParametersForImport returns a public key and a token with which key material
// can be imported.
func (c *Client) GetParametersForImport(ctx context.Context, in *sdk.GetParametersForImportInput, _ ...func(*sdk.Options)) (*sdk.GetParametersForImportOutput, error) {
	return call(ctx, c, getParametersForImport, in)
}

// GetPublicKey returns the public half of an asymmetric key.
func (c *Client) GetPublicKey(ctx context.Context, in *sdk.GetPublicKeyInput, _ ...func(*sdk.Options)) (*sdk.GetPublicKeyOutput, error) {
	return call(ctx, c, getPublicKey, in)
}

// ImportKeyMaterial imports key material that was encrypted under the public key of
// GetParametersForImport.
func (c *Client) ImportKeyMaterial(ctx context.Context, in *sdk.ImportKeyMaterialInput, _ ...func(*sdk.Options)) (*sdk.ImportKeyMaterialOutput, error) {
	return call(ctx, c, importKeyMaterial, in)
}

// ListAliases lists the account's aliases in the Region, or those of one key.
func (c *Client) ListAliases(ctx context.Context, in *sdk.ListAliasesInput, _ ...func(*sdk.Options)) (*sdk.ListAliasesOutput, error) {
	return call(ctx, c, listAliases, in)
}

// ListGrants lists a key's grants.
func (c *Client) ListGrants(ctx context.Context, in *sdk.ListGrantsInput, _ ...func(*sdk.Options)) (*sdk.ListGrantsOutput, error) {
	return call(ctx, c, listGrants, in)
}

// ListKeyPolicies lists the names of a key's policies: there is one, "default".
func (c *Client) ListKeyPolicies(ctx context.Context, in *sdk.ListKeyPoliciesInput, _ ...func(*sdk.Options)) (*sdk.ListKeyPoliciesOutput, error) {
	return call(ctx, c, listKeyPolicies, in)
}

// ListKeyRotations lists the versions of a key's material.
func (c *Client) ListKeyRotations(ctx context.Context, in *sdk.ListKeyRotationsInput, _ ...func(*sdk.Options)) (*sdk.ListKeyRotationsOutput, error) {
	return call(ctx, c, listKeyRotations, in)
}

// ListKeys lists the account's keys in the Region.
func (c *Client) ListKeys(ctx context.Context, in *sdk.ListKeysInput, _ ...func(*sdk.Options)) (*sdk.ListKeysOutput, error) {
	return call(ctx, c, listKeys, in)
}

// ListResourceTags lists a key's tags.
func (c *Client) ListResourceTags(ctx context.Context, in *sdk.ListResourceTagsInput, _ ...func(*sdk.Options)) (*sdk.ListResourceTagsOutput, error) {
	return call(ctx, c, listResourceTags, in)
}

// ListRetirableGrants lists the grants in the Region that a principal may retire.
func (c *Client) ListRetirableGrants(ctx context.Context, in *sdk.ListRetirableGrantsInput, _ ...func(*sdk.Options)) (*sdk.ListRetirableGrantsOutput, error) {
	return call(ctx, c, listRetirableGrants, in)
}

// PutKeyPolicy replaces a key's policy.
func (c *Client) PutKeyPolicy(ctx context.Context, in *sdk.PutKeyPolicyInput, _ ...func(*sdk.Options)) (*sdk.PutKeyPolicyOutput, error) {
	return call(ctx, c, putKeyPolicy, in)
}

// ReEncrypt decrypts a ciphertext and encrypts it again under another key or context.
func (c *Client) ReEncrypt(ctx context.Context, in *sdk.ReEncryptInput, _ ...func(*sdk.Options)) (*sdk.ReEncryptOutput, error) {
	return call(ctx, c, reEncrypt, in)
}

// ReplicateKey copies a multi-Region primary key to another Region.
func (c *Client) ReplicateKey(ctx context.Context, in *sdk.ReplicateKeyInput, _ ...func(*sdk.Options)) (*sdk.ReplicateKeyOutput, error) {
	return call(ctx, c, replicateKey, in)
}

// RetireGrant ends a grant by right of the grant itself.
func (c *Client) RetireGrant(ctx context.Context, in *sdk.RetireGrantInput, _ ...func(*sdk.Options)) (*sdk.RetireGrantOutput, error) {
	return call(ctx, c, retireGrant, in)
}

// RevokeGrant ends a grant by right of the key's policy.
func (c *Client) RevokeGrant(ctx context.Context, in *sdk.RevokeGrantInput, _ ...func(*sdk.Options)) (*sdk.RevokeGrantOutput, error) {
	return call(ctx, c, revokeGrant, in)
}

// RotateKeyOnDemand rotates a key's material at once.
func (c *Client) RotateKeyOnDemand(ctx context.Context, in *sdk.RotateKeyOnDemandInput, _ ...func(*sdk.Options)) (*sdk.RotateKeyOnDemandOutput, error) {
	return call(ctx, c, rotateKeyOnDemand, in)
}

// ScheduleKeyDeletion starts a key's waiting period, at whose end it is gone with all that it
// has encrypted.
func (c *Client) ScheduleKeyDeletion(ctx context.Context, in *sdk.ScheduleKeyDeletionInput, _ ...func(*sdk.Options)) (*sdk.ScheduleKeyDeletionOutput, error) {
	return call(ctx, c, scheduleKeyDeletion, in)
}

// Sign signs a message or its digest.
func (c *Client) Sign(ctx context.Context, in *sdk.SignInput, _ ...func(*sdk.Options)) (*sdk.SignOutput, error) {
	return call(ctx, c, sign, in)
}

// TagResource adds tags to a key or replaces their values.
func (c *Client) TagResource(ctx context.Context, in *sdk.TagResourceInput, _ ...func(*sdk.Options)) (*sdk.TagResourceOutput, error) {
	return call(ctx, c, tagResource, in)
}

// UntagResource removes tags from a key.
func (c *Client) UntagResource(ctx context.Context, in *sdk.UntagResourceInput, _ ...func(*sdk.Options)) (*sdk.UntagResourceOutput, error) {
	return call(ctx, c, untagResource, in)
}

// UpdateAlias points an alias at another key.
func (c *Client) UpdateAlias(ctx context.Context, in *sdk.UpdateAliasInput, _ ...func(*sdk.Options)) (*sdk.UpdateAliasOutput, error) {
	return call(ctx, c, updateAlias, in)
}

// UpdateCustomKeyStore changes a custom key store.
func (c *Client) UpdateCustomKeyStore(ctx context.Context, in *sdk.UpdateCustomKeyStoreInput, _ ...func(*sdk.Options)) (*sdk.UpdateCustomKeyStoreOutput, error) {
	return call(ctx, c, updateCustomKeyStore, in)
}

// UpdateKeyDescription replaces a key's description.
func (c *Client) UpdateKeyDescription(ctx context.Context, in *sdk.UpdateKeyDescriptionInput, _ ...func(*sdk.Options)) (*sdk.UpdateKeyDescriptionOutput, error) {
	return call(ctx, c, updateKeyDescription, in)
}

// UpdatePrimaryRegion makes a replica of a multi-Region key the primary, and the
// primary a replica.
func (c *Client) UpdatePrimaryRegion(ctx context.Context, in *sdk.UpdatePrimaryRegionInput, _ ...func(*sdk.Options)) (*sdk.UpdatePrimaryRegionOutput, error) {
	return call(ctx, c, updatePrimaryRegion, in)
}

// Verify checks a signature; one that is not valid is an error.
func (c *Client) Verify(ctx context.Context, in *sdk.VerifyInput, _ ...func(*sdk.Options)) (*sdk.VerifyOutput, error) {
	return call(ctx, c, verify, in)
}

// VerifyMac checks an HMAC; one that is not valid is an error.
func (c *Client) VerifyMac(ctx context.Context, in *sdk.VerifyMacInput, _ ...func(*sdk.Options)) (*sdk.VerifyMacOutput, error) {
	return call(ctx, c, verifyMac, in)
}
