package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/sealring/sealring/store"
)

func concurrencyChecks() []check {
	return []check{
		{name: "Concurrency/no increment of a counter is lost", run: checkCounter},
		{name: "Concurrency/transfers keep the total in every view", run: checkTransfers},
		{name: "Concurrency/decisions on what others write exclude each other", run: checkWriteSkew},
		{name: "Concurrency/decisions on what is not there exclude each other", run: checkPhantom},
	}
}

// together runs fn(0) to fn(n-1) on goroutines of their own and returns their
// errors, joined.
func together(n int, fn func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- fn(i) }()
	}
	var all []error
	for range n {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

func getInt(tx store.Tx, key string) (int, error) {
	v, err := tx.Get(key)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(v))
}

func putInt(tx store.Tx, key string, n int) error { return tx.Put(key, []byte(strconv.Itoa(n))) }

// add adds n to the number at key.
func add(tx store.Tx, key string, n int) error {
	was, err := getInt(tx, key)
	if err != nil {
		return err
	}
	return putInt(tx, key, was+n)
}

func checkCounter(tb testing.TB, s store.Store) {
	const workers, rounds = 8, 25
	put(tb, s, "n", "0")
	err := together(workers, func(int) error {
		for range rounds {
			err := persist(tb.Context(), s, func(tx store.Tx) error { return add(tx, "n", 1) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("Update: %v", err)
	}
	expect(tb, s, "n", strconv.Itoa(workers*rounds))
}

func checkTransfers(tb testing.TB, s store.Store) {
	const accounts, workers, rounds, each = 7, 4, 40, 100
	account := func(i int) string { return fmt.Sprintf("account/%d", i%accounts) }
	update(tb, s, func(tx store.Tx) error {
		for i := range accounts {
			if err := putInt(tx, account(i), each); err != nil {
				return err
			}
		}
		return nil
	})
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
	transfer := func(worker int) error {
		for round := range rounds {
			from, to := account(worker+round), account(worker+3*round+1)
			err := persist(tb.Context(), s, func(tx store.Tx) error {
				if err := add(tx, from, -round); err != nil {
					return err
				}
				return add(tx, to, round) // from and to may be the same
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	// Half of the workers transfer and half of them look.
	err := together(2*workers, func(i int) error {
		if i < workers {
			return transfer(i)
		}
		for range rounds {
			if err := s.View(tb.Context(), total); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Errorf("%v", err)
	}
	view(tb, s, total)
}

// checkWriteSkew has two goroutines each take one of two tokens, if both are there.
// Reading the same and writing different keys, they conflict only in their reads.
func checkWriteSkew(tb testing.TB, s store.Store) {
	for round := range 20 {
		put(tb, s, "a", "1", "b", "1")
		err := together(2, func(i int) error {
			return persist(tb.Context(), s, func(tx store.Tx) error {
				a, errA := getInt(tx, "a")
				b, errB := getInt(tx, "b")
				if err := errors.Join(errA, errB); err != nil || a+b < 2 {
					return err
				}
				return putInt(tx, []string{"a", "b"}[i], 0)
			})
		})
		if err != nil {
			tb.Fatalf("Update: %v", err)
		}
		view(tb, s, func(tx store.Tx) error {
			a, errA := getInt(tx, "a")
			b, errB := getInt(tx, "b")
			if a+b != 1 {
				tb.Errorf("round %d: %d tokens are left, want 1", round, a+b)
			}
			return errors.Join(errA, errB)
		})
	}
}

// checkPhantom has several goroutines each put a key of its own, if a scan finds none.
func checkPhantom(tb testing.TB, s store.Store) {
	for round := range 20 {
		prefix := fmt.Sprintf("round/%d/", round)
		err := together(4, func(i int) error { return claim(tb.Context(), s, prefix, i) })
		if err != nil {
			tb.Fatalf("Update: %v", err)
		}
		view(tb, s, func(tx store.Tx) error {
			got, err := scan(tx, prefix, "")
			if err == nil && len(got) != 2 {
				tb.Errorf("round %d: %d keys were put, want 1", round, len(got)/2)
			}
			return err
		})
	}
}

func claim(ctx context.Context, s store.Store, prefix string, i int) error {
	return persist(ctx, s, func(tx store.Tx) error {
		for _, err := range tx.Scan(prefix, "") {
			return err // nil if there is a key
		}
		return putInt(tx, prefix+strconv.Itoa(i), i)
	})
}
