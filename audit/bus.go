package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
)

// DefaultBusSize is the number of changes that a [Bus] keeps whose Size is zero.
const DefaultBusSize = 1024

// ErrBusClosed is returned by [Bus.Publish] after [Bus.Close].
var ErrBusClosed = errors.New("audit: bus is closed")

// LagError tells a subscriber of a [Bus] that it was too slow.
type LagError struct {
	Missed uint64 // how many changes it will not get
}

// Error says how many changes were missed.
func (e *LagError) Error() string {
	return fmt.Sprintf("audit: subscriber was too slow and missed %d changes", e.Missed)
}

// Bus hands changes to subscribers in the same process. It keeps the newest of them in
// memory, once for all subscribers; a publisher never waits for a subscriber. The zero
// value is ready to use.
type Bus struct {
	// Size is how many changes are kept for slow subscribers; 0 means [DefaultBusSize].
	// It must not change after the first Publish.
	Size int

	mu     sync.Mutex
	kept   []ChangeEvent // guarded by mu; change number n is at n % size
	next   uint64        // guarded by mu; the number of the change to come
	wake   chan struct{} // guarded by mu; closed with the next change; nil if nobody waits
	closed bool          // guarded by mu
}

var _ ChangeSink = (*Bus)(nil)

// Publish gives e to all subscribers. It does not wait and does not look at ctx.
func (b *Bus) Publish(_ context.Context, e ChangeEvent) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrBusClosed
	}
	if size := b.size(); uint64(len(b.kept)) < size {
		b.kept = append(b.kept, e)
	} else {
		b.kept[b.next%size] = e
	}
	b.next++
	b.signal()
	return nil
}

// Close ends all subscriptions when they have got what was published before.
func (b *Bus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.signal()
	return nil
}

// Subscribe returns the changes that are published from now on, in the order of
// publication. The sequence waits for the next one; it ends with ctx, whose error comes
// last, or with the bus, without an error. A subscriber that falls behind by more than
// the bus keeps gets a [*LagError] in place of what it missed and may go on. The
// sequence can be ranged over once; a subscription that nobody ranges over costs
// nothing.
func (b *Bus) Subscribe(ctx context.Context) iter.Seq2[ChangeEvent, error] {
	b.mu.Lock()
	at := b.next
	b.mu.Unlock()
	return func(yield func(ChangeEvent, error) bool) {
		for {
			e, missed, wait, open := b.take(at)
			switch {
			case missed > 0:
				at += missed
				if !yield(ChangeEvent{}, &LagError{Missed: missed}) {
					return
				}
			case wait == nil && !open:
				return
			case wait == nil:
				at++
				if !yield(e, nil) {
					return
				}
			default:
				select {
				case <-wait:
				case <-ctx.Done():
					yield(ChangeEvent{}, ctx.Err())
					return
				}
			}
			if err := ctx.Err(); err != nil {
				yield(ChangeEvent{}, err)
				return
			}
		}
	}
}

// take returns change number at, or how many changes from it on are gone, or what to
// wait for. open is false if the bus is closed and there is nothing left.
func (b *Bus) take(at uint64) (e ChangeEvent, missed uint64, wait <-chan struct{}, open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if oldest := b.next - uint64(len(b.kept)); at < oldest {
		return ChangeEvent{}, oldest - at, nil, true
	}
	if at < b.next {
		return b.kept[at%b.size()], 0, nil, true
	}
	if b.closed {
		return ChangeEvent{}, 0, nil, false
	}
	if b.wake == nil {
		b.wake = make(chan struct{})
	}
	return ChangeEvent{}, 0, b.wake, true
}

func (b *Bus) size() uint64 {
	if b.Size <= 0 {
		return DefaultBusSize
	}
	return uint64(b.Size)
}

// signal wakes who waits. The caller holds mu.
func (b *Bus) signal() {
	if b.wake != nil {
		close(b.wake)
		b.wake = nil
	}
}
