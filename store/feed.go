package store

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
)

// What a [Feed] remembers for its watchers: whichever bound is reached first. The
// changes of one revision are kept or dropped together.
const (
	feedChanges = 4096
	feedBytes   = 16 << 20 // keys and values
)

// Feed holds the newest few thousand changes of a store, for implementations of
// [Store.Watch]. The zero value has none, and knows them all: it reaches back to
// revision 0. It is safe for concurrent use.
type Feed struct {
	mu        sync.Mutex
	changes   []Change // by revision, then by key; values are shared
	bytes     int      // keys and values of changes
	compacted uint64   // the greatest revision that was dropped
	closed    bool
	wake      chan struct{} // closed when something happens; nil if nobody waits
}

// Compact has the feed forget every change up to the given revision: a store begins
// with the one at which it was opened. It does nothing if the feed begins later.
func (f *Feed) Compact(revision uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for n < len(f.changes) && f.changes[n].Revision <= revision {
		n++
	}
	f.drop(n)
	f.compacted = max(f.compacted, revision)
	f.notify()
}

// Add appends the changes of one revision or more, in order of revision and then of
// key. The feed keeps them and never changes their values.
func (f *Feed) Add(changes []Change) {
	if len(changes) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes = append(f.changes, changes...)
	for _, c := range changes {
		f.bytes += len(c.Key) + len(c.Value)
	}
	n := 0
	for bytes := f.bytes; len(f.changes)-n > feedChanges || bytes > feedBytes; {
		f.compacted = f.changes[n].Revision
		for n < len(f.changes) && f.changes[n].Revision == f.compacted {
			bytes -= len(f.changes[n].Key) + len(f.changes[n].Value)
			n++
		}
	}
	f.drop(n)
	f.notify()
}

// drop lets go of the first n changes. The caller holds mu.
func (f *Feed) drop(n int) {
	for _, c := range f.changes[:n] {
		f.bytes -= len(c.Key) + len(c.Value)
	}
	clear(f.changes[:n]) // the array is kept until append needs a larger one
	f.changes = f.changes[n:]
}

// Close ends every watch with [ErrClosed].
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed, f.changes = true, nil
	f.notify()
}

func (f *Feed) notify() {
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// since returns the changes to keys with the prefix after revision after, the
// revision to go on from, and a channel that is closed when there is more to see.
func (f *Feed) since(prefix string, after uint64) ([]Change, uint64, <-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, after, nil, ErrClosed
	case after < f.compacted:
		return nil, after, nil, ErrCompacted
	}
	if f.wake == nil {
		f.wake = make(chan struct{})
	}
	first, _ := slices.BinarySearchFunc(f.changes, after, func(c Change, after uint64) int {
		if c.Revision <= after {
			return -1
		}
		return 1
	})
	var found []Change
	for _, c := range f.changes[first:] {
		if strings.HasPrefix(c.Key, prefix) {
			found = append(found, c)
		}
		after = c.Revision
	}
	return found, after, f.wake, nil
}

// Watch yields the changes as [Store.Watch] does. A reader that falls behind those that
// are kept gets [ErrCompacted]. Nothing runs between two calls of the loop's body.
func (f *Feed) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for next := after; ; {
			if err := ctx.Err(); err != nil {
				yield(Change{}, err)
				return
			}
			changes, last, wake, err := f.since(prefix, next)
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
