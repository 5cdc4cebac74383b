package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/sealring/sealring/store"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store.db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func put(key string, value any) func(store.Tx) error {
	return func(tx store.Tx) error { return tx.Put(key, fmt.Append(nil, value)) }
}

// has returns what the store holds, as "key=value".
func has(t *testing.T, s *Store) (list []string) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		for e, err := range tx.Scan("", "") {
			require.NoError(t, err)
			list = append(list, fmt.Sprintf("%s=%s", e.Key, e.Value))
		}
		return nil
	}))
	return list
}

// gate has each commit tell that it has begun and wait for its outcome: nil to go on.
type gate struct {
	begun   chan struct{}
	outcome chan error
}

func gated(s *Store) *gate {
	g := &gate{make(chan struct{}), make(chan error)}
	s.file.commitTx = func(tx *bbolt.Tx) error {
		g.begun <- struct{}{}
		if err := <-g.outcome; err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	}
	return g
}

// start runs an update and returns when its writes wait to be committed, or are.
func start(t *testing.T, s *Store, ctx context.Context, fn func(store.Tx) error) chan error {
	t.Helper()
	queued, done := make(chan struct{}), make(chan error, 1)
	var once atomic.Bool
	go func() {
		done <- s.Update(ctx, func(tx store.Tx) error {
			if once.CompareAndSwap(false, true) {
				defer close(queued)
			}
			return fn(tx)
		})
	}()
	<-queued
	s.writer <- struct{}{} // fn has returned; this is the next in line
	<-s.writer
	return done
}

func TestUpdatesShareACommit(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	g := gated(s)
	first := start(t, s, t.Context(), put("first", 1))
	<-g.begun
	var rest []chan error
	for i := range 50 {
		rest = append(rest, start(t, s, t.Context(), put(fmt.Sprintf("rest/%02d", i), i)))
	}
	require.Empty(t, has(t, s), "nothing shows before it is durable")
	g.outcome <- nil
	require.NoError(t, <-first)
	<-g.begun
	require.Equal(t, []string{"first=1"}, has(t, s))
	g.outcome <- nil
	for _, done := range rest {
		require.NoError(t, <-done)
	}
	require.Len(t, has(t, s), 51)
	require.Equal(t, uint64(51), s.durable.Revision(), "each update has its revision")

	last := start(t, s, t.Context(), put("last", 1))
	<-g.begun // the third commit: 50 updates shared the second
	g.outcome <- nil
	require.NoError(t, <-last)
}

func TestALoneUpdateDoesNotWait(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	commits := 0
	s.file.commitTx = func(tx *bbolt.Tx) error { commits++; return tx.Commit() }
	for i := range 20 {
		require.NoError(t, s.Update(t.Context(), put("a", i)))
	}
	require.Equal(t, 20, commits)
}

func TestAFullBatchHoldsUpUpdates(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	g := gated(s)
	running := start(t, s, t.Context(), put("running", 1))
	<-g.begun
	var all []chan error
	large := strings.Repeat("x", 1<<20-10)
	for i := 0; s.next == nil || !s.next.full(); i++ {
		all = append(all, start(t, s, t.Context(), put(fmt.Sprint(i), large)))
	}
	require.Len(t, all, 5)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	go func() {
		over <- s.Update(ctx, func(store.Tx) error { t.Error("fn runs"); return nil })
	}()
	cancel()
	require.ErrorIs(t, <-over, context.Canceled)
	go func() { over <- s.Update(t.Context(), put("over", 1)) }()
	for _, done := range [][]chan error{{running}, all, {over}} {
		g.outcome <- nil
		for _, d := range done {
			require.NoError(t, <-d)
		}
		if done[0] != over {
			<-g.begun
		}
	}
	require.Len(t, has(t, s), 7)
}

// errDisk are errors as bbolt passes them on.
var (
	errDiskFull = &fs.PathError{Op: "write", Path: "store.db", Err: syscall.ENOSPC}
	errNoSync   = syscall.EIO
)

func TestAFailedWriteUndoesAllThatRestsOnIt(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	require.NoError(t, s.Update(t.Context(), put("kept", 1)))
	g := gated(s)
	doomed := []chan error{start(t, s, t.Context(), put("a", 1))}
	<-g.begun
	doomed = append(doomed, start(t, s, t.Context(), put("b", 1)))
	doomed = append(doomed, start(t, s, t.Context(), put("c", 1)))
	g.outcome <- errDiskFull
	for _, done := range doomed {
		err := <-done
		require.ErrorIs(t, err, ErrFull)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.NotErrorIs(t, err, ErrFailed)
		require.ErrorContains(t, err, s.path)
	}
	require.Equal(t, []string{"kept=1"}, has(t, s))

	again := start(t, s, t.Context(), put("again", 1))
	<-g.begun
	g.outcome <- nil
	require.NoError(t, <-again)
	require.Equal(t, []string{"again=1", "kept=1"}, has(t, s))
	require.Equal(t, uint64(2), s.durable.Revision(), "no revision is used up")
	s.file.commitTx = (*bbolt.Tx).Commit
	wholeAgain(t, s)
}

// wholeAgain checks that the file of s, closed, holds what s does.
func wholeAgain(t *testing.T, s *Store) {
	t.Helper()
	want := has(t, s)
	require.NoError(t, s.Close())
	again, err := Open(s.path, &Options{MustExist: true})
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, want, has(t, again))
}

func TestAFunctionRunsAgainWhenWhatItSawIsUndone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	g := gated(s)
	doomed := start(t, s, t.Context(), put("a", 1))
	<-g.begun
	var saw []bool
	looked, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Get("a")
			if saw = append(saw, err == nil); len(saw) == 1 {
				close(looked)
				<-goOn
			}
			return tx.Put("b", nil)
		})
	}()
	<-looked
	g.outcome <- errDiskFull
	require.ErrorIs(t, <-doomed, ErrFull)
	close(goOn)
	<-g.begun
	g.outcome <- nil
	require.NoError(t, <-done)
	require.Equal(t, []bool{true, false}, saw)
	require.Equal(t, []string{"b="}, has(t, s))
}

// What an update decided, even if it wrote nothing or failed, may rest on another that is
// not committed yet.
func TestDecisionsWaitForWhatTheySaw(t *testing.T) {
	t.Parallel()
	errThere := errors.New("it is there")
	look := func(tx store.Tx) error {
		if _, err := tx.Get("a"); err != nil {
			return err
		}
		return errThere
	}
	nothing := func(tx store.Tx) error { return tx.Delete("none") }
	for _, c := range []struct {
		outcome     error
		look, quiet error
	}{
		{nil, errThere, nil},
		{errDiskFull, ErrFull, ErrFull},
		{errNoSync, ErrFailed, ErrFailed},
	} {
		s := newStore(t)
		g := gated(s)
		first := start(t, s, t.Context(), put("a", 1))
		<-g.begun
		onRunning := []chan error{start(t, s, t.Context(), look), start(t, s, t.Context(), nothing)}
		for _, done := range onRunning {
			require.Empty(t, done)
		}
		g.outcome <- c.outcome
		require.ErrorIs(t, <-first, c.quiet)
		require.ErrorIs(t, <-onRunning[0], c.look)
		require.ErrorIs(t, <-onRunning[1], c.quiet)
	}
}

func TestNothingToWaitFor(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.file.commitTx = func(tx *bbolt.Tx) error { t.Error("a commit"); return tx.Commit() }
	own := errors.New("own")
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("none") }))
	require.ErrorIs(t, s.Update(t.Context(), func(store.Tx) error { return own }), own)
}

func TestAFailedFlushEndsUpdates(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	require.NoError(t, s.Update(t.Context(), put("kept", 1)))
	s.file.commitTx = func(tx *bbolt.Tx) error { return errors.Join(errNoSync, tx.Rollback()) }
	require.ErrorIs(t, s.Update(t.Context(), put("a", 1)), ErrFailed)
	err := s.Update(t.Context(), func(store.Tx) error { t.Error("fn runs"); return nil })
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorIs(t, s.Compact(t.Context()), ErrFailed)
	require.Equal(t, []string{"kept=1"}, has(t, s))
	wholeAgain(t, s)
}

// TestAFileThatIsTakenAway: nothing is acknowledged that only a file without a name holds.
func TestAFileThatIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(path string) error{
		"removed":     os.Remove,
		"renamed":     func(path string) error { return os.Rename(path, path+".old") },
		"with folder": func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		"replaced": func(path string) error {
			if err := os.WriteFile(path+".new", []byte("a backup"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			require.NoError(t, s.Update(t.Context(), put("a", 1)))
			require.NoError(t, s.Compact(t.Context()))
			require.NoError(t, s.Update(t.Context(), put("a", 2)), "it is the file of that name still")
			require.NoError(t, take(s.path))
			there, _ := os.ReadFile(s.path)
			require.Error(t, s.Compact(t.Context()))
			after, _ := os.ReadFile(s.path)
			require.Equal(t, there, after, "what is there now is somebody else's")
			require.ErrorIs(t, s.Update(t.Context(), put("a", 3)), ErrFailed)
			require.ErrorIs(t, s.Update(t.Context(), put("a", 3)), ErrFailed)
			require.ErrorIs(t, s.Compact(t.Context()), ErrFailed)
			require.Equal(t, []string{"a=2"}, has(t, s))
		})
	}
}

// TestAFailureOfCompactEndsWaitingUpdates: an update that waits for the disk when Compact
// finds that the new file's name may be lost is not acknowledged any more.
func TestAFailureOfCompactEndsWaitingUpdates(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	require.NoError(t, s.Update(t.Context(), put("a", 1)))
	s.disk.Lock() // as at the end of Compact
	done := start(t, s, t.Context(), put("a", 2))
	s.mu.Lock()
	require.NotNil(t, s.next)
	s.failed = ErrFailed
	s.mu.Unlock()
	s.disk.Unlock()
	require.ErrorIs(t, <-done, ErrFailed)
	require.Equal(t, []string{"a=1"}, has(t, s))
}

func TestAPanicOfBboltEndsUpdates(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	require.NoError(t, s.Update(t.Context(), put("kept", 1)))
	s.file.commitTx = func(*bbolt.Tx) error { panic("page 7 has lost its way") }
	err := s.Update(t.Context(), put("a", 1))
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorContains(t, err, "page 7 has lost its way")
	require.ErrorIs(t, s.Update(t.Context(), put("a", 1)), ErrFailed)
	wholeAgain(t, s) // Close does not wait for locks that nobody gives back
}

// TestWhatAWriteErrorMeans: only a write that failed while the newest transaction in the
// file is still the one before may be tried again.
func TestWhatAWriteErrorMeans(t *testing.T) {
	t.Parallel()
	resize := func(cause error) error { return fmt.Errorf("file resize error: %s", cause) }
	for _, c := range []struct {
		err         error
		want, cause error
	}{
		{errDiskFull, ErrFull, syscall.ENOSPC},
		{&fs.PathError{Op: "write", Err: syscall.EFBIG}, ErrFull, syscall.EFBIG},
		{&fs.PathError{Op: "write", Err: syscall.EDQUOT}, ErrFull, syscall.EDQUOT},
		{&fs.PathError{Op: "write", Err: syscall.EIO}, nil, syscall.EIO},
		{resize(syscall.EFBIG), ErrFull, syscall.EFBIG},
		{&fs.PathError{Op: "sync", Err: syscall.EIO}, ErrFailed, syscall.EIO},
		{&fs.PathError{Op: "sync", Err: syscall.ENOSPC}, ErrFailed, syscall.ENOSPC},
		{syscall.ENOSPC, ErrFailed, syscall.ENOSPC}, // fdatasync says it so
		{fmt.Errorf("file sync error: %s", syscall.EIO), ErrFailed, nil},
	} {
		s := newStore(t)
		s.file.commitTx = func(tx *bbolt.Tx) error { return errors.Join(c.err, tx.Rollback()) }
		err := s.Update(t.Context(), put("a", 1))
		for _, sentinel := range []error{ErrFull, ErrFailed} {
			require.Equal(t, sentinel == c.want, errors.Is(err, sentinel), "%v of %v", err, c.err)
		}
		if c.cause != nil {
			require.ErrorIs(t, err, c.cause)
		}
		require.ErrorContains(t, err, "boltstore: ")
	}
	s := newStore(t)
	s.file.commitTx = func(tx *bbolt.Tx) error { return errors.Join(tx.Commit(), errDiskFull) }
	require.ErrorIs(t, s.Update(t.Context(), put("a", 1)), ErrFailed, "it is in the file")
}

func TestContextEndsWhileTheCommitRuns(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	g := gated(s)
	ctx, cancel := context.WithCancel(t.Context())
	done := []chan error{start(t, s, ctx, put("a", 1))}
	<-g.begun
	done = append(done, start(t, s, ctx, put("b", 1)))
	cancel()
	for _, d := range done {
		err := <-d
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "in doubt")
	}
	g.outcome <- nil
	<-g.begun
	g.outcome <- nil
	require.Eventually(t, func() bool { return len(has(t, s)) == 2 }, 10*time.Second, time.Millisecond)
}

func TestContextEndsBeforeTheCommit(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx store.Tx) error { cancel(); return tx.Put("a", nil) })
	require.Equal(t, context.Canceled, err)
	s.writer <- struct{}{} // another function runs
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Update(ctx, put("a", 1)), context.DeadlineExceeded)
	<-s.writer
	require.Empty(t, has(t, s))
}

func TestCloseWaitsForTheQueue(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	g := gated(s)
	updates := []chan error{start(t, s, t.Context(), put("a", 1))}
	<-g.begun
	updates = append(updates, start(t, s, t.Context(), put("b", 1)))
	running, goOn := make(chan struct{}), make(chan struct{})
	late := make(chan error, 1)
	go func() {
		late <- s.Update(t.Context(), func(tx store.Tx) error { close(running); <-goOn; return tx.Put("c", nil) })
	}()
	<-running
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	require.Eventually(t, func() bool { return s.committed.Load() == nil }, 10*time.Second, time.Millisecond)
	close(goOn)
	require.ErrorIs(t, <-late, store.ErrClosed)
	require.ErrorIs(t, s.Update(t.Context(), put("d", 1)), store.ErrClosed)
	require.NoError(t, s.Close(), "a second Close does not wait")
	require.Empty(t, closed)
	g.outcome <- nil
	<-g.begun
	g.outcome <- nil
	require.NoError(t, <-closed)
	for _, d := range updates {
		require.NoError(t, <-d)
	}
	again, err := Open(s.path, nil)
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, []string{"a=1", "b=1"}, has(t, again))
}
