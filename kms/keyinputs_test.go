package kms_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"
)

// TestRequiredMembersOfKeyOperations leaves out each required member.
func TestRequiredMembersOfKeyOperations(t *testing.T) {
	t.Parallel()
	id, x := aws.String(unknownID), []byte("x")
	tests := []struct {
		in   any
		want string
	}{
		{&sdk.SignInput{Message: x, SigningAlgorithm: "ECDSA_SHA_256"}, "keyId"},
		{&sdk.SignInput{KeyId: id, SigningAlgorithm: "ECDSA_SHA_256"}, "message"},
		{&sdk.SignInput{KeyId: id, Message: x}, "signingAlgorithm"},
		{&sdk.VerifyInput{Message: x, Signature: x, SigningAlgorithm: "ECDSA_SHA_256"}, "keyId"},
		{&sdk.VerifyInput{KeyId: id, Signature: x, SigningAlgorithm: "ECDSA_SHA_256"}, "message"},
		{&sdk.VerifyInput{KeyId: id, Message: x, SigningAlgorithm: "ECDSA_SHA_256"}, "signature"},
		{&sdk.VerifyInput{KeyId: id, Message: x, Signature: x}, "signingAlgorithm"},
		{&sdk.GenerateMacInput{Message: x, MacAlgorithm: "HMAC_SHA_256"}, "keyId"},
		{&sdk.GenerateMacInput{KeyId: id, MacAlgorithm: "HMAC_SHA_256"}, "message"},
		{&sdk.GenerateMacInput{KeyId: id, Message: x}, "macAlgorithm"},
		{&sdk.VerifyMacInput{Message: x, Mac: x, MacAlgorithm: "HMAC_SHA_256"}, "keyId"},
		{&sdk.VerifyMacInput{KeyId: id, Mac: x, MacAlgorithm: "HMAC_SHA_256"}, "message"},
		{&sdk.VerifyMacInput{KeyId: id, Message: x, MacAlgorithm: "HMAC_SHA_256"}, "mac"},
		{&sdk.VerifyMacInput{KeyId: id, Message: x, Mac: x}, "macAlgorithm"},
		{&sdk.GetPublicKeyInput{}, "keyId"},
		{&sdk.DeriveSharedSecretInput{PublicKey: x, KeyAgreementAlgorithm: "ECDH"}, "keyId"},
		{&sdk.DeriveSharedSecretInput{KeyId: id, KeyAgreementAlgorithm: "ECDH"}, "publicKey"},
		{&sdk.DeriveSharedSecretInput{KeyId: id, PublicKey: x}, "keyAgreementAlgorithm"},
		{&sdk.EncapsulateInput{EncapsulationAlgorithm: "ML_KEM"}, "keyId"},
		{&sdk.EncapsulateInput{KeyId: id}, "encapsulationAlgorithm"},
		{&sdk.DecapsulateInput{SharedSecretCiphertextBlob: x, EncapsulationAlgorithm: "ML_KEM"}, "keyId"},
		{&sdk.DecapsulateInput{KeyId: id, EncapsulationAlgorithm: "ML_KEM"}, "sharedSecretCiphertextBlob"},
		{&sdk.DecapsulateInput{KeyId: id, SharedSecretCiphertextBlob: x}, "encapsulationAlgorithm"},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			_, err := call(t.Context(), f.api, test.in)
			if f.viaSDK {
				requireInvalidParams(t, err)
			} else {
				requireRefusal(t, err, "ValidationException", one(null(test.want)))
			}
		}
	})
}

func TestBoundsOfKeyOperations(t *testing.T) {
	t.Parallel()
	id, x, empty := aws.String(unknownID), []byte("x"), []byte{}
	long, longest := make([]byte, 4097), make([]byte, 6145)
	const atLeast1, atMost4096, atMost6144 = "length greater than or equal to 1", "length less than or equal to 4096", "length less than or equal to 6144"
	eleven := slices.Repeat([]string{"t"}, 11)
	const tooManyTokens = "Value at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10"
	tests := []struct {
		in   any
		want string
	}{
		{&sdk.SignInput{KeyId: id, Message: empty, SigningAlgorithm: "ECDSA_SHA_256"}, hidden("message", atLeast1)},
		{&sdk.SignInput{KeyId: id, Message: long, SigningAlgorithm: "ECDSA_SHA_256"}, hidden("message", atMost4096)},
		{&sdk.SignInput{KeyId: aws.String(""), Message: x, SigningAlgorithm: "ECDSA_SHA_256"}, blank("keyId", atLeast1)},
		{&sdk.VerifyInput{KeyId: id, Message: empty, Signature: x, SigningAlgorithm: "ECDSA_SHA_256"}, hidden("message", atLeast1)},
		{&sdk.VerifyInput{KeyId: id, Message: long, Signature: x, SigningAlgorithm: "ECDSA_SHA_256"}, hidden("message", atMost4096)},
		{&sdk.VerifyInput{KeyId: id, Message: x, Signature: empty, SigningAlgorithm: "ECDSA_SHA_256"}, hidden("signature", atLeast1)},
		{&sdk.VerifyInput{KeyId: id, Message: x, Signature: longest, SigningAlgorithm: "ECDSA_SHA_256"}, hidden("signature", atMost6144)},
		{&sdk.GenerateMacInput{KeyId: id, Message: empty, MacAlgorithm: "HMAC_SHA_256"}, hidden("message", atLeast1)},
		{&sdk.GenerateMacInput{KeyId: id, Message: long, MacAlgorithm: "HMAC_SHA_256"}, hidden("message", atMost4096)},
		{&sdk.VerifyMacInput{KeyId: id, Message: long, Mac: x, MacAlgorithm: "HMAC_SHA_256"}, hidden("message", atMost4096)},
		{&sdk.VerifyMacInput{KeyId: id, Message: x, Mac: empty, MacAlgorithm: "HMAC_SHA_256"}, hidden("mac", atLeast1)},
		{&sdk.VerifyMacInput{KeyId: id, Message: x, Mac: longest, MacAlgorithm: "HMAC_SHA_256"}, hidden("mac", atMost6144)},
		{&sdk.DeriveSharedSecretInput{KeyId: id, KeyAgreementAlgorithm: "ECDH", PublicKey: empty}, hidden("publicKey", atLeast1)},
		{&sdk.DeriveSharedSecretInput{KeyId: id, KeyAgreementAlgorithm: "ECDH", PublicKey: make([]byte, 8193)}, hidden("publicKey", "length less than or equal to 8192")},
		{&sdk.DecapsulateInput{KeyId: id, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: empty}, hidden("sharedSecretCiphertextBlob", atLeast1)},
		{&sdk.DecapsulateInput{KeyId: id, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: longest}, hidden("sharedSecretCiphertextBlob", atMost6144)},
		{&sdk.SignInput{KeyId: id, Message: x, SigningAlgorithm: "ECDSA_SHA_256", GrantTokens: eleven}, tooManyTokens},
		{&sdk.VerifyInput{KeyId: id, Message: x, Signature: x, SigningAlgorithm: "ECDSA_SHA_256", GrantTokens: eleven}, tooManyTokens},
		{&sdk.GenerateMacInput{KeyId: id, Message: x, MacAlgorithm: "HMAC_SHA_256", GrantTokens: eleven}, tooManyTokens},
		{&sdk.VerifyMacInput{KeyId: id, Message: x, Mac: x, MacAlgorithm: "HMAC_SHA_256", GrantTokens: eleven}, tooManyTokens},
		{&sdk.GetPublicKeyInput{KeyId: id, GrantTokens: eleven}, tooManyTokens},
		{&sdk.DeriveSharedSecretInput{KeyId: id, KeyAgreementAlgorithm: "ECDH", PublicKey: x, GrantTokens: eleven}, tooManyTokens},
		{&sdk.EncapsulateInput{KeyId: id, EncapsulationAlgorithm: "ML_KEM", GrantTokens: eleven}, tooManyTokens},
		{&sdk.DecapsulateInput{KeyId: id, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: x, GrantTokens: eleven}, tooManyTokens},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			refused(t, f.api, test.in, "ValidationException", one(test.want))
		}
	})
}

// TestEnumsOfKeyOperations gives each enum member a value that AWS does not know. The
// order of the set in AWS's message is not defined.
func TestEnumsOfKeyOperations(t *testing.T) {
	t.Parallel()
	id, x := aws.String(unknownID), []byte("x")
	tests := []struct {
		in        any
		path, set string
	}{
		{&sdk.SignInput{KeyId: id, Message: x, SigningAlgorithm: "INVALID"}, "signingAlgorithm", "RSASSA_PSS_SHA_256"},
		{&sdk.SignInput{KeyId: id, Message: x, SigningAlgorithm: "ECDSA_SHA_256", MessageType: "INVALID"}, "messageType", "RAW, DIGEST, EXTERNAL_MU]"},
		{&sdk.VerifyInput{KeyId: id, Message: x, Signature: x, SigningAlgorithm: "INVALID"}, "signingAlgorithm", "RSASSA_PSS_SHA_256"},
		{&sdk.VerifyInput{KeyId: id, Message: x, Signature: x, SigningAlgorithm: "ECDSA_SHA_256", MessageType: "INVALID"}, "messageType", "RAW, DIGEST, EXTERNAL_MU]"},
		{&sdk.GenerateMacInput{KeyId: id, Message: x, MacAlgorithm: "INVALID"}, "macAlgorithm", "HMAC_SHA_224"},
		{&sdk.VerifyMacInput{KeyId: id, Message: x, Mac: x, MacAlgorithm: "INVALID"}, "macAlgorithm", "HMAC_SHA_224"},
		{&sdk.DeriveSharedSecretInput{KeyId: id, PublicKey: x, KeyAgreementAlgorithm: "INVALID"}, "keyAgreementAlgorithm", "ECDH]"},
		{&sdk.EncapsulateInput{KeyId: id, EncapsulationAlgorithm: "INVALID"}, "encapsulationAlgorithm", "ML_KEM]"},
		{&sdk.DecapsulateInput{KeyId: id, SharedSecretCiphertextBlob: x, EncapsulationAlgorithm: "INVALID"}, "encapsulationAlgorithm", "ML_KEM]"},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			_, err := call(t.Context(), f.api, test.in)
			require.Equal(t, "ValidationException", codeOf(err))
			require.ErrorContains(t, err, one("Value 'INVALID' at '"+test.path+"' failed to satisfy constraint: Member must satisfy enum value set: ["+test.set))
		}
	})
}
