package kms_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // crypto.SHA1
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
)

const (
	sha1OAEP   = types.EncryptionAlgorithmSpecRsaesOaepSha1
	sha256OAEP = types.EncryptionAlgorithmSpecRsaesOaepSha256
	symmetric  = types.EncryptionAlgorithmSpecSymmetricDefault

	noContext = "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs."
)

// oaepRow is how much an RSA key encrypts with an algorithm, in bytes.
type oaepRow struct {
	spec      types.KeySpec
	algorithm types.EncryptionAlgorithmSpec
	hash      crypto.Hash
	limit     int
}

var oaepRows = []oaepRow{
	{"RSA_2048", sha1OAEP, crypto.SHA1, 214}, {"RSA_2048", sha256OAEP, crypto.SHA256, 190},
	{"RSA_3072", sha1OAEP, crypto.SHA1, 342}, {"RSA_3072", sha256OAEP, crypto.SHA256, 318},
	{"RSA_4096", sha1OAEP, crypto.SHA1, 470}, {"RSA_4096", sha256OAEP, crypto.SHA256, 446},
}

// TestOAEP encrypts inside and decrypts outside, and the other way round.
func TestOAEP(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, row := range oaepRows {
			key := f.newKey(t, row.spec, forEncryption)
			parsed, err := x509.ParsePKCS8PrivateKey(generated(t, row.spec))
			require.NoError(t, err)
			private := parsed.(*rsa.PrivateKey)
			for _, n := range []int{1, 2, row.limit - 1, row.limit} {
				plaintext := bytes.Repeat([]byte{0}, n) // no zero is lost
				sealed := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: plaintext, EncryptionAlgorithm: row.algorithm})
				require.Equal(t, &sdk.EncryptOutput{CiphertextBlob: sealed.CiphertextBlob, EncryptionAlgorithm: row.algorithm, KeyId: &key}, sealed)
				require.Len(t, sealed.CiphertextBlob, private.Size())
				opened, err := rsa.DecryptOAEP(row.hash.New(), nil, private, sealed.CiphertextBlob, nil)
				require.NoError(t, err)
				require.Equal(t, plaintext, opened)

				outside, err := rsa.EncryptOAEP(row.hash.New(), rand.Reader, &private.PublicKey, plaintext, nil)
				require.NoError(t, err)
				for _, blob := range [][]byte{sealed.CiphertextBlob, outside} {
					require.Equal(t, &sdk.DecryptOutput{EncryptionAlgorithm: row.algorithm, KeyId: &key, Plaintext: plaintext},
						do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{KeyId: &key, CiphertextBlob: blob, EncryptionAlgorithm: row.algorithm}))
				}
			}
		}
	})
}

// TestOAEPLimits is one byte over each limit, as Encrypt and as ReEncrypt.
func TestOAEPLimits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, row := range oaepRows {
			key := f.newKey(t, row.spec, forEncryption)
			want := fmt.Sprintf("Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", row.algorithm, row.spec, row.limit)
			for _, n := range []int{row.limit + 1, 4096} {
				long := bytes.Repeat([]byte("x"), n)
				blob := f.plant(t, string(long), nil)
				for _, dryRun := range []*bool{nil, aws.Bool(true)} {
					refused(t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: long, EncryptionAlgorithm: row.algorithm, DryRun: dryRun}, "ValidationException", want)
					refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &key, DestinationEncryptionAlgorithm: row.algorithm, DryRun: dryRun},
						"ValidationException", want)
				}
			}
		}
	})
}

// TestWhatRSADoesNotDecrypt has one answer to every ciphertext that does not open.
func TestWhatRSADoesNotDecrypt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		key := f.newKey(t, "RSA_2048", forEncryption)
		blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("secret"), EncryptionAlgorithm: sha256OAEP}).CiphertextBlob
		parsed, err := x509.ParsePKCS8PrivateKey(generated(t, "RSA_2048"))
		require.NoError(t, err)
		labelled, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, &parsed.(*rsa.PrivateKey).PublicKey, []byte("secret"), []byte("label"))
		require.NoError(t, err)
		wrong := [][]byte{{0}, blob[:255], append(bytes.Clone(blob), 0), bytes.Repeat([]byte{0xff}, 256), make([]byte, 6144), labelled, f.plant(t, "secret", nil)}
		for bit := 0; bit < 8*len(blob); bit += 37 {
			wrong = append(wrong, flip(blob, bit))
		}
		for _, dryRun := range []*bool{nil, aws.Bool(true)} {
			for _, w := range wrong {
				refused(t, f.api, &sdk.DecryptInput{KeyId: &key, CiphertextBlob: w, EncryptionAlgorithm: sha256OAEP, DryRun: dryRun}, "InvalidCiphertextException", "")
			}
			for _, in := range []any{
				&sdk.DecryptInput{KeyId: &key, CiphertextBlob: blob, EncryptionAlgorithm: sha1OAEP, DryRun: dryRun}, // the other algorithm
				&sdk.DecryptInput{KeyId: &key, CiphertextBlob: blob, DryRun: dryRun},                                // none, which is the symmetric one
				&sdk.DecryptInput{KeyId: &key, CiphertextBlob: blob, EncryptionAlgorithm: symmetric, DryRun: dryRun},
				&sdk.DecryptInput{CiphertextBlob: blob, DryRun: dryRun},
				&sdk.ReEncryptInput{SourceKeyId: &key, CiphertextBlob: blob, DestinationKeyId: &f.arn, DryRun: dryRun},
				&sdk.ReEncryptInput{SourceKeyId: &key, CiphertextBlob: blob, SourceEncryptionAlgorithm: sha1OAEP, DestinationKeyId: &f.arn, DryRun: dryRun},
			} {
				refused(t, f.api, in, "InvalidCiphertextException", "")
			}
			const needsKey = "KeyId is required for the algorithm RSAES_OAEP_SHA_256."
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, EncryptionAlgorithm: sha256OAEP, DryRun: dryRun}, "ValidationException", needsKey)
			refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, SourceEncryptionAlgorithm: sha256OAEP, DestinationKeyId: &f.arn, DryRun: dryRun},
				"ValidationException", needsKey)
		}
	})
}

// TestForgedNames has ciphertexts that claim to be a symmetric key's name keys of other
// kinds.
func TestForgedNames(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		blob := f.plant(t, "secret", nil)
		for _, k := range kinds {
			if k.spec == "SYMMETRIC_DEFAULT" {
				continue
			}
			record := newRecord(t, k.spec, k.usage)
			key := putKey(t, f.Service(), record)
			forged := bytes.Clone(blob)
			copy(forged[18:54], record.ID)
			for _, id := range []*string{nil, &key, &record.ID} {
				refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: forged, KeyId: id}, "InvalidCiphertextException", "")
				refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: forged, SourceKeyId: id, DestinationKeyId: &f.arn}, "InvalidCiphertextException", "")
			}
		}
	})
}

// TestASymmetricCiphertextAndAnotherKey has keys of every kind be the wrong one for a
// ciphertext, before anything else is said of them.
func TestASymmetricCiphertextAndAnotherKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		blob := f.plant(t, "secret", nil)
		for _, k := range kinds {
			record := newRecord(t, k.spec, k.usage)
			record.Enabled = false
			key := putKey(t, f.Service(), record)
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &key}, "IncorrectKeyException", incorrectKey)
			refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, SourceKeyId: &key, DestinationKeyId: &f.arn}, "IncorrectKeyException", incorrectKey)
		}
	})
}

// TestReEncryptBetweenKinds goes from every kind of key that encrypts to every one.
func TestReEncryptBetweenKinds(t *testing.T) {
	t.Parallel()
	type side struct {
		key       string
		algorithm types.EncryptionAlgorithmSpec
		context   map[string]string
	}
	each(t, func(t *testing.T, f *fixture) {
		one, two := f.newKey(t, "RSA_2048", forEncryption), f.newKey(t, "RSA_2048", forEncryption)
		sides := []side{
			{f.arn, "", map[string]string{"a": "b"}}, {f.Seed(kmstest.Key{Alias: "alias/other"}), symmetric, nil},
			{one, sha1OAEP, nil}, {one, sha256OAEP, map[string]string{}}, {two, sha256OAEP, nil},
		}
		for _, from := range sides {
			for _, to := range sides {
				blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{
					KeyId: &from.key, Plaintext: []byte("secret"), EncryptionAlgorithm: from.algorithm, EncryptionContext: from.context,
				}).CiphertextBlob
				got := do[sdk.ReEncryptOutput](t, f.api, &sdk.ReEncryptInput{
					CiphertextBlob: blob, SourceKeyId: &from.key, SourceEncryptionAlgorithm: from.algorithm, SourceEncryptionContext: from.context,
					DestinationKeyId: &to.key, DestinationEncryptionAlgorithm: to.algorithm, DestinationEncryptionContext: to.context,
				})
				want := &sdk.ReEncryptOutput{
					CiphertextBlob: got.CiphertextBlob, KeyId: &to.key, SourceKeyId: &from.key,
					SourceEncryptionAlgorithm: from.algorithm, DestinationEncryptionAlgorithm: to.algorithm,
				}
				if from.algorithm == "" || from.algorithm == symmetric {
					want.SourceEncryptionAlgorithm, want.SourceKeyMaterialId = symmetric, aws.String(materialOf(t, f, from.key))
				}
				if to.algorithm == "" || to.algorithm == symmetric {
					want.DestinationEncryptionAlgorithm, want.DestinationKeyMaterialId = symmetric, aws.String(materialOf(t, f, to.key))
				}
				require.Equal(t, want, got)
				opened := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{
					KeyId: &to.key, CiphertextBlob: got.CiphertextBlob, EncryptionAlgorithm: to.algorithm, EncryptionContext: to.context,
				})
				require.Equal(t, "secret", string(opened.Plaintext))
			}
		}
	})
}

// TestNoContextForRSA gives an encryption context on each side of each operation.
func TestNoContextForRSA(t *testing.T) {
	t.Parallel()
	pair := map[string]string{"a": "b"}
	each(t, func(t *testing.T, f *fixture) {
		key := f.newKey(t, "RSA_2048", forEncryption)
		blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x"), EncryptionAlgorithm: sha1OAEP}).CiphertextBlob
		for _, in := range []any{
			&sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x"), EncryptionAlgorithm: sha1OAEP, EncryptionContext: pair},
			&sdk.DecryptInput{KeyId: &key, CiphertextBlob: blob, EncryptionAlgorithm: sha1OAEP, EncryptionContext: pair},
			&sdk.ReEncryptInput{SourceKeyId: &key, CiphertextBlob: blob, SourceEncryptionAlgorithm: sha1OAEP, SourceEncryptionContext: pair, DestinationKeyId: &f.arn},
			&sdk.ReEncryptInput{CiphertextBlob: f.plant(t, "x", nil), DestinationKeyId: &key, DestinationEncryptionAlgorithm: sha1OAEP, DestinationEncryptionContext: pair},
		} {
			refused(t, f.api, in, "ValidationException", noContext)
		}
	})
}
