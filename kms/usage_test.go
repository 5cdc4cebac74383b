package kms_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
)

// usageRow is an operation that needs keys of a usage, and its request about a key with
// an algorithm.
type usageRow struct {
	usage      types.KeyUsageType
	algorithms []string // all that the API knows
	in         func(f *fixture, key *string, algorithm string) any
}

// names returns the values of one of the API's enums.
func names[E ~string](values []E) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}

// usageRows is every operation whose keys have to be of a usage; Decrypt and ReEncrypt
// with a ciphertext that names its key by itself are not.
func usageRows(blob []byte) map[string]usageRow {
	encryption, signing := names(types.EncryptionAlgorithmSpec("").Values()), names(types.SigningAlgorithmSpec("").Values())
	macs := names(types.MacAlgorithmSpec("").Values())
	ignore := []types.DryRunModifierType{types.DryRunModifierTypeIgnoreCiphertext}
	return map[string]usageRow{
		"Encrypt": {forEncryption, encryption, func(_ *fixture, key *string, a string) any {
			return &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x"), EncryptionAlgorithm: types.EncryptionAlgorithmSpec(a)}
		}},
		"ReEncrypt": {forEncryption, encryption, func(_ *fixture, key *string, a string) any {
			return &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: key, DestinationEncryptionAlgorithm: types.EncryptionAlgorithmSpec(a)}
		}},
		"Decrypt": {forEncryption, encryption, func(_ *fixture, key *string, a string) any {
			return &sdk.DecryptInput{KeyId: key, EncryptionAlgorithm: types.EncryptionAlgorithmSpec(a), DryRun: aws.Bool(true), DryRunModifiers: ignore}
		}},
		"ReEncrypt from": {forEncryption, encryption, func(f *fixture, key *string, a string) any {
			return &sdk.ReEncryptInput{SourceKeyId: key, SourceEncryptionAlgorithm: types.EncryptionAlgorithmSpec(a), DestinationKeyId: &f.arn,
				DryRun: aws.Bool(true), DryRunModifiers: ignore}
		}},
		"Sign": {forSigning, signing, func(_ *fixture, key *string, a string) any {
			return &sdk.SignInput{KeyId: key, Message: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpec(a)}
		}},
		"Verify": {forSigning, signing, func(_ *fixture, key *string, a string) any {
			return &sdk.VerifyInput{KeyId: key, Message: []byte("x"), Signature: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpec(a)}
		}},
		"GenerateMac": {forAuthentication, macs, func(_ *fixture, key *string, a string) any {
			return &sdk.GenerateMacInput{KeyId: key, Message: []byte("x"), MacAlgorithm: types.MacAlgorithmSpec(a)}
		}},
		"VerifyMac": {forAuthentication, macs, func(_ *fixture, key *string, a string) any {
			return &sdk.VerifyMacInput{KeyId: key, Message: []byte("x"), Mac: []byte("x"), MacAlgorithm: types.MacAlgorithmSpec(a)}
		}},
		"DeriveSharedSecret": {forAgreement, []string{"ECDH"}, func(_ *fixture, key *string, a string) any {
			return &sdk.DeriveSharedSecretInput{KeyId: key, PublicKey: []byte("x"), KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpec(a)}
		}},
		"Encapsulate": {forEncapsulation, []string{"ML_KEM"}, func(_ *fixture, key *string, a string) any {
			return &sdk.EncapsulateInput{KeyId: key, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpec(a)}
		}},
		"Decapsulate": {forEncapsulation, []string{"ML_KEM"}, func(_ *fixture, key *string, a string) any {
			return &sdk.DecapsulateInput{KeyId: key, SharedSecretCiphertextBlob: []byte("x"), EncapsulationAlgorithm: types.EncapsulationAlgorithmSpec(a)}
		}},
	}
}

// TestUsages asks every operation about keys of every kind, with every algorithm.
func TestUsages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for name, row := range usageRows(f.plant(t, "secret", nil)) {
			operation, _, _ := strings.Cut(name, " ")
			for _, k := range kinds {
				key := f.newKey(t, k.spec, k.usage)
				for _, a := range row.algorithms {
					in := row.in(f, &key, a)
					switch {
					case k.usage != row.usage:
						refused(t, f.api, in, "InvalidKeyUsageException", key+" key usage is "+string(k.usage)+" which is not valid for "+operation+".")
					case !slices.Contains(k.algorithms, a):
						refused(t, f.api, in, "InvalidKeyUsageException", "Algorithm "+a+" is incompatible with key spec "+string(k.spec)+".")
					default:
						_, err := call(t.Context(), f.api, in)
						require.NotEqual(t, "InvalidKeyUsageException", codeOf(err), "%s with %s and %s", name, k.spec, a)
					}
				}
			}
		}
	})
}

// TestEncryptionNeedsAnAlgorithm leaves it out: that means the symmetric one.
func TestEncryptionNeedsAnAlgorithm(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		key := f.newKey(t, "RSA_3072", forEncryption)
		const want = "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_3072."
		refused(t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")}, "InvalidKeyUsageException", want)
		refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: f.plant(t, "x", nil), DestinationKeyId: &key}, "InvalidKeyUsageException", want)
	})
}

// TestDenialComesBeforeUsage has a caller without permission learn nothing of what a
// key is for.
func TestDenialComesBeforeUsage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		api := f.Client(alice)
		for name, row := range usageRows(f.plant(t, "secret", nil)) {
			for _, spec := range []types.KeySpec{"SYMMETRIC_DEFAULT", "HMAC_224", "ECC_SECG_P256K1", "ML_KEM_512"} {
				i := slices.IndexFunc(kinds, func(k kind) bool { return k.spec == spec })
				key := f.newKey(t, spec, kinds[i].usage)
				_, err := call(t.Context(), api, row.in(f, &key, row.algorithms[0]))
				require.Equal(t, "AccessDeniedException", codeOf(err), "%s with %s", name, spec)
			}
		}
	})
}

// TestDryRunsOfKeys has requests about keys of every usage that would have succeeded,
// and those that would not.
func TestDryRunsOfKeys(t *testing.T) {
	t.Parallel()
	yes := aws.Bool(true)
	each(t, func(t *testing.T, f *fixture) {
		f.plantKeys(t)
		s, rsa := f.keys, f.newKey(t, "RSA_2048", forEncryption)
		blob, symmetricBlob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &rsa, Plaintext: []byte("x"), EncryptionAlgorithm: sha1OAEP}).CiphertextBlob, f.plant(t, "x", nil)
		ignore := []types.DryRunModifierType{types.DryRunModifierTypeIgnoreCiphertext}
		for _, in := range []any{
			&sdk.EncryptInput{KeyId: &rsa, Plaintext: []byte("x"), EncryptionAlgorithm: sha1OAEP, DryRun: yes},
			&sdk.DecryptInput{KeyId: &rsa, CiphertextBlob: blob, EncryptionAlgorithm: sha1OAEP, DryRun: yes},
			&sdk.DecryptInput{KeyId: &rsa, EncryptionAlgorithm: sha1OAEP, DryRun: yes, DryRunModifiers: ignore},
			&sdk.ReEncryptInput{SourceKeyId: &rsa, CiphertextBlob: blob, SourceEncryptionAlgorithm: sha1OAEP, DestinationKeyId: &f.arn, DryRun: yes},
			&sdk.ReEncryptInput{SourceKeyId: &rsa, SourceEncryptionAlgorithm: sha1OAEP, DestinationKeyId: &f.arn, DryRun: yes, DryRunModifiers: ignore},
			&sdk.ReEncryptInput{CiphertextBlob: symmetricBlob, DestinationKeyId: &rsa, DestinationEncryptionAlgorithm: sha1OAEP, DryRun: yes},
			&sdk.SignInput{KeyId: &s.signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256", DryRun: yes},
			&sdk.VerifyInput{KeyId: &s.signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256", Signature: s.signature, DryRun: yes},
			&sdk.GenerateMacInput{KeyId: &s.authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256", DryRun: yes},
			&sdk.VerifyMacInput{KeyId: &s.authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256", Mac: s.mac, DryRun: yes},
			&sdk.DeriveSharedSecretInput{KeyId: &s.agreement, KeyAgreementAlgorithm: "ECDH", PublicKey: s.peer, DryRun: yes},
			&sdk.EncapsulateInput{KeyId: &s.encapsulation, EncapsulationAlgorithm: "ML_KEM", DryRun: yes},
			&sdk.DecapsulateInput{KeyId: &s.encapsulation, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: s.sealed, DryRun: yes},
		} {
			refused(t, f.api, in, "DryRunOperationException", wouldHave)
		}
		refused(t, f.api, &sdk.VerifyInput{KeyId: &s.signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256", Signature: s.mac, DryRun: yes}, "KMSInvalidSignatureException", "")
		refused(t, f.api, &sdk.VerifyMacInput{KeyId: &s.authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256", Mac: s.signature, DryRun: yes}, "KMSInvalidMacException", "")
		forged := flip(symmetricBlob, 8*len(symmetricBlob)-1)
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: forged, DryRun: yes}, "InvalidCiphertextException", "")
		refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: forged, DestinationKeyId: &f.arn, DryRun: yes}, "InvalidCiphertextException", "")
	})
}
