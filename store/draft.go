package store

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Draft is a transaction that is decided on a snapshot and committed later, after
// something that must happen in between, such as writing an audit record. It
// remembers what was read and holds what is to be written; [Draft.Commit] writes
// only if nothing that was read has been written since, if only with the value that
// it had.
//
// A draft has the methods of [Tx] without Revision; Put and Delete cannot fail. They
// may be called only while the View of its snapshot runs. It is not safe for
// concurrent use.
type Draft struct {
	tx     Tx
	reads  []read            // searched from one end to the other while they are few
	many   map[string]uint64 // all of reads, once they are not
	writes []write           // sorted by key at Commit
}

// read is a key that was read, and the version that it had.
type read struct {
	key     string
	version uint64
}

// write is a key and what Commit does to it: sets it, or deletes it if value is nil.
type write struct {
	key   string
	value []byte
}

// NewDraft returns an empty draft that reads through tx, the transaction of a View.
func NewDraft(tx Tx) *Draft { return &Draft{tx: tx} }

// Reset empties d and has it read through tx, as a new draft does; it keeps some
// memory.
func (d *Draft) Reset(tx Tx) {
	clear(d.reads)
	clear(d.writes)
	*d = Draft{tx: tx, reads: d.reads[:0], writes: d.writes[:0]}
}

// Format prints how much was read and written only, whatever the verb.
func (d *Draft) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "store.Draft{%d read, %d written}", len(d.reads), len(d.writes))
}

// Get returns the value of key in the snapshot as the draft's writes would leave
// it, or ErrNotFound.
func (d *Draft) Get(key string) ([]byte, error) {
	if i := d.written(key); i >= 0 {
		if d.writes[i].value == nil {
			return nil, ErrNotFound
		}
		return bytes.Clone(d.writes[i].value), nil
	}
	switch v, err := d.version(key); {
	case err != nil:
		return nil, err
	case v == 0:
		return nil, ErrNotFound
	}
	return d.tx.Get(key)
}

// Version returns the version of key in the snapshot, as [Tx.Version] does; ok is
// false if the draft itself has written key, and then only Get tells what it holds.
// Commit counts the key as read.
func (d *Draft) Version(key string) (version uint64, ok bool, err error) {
	if d.written(key) >= 0 {
		return 0, false, nil
	}
	version, err = d.version(key)
	return version, err == nil, err
}

// version is Version for a key that the draft has not written.
func (d *Draft) version(key string) (uint64, error) {
	if v, ok := d.read(key); ok {
		return v, nil
	}
	v, err := d.tx.Version(key)
	if err != nil {
		return 0, err
	}
	d.reads = append(d.reads, read{key, v})
	switch {
	case d.many != nil:
		d.many[key] = v
	case len(d.reads) > fewReads:
		d.many = make(map[string]uint64, 2*len(d.reads))
		for _, r := range d.reads {
			d.many[r.key] = r.version
		}
	}
	return v, nil
}

// fewReads is how many reads are searched faster than a map.
const fewReads = 16

// read returns the version of a key that the draft has read.
func (d *Draft) read(key string) (version uint64, ok bool) {
	if d.many != nil {
		version, ok = d.many[key]
		return version, ok
	}
	for i := range d.reads {
		if d.reads[i].key == key {
			return d.reads[i].version, true
		}
	}
	return 0, false
}

// written returns the index of key in the draft's writes, or -1.
func (d *Draft) written(key string) int {
	return slices.IndexFunc(d.writes, func(w write) bool { return w.key == key })
}

// Put sets the value of key at commit.
func (d *Draft) Put(key string, value []byte) { d.write(key, clone(value)) }

// Delete removes key at commit.
func (d *Draft) Delete(key string) { d.write(key, nil) }

func (d *Draft) write(key string, value []byte) {
	if i := d.written(key); i >= 0 {
		d.writes[i].value = value
		return
	}
	d.writes = append(d.writes, write{key, value})
}

// Scan yields entries of the snapshot as [Tx.Scan] does. It ignores the draft's
// writes, and Commit does not compare what it yielded: a decision that writes must
// rest on Get.
func (d *Draft) Scan(prefix, after string) iter.Seq2[Entry, error] { return d.tx.Scan(prefix, after) }

// Writes reports whether Commit has anything to write.
func (d *Draft) Writes() bool { return len(d.writes) > 0 }

// Commit writes the draft to s in one update. The error is [ErrConflict], and
// nothing is written, if a key that the draft has read was written since. A draft
// without writes commits at once and compares nothing.
func (d *Draft) Commit(ctx context.Context, s Store) error {
	if !d.Writes() {
		return nil
	}
	slices.SortFunc(d.writes, func(a, b write) int { return strings.Compare(a.key, b.key) })
	return s.Update(ctx, func(tx Tx) error {
		for _, r := range d.reads {
			is, err := tx.Version(r.key)
			if err != nil {
				return err
			}
			if is != r.version {
				return ErrConflict
			}
		}
		for _, w := range d.writes {
			err := error(nil)
			if w.value == nil {
				err = tx.Delete(w.key)
			} else {
				err = tx.Put(w.key, w.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
