package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// flushFails works on a store while one flush fails, and opens it again.
func flushFails(path string) error {
	s, err := openTwice(path)
	if err != nil {
		return err
	}
	acknowledged := uint64(0)
	ack := func(revision uint64) error { acknowledged = revision; return nil }
	if err := work(s, 4, 1, ack); err != nil {
		if err := stopped(s, err); err != nil {
			return err
		}
	}
	_ = s.Compact(context.Background()) // it succeeds, or everything is as it was
	if err := work(s, 2, 1, ack); err != nil {
		if err := stopped(s, err); err != nil {
			return err
		}
	}
	if r := s.durable.Revision(); r != acknowledged {
		return fmt.Errorf("views see revision %d, %d was acknowledged", r, acknowledged)
	}
	if err := s.Close(); err != nil {
		return err
	}
	again, err := openTwice(path)
	if err != nil {
		return err
	}
	if r := again.durable.Revision(); r < acknowledged || r > acknowledged+1 {
		return fmt.Errorf("revision %d is there, %d was acknowledged", r, acknowledged)
	}
	if err := work(again, 1, 1, ack); err != nil {
		if err := stopped(again, err); err != nil {
			return err
		}
	}
	return again.Close()
}

// openTwice opens a file again if that fails: one flush fails, not two.
func openTwice(path string) (*Store, error) {
	if s, err := Open(path, nil); err == nil {
		return s, nil
	}
	return Open(path, nil)
}

// stopped checks that a store whose flush failed refuses updates.
func stopped(s *Store, err error) error {
	if again := s.Update(context.Background(), put("a", 1)); !errors.Is(err, ErrFailed) || !errors.Is(again, ErrFailed) {
		return fmt.Errorf("an update fails with %w, the next with %w", err, again)
	}
	return nil
}

func TestFlushFails(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		trace := tracedChild(t, "flush fails", t.TempDir(), fmt.Sprintf("%s=%d", flushVariable, n))
		if !bytes.Contains(trace, []byte(`"Kind":"failed"`)) {
			require.Greater(t, n, 20)
			return
		}
	}
}
