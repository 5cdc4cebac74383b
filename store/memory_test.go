package store_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

func put(t testing.TB, s store.Store, key, value string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Put(key, []byte(value)) }))
}

// dump returns the contents of s and its revision.
func dump(t testing.TB, s store.Store) (map[string]string, uint64) {
	t.Helper()
	contents, revision := map[string]string{}, uint64(0)
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		revision = tx.Revision()
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			contents[e.Key] = string(e.Value)
		}
		return nil
	}))
	return contents, revision
}

// firstChange returns what Watch yields first.
func firstChange(t testing.TB, s store.Store, after uint64) (store.Change, error) {
	t.Helper()
	for c, err := range s.Watch(t.Context(), "", after) {
		return c, err
	}
	t.Fatal("Watch yields nothing")
	panic("unreachable")
}

func TestMemoryRevisionCountsChanges(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	for i, c := range []struct {
		name string
		fn   func(store.Tx) error
		want uint64
	}{
		{"nothing", func(store.Tx) error { return nil }, 0},
		{"a read", func(tx store.Tx) error { _, _ = tx.Get("a"); return nil }, 0},
		{"a put", func(tx store.Tx) error { return tx.Put("a", nil) }, 1},
		{"the same put", func(tx store.Tx) error { return tx.Put("a", nil) }, 2},
		{"a deletion", func(tx store.Tx) error { return tx.Delete("a") }, 3},
		{"the same deletion", func(tx store.Tx) error { return tx.Delete("a") }, 3},
		{"a key that comes and goes", func(tx store.Tx) error { _ = tx.Put("b", nil); return tx.Delete("b") }, 3},
		{"two puts", func(tx store.Tx) error { _ = tx.Put("a", nil); return tx.Put("b", nil) }, 4},
	} {
		require.NoError(t, s.Update(t.Context(), c.fn))
		_, got := dump(t, s)
		require.Equal(t, c.want, got, "%d: %s", i, c.name)
	}
}

func TestMemoryForgetsOldChanges(t *testing.T) {
	t.Parallel()
	t.Run("by number", func(t *testing.T) {
		t.Parallel()
		s := store.NewMemory()
		for range 4096 {
			put(t, s, "k", "v")
		}
		c, err := firstChange(t, s, 0)
		require.NoError(t, err)
		require.Equal(t, uint64(1), c.Revision)
		put(t, s, "k", "v")
		_, err = firstChange(t, s, 0)
		require.ErrorIs(t, err, store.ErrCompacted)
		c, err = firstChange(t, s, 1)
		require.NoError(t, err)
		require.Equal(t, uint64(2), c.Revision)
	})
	t.Run("by size", func(t *testing.T) {
		t.Parallel()
		s := store.NewMemory()
		mebibyte := strings.Repeat("v", store.MaxBytes-1)
		for range 16 {
			put(t, s, "k", mebibyte)
		}
		_, err := firstChange(t, s, 0)
		require.NoError(t, err)
		put(t, s, "k", "")
		_, err = firstChange(t, s, 0)
		require.ErrorIs(t, err, store.ErrCompacted)
		_, err = firstChange(t, s, 1)
		require.NoError(t, err)
	})
	t.Run("whole revisions", func(t *testing.T) {
		t.Parallel()
		s := store.NewMemory()
		for range 41 {
			require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
				for i := range store.MaxKeys {
					if err := tx.Put(fmt.Sprintf("%03d", i), nil); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		_, err := firstChange(t, s, 0)
		require.ErrorIs(t, err, store.ErrCompacted)
		c, err := firstChange(t, s, 1)
		require.NoError(t, err)
		require.Equal(t, store.Change{Revision: 2, Key: "000", Value: []byte{}}, c)
	})
}

func TestMemoryEndsTheWatchOfASlowReader(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	put(t, s, "k", "v")
	var seen int
	var last error
	for _, err := range s.Watch(t.Context(), "", 0) {
		if last = err; err != nil {
			break
		}
		seen++
		for range 5000 {
			put(t, s, "k", "v")
		}
	}
	require.Equal(t, 1, seen)
	require.ErrorIs(t, last, store.ErrCompacted)
}

func TestMemoryNestedUpdateWaitsForItsContext(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		err := s.Update(ctx, func(tx store.Tx) error { return tx.Put("inner", nil) })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		return tx.Put("outer", nil)
	}))
	contents, _ := dump(t, s)
	require.Equal(t, map[string]string{"outer": ""}, contents)
}

func TestMemoryClosedWithin(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	put(t, s, "a", "1")
	require.NoError(t, s.View(t.Context(), func(view store.Tx) error {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			require.NoError(t, s.Close())
			return tx.Put("a", []byte("2"))
		})
		require.ErrorIs(t, err, store.ErrClosed)
		got, err := view.Get("a")
		require.Equal(t, "1", string(got), "a view keeps its snapshot")
		return err
	}))
}

// FuzzMemory runs the operations that data spells, two bytes each, on a Memory and
// on a map.
func FuzzMemory(f *testing.F) {
	f.Add([]byte("a1b2c3"))
	f.Add([]byte{0, 1, 0, 2, 64, 1, 128, 0, 192, 0, 0, 3, 193, 0, 64, 3, 128, 1})
	f.Add(slices.Repeat([]byte{1, 5, 130, 7, 66, 9, 200, 2}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, committed := store.NewMemory(), map[string]string{}
		for len(data) > 0 {
			n := min(len(data), 24) // one transaction
			state, err := play(t, s, data[:n], committed)
			if err == nil {
				committed = state
			}
			got, _ := dump(t, s)
			require.Equal(t, committed, got)
			data = data[n:]
		}
	})
}

// play runs one transaction on s and on a copy of model, which it returns. The last
// byte decides whether it is undone.
func play(t *testing.T, s store.Store, ops []byte, model map[string]string) (map[string]string, error) {
	undo := fmt.Errorf("undone")
	state := maps.Clone(model)
	err := s.Update(t.Context(), func(tx store.Tx) error {
		for op := range slices.Chunk(ops, 2) {
			key := strings.Repeat("k", 1+int(op[0]>>4&3)) + string('a'+rune(op[0]&15))
			switch op[0] >> 6 {
			case 0, 1:
				state[key] = string(op)
				require.NoError(t, tx.Put(key, op))
			case 2:
				delete(state, key)
				require.NoError(t, tx.Delete(key))
			default:
				v, err := tx.Get(key)
				want, there := state[key]
				require.Equal(t, there, err == nil)
				require.Equal(t, want, string(v))
				expectScan(t, tx, state, key[:len(key)-1], key)
				expectScan(t, tx, state, key[:1], key)
				expectScan(t, tx, state, key, "")
			}
		}
		if ops[len(ops)-1]%3 == 0 {
			return undo
		}
		return nil
	})
	if err != nil {
		require.ErrorIs(t, err, undo)
	}
	return state, err
}

// expectScan compares a scan with the model.
func expectScan(t *testing.T, tx store.Tx, model map[string]string, prefix, after string) {
	t.Helper()
	var want, got []string
	for _, key := range slices.Sorted(maps.Keys(model)) {
		if strings.HasPrefix(key, prefix) && key > after {
			want = append(want, key, model[key])
		}
	}
	for e, err := range tx.Scan(prefix, after) {
		require.NoError(t, err)
		got = append(got, e.Key, string(e.Value))
	}
	require.Equal(t, want, got, "Scan(%q, %q)", prefix, after)
}
