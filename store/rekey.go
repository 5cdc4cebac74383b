package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sealring/sealring/keyring"
)

// What Rekey seals anew in one update: at most so many records, and so many bytes of
// them unless a single one is larger.
const (
	rekeyRecords = 64
	rekeyBytes   = 256 << 10
)

// Rekey gives the store a new sealing key, wrapped by root, and seals every record with
// it. Others can read and write meanwhile.
//
// First one update has root wrap the present sealing key and a new one: from then on
// root alone opens the store, and the root key from before may be lost. Then the records
// that the old sealing key has sealed are sealed anew, a few in each update. At last the
// old sealing key leaves the head. If Rekey fails anywhere, the same call takes it up
// where it ended, on this store or on one that [Seal] has opened; what an update that is
// in doubt has done is found out then. If root is another one than that of a Rekey that
// has not finished, the store is rekeyed twice.
//
// Other processes that have the store open read the new head at their next transaction,
// with the root that they were given: until they are started anew with root they fail
// with [ErrRootKey], unless theirs was a keyring that opens with both.
//
// A record that cannot be opened stays as it is. The others are sealed anew, the old
// sealing key remains, and the error names those records and matches [ErrDamaged].
//
// progress may be nil. It is called before the first update and after each one, by the
// goroutine that called Rekey, with the number of records that are done and the number
// of those to do.
func (s *Sealed) Rekey(ctx context.Context, root keyring.Keyring, progress func(done, total int)) error {
	if s.salvage {
		return ErrReadOnly
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	select {
	case s.rekeying <- struct{}{}:
		defer func() { <-s.rekeying }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, err := s.adopt(ctx, root); err != nil {
		return err
	}
	for begun := false; ; {
		head, stored, err := s.head(ctx)
		for err == nil && len(head.epochs) == 1 { // until this or another Rekey has begun
			if err = s.beginEpoch(ctx, root, head, stored); err == nil {
				begun = true
				head, stored, err = s.head(ctx)
			}
		}
		if err != nil {
			return err
		}
		if err := s.finishEpoch(ctx, head.newest(), progress); err != nil {
			return err
		}
		// What was finished may be the Rekey of another root.
		opens, err := s.adopt(ctx, root)
		switch {
		case err != nil || opens:
			return err
		case begun:
			return ErrRootKey
		}
	}
}

// adopt makes root the only one of the store's roots if it opens the head. If not, it
// becomes the first one, and the last is one that does.
func (s *Sealed) adopt(ctx context.Context, root keyring.Keyring) (opens bool, err error) {
	select {
	case s.unlocking <- struct{}{}:
		defer func() { <-s.unlocking }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	head, _, err := s.head(ctx)
	if err != nil {
		return false, err
	}
	for i, r := range append([]keyring.Keyring{root}, s.roots...) {
		sealers, e := head.unseal(ctx, r)
		wipe(sealers)
		switch {
		case e == nil && i == 0:
			s.roots = []keyring.Keyring{root}
			return true, nil
		case e == nil:
			s.roots = []keyring.Keyring{root, r}
			return false, nil
		case i == 1:
			err = e
		}
	}
	return false, err
}

// head returns the head that is stored, and its bytes.
func (s *Sealed) head(ctx context.Context) (*sealHead, []byte, error) {
	known := s.keys.Load() // before the head, which can only be newer
	stored, err := s.readHead(ctx)
	if err != nil {
		return nil, nil, err
	}
	if stored.head == nil {
		return nil, nil, ErrNotSealed
	}
	if err := known.admit(stored.head); err != nil {
		return nil, nil, err
	}
	head, err := parseHead(stored.head)
	return head, stored.head, err
}

// beginEpoch adds a sealing key to head, whose bytes are stored, and has root wrap
// both. It does nothing if another head is there by now.
func (s *Sealed) beginEpoch(ctx context.Context, root keyring.Keyring, head *sealHead, stored []byte) error {
	old := head.epochs[0]
	if old.epoch == math.MaxUint32 {
		return errors.New("store: there are no more epochs")
	}
	next := &sealHead{id: head.id, tallied: head.tallied}
	opener, err := s.opener(ctx)
	if err != nil {
		return err
	}
	err = head.unwrap(ctx, opener, old, func(sealingKey []byte, sealer *sealer) error {
		defer sealer.wipe()
		e, err := next.wrap(ctx, root, old.epoch, sealingKey)
		next.epochs = append(next.epochs, e)
		return err
	})
	if err != nil {
		return err
	}
	e, err := next.wrap(ctx, root, old.epoch+1, nil)
	if err != nil {
		return err
	}
	next.epochs = append(next.epochs, e)
	encoded, sealers, err := next.prove(ctx, root)
	if err != nil {
		return err
	}
	defer wipe(sealers)
	before, after := &sealKeys{store: s, sealers: sealers[:1]}, &sealKeys{store: s, sealers: sealers}
	return s.insist(ctx, func(tx Tx) error {
		if is, err := tx.Get(headKey); err != nil || !bytes.Equal(is, stored) {
			return err
		}
		if head.tallied {
			t, _, err := before.loadTally(tx)
			if err != nil {
				return err
			}
			t.of(e.epoch)
			if err := after.saveTally(tx, t); err != nil {
				return err
			}
		}
		return tx.Put(headKey, encoded)
	})
}

// opener returns the root that is known to open the head.
func (s *Sealed) opener(ctx context.Context) (keyring.Keyring, error) {
	select {
	case s.unlocking <- struct{}{}:
		defer func() { <-s.unlocking }()
		return s.roots[len(s.roots)-1], nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// insist runs an update of the inner store until no other writer is faster.
func (s *Sealed) insist(ctx context.Context, fn func(Tx) error) error {
	for {
		err := s.inner.Update(ctx, fn)
		if !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// finishEpoch seals every record that is not of the given epoch anew, and then takes the
// older sealing key out of the head.
func (s *Sealed) finishEpoch(ctx context.Context, epoch uint32, progress func(done, total int)) error {
	for first := true; ; first = false {
		total, err := s.countOld(ctx)
		if err != nil {
			return err
		}
		if first || total > 0 {
			progress(0, total)
		}
		if total == 0 {
			return s.dropEpoch(ctx, epoch)
		}
		r := &resealing{s: s, total: total, progress: progress}
		if err := r.run(ctx); err != nil {
			return err
		}
	}
}

// old reports whether a record has to be sealed anew. What is no record at all has to,
// and will be found out.
func (k *sealKeys) old(record []byte) bool {
	mark, ok := parseMark(record)
	return !ok || mark.epoch != k.newest().epoch
}

// countOld returns how many records there are to be sealed anew.
func (s *Sealed) countOld(ctx context.Context) (n int, err error) {
	err = s.view(ctx, func(k *sealKeys, tx Tx) error {
		n = 0
		for e, err := range tx.Scan("", reservedEnd) {
			if err != nil {
				return err
			}
			if k.old(e.Value) {
				n++
			}
		}
		return nil
	})
	return n, err
}

// resealing is one walk through the records.
type resealing struct {
	s           *Sealed
	done, total int
	progress    func(done, total int)
	damaged     []error
}

func (r *resealing) run(ctx context.Context) error {
	for after := ""; ; {
		batch, err := r.next(ctx, after)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return errors.Join(r.damaged...)
		}
		after = batch[len(batch)-1]
		for size := len(batch); len(batch) > 0; size = min(size, len(batch)) {
			err := r.reseal(ctx, batch[:size])
			if errors.Is(err, ErrConflict) && ctx.Err() == nil {
				size = max(1, size/2) // fewer records meet fewer writers
				continue
			} else if err != nil {
				return err
			}
			r.done += size
			r.progress(min(r.done, r.total), r.total)
			batch = batch[size:]
		}
	}
}

// next returns the keys of the next records to be sealed anew, in order.
func (r *resealing) next(ctx context.Context, after string) (batch []string, err error) {
	err = r.s.view(ctx, func(k *sealKeys, tx Tx) error {
		batch = nil
		size := 0
		for e, err := range tx.Scan("", max(after, reservedEnd)) {
			if err != nil {
				return err
			}
			if !k.old(e.Value) {
				continue
			}
			if size += len(e.Key) + len(e.Value); len(batch) > 0 && size > rekeyBytes {
				return nil
			}
			if batch = append(batch, e.Key); len(batch) == rekeyRecords {
				return nil
			}
		}
		return nil
	})
	return batch, err
}

// reseal seals the records with the given keys anew, in one update. Some may be gone by
// now, or others in their place.
func (r *resealing) reseal(ctx context.Context, batch []string) error {
	var broken []error
	err := r.s.update(ctx, func(tx *sealedUpdate) error {
		broken = nil
		for _, key := range batch {
			record, err := tx.tx.Get(key)
			if errors.Is(err, ErrNotFound) || err == nil && !tx.keys.old(record) {
				continue
			} else if err != nil {
				return err
			}
			value, err := tx.keys.open(key, record)
			if errors.Is(err, ErrDamaged) {
				broken = append(broken, err)
				continue
			} else if err != nil {
				return err
			}
			if err := tx.Put(key, value); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		r.damaged = append(r.damaged, broken...)
	}
	return err
}

// dropEpoch takes every epoch but the given one out of the head, and of the tally. No
// record is of any other: whoever still had the head without it would have had to
// commit before it came.
func (s *Sealed) dropEpoch(ctx context.Context, epoch uint32) error {
	return s.fresh(ctx, func(k *sealKeys) error {
		return s.insist(ctx, func(tx Tx) error {
			if err := k.check(tx); err != nil {
				return err
			}
			stored, err := tx.Get(headKey)
			if err != nil {
				return err
			}
			head, err := parseHead(stored)
			switch {
			case err != nil:
				return err
			case head.newest() != epoch:
				return errors.New("store: rekeyed by another process meanwhile")
			case len(head.epochs) == 1:
				return nil
			}
			head.epochs = head.epochs[1:]
			if k.tallied {
				if err := k.dropTally(tx, epoch); err != nil {
					return err
				}
			}
			encoded, err := head.encode()
			if err != nil {
				return err
			}
			return tx.Put(headKey, encoded)
		})
	})
}

// dropTally takes every epoch but the given one out of the tally, which must hold no
// records of them.
func (k *sealKeys) dropTally(tx Tx, epoch uint32) error {
	t, _, err := k.loadTally(tx)
	if err != nil {
		return err
	}
	present := *t.of(epoch)
	t = slices.DeleteFunc(t, func(e epochTally) bool { return e.epoch == epoch })
	if !t.empty() {
		return fmt.Errorf("%w: while the store was rekeyed", ErrRollback)
	}
	return k.saveTally(tx, tally{present})
}
