package branchkeytest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring/branchkey"
)

// mapTable is a table without a defect, and with one if a test sets it.
type mapTable struct {
	mu    sync.Mutex
	items map[string]branchkey.Item // guarded by mu

	key           func(id, itemType string) string
	clone         func(branchkey.Item) branchkey.Item
	ignoresCtx    bool
	ignoresTaken  bool // Create overwrites
	createsPartly bool
	ignoresStale  bool // Rotate does not look at the active item's ciphertext
	ignoresAbsent bool
	ignoresTwice  bool // Rotate overwrites the version
	rotatesPartly bool
	wrongClass    bool
}

func newMapTable() *mapTable {
	return &mapTable{
		items: map[string]branchkey.Item{},
		key:   func(id, itemType string) string { return id + "\x00" + itemType },
		clone: func(i branchkey.Item) branchkey.Item {
			return branchkey.Item{Attributes: maps.Clone(i.Attributes), Ciphertext: bytes.Clone(i.Ciphertext)}
		},
	}
}

func (m *mapTable) keyOf(i branchkey.Item) string {
	return m.key(i.Attributes[branchkey.AttributeID], i.Attributes[branchkey.AttributeType])
}

func (m *mapTable) start(ctx context.Context) error {
	if m.ignoresCtx {
		return nil
	}
	return ctx.Err()
}

func (m *mapTable) Get(ctx context.Context, id, itemType string) (branchkey.Item, error) {
	if err := m.start(ctx); err != nil {
		return branchkey.Item{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	item, ok := m.items[m.key(id, itemType)]
	if !ok && m.wrongClass {
		return branchkey.Item{}, fmt.Errorf("nothing")
	}
	if !ok {
		return branchkey.Item{}, branchkey.ErrNotFound
	}
	return m.clone(item), nil
}

func (m *mapTable) Create(ctx context.Context, items ...branchkey.Item) error {
	if err := m.start(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, item := range items {
		if _, taken := m.items[m.keyOf(item)]; taken && !m.ignoresTaken {
			if m.createsPartly {
				m.put(items[:i]...)
			}
			return branchkey.ErrExists
		}
	}
	m.put(items...)
	return nil
}

func (m *mapTable) put(items ...branchkey.Item) {
	for _, item := range items {
		m.items[m.keyOf(item)] = m.clone(item)
	}
}

func (m *mapTable) Rotate(ctx context.Context, version, active branchkey.Item, previous []byte) error {
	if err := m.start(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, ok := m.items[m.keyOf(active)]
	_, twice := m.items[m.keyOf(version)]
	if !ok && !m.ignoresAbsent || ok && !m.ignoresStale && !bytes.Equal(now.Ciphertext, previous) || twice && !m.ignoresTwice {
		if m.rotatesPartly {
			m.put(version)
		}
		return branchkey.ErrConflict
	}
	m.put(version, active)
	return nil
}

// recorder is a reporter that counts.
type recorder struct {
	t      *testing.T
	mu     sync.Mutex
	failed []string // guarded by mu
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.t.Context() }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

// failures runs every case on a table of its own and returns the names of those that
// report something.
func failures(t *testing.T, newTable func() branchkey.Table) (names []string) {
	for _, c := range cases {
		r := &recorder{t: t}
		func() {
			defer func() {
				if p := recover(); p != nil && p != any(r) {
					panic(p)
				}
			}()
			c.run(r, newTable())
		}()
		if len(r.failed) > 0 {
			names = append(names, c.name)
		}
	}
	return names
}

func TestSoundTable(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) branchkey.Table { return newMapTable() })
}

func TestDefectsAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		defect string
		set    func(*mapTable)
		found  string
	}{
		{"another error for what is not there", func(m *mapTable) { m.wrongClass = true }, "an item that was never written is not found"},
		{"types are ignored", func(m *mapTable) { m.key = func(id, _ string) string { return id } }, "an item that was never written is not found"},
		{"attributes get lost", func(m *mapTable) {
			clone := m.clone
			m.clone = func(i branchkey.Item) branchkey.Item {
				i = clone(i)
				delete(i.Attributes, branchkey.AttributeContext+"more")
				return i
			}
		}, "what was created comes back"},
		{"Create overwrites", func(m *mapTable) { m.ignoresTaken = true }, "of items of which one exists none is created"},
		{"Create writes a part", func(m *mapTable) { m.createsPartly = true }, "of items of which one exists none is created"},
		{"case is ignored", func(m *mapTable) {
			m.key = func(id, itemType string) string { return strings.ToLower(id) + "\x00" + itemType }
		}, "items of other ids and types are others"},
		{"Rotate overwrites whatever is there", func(m *mapTable) { m.ignoresStale = true }, "a rotation is refused when the active item has changed"},
		{"Rotate creates", func(m *mapTable) { m.ignoresAbsent = true }, "a rotation is refused when there is no active item"},
		{"Rotate overwrites versions", func(m *mapTable) { m.ignoresTwice = true }, "a rotation is refused when the version exists"},
		{"Rotate writes a part", func(m *mapTable) { m.rotatesPartly = true }, "a rotation is refused when the active item has changed"},
		{"many can create", func(m *mapTable) { m.ignoresTaken = true }, "of many creations at once one succeeds"},
		{"many can rotate", func(m *mapTable) { m.ignoresStale, m.ignoresTwice = true, true }, "of many rotations at once one succeeds"},
		{"items are shared", func(m *mapTable) { m.clone = func(i branchkey.Item) branchkey.Item { return i } }, "items belong to those who hold them"},
		{"contexts are ignored", func(m *mapTable) { m.ignoresCtx = true }, "a cancelled context ends the call"},
	} {
		t.Run(c.defect, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, failures(t, func() branchkey.Table {
				m := newMapTable()
				c.set(m)
				return m
			}), c.found)
		})
	}
}

// Rotations that change nothing are found too.
func TestLostRotations(t *testing.T) {
	t.Parallel()
	require.Contains(t, failures(t, func() branchkey.Table { return forgetful{newMapTable()} }),
		"a rotation adds the version and replaces the active item")
}

type forgetful struct{ *mapTable }

func (forgetful) Rotate(context.Context, branchkey.Item, branchkey.Item, []byte) error { return nil }
