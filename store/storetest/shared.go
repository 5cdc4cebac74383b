package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sealring/sealring/store"
)

// RunShared tests stores that share their contents, such as those of several processes
// on one cluster. open returns n of them, all open at once, on contents that are
// empty and that no other call has returned; RunShared closes them.
//
// staleness is how long after the return of an update through one store a view begun
// through another may still not see it. An update always sees its own store's updates,
// and through each store by itself everything is as [Run] expects.
func RunShared(t *testing.T, staleness time.Duration, open func(t *testing.T, n int) []store.Store) {
	for _, c := range sharedChecks(staleness) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			handles := open(t, c.handles)
			for _, s := range handles {
				closing(t, s)
			}
			c.run(t, handles)
		})
	}
}

// sharedCheck is a case about several handles on one state.
type sharedCheck struct {
	name    string
	handles int
	run     func(tb testing.TB, handles []store.Store)
}

func sharedChecks(staleness time.Duration) []sharedCheck {
	all := []sharedCheck{
		{"Order/revisions never go back through one handle", 3, checkMonotonic},
		{"Order/all handles see updates in one order", 3, checkLongFork},
		{"Order/a version stands for a value through all handles", 3, checkVersionsAgree},
		{"History/random transactions are serialisable", 3, func(tb testing.TB, handles []store.Store) {
			checkHistory(tb, handles, staleness == 0)
		}},
		{"Follow/all handles yield the same commits, whole", 3, commitsStayWhole},
		{"Follow/readers that begin at any time end at the truth", 3, lateJoin},
		{"Shared/a handle sees its own updates at once", 3, checkOwnUpdates},
		{"Shared/every handle sees an update in time", 3, func(tb testing.TB, handles []store.Store) {
			checkStaleness(tb, handles, staleness)
		}},
		{"Shared/closing a handle leaves the others alone", 3, checkCloseOne},
	}
	for _, a := range anomalies() {
		all = append(all, sharedCheck{a.name, 2, func(tb testing.TB, handles []store.Store) {
			a.run(tb, handles[0], handles[1])
		}})
	}
	for _, a := range storms() {
		all = append(all, sharedCheck{a.name, 4, a.run})
	}
	return all
}

// checkOwnUpdates has each handle look for what it has just updated, in a view and in
// an update, while all of them write.
func checkOwnUpdates(tb testing.TB, handles []store.Store) {
	const rounds = 20
	ctx := tb.Context()
	put(tb, handles[0], "n", "0")
	settle(tb, handles...)
	err := together(len(handles), func(h int) error {
		s, own := handles[h], fmt.Sprint("own/", h)
		for i := range rounds {
			within := uint64(0)
			err := persist(ctx, s, func(tx store.Tx) error {
				within = tx.Revision()
				return errors.Join(putInt(tx, own, i), add(tx, "n", 1))
			})
			if err != nil {
				return err
			}
			for _, run := range []func(context.Context, func(store.Tx) error) error{s.View, s.Update} {
				err := run(ctx, func(tx store.Tx) error {
					if n, err := getInt(tx, own); err != nil || n != i || tx.Revision() <= within {
						return fmt.Errorf("handle %d reads %d, %v at revision %d, after an update to %d on revision %d",
							h, n, err, tx.Revision(), i, within)
					}
					return nil
				})
				if err != nil && !errors.Is(err, store.ErrConflict) {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("%v", err)
	}
	settle(tb, handles...)
	for _, s := range handles {
		view(tb, s, func(tx store.Tx) error {
			expectGet(tb, tx, "n", fmt.Sprint(rounds*len(handles)))
			return nil
		})
	}
}

// checkStaleness updates through each handle, and begins to look through the others when
// all of the staleness that is allowed has passed. A handle may fail, and be asked again,
// but not give what was there before.
func checkStaleness(tb testing.TB, handles []store.Store, staleness time.Duration) {
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb)+time.Minute)
	defer cancel()
	rounds := 40
	if staleness > 0 {
		rounds = 6
	}
	for i := range rounds {
		put(tb, handles[i%len(handles)], "n", fmt.Sprint(i))
		time.Sleep(staleness)
		for h, s := range handles {
			run := s.View
			if i >= rounds/2 { // not before, for an update may bring its handle up to date
				run = s.Update
			}
			stale := error(nil)
			err := await(ctx, func() (bool, error) {
				err := run(ctx, func(tx store.Tx) error {
					if n, err := getInt(tx, "n"); err != nil || n != i {
						stale = fmt.Errorf("handle %d reads %d, %v after an update to %d that is %v old", h, n, err, i, staleness)
					}
					return nil
				})
				return err == nil || stale != nil, err
			})
			if stale != nil {
				err = stale
			}
			if err != nil {
				tb.Fatalf("%v", err)
			}
		}
	}
}

// checkCloseOne closes one of three handles while the others write and watch.
func checkCloseOne(tb testing.TB, handles []store.Store) {
	put(tb, handles[0], "x", "0", "y", "0")
	settle(tb, handles...)
	begin := revision(tb, handles[1])
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	const rounds = 20
	closed := make(chan struct{})
	err := together(4, func(i int) error {
		switch i {
		case 0: // the one that is closed
			for n := range rounds / 2 {
				if err := setter(ctx, handles[0], "x")(n); err != nil {
					return err
				}
			}
			close(closed)
			return handles[0].Close()
		case 1:
			_, err := watch(ctx, handles[0], "y", begin, func(store.Change) bool { return true })
			if !errors.Is(err, store.ErrClosed) {
				return fmt.Errorf("the watch of the closed handle ends with %w", err)
			}
			return nil
		case 2:
			for n := range rounds {
				if n == rounds/2 {
					<-closed
				}
				if err := setter(ctx, handles[1], "y")(n); err != nil {
					return fmt.Errorf("after another handle was closed: %w", err)
				}
			}
			return nil
		}
		got, err := watch(ctx, handles[2], "y", begin, func(c store.Change) bool { return string(c.Value) != fmt.Sprint(rounds-1) })
		if err == nil && len(got) != rounds {
			err = fmt.Errorf("%d changes, want %d", len(got), rounds)
		}
		if err != nil {
			return fmt.Errorf("a watch while another handle was closed: %w", err)
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("%v", err)
	}
	nothing := func(store.Tx) error { return nil }
	expectError(tb, "View of the closed handle", handles[0].View(tb.Context(), nothing), store.ErrClosed)
	expectError(tb, "Update of the closed handle", handles[0].Update(tb.Context(), nothing), store.ErrClosed)
	settle(tb, handles[1:]...)
	for _, s := range handles[1:] {
		view(tb, s, func(tx store.Tx) error {
			expectGet(tb, tx, "x", fmt.Sprint(rounds/2-1))
			expectGet(tb, tx, "y", fmt.Sprint(rounds-1))
			return nil
		})
	}
}
