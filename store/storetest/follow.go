package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sealring/sealring/store"
)

func followChecks() []check {
	return []check{
		{name: "Follow/a reader that stops and resumes ends at the truth", run: checkResume, once: true},
		{name: "Follow/readers that begin at any time end at the truth", run: checkLateJoin, once: true},
		{name: "Follow/a reader that stalls is complete or compacted", run: checkStalledReader, once: true},
		{name: "Follow/changes of a commit stay together", run: checkCommitsStayWhole, once: true},
		{name: "Follow/deletions and prefixes", run: checkFollowDeletions, once: true},
		{name: "Follow/a revision that is yet to come", run: checkFuture, once: true},
		{name: "Follow/one that waits ends when its context does", run: checkCancelWaiting, once: true},
	}
}

// lastKey is what the writers of a case put at last.
const lastKey = "~last"

func isLast(c store.Change) bool { return c.Key == lastKey }

// scribble has several goroutines put and delete random keys "k/0" to "k/9", several at
// once, all with one value that no other update has. At last it puts lastKey.
func scribble(ctx context.Context, handles []store.Store) error {
	const writers, rounds = 3, 60
	err := together(writers, func(w int) error {
		random := rand.New(rand.NewPCG(uint64(w), 1))
		for round := range rounds {
			time.Sleep(50 * time.Microsecond) // readers come in between
			var list []string
			if random.IntN(3) == 0 {
				list = append(list, fmt.Sprintf("-k/%d", random.IntN(10)))
			}
			for _, k := range random.Perm(10)[:1+random.IntN(4)] {
				list = append(list, fmt.Sprintf("+k/%d=%d of %d", k, round, w))
			}
			err := persist(ctx, handles[w%len(handles)], func(tx store.Tx) error { return writes(tx, list...) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return persist(ctx, handles[0], func(tx store.Tx) error { return writes(tx, "+"+lastKey+"=") })
}

// during runs work while others scribble, and fails the test if either does.
func during(tb testing.TB, handles []store.Store, work func(ctx context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	err := together(2, func(i int) error {
		if i == 0 {
			return scribble(ctx, handles)
		}
		return work(ctx)
	})
	if err != nil {
		tb.Fatalf("%v", err)
	}
}

func checkResume(tb testing.TB, s store.Store) {
	f := &follower{s: s, state: map[string]string{}}
	during(tb, []store.Store{s}, func(ctx context.Context) error {
		random := rand.New(rand.NewPCG(1, 2))
		for done := false; !done; {
			left := random.IntN(12)
			err := f.follow(ctx, func(c store.Change) bool {
				left--
				done = isLast(c)
				return done || left <= 0 && len(f.batch) < 2 // then there is something new to go on from
			})
			if err != nil {
				return err
			}
			if random.IntN(4) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		return nil
	})
	f.expect(tb)
}

// checkLateJoin has readers begin with a scan while others write.
func checkLateJoin(tb testing.TB, s store.Store) { lateJoin(tb, []store.Store{s}) }

func lateJoin(tb testing.TB, handles []store.Store) {
	const readers = 12
	followers := make([]*follower, readers)
	during(tb, handles, func(ctx context.Context) error {
		return together(readers, func(i int) error {
			f := &follower{s: handles[i%len(handles)]}
			followers[i] = f
			time.Sleep(time.Duration(i) * 500 * time.Microsecond)
			if err := f.scan(ctx); err != nil {
				return err
			}
			if _, done := f.state[lastKey]; done {
				return nil
			}
			time.Sleep(200 * time.Microsecond)
			return f.follow(ctx, isLast)
		})
	})
	for _, f := range followers {
		f.expect(tb)
	}
}

// checkStalledReader has a reader stop in the middle of a watch while others write more
// than most stores remember.
func checkStalledReader(tb testing.TB, s store.Store) {
	f := &follower{s: s, state: map[string]string{}}
	put(tb, s, "first", "1")
	put(tb, s, "second", "2")
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	written := 2
	err := f.follow(ctx, func(c store.Change) bool {
		if c.Key == "first" {
			for i := range 50 {
				fill(tb, s, store.MaxKeys)
				put(tb, s, fmt.Sprint("round/", i), "x")
				written += store.MaxKeys + 1
			}
			put(tb, s, lastKey, "")
			written++
		}
		return isLast(c)
	})
	if err != nil {
		tb.Fatalf("after %d changes: %v", f.seen, err)
	}
	f.expect(tb)
	if f.scans == 0 && f.seen != written {
		tb.Errorf("Watch yields %d changes without an error, want %d", f.seen, written)
	}
}

func checkCommitsStayWhole(tb testing.TB, s store.Store) { commitsStayWhole(tb, []store.Store{s}) }

// commitsStayWhole follows writers whose every update has a value of its own.
func commitsStayWhole(tb testing.TB, handles []store.Store) {
	lists := make([][]store.Change, len(handles))
	begin := make([]uint64, len(handles))
	for i, s := range handles {
		begin[i] = revision(tb, s)
	}
	during(tb, handles, func(ctx context.Context) error {
		return together(len(handles), func(i int) (err error) {
			lists[i], err = watch(ctx, handles[i], "", begin[i], func(c store.Change) bool { return !isLast(c) })
			return err
		})
	})
	for i, list := range lists {
		if got, want := describeAll(list), describeAll(lists[0]); !slices.Equal(got, want) {
			tb.Errorf("handle %d yields %q, handle 0 %q", i, got, want)
		}
	}
	madeBy, revisionOf := map[uint64]string{}, map[string]uint64{}
	var before store.Change
	for _, c := range lists[0] {
		if c.Revision < before.Revision || c.Revision == before.Revision && c.Key <= before.Key {
			tb.Fatalf("Watch yields %q of revision %d after %q of %d", c.Key, c.Revision, before.Key, before.Revision)
		}
		before = c
		if c.Deleted {
			continue
		}
		value := string(c.Value)
		if was, known := madeBy[c.Revision]; known && was != value {
			tb.Fatalf("revision %d was made by %q and by %q", c.Revision, was, value)
		}
		if was, known := revisionOf[value]; known && was != c.Revision {
			tb.Fatalf("%q has made revisions %d and %d", value, was, c.Revision)
		}
		madeBy[c.Revision], revisionOf[value] = value, c.Revision
	}
	if want := 3*60 + 1; len(revisionOf) != want {
		tb.Errorf("Watch yields changes of %d updates, want %d", len(revisionOf), want)
	}
}

// describeAll is describe with revisions.
func describeAll(changes []store.Change) []string {
	list := describe(changes)
	for i, c := range changes {
		list[i] = fmt.Sprintf("%d:%s", c.Revision, list[i])
	}
	return list
}

// checkFollowDeletions follows prefixes that contain each other while their keys come and
// go, with other keys between theirs.
func checkFollowDeletions(tb testing.TB, s store.Store) {
	prefixes := []string{"", "a", "a/", "a/b", "a/b/", "b", "\xff"}
	keys := []string{"a", "a/", "a/b", "a/b/c", "a/bb", "a0", "b", "\xfe\xff", "\xff", "\xff\xff"}
	begin := revision(tb, s)
	var followers []*follower
	for _, p := range prefixes {
		followers = append(followers, &follower{s: s, prefix: p, state: map[string]string{}, after: begin})
	}
	for i := range 6 * len(keys) {
		key, other := keys[i*7%len(keys)], keys[(i*3+i/5)%len(keys)]
		update(tb, s, func(tx store.Tx) error {
			if i%3 == 2 {
				return writes(tx, "-"+key)
			}
			return writes(tx, fmt.Sprintf("+%s=%d", key, i), "-"+other, fmt.Sprintf("+%s=%d", other, i))
		})
	}
	for _, f := range followers {
		last := f.prefix + "~~"
		put(tb, s, last, "")
		ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
		if err := f.follow(ctx, func(c store.Change) bool { return c.Key == last }); err != nil {
			tb.Errorf("Watch of %q: %v", f.prefix, err)
		}
		cancel()
		if f.scans > 0 {
			tb.Errorf("Watch of %q remembers too little", f.prefix)
		}
		f.expect(tb)
	}
}

// checkFuture begins a watch at a revision that the store has not reached, as a reader
// does that has seen it elsewhere.
func checkFuture(tb testing.TB, s store.Store) {
	put(tb, s, "n", "0")
	now := revision(tb, s)
	const ahead, updates = 3, 8
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	var all, late []store.Change
	more := func(c store.Change) bool { return string(c.Value) != fmt.Sprint(updates) }
	err := together(3, func(i int) (err error) {
		switch i {
		case 0:
			all, err = watch(ctx, s, "", now, more)
		case 1:
			late, err = watch(ctx, s, "", now+ahead, more)
		case 2:
			time.Sleep(2 * time.Millisecond) // the watches wait by now
			for n := range updates {
				if err := setter(ctx, s, "n")(n + 1); err != nil {
					return err
				}
			}
		}
		return err
	})
	if err != nil {
		tb.Fatalf("%v", err)
	}
	all = slices.DeleteFunc(all, func(c store.Change) bool { return c.Revision <= now+ahead })
	if got, want := describeAll(late), describeAll(all); !slices.Equal(got, want) {
		tb.Errorf("Watch after revision %d yields %q, want %q", now+ahead, got, want)
	}
}

// checkCancelWaiting ends the contexts of many watches that have nothing to yield, and
// lets those go on that have another context.
func checkCancelWaiting(tb testing.TB, s store.Store) {
	const watchers = 24
	put(tb, s, "a", "1")
	now := revision(tb, s)
	ctx, cancel := context.WithCancel(tb.Context())
	rest, cancelRest := context.WithTimeout(tb.Context(), patience(tb))
	defer cancelRest()
	ended, kept := make(chan error, watchers), make(chan error, watchers)
	for range watchers {
		go func() {
			_, err := watch(ctx, s, "", now, func(store.Change) bool { return true })
			ended <- err
		}()
		go func() {
			_, err := watch(rest, s, "", now, func(store.Change) bool { return false })
			kept <- err
		}()
	}
	time.Sleep(2 * time.Millisecond) // most of them wait by now
	cancel()
	for range watchers {
		select {
		case err := <-ended:
			expectError(tb, "Watch whose context ends while it waits", err, context.Canceled)
		case <-time.After(patience(tb)):
			tb.Fatalf("Watch waits on after its context has ended")
		}
	}
	put(tb, s, "a", "2")
	for range watchers {
		if err := <-kept; err != nil {
			tb.Errorf("Watch, after others have ended: %v", err)
		}
	}
}
