package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/sealring/sealring/store"
)

func stormChecks() []check {
	var all []check
	for _, a := range storms() {
		all = append(all, check{name: a.name, once: true, run: func(tb testing.TB, s store.Store) {
			a.run(tb, []store.Store{s})
		}})
	}
	return all
}

// storm is a case about many goroutines that use the handles by turns.
type storm struct {
	name string
	run  func(tb testing.TB, handles []store.Store)
}

func storms() []storm {
	return []storm{
		{"Storm/one counter", counterStorm},
		{"Storm/transfers between few accounts", transferStorm},
		{"Storm/one name for each", nameStorm},
	}
}

const stormers = 32

// stubborn is an Update that tries again after a conflict. In a storm of n updates a
// correct store has one update end with ErrConflict fewer than n times, because another
// has been committed each time.
func stubborn(ctx context.Context, s store.Store, n int, fn func(store.Tx) error) error {
	for range n {
		if err := s.Update(ctx, fn); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("one of %d updates has had %d conflicts: %w", n, n, store.ErrConflict)
}

// raging runs fn on many goroutines, for a bounded time.
func raging(tb testing.TB, fn func(ctx context.Context, i int) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	if err := together(stormers, func(i int) error { return fn(ctx, i) }); err != nil {
		tb.Fatalf("%v", err)
	}
}

func counterStorm(tb testing.TB, handles []store.Store) {
	const rounds = 8
	put(tb, handles[0], "n", "0")
	settle(tb, handles...)
	raging(tb, func(ctx context.Context, i int) error {
		for range rounds {
			err := stubborn(ctx, handles[i%len(handles)], stormers*rounds, func(tx store.Tx) error { return add(tx, "n", 1) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	settle(tb, handles...)
	for _, s := range handles {
		view(tb, s, func(tx store.Tx) error { expectGet(tb, tx, "n", strconv.Itoa(stormers*rounds)); return nil })
	}
}

// transferStorm transfers between accounts, and takes note of what each account should
// hold at the end.
func transferStorm(tb testing.TB, handles []store.Store) {
	const accounts, rounds, each = 5, 6, 100
	account := func(i int) string { return fmt.Sprint("account/", i%accounts) }
	for i := range accounts {
		put(tb, handles[0], account(i), strconv.Itoa(each))
	}
	settle(tb, handles...)
	total := func(tx store.Tx) error {
		sum := 0
		for e, err := range tx.Scan("account/", "") {
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(e.Value))
			if err != nil {
				return err
			}
			sum += n
		}
		if sum != accounts*each {
			return fmt.Errorf("the accounts hold %d, want %d", sum, accounts*each)
		}
		return nil
	}
	var want [accounts]atomic.Int64
	raging(tb, func(ctx context.Context, i int) error {
		s := handles[i%len(handles)]
		for round := range rounds {
			from, to, amount := i+round, i+2*round+1, i+1
			err := stubborn(ctx, s, stormers*rounds, func(tx store.Tx) error {
				if round == 0 { // some rest on all of them
					if err := total(tx); err != nil {
						return err
					}
				}
				if err := add(tx, account(from), -amount); err != nil {
					return err
				}
				return add(tx, account(to), amount)
			})
			if err != nil {
				return err
			}
			want[from%accounts].Add(int64(-amount))
			want[to%accounts].Add(int64(amount))
			if err := s.View(ctx, total); err != nil {
				return err
			}
		}
		return nil
	})
	settle(tb, handles...)
	for _, s := range handles {
		view(tb, s, func(tx store.Tx) error {
			for i := range accounts {
				expectGet(tb, tx, account(i), strconv.FormatInt(each+want[i].Load(), 10))
			}
			return nil
		})
	}
}

// nameStorm has every goroutine try to create every name. Each name has one creator.
func nameStorm(tb testing.TB, handles []store.Store) {
	const names = 8
	errTaken := errors.New("storetest: taken")
	var creators [names]atomic.Int64
	var winner [names]atomic.Int64
	raging(tb, func(ctx context.Context, i int) error {
		for j := range names {
			name := (i + j) % names
			err := stubborn(ctx, handles[i%len(handles)], stormers*names, func(tx store.Tx) error {
				switch _, err := tx.Get(fmt.Sprint("name/", name)); {
				case err == nil:
					return errTaken
				case !errors.Is(err, store.ErrNotFound):
					return err
				}
				return putInt(tx, fmt.Sprint("name/", name), i)
			})
			switch {
			case err == nil:
				creators[name].Add(1)
				winner[name].Store(int64(i))
			case !errors.Is(err, errTaken):
				return err
			}
		}
		return nil
	})
	settle(tb, handles...)
	view(tb, handles[0], func(tx store.Tx) error {
		for name := range names {
			if n := creators[name].Load(); n != 1 {
				tb.Errorf("name %d was created %d times", name, n)
			}
			expectGet(tb, tx, fmt.Sprint("name/", name), fmt.Sprint(winner[name].Load()))
		}
		return nil
	})
}
