package integration

import (
	"crypto/elliptic"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// wycheproofFile is a file of Project Wycheproof: how it is run, how many of its vectors
// apply, and how many there are. The others have a label, another key size, another hash
// and the like.
type wycheproofFile struct {
	name       string
	run        runner
	ran, total int
}

// wycheproofFiles are those for the primitives that local keys offer, as AWS has them.
//
// A vector whose result is "acceptable" is one that an implementation may take or not.
// We take none: they are public keys that are not DER, or on a curve that is given by its
// parameters, or have a compressed point; and RSA signatures whose DigestInfo lacks the
// NULL.
var wycheproofFiles = []wycheproofFile{
	{"rsa_oaep_2048_sha1_mgf1sha1", oaep("RSAES_OAEP_SHA_1"), 36, 36},
	{"rsa_oaep_2048_sha256_mgf1sha256", oaep("RSAES_OAEP_SHA_256"), 37, 37},
	{"rsa_oaep_3072_sha256_mgf1sha256", oaep("RSAES_OAEP_SHA_256"), 37, 37},
	{"rsa_oaep_4096_sha256_mgf1sha256", oaep("RSAES_OAEP_SHA_256"), 37, 37},
	{"rsa_pss_2048_sha256_mgf1_0", pss, 61, 103},
	{"rsa_pss_2048_sha256_mgf1_32", pss, 108, 108},
	{"rsa_pss_2048_sha256_mgf1sha1_20", pss, 63, 108},
	{"rsa_pss_2048_sha384_mgf1_48", pss, 141, 141},
	{"rsa_pss_3072_sha256_mgf1_32", pss, 108, 108},
	{"rsa_pss_4096_sha256_mgf1_32", pss, 108, 108},
	{"rsa_pss_4096_sha384_mgf1_48", pss, 141, 141},
	{"rsa_pss_4096_sha512_mgf1_32", pss, 132, 177},
	{"rsa_pss_4096_sha512_mgf1_64", pss, 179, 179},
	{"rsa_pss_misc", pss, 90, 150},
	{"rsa_signature_2048_sha256", pkcs1, 259, 259},
	{"rsa_signature_2048_sha384", pkcs1, 258, 258},
	{"rsa_signature_2048_sha512", pkcs1, 259, 259},
	{"rsa_signature_3072_sha256", pkcs1, 259, 259},
	{"rsa_signature_3072_sha384", pkcs1, 259, 259},
	{"rsa_signature_3072_sha512", pkcs1, 260, 260},
	{"rsa_signature_4096_sha256", pkcs1, 258, 258},
	{"rsa_signature_4096_sha384", pkcs1, 259, 259},
	{"rsa_signature_4096_sha512", pkcs1, 259, 259},
	{"ecdsa_secp256r1_sha256", signature("ECC_NIST_P256", "ECDSA_SHA_256"), 484, 484},
	{"ecdsa_secp384r1_sha384", signature("ECC_NIST_P384", "ECDSA_SHA_384"), 504, 504},
	{"ecdsa_secp521r1_sha512", signature("ECC_NIST_P521", "ECDSA_SHA_512"), 542, 542},
	{"ecdsa_secp256k1_sha256", signature("ECC_SECG_P256K1", "ECDSA_SHA_256"), 476, 476},
	{"ed25519", signature("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"), 151, 151},
	{"ecdh_secp256r1", agreement("ECC_NIST_P256", elliptic.P256()), 612, 612},
	{"ecdh_secp384r1", agreement("ECC_NIST_P384", elliptic.P384()), 1047, 1047},
	{"ecdh_secp521r1", agreement("ECC_NIST_P521", elliptic.P521()), 916, 916},
	{"hmac_sha224", mac("HMAC_224", "HMAC_SHA_224", 28, 64), 160, 172},
	{"hmac_sha256", mac("HMAC_256", "HMAC_SHA_256", 32, 64), 162, 174},
	{"hmac_sha384", mac("HMAC_384", "HMAC_SHA_384", 48, 128), 168, 174},
	{"hmac_sha512", mac("HMAC_512", "HMAC_SHA_512", 64, 128), 168, 174},
	{"aes_gcm", gcm, 66, 316},
	{"aes_kwp", keyWrap, 254, 254},
	{"mlkem_512", decapsulate("ML_KEM_512"), 200, 200},
	{"mlkem_512_keygen_seed", kemSeed("ML_KEM_512"), 100, 100},
	{"mlkem_512_encaps", encapsulationKey("ML_KEM_512"), 261, 261},
	{"mlkem_768", decapsulate("ML_KEM_768"), 201, 201},
	{"mlkem_768_keygen_seed", kemSeed("ML_KEM_768"), 100, 100},
	{"mlkem_768_encaps", encapsulationKey("ML_KEM_768"), 265, 265},
	{"mlkem_1024", decapsulate("ML_KEM_1024"), 202, 202},
	{"mlkem_1024_keygen_seed", kemSeed("ML_KEM_1024"), 100, 100},
	{"mlkem_1024_encaps", encapsulationKey("ML_KEM_1024"), 269, 269},
	{"mldsa_44_verify", mldsaVerify("ML_DSA_44"), 175, 180},
	{"mldsa_44_sign_seed", mldsaSign("ML_DSA_44"), 85, 86},
	{"mldsa_65_verify", mldsaVerify("ML_DSA_65"), 205, 210},
	{"mldsa_65_sign_seed", mldsaSign("ML_DSA_65"), 104, 105},
	{"mldsa_87_verify", mldsaVerify("ML_DSA_87"), 236, 241},
	{"mldsa_87_sign_seed", mldsaSign("ML_DSA_87"), 95, 96},
}

// runner prepares a group of vectors and returns what runs one of them.
type runner func(t *testing.T, g *group) func(v *vector) verdict

// verdict is what became of a vector.
type verdict int

const (
	notRun   verdict = iota // it is not for an algorithm of AWS's
	accepted                // what it has is valid
	refused
	mustRefuse // it was refused, and had to be, whatever its result
)

func verdictOf(ok bool) verdict {
	if ok {
		return accepted
	}
	return refused
}

// group has the members of vector groups of all schemas.
type group struct {
	KeySize         int
	IVSize          int
	TagSize         int
	SLen            int
	Sha             string
	MgfSha          string
	PublicKey       json.RawMessage // hexadecimal, or an object that describes it
	PublicKeyDer    octets
	PrivateKeyPkcs8 octets
	PrivateSeed     octets
	Tests           []vector
}

// vector has the members of vectors of all schemas.
type vector struct {
	TcID    int
	Comment string
	Flags   []string
	Result  string

	Key, IV, AAD, Msg, Ct, Tag, Label octets
	Sig, Ctx, Mu                      octets
	Public, Private, Shared           octets
	Seed, EK, C, K                    octets
}

// octets are bytes in hexadecimal.
type octets []byte

// UnmarshalText decodes hexadecimal digits.
func (b *octets) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func TestWycheproof(t *testing.T) {
	t.Parallel()
	runWycheproof(t, wycheproofFiles)
}

func runWycheproof(t *testing.T, files []wycheproofFile) {
	t.Helper()
	for _, f := range files {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			text, err := fs.ReadFile(wycheproof.TestVectors, f.name+"_test.json")
			require.NoError(t, err)
			var file struct {
				NumberOfTests int
				TestGroups    []group
			}
			require.NoError(t, json.Unmarshal(text, &file))
			ran, total := 0, 0
			for i := range file.TestGroups {
				g := &file.TestGroups[i]
				run := f.run(t, g)
				for j := range g.Tests {
					total++
					if runVector(t, run, &g.Tests[j]) {
						ran++
					}
				}
			}
			t.Logf("%d of %d vectors", ran, total)
			require.Equal(t, file.NumberOfTests, total)
			require.Equal(t, [2]int{f.ran, f.total}, [2]int{ran, total})
			require.NotZero(t, ran)
		})
	}
}

// runVector reports whether a vector was run.
func runVector(t *testing.T, run func(*vector) verdict, v *vector) bool {
	t.Helper()
	want := refused
	if v.Result == "valid" {
		want = accepted
	} else {
		require.Contains(t, []string{"invalid", "acceptable"}, v.Result)
	}
	got := run(v)
	if got == accepted || got == refused {
		require.Equal(t, want, got, "%d: %s %v, %s", v.TcID, v.Comment, v.Flags, v.Result)
	}
	return got != notRun
}

// spec returns the key spec of that name.
func spec(t *testing.T, name string) *keyspec.Spec {
	t.Helper()
	s, ok := keyspec.Lookup(name)
	require.True(t, ok, name)
	return s
}
