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

// specUsage is a key spec, a usage that it allows, and the member of the metadata that
// lists the algorithms of both.
type specUsage struct {
	spec  types.KeySpec
	usage types.KeyUsageType
	set   func(m *types.KeyMetadata)
}

func encrypts(a ...types.EncryptionAlgorithmSpec) func(*types.KeyMetadata) {
	return func(m *types.KeyMetadata) { m.EncryptionAlgorithms = a }
}

func signs(a ...types.SigningAlgorithmSpec) func(*types.KeyMetadata) {
	return func(m *types.KeyMetadata) { m.SigningAlgorithms = a }
}

func macs(a types.MacAlgorithmSpec) func(*types.KeyMetadata) {
	return func(m *types.KeyMetadata) { m.MacAlgorithms = []types.MacAlgorithmSpec{a} }
}

func agrees(m *types.KeyMetadata) {
	m.KeyAgreementAlgorithms = []types.KeyAgreementAlgorithmSpec{"ECDH"}
}

func encapsulates(m *types.KeyMetadata) {
	m.EncapsulationAlgorithms = []types.EncapsulationAlgorithmSpec{"ML_KEM"}
}

// specTable is what keys of each spec can do.
func specTable() []specUsage {
	const (
		cipher, sign, mac  = types.KeyUsageTypeEncryptDecrypt, types.KeyUsageTypeSignVerify, types.KeyUsageTypeGenerateVerifyMac
		agree, encapsulate = types.KeyUsageTypeKeyAgreement, types.KeyUsageTypeEncapsulateDecapsulate
	)
	table := []specUsage{
		{"SYMMETRIC_DEFAULT", cipher, encrypts("SYMMETRIC_DEFAULT")},
		{"HMAC_224", mac, macs("HMAC_SHA_224")},
		{"HMAC_256", mac, macs("HMAC_SHA_256")},
		{"HMAC_384", mac, macs("HMAC_SHA_384")},
		{"HMAC_512", mac, macs("HMAC_SHA_512")},
		{"ECC_NIST_P256", sign, signs("ECDSA_SHA_256")},
		{"ECC_NIST_P384", sign, signs("ECDSA_SHA_384")},
		{"ECC_NIST_P521", sign, signs("ECDSA_SHA_512")},
		{"ECC_NIST_P256", agree, agrees},
		{"ECC_NIST_P384", agree, agrees},
		{"ECC_NIST_P521", agree, agrees},
		{"ECC_SECG_P256K1", sign, signs("ECDSA_SHA_256")},
		{"ECC_NIST_EDWARDS25519", sign, signs("ED25519_SHA_512", "ED25519_PH_SHA_512")},
		{"ML_DSA_44", sign, signs("ML_DSA_SHAKE_256")},
		{"ML_DSA_65", sign, signs("ML_DSA_SHAKE_256")},
		{"ML_DSA_87", sign, signs("ML_DSA_SHAKE_256")},
		{"ML_KEM_512", encapsulate, encapsulates},
		{"ML_KEM_768", encapsulate, encapsulates},
		{"ML_KEM_1024", encapsulate, encapsulates},
	}
	for _, rsa := range []types.KeySpec{"RSA_2048", "RSA_3072", "RSA_4096"} {
		table = append(table,
			specUsage{rsa, cipher, encrypts("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")},
			specUsage{rsa, sign, signs("RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
				"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512")})
	}
	return table
}

// TestEverySpec makes keys of every spec and usage, of AWS's material and waiting for
// the customer's, in one Region and in many, and compares the metadata to the last
// member.
func TestEverySpec(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, c := range specTable() {
			for _, origin := range []types.OriginType{types.OriginTypeAwsKms, types.OriginTypeExternal} {
				for _, multiRegion := range []bool{false, true} {
					slow := strings.HasPrefix(string(c.spec), "RSA_") && origin == types.OriginTypeAwsKms
					if slow && (c.spec != "RSA_2048" || multiRegion || c.usage != types.KeyUsageTypeSignVerify) {
						continue // a second or more each; another origin shows the same members
					}
					in := &sdk.CreateKeyInput{KeySpec: c.spec, KeyUsage: c.usage, Origin: origin}
					if multiRegion {
						in.MultiRegion = &multiRegion
					}
					got := do[sdk.CreateKeyOutput](t, f.api, in).KeyMetadata
					want := &types.KeyMetadata{
						AWSAccountId:          aws.String(account),
						Arn:                   aws.String("arn:aws:kms:us-east-1:111122223333:key/" + *got.KeyId),
						CreationDate:          aws.Time(kmstest.Start),
						CustomerMasterKeySpec: types.CustomerMasterKeySpec(c.spec),
						Description:           aws.String(""),
						Enabled:               true,
						KeyId:                 got.KeyId,
						KeyManager:            types.KeyManagerTypeCustomer,
						KeySpec:               c.spec,
						KeyState:              types.KeyStateEnabled,
						KeyUsage:              c.usage,
						MultiRegion:           &multiRegion,
						Origin:                origin,
					}
					c.set(want)
					switch {
					case origin == types.OriginTypeExternal:
						want.Enabled, want.KeyState = false, types.KeyStatePendingImport
					case c.spec == types.KeySpecSymmetricDefault:
						require.Regexp(t, materialIDPattern, aws.ToString(got.CurrentKeyMaterialId))
						want.CurrentKeyMaterialId = got.CurrentKeyMaterialId
					}
					if multiRegion {
						require.Regexp(t, `^mrk-[0-9a-f]{32}$`, *got.KeyId)
						want.MultiRegionConfiguration = &types.MultiRegionConfiguration{
							MultiRegionKeyType: types.MultiRegionKeyTypePrimary,
							PrimaryKey:         &types.MultiRegionKey{Arn: got.Arn, Region: aws.String(region)},
							ReplicaKeys:        []types.MultiRegionKey{},
						}
					} else {
						require.Regexp(t, uuidPattern, *got.KeyId)
					}
					require.Equal(t, want, got, "%s %s %s", c.spec, c.usage, origin)
					require.Equal(t, want, describe(t, f, *got.KeyId))
				}
			}
		}
	})
}

// TestEverySpecAndUsage tries each pair that the table does not have.
func TestEverySpecAndUsage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		table := specTable()
		for _, spec := range types.KeySpec("").Values() {
			if spec == types.KeySpecSm2 {
				refused(t, f.api, &sdk.CreateKeyInput{KeySpec: spec, KeyUsage: types.KeyUsageTypeSignVerify},
					"UnsupportedOperationException", "KeySpec SM2 is not supported in this Region.")
				continue
			}
			for _, usage := range types.KeyUsageType("").Values() {
				if slices.ContainsFunc(table, func(c specUsage) bool { return c.spec == spec && c.usage == usage }) {
					continue
				}
				refused(t, f.api, &sdk.CreateKeyInput{KeySpec: spec, KeyUsage: usage},
					"ValidationException", "KeyUsage "+string(usage)+" is not compatible with KeySpec "+string(spec))
			}
			if spec != types.KeySpecSymmetricDefault {
				refused(t, f.api, &sdk.CreateKeyInput{KeySpec: spec}, "ValidationException",
					"You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
			}
		}
	})
}

func TestCreateKeyOutsideOfAWS(t *testing.T) {
	t.Parallel()
	store, external := aws.String("cks-1234567890abcdef0"), aws.String("bb8562717f809024")
	each(t, func(t *testing.T, f *fixture) {
		for _, c := range []struct {
			in            *sdk.CreateKeyInput
			code, message string
		}{
			{&sdk.CreateKeyInput{Origin: types.OriginTypeAwsCloudhsm}, "ValidationException", "CustomKeyStoreId is required for Origin AWS_CLOUDHSM."},
			{&sdk.CreateKeyInput{Origin: types.OriginTypeExternalKeyStore, XksKeyId: external}, "ValidationException", "CustomKeyStoreId is required for Origin EXTERNAL_KEY_STORE."},
			{&sdk.CreateKeyInput{CustomKeyStoreId: store}, "ValidationException", "CustomKeyStoreId is not valid for Origin AWS_KMS."},
			{&sdk.CreateKeyInput{CustomKeyStoreId: store, Origin: types.OriginTypeExternalKeyStore}, "ValidationException", "XksKeyId is required for Origin EXTERNAL_KEY_STORE."},
			{&sdk.CreateKeyInput{CustomKeyStoreId: store, Origin: types.OriginTypeAwsCloudhsm, XksKeyId: external}, "ValidationException", "XksKeyId is not valid for Origin AWS_CLOUDHSM."},
			{
				&sdk.CreateKeyInput{CustomKeyStoreId: store, Origin: types.OriginTypeAwsCloudhsm, KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"},
				"ValidationException", "KeySpec HMAC_256 is not compatible with Origin AWS_CLOUDHSM",
			},
			{
				&sdk.CreateKeyInput{CustomKeyStoreId: store, Origin: types.OriginTypeAwsCloudhsm, MultiRegion: aws.Bool(true)},
				"UnsupportedOperationException", "A key in a custom key store cannot be a multi-Region key.",
			},
		} {
			refused(t, f.api, c.in, c.code, c.message)
		}
	})
}
