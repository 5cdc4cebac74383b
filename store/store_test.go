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
