package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

func TestMemoryConforms(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return store.NewMemory() })
}

func TestSealedConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return seal(t, store.NewMemory(), rootKey(t, 1)) })
}

func TestSealedTwiceOpenedConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		inner := store.NewMemory()
		seal(t, inner, rootKey(t, 1))
		return seal(t, inner, rootKey(t, 1))
	})
}

func TestSealedWithoutTallyConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return sealUntallied(t, store.NewMemory(), rootKey(t, 1)) })
}

// A store that another one has rekeyed while it was open.
func TestSealedInNewEpochsConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		inner := store.NewMemory()
		other := seal(t, inner, rootKey(t, 1))
		s := seal(t, inner, multi(t, rootKey(t, 1), rootKey(t, 2)))
		require.NoError(t, other.Rekey(t.Context(), rootKey(t, 2), nil))
		return s
	})
}

// rootKey returns a keyring; n tells it from others.
func rootKey(t testing.TB, n byte) keyring.Keyring {
	t.Helper()
	key := make([]byte, 32)
	key[0] = n
	root, err := keyring.NewRawAES("root", "test", key)
	require.NoError(t, err)
	return root
}

func seal(t testing.TB, inner store.Store, root keyring.Keyring) *store.Sealed {
	t.Helper()
	s, err := store.Seal(t.Context(), inner, root, nil)
	require.NoError(t, err)
	return s
}

// sealUntallied makes a store that keeps no tally.
func sealUntallied(t testing.TB, inner store.Store, root keyring.Keyring) *store.Sealed {
	t.Helper()
	s, err := store.Seal(t.Context(), inner, root, &store.SealOptions{AllowRollback: true})
	require.NoError(t, err)
	return s
}

// multi returns a keyring that opens with any of roots and wraps with all.
func multi(t testing.TB, roots ...keyring.Keyring) keyring.Keyring {
	t.Helper()
	m, err := keyring.NewMulti(roots[0], roots[1:]...)
	require.NoError(t, err)
	return m
}
