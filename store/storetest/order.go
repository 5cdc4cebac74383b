package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sealring/sealring/store"
)

func orderChecks() []check {
	return []check{
		{name: "Order/whoever comes after an update sees it", run: checkRealTime, once: true},
		{name: "Order/revisions never go back", once: true,
			run: func(tb testing.TB, s store.Store) { checkMonotonic(tb, []store.Store{s}) }},
		{name: "Order/all views see updates in one order", once: true,
			run: func(tb testing.TB, s store.Store) { checkLongFork(tb, []store.Store{s}) }},
		{name: "Order/a version stands for a value", once: true,
			run: func(tb testing.TB, s store.Store) { checkVersionsAgree(tb, []store.Store{s}) }},
	}
}

// busy runs the writers on goroutines, each again and again with a number that counts
// up from 0, while work runs.
func busy(tb testing.TB, work func() error, writers ...func(i int) error) {
	tb.Helper()
	var stop atomic.Bool
	ended := make(chan error, 1)
	go func() {
		ended <- together(len(writers), func(w int) error {
			for i := 0; !stop.Load(); i++ {
				if err := writers[w](i); err != nil {
					return fmt.Errorf("writer %d: %w", w, err)
				}
			}
			return nil
		})
	}()
	err := work()
	stop.Store(true)
	if err := errors.Join(err, <-ended); err != nil {
		tb.Errorf("%v", err)
	}
}

// setter returns a writer that sets key to the number.
func setter(ctx context.Context, s store.Store, key string) func(i int) error {
	return func(i int) error {
		return persist(ctx, s, func(tx store.Tx) error { return putInt(tx, key, i) })
	}
}

// checkRealTime updates a key and has several goroutines, begun after the update has
// returned, look for it, while others write too.
func checkRealTime(tb testing.TB, s store.Store) {
	const rounds = 30
	ctx := tb.Context()
	put(tb, s, "n", "0")
	busy(tb, func() error {
		for i := range rounds {
			if err := setter(ctx, s, "n")(i); err != nil {
				return err
			}
			look := func(tx store.Tx) error {
				if n, err := getInt(tx, "n"); err != nil || n != i {
					return fmt.Errorf("after an update to %d, n is %d, %v", i, n, err)
				}
				return nil
			}
			err := together(4, func(g int) error {
				if g == 0 {
					return persist(ctx, s, look)
				}
				return s.View(ctx, look)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}, setter(ctx, s, "x"), setter(ctx, s, "y"))
}

// checkMonotonic has several goroutines on each handle read revisions, none of which
// may be less than one that was read through the handle before the view began.
func checkMonotonic(tb testing.TB, handles []store.Store) {
	const readers, rounds = 3, 60
	ctx := tb.Context()
	highest := make([]atomic.Uint64, len(handles))
	var writers []func(int) error
	for i, s := range handles {
		writers = append(writers, setter(ctx, s, fmt.Sprint(i)))
	}
	busy(tb, func() error {
		return together(readers*len(handles), func(g int) error {
			h := g % len(handles)
			for range rounds {
				before, now := highest[h].Load(), uint64(0)
				err := handles[h].View(ctx, func(tx store.Tx) error { now = tx.Revision(); return nil })
				if err != nil {
					return err
				}
				if now < before {
					return fmt.Errorf("a view reads revision %d although one before it read %d", now, before)
				}
				for was := before; was < now && !highest[h].CompareAndSwap(was, now); {
					was = highest[h].Load()
				}
			}
			return nil
		})
	}, writers...)
}

// checkLongFork has two writers count, each in a key of its own. If one view sees more of
// the first and less of the second than another view, the two disagree on the order of
// the updates; and views of one revision see the same.
func checkLongFork(tb testing.TB, handles []store.Store) {
	const readers, rounds = 4, 60
	put(tb, handles[0], "x", "0", "y", "0")
	settle(tb, handles...)
	ctx := tb.Context()
	type sight struct {
		revision uint64
		x, y     int
	}
	var mu sync.Mutex
	var seen []sight
	busy(tb, func() error {
		return together(readers, func(g int) error {
			for range rounds {
				var now sight
				err := handles[g%len(handles)].View(ctx, func(tx store.Tx) error {
					x, errX := getInt(tx, "x")
					y, errY := getInt(tx, "y")
					now = sight{tx.Revision(), x, y}
					return errors.Join(errX, errY)
				})
				if err != nil {
					return err
				}
				mu.Lock()
				seen = append(seen, now)
				mu.Unlock()
			}
			return nil
		})
	}, setter(ctx, handles[0], "x"), setter(ctx, handles[len(handles)-1], "y"))
	for _, a := range seen {
		for _, b := range seen {
			switch {
			case a.x < b.x && a.y > b.y:
				tb.Fatalf("one view sees x = %d and y = %d, another %d and %d", a.x, a.y, b.x, b.y)
			case a.revision == b.revision && a != b, a.revision < b.revision && (a.x > b.x || a.y > b.y):
				tb.Fatalf("views see %+v and %+v", a, b)
			}
		}
	}
}

// checkVersionsAgree has keys written, deleted and written again while views and updates
// note which value each version of them has.
func checkVersionsAgree(tb testing.TB, handles []store.Store) {
	const readers, rounds, keys = 4, 60, 3
	ctx := tb.Context()
	key := func(i int) string { return fmt.Sprint("key/", i%keys) }
	type state struct {
		key     string
		version uint64
	}
	var mu sync.Mutex
	values := map[state]string{}
	note := func(tx store.Tx) error {
		for i := range keys {
			v, errV := tx.Version(key(i))
			value, err := tx.Get(key(i))
			absent := errors.Is(err, store.ErrNotFound)
			switch {
			case errV != nil, err != nil && !absent:
				return errors.Join(errV, err)
			case absent != (v == 0), v > tx.Revision():
				return fmt.Errorf("at revision %d %s has version %d and is %q, %v", tx.Revision(), key(i), v, value, err)
			}
			mu.Lock()
			was, known := values[state{key(i), v}]
			values[state{key(i), v}] = string(value)
			mu.Unlock()
			if known && was != string(value) {
				return fmt.Errorf("version %d of %s is %q and %q", v, key(i), was, value)
			}
		}
		return nil
	}
	writer := func(w int) func(i int) error {
		s := handles[w%len(handles)]
		return func(i int) error {
			return persist(ctx, s, func(tx store.Tx) error {
				if i%5 == 4 {
					return tx.Delete(key(i + w))
				}
				return writes(tx, fmt.Sprintf("+%s=%d by %d", key(i), i, w), fmt.Sprintf("+%s=%d by %d", key(i+1), i, w))
			})
		}
	}
	busy(tb, func() error {
		return together(readers, func(g int) error {
			s := handles[g%len(handles)]
			for range rounds {
				run := s.View
				if g == 0 {
					run = s.Update
				}
				if err := run(ctx, note); err != nil && !errors.Is(err, store.ErrConflict) {
					return err
				}
			}
			return nil
		})
	}, writer(0), writer(1))
}
