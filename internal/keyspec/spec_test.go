package keyspec_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// rows says of each spec what the documentation of AWS KMS does.
var rows = []struct {
	name       string
	kind       string
	pair       bool
	usages     []string
	algorithms [][]string
}{
	{"RSA_2048", "asymmetric", true, rsaUsages, rsaAlgorithms},
	{"RSA_3072", "asymmetric", true, rsaUsages, rsaAlgorithms},
	{"RSA_4096", "asymmetric", true, rsaUsages, rsaAlgorithms},
	{"ECC_NIST_P256", "asymmetric", true, nistUsages, [][]string{{"ECDSA_SHA_256"}, {"ECDH"}}},
	{"ECC_NIST_P384", "asymmetric", true, nistUsages, [][]string{{"ECDSA_SHA_384"}, {"ECDH"}}},
	{"ECC_NIST_P521", "asymmetric", true, nistUsages, [][]string{{"ECDSA_SHA_512"}, {"ECDH"}}},
	{"ECC_SECG_P256K1", "asymmetric", true, []string{"SIGN_VERIFY"}, [][]string{{"ECDSA_SHA_256"}}},
	{"SYMMETRIC_DEFAULT", "symmetric", false, []string{"ENCRYPT_DECRYPT"}, [][]string{{"SYMMETRIC_DEFAULT"}}},
	{"HMAC_224", "hmac", false, []string{"GENERATE_VERIFY_MAC"}, [][]string{{"HMAC_SHA_224"}}},
	{"HMAC_256", "hmac", false, []string{"GENERATE_VERIFY_MAC"}, [][]string{{"HMAC_SHA_256"}}},
	{"HMAC_384", "hmac", false, []string{"GENERATE_VERIFY_MAC"}, [][]string{{"HMAC_SHA_384"}}},
	{"HMAC_512", "hmac", false, []string{"GENERATE_VERIFY_MAC"}, [][]string{{"HMAC_SHA_512"}}},
	{"ML_DSA_44", "asymmetric", false, []string{"SIGN_VERIFY"}, [][]string{{"ML_DSA_SHAKE_256"}}},
	{"ML_DSA_65", "asymmetric", false, []string{"SIGN_VERIFY"}, [][]string{{"ML_DSA_SHAKE_256"}}},
	{"ML_DSA_87", "asymmetric", false, []string{"SIGN_VERIFY"}, [][]string{{"ML_DSA_SHAKE_256"}}},
	{"ECC_NIST_EDWARDS25519", "asymmetric", true, []string{"SIGN_VERIFY"}, [][]string{{"ED25519_SHA_512", "ED25519_PH_SHA_512"}}},
	{"ML_KEM_512", "asymmetric", true, []string{"ENCAPSULATE_DECAPSULATE"}, [][]string{{"ML_KEM"}}},
	{"ML_KEM_768", "asymmetric", true, []string{"ENCAPSULATE_DECAPSULATE"}, [][]string{{"ML_KEM"}}},
	{"ML_KEM_1024", "asymmetric", true, []string{"ENCAPSULATE_DECAPSULATE"}, [][]string{{"ML_KEM"}}},
}

var (
	rsaUsages     = []string{"ENCRYPT_DECRYPT", "SIGN_VERIFY"}
	nistUsages    = []string{"SIGN_VERIFY", "KEY_AGREEMENT"}
	rsaAlgorithms = [][]string{
		{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"},
		{
			"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
			"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
		},
	}
)

func TestTable(t *testing.T) {
	t.Parallel()
	require.Len(t, keyspec.All(), len(rows))
	for i, row := range rows {
		s, ok := keyspec.Lookup(row.name)
		require.True(t, ok)
		require.Same(t, keyspec.All()[i], s)
		require.Equal(t, row.name, s.Name())
		require.Equal(t, row.kind == "symmetric", s.Symmetric())
		require.Equal(t, row.kind == "hmac", s.HMAC())
		require.Equal(t, row.kind == "asymmetric", s.Asymmetric())
		require.Equal(t, row.pair, s.DataKeyPair())
		require.Equal(t, row.usages, s.Usages())
		for j, usage := range row.usages {
			require.Equal(t, row.algorithms[j], s.Algorithms(usage))
			for _, algorithm := range row.algorithms[j] {
				require.True(t, s.Takes(usage, algorithm))
				require.False(t, s.Takes("", algorithm))
			}
			require.False(t, s.Takes(usage, ""))
		}
		for _, usage := range types.KeyUsageType("").Values() {
			require.Equal(t, slices.Contains(row.usages, string(usage)), s.Algorithms(string(usage)) != nil)
		}
		require.Nil(t, s.Algorithms(""))
	}
}

// TestNamesAreAWS compares the table with the SDK's enumerations: it has all of them but
// those of China, and in their order.
func TestNamesAreAWS(t *testing.T) {
	t.Parallel()
	china := []string{"SM2", "SM2PKE", "SM2DSA"}
	var want, pairs []string
	for _, s := range types.KeySpec("").Values() {
		want = append(want, string(s))
	}
	for _, s := range types.DataKeyPairSpec("").Values() {
		pairs = append(pairs, string(s))
	}
	var algorithms []string
	for _, a := range types.EncryptionAlgorithmSpec("").Values() {
		algorithms = append(algorithms, string(a))
	}
	for _, a := range types.SigningAlgorithmSpec("").Values() {
		algorithms = append(algorithms, string(a))
	}
	for _, a := range types.MacAlgorithmSpec("").Values() {
		algorithms = append(algorithms, string(a))
	}
	for _, a := range types.KeyAgreementAlgorithmSpec("").Values() {
		algorithms = append(algorithms, string(a))
	}
	for _, a := range types.EncapsulationAlgorithmSpec("").Values() {
		algorithms = append(algorithms, string(a))
	}

	var names, have []string
	for _, s := range keyspec.All() {
		names = append(names, s.Name())
		require.Equal(t, slices.Contains(pairs, s.Name()), s.DataKeyPair(), s.Name())
		for _, u := range s.Usages() {
			require.Contains(t, types.KeyUsageType("").Values(), types.KeyUsageType(u))
			have = append(have, s.Algorithms(u)...)
		}
	}
	isChinese := func(s string) bool { return slices.Contains(china, s) }
	require.Equal(t, slices.DeleteFunc(want, isChinese), names)
	require.ElementsMatch(t, slices.DeleteFunc(algorithms, isChinese), slices.Compact(slices.Sorted(slices.Values(have))))
}

func TestLookupOfOthers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"SM2", "", "rsa_2048", "RSA_1024", "AES_256", "ECC_NIST_P224", "RSA_2048 "} {
		s, ok := keyspec.Lookup(name)
		require.False(t, ok, name)
		require.Nil(t, s)
	}
}

// TestTableCannotBeChanged writes to everything that the table hands out.
func TestTableCannotBeChanged(t *testing.T) {
	t.Parallel()
	clear(keyspec.All())
	s := lookup(t, "RSA_2048")
	clear(s.Usages())
	clear(s.Algorithms("SIGN_VERIFY"))
	require.Same(t, s, keyspec.All()[0])
	require.Equal(t, rsaUsages, s.Usages())
	require.Equal(t, rsaAlgorithms[1], s.Algorithms("SIGN_VERIFY"))
}
