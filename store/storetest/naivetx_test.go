package storetest

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/sealring/sealring/store"
)

type naiveTx struct {
	s           *naive
	writable    bool
	done        bool
	rev         uint64
	committed   uint64 // the revision that it made
	base, state map[string][]byte
	vers        map[string]uint64
	read        map[string]bool // by Get
	written     map[string]bool
	scans       []naiveScan
	first       map[string][]byte // what Get gave first
	meter       *store.Meter
	calls       int
	total       int
}

// naiveScan is what a scan covered: the keys with the prefix that are greater than after
// and, unless last is "", not greater than last.
type naiveScan struct{ prefix, after, last string }

func (r naiveScan) covers(key string) bool {
	return strings.HasPrefix(key, r.prefix) && key > r.after && (r.last == "" || key <= r.last)
}

// inherit takes over from an earlier run what a new one should not.
func (t *naiveTx) inherit(earlier *naiveTx) {
	switch t.s.flaw {
	case "keeps what an earlier run wrote":
		for key := range earlier.written {
			if v, there := earlier.state[key]; there {
				t.state[key], t.written[key] = v, true
			}
		}
	case "counts what an earlier run touched":
		t.meter = earlier.meter
	}
}

func (t *naiveTx) end() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.done = true
	clear(t.s.dirty)
}

func (t *naiveTx) over() error {
	if t.done && !t.s.has("works after the end") {
		return store.ErrTxDone
	}
	return nil
}

// limit returns what the meter says, as far as the flaw lets it.
func (t *naiveTx) limit() error {
	switch t.s.flaw {
	case "does not limit":
		return nil
	case "allows one key more":
		if t.calls == store.MaxKeys+1 {
			return nil
		}
	case "allows one byte more":
		if t.total == store.MaxBytes+1 {
			return nil
		}
	case "counts a key each time":
		if t.calls > store.MaxKeys {
			return store.ErrLimit
		}
	case "counts all bytes written":
		if t.total > store.MaxBytes {
			return store.ErrLimit
		}
	}
	return t.meter.Err()
}

func (t *naiveTx) count(measure func() error) error {
	t.calls++
	if !t.writable && !t.s.has("limits a view") {
		return nil
	}
	_ = measure()
	return t.limit()
}

func (t *naiveTx) Get(key string) ([]byte, error) {
	if err := t.over(); err != nil {
		return nil, err
	}
	if err := t.count(func() error { return t.meter.Read(key) }); err != nil {
		return nil, err
	}
	t.read[key] = true
	from := t.state
	if t.s.has("does not read its own writes") {
		from = t.base
	}
	v, ok := from[key]
	if t.s.has("views are not snapshots") && !t.writable {
		t.s.mu.Lock()
		v, ok = t.s.data[key]
		t.s.mu.Unlock()
	}
	v, ok = t.flawed(key, v, ok)
	if !ok && !t.s.has("a missing key is no error") {
		return nil, store.ErrNotFound
	}
	if t.s.has("Get shares values") {
		return v, nil
	}
	return append([]byte{}, v...), nil
}

// flawed gives what Get reads, which is v.
func (t *naiveTx) flawed(key string, v []byte, ok bool) ([]byte, bool) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	switch t.s.flaw {
	case "updates are not snapshots":
		if t.writable && !t.written[key] {
			v, ok = t.s.data[key]
		}
	case "reads each key when it is first asked for":
		if was, known := t.first[key]; known {
			return was, was != nil
		}
		if !t.written[key] {
			v, ok = t.s.data[key]
			t.first[key] = v
		}
	}
	return v, ok
}

func (t *naiveTx) Put(key string, value []byte) error {
	if err := t.over(); err != nil {
		return err
	}
	if !t.writable {
		return store.ErrReadOnly
	}
	t.total += len(key) + len(value)
	if err := t.count(func() error { return t.meter.Put(key, value) }); err != nil {
		return err
	}
	t.written[key] = true
	switch {
	case t.s.has("Put shares values") && len(value) > 0:
		t.state[key] = value
		return nil
	case t.s.has("an empty value is none") && len(value) == 0:
		delete(t.state, key)
		return nil
	case t.s.has("cuts long values"):
		value = value[:min(len(value), 100_000)]
	case t.s.has("the first value stays") && t.state[key] != nil:
		return nil
	}
	t.state[key] = append([]byte{}, value...)
	if t.s.has("views see writes before the commit") || t.s.has("updates see writes before the commit") {
		t.s.mu.Lock()
		t.s.dirty[key] = t.state[key]
		t.s.mu.Unlock()
	}
	return nil
}

func (t *naiveTx) Delete(key string) error {
	if err := t.over(); err != nil {
		return err
	}
	if !t.writable {
		return store.ErrReadOnly
	}
	if err := t.count(func() error { return t.meter.Delete(key) }); err != nil {
		return err
	}
	t.written[key] = true
	delete(t.state, key)
	if t.s.has("deletes by prefix") {
		maps.DeleteFunc(t.state, func(k string, _ []byte) bool {
			hit := strings.HasPrefix(k, key)
			t.written[k] = t.written[k] || hit
			return hit
		})
	}
	return nil
}

func (t *naiveTx) Scan(prefix, after string) iter.Seq2[store.Entry, error] {
	used := false
	buffer := make([]byte, 0, 64)
	return func(yield func(store.Entry, error) bool) {
		if err := t.over(); err != nil {
			yield(store.Entry{}, err)
			return
		}
		if used && t.s.has("a scan works once") {
			return
		}
		used = true
		from := t.state
		if t.s.has("a scan does not see writes") {
			from = t.base
		}
		if !t.s.has("a scan sees writes made while it runs") {
			from = maps.Clone(from)
		}
		t.scans = append(t.scans, naiveScan{prefix: prefix, after: after})
		own := len(t.scans) - 1
		for key, ok := t.next(from, prefix, after, true); ok; key, ok = t.next(from, prefix, key, false) {
			if err := t.count(func() error { return t.meter.Read(key) }); err != nil {
				yield(store.Entry{}, err)
				return
			}
			value := slices.Clone(from[key])
			if t.s.has("a scan reuses its buffer") {
				value = append(buffer[:0], value...)
			}
			if !yield(store.Entry{Key: key, Value: value}, nil) {
				t.scans[own].last = key
				return
			}
		}
	}
}

// next returns the least key of m with the prefix that is greater than after.
func (t *naiveTx) next(m map[string][]byte, prefix, after string, first bool) (best string, ok bool) {
	for key := range m {
		switch {
		case t.s.has("a scan stops after a page") && len(m) > 256 && after >= numberedMany(256):
		case !strings.HasPrefix(key, prefix):
		case first && key == after && t.s.has("a scan includes after"), key > after:
			if !ok || key < best {
				best, ok = key, true
			}
		}
	}
	return best, ok
}

func (t *naiveTx) Version(key string) (uint64, error) {
	if err := t.over(); err != nil {
		return 0, err
	}
	if t.s.has("a version has no limit") {
		return t.vers[key], nil
	}
	if err := t.count(func() error { return t.meter.Read(key) }); err != nil {
		return 0, err
	}
	t.read[key] = true
	switch {
	case t.s.has("the version is the snapshot's"):
		return t.rev, nil
	case t.s.has("a version sees own writes") && t.written[key]:
		return t.rev + 1, nil
	case t.s.has("a version of now"):
		t.s.mu.Lock()
		defer t.s.mu.Unlock()
		return t.s.vers[key], nil
	}
	return t.vers[key], nil
}

func (t *naiveTx) Revision() uint64 { return t.rev }
