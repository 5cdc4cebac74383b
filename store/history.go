package store

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
)

// What a [Memory] remembers for its watchers: whichever bound is reached first.
// The changes of one revision are kept or dropped together.
const (
	historyChanges = 4096
	historyBytes   = 16 << 20 // keys and values
)

// history holds the newest changes of a Memory. It is safe for concurrent use.
type history struct {
	mu        sync.Mutex
	changes   []Change // by revision, then by key; values are shared
	bytes     int      // keys and values of changes
	compacted uint64   // the greatest revision that was dropped
	closed    bool
	wake      chan struct{} // closed when something happens; nil if nobody waits
}

// add appends the changes of one revision, in order of key.
func (h *history) add(changes []Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, changes...)
	for _, c := range changes {
		h.bytes += len(c.Key) + len(c.Value)
	}
	n := 0
	for len(h.changes)-n > historyChanges || h.bytes > historyBytes {
		h.compacted = h.changes[n].Revision
		for n < len(h.changes) && h.changes[n].Revision == h.compacted {
			h.bytes -= len(h.changes[n].Key) + len(h.changes[n].Value)
			n++
		}
	}
	clear(h.changes[:n]) // the array is kept until append needs a larger one
	h.changes = h.changes[n:]
	h.notify()
}

// close ends every watch.
func (h *history) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed, h.changes = true, nil
	h.notify()
}

func (h *history) notify() {
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
}

// since returns the changes to keys with the prefix after revision after, the
// revision to go on from, and a channel that is closed when there is more to see.
func (h *history) since(prefix string, after uint64) ([]Change, uint64, <-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, after, nil, ErrClosed
	case after < h.compacted:
		return nil, after, nil, ErrCompacted
	}
	if h.wake == nil {
		h.wake = make(chan struct{})
	}
	first, _ := slices.BinarySearchFunc(h.changes, after, func(c Change, after uint64) int {
		if c.Revision <= after {
			return -1
		}
		return 1
	})
	var found []Change
	for _, c := range h.changes[first:] {
		if strings.HasPrefix(c.Key, prefix) {
			found = append(found, c)
		}
		after = c.Revision
	}
	return found, after, h.wake, nil
}

// watch is the body of [Memory.Watch].
func (h *history) watch(ctx context.Context, prefix string, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for next := after; ; {
			if err := ctx.Err(); err != nil {
				yield(Change{}, err)
				return
			}
			changes, last, wake, err := h.since(prefix, next)
			if err != nil {
				yield(Change{}, err)
				return
			}
			next = last
			for _, c := range changes {
				if err := ctx.Err(); err != nil {
					yield(Change{}, err)
					return
				}
				if !c.Deleted {
					c.Value = clone(c.Value)
				}
				if !yield(c, nil) {
					return
				}
			}
			if len(changes) > 0 {
				continue
			}
			select {
			case <-wake:
			case <-ctx.Done():
			}
		}
	}
}
