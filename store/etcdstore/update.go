package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/store"
)

const (
	maxTries    = 16  // of one update
	maxCompares = 128 // of one transaction, by etcd's default

	firstBackoff = 2 * time.Millisecond // doubled with each try and taken at random
	maxBackoff   = 250 * time.Millisecond
	draftBackoff = 3 // the try whose pause an update makes that has lost to others for good
)

// Update implements [store.Store]. It runs fn up to 16 times, the first time on a state
// that is as recent as a View's, so an error of fn's own rests on no older one. Nothing
// is written if ctx is done when fn returns. After that the outcome counts: if ctx ends
// while the answer is awaited, Update finds out what became of the transaction, which
// may take up to [Options].Timeout longer, and returns nil if it was committed. A View
// that begins after Update has returned sees what it wrote.
//
// Besides those of [store.Store] the errors match [ErrStale], [ErrUnavailable],
// [ErrRefused], [ErrFull] and [ErrRestored], and nothing was written then, or
// [ErrInDoubt].
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.fresh(ctx); err != nil {
		return err
	}
	began := s.now()
	last := store.ErrConflict // why the newest try has failed
	for try := range maxTries {
		if try == 1 {
			leave, err := s.queue(ctx)
			if err != nil {
				return err
			}
			defer leave()
		}
		base := s.head.Load()
		if base == nil {
			return store.ErrClosed
		}
		a, err := base.Try(fn)
		if errors.Is(err, store.ErrConflict) {
			base, a, err = s.tryAgain(ctx, began, fn)
		}
		if err != nil || len(a.Changes) == 0 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		committed, again, err := s.commit(ctx, base, a)
		if committed || !again {
			return err
		}
		if last = err; last == nil {
			last = store.ErrConflict
		} else if s.now()-began > s.timeout {
			break
		}
		if err := backOff(ctx, try); err != nil {
			return err
		}
	}
	return last
}

// tryAgain tries fn, which has found a conflict, such as a draft's, in base, on the state
// of the time when the update began: base may be older and hold half of what another
// process did. It returns that state and the attempt. If the conflict is there too it
// pauses, because the caller will begin anew.
func (s *Store) tryAgain(ctx context.Context, began time.Duration, fn func(store.Tx) error) (*store.Snapshot, *store.Attempt, error) {
	head, err := s.freshAt(ctx, began)
	if err != nil {
		return nil, nil, err
	}
	a, err := head.Try(fn)
	if errors.Is(err, store.ErrConflict) {
		_ = backOff(ctx, draftBackoff)
	}
	return head, a, err
}

// queue lets the updates of this store that have lost once try one after another: they
// would only beat each other again.
func (s *Store) queue(ctx context.Context) (leave func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ctx.Done():
		return nil, store.ErrClosed
	}
}

// backOff waits before another try, not before the first one.
func backOff(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(rand.N(min(firstBackoff<<min(try, 8), maxBackoff)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit has the cluster carry out the attempt, if what it rests on still holds. If not,
// again is true, and the head has reached the state that has changed. again with an error
// means that the cluster has not carried it out for another reason, which may pass.
func (s *Store) commit(ctx context.Context, base *store.Snapshot, a *store.Attempt) (committed, again bool, err error) {
	t, err := s.slots.take(ctx)
	if err != nil {
		return false, errors.Is(err, ErrUnavailable), s.orClosed(err)
	}
	id, started := newID(), s.now()
	r, err := s.send(ctx, t, id, base, a)
	var revision int64
	switch {
	case err == nil && r.Succeeded:
		revision = r.Header.Revision
		t.revision = revision
		s.slots.put(t)
	case err == nil:
		if revision = s.refused(r, t, id); revision == 0 {
			err := s.overtaken(ctx, started, r)
			return false, err == nil, err
		}
	case refusal(err) != nil:
		s.slots.put(t)
		err = refusal(err)
		return false, errors.Is(err, ErrUnavailable), during(ctx, err)
	default:
		var doubt error
		if revision, doubt = s.resolve(ctx, t, id); doubt != nil {
			s.slots.drop()
			return false, false, during(ctx, doubt)
		}
		s.slots.put(t)
		if revision == 0 {
			err = failure(err)
			return false, errors.Is(err, ErrUnavailable), during(ctx, err)
		}
	}
	s.settle(ctx, started, revision)
	return true, false, nil
}

// send sends the transaction and returns its answer.
func (s *Store) send(ctx context.Context, t *slot, id string, base *store.Snapshot, a *store.Attempt) (*clientv3.TxnResponse, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), s.timeout/triesPerTimeout)
	defer cancel()
	return s.client.Txn(ctx).If(s.compares(t, base, a)...).Then(s.writes(t, id, a)...).
		Else(clientv3.OpGet(s.keys.last), clientv3.OpGet(t.key)).Commit()
}

// compares returns what must hold for the attempt to be carried out.
func (s *Store) compares(t *slot, base *store.Snapshot, a *store.Attempt) []clientv3.Cmp {
	all := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(t.key), "=", t.revision)}
	for key, version := range a.Reads() {
		all = append(all, clientv3.Compare(clientv3.ModRevision(s.keys.data+key), "=", int64(version)))
	}
	// A key that was deleted from a range was among the reads. What was added or written
	// has a later revision than the base.
	for _, r := range union(a.Scans, maxCompares-len(all)) {
		from, to := s.keys.scanned(r)
		all = append(all, clientv3.Compare(clientv3.ModRevision(from).WithRange(to), "<", int64(base.Revision())+1))
	}
	return all
}

// writes returns what the attempt does. The order of the data is that of the changes, so
// the watch delivers them in that order.
func (s *Store) writes(t *slot, id string, a *store.Attempt) []clientv3.Op {
	ops := make([]clientv3.Op, 0, len(a.Changes)+2)
	for _, c := range a.Changes {
		if c.Deleted {
			ops = append(ops, clientv3.OpDelete(s.keys.data+c.Key))
		} else {
			ops = append(ops, clientv3.OpPut(s.keys.data+c.Key, string(c.Value)))
		}
	}
	return append(ops,
		clientv3.OpPut(s.keys.last, format+s.id),
		clientv3.OpPut(t.key, id, clientv3.WithIgnoreLease()))
}

// refused looks at the slot after a transaction whose conditions did not hold and gives
// it back. It returns the revision at which the transaction was committed after all, if
// it was sent twice and this is the second answer, else 0.
func (s *Store) refused(r *clientv3.TxnResponse, t *slot, id string) int64 {
	switch kv := found(r, 1); {
	case kv == nil: // the lease has ended, and all of its slots are gone
		s.slots.lose(t.lease)
		s.slots.drop()
	case string(kv.Value) == id:
		t.revision = kv.ModRevision
		s.slots.put(t)
		return kv.ModRevision
	case kv.ModRevision == t.revision:
		s.slots.put(t)
	default:
		s.slots.drop()
	}
	return 0
}

// overtaken waits for the head to hold what has overtaken a transaction that was sent
// after the time started.
func (s *Store) overtaken(ctx context.Context, started time.Duration, r *clientv3.TxnResponse) error {
	kv := found(r, 0)
	if kv == nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.arrive(bounded, uint64(kv.ModRevision))
	if err == nil {
		atLeast(&s.confirmed, int64(started))
		return nil
	}
	if errors.Is(err, ErrRestored) || errors.Is(err, store.ErrClosed) {
		return err
	}
	return during(ctx, fmt.Errorf("%w: %v", ErrStale, err))
}

// settle waits for the head to hold a transaction that was committed at revision. If
// that takes too long, later reads have to wait for it.
func (s *Store) settle(ctx context.Context, started time.Duration, revision int64) {
	atLeast(&s.newest, revision)
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if s.arrive(bounded, uint64(revision)) == nil {
		atLeast(&s.confirmed, int64(started)) // no later one was committed before it began
		return
	}
	for was := s.own.Load(); was < uint64(revision) && !s.own.CompareAndSwap(was, uint64(revision)); was = s.own.Load() {
	}
}

// orClosed returns err, or [store.ErrClosed] if the store is closed.
func (s *Store) orClosed(err error) error {
	if s.ctx.Err() != nil {
		return store.ErrClosed
	}
	return err
}
