package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sealring/sealring/store"
)

func watchChecks() []check {
	return []check{
		{name: "Watch/from the beginning yields every change", run: checkWatchAll},
		{name: "Watch/from a revision yields what came later", run: checkWatchAfter},
		{name: "Watch/yields only keys with the prefix", run: checkWatchPrefix},
		{name: "Watch/yields the changes of an update together", run: checkWatchTogether},
		{name: "Watch/yields nothing of what was undone", run: checkWatchRollback},
		{name: "Watch/gives slices to the caller", run: checkWatchCopies},
		{name: "Watch/waits for changes, which can be read at once", run: checkWatchWaits},
		{name: "Watch/misses and repeats nothing under concurrent writers", run: checkWatchConcurrent},
		{name: "Watch/is complete or compacted", run: checkWatchCompacted},
		{name: "Watch/ends when its context does", run: checkWatchCancel},
	}
}

// watch collects changes until more returns false, which gives a nil error, or the
// store ends it.
func watch(ctx context.Context, s store.Store, prefix string, after uint64, more func(store.Change) bool) ([]store.Change, error) {
	var got []store.Change
	for c, err := range s.Watch(ctx, prefix, after) {
		if err != nil {
			return got, err
		}
		got = append(got, c)
		if !more(c) {
			return got, nil
		}
	}
	return got, errors.New("storetest: watch ended without an error")
}

// watchN returns the first n changes.
func watchN(tb testing.TB, s store.Store, prefix string, after uint64, n int) []store.Change {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	got := 0
	changes, err := watch(ctx, s, prefix, after, func(store.Change) bool { got++; return got < n })
	if err != nil {
		tb.Fatalf("Watch after %d changes of %d: %v", len(changes), n, err)
	}
	return changes
}

// watchTo returns the changes before the one of the key end, which watchTo makes.
func watchTo(tb testing.TB, s store.Store, prefix string, after uint64, end string) []store.Change {
	tb.Helper()
	put(tb, s, end, ".")
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	changes, err := watch(ctx, s, prefix, after, func(c store.Change) bool { return c.Key != end })
	if err != nil {
		tb.Fatalf("Watch: %v", err)
	}
	return changes[:len(changes)-1]
}

// describe writes changes as "+key=value" and "-key".
func describe(changes []store.Change) []string {
	list := []string{}
	for _, c := range changes {
		switch {
		case !c.Deleted:
			list = append(list, fmt.Sprintf("+%s=%s", c.Key, c.Value))
		case c.Value == nil:
			list = append(list, "-"+c.Key)
		default:
			list = append(list, fmt.Sprintf("-%s=%s", c.Key, c.Value)) // never right
		}
	}
	return list
}

func expectChanges(tb testing.TB, got []store.Change, want ...string) {
	tb.Helper()
	if list := describe(got); !slices.Equal(list, want) {
		tb.Errorf("Watch yields %q, want %q", list, want)
	}
}

func checkWatchAll(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	put(tb, s, "b", "2")
	put(tb, s, "a", "3")
	put(tb, s, "a", "3") // the same value again is a change
	remove(tb, s, "b")
	remove(tb, s, "b") // a deletion of nothing is none
	update(tb, s, func(tx store.Tx) error { return writes(tx, "+c=4", "-c") })
	update(tb, s, func(tx store.Tx) error { return writes(tx, "-a", "+a=5", "+a=6") })
	got := watchTo(tb, s, "", 0, "end")
	expectChanges(tb, got, "+a=1", "+b=2", "+a=3", "+a=3", "-b", "+a=6")
	for i := 1; i < len(got); i++ {
		if got[i].Revision <= got[i-1].Revision {
			tb.Errorf("change %d has revision %d, the one before %d", i, got[i].Revision, got[i-1].Revision)
		}
	}
}

func checkWatchAfter(tb testing.TB, s store.Store) {
	var after []uint64
	list := []string{"+a=1", "+b=2", "-a", "+c=3"}
	for _, change := range list {
		after = append(after, revision(tb, s))
		update(tb, s, func(tx store.Tx) error { return writes(tx, change) })
	}
	now := revision(tb, s)
	for i, r := range after {
		expectChanges(tb, watchN(tb, s, "", r, len(list)-i), list[i:]...)
	}
	expectChanges(tb, watchTo(tb, s, "", now, "end"))
}

func checkWatchPrefix(tb testing.TB, s store.Store) {
	put(tb, s, "a", "0", "a/", "1", "a/b", "2", "a0", "3", "b", "4")
	put(tb, s, "b", "5")
	remove(tb, s, "a/b", "b")
	put(tb, s, "a/c", "6", "A/c", "7")
	got := watchTo(tb, s, "a/", 0, "a/end")
	expectChanges(tb, got, "+a/=1", "+a/b=2", "-a/b", "+a/c=6")
}

func checkWatchTogether(tb testing.TB, s store.Store) {
	put(tb, s, "gone", "0")
	put(tb, s, "d", "1", "b", "2", "a", "3", "c", "4")
	update(tb, s, func(tx store.Tx) error { return writes(tx, "+z=5", "-gone", "+a=6") })
	got := watchTo(tb, s, "", 0, "~end")
	expectChanges(tb, got, "+gone=0", "+a=3", "+b=2", "+c=4", "+d=1", "+a=6", "-gone", "+z=5")
	if len(got) != 8 {
		return
	}
	for _, span := range [][2]int{{1, 4}, {5, 7}} {
		for _, c := range got[span[0] : span[1]+1] {
			if c.Revision != got[span[0]].Revision {
				tb.Errorf("%s has revision %d, others of its update %d", c.Key, c.Revision, got[span[0]].Revision)
			}
		}
	}
}

func checkWatchRollback(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	err := s.Update(tb.Context(), func(tx store.Tx) error {
		if err := writes(tx, "+a=2", "+b=3"); err != nil {
			return err
		}
		return errOwn
	})
	expectError(tb, "Update whose function fails", err, errOwn)
	expectChanges(tb, watchTo(tb, s, "", 0, "end"), "+a=1")
}

func checkWatchCopies(tb testing.TB, s store.Store) {
	put(tb, s, "a", "value")
	clear(watchN(tb, s, "", 0, 1)[0].Value)
	expect(tb, s, "a", "value")
	expectChanges(tb, watchN(tb, s, "", 0, 1), "+a=value")
}

func checkWatchWaits(tb testing.TB, s store.Store) {
	const rounds = 50
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	written := make(chan error, 1)
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	go func() { // each write waits until the one before was seen
		written <- func() error {
			for i := range rounds {
				select {
				case <-turn:
				case <-ctx.Done():
					return ctx.Err()
				}
				err := persist(ctx, s, func(tx store.Tx) error { return putInt(tx, "n", i) })
				if err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	seen := 0
	_, err := watch(ctx, s, "", 0, func(c store.Change) bool {
		err := s.View(ctx, func(tx store.Tx) error {
			expectGet(tb, tx, "n", string(c.Value))
			if r := tx.Revision(); r < c.Revision {
				tb.Errorf("a view after the change of revision %d reads revision %d", c.Revision, r)
			}
			return nil
		})
		if err != nil {
			tb.Errorf("View: %v", err)
		}
		seen++
		turn <- struct{}{}
		return seen < rounds
	})
	if err := errors.Join(err, <-written); err != nil {
		tb.Fatalf("after %d changes: %v", seen, err)
	}
}

func checkWatchConcurrent(tb testing.TB, s store.Store) {
	const writers, watchers, rounds = 4, 3, 40
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	results := make([][]store.Change, watchers)
	watched := make(chan error, 1)
	go func() {
		watched <- together(watchers, func(i int) (err error) {
			results[i], err = watch(ctx, s, "", 0, func(c store.Change) bool { return c.Key != "end" })
			return err
		})
	}()
	err := together(writers, func(i int) error {
		for round := range rounds {
			err := persist(ctx, s, func(tx store.Tx) error {
				return writes(tx, fmt.Sprintf("+%d/a=%d", i, round), fmt.Sprintf("+%d/b=%d", i, round))
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	put(tb, s, "end", ".")
	if err := errors.Join(err, <-watched); err != nil {
		tb.Fatalf("%v", err)
	}
	for _, changes := range results {
		if n := len(changes) - 1; n != 2*writers*rounds {
			tb.Fatalf("Watch yields %d changes, want %d", n, 2*writers*rounds)
		}
		expectRounds(tb, changes[:2*writers*rounds])
	}
}

// expectRounds fails unless changes are pairs of keys "writer/a" and "writer/b",
// changed by one commit, and each writer's values count up from 0.
func expectRounds(tb testing.TB, changes []store.Change) {
	tb.Helper()
	next := map[string]int{}
	last := uint64(0)
	for pair := range slices.Chunk(changes, 2) {
		a, b := pair[0], pair[1]
		writer := a.Key[:len(a.Key)-len("/a")]
		want := []string{fmt.Sprintf("+%s/a=%d", writer, next[writer]), fmt.Sprintf("+%s/b=%d", writer, next[writer])}
		if got := describe(pair); !slices.Equal(got, want) {
			tb.Fatalf("Watch yields %q, want %q", got, want)
		}
		if a.Revision != b.Revision || a.Revision <= last {
			tb.Fatalf("revisions %d and %d after %d", a.Revision, b.Revision, last)
		}
		last = a.Revision
		next[writer]++
	}
}

// checkWatchCompacted writes more than most stores remember.
func checkWatchCompacted(tb testing.TB, s store.Store) {
	const updates = 60
	for range updates {
		fill(tb, s, store.MaxKeys)
	}
	now := revision(tb, s)
	put(tb, s, "end", ".")
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	changes, err := watch(ctx, s, "", 0, func(c store.Change) bool { return c.Key != "end" })
	switch {
	case errors.Is(err, store.ErrCompacted) && len(changes) == 0:
	case err != nil:
		tb.Errorf("Watch after %d changes: %v", len(changes), err)
	case len(changes) != updates*store.MaxKeys+1:
		tb.Errorf("Watch yields %d changes without an error, want %d", len(changes), updates*store.MaxKeys+1)
	default:
		for i, c := range changes[:updates*store.MaxKeys] {
			if c.Key != numbered(i%store.MaxKeys) {
				tb.Fatalf("change %d is of %q, want %q", i, c.Key, numbered(i%store.MaxKeys))
			}
		}
	}
	expectChanges(tb, watchN(tb, s, "", now, 1), "+end=.") // the newest are always there
}

func checkWatchCancel(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		changes, err := watch(ctx, s, "", 0, func(store.Change) bool { cancel(); return true })
		if len(changes) != 1 {
			err = fmt.Errorf("%d changes, then %w", len(changes), err)
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		expectError(tb, "Watch whose context ends", err, context.Canceled)
	case <-time.After(patience(tb)):
		tb.Fatalf("Watch goes on after its context has ended")
	}
	put(tb, s, "a", "2")
}
