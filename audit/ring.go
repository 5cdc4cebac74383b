package audit

import (
	"context"
	"slices"
	"sync"
)

// DefaultRingSize is the capacity of a [Ring] whose Size is zero.
const DefaultRingSize = 1024

// Ring keeps the newest events in memory. The zero value is ready to use.
type Ring struct {
	// Size is the number of events kept; 0 means [DefaultRingSize]. It must not
	// change after the first Record.
	Size int

	mu     sync.Mutex
	events []Event // guarded by mu; full when len is Size, then oldest is at next
	next   int     // guarded by mu
}

var _ Sink = (*Ring)(nil)

// Record keeps e and drops the oldest event if the ring is full. The
// error wraps ctx's if ctx is done.
func (r *Ring) Record(ctx context.Context, e Event) error {
	if err := ctx.Err(); err != nil {
		return notRecorded(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	size := r.Size
	if size <= 0 {
		size = DefaultRingSize
	}
	if len(r.events) < size {
		r.events = append(r.events, e)
		return nil
	}
	r.events[r.next] = e
	r.next = (r.next + 1) % size
	return nil
}

// Events returns the events that are kept, oldest first. The caller owns the
// slice, but not what the events refer to, which never changes.
func (r *Ring) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Concat(r.events[r.next:], r.events[:r.next])
}
