package storetest

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/sealring/sealring/store"
)

// Handles returns n stores that are all s, but are closed each by itself: a closed one
// gives [store.ErrClosed], and its watches end. When all are closed, s is. With it
// [RunShared] can test several stores that share one in memory.
func Handles(s store.Store, n int) []store.Store {
	open := &atomic.Int64{}
	open.Store(int64(n))
	list := make([]store.Store, n)
	for i := range list {
		ctx, end := context.WithCancel(context.Background())
		list[i] = &handle{s: s, open: open, closed: ctx, end: end}
	}
	return list
}

// handle is one of several on a store.
type handle struct {
	s      store.Store
	open   *atomic.Int64   // handles on s
	closed context.Context // ends at Close
	end    func()
	once   sync.Once
}

func (h *handle) View(ctx context.Context, fn func(store.Tx) error) error {
	if h.closed.Err() != nil {
		return store.ErrClosed
	}
	return h.s.View(ctx, fn)
}

func (h *handle) Update(ctx context.Context, fn func(store.Tx) error) error {
	if h.closed.Err() != nil {
		return store.ErrClosed
	}
	return h.s.Update(ctx, fn)
}

func (h *handle) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(h.closed, cancel)()
		for c, err := range h.s.Watch(ctx, prefix, after) {
			if h.closed.Err() != nil {
				yield(store.Change{}, store.ErrClosed)
				return
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

func (h *handle) Close() (err error) {
	h.once.Do(func() {
		h.end()
		if h.open.Add(-1) == 0 {
			err = h.s.Close()
		}
	})
	return err
}
