package boltstore

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

func TestDurable(t *testing.T) {
	t.Parallel()
	storetest.RunDurable(t, func(t *testing.T) storetest.Place {
		return place(t, func(_ testing.TB, s *Store) store.Store { return s })
	})
}

func TestDurableSealed(t *testing.T) {
	t.Parallel()
	root, err := keyring.NewRawAES("test", "root", make([]byte, 32))
	require.NoError(t, err)
	storetest.RunDurable(t, func(t *testing.T) storetest.Place {
		return place(t, func(tb testing.TB, s *Store) store.Store {
			sealed, err := store.Seal(tb.Context(), s, root, nil)
			require.NoError(tb, err)
			return sealed
		})
	})
}

// place is a file. When its store crashes, what the file holds between two commits is
// moved to another one, and the place is there from then on.
func place(t *testing.T, wrap func(testing.TB, *Store) store.Store) storetest.Place {
	dir, life := t.TempDir(), 0
	path := func() string { return filepath.Join(dir, fmt.Sprintf("%d.db", life)) }
	var inner *Store
	return storetest.Place{
		Open: func(tb testing.TB) store.Store {
			var err error
			inner, err = Open(path(), nil)
			require.NoError(tb, err)
			return wrap(tb, inner)
		},
		Crash: func(tb testing.TB, s store.Store) {
			inner.disk.Lock()
			b, err := os.ReadFile(path())
			inner.disk.Unlock()
			require.NoError(tb, err)
			life++
			require.NoError(tb, os.WriteFile(path(), b, 0o600))
			require.NoError(tb, s.Close())
		},
	}
}
