package boltstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
	"github.com/sealring/sealring/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, filepath.Join(t.TempDir(), "store.db"), nil)
	})
}

func TestConformanceSealed(t *testing.T) {
	t.Parallel()
	root, err := keyring.NewRawAES("test", "root", make([]byte, 32))
	require.NoError(t, err)
	storetest.Run(t, func(t *testing.T) store.Store {
		s, err := store.Seal(t.Context(), open(t, filepath.Join(t.TempDir(), "store.db"), nil), root, nil)
		require.NoError(t, err)
		return s
	})
}

func open(t testing.TB, path string, o *boltstore.Options) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// set applies writes to s in one update: keys and values, nil for a deletion.
func set(t testing.TB, s store.Store, keysAndValues ...any) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		for i := 0; i < len(keysAndValues); i += 2 {
			key := keysAndValues[i].(string)
			if keysAndValues[i+1] == nil {
				if err := tx.Delete(key); err != nil {
					return err
				}
			} else if err := tx.Put(key, fmt.Append(nil, keysAndValues[i+1])); err != nil {
				return err
			}
		}
		return nil
	}))
}

// state is all that a store holds: values and versions by key, and the revision under "".
func state(t testing.TB, s store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		all[""] = fmt.Sprint(tx.Revision())
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			version, err := tx.Version(e.Key)
			if err != nil {
				return err
			}
			all[e.Key] = fmt.Sprintf("%d %s", version, e.Value)
		}
		return nil
	}))
	return all
}

// reopened closes s and returns what a new one holds.
func reopened(t testing.TB, s *boltstore.Store, path string) map[string]string {
	t.Helper()
	require.NoError(t, s.Close())
	again, err := boltstore.Open(path, &boltstore.Options{MustExist: true})
	require.NoError(t, err)
	defer again.Close()
	return state(t, again)
}

func TestNewFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	list, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, list, 1, "nothing else remains")
	require.Equal(t, map[string]string{"": "0"}, state(t, s))
	require.Equal(t, map[string]string{"": "0"}, reopened(t, s, path))
}
