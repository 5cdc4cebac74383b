package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sealring/sealring/store"
)

// duel is the scene of two transactions that get in each other's way: the first runs
// on a, and while its function runs the second is begun on b. The two are handles on
// the same state, or one and the same.
//
// A store may run the second at once, or hold it up until the first has ended. So the
// first waits for it no longer than a correct and quick store needs; where that is too
// short the scene shows less, but never fails for it.
type duel struct {
	testing.TB
	a, b    store.Store
	moment  time.Duration
	began   bool
	pending []chan error
}

// duelKey begins the keys that a duel itself uses. No case scans them.
const duelKey = "~duel"

// newDuel returns a scene whose two handles hold the keys and values.
func newDuel(tb testing.TB, a, b store.Store, keysAndValues ...string) *duel {
	tb.Helper()
	d := &duel{TB: tb, a: a, b: b}
	begin := time.Now()
	put(tb, b, append([]string{duelKey, "0"}, keysAndValues...)...)
	d.moment = min(max(5*time.Millisecond, 5*time.Since(begin)), time.Second)
	settle(tb, a, b)
	return d
}

// meanwhile begins fn the first time that it is called, and says whether fn has ended.
func (d *duel) meanwhile(fn func() error) bool {
	if d.began {
		return false
	}
	d.began = true
	ended := make(chan error, 1)
	go func() { ended <- fn() }()
	select {
	case err := <-ended:
		if err != nil {
			d.Errorf("the second transaction: %v", err)
		}
		return true
	case <-time.After(d.moment):
		d.pending = append(d.pending, ended)
		return false
	}
}

// meanwhileUpdate begins an update on b as meanwhile does.
func (d *duel) meanwhileUpdate(fn func(store.Tx) error) bool {
	return d.meanwhile(func() error { return persist(d.Context(), d.b, fn) })
}

// end waits for the second transaction, and until both handles show everything.
func (d *duel) end() {
	d.Helper()
	for _, ended := range d.pending {
		select {
		case err := <-ended:
			if err != nil {
				d.Errorf("the second transaction: %v", err)
			}
		case <-time.After(patience(d.TB)):
			d.Fatalf("the second transaction does not end")
		}
	}
	if !d.began {
		d.Errorf("the second transaction never began")
	}
	d.began, d.pending = false, nil
	settle(d.TB, d.a, d.b)
}

// expect fails unless either handle gives the value for key, "" if it is not there.
func (d *duel) expect(key, want string) {
	d.Helper()
	for _, s := range []store.Store{d.a, d.b} {
		view(d.TB, s, func(tx store.Tx) error {
			got, err := tx.Get(key)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if string(got) != want {
				d.Errorf("%q is %q, want %q", key, got, want)
			}
			return nil
		})
	}
}

// settle returns when what was committed before through any of the handles can be seen
// through each.
func settle(tb testing.TB, handles ...store.Store) {
	tb.Helper()
	mark := rand.Text()
	put(tb, handles[0], duelKey, mark)
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	for i, s := range handles {
		err := await(ctx, func() (seen bool, err error) {
			err = s.View(ctx, func(tx store.Tx) error {
				v, err := tx.Get(duelKey)
				seen = string(v) == mark
				return err
			})
			return seen, err
		})
		if err != nil {
			tb.Fatalf("handle %d does not show what was committed: %v", i, err)
		}
	}
}

// await calls done until it returns true or ctx ends. What done fails with is only told
// if that is how it ends.
func await(ctx context.Context, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w, last: %v", ctx.Err(), err)
		case <-time.After(time.Millisecond):
		}
	}
}
