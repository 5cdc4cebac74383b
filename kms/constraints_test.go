package kms_test

//lint:file-ignore SA1019 The deprecated member is part of the API and is answered.

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
)

// one is the message of a request with one member out of bounds.
func one(failure string) string { return "1 validation error detected: " + failure }

func null(path string) string {
	return "Value null at '" + path + "' failed to satisfy constraint: Member must not be null"
}

// bound is the message of a value that is not in its bounds, blank that of the empty
// string, and hidden that of bytes, which are not repeated.
func bound(value, path, rule string) string {
	if len(value) > 1024 { // an answer does not repeat all of a long value
		value = value[:1024] + "..."
	}
	return outside("'"+value+"' ", path, rule)
}

func blank(path, rule string) string { return bound("", path, rule) }

func hidden(path, rule string) string { return outside("", path, rule) }

func outside(value, path, rule string) string {
	return "Value " + value + "at '" + path + "' failed to satisfy constraint: Member must have " + rule
}

// TestRequiredMembers leaves out each required member: the SDK refuses that before
// the engine sees it, but not what only the service knows to be required.
func TestRequiredMembers(t *testing.T) {
	t.Parallel()
	name, id, blob := aws.String("alias/x"), aws.String(unknownID), []byte("x")
	spec := types.DataKeySpecAes256
	bySDK := []struct {
		in   any
		want string
	}{
		{&sdk.CancelKeyDeletionInput{}, one(null("keyId"))},
		{&sdk.CreateAliasInput{TargetKeyId: id}, one(null("aliasName"))},
		{&sdk.CreateAliasInput{AliasName: name}, one(null("targetKeyId"))},
		{&sdk.CreateGrantInput{Operations: []types.GrantOperation{}, GranteePrincipal: &bob}, one(null("keyId"))},
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob}, one(null("operations"))},
		{&sdk.GetKeyLastUsageInput{}, one(null("keyId"))},
		{&sdk.GetKeyPolicyInput{}, one(null("keyId"))},
		{&sdk.ListGrantsInput{}, one(null("keyId"))},
		{&sdk.ListKeyPoliciesInput{}, one(null("keyId"))},
		{&sdk.PutKeyPolicyInput{Policy: aws.String(openPolicy)}, one(null("keyId"))},
		{&sdk.PutKeyPolicyInput{KeyId: id}, one(null("policy"))},
		{&sdk.RevokeGrantInput{GrantId: id}, one(null("keyId"))},
		{&sdk.RevokeGrantInput{KeyId: id}, one(null("grantId"))},
		{&sdk.CreateAliasInput{}, "2 validation errors detected: " + null("aliasName") + "; " + null("targetKeyId")},
		{&sdk.CreateKeyInput{Tags: []types.Tag{{TagValue: name}}}, one(null("tags.1.member.tagKey"))},
		{&sdk.CreateKeyInput{Tags: []types.Tag{{TagKey: name}}}, one(null("tags.1.member.tagValue"))},
		{&sdk.DeleteAliasInput{}, one(null("aliasName"))},
		{&sdk.DescribeKeyInput{}, one(null("keyId"))},
		{&sdk.DisableKeyInput{}, one(null("keyId"))},
		{&sdk.EnableKeyInput{}, one(null("keyId"))},
		{&sdk.EncryptInput{Plaintext: blob}, one(null("keyId"))},
		{&sdk.EncryptInput{KeyId: id}, one(null("plaintext"))},
		{&sdk.GenerateDataKeyInput{KeySpec: spec}, one(null("keyId"))},
		{&sdk.GenerateDataKeyWithoutPlaintextInput{KeySpec: spec}, one(null("keyId"))},
		{&sdk.GenerateDataKeyPairInput{KeyPairSpec: "RSA_2048"}, one(null("keyId"))},
		{&sdk.GenerateDataKeyPairInput{KeyId: id}, one(null("keyPairSpec"))},
		{&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyPairSpec: "RSA_2048"}, one(null("keyId"))},
		{&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: id}, one(null("keyPairSpec"))},
		{&sdk.ListResourceTagsInput{}, one(null("keyId"))},
		{&sdk.ReEncryptInput{CiphertextBlob: blob}, one(null("destinationKeyId"))},
		{&sdk.ScheduleKeyDeletionInput{}, one(null("keyId"))},
		{&sdk.TagResourceInput{Tags: tags("a=b")}, one(null("keyId"))},
		{&sdk.TagResourceInput{KeyId: id}, one(null("tags"))},
		{&sdk.TagResourceInput{KeyId: id, Tags: []types.Tag{{TagValue: name}}}, one(null("tags.1.member.tagKey"))},
		{&sdk.UntagResourceInput{TagKeys: []string{"a"}}, one(null("keyId"))},
		{&sdk.UntagResourceInput{KeyId: id}, one(null("tagKeys"))},
		{&sdk.UpdateAliasInput{TargetKeyId: id}, one(null("aliasName"))},
		{&sdk.UpdateAliasInput{AliasName: name}, one(null("targetKeyId"))},
		{&sdk.UpdateKeyDescriptionInput{Description: name}, one(null("keyId"))},
		{&sdk.UpdateKeyDescriptionInput{KeyId: id}, one(null("description"))},
	}
	byService := []struct {
		in   any
		want string
	}{
		{&sdk.DecryptInput{}, one(null("ciphertextBlob"))},
		{&sdk.CreateGrantInput{KeyId: id, Operations: []types.GrantOperation{types.GrantOperationDecrypt}},
			"Specify either GranteePrincipal or GranteeServicePrincipal, but not both."},
		{&sdk.ListRetirableGrantsInput{}, "Specify either RetiringPrincipal or RetiringServicePrincipal, but not both."},
		{&sdk.RetireGrantInput{}, "Grant token OR (grant ID, key ID) must be specified"},
		{&sdk.RetireGrantInput{KeyId: id}, "Grant token OR (grant ID, key ID) must be specified"},
		{&sdk.RetireGrantInput{GrantId: id}, "Grant token OR (grant ID, key ID) must be specified"},
		{&sdk.ReEncryptInput{DestinationKeyId: id}, one(null("ciphertextBlob"))},
		{&sdk.GenerateRandomInput{}, "NumberOfBytes is required."},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range bySDK {
			_, err := call(t.Context(), f.api, test.in)
			if f.viaSDK {
				requireInvalidParams(t, err)
			} else {
				requireRefusal(t, err, "ValidationException", test.want)
			}
		}
		for _, test := range byService {
			refused(t, f.api, test.in, "ValidationException", test.want)
		}
	})
}

func TestNilInputIsEmpty(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		succeeds(t, f.api, (*sdk.CreateKeyInput)(nil))
		succeeds(t, f.api, (*sdk.ListKeysInput)(nil))
		succeeds(t, f.api, (*sdk.ListAliasesInput)(nil))
		refused(t, f.api, (*sdk.DecryptInput)(nil), "ValidationException", one(null("ciphertextBlob")))
		_, err := call(t.Context(), f.api, (*sdk.EncryptInput)(nil))
		if f.viaSDK {
			requireInvalidParams(t, err)
		} else {
			requireRefusal(t, err, "ValidationException", "2 validation errors detected: "+null("keyId")+"; "+null("plaintext"))
		}
	})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	decrypt := []types.GrantOperation{types.GrantOperationDecrypt}
	id, blob := aws.String(unknownID), []byte("x")
	spec := types.DataKeySpecAes256
	const atLeast1, atMost2048 = "length greater than or equal to 1", "length less than or equal to 2048"
	long, wide := strings.Repeat("k", 2049), strings.Repeat("d", 8193)
	big := map[string]string{"k": strings.Repeat("v", 8192)}
	principal := "arn:aws:iam::111122223333:user/" + strings.Repeat("u", 226)
	name, grantID, longToken := strings.Repeat("n", 257), strings.Repeat("g", 129), strings.Repeat("t", 8193)
	const atMost128, atMost256 = "length less than or equal to 128", "length less than or equal to 256"
	tokens := outside("", "grantTokens", "length less than or equal to 10")
	eleven := slices.Repeat([]string{"t"}, 11)
	tests := []struct {
		in   any
		want string
	}{
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &principal, Operations: decrypt}, bound(principal, "granteePrincipal", atMost256)},
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: aws.String(""), Operations: decrypt}, blank("granteePrincipal", atLeast1)},
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, RetiringPrincipal: &principal, Operations: decrypt}, bound(principal, "retiringPrincipal", atMost256)},
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, Operations: decrypt, Name: &name}, bound(name, "name", atMost256)},
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, Operations: decrypt, Name: aws.String("a b")},
			"Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"},
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, Operations: decrypt, Constraints: &types.GrantConstraints{EncryptionContextEquals: big}},
			hidden("constraints.encryptionContextEquals", "length less than or equal to 8192")},
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, Operations: decrypt, Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"k": ""}}},
			hidden("constraints.encryptionContextSubset", "keys and values of at least one character")},
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, Operations: decrypt, GrantTokens: eleven}, tokens},
		{&sdk.DecryptInput{CiphertextBlob: blob, GrantTokens: eleven}, tokens},
		{&sdk.DescribeKeyInput{KeyId: id, GrantTokens: eleven}, tokens},
		{&sdk.EncryptInput{KeyId: id, Plaintext: blob, GrantTokens: eleven}, tokens},
		{&sdk.GenerateDataKeyInput{KeyId: id, KeySpec: spec, GrantTokens: eleven}, tokens},
		{&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: id, KeySpec: spec, GrantTokens: eleven}, tokens},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: id, GrantTokens: eleven}, tokens},
		{&sdk.EncryptInput{KeyId: id, Plaintext: blob, GrantTokens: []string{""}}, hidden("grantTokens", "members of 1 to 8192 characters")},
		{&sdk.EncryptInput{KeyId: id, Plaintext: blob, GrantTokens: []string{longToken}}, hidden("grantTokens", "members of 1 to 8192 characters")},
		{&sdk.RetireGrantInput{GrantToken: aws.String("")}, hidden("grantToken", atLeast1)},
		{&sdk.RetireGrantInput{GrantToken: &longToken}, hidden("grantToken", "length less than or equal to 8192")},
		{&sdk.RetireGrantInput{KeyId: id, GrantId: &grantID}, bound(grantID, "grantId", atMost128)},
		{&sdk.RevokeGrantInput{KeyId: id, GrantId: &grantID}, bound(grantID, "grantId", atMost128)},
		{&sdk.ListGrantsInput{KeyId: id, GrantId: &grantID}, bound(grantID, "grantId", atMost128)},
		{&sdk.ListGrantsInput{KeyId: id, GranteePrincipal: &principal}, bound(principal, "granteePrincipal", atMost256)},
		{&sdk.ListGrantsInput{KeyId: id, Limit: aws.Int32(0)}, bound("0", "limit", "value greater than or equal to 1")},
		{&sdk.ListRetirableGrantsInput{RetiringPrincipal: &principal}, bound(principal, "retiringPrincipal", atMost256)},
		{&sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob, Limit: aws.Int32(1001)}, bound("1001", "limit", "value less than or equal to 1000")},
		{&sdk.ListKeyPoliciesInput{KeyId: id, Limit: aws.Int32(1001)}, bound("1001", "limit", "value less than or equal to 1000")},
		{&sdk.GetKeyPolicyInput{KeyId: id, PolicyName: &grantID}, bound(grantID, "policyName", atMost128)},
		{&sdk.PutKeyPolicyInput{KeyId: id, Policy: aws.String(openPolicy), PolicyName: aws.String("")}, blank("policyName", atLeast1)},
		{&sdk.PutKeyPolicyInput{KeyId: id, Policy: aws.String("")}, hidden("policy", atLeast1)},
		{&sdk.PutKeyPolicyInput{KeyId: id, Policy: aws.String(strings.Repeat(" ", 131073))}, hidden("policy", "length less than or equal to 131072")},
		{&sdk.CreateKeyInput{Policy: aws.String("{\u0000}")},
			`Value at 'policy' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`},
		{&sdk.CreateKeyInput{Policy: aws.String("{\u0100}")},
			`Value at 'policy' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`},
		{&sdk.CreateKeyInput{Description: &wide}, bound(wide, "description", "length less than or equal to 8192")},
		{&sdk.UpdateKeyDescriptionInput{KeyId: id, Description: &wide}, bound(wide, "description", "length less than or equal to 8192")},
		{&sdk.EncryptInput{KeyId: id, Plaintext: make([]byte, 4097)}, hidden("plaintext", "length less than or equal to 4096")},
		{&sdk.EncryptInput{KeyId: id, Plaintext: []byte{}}, hidden("plaintext", atLeast1)},
		{&sdk.DecryptInput{CiphertextBlob: make([]byte, 6145)}, hidden("ciphertextBlob", "length less than or equal to 6144")},
		{&sdk.DecryptInput{CiphertextBlob: []byte{}}, hidden("ciphertextBlob", atLeast1)},
		{&sdk.ReEncryptInput{CiphertextBlob: make([]byte, 6145), DestinationKeyId: id}, hidden("ciphertextBlob", "length less than or equal to 6144")},
		{&sdk.ReEncryptInput{CiphertextBlob: []byte{}, DestinationKeyId: id}, hidden("ciphertextBlob", atLeast1)},
		{&sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(0)}, bound("0", "numberOfBytes", "value greater than or equal to 1")},
		{&sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1025)}, bound("1025", "numberOfBytes", "value less than or equal to 1024")},
		{&sdk.GenerateDataKeyInput{KeyId: id, NumberOfBytes: aws.Int32(-1)}, bound("-1", "numberOfBytes", "value greater than or equal to 1")},
		{&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: id, NumberOfBytes: aws.Int32(1025)}, bound("1025", "numberOfBytes", "value less than or equal to 1024")},
		{&sdk.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(0)}, bound("0", "pendingWindowInDays", "value greater than or equal to 1")},
		{&sdk.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(366)}, bound("366", "pendingWindowInDays", "value less than or equal to 365")},
		{&sdk.ListKeysInput{Limit: aws.Int32(0)}, bound("0", "limit", "value greater than or equal to 1")},
		{&sdk.ListKeysInput{Limit: aws.Int32(1001)}, bound("1001", "limit", "value less than or equal to 1000")},
		{&sdk.ListAliasesInput{Limit: aws.Int32(1001)}, bound("1001", "limit", "value less than or equal to 1000")},
		{&sdk.ListResourceTagsInput{KeyId: id, Limit: aws.Int32(0)}, bound("0", "limit", "value greater than or equal to 1")},
		{&sdk.ListKeysInput{Marker: aws.String("")}, blank("marker", atLeast1)},
		{&sdk.ListAliasesInput{Marker: aws.String(strings.Repeat("m", 1025))}, bound(strings.Repeat("m", 1025), "marker", "length less than or equal to 1024")},

		{&sdk.DescribeKeyInput{KeyId: &long}, bound(long, "keyId", atMost2048)},
		{&sdk.ListAliasesInput{KeyId: &long}, bound(long, "keyId", atMost2048)},
		{&sdk.DecryptInput{CiphertextBlob: blob, KeyId: aws.String("")}, blank("keyId", atLeast1)},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: id, SourceKeyId: &long}, bound(long, "sourceKeyId", atMost2048)},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: aws.String("")}, blank("destinationKeyId", atLeast1)},
		{&sdk.CreateAliasInput{AliasName: aws.String("alias/x"), TargetKeyId: &long}, bound(long, "targetKeyId", atMost2048)},

		{&sdk.EncryptInput{KeyId: id, Plaintext: blob, EncryptionContext: big}, hidden("encryptionContext", "length less than or equal to 8192")},
		{&sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: big}, hidden("encryptionContext", "length less than or equal to 8192")},
		{&sdk.GenerateDataKeyInput{KeyId: id, KeySpec: spec, EncryptionContext: big}, hidden("encryptionContext", "length less than or equal to 8192")},
		{&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: id, KeySpec: spec, EncryptionContext: big}, hidden("encryptionContext", "length less than or equal to 8192")},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: id, SourceEncryptionContext: big}, hidden("sourceEncryptionContext", "length less than or equal to 8192")},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: id, DestinationEncryptionContext: big}, hidden("destinationEncryptionContext", "length less than or equal to 8192")},
	}
	each(t, func(t *testing.T, f *fixture) {
		before := dump(t, f.inner)
		for _, test := range tests {
			refused(t, f.api, test.in, "ValidationException", one(test.want))
		}
		require.Equal(t, before, dump(t, f.inner))
	})
}

// TestEnums gives each enum member a value that AWS does not know. The order of the
// set in AWS's message is not defined.
func TestEnums(t *testing.T) {
	t.Parallel()
	id, blob := aws.String(unknownID), []byte("x")
	tests := []struct {
		in   any
		path string
	}{
		{&sdk.CreateKeyInput{KeySpec: "INVALID"}, "keySpec"},
		{&sdk.CreateKeyInput{CustomerMasterKeySpec: "INVALID"}, "customerMasterKeySpec"},
		{&sdk.CreateKeyInput{KeyUsage: "INVALID"}, "keyUsage"},
		{&sdk.CreateKeyInput{Origin: "INVALID"}, "origin"},
		{&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, Operations: []types.GrantOperation{"INVALID"}}, "operations"},
		{&sdk.EncryptInput{KeyId: id, Plaintext: blob, EncryptionAlgorithm: "INVALID"}, "encryptionAlgorithm"},
		{&sdk.DecryptInput{CiphertextBlob: blob, EncryptionAlgorithm: "INVALID"}, "encryptionAlgorithm"},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: id, SourceEncryptionAlgorithm: "INVALID"}, "sourceEncryptionAlgorithm"},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: id, DestinationEncryptionAlgorithm: "INVALID"}, "destinationEncryptionAlgorithm"},
		{&sdk.GenerateDataKeyInput{KeyId: id, KeySpec: "INVALID"}, "keySpec"},
		{&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: id, KeySpec: "INVALID"}, "keySpec"},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			_, err := call(t.Context(), f.api, test.in)
			require.Equal(t, "ValidationException", codeOf(err))
			require.ErrorContains(t, err, one("Value 'INVALID' at '"+test.path+"' failed to satisfy constraint: Member must satisfy enum value set: ["))
		}
	})
}

func TestCreateKeyCombinations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   *sdk.CreateKeyInput
		want string
	}{
		{&sdk.CreateKeyInput{KeySpec: "SYMMETRIC_DEFAULT", CustomerMasterKeySpec: "SYMMETRIC_DEFAULT"},
			"You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."},
		{&sdk.CreateKeyInput{KeySpec: "RSA_2048"}, "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."},
		{&sdk.CreateKeyInput{CustomerMasterKeySpec: "HMAC_256"}, "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."},
		{&sdk.CreateKeyInput{KeyUsage: "SIGN_VERIFY"}, "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"},
		{&sdk.CreateKeyInput{KeySpec: "SYMMETRIC_DEFAULT", KeyUsage: "KEY_AGREEMENT"}, "KeyUsage KEY_AGREEMENT is not compatible with KeySpec SYMMETRIC_DEFAULT"},
	}
	each(t, func(t *testing.T, f *fixture) {
		before := dump(t, f.inner)
		for _, test := range tests {
			refused(t, f.api, test.in, "ValidationException", test.want)
		}
		require.Equal(t, before, dump(t, f.inner))
	})
}

// TestMembersThatSayNothing: parameters with the value that their absence has.
func TestMembersThatSayNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		succeeds(t, f.api, &sdk.CreateKeyInput{MultiRegion: aws.Bool(false), Origin: types.OriginTypeAwsKms})
		succeeds(t, f.api, &sdk.DescribeKeyInput{KeyId: &f.id, GrantTokens: []string{}})
	})
}

// TestEncryptionContextPairs has pairs that no request over the wire, or none that
// AWS takes, could hold, and the largest context that is taken.
func TestEncryptionContextPairs(t *testing.T) {
	t.Parallel()
	want := one(hidden("encryptionContext", "keys and values of at least one character"))
	each(t, func(t *testing.T, f *fixture) {
		for _, pairs := range []map[string]string{{"": "v"}, {"k": ""}, {"k": "\xff"}, {"\xff": "v"}, {"k": "v", "x": ""}} {
			refused(t, f.api, &sdk.EncryptInput{KeyId: &f.id, Plaintext: []byte("x"), EncryptionContext: pairs}, "ValidationException", want)
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: []byte("x"), EncryptionContext: pairs}, "ValidationException", want)
		}
		full := map[string]string{"k": strings.Repeat("v", 8191)}
		succeeds(t, f.api, &sdk.DecryptInput{CiphertextBlob: f.plant(t, "secret", full), EncryptionContext: full})
	})
}

func TestTextIsUTF8(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	key := cloud.Seed(kmstest.Key{})
	client := cloud.Client(cloud.Root())
	bad := "caf\xe9"
	_, err := client.UpdateKeyDescription(t.Context(), &sdk.UpdateKeyDescriptionInput{KeyId: &key, Description: &bad})
	require.ErrorContains(t, err, "Value at 'description' failed to satisfy constraint: Member must be valid UTF-8")
	_, err = client.TagResource(t.Context(), &sdk.TagResourceInput{KeyId: &key, Tags: []types.Tag{{TagKey: &bad, TagValue: &bad}}})
	require.ErrorContains(t, err, "'tags.1.member.tagKey' failed to satisfy constraint: Member must be valid UTF-8")
}

func TestMarkerWithLineBreaksIsRefused(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, &kmstest.Options{Keys: []kmstest.Key{{Alias: "alias/a"}, {Alias: "alias/b"}}})
	client := cloud.Client(cloud.Root())
	one := int32(1)
	first, err := client.ListKeys(t.Context(), &sdk.ListKeysInput{Limit: &one})
	require.NoError(t, err)
	broken := *first.NextMarker + "\r\n"
	_, err = client.ListKeys(t.Context(), &sdk.ListKeysInput{Marker: &broken})
	var invalid *types.InvalidMarkerException
	require.ErrorAs(t, err, &invalid)
}
