package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/store"
)

// The state in memory is confirmed by reading when last was written, after that the
// head having reached that revision: the head then holds all that was committed before
// the reading began.

// How a store that is in use keeps its state confirmed.
const (
	confirmsPerBound = 3                // requests in the time of MaxStaleness
	leastInterval    = time.Millisecond // between two requests
	idleAfter        = 10 * time.Second // after the last use it asks no more
	triesPerTimeout  = 4                // a request goes to another endpoint then, if there is one
)

// confirmation is one reading of last, for all that wait for it.
type confirmation struct {
	started time.Duration // by now; valid once it runs
	done    chan struct{}
	err     error // valid when done is closed
}

// fresh returns the state, if it holds all that was committed MaxStaleness ago.
func (s *Store) fresh(ctx context.Context) (*store.Snapshot, error) {
	now := s.now()
	if now-time.Duration(s.used.Load()) > s.staleness/confirmsPerBound {
		s.used.Store(int64(now))
	}
	return s.freshAt(ctx, now-s.staleness)
}

// freshAt returns the state, if it holds all that was committed at the given time, by now.
func (s *Store) freshAt(ctx context.Context, need time.Duration) (*store.Snapshot, error) {
	if head, ok := s.ready(need); ok {
		return head, nil
	}
	wait, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for {
		c, err := s.confirmation(need)
		if err != nil {
			return nil, err
		}
		select {
		case <-c.done:
		case <-wait.Done():
			return nil, during(ctx, fmt.Errorf("%w within %v", ErrStale, s.timeout))
		}
		if c.err != nil {
			return nil, during(ctx, c.err)
		}
		if head, ok := s.ready(need); ok {
			return head, nil
		}
	}
}

// ready returns the head if it is confirmed for the given time, by now, and holds the
// store's own updates.
func (s *Store) ready(need time.Duration) (*store.Snapshot, bool) {
	if time.Duration(s.confirmed.Load()) < need {
		return nil, false
	}
	head := s.head.Load() // after confirmed, which speaks of the head at that time
	if head == nil || head.Revision() < s.own.Load() {
		return nil, false
	}
	return head, true
}

// confirmation returns one that starts, or has started, after the given time, by now.
// At any time one runs and one waits for it to end.
func (s *Store) confirmation(need time.Duration) (*confirmation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, store.ErrClosed
	case s.restored:
		return nil, ErrRestored
	case s.running == nil:
		s.running = &confirmation{started: s.now(), done: make(chan struct{})}
		s.wg.Go(s.confirmAll)
	case s.running.started < need:
		if s.following == nil {
			s.following = &confirmation{done: make(chan struct{})}
		}
		return s.following, nil
	}
	return s.running, nil
}

// confirmAll runs the confirmation that is due, and those that become due meanwhile.
func (s *Store) confirmAll() {
	s.mu.Lock()
	c := s.running
	s.mu.Unlock()
	for c != nil {
		c.err = s.confirm(c.started)
		s.mu.Lock()
		close(c.done)
		c, s.following = s.following, nil
		if s.running = c; c != nil {
			c.started = s.now()
		}
		s.mu.Unlock()
	}
}

// confirm reads last and waits for the head to get there.
func (s *Store) confirm(started time.Duration) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	err := s.catchUp(ctx)
	switch {
	case err == nil:
		atLeast(&s.confirmed, int64(started))
		s.trouble.Store(nil)
		return nil
	case s.ctx.Err() != nil:
		return store.ErrClosed
	case !errors.Is(err, ErrRestored):
		err = fmt.Errorf("%w: %v", ErrStale, err)
	}
	s.trouble.Store(&err)
	return err
}

// catchUp has the head hold all that was committed before.
func (s *Store) catchUp(ctx context.Context) error {
	before := s.newest.Load() // linearizability: none can be older that is read from now on
	last, cluster, err := s.readLast(ctx)
	if err != nil {
		return err
	}
	if last < before || cluster != s.cluster {
		s.giveUp()
		return ErrRestored
	}
	atLeast(&s.newest, last)
	return s.arrive(ctx, uint64(last))
}

// arrive waits for the head to reach revision. If that takes long another watch is
// begun: the connection of the present one may be dead without anybody having noticed.
func (s *Store) arrive(ctx context.Context, revision uint64) error {
	first, cancel := context.WithTimeout(ctx, s.timeout/2)
	defer cancel()
	err := s.reach(first, revision)
	if err == nil || first.Err() == nil || ctx.Err() != nil {
		return err
	}
	s.rewatch()
	if err := s.reach(ctx, revision); err != nil {
		why := errWatchEnded
		if p := s.unwatched.Load(); p != nil {
			why = *p
		}
		return fmt.Errorf("revision %d has not come: %w (%v)", revision, err, why)
	}
	return nil
}

// readLast returns the revision at which last was written, 0 if it was not, and the
// cluster's id, asking again until ctx is done.
func (s *Store) readLast(ctx context.Context) (last int64, cluster uint64, err error) {
	for failed := 0; ; failed++ {
		try, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), s.timeout/triesPerTimeout)
		r, err := s.client.Get(try, s.keys.last)
		cancel()
		switch {
		case err == nil && len(r.Kvs) == 0:
			return 0, r.Header.ClusterId, nil
		case err == nil:
			return r.Kvs[0].ModRevision, r.Header.ClusterId, nil
		case refusal(err) != nil, pause(ctx, failed) != nil:
			return 0, 0, err
		}
	}
}

// keepConfirmed confirms the state again and again while the store is in use.
func (s *Store) keepConfirmed() {
	interval := max(s.staleness/confirmsPerBound, leastInterval)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
		if now := s.now(); now-time.Duration(s.used.Load()) < max(idleAfter, s.staleness) {
			_, _ = s.confirmation(now - interval)
		}
	}
}
