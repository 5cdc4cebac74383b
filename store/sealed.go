package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sealring/sealring/keyring"
)

var (
	// ErrRootKey is returned by [Seal], and by a [Sealed] store that another process has
	// rekeyed, when the root keyring does not open the store: it is another key, it
	// cannot be reached, or what it has wrapped was altered. The keyring's own error is
	// wrapped too.
	ErrRootKey = errors.New("store: the root key does not open the store")

	// ErrNotSealed is returned by [Seal] for a store that holds records and was never
	// sealed, or whose head was deleted, and by a [Sealed] store whose head is gone.
	ErrNotSealed = errors.New("store: not sealed")

	// ErrReservedKey is returned by the transactions of a [Sealed] store for keys that
	// begin with [Reserved], where the store keeps its head and its tally.
	ErrReservedKey = errors.New("store: key is reserved")

	// ErrRollback is matched by errors about a sealed store whose records are not those
	// that were written last: older ones were put back, or some deleted or added.
	ErrRollback = errors.New("store: records were put back, deleted or added")
)

// Sealed is a [Store] that keeps nothing but ciphertext in another one.
//
// A value is encrypted and authenticated together with its key, the store's id and
// the revision at which it was written. A value that was altered, cut, or moved to
// another key or another store gives an error that matches [ErrDamaged] and names
// the key. The inner store shows the keys, the length of each value and when it was
// written.
//
// A tally of all records is kept beside them, unless [SealOptions.AllowRollback] was set
// when the store was created. With it [Seal] and [Sealed.Verify] notice records that
// were deleted, added, exchanged or replaced by older versions of themselves. While the
// store is open, a record that is replaced by an older version is read as if it were
// the newest; the tally does not match any more from then on. A record that is taken away and
// put back is missing in between, and if it was deleted or set and deleted meanwhile, it is
// there again: the tally tells what was written, not what was looked for. A head from before
// the last [Sealed.Rekey] gives an error that matches [ErrRollback]. If the whole store is
// put back as it once was, only [SealOptions.AtLeast] can tell.
//
// Many Sealed stores may share one inner store. Each notices at its next transaction
// when another one has changed the head, see [Sealed.Rekey].
//
// A value takes [SealOverhead] bytes more than it holds, and these count towards
// [MaxBytes]: an Update that writes n keys has MaxBytes − n·SealOverhead bytes for
// keys and values. MaxKeys and MaxKey are those of any store, and keys that begin with
// [Reserved] are not to be had.
type Sealed struct {
	inner   Store
	id      string
	salvage bool
	keys    atomic.Pointer[sealKeys]

	unlocking chan struct{}     // holds a token while a root is used
	roots     []keyring.Keyring // guarded by unlocking; the first is the newest
	rekeying  chan struct{}     // holds a token while Rekey runs

	mu       sync.RWMutex // held to read while a sealer is used
	closed   bool
	unlocked []*sealer // all that Close has to wipe
}

var _ Store = (*Sealed)(nil)

// SealOptions changes how [Seal] opens a store. nil and the zero value are the safest.
type SealOptions struct {
	// AllowRollback makes a new store that keeps no tally, and does not notice when its
	// owner puts older records back or deletes some. Every update of a store writes its
	// tally: where many engines write to one store at once, keeping it would make them
	// wait for each other. A store that exists stays as it was made.
	AllowRollback bool

	// AtLeast is the [Report.Revision] that Verify once gave for this store. An older
	// state of it is refused with ErrRollback, as is an empty store. 0 accepts any. It
	// cannot be used for a store without a tally: nothing vouches for its revision.
	AtLeast uint64

	// Salvage opens a store that has been tampered with, to read what is left of it: the
	// tally is not compared and AtLeast is ignored. Update gives ErrReadOnly. A Scan
	// yields the error of a damaged record together with an entry that has its key and
	// no value, and goes on after it if its loop does. There is nothing to salvage in an
	// empty store: it gives ErrNotSealed.
	Salvage bool
}

// Seal opens inner as a sealed store. If inner is empty, root makes a sealing key
// and wraps it for this store, and Seal writes a head that holds the result; openers
// that race agree on one. If inner has a head, root must be able to decrypt it, and if
// there is a tally, Seal goes through all records to compare it. root is kept, to read
// the head again when another process has changed it; no transaction is open while it
// is used.
//
// The errors are [ErrRootKey], [ErrNotSealed], [ErrDamaged], [ErrRollback], and those of
// root and inner; nothing has been written then, unless the commit of a new head is in
// doubt. The result owns inner and closes it; after an error the caller still does.
func Seal(ctx context.Context, inner Store, root keyring.Keyring, o *SealOptions) (*Sealed, error) {
	if o == nil {
		o = &SealOptions{}
	}
	s := &Sealed{
		inner: inner, salvage: o.Salvage, roots: []keyring.Keyring{root},
		unlocking: make(chan struct{}, 1), rekeying: make(chan struct{}, 1),
	}
	if err := s.unseal(ctx, o); err != nil {
		s.wipe()
		return nil, err
	}
	return s, nil
}

// unseal gets the keys, of a new head if there is none, and compares the tally.
func (s *Sealed) unseal(ctx context.Context, o *SealOptions) error {
	stored, err := s.readHead(ctx)
	if err != nil {
		return err
	}
	if stored.head == nil && !o.Salvage {
		if o.AtLeast > 0 {
			return fmt.Errorf("%w: the store is empty instead of at revision %d", ErrRollback, o.AtLeast)
		}
		if err := s.create(ctx, !o.AllowRollback); err != nil {
			return err
		}
		if stored, err = s.readHead(ctx); err != nil {
			return err
		}
	}
	k, err := s.unlock(ctx, stored)
	if err != nil {
		return err
	}
	s.id = hex.EncodeToString(k.id[:])
	s.keys.Store(k)
	if o.Salvage {
		return nil
	}
	return s.admit(ctx, o.AtLeast)
}

// View implements [Store].
func (s *Sealed) View(ctx context.Context, fn func(Tx) error) error {
	return s.fresh(ctx, func(k *sealKeys) error {
		return s.inner.View(ctx, func(tx Tx) error {
			if err := k.check(tx); err != nil {
				return err
			}
			return fn(&sealedTx{k, tx})
		})
	})
}

// Update implements [Store]. In a store with a tally, an update of a record that does
// not look like one gives an error that matches [ErrDamaged].
func (s *Sealed) Update(ctx context.Context, fn func(Tx) error) error {
	return s.update(ctx, func(tx *sealedUpdate) error { return fn(tx) })
}

func (s *Sealed) update(ctx context.Context, fn func(tx *sealedUpdate) error) error {
	if s.salvage {
		return ErrReadOnly
	}
	return s.fresh(ctx, func(k *sealKeys) error {
		return s.inner.Update(ctx, func(tx Tx) error {
			if err := k.check(tx); err != nil {
				return err
			}
			u := &sealedUpdate{sealedTx: sealedTx{k, tx}, teller: teller{keys: k}}
			if err := fn(u); err != nil {
				return err
			}
			return u.finish()
		})
	})
}

// Watch implements [Store]. A change whose value cannot be authenticated ends it
// with an error that matches [ErrDamaged]. A change from before the store was rekeyed,
// whose key there is no more, ends it with [ErrCompacted]. Rekey shows as changes that
// set records to what they were.
func (s *Sealed) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for c, err := range s.inner.Watch(ctx, prefix, after) {
			if err == nil && reserved(c.Key) {
				continue
			}
			if err == nil && !c.Deleted {
				c.Value, err = s.openChange(ctx, c)
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// openChange returns the value that c sets. It may be of an epoch that is newer than
// the keys: nothing else may have been asked of the store since.
func (s *Sealed) openChange(ctx context.Context, c Change) ([]byte, error) {
	mark, ok := parseMark(c.Value)
	k := s.keys.Load()
	if ok && mark.epoch > k.newest().epoch {
		if err := s.refresh(ctx, k); err != nil {
			return nil, err
		}
		k = s.keys.Load()
	}
	if ok && mark.epoch < k.sealers[0].epoch {
		return nil, ErrCompacted
	}
	return k.open(c.Key, c.Value)
}

// Close closes the inner store and wipes the sealing keys. Transactions that are
// still running get [ErrClosed].
func (s *Sealed) Close() error {
	err := s.inner.Close()
	s.wipe()
	return err
}

func (s *Sealed) wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	wipe(s.unlocked)
	s.closed, s.unlocked = true, nil
}

// Format prints the store's id, whatever the verb.
func (s *Sealed) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "store.Sealed{%s}", s.id) }

// sealedTx decrypts what tx reads, in a View.
type sealedTx struct {
	keys *sealKeys
	tx   Tx
}

func (t *sealedTx) Get(key string) ([]byte, error) {
	if reserved(key) {
		return nil, ErrReservedKey
	}
	record, err := t.tx.Get(key)
	if err != nil {
		return nil, err
	}
	return t.keys.open(key, record)
}

// Put and Delete have the inner transaction, which is one of a View, refuse.
func (t *sealedTx) Put(key string, _ []byte) error { return t.tx.Put(key, nil) }
func (t *sealedTx) Delete(key string) error        { return t.tx.Delete(key) }

// reservedEnd is no less than any reserved key.
var reservedEnd = Reserved + strings.Repeat("\xff", MaxKey-len(Reserved))

func (t *sealedTx) Scan(prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range t.tx.Scan(prefix, max(after, reservedEnd)) {
			if err == nil {
				e.Value, err = t.keys.open(e.Key, e.Value)
			}
			switch {
			case err == nil:
				if !yield(e, nil) {
					return
				}
			case t.keys.store.salvage && errors.Is(err, ErrDamaged):
				if !yield(Entry{Key: e.Key}, err) {
					return
				}
			default:
				yield(Entry{}, err)
				return
			}
		}
	}
}

func (t *sealedTx) Version(key string) (uint64, error) {
	if reserved(key) {
		return 0, ErrReservedKey
	}
	return t.tx.Version(key)
}

func (t *sealedTx) Revision() uint64 { return t.tx.Revision() }

// sealedUpdate is the transaction of an Update: it also encrypts what is written, and
// keeps the tally.
type sealedUpdate struct {
	sealedTx
	teller teller
	change tally // what the writes so far do to the tally
}

func (t *sealedUpdate) Put(key string, value []byte) error {
	if reserved(key) {
		return ErrReservedKey
	}
	record, err := t.keys.seal(key, t.tx.Revision(), value)
	if err != nil {
		return err
	}
	return t.replace(key, record, func() error { return t.tx.Put(key, record) })
}

func (t *sealedUpdate) Delete(key string) error {
	if reserved(key) {
		return ErrReservedKey
	}
	return t.replace(key, nil, func() error { return t.tx.Delete(key) })
}

// replace has write put a record in the place of what is there, or of nothing if record
// is nil.
func (t *sealedUpdate) replace(key string, record []byte, write func() error) error {
	if !t.keys.tallied {
		return write()
	}
	var change tally
	switch old, err := t.tx.Get(key); {
	case err == nil:
		if err := t.teller.add(&change, key, old, true); err != nil {
			return err
		}
	case !errors.Is(err, ErrNotFound):
		return err
	}
	if err := write(); err != nil {
		return err
	}
	if record != nil {
		if err := t.teller.add(&change, key, record, false); err != nil {
			return err
		}
	}
	t.change.apply(change)
	return nil
}

// finish writes the tally.
func (t *sealedUpdate) finish() error {
	if t.change.empty() {
		return nil
	}
	all, _, err := t.keys.loadTally(t.tx)
	if err != nil {
		return err
	}
	all.apply(t.change)
	return t.keys.saveTally(t.tx, all)
}
