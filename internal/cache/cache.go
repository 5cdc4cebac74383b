// Package cache keeps a bounded number of values in memory that are slow to get:
// the least recently used go first, none is given out after it has expired, and
// while a value is being loaded all who ask for it wait for the same load.
package cache

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// sweepPause is the least time between two sweeps for expired entries.
const sweepPause = time.Second

// Cache maps keys to values. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	capacity int
	drop     func(V) // may be nil

	mu      sync.Mutex // guards all below and the place of every entry
	entries map[K]*Entry[K, V]
	recent  list.List           // of *Entry[K, V], the most recently used first
	flights map[K]*flight[K, V] // the loads that others may join
	stats   Stats
	sweeper *time.Timer // nil until something is kept
	wake    time.Time   // when the sweeper runs next; zero if it does not
}

// Entry is a value that is pinned: it is not handed to the cache's drop function
// before it is released, whatever becomes of it in the cache.
type Entry[K comparable, V any] struct {
	key     K
	value   V
	expires time.Time
	place   *list.Element // nil if it is not in the cache; guarded by mu
	pins    atomic.Int64  // one of them is the cache's own while it holds the entry
	drop    func(V)
}

// Stats counts what a cache has done since it was made.
type Stats struct {
	Hits        uint64 // requests that an entry answered
	Misses      uint64 // requests that waited for a load, their own or another's
	Loads       uint64 // loads begun
	Failures    uint64 // loads that returned an error
	Evictions   uint64 // entries dropped because there was no room
	Expirations uint64 // entries dropped because of their age
	Entries     int    // entries held now
}

// New returns an empty cache of at most capacity entries. If drop is not nil it is
// called once with each value that the cache no longer holds and that nobody has
// pinned, so that it can be wiped. It must not call the cache.
func New[K comparable, V any](capacity int, drop func(V)) *Cache[K, V] {
	if capacity < 1 {
		panic("cache: capacity below 1")
	}
	return &Cache[K, V]{
		capacity: capacity,
		drop:     drop,
		entries:  make(map[K]*Entry[K, V]),
		flights:  make(map[K]*flight[K, V]),
	}
}

// Load makes a value. It returns the time at which the value expires, which is
// best computed from the time before the work began.
//
// Its context has the values of the request that has begun the load, and is done
// when everybody who waited for it has given up. It has no deadline, see [Deadline].
type Load[V any] func(ctx context.Context) (v V, expires time.Time, err error)

// Get returns the entry of key, pinned, and whether it was there. If it was not,
// it is loaded, in a goroutine of its own, by the first who asks for it; the
// others wait for the same. All of them get what it returns, also an error, which
// is not kept; a value that is expired when it arrives is not kept either. If load
// panics, so do all of them.
//
// A request whose ctx is done returns ctx's error at once. That hurts nobody else:
// the load goes on as long as somebody waits for it.
//
// The caller has to release the entry.
func (c *Cache[K, V]) Get(ctx context.Context, key K, load Load[V]) (e *Entry[K, V], hit bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	if e := c.find(key); e != nil {
		c.mu.Unlock()
		return e, true, nil
	}
	c.stats.Misses++
	f := c.join(ctx, key, load)
	c.mu.Unlock()
	e, err = c.wait(ctx, f)
	return e, false, err
}

// Lookup returns the entry of key, pinned, or nil if it is not there: a Get that
// needs no load, for the sake of what a load costs to prepare. Only a hit counts.
func (c *Cache[K, V]) Lookup(key K) *Entry[K, V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(key)
}

// find returns the entry of key, pinned, or nil. mu is held.
func (c *Cache[K, V]) find(key K) *Entry[K, V] {
	e := c.entries[key]
	if e == nil {
		return nil
	}
	if e.expired(time.Now()) {
		c.stats.Expirations++
		c.remove(e)
		return nil
	}
	c.stats.Hits++
	c.recent.MoveToFront(e.place)
	e.pins.Add(1)
	return e
}

// Remove takes e out of the cache and reports whether it was still there. A later
// entry of the same key stays.
func (c *Cache[K, V]) Remove(e *Entry[K, V]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := e.place != nil
	if held {
		c.remove(e)
	}
	return held
}

// Clear drops every entry. What is being loaded now reaches those who wait for it,
// but is not kept, and whoever asks later begins a new load.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		c.remove(e)
	}
	clear(c.flights)
	if c.sweeper != nil {
		c.sweeper.Stop()
		c.wake = time.Time{}
	}
}

// Stats returns the counters.
func (c *Cache[K, V]) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Entries = len(c.entries)
	return s
}

// insert makes room and takes e in, with a pin. mu is held, and there is no entry
// of that key.
func (c *Cache[K, V]) insert(e *Entry[K, V], now time.Time) {
	if len(c.entries) >= c.capacity {
		c.stats.Evictions++
		c.remove(c.recent.Back().Value.(*Entry[K, V]))
	}
	e.pins.Add(1)
	e.place = c.recent.PushFront(e)
	c.entries[e.key] = e
	c.schedule(e.expires, now)
}

// remove takes out an entry that is in the cache. mu is held.
func (c *Cache[K, V]) remove(e *Entry[K, V]) {
	delete(c.entries, e.key)
	c.recent.Remove(e.place)
	e.place = nil
	e.Release()
}

// schedule has the entries swept at the given time, unless they are before, so that
// nothing outlives its time only because nobody asks for it any more. mu is held.
func (c *Cache[K, V]) schedule(at, now time.Time) {
	if earliest := now.Add(sweepPause); at.Before(earliest) {
		at = earliest
	}
	if !c.wake.IsZero() && !at.Before(c.wake) {
		return
	}
	c.wake = at
	if c.sweeper != nil {
		c.sweeper.Reset(at.Sub(now))
		return
	}
	c.sweeper = time.AfterFunc(at.Sub(now), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		now := time.Now()
		c.wake = time.Time{}
		if next, some := c.sweep(now); some {
			c.schedule(next, now)
		}
	})
}

// sweep drops what has expired and returns when the next entry will. mu is held.
func (c *Cache[K, V]) sweep(now time.Time) (next time.Time, some bool) {
	for _, e := range c.entries {
		switch {
		case e.expired(now):
			c.stats.Expirations++
			c.remove(e)
		case !some || e.expires.Before(next):
			next, some = e.expires, true
		}
	}
	return next, some
}

// Value returns the value. It is shared with everybody who has the entry pinned,
// and must not be used after the release.
func (e *Entry[K, V]) Value() V { return e.value }

// Release gives the pin back.
func (e *Entry[K, V]) Release() {
	if e.pins.Add(-1) == 0 && e.drop != nil {
		e.drop(e.value)
	}
}

func (e *Entry[K, V]) expired(now time.Time) bool { return Passed(e.expires, now) }

// Passed reports whether at is not after now by either clock: the monotonic one may
// stand still while the machine sleeps, and the other can be set back.
func Passed(at, now time.Time) bool {
	return !now.Before(at) || !now.Round(0).Before(at.Round(0))
}
