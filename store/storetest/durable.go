package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sealring/sealring/store"
)

// Place is where a durable store keeps its contents: a file, a directory, a part of a
// cluster.
type Place struct {
	// Open opens a store at the place: an empty one at first, and whatever is there after
	// the last one was closed or has crashed.
	Open func(tb testing.TB) store.Store

	// Crash, if it is not nil, leaves the place as it would be if the process that uses s
	// died while Crash runs. Updates of s may be under way and go on to their end, but
	// nothing that they do after Crash has returned reaches the place. s is not used
	// again; Crash closes what should be closed.
	Crash func(tb testing.TB, s store.Store)
}

// RunDurable tests stores whose contents outlast them. Each call of place returns another
// place, where nothing is yet; the cases run in parallel. Every case runs on stores that are closed,
// and if the place can crash, on stores that do.
//
// What an acknowledged update wrote has to be there afterwards, with its versions, and
// what an update under way wrote wholly or not at all. The revision never goes back. A
// Watch from before is complete or gives [store.ErrCompacted].
func RunDurable(t *testing.T, place func(t *testing.T) Place) {
	ends := []string{"Close", "Crash"}
	if place(t).Crash == nil {
		ends = ends[:1]
	}
	for _, c := range durableChecks() {
		for _, end := range ends {
			t.Run(c.name+"/"+end, func(t *testing.T) {
				t.Parallel()
				l := newLives(t, place(t), end == "Crash")
				t.Cleanup(func() {
					if err := l.s.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
				c.run(l)
			})
		}
	}
}

type durableCheck struct {
	name string
	run  func(l *lives)
}

func durableChecks() []durableCheck {
	return []durableCheck{
		{"Durable/every acknowledged update is there", checkAcknowledged},
		{"Durable/values and keys of every kind", checkDurableValues},
		{"Durable/revisions and versions go on", checkRevisionsGoOn},
		{"Durable/nothing is there of what failed", checkFailedIsGone},
		{"Durable/a watch is complete or compacted", checkDurableWatch},
		{"Durable/updates under way happen wholly or not at all", checkUnderWay},
	}
}

// lives is a store that is opened again and again at one place.
type lives struct {
	testing.TB
	place Place
	crash bool
	s     store.Store
}

func newLives(tb testing.TB, p Place, crash bool) *lives {
	return &lives{TB: tb, place: p, crash: crash, s: p.Open(tb)}
}

// end closes the store or has it crash.
func (l *lives) end() {
	l.Helper()
	if l.crash {
		l.place.Crash(l.TB, l.s)
	} else if err := l.s.Close(); err != nil {
		l.Errorf("Close: %v", err)
	}
}

// reopen ends the store and opens another at the place.
func (l *lives) reopen() {
	l.Helper()
	l.end()
	l.s = l.place.Open(l.TB)
}

// memory is all that a view shows.
type memory struct {
	contents map[string]string
	versions map[string]uint64
	revision uint64
}

// remember reads everything.
func (l *lives) remember() memory {
	l.Helper()
	m := memory{contents: map[string]string{}, versions: map[string]uint64{}}
	view(l.TB, l.s, func(tx store.Tx) error {
		m.revision = tx.Revision()
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			m.contents[e.Key] = string(e.Value)
			if m.versions[e.Key], err = tx.Version(e.Key); err != nil {
				return err
			}
		}
		return nil
	})
	return m
}

// expect fails unless the store shows what it did at m.
func (l *lives) expect(m memory, when string) {
	l.Helper()
	is := l.remember()
	if !maps.Equal(is.contents, m.contents) {
		l.Errorf("%s: the store holds %.500q, want %.500q", when, is.contents, m.contents)
	}
	if !maps.Equal(is.versions, m.versions) {
		l.Errorf("%s: the versions are %v, want %v", when, is.versions, m.versions)
	}
	if is.revision < m.revision {
		l.Errorf("%s: the revision went back from %d to %d", when, m.revision, is.revision)
	}
}

// checkAcknowledged opens the store anew after every update.
func checkAcknowledged(l *lives) {
	want := map[string]string{}
	for _, list := range []string{
		"+a=1", "+b=2 +c=3", "+a=4", "-b", "-b", "+b=", "+a=4", "+c=5 -a", "-c", "+a=6 -a", "+z=7 +a=8 +c=9",
		"-a -b -c -z", "+a=10",
	} {
		update(l.TB, l.s, func(tx store.Tx) error { return writes(tx, strings.Fields(list)...) })
		for _, w := range strings.Fields(list) {
			if key, value, put := strings.Cut(w[1:], "="); put {
				want[key] = value
			} else {
				delete(want, key)
			}
		}
		before := l.remember()
		if !maps.Equal(before.contents, want) {
			l.Fatalf("%s: the store holds %q, want %q", list, before.contents, want)
		}
		l.reopen()
		l.expect(before, "opened after "+list)
	}
	last := l.remember()
	for range 3 {
		l.reopen()
		l.expect(last, "opened once more")
	}
	for i := range 2 * store.MaxKeys { // and after many
		update(l.TB, l.s, func(tx store.Tx) error {
			return writes(tx, fmt.Sprintf("+%s=%d", numbered(i/2), i), "-"+numbered(i/3))
		})
	}
	last = l.remember()
	l.reopen()
	l.expect(last, "opened after many updates")
}

func checkDurableValues(l *lives) {
	checkReadBack(l.TB, l.s)
	put(l.TB, l.s, "empty", "", "nil\x00nil", "\x00", "\xfe\xff", "not UTF-8 \xff")
	full := make([]string, 0, 2*store.MaxKeys)
	size := store.MaxBytes/store.MaxKeys - overhead - len(numbered(0))
	for i := range store.MaxKeys { // as much as an update may write
		full = append(full, numbered(i), strings.Repeat(string(rune('a'+i%26)), size))
	}
	put(l.TB, l.s, full...)
	before := l.remember()
	for range 2 {
		l.reopen()
		l.expect(before, "opened anew")
	}
}

// checkRevisionsGoOn deletes the newest keys before the store ends: their revisions
// must not be given out again.
func checkRevisionsGoOn(l *lives) {
	used := map[uint64]string{}
	highest := uint64(0)
	for _, change := range []string{"+a=1", "+b=1", "-b", "+b=2", "-a", "-b", "+a=1", "+a=1"} {
		before := revision(l.TB, l.s)
		if before < highest {
			l.Errorf("before %s the revision is %d, it was %d", change, before, highest)
		}
		update(l.TB, l.s, func(tx store.Tx) error { return writes(tx, change) })
		highest = revision(l.TB, l.s)
		if highest <= before {
			l.Errorf("%s takes the revision from %d to %d", change, before, highest)
		}
		if was, known := used[highest]; known {
			l.Errorf("revision %d was made by %s and by %s", highest, was, change)
		}
		used[highest] = change
		l.reopen()
	}
}

func checkFailedIsGone(l *lives) {
	put(l.TB, l.s, "a", "1")
	before := l.remember()
	fail := func(ctx context.Context, after func() error) {
		err := l.s.Update(ctx, func(tx store.Tx) error {
			return errors.Join(writes(tx, "+a=2", "+b=3"), after())
		})
		if err == nil {
			l.Errorf("Update whose function or context ended in an error succeeds")
		}
	}
	fail(l.Context(), func() error { return errOwn })
	ctx, cancel := context.WithCancel(l.Context())
	fail(ctx, func() error { cancel(); return nil })
	func() {
		defer func() { _ = recover() }()
		fail(l.Context(), func() error { panic(errOwn) })
	}()
	update(l.TB, l.s, func(store.Tx) error { return nil })
	l.reopen()
	l.expect(before, "opened after what failed")
	fail(l.Context(), func() error { return errOwn })
	l.reopen()
	l.expect(before, "opened after what failed")
}

// checkDurableWatch watches from every revision that there was, before and after the
// store was opened anew.
func checkDurableWatch(l *lives) {
	var revisions []uint64 // before each of changes
	var changes []string
	step := func(change string) {
		revisions = append(revisions, revision(l.TB, l.s))
		changes = append(changes, change)
		update(l.TB, l.s, func(tx store.Tx) error { return writes(tx, change) })
	}
	for life := range 4 {
		for i := range 5 {
			step(fmt.Sprintf("+n=%d.%d", life, i))
		}
		step("-n")
		opened := len(revisions)
		l.reopen()
		for i := range 3 {
			step(fmt.Sprintf("+m=%d.%d", life, i))
		}
		for i, after := range revisions {
			l.watched(after, changes[i:], i >= opened)
		}
	}
}

// watched expects a watch to yield the changes, or ErrCompacted at once unless the store
// has to remember.
func (l *lives) watched(after uint64, want []string, remembers bool) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), patience(l.TB))
	defer cancel()
	last := want[len(want)-1]
	got, err := watch(ctx, l.s, "", after, func(c store.Change) bool { return describe([]store.Change{c})[0] != last })
	switch {
	case errors.Is(err, store.ErrCompacted) && !remembers && len(got) == 0:
	case err != nil:
		l.Errorf("Watch after revision %d yields %q and then %v, want %q", after, describe(got), err, want)
	case !slices.Equal(describe(got), want):
		l.Errorf("Watch after revision %d yields %q, want %q", after, describe(got), want)
	}
}
