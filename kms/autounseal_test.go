package kms_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// kmsRoot returns a root that is a KMS key of the fixture's cloud.
func kmsRoot(t *testing.T, f *fixture) keyring.Keyring {
	t.Helper()
	ring, err := awskms.New(f.SDK(), f.arn, nil)
	require.NoError(t, err)
	return ring
}

// TestAutoUnseal has a store whose root key is a KMS key open as long as KMS lets it.
func TestAutoUnseal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	ring := kmsRoot(t, f)
	inner := store.NewMemory()
	s, err := store.Seal(t.Context(), inner, ring, nil)
	require.NoError(t, err)
	write := func(value string) {
		t.Helper()
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("a", []byte(value)) }))
	}
	write("1")

	succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &f.id})
	before := dump(t, inner)
	_, err = store.Seal(t.Context(), inner, ring, nil)
	require.ErrorIs(t, err, store.ErrRootKey)
	var disabled *types.DisabledException
	require.ErrorAs(t, err, &disabled, "the cause is told")
	_, err = kms.New(t.Context(), kms.Config{Store: inner, RootKey: ring})
	require.ErrorIs(t, err, store.ErrRootKey)
	require.Equal(t, before, dump(t, inner))
	write("2") // who has the store open needs KMS no more

	succeeds(t, f.api, &sdk.EnableKeyInput{KeyId: &f.id})
	again, err := store.Seal(t.Context(), inner, ring, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "2"}, dump(t, again))
}

// TestRekeyUnderAnEngine has the store of a running engine move from a raw key to a KMS
// key of another engine and back, and loses no key.
func TestRekeyUnderAnEngine(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	kmsKey, raw := kmsRoot(t, f), rootKey(t, 1)
	inner := store.NewMemory()
	sealed, err := store.Seal(t.Context(), inner, raw, nil)
	require.NoError(t, err)
	service, err := kms.New(t.Context(), kms.Config{Store: sealed, Now: f.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	api := service.Client(root)
	key := do[sdk.CreateKeyOutput](t, api, &sdk.CreateKeyInput{}).KeyMetadata.KeyId
	blob := do[sdk.EncryptOutput](t, api, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("secret")}).CiphertextBlob
	opens := func(s store.Store, ring keyring.Keyring) {
		t.Helper()
		service, err := kms.New(t.Context(), kms.Config{Store: s, RootKey: ring, Now: f.Now})
		require.NoError(t, err)
		plaintext := do[sdk.DecryptOutput](t, service.Client(root), &sdk.DecryptInput{CiphertextBlob: blob}).Plaintext
		require.Equal(t, "secret", string(plaintext))
	}
	for _, move := range []struct{ to, from keyring.Keyring }{{kmsKey, raw}, {raw, kmsKey}} {
		require.NoError(t, sealed.Rekey(t.Context(), move.to, func(int, int) {
			plaintext := do[sdk.DecryptOutput](t, api, &sdk.DecryptInput{CiphertextBlob: blob}).Plaintext
			require.Equal(t, "secret", string(plaintext))
			succeeds(t, api, &sdk.UpdateKeyDescriptionInput{KeyId: key, Description: key})
		}))
		_, err := store.Seal(t.Context(), inner, move.from, nil)
		require.ErrorIs(t, err, store.ErrRootKey)
		opens(inner, move.to)
		r, err := sealed.Verify(t.Context())
		require.NoError(t, err)
		require.NoError(t, r.Err())
	}
	succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &f.id})
	opens(inner, raw)
	var disabled *types.DisabledException
	require.ErrorAs(t, sealed.Rekey(t.Context(), kmsKey, nil), &disabled)
	opens(inner, raw)
}
