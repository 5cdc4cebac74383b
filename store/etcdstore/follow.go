package etcdstore

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/store"
)

// errWatchEnded is why a watch that gave no reason has ended.
var errWatchEnded = errors.New("etcdstore: the watch has ended")

// Waits between attempts that fail, doubled each time and taken at random.
const (
	firstPause = 20 * time.Millisecond
	maxPause   = 500 * time.Millisecond
)

// follow keeps the head up with the cluster from the given revision on, until Close.
func (s *Store) follow(from int64) {
	failed := 0
	for s.ctx.Err() == nil {
		next, err := s.watch(from)
		if errors.Is(err, rpctypes.ErrCompacted) {
			next, err = s.reload(next)
		}
		if next > from || err == nil {
			failed = 0
		}
		from = next
		if err != nil {
			s.unwatched.Store(&err)
			_ = pause(s.ctx, failed)
			failed++
		}
	}
}

// pause waits for a random time, the longer the more attempts have failed.
func pause(ctx context.Context, failed int) error {
	longest := min(firstPause<<min(failed, 8), maxPause)
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch applies the changes from the given revision on. It returns when the watch ends,
// with the revision from which to go on and the reason. The watcher is the store's own,
// because etcd's client mixes up the fragments of several watches on one stream.
func (s *Store) watch(from int64) (int64, error) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(s.ctx))
	defer cancel()
	s.mu.Lock()
	s.unwatch = cancel
	s.mu.Unlock()
	watcher := clientv3.NewWatcher(s.client)
	defer watcher.Close()
	responses := watcher.Watch(ctx, s.keys.data, clientv3.WithRange(s.keys.dataEnd),
		clientv3.WithRev(from), clientv3.WithFragment(), clientv3.WithProgressNotify())
	for r := range responses {
		if err := r.Err(); err != nil {
			return from, err
		}
		// A response holds revisions as wholes; etcd splits none, and its client has
		// put the fragments together.
		if n := len(r.Events); n > 0 {
			s.apply(r.Events)
			from = r.Events[n-1].Kv.ModRevision + 1
		} else if r.IsProgressNotify() {
			from = max(from, r.Header.Revision+1)
		}
	}
	return from, errWatchEnded
}

// rewatch ends the present watch, which does not deliver what there is, and has
// another one begin where it stood.
func (s *Store) rewatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unwatch != nil {
		s.unwatch()
	}
}

// apply publishes the state that the events, whole revisions in order, make of the head.
func (s *Store) apply(events []*clientv3.Event) {
	head := s.head.Load()
	if head == nil {
		return
	}
	revision := head.Revision()
	changes := make([]store.Change, 0, len(events))
	for _, e := range events {
		c, ok := s.keys.entry(e.Kv)
		if !ok || c.Revision <= head.Revision() {
			continue
		}
		if e.Type == clientv3.EventTypeDelete {
			c.Deleted, c.Value = true, nil
		}
		revision = max(revision, c.Revision)
		changes = append(changes, c)
	}
	if len(changes) == 0 {
		return
	}
	slices.SortStableFunc(changes, func(a, b store.Change) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), strings.Compare(a.Key, b.Key))
	})
	s.publish(head.Apply(revision, changes), changes, false)
}

// reload reads the namespace anew, because the cluster no longer has the changes from
// the given revision on. Watches get [store.ErrCompacted] if there were any: what
// happened in between is not known. It returns the revision from which to watch.
func (s *Store) reload(from int64) (int64, error) {
	before := s.newest.Load()
	l, err := s.list(s.ctx)
	if err != nil {
		return from, err
	}
	head := s.head.Load()
	switch {
	case head == nil:
		return from, store.ErrClosed
	case l.last < before, l.cluster != s.cluster:
		s.giveUp()
		return from, ErrRestored
	case l.snapshot.Revision() > head.Revision():
		s.publish(l.snapshot, nil, true)
	}
	return l.revision + 1, nil
}
