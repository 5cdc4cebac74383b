package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealring/sealring/keyring"
)

// sealKeys are the sealing keys of one head, and stand for what that head says. They
// are immutable, but for Close of the store, which wipes them.
type sealKeys struct {
	store   *Sealed
	id      [storeIDLen]byte
	tallied bool
	version uint64    // of the head
	sealers []*sealer // one for each epoch; the last is the newest
}

// errHeadChanged ends a transaction whose store has another head than its keys.
var errHeadChanged = errors.New("store: the head has changed")

// check returns errHeadChanged unless the head in tx is the one that k was made of. In
// an update it makes the head one of the keys that the commit rests on.
func (k *sealKeys) check(tx Tx) error {
	switch version, err := tx.Version(headKey); {
	case err != nil:
		return err
	case version != k.version:
		return errHeadChanged
	}
	return nil
}

// newest returns the sealer that writes.
func (k *sealKeys) newest() *sealer { return k.sealers[len(k.sealers)-1] }

// sealer returns the sealer of an epoch, or nil.
func (k *sealKeys) sealer(epoch uint32) *sealer {
	for _, s := range k.sealers {
		if s.epoch == epoch {
			return s
		}
	}
	return nil
}

func (k *sealKeys) seal(key string, revision uint64, value []byte) ([]byte, error) {
	k.store.mu.RLock()
	defer k.store.mu.RUnlock()
	if k.store.closed {
		return nil, ErrClosed
	}
	return k.newest().seal(key, revision, value)
}

func (k *sealKeys) open(key string, record []byte) ([]byte, error) {
	k.store.mu.RLock()
	defer k.store.mu.RUnlock()
	if k.store.closed {
		return nil, ErrClosed
	}
	mark, ok := parseMark(record)
	s := k.sealer(mark.epoch)
	if !ok || s == nil {
		return nil, damaged(key)
	}
	return s.open(key, record)
}

// fresh calls run with the store's keys, and again with newer ones for as long as its
// transaction finds that the head has changed.
func (s *Sealed) fresh(ctx context.Context, run func(k *sealKeys) error) error {
	for {
		k := s.keys.Load()
		err := run(k)
		if err == nil || !errors.Is(err, errHeadChanged) {
			return err
		}
		if err := s.refresh(ctx, k); err != nil {
			return err
		}
	}
}

// view runs fn on the records as they are stored.
func (s *Sealed) view(ctx context.Context, fn func(k *sealKeys, tx Tx) error) error {
	return s.fresh(ctx, func(k *sealKeys) error {
		return s.inner.View(ctx, func(tx Tx) error {
			if err := k.check(tx); err != nil {
				return err
			}
			return fn(k, tx)
		})
	})
}

// refresh replaces the keys, which are those given unless another goroutine was faster.
func (s *Sealed) refresh(ctx context.Context, old *sealKeys) error {
	select {
	case s.unlocking <- struct{}{}:
		defer func() { <-s.unlocking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.keys.Load() != old {
		return nil
	}
	stored, err := s.readHead(ctx)
	if err != nil {
		return err
	}
	if err := old.admit(stored.head); err != nil {
		return err
	}
	k, err := s.unlock(ctx, stored)
	if err != nil {
		return err
	}
	s.keys.Store(k)
	return nil
}

// admit returns nil unless the head cannot have come after the one that k was made of: it
// is another store's, or one from before the store was rekeyed, with a sealing key that is
// not to be used any more.
func (k *sealKeys) admit(stored []byte) error {
	if stored == nil {
		return nil // another has to say what that means
	}
	head, err := parseHead(stored)
	switch {
	case err != nil:
		return err
	case head.id != k.id || head.tallied != k.tallied:
		return damaged(headKey)
	case head.epochs[0].epoch < k.sealers[0].epoch || head.newest() < k.newest().epoch:
		return fmt.Errorf("%w: the head is one from before the store was rekeyed", ErrRollback)
	}
	return nil
}

// storedHead is a head as it is stored.
type storedHead struct {
	head    []byte // nil if the store is empty
	version uint64
	tally   []byte // the record beside it, nil if there is none
}

// readHead returns what one view shows.
func (s *Sealed) readHead(ctx context.Context) (stored storedHead, err error) {
	err = s.inner.View(ctx, func(tx Tx) (err error) {
		if stored.head, err = loadHead(tx); err != nil || stored.head == nil {
			return err
		}
		if stored.version, err = tx.Version(headKey); err != nil {
			return err
		}
		if stored.tally, err = tx.Get(tallyKey); errors.Is(err, ErrNotFound) {
			stored.tally, err = nil, nil
		}
		return err
	})
	return stored, err
}

// unlock has a root unwrap the keys of a head. The caller holds the token of unlocking,
// or is alone.
func (s *Sealed) unlock(ctx context.Context, stored storedHead) (*sealKeys, error) {
	if stored.head == nil {
		return nil, ErrNotSealed
	}
	head, err := parseHead(stored.head)
	if err != nil {
		return nil, err
	}
	sealers, err := head.unsealAny(ctx, s.roots)
	if err != nil {
		return nil, err
	}
	if err := s.keep(sealers); err != nil {
		return nil, err
	}
	k := &sealKeys{store: s, id: head.id, tallied: head.tallied, version: stored.version, sealers: sealers}
	if k.tallied && !s.salvage {
		_, _, err = k.openTally(stored.tally)
	}
	return k, err
}

// keep has Close wipe the sealers. It wipes them at once if Close was called.
func (s *Sealed) keep(sealers []*sealer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		wipe(sealers)
		return ErrClosed
	}
	s.unlocked = append(s.unlocked, sealers...)
	return nil
}

// unsealAny tries one root after the other, and gives the first one's error if none
// opens the head.
func (h *sealHead) unsealAny(ctx context.Context, roots []keyring.Keyring) (sealers []*sealer, err error) {
	for _, root := range roots {
		s, e := h.unseal(ctx, root)
		if e == nil {
			return s, nil
		}
		if err == nil {
			err = e
		}
	}
	return nil, err
}

// create writes the head of a new store, and its tally, unless another opener is
// faster.
func (s *Sealed) create(ctx context.Context, tallied bool) error {
	root := s.roots[0]
	head, err := newHead(ctx, root, tallied)
	if err != nil {
		return err
	}
	encoded, sealers, err := head.prove(ctx, root)
	if err != nil {
		return err
	}
	defer wipe(sealers)
	k := &sealKeys{store: s, sealers: sealers}
	return s.inner.Update(ctx, func(tx Tx) error {
		if stored, err := loadHead(tx); err != nil || stored != nil {
			return err
		}
		if err := tx.Put(headKey, encoded); err != nil || !tallied {
			return err
		}
		t := tally{}
		t.of(head.newest())
		return k.saveTally(tx, t)
	})
}

// prove encodes a head that is about to be written and has root open what was encoded: a
// root that cannot decrypt what it encrypts would lose the store.
func (h *sealHead) prove(ctx context.Context, root keyring.Keyring) ([]byte, []*sealer, error) {
	encoded, err := h.encode()
	if err != nil {
		return nil, nil, err
	}
	written, err := parseHead(encoded)
	if err != nil {
		return nil, nil, fmt.Errorf("store: a new head does not fit: %w", err)
	}
	sealers, err := written.unseal(ctx, root)
	return encoded, sealers, err
}
