package kms

import (
	"errors"
	"slices"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// ledger reads the records of keys for what looks at the store as a whole: [Check] and
// [Service.Sweep]. Both have to tell a record that belongs to a key from one that was left
// behind by an earlier one.
type ledger struct {
	get  func(name string) ([]byte, error)
	keys map[keyPlace]holder // those that were read last
}

// holder is what stands where a key is looked for.
type holder struct {
	key     *keyrecord.Key // nil if there is none that can be read
	deleted bool           // it was deleted, and not all that it had is gone yet
	damage  error          // there is one, which cannot be read
}

// lost reports whether nothing says what has become of the key.
func (h holder) lost() bool { return h.key == nil && !h.deleted && h.damage == nil }

// maxHolders bounds how many keys a ledger remembers.
const maxHolders = 1024

func newLedger(get func(string) ([]byte, error)) *ledger {
	return &ledger{get: get, keys: map[keyPlace]holder{}}
}

// at returns what stands in a place. The error is the store's.
func (l *ledger) at(p keyPlace) (holder, error) {
	if h, ok := l.keys[p]; ok {
		return h, nil
	}
	h, err := l.read(p)
	if err != nil {
		return holder{}, err
	}
	if len(l.keys) == maxHolders {
		clear(l.keys)
	}
	l.keys[p] = h
	return h, nil
}

func (l *ledger) read(p keyPlace) (h holder, err error) {
	there := false
	var failure error
	h.key, err = keyrecord.ReadKey(p.account, p.region, p.id, func(name string) ([]byte, error) {
		b, err := l.get(name)
		switch {
		case err == nil:
			there = true
		case !errors.Is(err, store.ErrNotFound):
			failure = err
		}
		return b, err
	})
	switch {
	case failure != nil:
		return holder{}, failure
	case err == nil:
		return h, nil
	case there:
		return holder{damage: err}, nil
	}
	_, err = l.get(keyrecord.DeletedName(p.account, p.region, p.id))
	if errors.Is(err, store.ErrNotFound) {
		return holder{}, nil
	}
	return holder{deleted: err == nil}, err
}

// left reports whether a record, which can be read, is one that nobody will look at again:
// its key is deleted, or it is that of an earlier key with the same id. Only a replica can
// be made again, with the id that it had.
func (h holder) left(record any) bool {
	k := h.key
	if k == nil {
		return h.deleted
	}
	if k.MultiRegion == nil {
		return false
	}
	switch record := record.(type) {
	case *keyrecord.Alias:
		_, listed := slices.BinarySearch(k.Aliases, record.Name)
		return !listed && !record.Updated.After(k.Created)
	case *keyrecord.Grant:
		return record.Created.Before(k.Created)
	case *keyrecord.Usage:
		return record.Time.Before(k.Created)
	case *keyrecord.Local:
		return k.LocalChanges == 0
	}
	return false
}
