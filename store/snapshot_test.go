package store_test

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

// contents returns the keys, versions and values of a state, as text.
func contents(t *testing.T, s *store.Snapshot) (all []string) {
	t.Helper()
	require.NoError(t, s.View(func(tx store.Tx) error {
		require.Equal(t, s.Revision(), tx.Revision())
		for e, err := range tx.Scan("", "") {
			require.NoError(t, err)
			version, err := tx.Version(e.Key)
			require.NoError(t, err)
			all = append(all, fmt.Sprintf("%s@%d=%s", e.Key, version, e.Value))
		}
		return nil
	}))
	return all
}

// entries yields changes, in order of key, and then err unless it is nil.
func entries(all []store.Change, err error) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		for _, c := range all {
			if !yield(c, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Change{}, err)
		}
	}
}

func TestLoadedSnapshotsAreThoseThatChangesMake(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 10, 1000} {
		model := map[string]store.Change{}
		applied := store.NewSnapshot()
		for revision := range uint64(n) {
			c := store.Change{Revision: revision + 1, Key: fmt.Sprintf("%03d", r.IntN(n)), Value: fmt.Append(nil, revision)}
			if _, ok := model[c.Key]; ok && r.IntN(3) == 0 {
				c.Value, c.Deleted = nil, true
				delete(model, c.Key)
			} else {
				model[c.Key] = c
			}
			applied = applied.Apply(c.Revision, []store.Change{c})
		}
		var sorted []store.Change
		var want []string
		for _, key := range slices.Sorted(maps.Keys(model)) {
			c := model[key]
			sorted = append(sorted, c)
			want = append(want, fmt.Sprintf("%s@%d=%s", key, c.Revision, c.Value))
		}
		loaded, err := store.LoadSnapshot(uint64(n), entries(sorted, nil))
		require.NoError(t, err)
		require.Equal(t, want, contents(t, applied))
		require.Equal(t, want, contents(t, loaded))
		require.Equal(t, uint64(n), loaded.Revision())

		again := loaded.Apply(uint64(n)+1, []store.Change{{Revision: uint64(n) + 1, Key: "new", Value: []byte("x")}})
		require.Equal(t, append(want, fmt.Sprintf("new@%d=x", n+1)), contents(t, again))
		require.Equal(t, want, contents(t, loaded), "a snapshot never changes")
	}
	own := errors.New("own")
	_, err := store.LoadSnapshot(1, entries([]store.Change{{Revision: 1, Key: "a"}}, own))
	require.ErrorIs(t, err, own)
}

func TestAttemptsTellWhatTheyRestOn(t *testing.T) {
	t.Parallel()
	base := store.NewSnapshot()
	for i, key := range []string{"a/1", "a/2", "a/3", "b", "c"} {
		base = base.Apply(uint64(i+1), []store.Change{{Revision: uint64(i + 1), Key: key, Value: []byte("old")}})
	}
	before := contents(t, base)
	stop := func(tx store.Tx, prefix, after string, n int) {
		for _, err := range tx.Scan(prefix, after) {
			require.NoError(t, err)
			if n--; n == 0 {
				return
			}
		}
	}
	a, err := base.Try(func(tx store.Tx) error {
		_, err := tx.Get("b")
		require.NoError(t, err)
		_, err = tx.Get("none")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = tx.Version("gone")
		require.NoError(t, err)
		stop(tx, "a/", "", 2)
		stop(tx, "a/", "a/2", 9)
		stop(tx, "\xFF\xFF", "", 9)
		require.NoError(t, tx.Put("n", []byte("1")))
		require.NoError(t, tx.Put("n", []byte("2")))
		require.NoError(t, tx.Delete("c"))
		return tx.Delete("never")
	})
	require.NoError(t, err)
	require.Equal(t, []store.Change{
		{Revision: 6, Key: "c", Deleted: true},
		{Revision: 6, Key: "n", Value: []byte("2")},
	}, a.Changes)
	require.Equal(t, map[string]uint64{"a/1": 1, "a/2": 2, "a/3": 3, "b": 4, "c": 5, "n": 0, "never": 0, "none": 0, "gone": 0},
		maps.Collect(a.Reads()))
	require.Equal(t, []store.Range{{From: "a/", To: "a/2\x00"}, {From: "a/2\x00", To: "a0"}, {From: "\xFF\xFF", To: ""}}, a.Scans)
	require.Equal(t, before, contents(t, base))
	require.Equal(t, []string{"a/1@1=old", "a/2@2=old", "a/3@3=old", "b@4=old", "n@6=2"}, contents(t, a.Next))

	a, err = base.Try(func(tx store.Tx) error { return tx.Delete("never") })
	require.NoError(t, err)
	require.Empty(t, a.Changes)
	require.Same(t, base, a.Next)

	own := errors.New("own")
	_, err = base.Try(func(store.Tx) error { return own })
	require.ErrorIs(t, err, own)
	_, err = base.Try(func(tx store.Tx) error { _ = tx.Put("", nil); return nil })
	require.ErrorIs(t, err, store.ErrLimit)
}

func TestFeedBeginsWhereItIsTold(t *testing.T) {
	t.Parallel()
	var f store.Feed
	change := func(revision uint64) store.Change {
		return store.Change{Revision: revision, Key: "k", Value: fmt.Append(nil, revision)}
	}
	first := func(after uint64) (store.Change, error) {
		for c, err := range f.Watch(t.Context(), "", after) {
			return c, err
		}
		return store.Change{}, nil
	}
	f.Compact(3)
	f.Add([]store.Change{change(4), change(5)})
	f.Add([]store.Change{change(6)})
	for after, want := range map[uint64]uint64{3: 4, 4: 5, 5: 6} {
		c, err := first(after)
		require.NoError(t, err)
		require.Equal(t, change(want), c)
	}
	_, err := first(2)
	require.ErrorIs(t, err, store.ErrCompacted)
	f.Compact(1) // known already
	_, err = first(3)
	require.NoError(t, err)
	f.Compact(5)
	_, err = first(4)
	require.ErrorIs(t, err, store.ErrCompacted)
	c, err := first(5)
	require.NoError(t, err)
	require.Equal(t, change(6), c)
	f.Close()
	_, err = first(5)
	require.ErrorIs(t, err, store.ErrClosed)
}
