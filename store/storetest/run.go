package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sealring/sealring/store"
)

// patience bounds the waits for something that a correct store does at once. It
// passes only where a store has failed.
func patience(tb testing.TB) time.Duration {
	if short, ok := tb.(interface{ patience() time.Duration }); ok {
		return short.patience()
	}
	return 30 * time.Second
}

// check is one case of the kit. run gets an empty store of its own.
type check struct {
	name string
	run  func(tb testing.TB, s store.Store)
	once bool // the case says nothing more about a store that runs functions twice
}

// checks returns every case of the kit.
func checks() []check {
	return slices.Concat(valueChecks(), scanChecks(), transactionChecks(), limitChecks(),
		isolationChecks(), orderChecks(), concurrencyChecks(), stormChecks(), historyChecks(),
		lateChecks(), watchChecks(), followChecks(), closeChecks())
}

// Run tests the stores that open returns. It calls open for every case, and each
// call must return a new, empty store whose Watch reaches back to its beginning.
// Run closes the stores. Every case runs on the store itself, and most run on [Twice]
// of another too; the cases run in parallel.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, closing(t, open(t)))
		})
		if c.once {
			continue
		}
		t.Run("Twice/"+c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, Twice(closing(t, open(t))))
		})
	}
}

func closing(t *testing.T, s store.Store) store.Store {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// update runs fn in an update that has to succeed, again if it loses to others.
func update(tb testing.TB, s store.Store, fn func(store.Tx) error) {
	tb.Helper()
	if err := persist(tb.Context(), s, fn); err != nil {
		tb.Fatalf("Update: %v", err)
	}
}

// persist is an Update that is not deterred by conflicts.
func persist(ctx context.Context, s store.Store, fn func(store.Tx) error) error {
	for {
		if err := s.Update(ctx, fn); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func view(tb testing.TB, s store.Store, fn func(store.Tx) error) {
	tb.Helper()
	if err := s.View(tb.Context(), fn); err != nil {
		tb.Fatalf("View: %v", err)
	}
}

// put sets keys and values, which alternate, in one update.
func put(tb testing.TB, s store.Store, keysAndValues ...string) {
	tb.Helper()
	update(tb, s, func(tx store.Tx) error {
		for kv := range slices.Chunk(keysAndValues, 2) {
			if err := tx.Put(kv[0], []byte(kv[1])); err != nil {
				return err
			}
		}
		return nil
	})
}

// remove deletes keys in one update.
func remove(tb testing.TB, s store.Store, keys ...string) {
	tb.Helper()
	update(tb, s, func(tx store.Tx) error {
		for _, key := range keys {
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// scan returns the keys and values of a scan, alternating.
func scan(tx store.Tx, prefix, after string) ([]string, error) {
	var got []string
	for e, err := range tx.Scan(prefix, after) {
		if err != nil {
			return got, err
		}
		got = append(got, e.Key, string(e.Value))
	}
	return got, nil
}

// expect fails unless the store holds exactly the keys and values.
func expect(tb testing.TB, s store.Store, keysAndValues ...string) {
	tb.Helper()
	view(tb, s, func(tx store.Tx) error {
		got, err := scan(tx, "", "")
		if err == nil && !slices.Equal(got, keysAndValues) {
			tb.Errorf("the store holds %q, want %q", got, keysAndValues)
		}
		return err
	})
}

// expectGet fails unless tx.Get gives the value.
func expectGet(tb testing.TB, tx store.Tx, key, value string) {
	tb.Helper()
	if got, err := tx.Get(key); err != nil || string(got) != value {
		tb.Errorf("Get(%.40q) = %.40q, %v, want %.40q", key, got, err, value)
	}
}

// expectAbsent fails unless tx.Get gives ErrNotFound.
func expectAbsent(tb testing.TB, tx store.Tx, key string) {
	tb.Helper()
	if got, err := tx.Get(key); !errors.Is(err, store.ErrNotFound) {
		tb.Errorf("Get(%.40q) = %.40q, %v, want ErrNotFound", key, got, err)
	}
}

// expectError fails unless err matches want.
func expectError(tb testing.TB, what string, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// revision returns the store's present revision.
func revision(tb testing.TB, s store.Store) (r uint64) {
	tb.Helper()
	view(tb, s, func(tx store.Tx) error {
		r = tx.Revision()
		return nil
	})
	return r
}
