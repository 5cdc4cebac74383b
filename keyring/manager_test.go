package keyring_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

func TestManagerRoundTrip(t *testing.T) {
	t.Parallel()
	manager := keyring.NewManager(newAES(t, "key"))
	for _, s := range append(keyring.Suites(), 0) {
		policy := keyring.RequireEncryptRequireDecrypt
		if s != 0 {
			policy = writing(s)
		}
		m, err := manager.EncryptionMaterials(t.Context(), keyring.EncryptionRequest{
			Context: keyring.EncryptionContext{"tenant": "42", "secret pair": "x"},
			Suite:   s, CommitmentPolicy: policy, RequiredContextKeys: []string{"secret pair"},
		})
		require.NoError(t, err)
		require.NoError(t, m.Complete())
		r := keyring.DecryptionRequest{
			Suite: m.Suite(), CommitmentPolicy: policy,
			EncryptedDataKeys: m.EncryptedDataKeys(), Context: m.StoredContext(),
			Reproduced: keyring.EncryptionContext{"secret pair": "x", "tenant": "42"},
		}
		d, err := manager.DecryptionMaterials(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, m.DataKey(), d.DataKey())
		require.Equal(t, m.Context(), d.Context())
		require.Equal(t, m.RequiredContext(), d.RequiredContext())

		r.Reproduced = nil // the pair is bound to the data key although it is not stored
		_, err = manager.DecryptionMaterials(t.Context(), r)
		require.ErrorIs(t, err, keyring.ErrNoMatch)
		require.ErrorIs(t, err, keyring.ErrUnwrap)
	}
}

func TestManagerRefusesRequests(t *testing.T) {
	t.Parallel()
	manager := keyring.NewManager(fake{}) // which panics if it is asked
	for _, c := range []struct {
		name string
		r    keyring.EncryptionRequest
		want error
	}{
		{"reserved key", keyring.EncryptionRequest{Context: keyring.EncryptionContext{publicKeyName: ""}}, keyring.ErrEncryptionContext},
		{"required key that is absent", keyring.EncryptionRequest{RequiredContextKeys: []string{"a"}}, keyring.ErrEncryptionContext},
		{"suite against the policy", keyring.EncryptionRequest{Suite: unsigned}, keyring.ErrCommitmentPolicy},
		{"unknown suite", keyring.EncryptionRequest{Suite: 0x6700}, keyring.ErrUnknownSuite},
	} {
		m, err := manager.EncryptionMaterials(t.Context(), c.r)
		require.ErrorIs(t, err, c.want, c.name)
		require.Nil(t, m, c.name)
	}
	for _, c := range []struct {
		name string
		r    keyring.DecryptionRequest
		want error
	}{
		{"no suite", keyring.DecryptionRequest{}, keyring.ErrUnknownSuite},
		{"suite against the policy", keyring.DecryptionRequest{Suite: unsigned}, keyring.ErrCommitmentPolicy},
		{"no public key", keyring.DecryptionRequest{Suite: keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384}, keyring.ErrEncryptionContext},
		{"another context", keyring.DecryptionRequest{
			Suite:   keyring.AES256GCMHKDFSHA512CommitKey,
			Context: keyring.EncryptionContext{"a": "1"}, Reproduced: keyring.EncryptionContext{"a": "2"},
		}, keyring.ErrEncryptionContext},
	} {
		m, err := manager.DecryptionMaterials(t.Context(), c.r)
		require.ErrorIs(t, err, c.want, c.name)
		require.Nil(t, m, c.name)
	}
}

func TestManagerRefusesIncompleteMaterials(t *testing.T) {
	t.Parallel()
	for name, encrypt := range map[string]func(context.Context, *keyring.EncryptionMaterials) error{
		"nothing done": func(context.Context, *keyring.EncryptionMaterials) error { return nil },
		"no encrypted data key": func(_ context.Context, m *keyring.EncryptionMaterials) error {
			return m.SetDataKey(make([]byte, m.Suite().DataKeyLen()))
		},
	} {
		m, err := keyring.NewManager(fake{encrypt: encrypt}).EncryptionMaterials(t.Context(), keyring.EncryptionRequest{})
		require.ErrorIs(t, err, keyring.ErrMaterials, name)
		require.Nil(t, m, name)
	}
	idle := fake{decrypt: func(context.Context, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error { return nil }}
	m, err := keyring.NewManager(idle).DecryptionMaterials(t.Context(), keyring.DecryptionRequest{
		Suite: keyring.AES256GCMHKDFSHA512CommitKey,
	})
	require.ErrorIs(t, err, keyring.ErrMaterials)
	require.Nil(t, m)
}

func TestManagerPassesErrorsOn(t *testing.T) {
	t.Parallel()
	want := errors.New("keyring out of order")
	manager := keyring.NewManager(fake{
		encrypt: func(context.Context, *keyring.EncryptionMaterials) error { return want },
		decrypt: func(context.Context, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error { return want },
	})
	_, err := manager.EncryptionMaterials(t.Context(), keyring.EncryptionRequest{})
	require.ErrorIs(t, err, want)
	_, err = manager.DecryptionMaterials(t.Context(), keyring.DecryptionRequest{Suite: keyring.AES256GCMHKDFSHA512CommitKey})
	require.ErrorIs(t, err, want)
}
