package store

import (
	"hash/maphash"
	"iter"
	"maps"
	"slices"
)

// Snapshot is one committed state of a store in memory. It is immutable and safe for
// concurrent use. It is for implementations of [Store]: [Memory] is a succession of
// snapshots, and a store whose data lies on a disk or a cluster can keep a copy of it
// in one, so that reading costs the same everywhere.
type Snapshot struct {
	root     *node
	revision uint64
	seed     maphash.Seed
}

// NewSnapshot returns the empty state, at revision 0.
func NewSnapshot() *Snapshot { return &Snapshot{seed: maphash.MakeSeed()} }

// LoadSnapshot returns the state at the given revision that is made of entries. They
// come in ascending order of their keys and have the revisions at which they were
// written. The snapshot keeps their values. The error is the first one among entries.
func LoadSnapshot(revision uint64, entries iter.Seq2[Change, error]) (*Snapshot, error) {
	s := &Snapshot{revision: revision, seed: maphash.MakeSeed()}
	var spine spine
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		spine.append(&node{key: e.Key, value: e.Value, version: e.Revision, priority: maphash.String(s.seed, e.Key)})
	}
	s.root = spine.root()
	return s, nil
}

// Revision returns the revision of the state.
func (s *Snapshot) Revision() uint64 { return s.revision }

// View runs fn in a transaction that reads the state, and returns its error.
func (s *Snapshot) View(fn func(Tx) error) error {
	tx := &memoryTx{root: s.root, base: s}
	defer tx.end()
	return fn(tx)
}

// Try runs fn in a transaction that reads the state and may write. The state itself
// stays as it is: what came of fn is the attempt. The error is fn's, or [ErrLimit].
func (s *Snapshot) Try(fn func(Tx) error) (*Attempt, error) {
	u := &memoryUpdate{written: map[string]struct{}{}}
	tx := &memoryTx{root: s.root, base: s, update: u}
	defer tx.end()
	if err := fn(tx); err != nil {
		return nil, err
	}
	if err := u.meter.Err(); err != nil {
		return nil, err
	}
	a := &Attempt{Next: s, Scans: u.scans, base: s, touched: u.meter.touched}
	for _, key := range slices.Sorted(maps.Keys(u.written)) {
		c := Change{Revision: s.revision + 1, Key: key}
		if n := tx.root.get(key); n != nil {
			c.Value = n.value
		} else if s.root.get(key) != nil {
			c.Deleted = true
		} else {
			continue
		}
		a.Changes = append(a.Changes, c)
	}
	if len(a.Changes) > 0 {
		a.Next = &Snapshot{root: tx.root, revision: s.revision + 1, seed: s.seed}
	}
	return a, nil
}

// Apply returns the state that changes make of s, at the given revision. The snapshot
// keeps their values; each has the revision that its Change says.
func (s *Snapshot) Apply(revision uint64, changes []Change) *Snapshot {
	root := s.root
	for _, c := range changes {
		if c.Deleted {
			root = root.remove(c.Key)
		} else {
			root = root.put(c.Key, c.Value, c.Revision, maphash.String(s.seed, c.Key))
		}
	}
	return &Snapshot{root: root, revision: revision, seed: s.seed}
}

// Attempt is what the function of an update did to a snapshot.
type Attempt struct {
	// Changes are the writes, in order of key: the last one of each key, without those
	// that delete what is not there. Their revision is the one after the snapshot's.
	// Values are not to be changed.
	Changes []Change

	// Next is the state with the changes: the snapshot itself if there are none.
	Next *Snapshot

	// Scans are the ranges of keys that were scanned.
	Scans []Range

	base    *Snapshot
	touched map[string]int
}

// Range is the keys from From, inclusive, to To, exclusive. An empty To is the end.
type Range struct{ From, To string }

// Reads yields every key that the attempt rests on or writes, in no order, with the
// version that it had, 0 if it was not there. Nothing else was looked at but that in
// [Attempt.Scans] there are no other keys.
func (a *Attempt) Reads() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for key := range a.touched {
			version := uint64(0)
			if n := a.base.root.get(key); n != nil {
				version = n.version
			}
			if !yield(key, version) {
				return
			}
		}
	}
}

// memoryTx is a transaction on a snapshot. A write makes a new root, so a Scan that
// is under way keeps reading the one it began with.
type memoryTx struct {
	root   *node
	base   *Snapshot
	done   bool
	update *memoryUpdate // nil for a view
}

// memoryUpdate is what an update's transaction has beside a view's, of which one is made
// for every request.
type memoryUpdate struct {
	meter   Meter
	written map[string]struct{}
	scans   []Range
}

func (t *memoryTx) end() { t.done = true }

// read checks that key may be read.
func (t *memoryTx) read(key string) error {
	switch {
	case t.done:
		return ErrTxDone
	case t.update != nil:
		return t.update.meter.Read(key)
	}
	return nil
}

// write checks that the transaction may write at all.
func (t *memoryTx) write() error {
	switch {
	case t.done:
		return ErrTxDone
	case t.update == nil:
		return ErrReadOnly
	}
	return nil
}

func (t *memoryTx) Get(key string) ([]byte, error) {
	if err := t.read(key); err != nil {
		return nil, err
	}
	n := t.root.get(key)
	if n == nil {
		return nil, ErrNotFound
	}
	return clone(n.value), nil
}

func (t *memoryTx) Put(key string, value []byte) error {
	if err := t.write(); err != nil {
		return err
	}
	if err := t.update.meter.Put(key, value); err != nil {
		return err
	}
	t.root = t.root.put(key, clone(value), t.base.revision+1, maphash.String(t.base.seed, key))
	t.update.written[key] = struct{}{}
	return nil
}

func (t *memoryTx) Delete(key string) error {
	if err := t.write(); err != nil {
		return err
	}
	if err := t.update.meter.Delete(key); err != nil {
		return err
	}
	t.root = t.root.remove(key)
	t.update.written[key] = struct{}{}
	return nil
}

func (t *memoryTx) Scan(prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if t.done {
			yield(Entry{}, ErrTxDone)
			return
		}
		from := max(prefix, after+"\x00") // the least key greater than after
		scanned := Range{from, prefixEnd(prefix)}
		t.root.scan(prefix, from, func(n *node) bool {
			if err := t.read(n.key); err != nil {
				yield(Entry{}, err)
				return false
			}
			if !yield(Entry{n.key, clone(n.value)}, nil) {
				scanned.To = n.key + "\x00"
				return false
			}
			return true
		})
		if t.update != nil {
			t.update.scans = append(t.update.scans, scanned)
		}
	}
}

func (t *memoryTx) Version(key string) (uint64, error) {
	if err := t.read(key); err != nil {
		return 0, err
	}
	if n := t.base.root.get(key); n != nil {
		return n.version, nil
	}
	return 0, nil
}

func (t *memoryTx) Revision() uint64 { return t.base.revision }

// prefixEnd returns the least key that is greater than every key with the prefix, or
// "" if there is none.
func prefixEnd(prefix string) string {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xFF {
			end[i]++
			return string(end[:i+1])
		}
	}
	return ""
}

// clone returns a copy of b that is never nil: an empty value is not an absent one.
func clone(b []byte) []byte { return append([]byte{}, b...) }
