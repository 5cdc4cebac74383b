package kms_test

//lint:file-ignore SA1019 The deprecated member is part of the API and is answered.

import (
	"crypto"
	"crypto/x509"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyspec"
)

// listOf returns a kind's algorithms as one of the API's enums, nil if the usage is not
// the one of the enum.
func listOf[A ~string](k kind, usage types.KeyUsageType) []A {
	if k.usage != usage {
		return nil
	}
	var list []A
	for _, a := range k.algorithms {
		list = append(list, A(a))
	}
	return list
}

func TestPublicKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, k := range kinds {
			record := newRecord(t, k.spec, k.usage)
			key := putKey(t, f.Service(), record)
			in := &sdk.GetPublicKeyInput{KeyId: &key}
			s, ok := keyspec.Lookup(string(k.spec))
			require.True(t, ok)
			if k.usage == forAuthentication || k.spec == "SYMMETRIC_DEFAULT" {
				refused(t, f.api, in, "UnsupportedOperationException", "")
				continue
			}
			own, err := s.Parse(record.Materials[0].Bytes)
			require.NoError(t, err)
			want := &sdk.GetPublicKeyOutput{
				CustomerMasterKeySpec:   types.CustomerMasterKeySpec(k.spec),
				EncapsulationAlgorithms: listOf[types.EncapsulationAlgorithmSpec](k, forEncapsulation),
				EncryptionAlgorithms:    listOf[types.EncryptionAlgorithmSpec](k, forEncryption),
				KeyAgreementAlgorithms:  listOf[types.KeyAgreementAlgorithmSpec](k, forAgreement),
				KeyId:                   &key,
				KeySpec:                 k.spec,
				KeyUsage:                k.usage,
				PublicKey:               own.PublicKey(),
				SigningAlgorithms:       listOf[types.SigningAlgorithmSpec](k, forSigning),
			}
			got := do[sdk.GetPublicKeyOutput](t, f.api, in)
			require.Equal(t, want, got, "%s for %s", k.spec, k.usage)
			clear(got.PublicKey) // belongs to the caller
			require.Equal(t, want, do[sdk.GetPublicKeyOutput](t, f.api, in))
		}
	})
}

// TestPublicKeyIsTheOneOfThePrivateKey parses what the standard library knows.
func TestPublicKeyIsTheOneOfThePrivateKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for _, spec := range []types.KeySpec{"RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519"} {
		record := newRecord(t, spec, forSigning)
		private, err := x509.ParsePKCS8PrivateKey(record.Materials[0].Bytes)
		require.NoError(t, err)
		public, err := x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public())
		require.NoError(t, err)
		require.Equal(t, public, publicKeyOf(t, f, putKey(t, f.Service(), record)))
	}
}

// TestPublicKeysGoByAnyName has all identifiers name the key, and a bad token be refused.
func TestPublicKeysGoByAnyName(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		key := f.newKey(t, "ECC_NIST_P256", forAgreement)
		succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/public"), TargetKeyId: &key})
		for _, id := range []string{key, idOf(key), "alias/public", aliasARN("alias/public")} {
			require.Equal(t, key, *do[sdk.GetPublicKeyOutput](t, f.api, &sdk.GetPublicKeyInput{KeyId: &id}).KeyId)
		}
		refused(t, f.api, &sdk.GetPublicKeyInput{KeyId: &key, GrantTokens: []string{"x"}}, "InvalidGrantTokenException", badToken)
	})
}
