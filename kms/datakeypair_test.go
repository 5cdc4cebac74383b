package kms_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/store"
)

// quickPairSpecs are those whose key pairs are made at once.
var quickPairSpecs = []types.DataKeyPairSpec{
	"ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024",
}

// requirePair checks that the keys are a pair of the spec, with the standard library
// where it knows the spec.
func requirePair(t *testing.T, spec types.DataKeyPairSpec, private, public []byte) {
	t.Helper()
	s, ok := keyspec.Lookup(string(spec))
	require.True(t, ok)
	key, err := s.Parse(private)
	require.NoError(t, err)
	require.Equal(t, key.PublicKey(), public)
	if strings.HasPrefix(string(spec), "ML_") || spec == types.DataKeyPairSpecEccSecgP256k1 {
		return
	}
	parsed, err := x509.ParsePKCS8PrivateKey(private)
	require.NoError(t, err)
	pub, err := x509.ParsePKIXPublicKey(public)
	require.NoError(t, err)
	require.Equal(t, pub, parsed.(interface{ Public() crypto.PublicKey }).Public())
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		require.Equal(t, spec, types.DataKeyPairSpec("RSA_"+map[int]string{2048: "2048", 3072: "3072", 4096: "4096"}[pub.N.BitLen()]))
	case *ecdsa.PublicKey:
		require.Equal(t, string(spec), "ECC_NIST_"+strings.ReplaceAll(pub.Params().Name, "-", ""))
	case ed25519.PublicKey:
		require.Equal(t, types.DataKeyPairSpecEccNistEdwards25519, spec)
	default:
		require.Fail(t, "a public key of another kind")
	}
}

func TestDataKeyPairs(t *testing.T) {
	t.Parallel()
	context := map[string]string{"tenant": "42"}
	each(t, func(t *testing.T, f *fixture) {
		material := aws.String(materialOf(t, f, f.id))
		open := func(blob []byte) []byte {
			return do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: context}).Plaintext
		}
		lengths := map[int]bool{}
		for _, spec := range append(quickPairSpecs, types.DataKeyPairSpecRsa2048) {
			got := do[sdk.GenerateDataKeyPairOutput](t, f.api,
				&sdk.GenerateDataKeyPairInput{KeyId: aws.String("alias/app"), KeyPairSpec: spec, EncryptionContext: context})
			require.Equal(t, &sdk.GenerateDataKeyPairOutput{
				KeyId: &f.arn, KeyMaterialId: material, KeyPairSpec: spec,
				PrivateKeyCiphertextBlob: got.PrivateKeyCiphertextBlob, PrivateKeyPlaintext: got.PrivateKeyPlaintext, PublicKey: got.PublicKey,
			}, got)
			requirePair(t, spec, got.PrivateKeyPlaintext, got.PublicKey)
			require.Equal(t, got.PrivateKeyPlaintext, open(got.PrivateKeyCiphertextBlob))
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: got.PrivateKeyCiphertextBlob}, "InvalidCiphertextException", "")
			if strings.HasPrefix(string(spec), "ML_KEM") {
				lengths[len(got.PrivateKeyPlaintext)] = true
			}
			if spec == types.DataKeyPairSpecRsa2048 {
				continue // once is enough
			}
			quiet := do[sdk.GenerateDataKeyPairWithoutPlaintextOutput](t, f.api,
				&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &f.id, KeyPairSpec: spec, EncryptionContext: context})
			require.Equal(t, &sdk.GenerateDataKeyPairWithoutPlaintextOutput{
				KeyId: &f.arn, KeyMaterialId: material, KeyPairSpec: spec,
				PrivateKeyCiphertextBlob: quiet.PrivateKeyCiphertextBlob, PublicKey: quiet.PublicKey,
			}, quiet)
			require.NotEqual(t, got.PublicKey, quiet.PublicKey)
			requirePair(t, spec, open(quiet.PrivateKeyCiphertextBlob), quiet.PublicKey)
		}
		require.Len(t, lengths, 1, "the seeds of all ML-KEM keys are of one length")
	})
}

// TestLargeDataKeyPairs makes the pairs that take longest, once each.
func TestLargeDataKeyPairs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for _, spec := range []types.DataKeyPairSpec{types.DataKeyPairSpecRsa3072, types.DataKeyPairSpecRsa4096} {
		got := do[sdk.GenerateDataKeyPairWithoutPlaintextOutput](t, f.api, &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &f.id, KeyPairSpec: spec})
		private := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: got.PrivateKeyCiphertextBlob}).Plaintext
		requirePair(t, spec, private, got.PublicKey)
	}
}

// pairInputs returns a request of either operation, with its name.
func pairInputs(id string, spec types.DataKeyPairSpec, dryRun *bool) map[string]any {
	return map[string]any{
		"GenerateDataKeyPair":                 &sdk.GenerateDataKeyPairInput{KeyId: &id, KeyPairSpec: spec, DryRun: dryRun},
		"GenerateDataKeyPairWithoutPlaintext": &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &id, KeyPairSpec: spec, DryRun: dryRun},
	}
}

func TestRefusedDataKeyPairs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, in := range pairInputs(f.id, "SM2", nil) {
			refused(t, f.api, in, "UnsupportedOperationException", "KeyPairSpec SM2 is not supported in this Region.")
		}
		for _, spec := range types.KeySpec("").Values() {
			if s, ok := keyspec.Lookup(string(spec)); ok && !s.DataKeyPair() {
				for _, in := range pairInputs(f.id, types.DataKeyPairSpec(spec), nil) {
					_, err := call(t.Context(), f.api, in)
					require.ErrorContains(t, err, "Value '"+string(spec)+"' at 'keyPairSpec' failed to satisfy constraint: Member must satisfy enum value set: [RSA_2048, ")
				}
			}
		}
		for _, in := range pairInputs(unknownID, "ECC_NIST_P256", nil) {
			refused(t, f.api, in, "NotFoundException", "Key '"+keyrecord.KeyARN(region, account, unknownID)+"' does not exist")
		}
		for _, in := range pairInputs(f.id, "ECC_NIST_P256", aws.Bool(true)) {
			refused(t, f.api, in, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
		}
	})
}

// rewrite changes the record of a key in the store.
func rewrite(t *testing.T, s store.Store, arn string, change func(k *keyrecord.Key)) {
	t.Helper()
	name := keyrecord.KeyPrefix(account, region) + idOf(arn)
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		b, err := tx.Get(name)
		if err != nil {
			return err
		}
		k, err := keyrecord.UnmarshalKey(b)
		if err != nil {
			return err
		}
		change(k)
		if b, err = k.Marshal(); err != nil {
			return err
		}
		return tx.Put(name, b)
	}))
}

// dataKeyRequests returns a request of every operation that encrypts a data key, with
// its name.
func dataKeyRequests(id string) map[string]any {
	all := pairInputs(id, "ECC_NIST_P256", nil)
	all["GenerateDataKey"] = &sdk.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256}
	all["GenerateDataKeyWithoutPlaintext"] = &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &id, KeySpec: types.DataKeySpecAes256}
	return all
}

// TestDataKeysNeedASymmetricKey asks keys of every other usage for data keys.
func TestDataKeysNeedASymmetricKey(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		for _, row := range []struct{ spec, usage string }{
			{"ECC_NIST_P256", "SIGN_VERIFY"}, {"ECC_NIST_P256", "KEY_AGREEMENT"}, {"HMAC_256", "GENERATE_VERIFY_MAC"}, {"ML_KEM_512", "ENCAPSULATE_DECAPSULATE"},
			{"RSA_2048", "ENCRYPT_DECRYPT"},
		} {
			rewrite(t, w.sealed, w.key, func(k *keyrecord.Key) { k.Spec, k.Usage = row.spec, row.usage })
			want := w.key + " key usage is " + row.usage + " which is not valid for "
			for name, in := range dataKeyRequests(w.key) {
				if row.spec == "RSA_2048" {
					refused(t, w.as(root), in, "InvalidKeyUsageException", "You cannot generate a data key with an asymmetric CMK")
					continue
				}
				refused(t, w.as(root), in, "InvalidKeyUsageException", want+name+".")
			}
		}
	})
}

// TestNoDataKeyPairsInKeyStores: data keys yes, key pairs no.
func TestNoDataKeyPairsInKeyStores(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		rewrite(t, w.sealed, w.key, func(k *keyrecord.Key) { k.Origin, k.KeyStore = "AWS_CLOUDHSM", "cks-1234567890abcdef0" })
		for _, in := range pairInputs(w.key, "ECC_NIST_P256", nil) {
			refused(t, w.as(root), in, "UnsupportedOperationException", w.key+" origin is AWS_CLOUDHSM which is not valid for this operation.")
		}
	})
}

// TestDataKeyPairConditions has a user be allowed pairs of one kind, in one context.
func TestDataKeyPairConditions(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.attach(alice.Principal, allowing(t, own("Allow", "kms:GenerateDataKeyPair*", "*", when(
			`{"StringLike":{"kms:DataKeyPairSpec":"ECC_*"},"StringEquals":{"kms:EncryptionAlgorithm":"SYMMETRIC_DEFAULT","kms:EncryptionContext:tenant":"42"}}`))))
		for _, row := range []struct {
			spec   types.DataKeyPairSpec
			tenant string
			ok     bool
		}{{"ECC_NIST_P256", "42", true}, {"ECC_NIST_P256", "43", false}, {"ML_KEM_768", "42", false}, {"RSA_4096", "42", false}} {
			context := map[string]string{"tenant": row.tenant}
			for _, in := range []any{
				&sdk.GenerateDataKeyPairInput{KeyId: &w.key, KeyPairSpec: row.spec, EncryptionContext: context},
				&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &w.key, KeyPairSpec: row.spec, EncryptionContext: context},
			} {
				if row.ok {
					succeeds(t, w.as(alice), in)
					continue
				}
				denied(t, w.as(alice), alice, in, "kms:"+nameOf(in), w.key, noPolicy("identity-based policy", "kms:"+nameOf(in)))
			}
		}
	})
}
