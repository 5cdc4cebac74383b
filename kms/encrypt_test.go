package kms_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms/kmstest"
)

const (
	incorrectKey = "The key ID in the request does not identify a CMK that can perform this operation."
	unseenKey    = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."
	wouldHave    = "The request would have succeeded, but the DryRun option is set."
)

func materialOf(t *testing.T, f *fixture, id string) string {
	t.Helper()
	return *describe(t, f, id).CurrentKeyMaterialId
}

func TestEncryptAndDecryptOutputs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, id := range []string{f.id, f.arn, "alias/app", aliasARN("alias/app")} {
			sealed := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &id, Plaintext: []byte("secret")})
			require.Equal(t, &sdk.EncryptOutput{
				CiphertextBlob:      sealed.CiphertextBlob,
				EncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault,
				KeyId:               &f.arn,
			}, sealed)
			want := &sdk.DecryptOutput{
				EncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault,
				KeyId:               &f.arn,
				KeyMaterialId:       aws.String(materialOf(t, f, f.id)),
				Plaintext:           []byte("secret"),
			}
			require.Equal(t, want, do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob}))
			require.Equal(t, want, do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{
				CiphertextBlob: sealed.CiphertextBlob, KeyId: &id,
				EncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault,
			}))
		}
	})
}

func TestEverySizeOpens(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	plaintext := bytes.Repeat([]byte("0123456789abcdef"), 256)
	for n := 1; n <= 4096; n = min(n+1+n/16, max(4096, n+1)) {
		blob := f.plant(t, string(plaintext[:n]), nil)
		require.Equal(t, "\x01\x02\x02\x00\x78", string(blob[:5]))
		require.LessOrEqual(t, len(blob), 6144)
		require.Equal(t, plaintext[:n], do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: blob}).Plaintext)
	}
}

func TestEncryptionContextIsBound(t *testing.T) {
	t.Parallel()
	contexts := []map[string]string{
		nil,
		{"ab": "c"},
		{"a": "bc"},
		{"a": "b", "c": "d"},
		{"a": "bc", "d": "e"},
		{"a": "d", "c": "b"},
		{"A": "bc"},
		{"a": "bC"},
		{"aws-crypto-public-key": "x"},
		{"ключ": "значение"},
		{"a": strings.Repeat("b", 8000)},
	}
	each(t, func(t *testing.T, f *fixture) {
		for i, sealed := range contexts {
			dataKey := &sdk.GenerateDataKeyInput{KeyId: &f.id, KeySpec: types.DataKeySpecAes256, EncryptionContext: sealed}
			quiet := &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &f.id, KeySpec: types.DataKeySpecAes256, EncryptionContext: sealed}
			rewrapped := &sdk.ReEncryptInput{CiphertextBlob: f.plant(t, "secret", nil), DestinationKeyId: &f.id, DestinationEncryptionContext: sealed}
			for _, blob := range [][]byte{
				f.plant(t, "secret", sealed),
				do[sdk.GenerateDataKeyOutput](t, f.api, dataKey).CiphertextBlob,
				do[sdk.GenerateDataKeyWithoutPlaintextOutput](t, f.api, quiet).CiphertextBlob,
				do[sdk.ReEncryptOutput](t, f.api, rewrapped).CiphertextBlob,
			} {
				for j, opened := range contexts {
					decrypt := &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: opened}
					again := &sdk.ReEncryptInput{CiphertextBlob: blob, SourceEncryptionContext: opened, DestinationKeyId: &f.id}
					if i == j {
						succeeds(t, f.api, decrypt)
						succeeds(t, f.api, again)
						continue
					}
					refused(t, f.api, decrypt, "InvalidCiphertextException", "")
					refused(t, f.api, again, "InvalidCiphertextException", "")
				}
			}
		}
		// an empty context is no context
		succeeds(t, f.api, &sdk.DecryptInput{CiphertextBlob: f.plant(t, "secret", nil), EncryptionContext: map[string]string{}})
		succeeds(t, f.api, &sdk.DecryptInput{CiphertextBlob: f.plant(t, "secret", map[string]string{})})
	})
}

func TestReEncrypt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		other := f.Seed(kmstest.Key{Alias: "alias/other"})
		from, to := map[string]string{"from": "1"}, map[string]string{"to": "2"}
		blob := f.plant(t, "secret", from)
		for _, source := range []*string{nil, &f.id, &f.arn, aws.String("alias/app"), aws.String(aliasARN("alias/app"))} {
			for _, destination := range []string{other, f.arn} {
				got := do[sdk.ReEncryptOutput](t, f.api, &sdk.ReEncryptInput{
					CiphertextBlob: blob, SourceKeyId: source, SourceEncryptionContext: from,
					DestinationKeyId: &destination, DestinationEncryptionContext: to,
				})
				require.Equal(t, &sdk.ReEncryptOutput{
					CiphertextBlob:                 got.CiphertextBlob,
					DestinationEncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault,
					DestinationKeyMaterialId:       aws.String(materialOf(t, f, destination)),
					KeyId:                          &destination,
					SourceEncryptionAlgorithm:      types.EncryptionAlgorithmSpecSymmetricDefault,
					SourceKeyId:                    &f.arn,
					SourceKeyMaterialId:            aws.String(materialOf(t, f, f.arn)),
				}, got)
				opened := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: got.CiphertextBlob, EncryptionContext: to})
				require.Equal(t, destination, *opened.KeyId)
				require.Equal(t, "secret", string(opened.Plaintext))
				refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: got.CiphertextBlob, EncryptionContext: from}, "InvalidCiphertextException", "")
			}
		}
	})
}

func TestTheKeyOfACiphertext(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		other := f.Seed(kmstest.Key{Alias: "alias/other"})
		blob := f.plant(t, "secret", nil)
		for _, id := range []string{other, idOf(other), "alias/other", aliasARN("alias/other")} {
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &id}, "IncorrectKeyException", incorrectKey)
			refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, SourceKeyId: &id, DestinationKeyId: &f.id}, "IncorrectKeyException", incorrectKey)
			// that the key is the wrong one comes before the key's state
			succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &other})
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &id}, "IncorrectKeyException", incorrectKey)
			succeeds(t, f.api, &sdk.EnableKeyInput{KeyId: &other})
		}
		for _, garbage := range []string{"x", strings.Repeat("x", 6144), "\x01\x02\x02\x00\x78", "\x01\x02\x02\x00\x78\x02" + string(blob[6:])} {
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: []byte(garbage)}, "InvalidCiphertextException", "")
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: []byte(garbage), KeyId: &f.arn}, "InvalidCiphertextException", "")
			refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: []byte(garbage), DestinationKeyId: &f.arn}, "InvalidCiphertextException", "")
		}
		// a key's state comes before what is wrong with a ciphertext
		damaged := bytes.Clone(blob)
		damaged[len(damaged)-1] ^= 1
		succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &f.arn})
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: damaged}, "DisabledException", f.arn+" is disabled.")
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: []byte("x"), KeyId: &f.arn}, "DisabledException", f.arn+" is disabled.")
		// a key that is not in the Region
		west := f.Client(f.Root().In("us-west-2"))
		refused(t, west, &sdk.DecryptInput{CiphertextBlob: blob}, "AccessDeniedException", unseenKey)
		refused(t, west, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id}, "AccessDeniedException", unseenKey)
	})
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		yes, blob := aws.Bool(true), f.plant(t, "secret", nil)
		ignore := []types.DryRunModifierType{types.DryRunModifierTypeIgnoreCiphertext}
		inputs := []any{
			&sdk.EncryptInput{KeyId: &f.id, Plaintext: []byte("x"), DryRun: yes},
			&sdk.DecryptInput{CiphertextBlob: blob, DryRun: yes},
			&sdk.DecryptInput{KeyId: &f.id, DryRun: yes, DryRunModifiers: ignore},
			&sdk.DecryptInput{KeyId: &f.id, CiphertextBlob: []byte("ignored"), DryRun: yes, DryRunModifiers: ignore},
			&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id, DryRun: yes},
			&sdk.ReEncryptInput{SourceKeyId: &f.id, DestinationKeyId: &f.id, DryRun: yes, DryRunModifiers: ignore},
			&sdk.GenerateDataKeyInput{KeyId: &f.id, KeySpec: types.DataKeySpecAes256, DryRun: yes},
			&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &f.id, KeySpec: types.DataKeySpecAes256, DryRun: yes},
		}
		for _, in := range inputs {
			refused(t, f.api, in, "DryRunOperationException", wouldHave)
		}
		// what would not have succeeded says so
		no := aws.Bool(false)
		const needsDryRun = "DryRunModifiers can be used only when DryRun is true."
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &f.id, DryRunModifiers: ignore}, "ValidationException", needsDryRun)
		refused(t, f.api, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id, DryRun: no, DryRunModifiers: ignore},
			"ValidationException", needsDryRun)
		const needsKey = "KeyId is required when the ciphertext is ignored."
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, DryRun: yes, DryRunModifiers: ignore}, "ValidationException", needsKey)
		refused(t, f.api, &sdk.ReEncryptInput{DestinationKeyId: &f.id, DryRun: yes, DryRunModifiers: ignore}, "ValidationException", needsKey)
		const needsBlob = "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null"
		refused(t, f.api, &sdk.DecryptInput{KeyId: &f.id, DryRun: yes}, "ValidationException", needsBlob)
		refused(t, f.api, &sdk.DecryptInput{DryRun: yes, DryRunModifiers: []types.DryRunModifierType{"NONE"}}, "ValidationException",
			"2 validation errors detected: Value 'NONE' at 'dryRunModifiers' failed to satisfy constraint: Member must satisfy enum value set: [IGNORE_CIPHERTEXT]; "+
				strings.TrimPrefix(needsBlob, "1 validation error detected: "))
		succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &f.id})
		for _, in := range inputs {
			refused(t, f.api, in, "DisabledException", f.arn+" is disabled.")
		}
	})
}

func TestAlgorithmsOfOtherKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		blob := f.plant(t, "secret", nil)
		for _, a := range []types.EncryptionAlgorithmSpec{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"} {
			message := "Algorithm " + string(a) + " is incompatible with key spec SYMMETRIC_DEFAULT."
			for _, in := range []any{
				&sdk.EncryptInput{KeyId: &f.id, Plaintext: []byte("x"), EncryptionAlgorithm: a},
				&sdk.DecryptInput{CiphertextBlob: blob, EncryptionAlgorithm: a},
				&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id, SourceEncryptionAlgorithm: a},
				&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id, DestinationEncryptionAlgorithm: a},
			} {
				refused(t, f.api, in, "InvalidKeyUsageException", message)
			}
		}
	})
}

// TestMaterialIsNotEnough has two keys of the same material: a ciphertext belongs to
// one of them.
func TestMaterialIsNotEnough(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		material := bytes.Repeat([]byte{7}, keyrecord.MaterialLen)
		one := f.Seed(kmstest.Key{Alias: "alias/one", Material: material})
		two := f.Seed(kmstest.Key{Alias: "alias/two", Material: material})
		blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &one, Plaintext: []byte("secret")}).CiphertextBlob
		succeeds(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &one})
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &two}, "IncorrectKeyException", incorrectKey)

		other := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &two, Plaintext: []byte("secret")}).CiphertextBlob
		for _, moved := range [][]byte{
			append(other[:54:54], blob[54:]...), // key id of two, material id of one
			append(other[:86:86], blob[86:]...), // key and material id of two
			append(append(blob[:54:54], other[54:86]...), blob[86:]...),
		} {
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: moved}, "InvalidCiphertextException", "")
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: moved, KeyId: aws.String(string(moved[18:54]))}, "InvalidCiphertextException", "")
		}
	})
}

// flip returns b with one bit inverted.
func flip(b []byte, bit int) []byte {
	b = bytes.Clone(b)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	blob := f.plant(t, "secret", map[string]string{"a": "b"})
	decrypt := func(b []byte, id *string) (string, error) {
		_, err := f.api.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: b, KeyId: id, EncryptionContext: map[string]string{"a": "b"}})
		return codeOf(err), err
	}
	code, err := decrypt(blob, nil)
	require.NoError(t, err)
	require.Empty(t, code)
	for bit := range len(blob) * 8 {
		damaged := flip(blob, bit)
		names := namesKey(damaged) // another key: the one that is meant cannot be told
		for _, id := range []*string{nil, &f.id, &f.arn, aws.String("alias/app")} {
			_, err := decrypt(damaged, id)
			switch {
			case bit < 6*8 || bit >= 54*8 || !names:
				requireRefusal(t, err, "InvalidCiphertextException", "")
			case id == nil:
				requireRefusal(t, err, "AccessDeniedException", unseenKey)
			default:
				requireRefusal(t, err, "IncorrectKeyException", incorrectKey)
			}
		}
	}
	for n := range len(blob) {
		for _, id := range []*string{nil, &f.id, &f.arn} {
			_, err := decrypt(blob[:n], id)
			if n == 0 {
				requireRefusal(t, err, "ValidationException",
					"1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length greater than or equal to 1")
				continue
			}
			requireRefusal(t, err, "InvalidCiphertextException", "")
		}
	}
	for _, more := range []string{"\x00", "x", string(blob), strings.Repeat("x", 1000)} {
		_, err := decrypt(append(bytes.Clone(blob), more...), nil)
		requireRefusal(t, err, "InvalidCiphertextException", "")
	}
}

// namesKey reports whether the account and key id in a blob have their form.
func namesKey(blob []byte) bool { return blobAccount.Match(blob[6:18]) && uuidForm.Match(blob[18:54]) }

var (
	blobAccount = regexp.MustCompile(`^[0-9]{12}$`)
	uuidForm    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

func TestEncryptionIsRandomised(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	seen := map[string]bool{}
	for range 100 {
		blob := f.plant(t, "secret", nil)
		seen[string(blob[86:102])] = true // the salt
		seen[string(blob[102:])] = true
	}
	require.Len(t, seen, 200)
}
