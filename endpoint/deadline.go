package endpoint

import (
	"context"
	"sync"
	"time"
)

// A deadline is what context.WithDeadline returns, for a request that hardly ever
// has to wait: the timer, and the links to the contexts above, are made when
// somebody asks for Done. Until then Err looks at the clock.
type deadline struct {
	context.Context // the request's
	at              time.Time

	mu     sync.Mutex
	inner  context.Context    // what Done is of, nil until then; guarded by mu
	cancel context.CancelFunc // of inner; guarded by mu
	over   bool               // end was called; guarded by mu
}

// newDeadline returns a context that is done at that time, when parent is or when end
// is called, which has to be.
func newDeadline(parent context.Context, at time.Time) *deadline {
	if sooner, ok := parent.Deadline(); ok && sooner.Before(at) {
		at = sooner
	}
	return &deadline{Context: parent, at: at}
}

// end is the context's CancelFunc.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	if d.inner != nil {
		d.cancel()
	}
}

// Deadline implements [context.Context].
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements [context.Context].
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wait().Done()
}

// Err implements [context.Context].
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == nil && !d.over && d.Context.Err() == nil && time.Until(d.at) > 0 {
		return nil
	}
	return d.wait().Err()
}

// Value implements [context.Context]. Among the values is what contexts made from
// this one are linked to it by.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner != nil {
		return d.inner.Value(key)
	}
	return d.Context.Value(key)
}

// wait returns inner. The caller holds mu.
func (d *deadline) wait() context.Context {
	switch {
	case d.inner != nil:
	case d.over: // whatever has happened since
		d.inner, d.cancel = context.WithCancel(context.WithoutCancel(d.Context))
		d.cancel()
	default:
		d.inner, d.cancel = context.WithDeadline(d.Context, d.at)
	}
	return d.inner
}
