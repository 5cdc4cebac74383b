package store

import (
	"context"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
)

// Memory is a [Store] in memory. A View reads an immutable snapshot and holds up
// nobody; updates run one at a time, so none ever conflicts.
//
// The revision starts at 0 and grows by one with each Update that changes
// something: one that sets a key, if only to the value it has, or deletes a key
// that is there. Watch reaches back over the newest few thousand changes and then
// gives [ErrCompacted].
//
// An Update inside the function of another waits for itself until its ctx is done.
type Memory struct {
	seed   maphash.Seed
	writer chan struct{} // holds a token while an Update runs
	head   atomic.Pointer[snapshot]
	log    history
}

// snapshot is one committed state. It is immutable. Memory.head is nil after Close.
type snapshot struct {
	root     *node
	revision uint64
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	m := &Memory{seed: maphash.MakeSeed(), writer: make(chan struct{}, 1)}
	m.head.Store(&snapshot{})
	return m
}

// View implements [Store]. It does not look at ctx once fn has started.
func (m *Memory) View(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	base := m.head.Load()
	if base == nil {
		return ErrClosed
	}
	tx := &memoryTx{root: base.root, base: base.root, revision: base.revision}
	defer tx.end()
	return fn(tx)
}

// Update implements [Store]. It runs fn once. If ctx is done when fn returns,
// nothing is written.
func (m *Memory) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case m.writer <- struct{}{}:
		defer func() { <-m.writer }()
	case <-ctx.Done():
		return ctx.Err()
	}
	base := m.head.Load()
	if base == nil {
		return ErrClosed
	}
	tx := &memoryTx{
		root: base.root, base: base.root, revision: base.revision,
		writable: true, seed: m.seed, written: map[string]struct{}{},
	}
	defer tx.end()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.meter.Err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.commit(base, tx)
}

// commit publishes what tx has written over base. The caller is the writer.
func (m *Memory) commit(base *snapshot, tx *memoryTx) error {
	var changes []Change
	for _, key := range slices.Sorted(maps.Keys(tx.written)) {
		c := Change{Revision: base.revision + 1, Key: key}
		if n := tx.root.get(key); n != nil {
			c.Value = n.value
		} else if base.root.get(key) != nil {
			c.Deleted = true
		} else {
			continue
		}
		changes = append(changes, c)
	}
	if len(changes) == 0 {
		return nil
	}
	if !m.head.CompareAndSwap(base, &snapshot{tx.root, base.revision + 1}) {
		return ErrClosed // nobody else replaces what the writer has read
	}
	m.log.add(changes) // after head: who sees a change can read it
	return nil
}

// Watch implements [Store]. A reader that falls behind the changes that are kept
// gets [ErrCompacted]. Nothing runs between two calls of the loop's body.
func (m *Memory) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[Change, error] {
	return m.log.watch(ctx, prefix, after)
}

// Close implements [Store] and forgets the contents. Views that are running keep
// their snapshot; an Update that is running will fail with [ErrClosed].
func (m *Memory) Close() error {
	m.head.Store(nil)
	m.log.close()
	return nil
}

// memoryTx is a transaction of a Memory. A write makes a new root, so a Scan that
// is under way keeps reading the one it began with.
type memoryTx struct {
	root     *node
	base     *node // what root was at the beginning
	revision uint64
	done     bool

	// for an Update only
	writable bool
	seed     maphash.Seed
	meter    Meter
	written  map[string]struct{}
}

func (t *memoryTx) end() { t.done = true }

// read checks that key may be read.
func (t *memoryTx) read(key string) error {
	switch {
	case t.done:
		return ErrTxDone
	case t.writable:
		return t.meter.Read(key)
	}
	return nil
}

// write checks that the transaction may write at all.
func (t *memoryTx) write() error {
	switch {
	case t.done:
		return ErrTxDone
	case !t.writable:
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
	if err := t.meter.Put(key, value); err != nil {
		return err
	}
	t.root = t.root.put(key, clone(value), t.revision+1, maphash.String(t.seed, key))
	t.written[key] = struct{}{}
	return nil
}

func (t *memoryTx) Delete(key string) error {
	if err := t.write(); err != nil {
		return err
	}
	if err := t.meter.Delete(key); err != nil {
		return err
	}
	t.root = t.root.remove(key)
	t.written[key] = struct{}{}
	return nil
}

func (t *memoryTx) Scan(prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if t.done {
			yield(Entry{}, ErrTxDone)
			return
		}
		from := max(prefix, after+"\x00") // the least key greater than after
		t.root.scan(prefix, from, func(n *node) bool {
			if err := t.read(n.key); err != nil {
				yield(Entry{}, err)
				return false
			}
			return yield(Entry{n.key, clone(n.value)}, nil)
		})
	}
}

func (t *memoryTx) Version(key string) (uint64, error) {
	if err := t.read(key); err != nil {
		return 0, err
	}
	if n := t.base.get(key); n != nil {
		return n.version, nil
	}
	return 0, nil
}

func (t *memoryTx) Revision() uint64 { return t.revision }

// clone returns a copy of b that is never nil: an empty value is not an absent one.
func clone(b []byte) []byte { return append([]byte{}, b...) }
