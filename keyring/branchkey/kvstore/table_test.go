package kvstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/keyring/branchkey/branchkeytest"
	"github.com/sealring/sealring/keyring/branchkey/kvstore"
	"github.com/sealring/sealring/store"
)

func newMemory(t *testing.T) *store.Memory {
	t.Helper()
	s := store.NewMemory()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newSealed(t *testing.T) store.Store {
	t.Helper()
	rootKey := make([]byte, 32)
	rand.Read(rootKey)
	root, err := keyring.NewRawAES("kvstore", "root", rootKey)
	require.NoError(t, err)
	s, err := store.Seal(t.Context(), newMemory(t), root, nil)
	require.NoError(t, err)
	return s
}

func newTable(t *testing.T, s store.Store, prefix string) *kvstore.Table {
	t.Helper()
	table, err := kvstore.New(s, prefix)
	require.NoError(t, err)
	return table
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, newStore := range map[string]func(*testing.T) store.Store{
		"memory": func(t *testing.T) store.Store { return newMemory(t) },
		"sealed": newSealed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			branchkeytest.Run(t, func(t *testing.T) branchkey.Table { return newTable(t, newStore(t), "keys/") })
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := kvstore.New(nil, "keys/")
	require.ErrorContains(t, err, "without a store")
	for _, prefix := range []string{"", "keys", "/keys"} {
		_, err := kvstore.New(newMemory(t), prefix)
		require.ErrorContains(t, err, "does not end in", prefix)
	}
}

func item(id, itemType string) branchkey.Item {
	return branchkey.Item{
		Attributes: map[string]string{
			branchkey.AttributeID: id, branchkey.AttributeType: itemType,
			branchkey.AttributeContext + "tenant": "42",
		},
		Ciphertext: []byte("of " + id),
	}
}

// Tables whose prefixes start alike share nothing.
func TestPrefixesAreApart(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	const itemType = "branch:ACTIVE"
	for _, prefix := range []string{"a/", "a/b/", "a/b/c/", "/"} {
		for _, id := range []string{"b", "b/c", "a/b", "x"} {
			require.NoError(t, newTable(t, s, prefix).Create(t.Context(), item(id, itemType)), "%s%s", prefix, id)
		}
	}
	for _, prefix := range []string{"a/b/c/b/", "b/"} {
		_, err := newTable(t, s, prefix).Get(t.Context(), "b", itemType)
		require.ErrorIs(t, err, branchkey.ErrNotFound)
	}
}

func TestKeysAndRecordsHaveTheirForm(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	require.NoError(t, newTable(t, s, "keys/").Create(t.Context(), item("a/ü%", "branch:ACTIVE")))
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		record, err := tx.Get("keys/a%2F%C3%BC%25/branch:ACTIVE")
		require.Equal(t, "\x01\x00\x08of a/ü%"+
			"\x00\x03\x00\x14aws-crypto-ec:tenant\x00\x0242\x00\x0dbranch-key-id\x00\x05a/ü%\x00\x04type\x00\x0dbranch:ACTIVE",
			string(record))
		return err
	}))
}

// No change and no cut of a record is taken for another record that reads the same,
// and none panics.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	table := newTable(t, s, "keys/")
	want := item("a", "branch:ACTIVE")
	require.NoError(t, table.Create(t.Context(), want))
	const key = "keys/a/branch:ACTIVE"
	var record []byte
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) (err error) {
		record, err = tx.Get(key)
		return err
	}))
	put := func(b []byte) {
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Put(key, b) }))
	}
	for n := range record {
		put(record[:n])
		got, err := table.Get(t.Context(), "a", "branch:ACTIVE")
		if n == 3+len(want.Ciphertext) { // the attributes are gone as a whole
			require.Empty(t, got.Attributes)
			continue
		}
		require.ErrorIs(t, err, kvstore.ErrRecord, "%d bytes", n)
	}
	put(append(record[:len(record):len(record)], 0))
	_, err := table.Get(t.Context(), "a", "branch:ACTIVE")
	require.ErrorIs(t, err, kvstore.ErrRecord)
	for i := range 8 * len(record) {
		bad := append([]byte(nil), record...)
		bad[i/8] ^= 1 << (i % 8)
		put(bad)
		got, err := table.Get(t.Context(), "a", "branch:ACTIVE")
		if err == nil {
			require.NotEqual(t, want, got, "bit %d", i)
		} else {
			require.ErrorIs(t, err, kvstore.ErrRecord, "bit %d", i)
		}
		err = table.Rotate(t.Context(), item("a", "branch:version:x"), want, want.Ciphertext)
		if err == nil {
			require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("keys/a/branch:version:x") }))
		}
	}
	put(nil)
	require.ErrorIs(t, table.Rotate(t.Context(), item("a", "v"), want, nil), kvstore.ErrRecord)
}

func TestItemsThatDoNotFit(t *testing.T) {
	t.Parallel()
	table := newTable(t, newMemory(t), "keys/")
	large := item("a", "branch:ACTIVE")
	large.Ciphertext = make([]byte, 1<<16)
	require.ErrorIs(t, table.Create(t.Context(), large), kvstore.ErrRecord)
	many := item("a", "branch:ACTIVE")
	many.Attributes["aws-crypto-ec:x"] = string(make([]byte, 1<<16))
	require.ErrorIs(t, table.Create(t.Context(), many), kvstore.ErrRecord)
	require.NoError(t, table.Create(t.Context(), item("a", "branch:ACTIVE")))
	require.ErrorIs(t, table.Rotate(t.Context(), item("a", "v"), large, []byte("of a")), kvstore.ErrRecord)
	_, err := table.Get(t.Context(), "a", "v")
	require.ErrorIs(t, err, branchkey.ErrNotFound)
	long := string(make([]byte, store.MaxKey))
	require.ErrorIs(t, table.Create(t.Context(), item(long, "branch:ACTIVE")), store.ErrLimit)
}

// failing is a store whose transactions fail.
type failing struct {
	store.Store
	err error
}

func (f failing) Update(context.Context, func(store.Tx) error) error { return f.err }
func (f failing) View(context.Context, func(store.Tx) error) error   { return f.err }

func TestStoreErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("out of order")
	table := newTable(t, failing{err: broken}, "keys/")
	_, err := table.Get(t.Context(), "a", "branch:ACTIVE")
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, table.Create(t.Context(), item("a", "branch:ACTIVE")), broken)
	require.ErrorIs(t, table.Rotate(t.Context(), item("a", "v"), item("a", "branch:ACTIVE"), nil), broken)

	table = newTable(t, failing{err: fmt.Errorf("%w: of the store", store.ErrConflict)}, "keys/")
	require.ErrorIs(t, table.Create(t.Context(), item("a", "branch:ACTIVE")), branchkey.ErrConflict)
	require.ErrorIs(t, table.Rotate(t.Context(), item("a", "v"), item("a", "branch:ACTIVE"), nil), branchkey.ErrConflict)
}
