package store

import (
	"context"
	"iter"
	"sync/atomic"
)

// Memory is a [Store] in memory. A View reads an immutable snapshot and holds up
// nobody; updates run one at a time, so none ever conflicts.
//
// The revision starts at 0 and grows by one with each Update that changes
// something: one that sets a key, if only to the value it has, or deletes a key
// that is there. Watch reaches back over the newest few thousand changes and then
// gives [ErrCompacted].
//
// An Update inside the function of another waits for itself until its ctx is done.
type Memory struct {
	writer chan struct{}            // holds a token while an Update runs
	head   atomic.Pointer[Snapshot] // nil after Close
	feed   Feed
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	m := &Memory{writer: make(chan struct{}, 1)}
	m.head.Store(NewSnapshot())
	return m
}

// View implements [Store]. It does not look at ctx once fn has started.
func (m *Memory) View(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	base := m.head.Load()
	if base == nil {
		return ErrClosed
	}
	return base.View(fn)
}

// Update implements [Store]. It runs fn once. If ctx is done when fn returns,
// nothing is written.
func (m *Memory) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case m.writer <- struct{}{}:
		defer func() { <-m.writer }()
	case <-ctx.Done():
		return ctx.Err()
	}
	base := m.head.Load()
	if base == nil {
		return ErrClosed
	}
	a, err := base.Try(fn)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !m.head.CompareAndSwap(base, a.Next) {
		return ErrClosed // nobody else replaces what the writer has read
	}
	m.feed.Add(a.Changes) // after head: who sees a change can read it
	return nil
}

// Watch implements [Store]. A reader that falls behind the changes that are kept
// gets [ErrCompacted]. Nothing runs between two calls of the loop's body.
func (m *Memory) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[Change, error] {
	return m.feed.Watch(ctx, prefix, after)
}

// Close implements [Store] and forgets the contents. Views that are running keep
// their snapshot; an Update that is running will fail with [ErrClosed].
func (m *Memory) Close() error {
	m.head.Store(nil)
	m.feed.Close()
	return nil
}
