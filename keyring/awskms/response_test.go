package awskms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
)

func ptr(s string) *string { return &s }

func TestGenerateDataKeyResponsesAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput
		want   error
	}{
		{"none", func(*kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput { return nil }, awskms.ErrResponse},
		{"empty", func(*kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput { return &kms.GenerateDataKeyOutput{} }, awskms.ErrResponse},
		{"no key id", func(o *kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput { o.KeyId = nil; return o }, awskms.ErrResponse},
		{"alias", func(o *kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput { o.KeyId = ptr(aliasARN); return o }, awskms.ErrResponse},
		{"another key", func(o *kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput { o.KeyId = ptr(otherARN); return o }, awskms.ErrResponse},
		{"no ciphertext", func(o *kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput { o.CiphertextBlob = nil; return o }, awskms.ErrResponse},
		{"too much ciphertext", func(o *kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput {
			o.CiphertextBlob = make([]byte, 65536)
			return o
		}, keyring.ErrMaterials},
		{"no plaintext", func(o *kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput { o.Plaintext = nil; return o }, keyring.ErrMaterials},
		{"short plaintext", func(o *kms.GenerateDataKeyOutput) *kms.GenerateDataKeyOutput {
			o.Plaintext = o.Plaintext[:31]
			return o
		}, keyring.ErrMaterials},
	} {
		api := altering{fakeKMS: newFakeKMS(), generated: func(o *kms.GenerateDataKeyOutput) (*kms.GenerateDataKeyOutput, error) {
			return c.change(o), nil
		}}
		m := encryption(t, keyring.AES256GCMHKDFSHA256)
		require.ErrorIs(t, newRing(t, api, keyARN, nil).OnEncrypt(t.Context(), m), c.want, c.name)
		require.False(t, m.HasDataKey(), c.name)
		require.Empty(t, m.EncryptedDataKeys(), c.name)
	}
}

func TestEncryptResponsesAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*kms.EncryptOutput) *kms.EncryptOutput
	}{
		{"none", func(*kms.EncryptOutput) *kms.EncryptOutput { return nil }},
		{"empty", func(*kms.EncryptOutput) *kms.EncryptOutput { return &kms.EncryptOutput{} }},
		{"no key id", func(o *kms.EncryptOutput) *kms.EncryptOutput { o.KeyId = nil; return o }},
		{"alias", func(o *kms.EncryptOutput) *kms.EncryptOutput { o.KeyId = ptr(aliasARN); return o }},
		{"another key", func(o *kms.EncryptOutput) *kms.EncryptOutput { o.KeyId = ptr(otherARN); return o }},
		{"no ciphertext", func(o *kms.EncryptOutput) *kms.EncryptOutput { o.CiphertextBlob = []byte{}; return o }},
	} {
		api := altering{fakeKMS: newFakeKMS(), encrypted: func(o *kms.EncryptOutput) (*kms.EncryptOutput, error) {
			return c.change(o), nil
		}}
		m := encryption(t, keyring.AES256GCMHKDFSHA256)
		require.NoError(t, m.SetDataKey(make([]byte, 32)))
		require.ErrorIs(t, newRing(t, api, keyARN, nil).OnEncrypt(t.Context(), m), awskms.ErrResponse, c.name)
		require.Empty(t, m.EncryptedDataKeys(), c.name)
	}
}

// A keyring that knows its key by an alias takes any key ARN, but only an ARN.
func TestResponsesToAnAliasAreChecked(t *testing.T) {
	t.Parallel()
	answer := otherARN
	api := altering{fakeKMS: newFakeKMS(), generated: func(o *kms.GenerateDataKeyOutput) (*kms.GenerateDataKeyOutput, error) {
		o.KeyId = &answer
		return o, nil
	}}
	ring := newRing(t, api, "alias/fleet", &awskms.Options{EncryptOnly: true})
	require.NoError(t, ring.OnEncrypt(t.Context(), encryption(t, keyring.AES256GCMHKDFSHA256)))
	answer = "alias/fleet"
	require.ErrorIs(t, ring.OnEncrypt(t.Context(), encryption(t, keyring.AES256GCMHKDFSHA256)), awskms.ErrResponse)
}

// A bad response fails its attempt only: the next encrypted data key is tried.
func TestDecryptResponsesAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*kms.DecryptOutput) *kms.DecryptOutput
		want   error
	}{
		{"none", func(*kms.DecryptOutput) *kms.DecryptOutput { return nil }, awskms.ErrResponse},
		{"empty", func(*kms.DecryptOutput) *kms.DecryptOutput { return &kms.DecryptOutput{} }, awskms.ErrResponse},
		{"no key id", func(o *kms.DecryptOutput) *kms.DecryptOutput { o.KeyId = nil; return o }, awskms.ErrResponse},
		{"alias", func(o *kms.DecryptOutput) *kms.DecryptOutput { o.KeyId = ptr(aliasARN); return o }, awskms.ErrResponse},
		{"another key", func(o *kms.DecryptOutput) *kms.DecryptOutput { o.KeyId = ptr(otherARN); return o }, awskms.ErrResponse},
		{"no plaintext", func(o *kms.DecryptOutput) *kms.DecryptOutput { o.Plaintext = nil; return o }, keyring.ErrMaterials},
		{"long plaintext", func(o *kms.DecryptOutput) *kms.DecryptOutput {
			o.Plaintext = make([]byte, 33)
			return o
		}, keyring.ErrMaterials},
	} {
		calls := 0
		fake := newFakeKMS()
		api := altering{fakeKMS: fake, decrypted: func(o *kms.DecryptOutput) (*kms.DecryptOutput, error) {
			if calls++; calls == 1 || calls == 2 {
				return c.change(o), nil
			}
			return o, nil
		}}
		ring := newRing(t, api, keyARN, nil)
		m := encryption(t, keyring.AES256GCMHKDFSHA256)
		require.NoError(t, ring.OnEncrypt(t.Context(), m))
		keys := m.EncryptedDataKeys()
		d := decryption(t, m)
		err := ring.OnDecrypt(t.Context(), d, keys)
		require.ErrorIs(t, err, keyring.ErrNoMatch, c.name)
		require.ErrorIs(t, err, c.want, c.name)
		require.False(t, d.HasDataKey(), c.name)
		require.NoError(t, ring.OnDecrypt(t.Context(), d, append(keys, keys...)), c.name)
		require.Equal(t, m.DataKey(), d.DataKey(), c.name)
		require.Equal(t, 3, calls)
	}
}
