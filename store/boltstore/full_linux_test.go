package boltstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

// fillUp has a store run out of room, checks that every update either is there or is
// not, makes room and goes on. The room ends where the file may not grow any more.
func fillUp(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(n uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: math.MaxUint64})
	}
	return fillUpWith(path, syscall.EFBIG, func() error { return limit(1 << 20) }, func() error { return limit(math.MaxUint64) })
}

func fillUpWith(path string, cause error, restrict, relax func() error) error {
	ctx := context.Background()
	s, err := Open(path, nil)
	if err != nil {
		return err
	}
	if err := restrict(); err != nil {
		return err
	}
	there, refused := 0, 0
	large := strings.Repeat("x", 30_000)
	for i := range 400 {
		switch err := s.Update(ctx, put(fmt.Sprintf("key/%03d", i), large)); {
		case err == nil:
			there++
		case errors.Is(err, ErrFull) && errors.Is(err, cause) && !errors.Is(err, ErrFailed):
			refused++
		default:
			return fmt.Errorf("update %d: %w", i, err)
		}
	}
	if there < 5 || refused < 5 {
		return fmt.Errorf("%d updates succeed, %d find no room", there, refused)
	}
	if err := s.Compact(ctx); !errors.Is(err, ErrFull) && err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	if err := relax(); err != nil {
		return err
	}
	for range 2 {
		for i := range 5 {
			if err := s.Update(ctx, put(fmt.Sprintf("later/%d", i), large)); err != nil {
				return fmt.Errorf("with room again: %w", err)
			}
		}
		n := 0
		err := s.View(ctx, func(tx store.Tx) error {
			for range tx.Scan("", "") {
				n++
			}
			return nil
		})
		if err != nil || n != there+5 {
			return fmt.Errorf("%d records, want %d: %w", n, there+5, err)
		}
		if err := s.Close(); err != nil {
			return err
		}
		if s, err = Open(path, nil); err != nil {
			return err
		}
	}
	return s.Close()
}

func TestTheFileMayNotGrow(t *testing.T) {
	t.Parallel()
	out, err := childCommand(t, "fill", filepath.Join(t.TempDir(), "store.db")).CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestTheDiskIsFull needs the right to mount a small file system; without it
// TestTheFileMayNotGrow has to do.
func TestTheDiskIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	require.NoError(t, fillUpWith(filepath.Join(dir, "store.db"), syscall.ENOSPC,
		func() error { return nil },
		func() error { return syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=20m") }))
}
