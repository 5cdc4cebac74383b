package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealring/sealring/internal/syncdir"
	"github.com/sealring/sealring/store"
)

// A compaction catches up with the writers while they go on, until what remains is no
// more than catchUp changes, or it has tried catchUps times. They wait for the rest.
const (
	catchUp  = 1000
	catchUps = 20
)

// Compact replaces the file by one that has no free pages, beside which it has to have
// room in the directory. Views and updates go on meanwhile; the updates wait for the last
// moment. If Compact fails the file is the one that it was, unless the error matches
// [ErrFailed]; if the process ends or power is lost it is the old or the new one, and
// every committed update is in it. One Compact runs at a time.
func (s *Store) Compact(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.compact <- struct{}{}:
		defer func() { <-s.compact }()
	case <-ctx.Done():
		return ctx.Err()
	}
	base, err := s.follow()
	if err != nil {
		return err
	}
	defer s.unfollow()
	next, err := build(ctx, s.path, base)
	if err != nil {
		return err
	}
	name := next.f.Name()
	if err := s.replace(ctx, next); err != nil {
		if next != s.file {
			err = errors.Join(err, next.close(), os.Remove(name))
		}
		return err
	}
	return nil
}

// follow has the committer note what it commits from now on, and returns what is
// committed.
func (s *Store) follow() (*store.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refused(); err != nil {
		return nil, err
	}
	s.tail = new([]store.Change)
	return s.durable, nil
}

func (s *Store) unfollow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail = nil
}

// replace brings next up to date and puts it in the place of the store's file.
func (s *Store) replace(ctx context.Context, next *file) error {
	info, err := s.file.f.Stat() // of the directory entry's file: nobody else replaces it
	if err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	if err := errors.Join(giveTo(next.f, info), next.f.Chmod(info.Mode().Perm())); err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	for range catchUps {
		if n, err := s.follower(next); err != nil || n <= catchUp {
			break // the error will come again
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	s.disk.Lock() // no commit runs from here on
	defer s.disk.Unlock()
	if _, err := s.follower(next); err != nil {
		return err
	}
	if err := next.f.Sync(); err != nil {
		return writeError(next.f.Name(), err)
	}
	return s.swap(next)
}

// follower commits to next what was noted and returns how much it was.
func (s *Store) follower(next *file) (int, error) {
	s.mu.Lock()
	changes, revision, err := *s.tail, s.durable.Revision(), s.refused()
	*s.tail = nil
	s.mu.Unlock()
	if err != nil || len(changes) == 0 {
		return 0, err
	}
	if err := next.commit(changes, revision); err != nil {
		return 0, writeError(next.f.Name(), err)
	}
	return len(changes), nil
}

// swap gives next the store's name. The caller holds disk.
func (s *Store) swap(next *file) error {
	if err := s.file.isAt(s.path); err != nil {
		return err
	}
	if err := os.Rename(next.f.Name(), s.path); err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	old := s.file
	s.file = next
	if err := syncdir.Sync(filepath.Dir(s.path)); err != nil {
		// After a loss of power the old file may be back, which will not have what is
		// committed from now on.
		err = fmt.Errorf("%w: %w", ErrFailed, err)
		s.mu.Lock()
		s.failed = err
		s.mu.Unlock()
		return errors.Join(err, old.close())
	}
	if err := old.close(); err != nil {
		return fmt.Errorf("boltstore: closing the file before: %w", err)
	}
	return nil
}
