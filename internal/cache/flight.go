package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// errExited is what those who wait get if a load has ended its goroutine.
var errExited = errors.New("cache: the load has ended without a result")

// flight is one load and those who wait for it.
type flight[K comparable, V any] struct {
	key    K
	cancel context.CancelFunc

	waiting int           // guarded by the cache's mu
	done    chan struct{} // closed, under mu, when what follows is set

	entry    *Entry[K, V] // pinned once for each who waited
	err      error
	panicked any
}

// join returns the load of key that is under way, or begins one. mu is held.
func (c *Cache[K, V]) join(ctx context.Context, key K, load Load[V]) *flight[K, V] {
	f := c.flights[key]
	if f == nil {
		detached, cancel := detach(ctx)
		f = &flight[K, V]{key: key, cancel: cancel, done: make(chan struct{}), err: errExited}
		c.flights[key] = f
		c.stats.Loads++
		go c.fly(detached, f, load)
	}
	f.waiting++
	return f
}

// deadlineKey is the key of a load's context for the deadline of the request that has
// begun it.
type deadlineKey struct{}

// detach returns the context of a load that ctx's request begins.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	detached := context.WithoutCancel(ctx)
	if deadline, ok := Deadline(ctx); ok {
		detached = context.WithValue(detached, deadlineKey{}, deadline)
	}
	return context.WithCancel(detached)
}

// Deadline returns when the result of what is done under ctx is expected: ctx's own
// deadline or, in a load, that of the request which has begun it, if that is earlier.
// A load is not ended then, as others may wait for longer; it is for dividing the time.
func Deadline(ctx context.Context) (deadline time.Time, ok bool) {
	deadline, ok = ctx.Deadline()
	if expected, has := ctx.Value(deadlineKey{}).(time.Time); has && (!ok || expected.Before(deadline)) {
		return expected, true
	}
	return deadline, ok
}

// fly runs the load and hands its result over.
func (c *Cache[K, V]) fly(ctx context.Context, f *flight[K, V], load Load[V]) {
	defer f.cancel()
	var v V
	var expires time.Time
	defer func() { // also when the load panics or calls runtime.Goexit
		if r := recover(); r != nil {
			f.panicked = fmt.Sprintf("%v\n\n%s", r, debug.Stack())
		}
		c.land(f, v, expires)
	}()
	v, expires, f.err = load(ctx)
}

// land keeps the value, unless it is no longer wanted, and wakes who waits.
func (c *Cache[K, V]) land(f *flight[K, V], v V, expires time.Time) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	wanted := c.flights[f.key] == f
	if wanted {
		delete(c.flights, f.key)
	}
	if f.err != nil {
		c.stats.Failures++
		return
	}
	e := &Entry[K, V]{key: f.key, value: v, expires: expires, drop: c.drop}
	e.pins.Store(int64(f.waiting) + 1)
	if wanted && !e.expired(now) {
		c.insert(e, now)
	}
	e.Release() // the flight's own
	f.entry = e
}

// wait returns the result of f, in which the caller's place has been counted.
func (c *Cache[K, V]) wait(ctx context.Context, f *flight[K, V]) (*Entry[K, V], error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		c.leave(f)
		return nil, ctx.Err()
	}
	if f.panicked != nil {
		panic(f.panicked)
	}
	return f.entry, f.err
}

// leave gives up a place. The last one to leave cancels the load, and nobody joins
// it any more.
func (c *Cache[K, V]) leave(f *flight[K, V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-f.done:
		if f.entry != nil {
			f.entry.Release()
		}
		return
	default:
	}
	f.waiting--
	if f.waiting > 0 {
		return
	}
	f.cancel()
	if c.flights[f.key] == f {
		delete(c.flights, f.key)
	}
}
