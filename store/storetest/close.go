package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/sealring/sealring/store"
)

func closeChecks() []check {
	return []check{
		{name: "Close/every method gives ErrClosed afterwards", run: checkClosed},
		{name: "Close/ends the watches that wait", run: checkCloseEndsWatch},
	}
}

func checkClosed(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	for range 2 {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	}
	nothing := func(store.Tx) error { return nil }
	expectError(tb, "View", s.View(tb.Context(), nothing), store.ErrClosed)
	expectError(tb, "Update", s.Update(tb.Context(), nothing), store.ErrClosed)
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	_, err := watch(ctx, s, "", 0, func(store.Change) bool { return false })
	expectError(tb, "Watch", err, store.ErrClosed)
}

func checkCloseEndsWatch(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	seen, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := watch(tb.Context(), s, "", 0, func(store.Change) bool { close(seen); return true })
		ended <- err
	}()
	select {
	case <-seen:
	case <-time.After(patience(tb)):
		tb.Fatalf("Watch yields nothing")
	}
	if err := s.Close(); err != nil {
		tb.Errorf("Close: %v", err)
	}
	select {
	case err := <-ended:
		expectError(tb, "Watch", err, store.ErrClosed)
	case <-time.After(patience(tb)):
		tb.Fatalf("Watch goes on after Close")
	}
}
