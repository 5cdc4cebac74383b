package boltstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealring/sealring/store"
)

// What a batch holds: it is full when either bound is reached, so it may have one
// update's worth more. A [store.Feed] remembers several full ones, so that who watches
// does not miss one that comes all at once.
const (
	batchChanges = 1024
	batchBytes   = 4 << 20 // keys and values
)

// batch is the updates that are committed together.
type batch struct {
	changes []store.Change  // in order of revision
	bytes   int             // of keys and values
	head    *store.Snapshot // what the updates make of the store

	taken chan struct{} // closed when it is about to be committed
	done  chan struct{} // closed when it is committed or has failed
	err   error         // why it has failed; set before done is closed
}

func (b *batch) full() bool { return len(b.changes) >= batchChanges || b.bytes >= batchBytes }

// Update implements [store.Store]. Functions run one at a time, on what the ones before
// them have made of the store, and never wait for the disk; what they have written is
// committed together with what came while the commit before was running. If a commit
// fails, so do all updates in it and those that rest on it, and fn may run again.
//
// If ctx ends before fn has returned nothing is written. If it ends later, Update
// returns an error that matches ctx's and the outcome is in doubt: the writes may be
// committed.
//
// The error matches [ErrFull], [ErrFailed], or those of the interface.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := s.run(ctx, fn)
	if b == nil {
		return err
	}
	select {
	case <-b.done:
	default:
		select {
		case <-b.done:
		case <-ctx.Done():
			return fmt.Errorf("boltstore: the outcome is in doubt: %w", ctx.Err())
		}
	}
	if b.err != nil {
		return b.err
	}
	return err
}

// run runs fn and queues what it writes. It returns the batch whose outcome decides, or
// nil if there is nothing to wait for. What fn returned counts only if that batch is
// committed, even if it wrote nothing: it had seen what the batch makes of the store.
func (s *Store) run(ctx context.Context, fn func(store.Tx) error) (*batch, error) {
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		base, err := s.room(ctx)
		if err != nil {
			return nil, err
		}
		a, err := base.Try(fn)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if b, again, err := s.queue(base, a, err); !again {
			return b, err
		}
	}
}

// refused returns why there are no updates, nil if there are. The caller holds mu.
func (s *Store) refused() error {
	switch {
	case s.closed:
		return store.ErrClosed
	case s.readOnly:
		return fmt.Errorf("%w: %s was opened for reading", store.ErrReadOnly, s.path)
	}
	return s.failed
}

// room waits until the next batch has room and returns what an update begins with.
func (s *Store) room(ctx context.Context) (*store.Snapshot, error) {
	for {
		s.mu.Lock()
		base, b, err := s.pending, s.next, s.refused()
		s.mu.Unlock()
		if err != nil || b == nil || !b.full() {
			return base, err
		}
		select {
		case <-b.taken:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// queue adds an attempt on base, or the error that it ended with, to the next batch. It
// returns the batch whose outcome decides, nil if there is nothing to wait for. again says
// that a failed commit has undone what base was. The caller holds the token of writers.
func (s *Store) queue(base *store.Snapshot, a *store.Attempt, failed error) (b *batch, again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refused(); err != nil {
		return nil, false, err
	}
	switch {
	case s.pending != base:
		return nil, true, nil
	case failed == nil && len(a.Changes) > 0:
	case s.next != nil:
		return s.next, false, failed
	default:
		return s.running, false, failed
	}
	if s.next == nil {
		s.next = &batch{taken: make(chan struct{}), done: make(chan struct{})}
	}
	b = s.next
	b.changes = append(b.changes, a.Changes...)
	for _, c := range a.Changes {
		b.bytes += len(c.Key) + len(c.Value)
	}
	b.head = a.Next
	s.pending = a.Next
	if !s.commits {
		s.commits = true
		go s.commit()
	}
	return b, false, nil
}

// commit commits batches until there are no more.
func (s *Store) commit() {
	for s.commitNext() {
	}
}

func (s *Store) commitNext() bool {
	s.disk.Lock()
	defer s.disk.Unlock()
	s.mu.Lock()
	b := s.next
	s.running, s.next = b, nil
	if b == nil {
		s.commits = false
		s.idle.Broadcast()
		s.mu.Unlock()
		return false
	}
	err := s.failed // by Compact, while the batch was waiting for the disk
	s.mu.Unlock()
	close(b.taken)
	if err == nil {
		err = s.file.isAt(s.path)
	}
	if err == nil {
		if err = s.file.commit(b.changes, b.head.Revision()); err != nil {
			err = s.file.failure(err)
		}
	}
	s.finish(b, err)
	return true
}

// finish tells the outcome of a batch to readers, watchers and its updates.
func (s *Store) finish(b *batch, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = nil
	if err != nil {
		s.fail(b, err)
		return
	}
	s.durable = b.head
	if !s.closed {
		s.committed.Store(b.head)
	}
	if s.tail != nil {
		*s.tail = append(*s.tail, b.changes...)
	}
	s.feed.Add(b.changes) // after committed: who sees a change can read it
	close(b.done)
}

// fail undoes a batch and what rests on it. The caller holds mu.
func (s *Store) fail(b *batch, err error) {
	if errors.Is(err, ErrFailed) {
		s.failed = err
	}
	s.pending = s.durable
	b.err = err
	close(b.done)
	if next := s.next; next != nil {
		s.next = nil
		next.err = err
		close(next.taken)
		close(next.done)
	}
}
