package kms_test

import (
	"slices"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/internal/uuid"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// kind is what a key can be made for: a spec and a usage, with the algorithms that AWS
// lists for them.
type kind struct {
	spec       types.KeySpec
	usage      types.KeyUsageType
	algorithms []string
}

const (
	forEncryption     = types.KeyUsageTypeEncryptDecrypt
	forSigning        = types.KeyUsageTypeSignVerify
	forAuthentication = types.KeyUsageTypeGenerateVerifyMac
	forAgreement      = types.KeyUsageTypeKeyAgreement
	forEncapsulation  = types.KeyUsageTypeEncapsulateDecapsulate
)

var (
	oaep       = []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}
	rsaSigning = []string{
		"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
		"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
	}
)

// kinds is every kind of key outside China.
var kinds = []kind{
	{"SYMMETRIC_DEFAULT", forEncryption, []string{"SYMMETRIC_DEFAULT"}},
	{"HMAC_224", forAuthentication, []string{"HMAC_SHA_224"}},
	{"HMAC_256", forAuthentication, []string{"HMAC_SHA_256"}},
	{"HMAC_384", forAuthentication, []string{"HMAC_SHA_384"}},
	{"HMAC_512", forAuthentication, []string{"HMAC_SHA_512"}},
	{"RSA_2048", forEncryption, oaep},
	{"RSA_3072", forEncryption, oaep},
	{"RSA_4096", forEncryption, oaep},
	{"RSA_2048", forSigning, rsaSigning},
	{"RSA_3072", forSigning, rsaSigning},
	{"RSA_4096", forSigning, rsaSigning},
	{"ECC_NIST_P256", forSigning, []string{"ECDSA_SHA_256"}},
	{"ECC_NIST_P384", forSigning, []string{"ECDSA_SHA_384"}},
	{"ECC_NIST_P521", forSigning, []string{"ECDSA_SHA_512"}},
	{"ECC_SECG_P256K1", forSigning, []string{"ECDSA_SHA_256"}},
	{"ECC_NIST_EDWARDS25519", forSigning, []string{"ED25519_SHA_512", "ED25519_PH_SHA_512"}},
	{"ML_DSA_44", forSigning, []string{"ML_DSA_SHAKE_256"}},
	{"ML_DSA_65", forSigning, []string{"ML_DSA_SHAKE_256"}},
	{"ML_DSA_87", forSigning, []string{"ML_DSA_SHAKE_256"}},
	{"ECC_NIST_P256", forAgreement, []string{"ECDH"}},
	{"ECC_NIST_P384", forAgreement, []string{"ECDH"}},
	{"ECC_NIST_P521", forAgreement, []string{"ECDH"}},
	{"ML_KEM_512", forEncapsulation, []string{"ML_KEM"}},
	{"ML_KEM_768", forEncapsulation, []string{"ML_KEM"}},
	{"ML_KEM_1024", forEncapsulation, []string{"ML_KEM"}},
}

// kindsFor returns the kinds of one usage.
func kindsFor(usage types.KeyUsageType) []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return k.usage != usage })
}

// TestKindsAreAll holds the table above to what keys can be created for.
func TestKindsAreAll(t *testing.T) {
	t.Parallel()
	n := 0
	for _, s := range keyspec.All() {
		for _, usage := range s.Usages() {
			n++
			i := slices.IndexFunc(kinds, func(k kind) bool { return string(k.spec) == s.Name() && string(k.usage) == usage })
			require.GreaterOrEqual(t, i, 0, "%s for %s", s.Name(), usage)
			require.Equal(t, kinds[i].algorithms, s.Algorithms(usage))
		}
	}
	require.Len(t, kinds, n)
}

// generated returns new material of a spec. That of an RSA key, which takes long to
// make, is always the same.
func generated(t *testing.T, spec types.KeySpec) []byte {
	t.Helper()
	if once, ok := rsaMaterials[spec]; ok {
		return once()
	}
	return generate(spec)
}

var rsaMaterials = map[types.KeySpec]func() []byte{
	"RSA_2048": sync.OnceValue(func() []byte { return generate("RSA_2048") }),
	"RSA_3072": sync.OnceValue(func() []byte { return generate("RSA_3072") }),
	"RSA_4096": sync.OnceValue(func() []byte { return generate("RSA_4096") }),
}

func generate(spec types.KeySpec) []byte {
	s, _ := keyspec.Lookup(string(spec))
	material, err := s.Generate()
	if err != nil {
		panic(err)
	}
	return material
}

// newRecord returns the record of an enabled key.
func newRecord(t *testing.T, spec types.KeySpec, usage types.KeyUsageType) *keyrecord.Key {
	t.Helper()
	k := &keyrecord.Key{
		Account: account, Region: region, ID: uuid.New(), Created: kmstest.Start, Enabled: true,
		Spec: string(spec), Usage: string(usage), Origin: "AWS_KMS",
	}
	k.Materials = []keyrecord.Material{keyrecord.NewMaterial(k.ID, generated(t, spec), kmstest.Start)}
	return k
}

// putKey stores a key's record and returns its ARN.
func putKey(t *testing.T, s *kms.Service, k *keyrecord.Key) string {
	t.Helper()
	require.NoError(t, s.PutKey(t.Context(), k))
	return k.ARN()
}

// newKey gives the fixture a key and returns its ARN.
func (f *fixture) newKey(t *testing.T, spec types.KeySpec, usage types.KeyUsageType) string {
	t.Helper()
	return putKey(t, f.Service(), newRecord(t, spec, usage))
}

// keySet is a key of each usage but encryption, and what requests about them need.
type keySet struct {
	signing, authentication, agreement, encapsulation string // ARNs
	signature, mac, peer, sealed                      []byte
}

var messageOfTests = []byte("the message")

// plantKeys gives the fixture a set of keys, for requests about them.
func (f *fixture) plantKeys(t *testing.T) {
	t.Helper()
	s := &keySet{
		signing:        f.newKey(t, "ECC_NIST_P256", forSigning),
		authentication: f.newKey(t, "HMAC_256", forAuthentication),
		agreement:      f.newKey(t, "ECC_NIST_P256", forAgreement),
		encapsulation:  f.newKey(t, "ML_KEM_512", forEncapsulation),
	}
	service := f.Client(f.Root())
	s.signature = do[sdk.SignOutput](t, service, &sdk.SignInput{KeyId: &s.signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"}).Signature
	s.mac = do[sdk.GenerateMacOutput](t, service, &sdk.GenerateMacInput{KeyId: &s.authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256"}).Mac
	s.peer = do[sdk.GetPublicKeyOutput](t, service, &sdk.GetPublicKeyInput{KeyId: &s.agreement}).PublicKey
	s.sealed = do[sdk.EncapsulateOutput](t, service, &sdk.EncapsulateInput{KeyId: &s.encapsulation, EncapsulationAlgorithm: "ML_KEM"}).SharedSecretCiphertextBlob
	f.keys = s
}

// aboutKeys is a request of every operation on the planted keys. Without them, the
// requests are about keys that nobody has.
func aboutKeys(f *fixture) []permission {
	s := f.keys
	if s == nil {
		none := keyrecord.KeyARN(region, account, unknownID)
		s = &keySet{none, none, none, none, []byte("x"), []byte("x"), []byte("x"), []byte("x")}
	}
	return []permission{
		{&sdk.DecapsulateInput{KeyId: &s.encapsulation, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: s.sealed}, "kms:Decapsulate", s.encapsulation},
		{&sdk.DeriveSharedSecretInput{KeyId: &s.agreement, KeyAgreementAlgorithm: "ECDH", PublicKey: s.peer}, "kms:DeriveSharedSecret", s.agreement},
		{&sdk.EncapsulateInput{KeyId: &s.encapsulation, EncapsulationAlgorithm: "ML_KEM"}, "kms:Encapsulate", s.encapsulation},
		{&sdk.GenerateMacInput{KeyId: &s.authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256"}, "kms:GenerateMac", s.authentication},
		{&sdk.GetPublicKeyInput{KeyId: &s.signing}, "kms:GetPublicKey", s.signing},
		{&sdk.SignInput{KeyId: &s.signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"}, "kms:Sign", s.signing},
		{&sdk.VerifyInput{KeyId: &s.signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256", Signature: s.signature}, "kms:Verify", s.signing},
		{&sdk.VerifyMacInput{KeyId: &s.authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256", Mac: s.mac}, "kms:VerifyMac", s.authentication},
	}
}

// inputs returns the requests alone.
func inputs(all []permission) []any {
	list := make([]any, len(all))
	for i, p := range all {
		list[i] = p.in
	}
	return list
}
