package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Draft is a transaction that is decided on a snapshot and committed later, after
// something that must happen in between, such as writing an audit record. It
// remembers what was read and holds what is to be written; [Draft.Commit] writes
// only if every value read is still the same.
//
// A draft has the methods of [Tx] without Revision; Put and Delete cannot fail. They
// may be called only while the View of its snapshot runs. It is not safe for
// concurrent use.
type Draft struct {
	tx     Tx
	reads  map[string][]byte // nil value: the key was not there
	writes map[string][]byte // nil value: delete
}

// NewDraft returns an empty draft that reads through tx, the transaction of a View.
func NewDraft(tx Tx) *Draft {
	return &Draft{tx: tx, reads: map[string][]byte{}, writes: map[string][]byte{}}
}

// Format prints how much was read and written only, whatever the verb.
func (d *Draft) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "store.Draft{%d read, %d written}", len(d.reads), len(d.writes))
}

// Get returns the value of key in the snapshot as the draft's writes would leave
// it, or ErrNotFound.
func (d *Draft) Get(key string) ([]byte, error) {
	if v, ok := d.writes[key]; ok {
		return found(v)
	}
	if v, ok := d.reads[key]; ok {
		return found(v)
	}
	v, err := d.tx.Get(key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if err == nil && v == nil {
		v = []byte{}
	}
	d.reads[key] = v
	return found(v)
}

func found(v []byte) ([]byte, error) {
	if v == nil {
		return nil, ErrNotFound
	}
	return bytes.Clone(v), nil
}

// Put sets the value of key at commit.
func (d *Draft) Put(key string, value []byte) {
	d.writes[key] = append([]byte{}, value...)
}

// Delete removes key at commit.
func (d *Draft) Delete(key string) { d.writes[key] = nil }

// Scan yields entries of the snapshot as [Tx.Scan] does. It ignores the draft's
// writes, and Commit does not compare what it yielded: a decision that writes must
// rest on Get.
func (d *Draft) Scan(prefix, after string) iter.Seq2[Entry, error] { return d.tx.Scan(prefix, after) }

// Writes reports whether Commit has anything to write.
func (d *Draft) Writes() bool { return len(d.writes) > 0 }

// Commit writes the draft to s in one update. The error is [ErrConflict], and
// nothing is written, if a value that the draft has read is no longer the same. A
// draft without writes commits at once and compares nothing.
func (d *Draft) Commit(ctx context.Context, s Store) error {
	if !d.Writes() {
		return nil
	}
	return s.Update(ctx, func(tx Tx) error {
		for _, key := range slices.Sorted(maps.Keys(d.reads)) {
			was := d.reads[key]
			is, err := tx.Get(key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			if there := err == nil; there != (was != nil) || !bytes.Equal(is, was) {
				return ErrConflict
			}
		}
		for _, key := range slices.Sorted(maps.Keys(d.writes)) {
			var err error
			if v := d.writes[key]; v == nil {
				err = tx.Delete(key)
			} else {
				err = tx.Put(key, v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
