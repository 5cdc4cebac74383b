package kms_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/awsjson"
	"github.com/sealring/sealring/kms/kmstest"
)

// What has been recorded of AWS makes eighteen items that the engine has to reproduce.
// Most are part of a test that goes further; acceptance says of which. What those leave
// over is tested here.
var acceptance = map[int][]string{
	// 1. GenerateRandom: the member that is required, its bounds, lengths.
	1: {"TestRequiredMembers", "TestBounds", "TestGenerateRandom"},
	// 2. Encrypt: a byte more than each RSA algorithm takes; 0 and 4,097 bytes.
	2: {"TestOAEPLimits", "TestBounds"},
	// 3. DescribeKey: keys that are not there, and what is no key.
	3: {"TestRefusedIdentifiers"},
	// 4. CreateKey: exactly the members that a key has.
	4: {"TestEverySpec", "TestMembersOfNewKeys"},
	// 5. Sign and Verify: messages and digests, salts, wrong signatures.
	5: {"TestSignatures", "TestAlteredSignatures", "TestSaltOfPSS", "TestMessages"},
	// 6. GenerateMac and VerifyMac: pairs of spec and algorithm, wrong messages.
	6: {"TestMACs", "TestAlteredMACs", "TestUsages", "TestEnumsOfKeyOperations"},
	// 7. Keys for another usage.
	7: {"TestUsages"},
	// 8. Ciphertexts of other keys, and of other contexts.
	8: {"TestTheKeyOfACiphertext", "TestEncryptionContextIsBound", "TestContextOfEveryCiphertext", "TestKeysThatDecryptNothing"},
	// 9. The life of an imported symmetric key.
	9: {"TestImportedSymmetricKey"},
	// 10. Import of every spec.
	10: {"TestImportedKeySpecs", "TestImportOfALongRSAKey"},
	// 11. Rotation.
	11: {"TestRotationStatus", "TestRotateOnDemand", "TestRotateOnDemandRefusals", "TestKeysWithoutRotation", "TestThirtyRotations"},
	// 12. Several materials.
	12: {"TestSecondMaterial"},
	// 13. Tags.
	13: {"TestTagRefusals", "TestTagLimits", "TestTagsKeepTheirOrder"},
	// 14. ReplicateKey.
	14: {"TestMultiRegionKey", "TestReplicateKeyRefusals", "TestSettling"},
	// 15. Dry runs of data key pairs.
	15: {"TestRefusedDataKeyPairs"},
	// 16. DeriveSharedSecret. That OpenSSL derives the same is tested in integration.
	16: {"TestSharedSecrets", "TestBadPeers", "TestEverySpecAndUsage"},
	// 17. ReEncrypt between symmetric keys and between RSA keys.
	17: {"TestReEncrypt", "TestReEncryptBetweenKinds"},
	// 18. The SDK's snapshots of the wire format.
	18: {"../internal/awsjson TestSnapshots"},
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// TestAcceptance checks that the tests that the list names are there.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, dir := range []string{"", "../internal/awsjson"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range testName.FindAllSubmatch(source, -1) {
				name := string(m[1])
				if dir != "" {
					name = dir + " " + name
				}
				there[name] = true
			}
		}
	}
	require.Len(t, acceptance, 18)
	for item, tests := range acceptance {
		require.NotEmpty(t, tests)
		for _, name := range tests {
			require.True(t, there[name], "item %d: there is no %s", item, name)
		}
	}
}

// TestMembersOfNewKeys is item 4 as it goes over the wire: no member that does not
// apply, and none that is null.
func TestMembersOfNewKeys(t *testing.T) {
	t.Parallel()
	always := []string{
		"AWSAccountId", "Arn", "CreationDate", "CustomerMasterKeySpec", "Description", "Enabled", "KeyId",
		"KeyManager", "KeySpec", "KeyState", "KeyUsage", "MultiRegion", "Origin",
	}
	rows := []struct {
		in      sdk.CreateKeyInput
		members []string
	}{
		{sdk.CreateKeyInput{}, []string{"CurrentKeyMaterialId", "EncryptionAlgorithms"}},
		{sdk.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: forAuthentication}, []string{"MacAlgorithms"}},
		{sdk.CreateKeyInput{Origin: types.OriginTypeExternal}, []string{"EncryptionAlgorithms"}},
		{sdk.CreateKeyInput{Origin: types.OriginTypeExternal, KeySpec: "ECC_NIST_P256", KeyUsage: forSigning}, []string{"SigningAlgorithms"}},
		{sdk.CreateKeyInput{Origin: types.OriginTypeExternal, KeySpec: "RSA_4096", KeyUsage: forEncryption}, []string{"EncryptionAlgorithms"}},
		{sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}, []string{"CurrentKeyMaterialId", "EncryptionAlgorithms", "MultiRegionConfiguration"}},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, row := range rows {
			out := do[sdk.CreateKeyOutput](t, f.api, &row.in)
			b, err := awsjson.Append(nil, out)
			require.NoError(t, err)
			require.NotContains(t, string(b), "null")
			var wire struct{ KeyMetadata map[string]json.RawMessage }
			require.NoError(t, json.Unmarshal(b, &wire))
			require.ElementsMatch(t, append(row.members, always...), slices.Collect(maps.Keys(wire.KeyMetadata)))
			if c, ok := wire.KeyMetadata["MultiRegionConfiguration"]; ok {
				require.Contains(t, string(c), `"ReplicaKeys":[]`)
			}
		}
	})
}

// TestContextOfEveryCiphertext is item 8 for everything that makes a ciphertext.
func TestContextOfEveryCiphertext(t *testing.T) {
	t.Parallel()
	context := map[string]string{"tenant": "42", "purpose": "test"}
	wrong := []map[string]string{
		nil, {"tenant": "42"}, {"tenant": "43", "purpose": "test"}, {"Tenant": "42", "purpose": "test"}, {"tenant": "test", "purpose": "42"},
		{"tenant": "42", "purpose": "test", "more": "x"},
	}
	each(t, func(t *testing.T, f *fixture) {
		const aes, p256 = types.DataKeySpecAes256, types.DataKeyPairSpecEccNistP256
		for name, blob := range map[string][]byte{
			"Encrypt":             f.plant(t, "secret", context),
			"GenerateDataKey":     do[sdk.GenerateDataKeyOutput](t, f.api, &sdk.GenerateDataKeyInput{KeyId: &f.id, KeySpec: aes, EncryptionContext: context}).CiphertextBlob,
			"GenerateDataKeyPair": do[sdk.GenerateDataKeyPairOutput](t, f.api, &sdk.GenerateDataKeyPairInput{KeyId: &f.id, KeyPairSpec: p256, EncryptionContext: context}).PrivateKeyCiphertextBlob,
			"GenerateDataKeyWithoutPlaintext": do[sdk.GenerateDataKeyWithoutPlaintextOutput](t, f.api,
				&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &f.id, KeySpec: aes, EncryptionContext: context}).CiphertextBlob,
			"GenerateDataKeyPairWithoutPlaintext": do[sdk.GenerateDataKeyPairWithoutPlaintextOutput](t, f.api,
				&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &f.id, KeyPairSpec: p256, EncryptionContext: context}).PrivateKeyCiphertextBlob,
		} {
			require.Equal(t, f.arn, *do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: context}).KeyId, name)
			for _, w := range wrong {
				refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: w}, "InvalidCiphertextException", "")
				refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, SourceEncryptionContext: w, DestinationKeyId: &f.id}, "InvalidCiphertextException", "")
			}
		}
	})
}

// TestKeysThatDecryptNothing is item 8 for keys of other usages: that a ciphertext is
// another key's comes before what the key in the request is for, and in what state.
func TestKeysThatDecryptNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		blob := f.plant(t, "secret", nil)
		other := f.Seed(kmstest.Key{Alias: "alias/other"})
		keys := []string{other}
		for _, k := range kinds[1:] {
			keys = append(keys, f.newKey(t, k.spec, k.usage))
		}
		for i, key := range keys {
			if i%2 == 1 {
				succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &key})
			}
			what := fmt.Sprint(describe(t, f, key).KeySpec)
			_, err := call(t.Context(), f.api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &key})
			require.Error(t, err, what)
			requireRefusal(t, err, "IncorrectKeyException", incorrectKey)
			refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, SourceKeyId: &key, DestinationKeyId: &f.id}, "IncorrectKeyException", incorrectKey)
		}
	})
}
