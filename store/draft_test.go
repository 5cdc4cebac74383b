package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

// draft runs decide on a snapshot of s and returns the draft.
func draft(t *testing.T, s store.Store, decide func(*store.Draft)) (d *store.Draft) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		d = store.NewDraft(tx)
		decide(d)
		return nil
	}))
	return d
}

func TestDraftStartsAnew(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("a", []byte("1")) }))
	d := draft(t, s, func(d *store.Draft) {
		for i := range 40 { // more than are searched one by one
			_, _ = d.Get(fmt.Sprint("none", i))
		}
		_, _ = d.Get("a")
		d.Put("b", []byte("of the first"))
	})
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("a", []byte("2")) }))
	require.ErrorIs(t, d.Commit(t.Context(), s), store.ErrConflict)
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		d.Reset(tx)
		require.False(t, d.Writes())
		_, err := d.Get("b")
		require.ErrorIs(t, err, store.ErrNotFound)
		got, err := d.Get("a")
		require.NoError(t, err)
		require.Equal(t, "2", string(got))
		d.Put("c", []byte("of the second"))
		return nil
	}))
	require.NoError(t, d.Commit(t.Context(), s), "what the first has read does not count")
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		_, err := tx.Get("b")
		require.ErrorIs(t, err, store.ErrNotFound)
		got, err := tx.Get("c")
		require.Equal(t, "of the second", string(got))
		return err
	}))
}

func TestDraftFindsWhatHasChanged(t *testing.T) {
	t.Parallel()
	read := func(keys ...string) func(*store.Draft) {
		return func(d *store.Draft) {
			for _, key := range keys {
				_, _ = d.Get(key)
			}
		}
	}
	change := func(key, value string) func(store.Tx) error {
		return func(tx store.Tx) error { return tx.Put(key, []byte(value)) }
	}
	remove := func(key string) func(store.Tx) error {
		return func(tx store.Tx) error { return tx.Delete(key) }
	}
	for _, c := range []struct {
		name     string
		decide   func(*store.Draft)
		meantime func(store.Tx) error // s holds a=1 and empty=""
		want     error
	}{
		{"nothing", read("a", "none", "empty"), func(store.Tx) error { return nil }, nil},
		{"changed", read("a"), change("a", "2"), store.ErrConflict},
		{"changed by a byte more", read("a"), change("a", "1\x00"), store.ErrConflict},
		{"made empty", read("a"), change("a", ""), store.ErrConflict},
		{"deleted", read("a"), remove("a"), store.ErrConflict},
		{"created", read("none"), change("none", "1"), store.ErrConflict},
		{"created empty", read("none"), change("none", ""), store.ErrConflict},
		{"an empty one deleted", read("empty"), remove("empty"), store.ErrConflict},
		{"an empty one filled", read("empty"), change("empty", "1"), store.ErrConflict},
		{"the second of two", read("a", "empty"), change("empty", "1"), store.ErrConflict},
		{"set to the same", read("a"), change("a", "1"), store.ErrConflict},
		{"another", read("a"), change("b", "2"), nil},
		{"not read", read(), change("a", "2"), nil},
		{"only what was written", func(d *store.Draft) { d.Put("a", nil) }, change("a", "2"), nil},
		{"read after its own write", func(d *store.Draft) { d.Put("a", nil); _, _ = d.Get("a") }, change("a", "2"), nil},
		{"read before its own write", func(d *store.Draft) { _, _ = d.Get("a"); d.Put("a", nil) }, change("a", "2"), store.ErrConflict},
		{"read before its own deletion", func(d *store.Draft) { _, _ = d.Get("a"); d.Delete("a") }, change("a", "2"), store.ErrConflict},
		{"scanned", func(d *store.Draft) {
			for range d.Scan("", "") {
				continue
			}
		}, change("a", "2"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Twice(store.NewMemory())
			put(t, s, "a", "1")
			put(t, s, "empty", "")
			d := draft(t, s, func(d *store.Draft) {
				c.decide(d)
				d.Put("out", []byte("done"))
			})
			require.NoError(t, s.Update(t.Context(), c.meantime))
			before, _ := dump(t, s)
			err := d.Commit(t.Context(), s)
			after, _ := dump(t, s)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
				require.Equal(t, before, after)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "done", after["out"])
		})
	}
}

func TestDraftReadsItsOwnWrites(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	put(t, s, "a", "1")
	put(t, s, "b", "2")
	d := draft(t, s, func(d *store.Draft) {
		require.False(t, d.Writes())
		get := func(key, want string) {
			t.Helper()
			v, err := d.Get(key)
			require.NoError(t, err)
			require.Equal(t, want, string(v))
			clear(v) // belongs to the caller
		}
		get("a", "1")
		get("a", "1")
		value := []byte("new")
		d.Put("a", value)
		clear(value)
		get("a", "new")
		get("a", "new")
		d.Put("nil", nil)
		get("nil", "")
		d.Delete("b")
		_, err := d.Get("b")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = d.Get("none")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = d.Get("none")
		require.ErrorIs(t, err, store.ErrNotFound)
		d.Delete("none")
		n := 0
		for e, err := range d.Scan("", "") { // the snapshot as it is
			require.NoError(t, err)
			require.NotEqual(t, "nil", e.Key)
			n++
		}
		require.Equal(t, 2, n)
		require.True(t, d.Writes())
	})
	require.NoError(t, d.Commit(t.Context(), s))
	contents, _ := dump(t, s)
	require.Equal(t, map[string]string{"a": "new", "nil": ""}, contents)
}

func TestDraftWithoutWritesTouchesNothing(t *testing.T) {
	t.Parallel()
	s := storetest.FailAt(store.NewMemory(), 0, storetest.Refused)
	put(t, s, "a", "1")
	d := draft(t, s, func(d *store.Draft) { _, _ = d.Get("a") })
	put(t, s, "a", "2")
	calls := s.Calls()
	require.NoError(t, d.Commit(t.Context(), s))
	require.Equal(t, calls, s.Calls())
}

func TestDraftCommittedAgain(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	put(t, s, "n", "1")
	d := draft(t, s, func(d *store.Draft) {
		_, err := d.Get("n")
		require.NoError(t, err)
		d.Put("n", []byte("2"))
	})
	require.NoError(t, d.Commit(t.Context(), s))
	require.ErrorIs(t, d.Commit(t.Context(), s), store.ErrConflict, "its own write has changed what it read")
}

func TestDraftKeepsTheLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		reads, writes int
		want          error
	}{
		{"at", 60, 40, nil},
		{"over by a read", 61, 40, store.ErrLimit},
		{"over by a write", 60, 41, store.ErrLimit},
	} {
		s := store.NewMemory()
		d := draft(t, s, func(d *store.Draft) {
			for i := range c.reads {
				_, _ = d.Get(fmt.Sprint("read/", i))
			}
			for i := range c.writes {
				d.Put(fmt.Sprint("write/", i), nil)
			}
		})
		require.ErrorIs(t, d.Commit(t.Context(), s), c.want, c.name)
		contents, _ := dump(t, s)
		require.Equal(t, c.want != nil, len(contents) == 0, c.name)
	}
}

func TestDraftPassesErrorsOn(t *testing.T) {
	t.Parallel()
	s := storetest.FailAt(store.NewMemory(), 2, storetest.InDoubt)
	var leaked *store.Draft
	d := draft(t, s, func(d *store.Draft) { leaked = d; d.Put("a", nil) })
	require.ErrorIs(t, d.Commit(t.Context(), s), storetest.ErrInjected)
	_, err := leaked.Get("b")
	require.ErrorIs(t, err, store.ErrTxDone, "a draft reads only while its view runs")
	require.False(t, errors.Is(err, store.ErrNotFound))
}
