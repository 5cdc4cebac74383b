package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/store"
)

const (
	maxSlots = 64  // transactions of one store at a time
	leaseTTL = 600 // seconds after which the slots of a store that is gone go too
)

// slot is a key in the cluster that one transaction at a time uses. The transaction
// compares that the slot was last written at revision and writes its id there.
type slot struct {
	key      string
	revision int64 // greater than 0, so none that the slot has had can come again; 0 once it is deleted
	lease    clientv3.LeaseID
}

// slots is a store's slots. They belong to a lease, so that they go with the store. A
// lease that is lost costs one attempt: the slots are gone, and others take their place.
type slots struct {
	s      *Store
	tokens chan struct{} // one for each slot that is taken
	leases clientv3.Lease

	granting sync.Mutex // held while a lease is asked for
	wg       sync.WaitGroup

	mu     sync.Mutex
	closed bool
	free   []*slot
	made   int
	lease  clientv3.LeaseID   // 0 if there is none
	stop   context.CancelFunc // ends the keeping alive of lease
}

func newSlots(s *Store) *slots {
	return &slots{s: s, tokens: make(chan struct{}, maxSlots), leases: clientv3.NewLease(s.client)}
}

// take returns a slot that nobody uses, waiting for one if need be. The caller returns
// it with put or drop. The error matches [ErrUnavailable], [ErrRefused], [ErrFull] or
// ctx's.
func (p *slots) take(ctx context.Context) (*slot, error) {
	select {
	case p.tokens <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		t := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return t, nil
	}
	p.mu.Unlock()
	t, err := p.add(ctx)
	if err != nil {
		<-p.tokens
	}
	return t, err
}

// add makes a slot.
func (p *slots) add(ctx context.Context) (*slot, error) {
	bounded, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), p.s.timeout/triesPerTimeout)
	defer cancel()
	lease, err := p.grant(bounded)
	if err != nil {
		return nil, during(ctx, failure(err))
	}
	p.mu.Lock()
	p.made++
	key := p.s.keys.slots + strconv.Itoa(p.made)
	p.mu.Unlock()
	r, err := p.s.client.Put(bounded, key, "", clientv3.WithLease(lease))
	if err != nil {
		if errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseNotFound) {
			p.lose(lease)
		}
		return nil, during(ctx, failure(err))
	}
	return &slot{key: key, revision: r.Header.Revision, lease: lease}, nil
}

// grant returns the lease, a new one if there is none.
func (p *slots) grant(ctx context.Context) (clientv3.LeaseID, error) {
	p.granting.Lock()
	defer p.granting.Unlock()
	p.mu.Lock()
	lease := p.lease
	p.mu.Unlock()
	if lease != 0 {
		return lease, nil
	}
	granted, err := p.leases.Grant(ctx, leaseTTL)
	if err != nil {
		return 0, err
	}
	keep, stop := context.WithCancel(context.Background())
	alive, err := p.leases.KeepAlive(keep, granted.ID)
	if err != nil {
		stop()
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		stop()
		return 0, store.ErrClosed
	}
	p.lease, p.stop = granted.ID, stop
	p.wg.Go(func() { // ends with keep, or when the lease is gone
		for range alive {
		}
		p.lose(granted.ID)
	})
	return p.lease, nil
}

// lose forgets the lease and the slots that belong to it.
func (p *slots) lose(lease clientv3.LeaseID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lease == lease {
		p.stop()
		p.lease, p.free = 0, nil
	}
}

// put gives back a slot whose revision is known, to be used again if it is still there.
func (p *slots) put(t *slot) {
	p.mu.Lock()
	if t.lease == p.lease && t.revision != 0 {
		p.free = append(p.free, t)
	}
	p.mu.Unlock()
	<-p.tokens
}

// drop gives back a slot that is not to be used again.
func (p *slots) drop() { <-p.tokens }

// close gives up the lease, and so the slots, if the cluster answers soon.
func (p *slots) close() {
	p.mu.Lock()
	p.closed = true
	lease := p.lease
	p.mu.Unlock()
	if lease != 0 {
		ctx, cancel := context.WithTimeout(context.Background(), min(p.s.timeout, time.Second))
		defer cancel()
		_, _ = p.leases.Revoke(ctx, lease)
		p.lose(lease)
	}
	_ = p.leases.Close()
	p.wg.Wait()
}

// resolve finds out what became of a transaction with the given id whose answer was
// lost, so that it stays so: it returns the revision at which it was committed, or 0 if
// it was not and cannot be any more. The slot's revision is known then. The error
// matches [ErrInDoubt]. Of ctx, only the values count.
func (s *Store) resolve(ctx context.Context, t *slot, id string) (int64, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(context.WithoutCancel(ctx)), s.timeout)
	defer cancel()
	fenceID := newID()
	fence := clientv3.OpPut(t.key, fenceID, clientv3.WithIgnoreLease())
	for failed := 0; ; failed++ {
		try, cancel := context.WithTimeout(ctx, s.timeout/triesPerTimeout)
		r, err := s.client.Txn(try).
			If(clientv3.Compare(clientv3.ModRevision(t.key), "=", t.revision)).
			Then(fence).Else(clientv3.OpGet(t.key)).Commit()
		cancel()
		if err != nil {
			if errors.Is(rpctypes.Error(err), rpctypes.ErrNoSpace) {
				fence = clientv3.OpDelete(t.key) // takes no space
			}
			if pause(ctx, failed) != nil {
				return 0, fmt.Errorf("%w: %v", ErrInDoubt, err)
			}
			continue
		}
		if r.Succeeded {
			if t.revision = r.Header.Revision; fence.IsDelete() {
				t.revision = 0
			}
			return 0, nil
		}
		kv := found(r, 0)
		if kv == nil { // the lease has ended, or an answer to a deletion was lost, too
			return 0, fmt.Errorf("%w: its slot is gone", ErrInDoubt)
		}
		t.revision = kv.ModRevision
		switch string(kv.Value) {
		case id:
			return kv.ModRevision, nil
		case fenceID:
			return 0, nil
		}
		return 0, fmt.Errorf("%w: its slot was written by another", ErrInDoubt)
	}
}

// found returns the key that the nth operation of a transaction has read, nil if it is
// not there.
func found(r *clientv3.TxnResponse, n int) *mvccpb.KeyValue {
	kvs := r.Responses[n].GetResponseRange().Kvs
	if len(kvs) == 0 {
		return nil
	}
	return kvs[0]
}
