package kms_test

import (
	"bytes"
	"crypto/mlkem"
	"encoding/asn1"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyspec"
)

// kemCiphertexts are the lengths of ciphertexts.
var kemCiphertexts = map[types.KeySpec]int{"ML_KEM_512": 768, "ML_KEM_768": 1088, "ML_KEM_1024": 1568}

func decapsulated(t *testing.T, f *fixture, key string, ciphertext []byte) []byte {
	t.Helper()
	out := do[sdk.DecapsulateOutput](t, f.api, &sdk.DecapsulateInput{KeyId: &key, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: ciphertext})
	require.Equal(t, &sdk.DecapsulateOutput{EncapsulationAlgorithm: "ML_KEM", KeyId: &key, SharedSecret: out.SharedSecret}, out)
	require.Len(t, out.SharedSecret, 32)
	return out.SharedSecret
}

func TestEncapsulation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for spec, size := range kemCiphertexts {
			key := f.newKey(t, spec, forEncapsulation)
			seen := map[string]bool{}
			for range 3 {
				out := do[sdk.EncapsulateOutput](t, f.api, &sdk.EncapsulateInput{KeyId: &key, EncapsulationAlgorithm: "ML_KEM"})
				require.Equal(t, &sdk.EncapsulateOutput{
					EncapsulationAlgorithm: "ML_KEM", KeyId: &key,
					SharedSecret: out.SharedSecret, SharedSecretCiphertextBlob: out.SharedSecretCiphertextBlob,
				}, out)
				require.Len(t, out.SharedSecretCiphertextBlob, size)
				require.Equal(t, out.SharedSecret, decapsulated(t, f, key, out.SharedSecretCiphertextBlob))
				seen[string(out.SharedSecret)], seen[string(out.SharedSecretCiphertextBlob)] = true, true
			}
			require.Len(t, seen, 6)
		}
	})
}

// encapsulateOutside makes a secret for the owner of a public key.
func encapsulateOutside(t *testing.T, spec types.KeySpec, spki []byte) (secret, ciphertext []byte) {
	t.Helper()
	var info struct {
		Algorithm struct{ ID asn1.ObjectIdentifier }
		Key       asn1.BitString
	}
	_, err := asn1.Unmarshal(spki, &info)
	require.NoError(t, err)
	switch spec {
	case "ML_KEM_768":
		public, err := mlkem.NewEncapsulationKey768(info.Key.Bytes)
		require.NoError(t, err)
		return public.Encapsulate()
	case "ML_KEM_1024":
		public, err := mlkem.NewEncapsulationKey1024(info.Key.Bytes)
		require.NoError(t, err)
		return public.Encapsulate()
	}
	s, _ := keyspec.Lookup(string(spec)) // the standard library does not have it
	public, err := s.ParsePublic(spki)
	require.NoError(t, err)
	secret, ciphertext, err = public.Encapsulate()
	require.NoError(t, err)
	return secret, ciphertext
}

func TestEncapsulationOutside(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for spec := range kemCiphertexts {
			key := f.newKey(t, spec, forEncapsulation)
			secret, ciphertext := encapsulateOutside(t, spec, publicKeyOf(t, f, key))
			require.Equal(t, secret, decapsulated(t, f, key, ciphertext))
		}
	})
}

// TestImplicitRejection has a ciphertext of the right length always give a secret: of a
// wrong one always the same, which is nobody else's.
func TestImplicitRejection(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for spec, size := range kemCiphertexts {
			key, other := f.newKey(t, spec, forEncapsulation), f.newKey(t, spec, forEncapsulation)
			secret, ciphertext := encapsulateOutside(t, spec, publicKeyOf(t, f, key))
			seen := map[string]bool{string(secret): true}
			wrong := [][]byte{flip(ciphertext, 0), flip(ciphertext, 8*size-1), make([]byte, size), bytes.Repeat([]byte{0xff}, size)}
			for _, w := range wrong {
				got := decapsulated(t, f, key, w)
				require.Equal(t, got, decapsulated(t, f, key, w))
				seen[string(got)] = true
			}
			seen[string(decapsulated(t, f, other, ciphertext))] = true
			require.Len(t, seen, 2+len(wrong))

			for _, length := range []int{1, size - 1, size + 1, 6144} {
				for _, dryRun := range []*bool{nil, aws.Bool(true)} {
					refused(t, f.api, &sdk.DecapsulateInput{
						KeyId: &key, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: make([]byte, length), DryRun: dryRun,
					}, "InvalidCiphertextException", "")
				}
			}
		}
	})
}
