package storetest

import (
	"context"
	"sync"

	"github.com/sealring/sealring/store"
)

// Stalling is a store that can be held up, as a disk or a cluster may be. It is safe for
// concurrent use.
type Stalling struct {
	store.Store

	mu      sync.Mutex
	gate    chan struct{} // closed by Release; nil while nothing is held up
	waiting int
	came    chan struct{} // closed when waiting grows
}

// Stall returns s, which is not held up yet.
func Stall(s store.Store) *Stalling { return &Stalling{Store: s, came: make(chan struct{})} }

// Hold lets every View and Update that begins from now on wait, until [Stalling.Release]
// or until its context ends; it gives the context's error then. Watch and Close pass
// through.
func (s *Stalling) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate == nil {
		s.gate = make(chan struct{})
	}
}

// Release lets go on what waits. It does nothing if the store is not held up.
func (s *Stalling) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != nil {
		close(s.gate)
		s.gate = nil
	}
}

// AwaitWaiting returns when n calls or more wait at once, or with ctx's error.
func (s *Stalling) AwaitWaiting(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		enough, came := s.waiting >= n, s.came
		s.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pass waits while the store is held up.
func (s *Stalling) pass(ctx context.Context) error {
	s.mu.Lock()
	gate := s.gate
	if gate == nil {
		s.mu.Unlock()
		return nil
	}
	s.waiting++
	close(s.came)
	s.came = make(chan struct{})
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiting--
	}()
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// View implements [store.Store].
func (s *Stalling) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.pass(ctx); err != nil {
		return err
	}
	return s.Store.View(ctx, fn)
}

// Update implements [store.Store].
func (s *Stalling) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.pass(ctx); err != nil {
		return err
	}
	return s.Store.Update(ctx, fn)
}
