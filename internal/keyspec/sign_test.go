package keyspec_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/x509"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// signing has every pair of a spec and a signing algorithm. RSA keys of other sizes are
// the same but for the size.
var signing = []struct {
	spec, algorithm string
	hash            crypto.Hash // of DIGEST; 0: there is none
	size            int         // of a signature; 0: varies
	random          bool
}{
	{"RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", crypto.SHA256, 256, false},
	{"RSA_2048", "RSASSA_PKCS1_V1_5_SHA_384", crypto.SHA384, 256, false},
	{"RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512", crypto.SHA512, 256, false},
	{"RSA_2048", "RSASSA_PSS_SHA_256", crypto.SHA256, 256, true},
	{"RSA_2048", "RSASSA_PSS_SHA_384", crypto.SHA384, 256, true},
	{"RSA_2048", "RSASSA_PSS_SHA_512", crypto.SHA512, 256, true},
	{"RSA_3072", "RSASSA_PSS_SHA_384", crypto.SHA384, 384, true},
	{"RSA_4096", "RSASSA_PKCS1_V1_5_SHA_512", crypto.SHA512, 512, false},
	{"ECC_NIST_P256", "ECDSA_SHA_256", crypto.SHA256, 0, true},
	{"ECC_NIST_P384", "ECDSA_SHA_384", crypto.SHA384, 0, true},
	{"ECC_NIST_P521", "ECDSA_SHA_512", crypto.SHA512, 0, true},
	{"ECC_SECG_P256K1", "ECDSA_SHA_256", crypto.SHA256, 0, true},
	{"ECC_NIST_EDWARDS25519", "ED25519_SHA_512", 0, 64, false},
	{"ML_DSA_44", "ML_DSA_SHAKE_256", 0, 2420, true},
	{"ML_DSA_65", "ML_DSA_SHAKE_256", 0, 3309, true},
	{"ML_DSA_87", "ML_DSA_SHAKE_256", 0, 4627, true},
}

func sum(h crypto.Hash, message []byte) []byte {
	w := h.New()
	w.Write(message)
	return w.Sum(nil)
}

func requireVerdict(t testing.TB, want bool, k *keyspec.Key, algorithm, messageType string, message, signature []byte, why ...any) {
	t.Helper()
	valid, err := k.Verify(algorithm, messageType, message, signature)
	require.NoError(t, err, why...)
	require.Equal(t, want, valid, why...)
}

func TestSign(t *testing.T) {
	t.Parallel()
	for _, c := range signing {
		t.Run(c.spec+" "+c.algorithm, func(t *testing.T) {
			t.Parallel()
			k := key(t, c.spec)
			public := parsePublic(t, c.spec, k.PublicKey())
			for _, message := range [][]byte{{}, []byte("m"), bytes.Repeat([]byte{7}, 4096)} {
				signature, err := k.Sign(c.algorithm, "RAW", message)
				require.NoError(t, err)
				again, err := k.Sign(c.algorithm, "", message)
				require.NoError(t, err)
				require.Equal(t, !c.random, bytes.Equal(signature, again))
				if c.size != 0 {
					require.Len(t, signature, c.size)
				}
				for _, verifier := range []*keyspec.Key{k, public} {
					for _, s := range [][]byte{signature, again} {
						requireVerdict(t, true, verifier, c.algorithm, "RAW", message, s)
						requireVerdict(t, true, verifier, c.algorithm, "", message, s)
						requireVerdict(t, false, verifier, c.algorithm, "RAW", append(bytes.Clone(message), 0), s)
					}
				}
				if c.hash == 0 {
					continue
				}
				digest := sum(c.hash, message)
				requireVerdict(t, true, k, c.algorithm, "DIGEST", digest, signature)
				requireVerdict(t, false, k, c.algorithm, "RAW", digest, signature)
				signature, err = k.Sign(c.algorithm, "DIGEST", digest)
				require.NoError(t, err)
				requireVerdict(t, true, public, c.algorithm, "RAW", message, signature)
				requireVerdict(t, true, public, c.algorithm, "DIGEST", digest, signature)
				digest[0] ^= 1
				requireVerdict(t, false, k, c.algorithm, "DIGEST", digest, signature)
			}
		})
	}
}

func TestEveryBitOfSignatures(t *testing.T) {
	t.Parallel()
	for _, c := range signing {
		t.Run(c.spec+" "+c.algorithm, func(t *testing.T) {
			t.Parallel()
			k := parsePublic(t, c.spec, key(t, c.spec).PublicKey())
			message := []byte("message")
			signature, err := key(t, c.spec).Sign(c.algorithm, "RAW", message)
			require.NoError(t, err)
			step := 1
			switch {
			case c.size > 3000:
				step = 41
			case c.size > 256 || c.spec == "ECC_NIST_P384" || c.spec == "ECC_NIST_P521":
				step = 9
			}
			for i, altered := range flips(signature, step) {
				requireVerdict(t, false, k, c.algorithm, "RAW", message, altered, "%d", i)
			}
			for n := 0; n < len(signature); n += 1 + len(signature)/100 {
				requireVerdict(t, false, k, c.algorithm, "RAW", message, signature[:n])
			}
			requireVerdict(t, false, k, c.algorithm, "RAW", message, append(bytes.Clone(signature), 0))
			requireVerdict(t, false, k, c.algorithm, "RAW", message, append([]byte{0}, signature...))
			requireVerdict(t, false, k, c.algorithm, "RAW", message, make([]byte, len(signature)))
			requireVerdict(t, true, k, c.algorithm, "RAW", message, signature)
		})
	}
}

// TestOtherSigners has each key and algorithm verify what all the others have signed.
func TestOtherSigners(t *testing.T) {
	t.Parallel()
	message := []byte("message")
	for _, from := range signing {
		signature, err := key(t, from.spec).Sign(from.algorithm, "RAW", message)
		require.NoError(t, err)
		for _, to := range signing {
			same := from.spec == to.spec && from.algorithm == to.algorithm
			requireVerdict(t, same, key(t, to.spec), to.algorithm, "RAW", message, signature)
		}
		if from.spec[:3] != "RSA" {
			requireVerdict(t, false, newKey(t, from.spec), from.algorithm, "RAW", message, signature)
		}
	}
}

// TestMessageTypes has everything that is wrong with a request.
func TestMessageTypes(t *testing.T) {
	t.Parallel()
	check := func(k *keyspec.Key, algorithm, messageType string, size int, want error) {
		t.Helper()
		signature, err := k.Sign(algorithm, messageType, make([]byte, size))
		require.Equal(t, want, err, "%s %s %d", algorithm, messageType, size)
		require.Equal(t, want == nil, signature != nil)
		_, err = k.Verify(algorithm, messageType, make([]byte, size), make([]byte, 64))
		require.Equal(t, want, err, "%s %s %d", algorithm, messageType, size)
	}
	for _, c := range signing {
		k := key(t, c.spec)
		for _, size := range []int{0, 1, 28, 32, 48, 63, 64, 65, 4096} {
			if c.hash != 0 {
				var want error
				if size != c.hash.Size() {
					want = keyspec.ErrDigestLength
				}
				check(k, c.algorithm, "DIGEST", size, want)
				check(k, c.algorithm, "EXTERNAL_MU", size, keyspec.ErrMessageType)
			} else {
				check(k, c.algorithm, "DIGEST", size, keyspec.ErrMessageType)
			}
			check(k, c.algorithm, "digest", size, keyspec.ErrMessageType)
			check(k, c.algorithm, "RAW ", size, keyspec.ErrMessageType)
		}
	}
	for _, name := range []string{"ML_DSA_44", "ML_DSA_65", "ML_DSA_87"} {
		for _, size := range []int{0, 32, 63, 65} {
			check(key(t, name), "ML_DSA_SHAKE_256", "EXTERNAL_MU", size, keyspec.ErrDigestLength)
		}
		check(key(t, name), "ML_DSA_SHAKE_256", "EXTERNAL_MU", 64, nil)
	}
	edwards := key(t, "ECC_NIST_EDWARDS25519")
	check(edwards, "ED25519_SHA_512", "EXTERNAL_MU", 64, keyspec.ErrMessageType)
	for _, messageType := range []string{"", "RAW", "EXTERNAL_MU"} {
		check(edwards, "ED25519_PH_SHA_512", messageType, 64, keyspec.ErrMessageType)
	}
	for _, size := range []int{0, 32, 63, 65} {
		check(edwards, "ED25519_PH_SHA_512", "DIGEST", size, keyspec.ErrDigestLength)
	}
	check(edwards, "ED25519_PH_SHA_512", "DIGEST", 64, nil)
}

// TestStandardLibraryVerifies has the standard library verify under the parameters that
// the algorithms' names stand for.
func TestStandardLibraryVerifies(t *testing.T) {
	t.Parallel()
	for _, c := range signing {
		if c.hash == 0 || c.spec == "ECC_SECG_P256K1" {
			continue
		}
		public, err := x509.ParsePKIXPublicKey(key(t, c.spec).PublicKey())
		require.NoError(t, err)
		signature, err := key(t, c.spec).Sign(c.algorithm, "RAW", []byte("message"))
		require.NoError(t, err)
		digest := sum(c.hash, []byte("message"))
		switch k := public.(type) {
		case *ecdsa.PublicKey:
			require.True(t, ecdsa.VerifyASN1(k, digest, signature))
		case *rsa.PublicKey:
			if c.random {
				require.NoError(t, rsa.VerifyPSS(k, c.hash, digest, signature, &rsa.PSSOptions{SaltLength: c.hash.Size()}))
			} else {
				require.NoError(t, rsa.VerifyPKCS1v15(k, c.hash, digest, signature))
			}
		default:
			t.Fatalf("%T", public)
		}
	}
}

// TestExternalMu computes µ as the documentation of AWS KMS says.
func TestExternalMu(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ML_DSA_44", "ML_DSA_65", "ML_DSA_87"} {
		k := key(t, name)
		public := parsePublic(t, name, k.PublicKey())
		message := []byte("message")
		pk := unmarshal[spki](t, k.PublicKey()).PublicKey.Bytes
		mu := sha3.SumSHAKE256(append(append(sha3.SumSHAKE256(pk, 64), 0, 0), message...), 64)
		const algorithm = "ML_DSA_SHAKE_256"

		signature, err := k.Sign(algorithm, "EXTERNAL_MU", mu)
		require.NoError(t, err)
		for _, messageType := range []struct {
			name    string
			message []byte
		}{{"RAW", message}, {"EXTERNAL_MU", mu}} {
			requireVerdict(t, true, public, algorithm, messageType.name, messageType.message, signature)
			altered := bytes.Clone(messageType.message)
			altered[3] ^= 1
			requireVerdict(t, false, public, algorithm, messageType.name, altered, signature)
		}
		requireVerdict(t, false, public, algorithm, "RAW", mu, signature)
		signature, err = k.Sign(algorithm, "RAW", message)
		require.NoError(t, err)
		requireVerdict(t, true, public, algorithm, "EXTERNAL_MU", mu, signature)
		for i, altered := range flips(signature[:100], 9) {
			requireVerdict(t, false, public, algorithm, "EXTERNAL_MU", mu, append(bytes.Clone(altered), signature[100:]...), "%d", i)
		}
	}
}

// TestEd25519 has the first two vectors of RFC 8032, section 7.1, and what the two
// algorithms are to each other.
func TestEd25519(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ seed, public, message, signature string }{
		{
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
		}, {
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		},
	} {
		// RFC 8410, section 7.
		k := parse(t, "ECC_NIST_EDWARDS25519", unhex(t, "302e020100300506032b657004220420"+c.seed))
		require.Equal(t, unhex(t, "302a300506032b6570032100"+c.public), k.PublicKey())
		signature, err := k.Sign("ED25519_SHA_512", "RAW", unhex(t, c.message))
		require.NoError(t, err)
		require.Equal(t, unhex(t, c.signature), signature)
		requireVerdict(t, true, k, "ED25519_SHA_512", "RAW", unhex(t, c.message), signature)
	}

	k := key(t, "ECC_NIST_EDWARDS25519")
	digest := sha512.Sum512([]byte("message"))
	signature, err := k.Sign("ED25519_PH_SHA_512", "DIGEST", digest[:])
	require.NoError(t, err)
	requireVerdict(t, true, k, "ED25519_PH_SHA_512", "DIGEST", digest[:], signature)
	requireVerdict(t, false, k, "ED25519_SHA_512", "RAW", digest[:], signature)
	requireVerdict(t, false, k, "ED25519_SHA_512", "RAW", []byte("message"), signature)
	for i, altered := range flips(signature, 1) {
		requireVerdict(t, false, k, "ED25519_PH_SHA_512", "DIGEST", digest[:], altered, "%d", i)
	}
	public := ed25519.PublicKey(unmarshal[spki](t, k.PublicKey()).PublicKey.Bytes)
	twice := sha512.Sum512(digest[:])
	o := &ed25519.Options{Hash: crypto.SHA512}
	require.NoError(t, ed25519.VerifyWithOptions(public, twice[:], signature, o))
	require.Error(t, ed25519.VerifyWithOptions(public, digest[:], signature, o))
	pure, err := k.Sign("ED25519_SHA_512", "RAW", digest[:])
	require.NoError(t, err)
	requireVerdict(t, false, k, "ED25519_PH_SHA_512", "DIGEST", digest[:], pure)
}
