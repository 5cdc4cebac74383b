package kms_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// permission is a request, and the permission and resource that are asked for first.
type permission struct {
	in               any
	action, resource string
}

// permissions returns a request of every operation about the key of alias/app.
func permissions(f *fixture, blob []byte) []permission {
	name, alias := aws.String("alias/app"), aliasARN("alias/app")
	fresh := aws.String("alias/fresh")
	spec := types.DataKeySpecAes256
	decrypt := []types.GrantOperation{types.GrantOperationDecrypt}
	return append(slices.Concat(aboutKeys(f), aboutCopies(f), aboutKeyStores(f)), []permission{
		{&sdk.CancelKeyDeletionInput{KeyId: &f.arn}, "kms:CancelKeyDeletion", f.arn},
		{&sdk.CreateAliasInput{AliasName: fresh, TargetKeyId: &f.arn}, "kms:CreateAlias", aliasARN(*fresh)},
		{&sdk.CreateGrantInput{KeyId: &f.arn, GranteePrincipal: &bob, Operations: decrypt}, "kms:CreateGrant", f.arn},
		{&sdk.CreateKeyInput{}, "kms:CreateKey", "*"},
		{&sdk.DecryptInput{CiphertextBlob: blob}, "kms:Decrypt", f.arn},
		{&sdk.DecryptInput{CiphertextBlob: blob, KeyId: &alias}, "kms:Decrypt", f.arn},
		{&sdk.DeleteAliasInput{AliasName: name}, "kms:DeleteAlias", alias},
		{&sdk.DeleteImportedKeyMaterialInput{KeyId: &f.arn}, "kms:DeleteImportedKeyMaterial", f.arn},
		{&sdk.DescribeKeyInput{KeyId: &alias}, "kms:DescribeKey", f.arn},
		{&sdk.DisableKeyInput{KeyId: &f.arn}, "kms:DisableKey", f.arn},
		{&sdk.DisableKeyRotationInput{KeyId: &f.arn}, "kms:DisableKeyRotation", f.arn},
		{&sdk.EnableKeyInput{KeyId: &f.arn}, "kms:EnableKey", f.arn},
		{&sdk.EnableKeyRotationInput{KeyId: &f.arn}, "kms:EnableKeyRotation", f.arn},
		{&sdk.EncryptInput{KeyId: &alias, Plaintext: []byte("x")}, "kms:Encrypt", f.arn},
		{&sdk.GenerateDataKeyInput{KeyId: &f.arn, KeySpec: spec}, "kms:GenerateDataKey", f.arn},
		{&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &f.arn, KeySpec: spec}, "kms:GenerateDataKeyWithoutPlaintext", f.arn},
		{&sdk.GenerateDataKeyPairInput{KeyId: &f.arn, KeyPairSpec: "ECC_NIST_P256"}, "kms:GenerateDataKeyPair", f.arn},
		{&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &f.arn, KeyPairSpec: "ECC_NIST_P256"}, "kms:GenerateDataKeyPairWithoutPlaintext", f.arn},
		{&sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(8)}, "kms:GenerateRandom", "*"},
		{&sdk.GetKeyLastUsageInput{KeyId: &f.arn}, "kms:GetKeyLastUsage", f.arn},
		{&sdk.GetKeyPolicyInput{KeyId: &f.arn}, "kms:GetKeyPolicy", f.arn},
		{&sdk.GetKeyRotationStatusInput{KeyId: &f.arn}, "kms:GetKeyRotationStatus", f.arn},
		{&sdk.GetParametersForImportInput{KeyId: &f.arn, WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048}, "kms:GetParametersForImport", f.arn},
		{&sdk.ImportKeyMaterialInput{KeyId: &f.arn, ImportToken: blob, EncryptedKeyMaterial: blob, ExpirationModel: noExpiry}, "kms:ImportKeyMaterial", f.arn},
		{&sdk.ListAliasesInput{}, "kms:ListAliases", "*"},
		{&sdk.ListGrantsInput{KeyId: &f.arn}, "kms:ListGrants", f.arn},
		{&sdk.ListKeyPoliciesInput{KeyId: &f.arn}, "kms:ListKeyPolicies", f.arn},
		{&sdk.ListKeyRotationsInput{KeyId: &f.arn}, "kms:ListKeyRotations", f.arn},
		{&sdk.ListKeysInput{}, "kms:ListKeys", "*"},
		{&sdk.ListResourceTagsInput{KeyId: &f.arn}, "kms:ListResourceTags", f.arn},
		{&sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob}, "kms:ListRetirableGrants", "*"},
		{&sdk.PutKeyPolicyInput{KeyId: &f.arn, Policy: aws.String(openPolicy)}, "kms:PutKeyPolicy", f.arn},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.arn}, "kms:ReEncryptFrom", f.arn},
		{&sdk.RetireGrantInput{KeyId: &f.arn, GrantId: f.grant(0)}, "kms:RetireGrant", f.arn},
		{&sdk.RevokeGrantInput{KeyId: &f.arn, GrantId: f.grant(1)}, "kms:RevokeGrant", f.arn},
		{&sdk.RotateKeyOnDemandInput{KeyId: &f.arn}, "kms:RotateKeyOnDemand", f.arn},
		{&sdk.ScheduleKeyDeletionInput{KeyId: &f.arn}, "kms:ScheduleKeyDeletion", f.arn},
		{&sdk.TagResourceInput{KeyId: &f.arn, Tags: tags("a=b")}, "kms:TagResource", f.arn},
		{&sdk.UntagResourceInput{KeyId: &f.arn, TagKeys: []string{"a"}}, "kms:UntagResource", f.arn},
		{&sdk.UpdateAliasInput{AliasName: name, TargetKeyId: &f.arn}, "kms:UpdateAlias", alias},
		{&sdk.UpdateKeyDescriptionInput{KeyId: &f.arn, Description: aws.String("")}, "kms:UpdateKeyDescription", f.arn},
	}...)
}

// denial is the text that names principal, action and resource.
func denial(c identity.Caller, action, resource, policy string) string {
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no %s policy allows the %s action",
		c, action, resource, policy, action)
}

// eachCaller runs a test with both kinds of client of a caller.
func eachCaller(t *testing.T, c identity.Caller, test func(t *testing.T, f *fixture, api kms.API)) {
	t.Helper()
	each(t, func(t *testing.T, f *fixture) {
		if f.viaSDK {
			test(t, f, f.Service().SDK(c))
			return
		}
		test(t, f, f.Client(c))
	})
}

func callerOf(account string) identity.Caller { return identity.Root(account, region) }

func TestUserWithoutPolicies(t *testing.T) {
	t.Parallel()
	callers := map[string]identity.Caller{
		"user":         {Principal: "arn:aws:iam::111122223333:user/alice", Account: account, Region: region},
		"user of path": {Principal: "arn:aws:iam::111122223333:user/odd:role/ann", Account: account, Region: region},
		"role":         {Principal: "arn:aws:iam::111122223333:role/app/r", Account: account, Region: region},
		"role session": {
			Principal: "arn:aws:sts::111122223333:assumed-role/r/s", Account: account, Region: region,
			Session: &identity.Session{Role: "arn:aws:iam::111122223333:role/app/r"},
		},
	}
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachCaller(t, c, func(t *testing.T, f *fixture, api kms.API) {
				f.plantAll(t)
				blob, before := f.plant(t, "secret", nil), dump(t, f.inner)
				covered := map[string]bool{}
				for _, p := range permissions(f, blob) {
					covered[nameOf(p.in)] = true
					refused(t, api, p.in, "AccessDeniedException", denial(c, p.action, p.resource, "identity-based"))
				}
				requireEveryOperation(t, covered)
				require.Equal(t, before, dump(t, f.inner))
			})
		})
	}
}

// TestAnonymous also asks for what does not exist: the answers are the same.
func TestAnonymous(t *testing.T) {
	t.Parallel()
	callers := map[string]identity.Caller{
		"nobody":       {},
		"no principal": {Account: account, Region: region},
		"no account":   {Principal: "arn:aws:iam::111122223333:root", Region: region},
		// principals that are none: nobody has authenticated them
		"another's root":    {Principal: "arn:aws:iam::444455556666:root", Account: account, Region: region},
		"a partition's":     {Principal: "arn:aws-cn:iam::111122223333:root", Account: account, Region: region},
		"root and a space":  {Principal: "arn:aws:iam::111122223333:root ", Account: account, Region: region},
		"unknown session's": {Principal: "arn:aws:sts::111122223333:assumed-role/r/s", Account: account, Region: region},
	}
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachCaller(t, c, func(t *testing.T, f *fixture, api kms.API) {
				f.plantAll(t)
				blob, before := f.plant(t, "secret", nil), dump(t, f.inner)
				nothing := &fixture{arn: "arn:aws:kms:us-east-1:111122223333:key/" + unknownID}
				for i, p := range permissions(f, blob) {
					action := "kms:" + nameOf(p.in)
					want := denial(identity.Caller{}, action, "*", "identity-based")
					refused(t, api, p.in, "AccessDeniedException", want)
					refused(t, api, permissions(nothing, []byte("garbage"))[i].in, "AccessDeniedException", want)
				}
				require.Equal(t, before, dump(t, f.inner))
			})
		})
	}
}

func TestAnotherAccount(t *testing.T) {
	t.Parallel()
	stranger := callerOf(otherAccount)
	theirs := func(name string) string { return "arn:aws:kms:us-east-1:" + otherAccount + ":" + name }
	eachCaller(t, stranger, func(t *testing.T, f *fixture, api kms.API) {
		f.plantAll(t)
		blob, before := f.plant(t, "secret", nil), dump(t, f.inner)
		ours := do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{}).Keys
		for _, p := range permissions(f, blob) {
			switch in := p.in.(type) {
			case *sdk.CreateKeyInput, *sdk.GenerateRandomInput, *sdk.ListAliasesInput, *sdk.ListKeysInput,
				*sdk.CreateCustomKeyStoreInput, *sdk.DescribeCustomKeyStoresInput:
				// about the caller's own account
			case *sdk.ConnectCustomKeyStoreInput, *sdk.DeleteCustomKeyStoreInput, *sdk.DisconnectCustomKeyStoreInput, *sdk.UpdateCustomKeyStoreInput:
				refused(t, api, in, "CustomKeyStoreNotFoundException", storeNotFound(f.keyStore))
			case *sdk.ListRetirableGrantsInput:
				refused(t, api, in, "AccessDeniedException", "The retiring principal must be one of the caller's account.")
			case *sdk.CreateAliasInput: // their alias, our key
				refused(t, api, in, "AccessDeniedException", denial(stranger, p.action, f.arn, "resource-based"))
			case *sdk.DeleteAliasInput, *sdk.UpdateAliasInput:
				refused(t, api, in, "NotFoundException", "Alias "+theirs("alias/app")+" is not found.")
			default:
				refused(t, api, in, "AccessDeniedException", denial(stranger, p.action, p.resource, "resource-based"))
			}
		}
		// a bare id belongs to the caller's account, unless a ciphertext says otherwise
		refused(t, api, &sdk.DescribeKeyInput{KeyId: &f.id}, "NotFoundException", "Key '"+theirs("key/"+f.id)+"' does not exist")
		refused(t, api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &f.id},
			"AccessDeniedException", denial(stranger, "kms:Decrypt", f.arn, "resource-based"))
		require.Equal(t, before, dump(t, f.inner))

		require.Empty(t, do[sdk.ListKeysOutput](t, api, &sdk.ListKeysInput{}).Keys)
		require.Empty(t, do[sdk.ListAliasesOutput](t, api, &sdk.ListAliasesInput{}).Aliases)
		require.Empty(t, do[sdk.DescribeCustomKeyStoresOutput](t, api, &sdk.DescribeCustomKeyStoresInput{}).CustomKeyStores)
		succeeds(t, api, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(8)})
		succeeds(t, api, hsmStore("planted", otherCluster)) // the name that a store of the other account has
		own := do[sdk.CreateKeyOutput](t, api, &sdk.CreateKeyInput{}).KeyMetadata
		require.Equal(t, theirs("key/"+*own.KeyId), *own.Arn)
		require.Len(t, ours, 7)
		require.Equal(t, ours, do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{}).Keys)
		refused(t, api, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: own.Arn},
			"AccessDeniedException", denial(stranger, "kms:ReEncryptFrom", f.arn, "resource-based"))
		mine := do[sdk.EncryptOutput](t, api, &sdk.EncryptInput{KeyId: own.Arn, Plaintext: []byte("x")}).CiphertextBlob
		refused(t, api, &sdk.ReEncryptInput{CiphertextBlob: mine, DestinationKeyId: &f.arn},
			"AccessDeniedException", denial(stranger, "kms:ReEncryptTo", f.arn, "resource-based"))
	})
}

// TestDenialComesBeforeState has a caller without permission learn nothing of a
// key's state.
func TestDenialComesBeforeState(t *testing.T) {
	t.Parallel()
	user := identity.Caller{Principal: "arn:aws:iam::111122223333:user/alice", Account: account, Region: region}
	eachCaller(t, user, func(t *testing.T, f *fixture, api kms.API) {
		blob := f.plant(t, "secret", nil)
		succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &f.id})
		for _, in := range []any{
			&sdk.DecryptInput{CiphertextBlob: blob},
			&sdk.DecryptInput{CiphertextBlob: blob, DryRun: aws.Bool(true)},
			&sdk.DecryptInput{CiphertextBlob: blob, EncryptionAlgorithm: types.EncryptionAlgorithmSpecSm2pke},
		} {
			refused(t, api, in, "AccessDeniedException", denial(user, "kms:Decrypt", f.arn, "identity-based"))
		}
	})
}

func TestMalformedCallers(t *testing.T) {
	t.Parallel()
	for _, c := range []identity.Caller{
		identity.Root("1111", region), identity.Root("11112222333x", region), identity.Root("111122223333/us-east-1/key", region),
		identity.Root(account, "US-EAST-1"), identity.Root(account, "us-east-1/key"), identity.Root(account, "us east"),
		identity.Root(account, "a123456789012345678901234567890123"), identity.Root(account, ""),
	} {
		f := newFixture(t, false)
		before := dump(t, f.inner)
		for _, p := range permissions(f, []byte("x")) {
			refused(t, f.Client(c), p.in, "ValidationException", "The request is not made in a valid account and Region.")
		}
		require.Equal(t, before, dump(t, f.inner))
		events := f.Events()
		require.Equal(t, "ValidationException", events[len(events)-1].ErrorCode)
	}
}

func TestAccountsDoNotShareNames(t *testing.T) {
	t.Parallel()
	inner := newFixture(t, false)
	own := kmstest.New(t, &kmstest.Options{Account: otherAccount})
	require.NotEqual(t, inner.arn, own.Seed(kmstest.Key{Alias: "alias/app"}))
	api := inner.Client(callerOf(otherAccount))
	key := do[sdk.CreateKeyOutput](t, api, &sdk.CreateKeyInput{}).KeyMetadata
	succeeds(t, api, &sdk.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: key.KeyId})
	require.Equal(t, *key.Arn, *do[sdk.DescribeKeyOutput](t, api, &sdk.DescribeKeyInput{KeyId: aws.String("alias/app")}).KeyMetadata.Arn)
	require.Equal(t, inner.arn, *describe(t, inner, "alias/app").Arn)
}
