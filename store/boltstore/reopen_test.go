package boltstore_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

func TestEveryChangeIsThereAfterReopening(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", store.MaxKey)
	for _, c := range []struct {
		name  string
		steps [][]any
	}{
		{"put", [][]any{{"a", 1}}},
		{"put over", [][]any{{"a", 1}, {"a", 22}}},
		{"put the same", [][]any{{"a", 1}, {"a", 1}}},
		{"empty value", [][]any{{"a", ""}}},
		{"delete", [][]any{{"a", 1, "b", 2}, {"a", nil}}},
		{"delete all", [][]any{{"a", 1, "b", 2}, {"a", nil, "b", nil}}},
		{"delete and put", [][]any{{"a", 1}, {"a", nil}, {"a", 3}}},
		{"delete nothing", [][]any{{"a", 1}, {"b", nil}}},
		{"reserved key", [][]any{{"\x00", "head", "a", 1}}},
		{"odd keys", [][]any{{"\xff", 1, "\xff\xff", 2, " ", 3, "\x01\x00", 4}}},
		{"longest key", [][]any{{long, 1}, {long[1:], 2}}},
		{"largest value", [][]any{{"a", strings.Repeat("v", store.MaxBytes-1)}, {"b", 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			s, memory := open(t, path, nil), store.NewMemory()
			for _, step := range c.steps {
				set(t, s, step...)
				set(t, memory, step...)
				want := state(t, memory)
				require.Equal(t, want, state(t, s))
				require.Equal(t, want, reopened(t, s, path))
				s = open(t, path, nil)
			}
		})
	}
}

// TestRandomHistory has the store do what Memory does, through reopenings, compactions
// and backups.
func TestRandomHistory(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(6, 1))
	path := filepath.Join(t.TempDir(), "store.db")
	s, memory := open(t, path, nil), store.NewMemory()
	for round := range 150 {
		var step []any
		for range 1 + random.IntN(20) {
			key := fmt.Sprintf("key/%03d", random.IntN(300))
			if random.IntN(3) == 0 {
				step = append(step, key, nil)
			} else {
				step = append(step, key, strings.Repeat("x", random.IntN(3000)))
			}
		}
		set(t, s, step...)
		set(t, memory, step...)
		switch round % 30 {
		case 7:
			require.NoError(t, s.Compact(t.Context()))
		case 14:
			require.Equal(t, state(t, memory), reopened(t, s, path))
			s = open(t, path, nil)
		case 21:
			require.Equal(t, state(t, memory), state(t, restored(t, s, t.TempDir())))
		}
	}
	require.Equal(t, state(t, memory), state(t, s))
	require.Equal(t, state(t, memory), reopened(t, s, path))
}

func TestRevisionGoesOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	set(t, s, "a", 1)
	set(t, s, "a", nil) // no record has the newest revision
	require.Equal(t, map[string]string{"": "2"}, reopened(t, s, path))
	s = open(t, path, nil)
	set(t, s, "b", 1)
	require.Equal(t, map[string]string{"": "3", "b": "3 1"}, state(t, s))

	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("none") }))
	require.Equal(t, "3", reopened(t, s, path)[""])
}

func TestWatchReachesBackToTheOpening(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	first := open(t, path, nil)
	set(t, first, "a", 1)
	set(t, first, "b", 2)
	require.Equal(t, []string{"1 a", "2 b"}, changes(t, first, 0, 2))
	require.NoError(t, first.Close())

	s := open(t, path, nil)
	set(t, s, "c", 3)
	require.Equal(t, []string{"3 c"}, changes(t, s, 2, 1))
	for _, err := range s.Watch(t.Context(), "", 1) {
		require.ErrorIs(t, err, store.ErrCompacted)
	}
	require.NoError(t, s.Compact(t.Context()))
	require.Equal(t, []string{"3 c"}, changes(t, s, 2, 1), "a compaction of the file is none of the feed")
}

// changes returns the first n changes after a revision.
func changes(t *testing.T, s store.Store, after uint64, n int) (list []string) {
	t.Helper()
	for c, err := range s.Watch(t.Context(), "", after) {
		require.NoError(t, err)
		if list = append(list, fmt.Sprint(c.Revision, " ", c.Key)); len(list) == n {
			break
		}
	}
	return list
}

// restored opens a backup of s.
func restored(t *testing.T, s *boltstore.Store, dir string) *boltstore.Store {
	t.Helper()
	var b bytes.Buffer
	n, err := s.Backup(t.Context(), &b)
	require.NoError(t, err)
	require.Equal(t, int64(b.Len()), n)
	path := filepath.Join(dir, "backup.db")
	writeFile(t, path, b.Bytes())
	return open(t, path, nil)
}
