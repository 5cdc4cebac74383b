package kms

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// usageLog remembers the last use of keys. It is written with every use, so it is kept in
// memory, and taken to the store from time to time: at most once in [usageInterval], and
// when the service is closed. A process that dies loses what was not taken there.
//
// Nothing is lost if the store refuses it: it is tried again with the next uses.
type usageLog struct {
	shards [16]usageShard

	flushed  atomic.Int64 // when a flush last began, in nanoseconds since 1970
	flushing sync.Mutex   // held by who flushes
	closed   bool         // guarded by flushing
}

// usageInterval is the time between two flushes.
const usageInterval = time.Minute

// usageBatch is how many records one update of the store writes, each with a look at its
// key: every store takes 100 keys.
const usageBatch = 45

// usageShard holds the last uses of some of the keys.
type usageShard struct {
	mu   sync.Mutex
	uses map[string]*use // by the key's ARN; guarded by mu
}

// use is the last use of a key. stored is set when the store has it, and the next flush
// lets go of it then: a request whose snapshot is older than the record still finds it
// here.
type use struct {
	keyrecord.Usage
	name   string // of the record
	stored bool
}

// countedOperations are those that use keys for cryptography.
var countedOperations = func() map[string]bool {
	all := map[string]bool{}
	for _, o := range types.KeyLastUsageTrackingOperation("").Values() {
		all[string(o)] = true
	}
	return all
}()

func (l *usageLog) shard(arn string) *usageShard {
	n := len(arn) // it ends with a key id
	return &l.shards[(arn[n-1]+7*arn[n-2])%byte(len(l.shards))]
}

// noteUsage notes that the request, which has succeeded, has used its targets' keys.
func (r *request) noteUsage() {
	if len(r.targets) == 0 || !countedOperations[r.op.operationName()] {
		return
	}
	for i := range r.targets {
		if k := r.targets[i].key; k != nil {
			r.service.usage.note(k, keyrecord.Usage{Operation: r.op.operationName(), Time: r.now, RequestID: r.id, EventID: r.event.ID})
		}
	}
	r.service.flushUsage(r.now)
}

// note notes one use, unless a later one is known.
func (l *usageLog) note(k *keyrecord.Key, u keyrecord.Usage) {
	arn := k.ARN()
	s := l.shard(arn)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.uses[arn]
	switch {
	case e == nil:
		if s.uses == nil {
			s.uses = map[string]*use{}
		}
		s.uses[arn] = &use{Usage: u, name: keyrecord.UsageName(k.Account, k.Region, k.ID)}
	case !u.Time.Before(e.Time):
		e.Usage, e.stored = u, false
	}
}

// recent returns the last use of a key that is in memory, or nil.
func (l *usageLog) recent(arn string) *keyrecord.Usage {
	s := l.shard(arn)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.uses[arn]
	if e == nil {
		return nil
	}
	u := e.Usage
	return &u
}

// flushUsage has what is new taken to the store if it is time. The request does not wait.
func (s *Service) flushUsage(now time.Time) {
	l := &s.usage
	last := l.flushed.Load()
	if since := now.UnixNano() - last; since >= 0 && since < int64(usageInterval) || !l.flushed.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	go func() {
		if l.flushing.TryLock() {
			defer l.flushing.Unlock()
			if !l.closed {
				_ = l.flush(s.store)
			}
		}
	}()
}

// close takes what is new to the store, for the last time.
func (l *usageLog) close(s store.Store) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return l.flush(s)
}

// flushTimeout bounds a flush: nobody waits for it but who closes the service.
const flushTimeout = 30 * time.Second

// flush takes what is new to the store. The caller holds flushing.
func (l *usageLog) flush(s store.Store) error {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	var failures []error
	for batch := range slices.Chunk(l.unstored(), usageBatch) {
		if err := storeUsage(ctx, s, batch); err != nil {
			failures = append(failures, err)
			continue
		}
		l.setStored(batch)
	}
	return errors.Join(failures...)
}

// newUse is a use that the store does not have, and its key.
type newUse struct {
	arn, name string
	keyrecord.Usage
}

// unstored returns what the store does not have, and lets go of the rest.
func (l *usageLog) unstored() (all []newUse) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for arn, e := range s.uses {
			if e.stored {
				delete(s.uses, arn)
				continue
			}
			all = append(all, newUse{arn, e.name, e.Usage})
		}
		s.mu.Unlock()
	}
	return all
}

// setStored notes that the store has the uses, as far as there are no later ones.
func (l *usageLog) setStored(batch []newUse) {
	for i := range batch {
		s := l.shard(batch[i].arn)
		s.mu.Lock()
		if e := s.uses[batch[i].arn]; e != nil && e.RequestID == batch[i].RequestID {
			e.stored = true
		}
		s.mu.Unlock()
	}
}

// storeUsage writes a batch of uses. Another service on the same store may have stored
// later ones, or deleted the key.
func storeUsage(ctx context.Context, s store.Store, batch []newUse) error {
	return s.Update(ctx, func(tx store.Tx) error {
		for i := range batch {
			u := &batch[i]
			n := keyrecord.ParseName(u.name)
			key, err := tx.Version(keyrecord.KeyName(n.Account, n.Region, n.KeyID))
			if err != nil {
				return err
			}
			if key == 0 {
				continue
			}
			b, err := tx.Get(u.name)
			switch {
			case errors.Is(err, store.ErrNotFound):
			case err != nil:
				return err
			default:
				if old, err := keyrecord.UnmarshalUsage(b); err == nil && old.Time.After(u.Time) {
					continue
				}
			}
			if b, err = u.Marshal(); err != nil {
				return err
			}
			if err := tx.Put(u.name, b); err != nil {
				return err
			}
		}
		return nil
	})
}
