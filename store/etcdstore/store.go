package etcdstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/store"
)

// Linearizable, as [Options].MaxStaleness, makes every View and every Update see all
// that was committed before it began. Each View costs a request to the cluster then;
// those that wait at the same time share one.
const Linearizable time.Duration = -1

// What zero options mean.
const (
	defaultStaleness = time.Second
	defaultTimeout   = 5 * time.Second
)

// Options says where a store lies and how it treats the cluster.
type Options struct {
	// Namespace is what the keys in the cluster begin with, before a slash. It is
	// required, of at most 128 bytes, and no part of it after a slash may be "d" or "e".
	// Stores with the same namespace in the same cluster hold the same data.
	Namespace string

	// MaxStaleness bounds how long after a commit by another process a View may begin
	// and not see it. 0 means one second, [Linearizable] no time at all. Larger values
	// have a disabled key or a revoked grant work longer elsewhere; in exchange the
	// store answers Views for longer while the cluster is away.
	MaxStaleness time.Duration

	// Timeout bounds the wait for the cluster where the caller's context does not: of a
	// View for its confirmation, of an Update for the answer to its transaction, and
	// once more to find out what became of it. 0 means five seconds. It should be longer
	// than an election of the cluster takes.
	Timeout time.Duration
}

// Store is a [store.Store] on an etcd cluster. Revisions are the cluster's, so they
// grow by more than one where the cluster is used for other things too. Watch reaches
// back to where the store was opened, over the newest few thousand changes; a watch
// gets [store.ErrCompacted] also when the store itself has missed changes because the
// cluster was compacted while it was cut off.
type Store struct {
	client    *clientv3.Client
	keys      layout
	id        string
	cluster   uint64 // the cluster's id
	staleness time.Duration
	timeout   time.Duration
	began     time.Time // for its monotonic clock only
	slots     *slots
	turn      chan struct{} // holds a token while an update repeats its attempt
	feed      store.Feed

	ctx    context.Context // until Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	head      atomic.Pointer[store.Snapshot] // set under mu; nil after Close
	confirmed atomic.Int64                   // when, by now, head was known to be the newest
	used      atomic.Int64                   // about when, by now, head was last asked for
	newest    atomic.Int64                   // the greatest revision that last was seen at
	own       atomic.Uint64                  // a revision that head must have reached to be read
	trouble   atomic.Pointer[error]          // what the newest confirmation failed with
	unwatched atomic.Pointer[error]          // why the newest watch has ended

	mu        sync.Mutex
	closed    bool
	restored  bool               // the cluster has lost revisions: nothing is served
	moved     chan struct{}      // closed when head moves; nil if nobody waits
	unwatch   context.CancelFunc // ends the present watch, to be begun anew
	running   *confirmation
	following *confirmation // starts when running ends; nil if nobody waits for it
}

var _ store.Store = (*Store)(nil)

// Open reads the namespace and follows it from then on, until Close. The client stays
// the caller's, who closes it after the store. The errors match [ErrUnavailable],
// [ErrRefused] or [ErrFormat].
func Open(ctx context.Context, c *clientv3.Client, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	id := newID()
	keys, err := newLayout(o.Namespace, id)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client: c, keys: keys, id: id, began: time.Now(),
		staleness: o.MaxStaleness, timeout: o.Timeout,
		turn: make(chan struct{}, 1),
	}
	switch {
	case s.staleness == 0:
		s.staleness = defaultStaleness
	case s.staleness == Linearizable:
		s.staleness = 0
	case s.staleness < 0:
		return nil, fmt.Errorf("etcdstore: MaxStaleness is %v", s.staleness)
	}
	if s.timeout < 0 {
		return nil, fmt.Errorf("etcdstore: Timeout is %v", s.timeout)
	} else if s.timeout == 0 {
		s.timeout = defaultTimeout
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.slots = newSlots(s)
	listing, err := s.list(ctx)
	if err != nil {
		s.cancel()
		return nil, err
	}
	s.head.Store(listing.snapshot)
	s.newest.Store(listing.last)
	s.cluster = listing.cluster
	s.feed.Compact(listing.snapshot.Revision())
	s.wg.Go(func() { s.follow(listing.revision + 1) })
	if s.staleness > 0 {
		s.wg.Go(s.keepConfirmed)
	}
	return s, nil
}

// newID returns 128 random bits in hexadecimal.
func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// now returns the time since the store was opened, by the monotonic clock.
func (s *Store) now() time.Duration { return time.Since(s.began) }

// View implements [store.Store]. It does not look at ctx once fn has started. The error
// matches [ErrStale] if the state could not be confirmed; fn has not run then.
func (s *Store) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	head, err := s.fresh(ctx)
	if err != nil {
		return err
	}
	return head.View(fn)
}

// Watch implements [store.Store].
func (s *Store) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[store.Change, error] {
	return s.feed.Watch(ctx, prefix, after)
}

// Close implements [store.Store]. It does not wait for updates that are running; one
// whose outcome cannot be found out any more ends with [ErrInDoubt]. Nothing of the
// store runs in the background afterwards.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.head.Store(nil)
	s.notify()
	s.mu.Unlock()
	s.cancel()
	s.feed.Close()
	s.wg.Wait()
	s.slots.close()
	return nil
}

// Status is how a store stands with its cluster.
type Status struct {
	// Revision is that of the state in memory.
	Revision uint64

	// Confirmed is how long ago that state was last known to be the newest. It grows
	// while the store is not used.
	Confirmed time.Duration

	// Err is what the newest attempt to confirm the state failed with, nil if it did
	// not, or [store.ErrClosed].
	Err error
}

// Status returns how the store stands with its cluster, for a health check. It asks
// the cluster nothing.
func (s *Store) Status() Status {
	head := s.head.Load()
	if head == nil {
		return Status{Err: store.ErrClosed}
	}
	st := Status{Revision: head.Revision(), Confirmed: s.now() - time.Duration(s.confirmed.Load())}
	if err := s.trouble.Load(); err != nil {
		st.Err = *err
	}
	return st
}

// publish makes next the state. Whoever sees one of changes can read it. compacted
// means that next holds more changes than those.
func (s *Store) publish(next *store.Snapshot, changes []store.Change, compacted bool) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.head.Store(next)
	s.notify()
	s.mu.Unlock()
	if compacted {
		s.feed.Compact(next.Revision())
	}
	s.feed.Add(changes)
}

// notify wakes those who wait for the head to move. The caller holds mu.
func (s *Store) notify() {
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// reach waits until the state in memory is that of revision or a later one. The error
// is [store.ErrClosed], [ErrRestored] or ctx's.
func (s *Store) reach(ctx context.Context, revision uint64) error {
	for {
		s.mu.Lock()
		switch head := s.head.Load(); {
		case head == nil:
			s.mu.Unlock()
			return store.ErrClosed
		case s.restored:
			s.mu.Unlock()
			return ErrRestored
		case head.Revision() >= revision:
			s.mu.Unlock()
			return nil
		}
		if s.moved == nil {
			s.moved = make(chan struct{})
		}
		moved := s.moved
		s.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// giveUp has everything fail with [ErrRestored] from now on.
func (s *Store) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restored = true
	s.notify()
}

// atLeast raises a to at least n.
func atLeast(a *atomic.Int64, n int64) {
	for was := a.Load(); was < n && !a.CompareAndSwap(was, n); was = a.Load() {
	}
}
