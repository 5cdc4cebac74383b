package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/sealring/sealring/keyring"
)

var (
	// ErrRootKey is returned by [Seal] when the root keyring does not open the
	// store: it is another key, it cannot be reached, or what it has wrapped was
	// altered. The keyring's own error is wrapped too.
	ErrRootKey = errors.New("store: the root key does not open the store")

	// ErrNotSealed is returned by [Seal] for a store that holds records and was
	// never sealed, or whose head was deleted.
	ErrNotSealed = errors.New("store: not empty and not sealed")

	// ErrReservedKey is returned by the transactions of a [Sealed] store for the
	// key "\x00", where the store keeps its head.
	ErrReservedKey = errors.New("store: key is reserved")
)

// Sealed is a [Store] that keeps nothing but ciphertext in another one.
//
// A value is encrypted and authenticated together with its key, the store's id and
// the revision at which it was written. A value that was altered, cut, or moved to
// another key or another store gives an error that matches [ErrDamaged] and names
// the key. The inner store shows the keys, the length of each value and when it was
// written, and its owner can delete records and put back older ones under their
// own keys: neither is detected here.
//
// A value takes [SealOverhead] bytes more than it holds, and these count towards
// [MaxBytes]: an Update that writes n keys has MaxBytes − n·SealOverhead bytes for
// keys and values. MaxKeys and MaxKey are those of any store, and the key "\x00" is
// reserved.
type Sealed struct {
	inner Store
	id    string

	mu     sync.RWMutex // held to read while the sealer is used
	sealer *sealer      // nil after Close
}

var _ Store = (*Sealed)(nil)

// SealOptions changes how [Seal] opens a store. nil and the zero value are the safest.
type SealOptions struct {
	// AllowRollback makes a new store that does not notice when its owner puts older
	// records back or deletes some. Where many engines write to one store at once,
	// keeping count would make them wait for each other.
	AllowRollback bool

	// Salvage opens a store that has been tampered with, to read what is left of it.
	Salvage bool
}

// Seal opens inner as a sealed store. If inner is empty, root makes a sealing key
// and wraps it for this store, and Seal writes a head that holds the result; openers
// that race agree on one. If inner has a head, root must be able to decrypt it. root is not
// used after Seal returns, and no transaction is open while it is used.
//
// The errors are [ErrRootKey], [ErrNotSealed], [ErrDamaged], and those of root and
// inner; nothing has been written then, unless the commit of a new head is in
// doubt. The result owns inner and closes it; after an error the caller still does.
func Seal(ctx context.Context, inner Store, root keyring.Keyring, o *SealOptions) (*Sealed, error) {
	var stored []byte
	err := inner.View(ctx, func(tx Tx) (err error) {
		stored, err = loadHead(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if stored == nil {
		if stored, err = createHead(ctx, inner, root); err != nil {
			return nil, err
		}
	}
	head, err := parseHead(stored)
	if err != nil {
		return nil, err
	}
	s, err := head.unseal(ctx, root)
	if err != nil {
		return nil, err
	}
	return &Sealed{inner: inner, id: hex.EncodeToString(s.id[:]), sealer: s}, nil
}

// createHead writes a new head to inner unless another opener was faster, and
// returns the bytes of the head that is there.
func createHead(ctx context.Context, inner Store, root keyring.Keyring) ([]byte, error) {
	head, err := newHead(ctx, root)
	if err != nil {
		return nil, fmt.Errorf("store: wrapping the sealing key: %w", err)
	}
	// A root that cannot decrypt what it encrypts would lose the store.
	s, err := head.unseal(ctx, root)
	if err != nil {
		return nil, err
	}
	clear(s.prk)
	encoded, err := head.encode()
	if err != nil {
		return nil, err
	}
	var stored []byte
	err = inner.Update(ctx, func(tx Tx) (err error) {
		if stored, err = loadHead(tx); err != nil || stored != nil {
			return err
		}
		stored = bytes.Clone(encoded)
		return tx.Put(headKey, encoded)
	})
	return stored, err
}

// View implements [Store].
func (s *Sealed) View(ctx context.Context, fn func(Tx) error) error {
	return s.inner.View(ctx, func(tx Tx) error { return fn(&sealedTx{s, tx}) })
}

// Update implements [Store].
func (s *Sealed) Update(ctx context.Context, fn func(Tx) error) error {
	return s.inner.Update(ctx, func(tx Tx) error { return fn(&sealedTx{s, tx}) })
}

// Watch implements [Store]. A change whose value cannot be authenticated ends it
// with an error that matches [ErrDamaged].
func (s *Sealed) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for c, err := range s.inner.Watch(ctx, prefix, after) {
			if err == nil && c.Key == headKey {
				continue
			}
			if err == nil && !c.Deleted {
				c.Value, err = s.open(c.Key, c.Value)
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

// Close closes the inner store and wipes the sealing key. Transactions that are
// still running get [ErrClosed].
func (s *Sealed) Close() error {
	err := s.inner.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealer != nil {
		clear(s.sealer.prk)
		s.sealer = nil
	}
	return err
}

// Format prints the store's id, whatever the verb.
func (s *Sealed) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "store.Sealed{%s}", s.id) }

func (s *Sealed) seal(key string, revision uint64, value []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.sealer == nil {
		return nil, ErrClosed
	}
	return s.sealer.seal(key, revision, value)
}

func (s *Sealed) open(key string, record []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.sealer == nil {
		return nil, ErrClosed
	}
	return s.sealer.open(key, record)
}

// sealedTx decrypts what tx reads and encrypts what it writes.
type sealedTx struct {
	s  *Sealed
	tx Tx
}

func (t *sealedTx) Get(key string) ([]byte, error) {
	if key == headKey {
		return nil, ErrReservedKey
	}
	record, err := t.tx.Get(key)
	if err != nil {
		return nil, err
	}
	return t.s.open(key, record)
}

func (t *sealedTx) Put(key string, value []byte) error {
	if key == headKey {
		return ErrReservedKey
	}
	record, err := t.s.seal(key, t.tx.Revision(), value)
	if err != nil {
		return err
	}
	return t.tx.Put(key, record)
}

func (t *sealedTx) Delete(key string) error {
	if key == headKey {
		return ErrReservedKey
	}
	return t.tx.Delete(key)
}

func (t *sealedTx) Scan(prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range t.tx.Scan(prefix, max(after, headKey)) {
			if err == nil {
				e.Value, err = t.s.open(e.Key, e.Value)
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (t *sealedTx) Version(key string) (uint64, error) {
	if key == headKey {
		return 0, ErrReservedKey
	}
	return t.tx.Version(key)
}

func (t *sealedTx) Revision() uint64 { return t.tx.Revision() }
