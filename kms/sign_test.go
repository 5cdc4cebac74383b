package kms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha3"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyspec"
)

const (
	typeRaw        = types.MessageTypeRaw
	typeDigest     = types.MessageTypeDigest
	typeExternalMu = types.MessageTypeExternalMu
)

// hashOf returns the hash in the name of a signing algorithm, 0 for ML-DSA.
func hashOf(algorithm string) crypto.Hash {
	return map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[len(algorithm)-3:]]
}

func hashed(h crypto.Hash, message []byte) []byte {
	d := h.New()
	d.Write(message)
	return d.Sum(nil)
}

// muOf returns what ML-DSA signs of a message with an empty context (FIPS 204,
// algorithm 7, line 6), for the key with the public half spki.
func muOf(t *testing.T, spki, message []byte) []byte {
	t.Helper()
	var info struct {
		Algorithm struct{ ID asn1.ObjectIdentifier }
		Key       asn1.BitString
	}
	_, err := asn1.Unmarshal(spki, &info)
	require.NoError(t, err)
	tr := sha3.SumSHAKE256(info.Key.Bytes, 64)
	return sha3.SumSHAKE256(append(append(tr, 0, 0), message...), 64)
}

// form is a message as a request gives it.
type form struct {
	kind    types.MessageType
	message []byte
}

// formsOf returns all forms in which a message can be signed with the algorithm: the
// signature of one is that of the others.
func formsOf(t *testing.T, algorithm string, spki, message []byte) []form {
	t.Helper()
	switch algorithm {
	case "ED25519_SHA_512":
		return []form{{typeRaw, message}, {"", message}}
	case "ED25519_PH_SHA_512":
		return []form{{typeDigest, hashed(crypto.SHA512, message)}}
	case "ML_DSA_SHAKE_256":
		return []form{{typeRaw, message}, {"", message}, {typeExternalMu, muOf(t, spki, message)}}
	}
	return []form{{typeRaw, message}, {"", message}, {typeDigest, hashed(hashOf(algorithm), message)}}
}

// verifiesOutside checks a signature with a library, as somebody does who has the public
// key.
func verifiesOutside(t *testing.T, spec types.KeySpec, spki []byte, algorithm string, message, signature []byte) bool {
	t.Helper()
	h := hashOf(algorithm)
	key, err := x509.ParsePKIXPublicKey(spki)
	switch key := key.(type) {
	case *rsa.PublicKey:
		if strings.Contains(algorithm, "PSS") {
			return rsa.VerifyPSS(key, h, hashed(h, message), signature, &rsa.PSSOptions{SaltLength: h.Size()}) == nil
		}
		return rsa.VerifyPKCS1v15(key, h, hashed(h, message), signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, hashed(h, message), signature)
	case ed25519.PublicKey:
		if algorithm == "ED25519_SHA_512" {
			return ed25519.Verify(key, message, signature)
		}
		twice := hashed(h, hashed(h, message)) // the service hashes the digest again
		return ed25519.VerifyWithOptions(key, twice, signature, &ed25519.Options{Hash: h}) == nil
	}
	require.Error(t, err) // the standard library does not have these
	s, ok := keyspec.Lookup(string(spec))
	require.True(t, ok)
	public, err := s.ParsePublic(spki)
	require.NoError(t, err)
	valid, err := public.Verify(algorithm, "RAW", message, signature)
	require.NoError(t, err)
	return valid
}

func publicKeyOf(t *testing.T, f *fixture, key string) []byte {
	t.Helper()
	return do[sdk.GetPublicKeyOutput](t, f.api, &sdk.GetPublicKeyInput{KeyId: &key}).PublicKey
}

// TestSignatures signs a message in each of its forms, and verifies the signature in
// each and outside.
func TestSignatures(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, k := range kindsFor(forSigning) {
			key := f.newKey(t, k.spec, k.usage)
			spki := publicKeyOf(t, f, key)
			for _, name := range k.algorithms {
				a := types.SigningAlgorithmSpec(name)
				forms := formsOf(t, name, spki, messageOfTests)
				others := formsOf(t, name, spki, []byte("another message"))
				for _, signed := range forms {
					out := do[sdk.SignOutput](t, f.api, &sdk.SignInput{KeyId: &key, Message: signed.message, MessageType: signed.kind, SigningAlgorithm: a})
					require.Equal(t, &sdk.SignOutput{KeyId: &key, Signature: out.Signature, SigningAlgorithm: a}, out)
					require.True(t, verifiesOutside(t, k.spec, spki, name, messageOfTests, out.Signature), "%s %s", k.spec, name)
					for i, verified := range forms {
						in := &sdk.VerifyInput{KeyId: &key, Message: verified.message, MessageType: verified.kind, Signature: out.Signature, SigningAlgorithm: a}
						require.Equal(t, &sdk.VerifyOutput{KeyId: &key, SignatureValid: true, SigningAlgorithm: a}, do[sdk.VerifyOutput](t, f.api, in))
						in.Message = others[i].message
						refused(t, f.api, in, "KMSInvalidSignatureException", "")
					}
				}
			}
		}
	})
}

// TestTheKeyOfASignature names the key in every form, and another one.
func TestTheKeyOfASignature(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		key, other := f.newKey(t, "ECC_NIST_P384", forSigning), f.newKey(t, "ECC_NIST_P384", forSigning)
		succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/signs"), TargetKeyId: &key})
		for _, id := range []string{key, idOf(key), "alias/signs", aliasARN("alias/signs")} {
			out := do[sdk.SignOutput](t, f.api, &sdk.SignInput{KeyId: &id, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_384"})
			require.Equal(t, key, *out.KeyId)
			in := &sdk.VerifyInput{KeyId: &id, Message: messageOfTests, Signature: out.Signature, SigningAlgorithm: "ECDSA_SHA_384"}
			require.Equal(t, key, *do[sdk.VerifyOutput](t, f.api, in).KeyId)
			in.KeyId = &other
			refused(t, f.api, in, "KMSInvalidSignatureException", "")
		}
	})
}

func TestAlteredSignatures(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for _, k := range []struct {
		spec      types.KeySpec
		algorithm types.SigningAlgorithmSpec
	}{
		{"RSA_2048", "RSASSA_PSS_SHA_256"}, {"RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512"}, {"ECC_NIST_P256", "ECDSA_SHA_256"},
		{"ECC_SECG_P256K1", "ECDSA_SHA_256"}, {"ECC_NIST_EDWARDS25519", "ED25519_SHA_512"},
	} {
		key := f.newKey(t, k.spec, forSigning)
		signature := do[sdk.SignOutput](t, f.api, &sdk.SignInput{KeyId: &key, Message: messageOfTests, SigningAlgorithm: k.algorithm}).Signature
		wrong := [][]byte{{0}, append(bytes.Clone(signature), 0), bytes.Repeat(signature, 6144/len(signature))}
		for bit := range 8 * len(signature) {
			wrong = append(wrong, flip(signature, bit))
		}
		for n := 1; n < len(signature); n++ {
			wrong = append(wrong, signature[:n])
		}
		for _, w := range wrong {
			refused(t, f.api, &sdk.VerifyInput{KeyId: &key, Message: messageOfTests, Signature: w, SigningAlgorithm: k.algorithm}, "KMSInvalidSignatureException", "")
		}
		succeeds(t, f.api, &sdk.VerifyInput{KeyId: &key, Message: messageOfTests, Signature: signature, SigningAlgorithm: k.algorithm})
	}
}

// TestSaltOfPSS verifies signatures that were made outside: with a salt as long as the
// hash, and with others.
func TestSaltOfPSS(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		key := f.newKey(t, "RSA_2048", forSigning)
		parsed, err := x509.ParsePKCS8PrivateKey(generated(t, "RSA_2048"))
		require.NoError(t, err)
		for _, a := range []types.SigningAlgorithmSpec{"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512"} {
			h := hashOf(string(a))
			for _, salt := range []int{h.Size(), 1, h.Size() - 1, h.Size() + 1, 256 - h.Size() - 2} {
				signature, err := rsa.SignPSS(rand.Reader, parsed.(*rsa.PrivateKey), h, hashed(h, messageOfTests), &rsa.PSSOptions{SaltLength: salt})
				require.NoError(t, err)
				in := &sdk.VerifyInput{KeyId: &key, Message: messageOfTests, Signature: signature, SigningAlgorithm: a}
				if salt == h.Size() {
					succeeds(t, f.api, in)
					continue
				}
				refused(t, f.api, in, "KMSInvalidSignatureException", "")
			}
		}
	})
}

// TestMessages gives algorithms messages of types and lengths that they do not take.
func TestMessages(t *testing.T) {
	t.Parallel()
	type row struct {
		spec      types.KeySpec
		algorithm types.SigningAlgorithmSpec
		kind      types.MessageType
		length    int
		want      string
	}
	rows := []row{
		{"ECC_NIST_EDWARDS25519", "ED25519_SHA_512", typeDigest, 64, "Message type DIGEST is incompatible with algorithm ED25519_SHA_512."},
		{"ECC_NIST_EDWARDS25519", "ED25519_SHA_512", typeExternalMu, 64, "Message type EXTERNAL_MU is incompatible with algorithm ED25519_SHA_512."},
		{"ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", typeRaw, 64, "Message type RAW is incompatible with algorithm ED25519_PH_SHA_512."},
		{"ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", "", 64, "Message type RAW is incompatible with algorithm ED25519_PH_SHA_512."},
		{"ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", typeDigest, 32, "Digest is invalid length for algorithm ED25519_PH_SHA_512."},
		{"ML_DSA_44", "ML_DSA_SHAKE_256", typeDigest, 64, "Message type DIGEST is incompatible with key spec ML_DSA_44."},
		{"ML_DSA_87", "ML_DSA_SHAKE_256", typeExternalMu, 32, "External Mu is invalid length for algorithm ML_DSA_SHAKE_256."},
		{"RSA_2048", "RSASSA_PSS_SHA_256", typeExternalMu, 64, "Message type EXTERNAL_MU is incompatible with key spec RSA_2048."},
		{"ECC_SECG_P256K1", "ECDSA_SHA_256", typeExternalMu, 64, "Message type EXTERNAL_MU is incompatible with key spec ECC_SECG_P256K1."},
	}
	for _, k := range kindsFor(forSigning) {
		for _, name := range k.algorithms {
			size := hashOf(name).Size
			if strings.HasPrefix(name, "ED25519") || strings.HasPrefix(name, "ML_DSA") {
				continue
			}
			for _, n := range []int{1, size() - 1, size() + 1, 4096} {
				rows = append(rows, row{k.spec, types.SigningAlgorithmSpec(name), typeDigest, n, "Digest is invalid length for algorithm " + name + "."})
			}
		}
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, r := range rows {
			key, message := f.newKey(t, r.spec, forSigning), bytes.Repeat([]byte{1}, r.length)
			for _, dryRun := range []*bool{nil, aws.Bool(true)} {
				refused(t, f.api, &sdk.SignInput{KeyId: &key, Message: message, MessageType: r.kind, SigningAlgorithm: r.algorithm, DryRun: dryRun}, "ValidationException", r.want)
				refused(t, f.api, &sdk.VerifyInput{KeyId: &key, Message: message, MessageType: r.kind, SigningAlgorithm: r.algorithm, Signature: []byte("x"), DryRun: dryRun},
					"ValidationException", r.want)
			}
		}
	})
}

// TestEd25519AlgorithmsDiffer verifies the signature of one algorithm with the other.
func TestEd25519AlgorithmsDiffer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		key, message := f.newKey(t, "ECC_NIST_EDWARDS25519", forSigning), hashed(crypto.SHA512, messageOfTests)
		pure := do[sdk.SignOutput](t, f.api, &sdk.SignInput{KeyId: &key, Message: message, SigningAlgorithm: "ED25519_SHA_512"}).Signature
		prehashed := do[sdk.SignOutput](t, f.api, &sdk.SignInput{KeyId: &key, Message: message, MessageType: typeDigest, SigningAlgorithm: "ED25519_PH_SHA_512"}).Signature
		refused(t, f.api, &sdk.VerifyInput{KeyId: &key, Message: message, Signature: prehashed, SigningAlgorithm: "ED25519_SHA_512"}, "KMSInvalidSignatureException", "")
		refused(t, f.api, &sdk.VerifyInput{KeyId: &key, Message: message, MessageType: typeDigest, Signature: pure, SigningAlgorithm: "ED25519_PH_SHA_512"},
			"KMSInvalidSignatureException", "")
	})
}

// TestOneKeyForMany has many requests be the first to use a key.
func TestOneKeyForMany(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	keys := map[string]types.SigningAlgorithmSpec{
		f.newKey(t, "RSA_2048", forSigning): "RSASSA_PSS_SHA_256", f.newKey(t, "ECC_NIST_P256", forSigning): "ECDSA_SHA_256",
		f.newKey(t, "ECC_SECG_P256K1", forSigning): "ECDSA_SHA_256", f.newKey(t, "ML_DSA_44", forSigning): "ML_DSA_SHAKE_256",
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for key, a := range keys {
				out, err := f.api.Sign(t.Context(), &sdk.SignInput{KeyId: &key, Message: messageOfTests, SigningAlgorithm: a})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := f.api.Verify(t.Context(), &sdk.VerifyInput{KeyId: &key, Message: messageOfTests, Signature: out.Signature, SigningAlgorithm: a}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
