package awskms_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/keyring/keyringtest"
)

func newRing(t *testing.T, api awskms.API, key string, o *awskms.Options) *awskms.Keyring {
	t.Helper()
	ring, err := awskms.New(api, key, o)
	require.NoError(t, err)
	return ring
}

func encryption(t *testing.T, suite keyring.Suite) *keyring.EncryptionMaterials {
	t.Helper()
	policy := keyring.ForbidEncryptAllowDecrypt
	if suite.Committing() {
		policy = keyring.RequireEncryptRequireDecrypt
	}
	m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{
		Suite: suite, CommitmentPolicy: policy, Context: keyring.EncryptionContext{"tenant": "42"},
	})
	require.NoError(t, err)
	return m
}

func decryption(t *testing.T, m *keyring.EncryptionMaterials) *keyring.DecryptionMaterials {
	t.Helper()
	d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
		Suite: m.Suite(), CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, Context: m.Context(),
	})
	require.NoError(t, err)
	return d
}

func TestConformance(t *testing.T) {
	t.Parallel()
	tokens := []string{"grant-token-one", "grant-token-two"}
	for name, key := range map[string]string{"key ARN": keyARN, "alias": "alias/fleet"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				api := newFakeKMS()
				late := altering{
					fakeKMS:   api,
					generated: func(*kms.GenerateDataKeyOutput) (*kms.GenerateDataKeyOutput, error) { return nil, nil },
					encrypted: func(*kms.EncryptOutput) (*kms.EncryptOutput, error) { return nil, nil },
				}
				o := &awskms.Options{GrantTokens: tokens}
				s := keyringtest.Subject{
					Encrypt: newRing(t, api, keyARN, o),
					Decrypt: newRing(t, api, keyARN, o),
					Foreign: newRing(t, api, otherARN, nil),
					Failing: newRing(t, late, keyARN, o),
					Secrets: [][]byte{[]byte(tokens[0]), []byte(tokens[1])},
				}
				if key != keyARN {
					s.Encrypt = newRing(t, api, key, &awskms.Options{GrantTokens: tokens, EncryptOnly: true})
				}
				return s
			})
		})
	}
}

func TestNewTakesKeyARNsOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key         string
		plain, only bool // accepted without and with EncryptOnly
	}{
		{keyARN, true, true},
		{"arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab", true, true},
		{aliasARN, false, true},
		{"alias/fleet", false, true},
		{"1234abcd-12ab-34cd-56ef-1234567890ab", false, true},
		{"mrk-1234abcd12ab34cd56ef1234567890ab", false, true},
		{"", false, false},
		{"alias/", false, false},
		{"key/1234abcd-12ab-34cd-56ef-1234567890ab", false, false},
		{"table/orders", false, false},
		{"arn:aws:kms:eu-west-1:111122223333:key/", false, false},
		{"arn:aws:kms:eu-west-1:111122223333:table/x", false, false},
		{"arn:aws:kms::111122223333:key/x", false, false},
		{"arn:aws:s3:eu-west-1:111122223333:key/x", false, false},
		{"arn:aws:kms:eu-west-1:111122223333", false, false},
	} {
		_, err := awskms.New(newFakeKMS(), c.key, nil)
		require.Equal(t, c.plain, err == nil, "%q: %v", c.key, err)
		if !c.plain {
			require.ErrorIs(t, err, awskms.ErrKeyID)
		}
		_, err = awskms.New(newFakeKMS(), c.key, &awskms.Options{EncryptOnly: true})
		require.Equal(t, c.only, err == nil, "%q, encrypt only: %v", c.key, err)
		if !c.only {
			require.ErrorIs(t, err, awskms.ErrKeyID)
		}
	}
	_, err := awskms.New(nil, keyARN, nil)
	require.ErrorContains(t, err, "API")
}

func TestRequestsSayExactlyWhatIsNeeded(t *testing.T) {
	t.Parallel()
	for _, suite := range keyring.Suites() {
		api := newFakeKMS()
		tokens := []string{"a-token"}
		ring := newRing(t, api, keyARN, &awskms.Options{GrantTokens: tokens})
		tokens[0] = "changed afterwards"

		m := encryption(t, suite)
		require.NoError(t, ring.OnEncrypt(t.Context(), m))
		require.NoError(t, ring.OnEncrypt(t.Context(), m)) // wraps what it has generated
		keys := m.EncryptedDataKeys()
		require.Len(t, keys, 2)
		for _, k := range keys {
			require.Equal(t, "aws-kms", k.Provider)
			require.Equal(t, keyARN, string(k.Info))
		}
		d := decryption(t, m)
		require.NoError(t, ring.OnDecrypt(t.Context(), d, keys[1:]))
		require.Equal(t, m.DataKey(), d.DataKey())

		key, n, context := keyARN, int32(suite.DataKeyLen()), map[string]string(m.Context())
		require.Equal(t, suite.Signed(), len(context) == 2, "the public key is part of the context")
		require.Equal(t, []any{
			&kms.GenerateDataKeyInput{KeyId: &key, NumberOfBytes: &n, EncryptionContext: context, GrantTokens: []string{"a-token"}},
			&kms.EncryptInput{KeyId: &key, Plaintext: m.DataKey(), EncryptionContext: context, GrantTokens: []string{"a-token"}},
			&kms.DecryptInput{KeyId: &key, CiphertextBlob: keys[1].Ciphertext, EncryptionContext: context, GrantTokens: []string{"a-token"}},
		}, api.inputs())
	}
}

func TestDecryptAsksForItsOwnKeyOnly(t *testing.T) {
	t.Parallel()
	api := newFakeKMS()
	ring := newRing(t, api, keyARN, nil)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, newRing(t, api, otherARN, nil).OnEncrypt(t.Context(), m))
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	keys := m.EncryptedDataKeys()
	keys = append(keys, keyring.EncryptedDataKey{Provider: "aws-kms-hierarchy", Info: []byte("not an ARN")})

	before := len(api.inputs())
	require.NoError(t, ring.OnDecrypt(t.Context(), decryption(t, m), keys))
	require.Len(t, api.inputs()[before:], 1)

	err := ring.OnDecrypt(t.Context(), decryption(t, m), keys[:1])
	require.ErrorIs(t, err, keyring.ErrNoMatch)
	require.Len(t, api.inputs()[before:], 1)
}

// The specification has one bad info fail the message even behind a good one.
func TestDecryptRefusesKMSInfoThatIsNoKeyARN(t *testing.T) {
	t.Parallel()
	api := newFakeKMS()
	ring := newRing(t, api, keyARN, nil)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	before := len(api.inputs())
	for _, info := range []string{
		"", "garbage", aliasARN, "alias/fleet", "1234abcd-12ab-34cd-56ef-1234567890ab",
		"arn:aws:s3:eu-west-1:111122223333:key/x", "arn:aws:kms:eu-west-1::key/x", "\xff\xfe",
	} {
		bad := keyring.EncryptedDataKey{Provider: "aws-kms", Info: []byte(info), Ciphertext: []byte{1}}
		for _, keys := range [][]keyring.EncryptedDataKey{
			append(m.EncryptedDataKeys(), bad), append([]keyring.EncryptedDataKey{bad}, m.EncryptedDataKeys()...),
		} {
			d := decryption(t, m)
			err := ring.OnDecrypt(t.Context(), d, keys)
			require.ErrorIs(t, err, awskms.ErrKeyID, "%q", info)
			require.NotErrorIs(t, err, keyring.ErrNoMatch)
			require.False(t, d.HasDataKey())
		}
	}
	require.Len(t, api.inputs(), before, "KMS was called")
}

func TestEncryptOnly(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"alias/fleet", aliasARN, "1234abcd-12ab-34cd-56ef-1234567890ab", keyARN} {
		api := newFakeKMS()
		ring := newRing(t, api, key, &awskms.Options{EncryptOnly: true})
		m := encryption(t, keyring.AES256GCMHKDFSHA256)
		require.NoError(t, ring.OnEncrypt(t.Context(), m), key)
		require.Equal(t, keyARN, string(m.EncryptedDataKeys()[0].Info), key)

		d := decryption(t, m)
		require.ErrorIs(t, ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()), awskms.ErrEncryptOnly)
		require.False(t, d.HasDataKey())
		require.Len(t, api.inputs(), 1)

		require.NoError(t, newRing(t, api, keyARN, nil).OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
		require.Equal(t, m.DataKey(), d.DataKey())
	}
}

func TestErrorsOfKMSStayReachable(t *testing.T) {
	t.Parallel()
	const gone = "arn:aws:kms:eu-west-1:111122223333:key/gone"
	ring := newRing(t, newFakeKMS(), gone, nil)
	var notFound *types.NotFoundException

	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.ErrorAs(t, ring.OnEncrypt(t.Context(), m), &notFound)
	require.False(t, m.HasDataKey())

	require.NoError(t, m.SetDataKey(make([]byte, 32)))
	notFound = nil
	require.ErrorAs(t, ring.OnEncrypt(t.Context(), m), &notFound)
	require.Empty(t, m.EncryptedDataKeys())

	keys := []keyring.EncryptedDataKey{{Provider: "aws-kms", Info: []byte(gone), Ciphertext: []byte{1}}}
	err := ring.OnDecrypt(t.Context(), decryption(t, m), keys)
	require.ErrorIs(t, err, keyring.ErrNoMatch)
	notFound = nil
	require.ErrorAs(t, err, &notFound)
	var none *keyring.NoMatchError
	require.ErrorAs(t, err, &none)
	require.Len(t, none.Attempts, 1)
	require.Equal(t, gone, string(none.Attempts[0].Info))
}

// A KMS that cancels the caller's context in the middle of a call stands for a
// caller who gives up.
func TestCancellationEndsTheTries(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	api := altering{fakeKMS: newFakeKMS(), decrypted: func(*kms.DecryptOutput) (*kms.DecryptOutput, error) {
		cancel()
		return nil, ctx.Err()
	}}
	ring := newRing(t, api, keyARN, nil)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, ring.OnEncrypt(ctx, m))
	require.NoError(t, ring.OnEncrypt(ctx, m))
	before := len(api.inputs())
	err := ring.OnDecrypt(ctx, decryption(t, m), m.EncryptedDataKeys())
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, keyring.ErrNoMatch)
	require.Len(t, api.inputs()[before:], 1)
}

func TestPlaintextOfResponsesIsWiped(t *testing.T) {
	t.Parallel()
	api := newFakeKMS()
	ring := newRing(t, api, keyARN, nil)
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	d := decryption(t, m)
	require.NoError(t, ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
	require.Len(t, api.plaintexts, 2)
	for _, p := range api.plaintexts {
		require.Equal(t, make([]byte, 32), p)
	}
	require.False(t, bytes.Equal(make([]byte, 32), m.DataKey()))
	require.Equal(t, m.DataKey(), d.DataKey())
}

func TestPlaintextOfRefusedResponsesIsWiped(t *testing.T) {
	t.Parallel()
	fake := newFakeKMS()
	api := altering{
		fakeKMS: fake,
		generated: func(o *kms.GenerateDataKeyOutput) (*kms.GenerateDataKeyOutput, error) {
			o.KeyId = ptr(otherARN)
			return o, nil
		},
		decrypted: func(o *kms.DecryptOutput) (*kms.DecryptOutput, error) {
			o.KeyId = ptr(otherARN)
			return o, nil
		},
	}
	m := encryption(t, keyring.AES256GCMHKDFSHA256)
	require.ErrorIs(t, newRing(t, api, keyARN, nil).OnEncrypt(t.Context(), m), awskms.ErrResponse)
	require.NoError(t, newRing(t, fake, keyARN, nil).OnEncrypt(t.Context(), m))
	err := newRing(t, api, keyARN, nil).OnDecrypt(t.Context(), decryption(t, m), m.EncryptedDataKeys())
	require.ErrorIs(t, err, awskms.ErrResponse)
	require.Len(t, fake.plaintexts, 3)
	for _, p := range fake.plaintexts {
		require.Equal(t, make([]byte, 32), p)
	}
}

// meddler changes the context that it is called with.
type meddler struct{ *fakeKMS }

func (m meddler) GenerateDataKey(ctx context.Context, in *kms.GenerateDataKeyInput, o ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	out, err := m.fakeKMS.GenerateDataKey(ctx, in, o...)
	in.EncryptionContext["tenant"] = "43"
	*in.KeyId = otherARN
	return out, err
}

func TestContextOfTheMaterialsIsNotHandedOut(t *testing.T) {
	t.Parallel()
	ring := newRing(t, meddler{newFakeKMS()}, keyARN, nil)
	for range 2 { // the keyring still knows its key the second time
		m := encryption(t, keyring.AES256GCMHKDFSHA256)
		require.NoError(t, ring.OnEncrypt(t.Context(), m))
		require.Equal(t, keyring.EncryptionContext{"tenant": "42"}, m.Context())
	}
}
