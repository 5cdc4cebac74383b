package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
)

func TestDataKeys(t *testing.T) {
	t.Parallel()
	sizes := []struct {
		spec types.DataKeySpec
		n    *int32
		want int
	}{
		{spec: types.DataKeySpecAes128, want: 16},
		{spec: types.DataKeySpecAes256, want: 32},
		{n: aws.Int32(1), want: 1},
		{n: aws.Int32(24), want: 24},
		{n: aws.Int32(64), want: 64},
		{n: aws.Int32(1024), want: 1024},
	}
	each(t, func(t *testing.T, f *fixture) {
		material := aws.String(materialOf(t, f, f.id))
		for _, id := range []string{f.id, f.arn, "alias/app", aliasARN("alias/app")} {
			for _, size := range sizes {
				got := do[sdk.GenerateDataKeyOutput](t, f.api, &sdk.GenerateDataKeyInput{KeyId: &id, KeySpec: size.spec, NumberOfBytes: size.n})
				require.Equal(t, &sdk.GenerateDataKeyOutput{
					CiphertextBlob: got.CiphertextBlob, KeyId: &f.arn, KeyMaterialId: material, Plaintext: got.Plaintext,
				}, got)
				require.Len(t, got.Plaintext, size.want)
				require.Equal(t, got.Plaintext, do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: got.CiphertextBlob}).Plaintext)

				quiet := do[sdk.GenerateDataKeyWithoutPlaintextOutput](t, f.api,
					&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &id, KeySpec: size.spec, NumberOfBytes: size.n})
				require.Equal(t, &sdk.GenerateDataKeyWithoutPlaintextOutput{
					CiphertextBlob: quiet.CiphertextBlob, KeyId: &f.arn, KeyMaterialId: material,
				}, quiet)
				key := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: quiet.CiphertextBlob}).Plaintext
				require.Len(t, key, size.want)
				if size.want >= 16 {
					require.NotEqual(t, got.Plaintext, key)
					require.NotEqual(t, make([]byte, size.want), key) // the clear copy is wiped after it is sealed
				}
			}
		}
	})
}

func TestDataKeySize(t *testing.T) {
	t.Parallel()
	const message = "Please specify either number of bytes or key spec."
	each(t, func(t *testing.T, f *fixture) {
		n := aws.Int32(32)
		refused(t, f.api, &sdk.GenerateDataKeyInput{KeyId: &f.id}, "ValidationException", message)
		refused(t, f.api, &sdk.GenerateDataKeyInput{KeyId: &f.id, NumberOfBytes: n, KeySpec: "AES_256"}, "ValidationException", message)
		refused(t, f.api, &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &f.id}, "ValidationException", message)
		refused(t, f.api, &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &f.id, NumberOfBytes: n, KeySpec: "AES_128"}, "ValidationException", message)
	})
}

// TestRandomOfKeyStores: AWS CloudHSM key stores give some while they are connected.
func TestRandomOfKeyStores(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		of := func(store string) *sdk.GenerateRandomInput {
			return &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(24), CustomKeyStoreId: &store}
		}
		hsm := f.createConnected(t, f.hsmStore("hsm"))
		require.Len(t, do[sdk.GenerateRandomOutput](t, f.api, of(hsm)).Plaintext, 24)
		f.disconnect(t, hsm)
		refused(t, f.api, of(hsm), "CustomKeyStoreInvalidStateException", wrongState(hsm, types.ConnectionStateTypeDisconnected))
		external := f.createConnected(t, f.externalStore("external"))
		refused(t, f.api, of(external), "UnsupportedOperationException", "GenerateRandom is not supported for the external key store "+external+".")
		refused(t, f.api, of("cks-1234567890abcdef0"), "CustomKeyStoreNotFoundException", storeNotFound("cks-1234567890abcdef0"))
		refused(t, f.api, of(""), "ValidationException", one(blank("customKeyStoreId", "length greater than or equal to 1")))
	})
}

func TestGenerateRandom(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, n := range []int32{1, 12, 44, 91, 1024} {
			got := do[sdk.GenerateRandomOutput](t, f.api, &sdk.GenerateRandomInput{NumberOfBytes: &n})
			require.Len(t, got.Plaintext, int(n))
			require.Equal(t, &sdk.GenerateRandomOutput{Plaintext: got.Plaintext}, got)
			again := do[sdk.GenerateRandomOutput](t, f.api, &sdk.GenerateRandomInput{NumberOfBytes: &n}).Plaintext
			if n >= 12 {
				require.NotEqual(t, got.Plaintext, again)
			}
		}
	})
}
