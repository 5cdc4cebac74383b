package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

func onlyFile(t *testing.T, path string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, list, 1, "no temporary file remains")
}

// writers has n goroutines increment a counter each, as well as a common one, until stop
// is closed. wait returns how often each has succeeded.
func writers(t *testing.T, s store.Store, n int) (stop chan struct{}, wait func() []int) {
	stop = make(chan struct{})
	counts := make([]int, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := s.Update(t.Context(), func(tx store.Tx) error { return count(tx, i) }); err != nil {
					t.Errorf("Update: %v", err)
					return
				}
				counts[i]++
			}
		})
	}
	return stop, func() []int { group.Wait(); return counts }
}

func count(tx store.Tx, i int) error {
	for _, key := range []string{"total", fmt.Sprintf("writer/%02d", i)} {
		n, err := number(tx, key)
		if err != nil {
			return err
		}
		if err := tx.Put(key, fmt.Appendf(nil, "%d%s", n+1, strings.Repeat(" ", n%500))); err != nil {
			return err
		}
	}
	return nil
}

func number(tx store.Tx, key string) (n int, err error) {
	b, err := tx.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err == nil {
		_, err = fmt.Sscan(string(b), &n)
	}
	return n, err
}

// counted checks that the total is the sum of the counters, and returns it.
func counted(t *testing.T, s store.Store) (total int) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) (err error) {
		sum := 0
		for e, err := range tx.Scan("writer/", "") {
			if err != nil {
				return err
			}
			n, err := number(tx, e.Key)
			if err != nil {
				return err
			}
			sum += n
		}
		total, err = number(tx, "total")
		require.Equal(t, sum, total)
		return err
	}))
	return total
}

func TestCompactAndBackupAmongWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	for i := range 30 {
		set(t, s, fmt.Sprintf("ballast/%d", i), strings.Repeat("b", 100_000))
	}
	stop, wait := writers(t, s, 8)
	last := 0
	for range 4 {
		require.NoError(t, s.Compact(t.Context()))
		total := counted(t, restored(t, s, t.TempDir()))
		require.GreaterOrEqual(t, total, last)
		last = total
	}
	close(stop)
	total := 0
	for _, n := range wait() {
		total += n
	}
	require.Equal(t, total, counted(t, s))
	want := state(t, s)
	require.Equal(t, want, reopened(t, s, path))
	onlyFile(t, path)
}

func TestCompactShrinks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	for i := range 40 {
		set(t, s, fmt.Sprint(i), strings.Repeat("b", 50_000))
	}
	for i := range 39 {
		set(t, s, fmt.Sprint(i), nil)
	}
	require.NoError(t, os.Chmod(path, 0o640))
	owner := os.Getuid()
	if owner == 0 {
		owner = 1234
		require.NoError(t, os.Chown(path, owner, -1))
	}
	want, before := state(t, s), stat(t, path)
	require.NoError(t, s.Compact(t.Context()))
	after := stat(t, path)
	require.Less(t, after.Size(), before.Size()/8)
	require.Equal(t, os.FileMode(0o640), after.Mode())
	if uid := reflect.ValueOf(after.Sys()).Elem().FieldByName("Uid"); uid.IsValid() {
		require.Equal(t, uint64(owner), uid.Uint())
	}
	require.Equal(t, want, state(t, s))

	set(t, s, "a", 1)
	want = state(t, s)
	require.Equal(t, want, reopened(t, s, path))
	onlyFile(t, path)
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info
}

func TestCompactKeepsALinkALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	path, link := filepath.Join(dir, "data", "store.db"), filepath.Join(dir, "link.db")
	set(t, open(t, path, nil), "a", 1)
	require.NoError(t, os.Symlink(path, link))
	_, err := boltstore.Open(link, &boltstore.Options{LockTimeout: -1})
	require.ErrorIs(t, err, boltstore.ErrLocked)

	other := filepath.Join(dir, "data", "other.db")
	require.NoError(t, open(t, other, nil).Close())
	require.NoError(t, os.Remove(link))
	require.NoError(t, os.Symlink(other, link))
	s := open(t, link, nil)
	set(t, s, "b", 2)
	require.NoError(t, s.Compact(t.Context()))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.Equal(t, os.ModeSymlink, info.Mode().Type())
	require.Equal(t, map[string]string{"": "1", "b": "1 2"}, reopened(t, s, other))
}

func TestCopiesEndWithTheirContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	set(t, s, "a", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Compact(ctx), context.Canceled)
	_, err := s.Backup(ctx, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
	onlyFile(t, path)
	require.Equal(t, map[string]string{"": "1", "a": "1 1"}, reopened(t, s, path))
}

// narrow takes some bytes and then fails.
type narrow struct{ room int }

var errNarrow = errors.New("no more")

func (n *narrow) Write(b []byte) (int, error) {
	if len(b) > n.room {
		return n.room, errNarrow
	}
	n.room -= len(b)
	return len(b), nil
}

func TestBackupFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	n, err := s.Backup(t.Context(), &narrow{5000})
	require.ErrorIs(t, err, errNarrow)
	require.Equal(t, int64(5000), n)
	onlyFile(t, path)
	set(t, s, "a", 1)
}

func TestLeftoversOfOthersRemain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	open(t, path, nil)
	writeFile(t, path+".tmp-123", []byte("half a store"))
	_, err := boltstore.Open(path, &boltstore.Options{LockTimeout: -1})
	require.ErrorIs(t, err, boltstore.ErrLocked)
	require.FileExists(t, path+".tmp-123", "it may belong to who has the lock")
}

func TestLeftoversAreRemovedAtOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	for _, name := range []string{"store.db.tmp-123", "store.db.tmp-", "store.db.tmp-12x", "other.db.tmp-1", "store.db.bak"} {
		writeFile(t, filepath.Join(dir, name), nil)
	}
	open(t, path, nil)
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"other.db.tmp-1", "store.db", "store.db.bak", "store.db.tmp-", "store.db.tmp-12x"}, names)
}

// TestManyCreateTheFile has goroutines open the same new file for writing: each of them
// has it alone for a while, and finds what the ones before have left.
func TestManyCreateTheFile(t *testing.T) {
	t.Parallel()
	for range 10 {
		path := filepath.Join(t.TempDir(), "store.db")
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				for {
					s, err := boltstore.Open(path, nil)
					if errors.Is(err, boltstore.ErrLocked) {
						continue
					}
					if err != nil {
						t.Errorf("Open: %v", err)
						return
					}
					if err := s.Update(t.Context(), func(tx store.Tx) error { return count(tx, i) }); err != nil {
						t.Errorf("Update: %v", err)
					}
					if err := s.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
					return
				}
			})
		}
		group.Wait()
		require.Equal(t, 6, counted(t, open(t, path, nil)))
		onlyFile(t, path)
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	_, err := boltstore.Open(path, &boltstore.Options{ReadOnly: true})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, path)

	s := open(t, path, nil)
	set(t, s, "a", 1)
	_, err = boltstore.Open(path, &boltstore.Options{ReadOnly: true, LockTimeout: -1})
	require.ErrorIs(t, err, boltstore.ErrLocked)
	require.ErrorContains(t, err, path)
	require.NoError(t, s.Close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	readers := []*boltstore.Store{
		open(t, path, &boltstore.Options{ReadOnly: true}), open(t, path, &boltstore.Options{ReadOnly: true}),
	}
	_, err = boltstore.Open(path, &boltstore.Options{LockTimeout: -1})
	require.ErrorIs(t, err, boltstore.ErrLocked)
	for _, r := range readers {
		require.Equal(t, map[string]string{"": "1", "a": "1 1"}, state(t, r))
		err := r.Update(t.Context(), func(store.Tx) error { t.Error("fn runs"); return nil })
		require.ErrorIs(t, err, store.ErrReadOnly)
		require.ErrorIs(t, r.Compact(t.Context()), store.ErrReadOnly)
		require.Equal(t, state(t, r), state(t, restored(t, r, t.TempDir())))
		require.NoError(t, r.Close())
		require.ErrorIs(t, r.Update(t.Context(), func(store.Tx) error { return nil }), store.ErrClosed)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "store.db"), nil)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Compact(t.Context()), store.ErrClosed)
	_, err := s.Backup(t.Context(), io.Discard)
	require.ErrorIs(t, err, store.ErrClosed)
}

func TestMustExist(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	_, err := boltstore.Open(path, &boltstore.Options{MustExist: true})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, path)
	_, err = boltstore.Open(filepath.Join(path, "in", "nothing"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}
