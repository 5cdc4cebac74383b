package integration

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha3"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/internal/kwp"
	"github.com/stretchr/testify/require"
)

// rsaSpec returns the spec of RSA keys of a size, or nil if AWS has none.
func rsaSpec(bits int) *keyspec.Spec {
	s, _ := keyspec.Lookup("RSA_" + strconv.Itoa(bits))
	return s
}

// oaep decrypts. AWS has no labels.
func oaep(algorithm string) runner {
	return func(t *testing.T, g *group) func(*vector) verdict {
		key, err := rsaSpec(g.KeySize).Parse(g.PrivateKeyPkcs8)
		require.NoError(t, err)
		return func(v *vector) verdict {
			plaintext, err := key.Decrypt(algorithm, v.Ct)
			if len(v.Label) != 0 {
				require.Equal(t, keyspec.ErrCiphertext, err)
				return mustRefuse
			}
			return verdictOf(err == nil && bytes.Equal(plaintext, v.Msg))
		}
	}
}

// hashes are how Wycheproof and AWS name the hashes of signatures.
var hashes = map[string]struct {
	name string
	size int
}{
	"SHA-256": {"SHA_256", 32}, "SHA-384": {"SHA_384", 48}, "SHA-512": {"SHA_512", 64},
}

// pss verifies. In a group with another salt length or another hash in MGF1 than AWS's,
// what is valid has to be refused; what is not might be right by AWS's rules.
func pss(t *testing.T, g *group) func(*vector) verdict {
	h, ok := hashes[g.Sha]
	spec := rsaSpec(g.KeySize)
	if !ok || spec == nil {
		return func(*vector) verdict { return notRun }
	}
	foreign := g.MgfSha != g.Sha || g.SLen != h.size
	key, err := spec.ParsePublic(g.PublicKeyDer)
	require.NoError(t, err)
	return func(v *vector) verdict {
		if foreign && v.Result != "valid" {
			return notRun
		}
		valid, err := key.Verify("RSASSA_PSS_"+h.name, "RAW", v.Msg, v.Sig)
		require.NoError(t, err)
		if foreign {
			require.False(t, valid, "%d", v.TcID)
			return mustRefuse
		}
		return verdictOf(valid)
	}
}

func pkcs1(t *testing.T, g *group) func(*vector) verdict {
	return verifier(t, rsaSpec(g.KeySize), "RSASSA_PKCS1_V1_5_"+hashes[g.Sha].name, g)
}

// signature verifies signatures of a spec that has one algorithm for them.
func signature(name, algorithm string) runner {
	return func(t *testing.T, g *group) func(*vector) verdict {
		return verifier(t, spec(t, name), algorithm, g)
	}
}

func verifier(t *testing.T, s *keyspec.Spec, algorithm string, g *group) func(*vector) verdict {
	t.Helper()
	key, err := s.ParsePublic(g.PublicKeyDer)
	require.NoError(t, err)
	return func(v *vector) verdict {
		valid, err := key.Verify(algorithm, "RAW", v.Msg, v.Sig)
		require.NoError(t, err)
		return verdictOf(valid)
	}
}

// agreement derives shared secrets with public keys in DER.
func agreement(name string, curve elliptic.Curve) runner {
	return func(t *testing.T, _ *group) func(*vector) verdict {
		s := spec(t, name)
		return func(v *vector) verdict {
			d := new(big.Int).SetBytes(v.Private).FillBytes(make([]byte, (curve.Params().BitSize+7)/8))
			private, err := ecdsa.ParseRawPrivateKey(curve, d)
			require.NoError(t, err)
			material, err := x509.MarshalPKCS8PrivateKey(private)
			require.NoError(t, err)
			key, err := s.Parse(material)
			require.NoError(t, err)
			secret, err := key.Agree(v.Public)
			if err != nil {
				require.Equal(t, keyspec.ErrPeer, err)
			}
			return verdictOf(err == nil && bytes.Equal(secret, v.Shared))
		}
	}
}

// mac computes HMACs with keys of a length that AWS imports. A MAC is not truncated:
// VerifyMAC refuses those that are, and MAC begins with them.
func mac(name, algorithm string, least, most int) runner {
	return func(t *testing.T, g *group) func(*vector) verdict {
		s := spec(t, name)
		return func(v *vector) verdict {
			key, err := s.Parse(v.Key)
			if len(v.Key) < least || len(v.Key) > most {
				require.ErrorIs(t, err, keyspec.ErrMaterial)
				return notRun
			}
			require.NoError(t, err)
			full := key.MAC(algorithm, v.Msg)
			valid := key.VerifyMAC(algorithm, v.Msg, v.Tag)
			if g.TagSize < 8*len(full) {
				require.False(t, valid)
				return verdictOf(bytes.HasPrefix(full, v.Tag))
			}
			return verdictOf(valid && bytes.Equal(full, v.Tag))
		}
	}
}

// gcm opens and seals with the standard library as the ciphertext blobs of symmetric
// keys do: a key of 32 bytes, a nonce of 12 and a tag of 16.
func gcm(t *testing.T, g *group) func(*vector) verdict {
	if g.KeySize != 256 || g.IVSize != 96 || g.TagSize != 128 {
		return func(*vector) verdict { return notRun }
	}
	return func(v *vector) verdict {
		block, err := aes.NewCipher(v.Key)
		require.NoError(t, err)
		aead, err := cipher.NewGCM(block)
		require.NoError(t, err)
		sealed := slices.Concat(v.Ct, v.Tag)
		plaintext, err := aead.Open(nil, v.IV, sealed, v.AAD)
		same := bytes.Equal(aead.Seal(nil, v.IV, v.Msg, v.AAD), sealed)
		require.Equal(t, err == nil, same)
		return verdictOf(err == nil && bytes.Equal(plaintext, v.Msg))
	}
}

func keyWrap(t *testing.T, _ *group) func(*vector) verdict {
	return func(v *vector) verdict {
		key, err := kwp.Unwrap(v.Key, v.Ct)
		if err != nil {
			require.Equal(t, kwp.ErrUnwrap, err)
			return refused
		}
		wrapped, err := kwp.Wrap(v.Key, v.Msg)
		require.NoError(t, err)
		return verdictOf(bytes.Equal(key, v.Msg) && bytes.Equal(wrapped, v.Ct))
	}
}

// postQuantum are the identifiers of specs whose material is a seed, as the last numbers
// of 2.16.840.1.101.3.4.
var postQuantum = map[string][]int{
	"ML_DSA_44": {3, 17}, "ML_DSA_65": {3, 18}, "ML_DSA_87": {3, 19},
	"ML_KEM_512": {4, 1}, "ML_KEM_768": {4, 2}, "ML_KEM_1024": {4, 3},
}

type algorithmID struct{ Algorithm asn1.ObjectIdentifier }

func identifier(name string) algorithmID {
	return algorithmID{append(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4}, postQuantum[name]...)}
}

// seedMaterial returns key material from a seed (RFC 9881 and RFC 9935, section 6).
func seedMaterial(t *testing.T, name string, seed []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Version    int
		Algorithm  algorithmID
		PrivateKey []byte
	}{0, identifier(name), slices.Concat([]byte{0x80, byte(len(seed))}, seed)})
	require.NoError(t, err)
	return der
}

// publicDER returns the SubjectPublicKeyInfo of a public key.
func publicDER(t *testing.T, name string, key []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Algorithm algorithmID
		PublicKey asn1.BitString
	}{identifier(name), asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
	require.NoError(t, err)
	return der
}

// decapsulate makes a key from its seed and decapsulates. What has the wrong length is
// refused; any other ciphertext gives the secret of the vector.
func decapsulate(name string) runner {
	return func(t *testing.T, _ *group) func(*vector) verdict {
		return func(v *vector) verdict {
			key, err := spec(t, name).Parse(seedMaterial(t, name, v.Seed))
			if err != nil {
				require.NotEqual(t, 64, len(v.Seed))
				return refused
			}
			if len(v.EK) != 0 {
				require.Equal(t, publicDER(t, name, v.EK), key.PublicKey())
			}
			secret, err := key.Decapsulate(v.C)
			if err != nil {
				require.Equal(t, keyspec.ErrCiphertext, err)
			}
			return verdictOf(err == nil && bytes.Equal(secret, v.K))
		}
	}
}

// kemSeed makes keys from their seeds.
func kemSeed(name string) runner {
	return func(t *testing.T, _ *group) func(*vector) verdict {
		return func(v *vector) verdict {
			key, err := spec(t, name).Parse(seedMaterial(t, name, v.Seed))
			return verdictOf(err == nil && bytes.Equal(publicDER(t, name, v.EK), key.PublicKey()))
		}
	}
}

// encapsulationKey parses public keys. The random part of an encapsulation cannot be
// given.
func encapsulationKey(name string) runner {
	return func(t *testing.T, _ *group) func(*vector) verdict {
		return func(v *vector) verdict {
			key, err := spec(t, name).ParsePublic(publicDER(t, name, v.EK))
			if err != nil {
				return refused
			}
			secret, ciphertext, err := key.Encapsulate()
			require.NoError(t, err)
			require.Len(t, secret, 32)
			if v.Result == "valid" {
				require.Len(t, ciphertext, len(v.C))
			}
			return accepted
		}
	}
}

const mldsaAlgorithm = "ML_DSA_SHAKE_256"

// rawPublicKey returns the public key of an ML-DSA group.
func rawPublicKey(t *testing.T, g *group) []byte {
	t.Helper()
	var digits string
	require.NoError(t, json.Unmarshal(g.PublicKey, &digits))
	b, err := hex.DecodeString(digits)
	require.NoError(t, err)
	return b
}

// mldsaVerify verifies each signature by its µ, and those without a context by their
// message too: AWS has no contexts.
func mldsaVerify(name string) runner {
	return func(t *testing.T, g *group) func(*vector) verdict {
		public := rawPublicKey(t, g)
		key, err := spec(t, name).ParsePublic(publicDER(t, name, public))
		if err != nil {
			return func(*vector) verdict { return refused }
		}
		return func(v *vector) verdict {
			if len(v.Ctx) > 255 {
				return notRun // it has no µ
			}
			tr := sha3.SumSHAKE256(public, 64)
			mu := sha3.SumSHAKE256(slices.Concat(tr, []byte{0, byte(len(v.Ctx))}, v.Ctx, v.Msg), 64)
			valid, err := key.Verify(mldsaAlgorithm, "EXTERNAL_MU", mu, v.Sig)
			require.NoError(t, err)
			raw, err := key.Verify(mldsaAlgorithm, "RAW", v.Msg, v.Sig)
			require.NoError(t, err)
			require.Equal(t, valid && len(v.Ctx) == 0, raw, "%d", v.TcID)
			return verdictOf(valid)
		}
	}
}

// mldsaSign makes keys from their seeds and verifies what they have signed. Our own
// signatures are randomised and cannot be compared.
func mldsaSign(name string) runner {
	return func(t *testing.T, g *group) func(*vector) verdict {
		material := seedMaterial(t, name, g.PrivateSeed)
		if len(g.PrivateKeyPkcs8) != 0 {
			require.Equal(t, []byte(g.PrivateKeyPkcs8), material)
		}
		key, err := spec(t, name).Parse(material)
		if err != nil {
			require.NotEqual(t, 32, len(g.PrivateSeed))
			return func(*vector) verdict { return refused }
		}
		require.Equal(t, publicDER(t, name, rawPublicKey(t, g)), key.PublicKey())
		return func(v *vector) verdict {
			if len(v.Mu) == 0 {
				return notRun // the context is too long
			}
			for _, sign := range []func() ([]byte, error){
				func() ([]byte, error) { return v.Sig, nil },
				func() ([]byte, error) { return key.Sign(mldsaAlgorithm, "EXTERNAL_MU", v.Mu) },
			} {
				signature, err := sign()
				require.NoError(t, err)
				valid, err := key.Verify(mldsaAlgorithm, "EXTERNAL_MU", v.Mu, signature)
				require.NoError(t, err)
				if !valid {
					return refused
				}
			}
			return accepted
		}
	}
}
