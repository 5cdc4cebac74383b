package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sealring/sealring/store"
)

func transactionChecks() []check {
	return []check{
		{name: "Update/reads its own writes", run: checkOwnWrites},
		{name: "Update/an error undoes everything", run: checkErrorRollback},
		{name: "Update/a panic undoes everything and locks nothing", run: checkPanicRollback},
		{name: "Update/a context that ends within undoes everything", run: checkCancelWithin},
		{name: "View/refuses to write", run: checkReadOnly},
		{name: "View/returns the function's error", run: checkViewError},
		{name: "View/is a snapshot", run: checkSnapshot},
		{name: "Tx/is of no use after its end", run: checkTxDone},
		{name: "Tx/the revision grows with each change", run: checkRevision},
		{name: "Tx/a key's version is its last commit's", run: checkVersion},
		{name: "Context/one that is done starts nothing", run: checkContextDone},
	}
}

var errOwn = errors.New("storetest: the function's own error")

func checkOwnWrites(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1", "b", "2")
	update(tb, s, func(tx store.Tx) error {
		expectGet(tb, tx, "a", "1")
		if err := writes(tx, "+a=new", "-b", "+c=3"); err != nil {
			return err
		}
		expectGet(tb, tx, "a", "new")
		expectAbsent(tb, tx, "b")
		expectGet(tb, tx, "c", "3")
		if err := writes(tx, "+b=back", "-c", "-a", "+a=newer"); err != nil {
			return err
		}
		expectGet(tb, tx, "a", "newer")
		expectGet(tb, tx, "b", "back")
		expectAbsent(tb, tx, "c")
		return nil
	})
	expect(tb, s, "a", "newer", "b", "back")
}

func checkErrorRollback(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1", "b", "2")
	err := s.Update(tb.Context(), func(tx store.Tx) error {
		if err := writes(tx, "+a=new", "-b", "+c=3"); err != nil {
			return err
		}
		return errOwn
	})
	expectError(tb, "Update whose function fails", err, errOwn)
	expect(tb, s, "a", "1", "b", "2")
}

func checkPanicRollback(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1", "b", "2")
	within := func(run func(context.Context, func(store.Tx) error) error, list ...string) (value any) {
		defer func() { value = recover() }()
		_ = run(tb.Context(), func(tx store.Tx) error {
			if err := writes(tx, list...); err != nil {
				return err
			}
			panic(errOwn)
		})
		return nil
	}
	if got := within(s.Update, "+a=new", "-b", "+c=3"); got != errOwn {
		tb.Errorf("Update lets the panic through as %v, want %v", got, errOwn)
	}
	if got := within(s.View); got != errOwn {
		tb.Errorf("View lets the panic through as %v, want %v", got, errOwn)
	}
	expect(tb, s, "a", "1", "b", "2")

	ctx, cancel := context.WithTimeout(tb.Context(), patience(tb))
	defer cancel()
	if err := persist(ctx, s, func(tx store.Tx) error { return tx.Put("d", nil) }); err != nil {
		tb.Fatalf("Update after a panic: %v", err)
	}
	expect(tb, s, "a", "1", "b", "2", "d", "")
}

func checkCancelWithin(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	ctx, cancel := context.WithCancel(tb.Context())
	err := s.Update(ctx, func(tx store.Tx) error {
		cancel()
		return tx.Put("a", []byte("new"))
	})
	expectError(tb, "Update whose context ends within", err, context.Canceled)
	expect(tb, s, "a", "1")
}

func checkReadOnly(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	view(tb, s, func(tx store.Tx) error {
		expectError(tb, "Put in a View", tx.Put("a", []byte("new")), store.ErrReadOnly)
		expectError(tb, "Put in a View", tx.Put("b", nil), store.ErrReadOnly)
		expectError(tb, "Delete in a View", tx.Delete("a"), store.ErrReadOnly)
		expectGet(tb, tx, "a", "1")
		expectAbsent(tb, tx, "b")
		return nil
	})
	expect(tb, s, "a", "1")
}

func checkViewError(tb testing.TB, s store.Store) {
	err := s.View(tb.Context(), func(store.Tx) error { return errOwn })
	expectError(tb, "View whose function fails", err, errOwn)
}

func checkSnapshot(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1", "b", "2", "c", "3")
	wrote := make(chan error, 1)
	view(tb, s, func(tx store.Tx) error {
		expectGet(tb, tx, "a", "1")
		before := tx.Revision()
		go func() {
			wrote <- persist(tb.Context(), s, func(tx store.Tx) error {
				return writes(tx, "+a=new", "+b=new", "-c", "+d=new")
			})
		}()
		select {
		case err := <-wrote:
			wrote <- err
		case <-time.After(time.Second): // a store may hold writers up until views end
		}
		expectGet(tb, tx, "a", "1")
		expectGet(tb, tx, "b", "2")
		expectAbsent(tb, tx, "d")
		if v, err := tx.Version("a"); err != nil || v == 0 || v > before {
			tb.Errorf("the version of a key of the snapshot of revision %d is %d, %v", before, v, err)
		}
		got, err := scan(tx, "", "")
		if err == nil && len(got) != 6 {
			tb.Errorf("a scan of the snapshot yields %q", got)
		}
		if r := tx.Revision(); r != before {
			tb.Errorf("the snapshot's revision went from %d to %d", before, r)
		}
		return err
	})
	if err := <-wrote; err != nil {
		tb.Fatalf("Update during a View: %v", err)
	}
	expect(tb, s, "a", "new", "b", "new", "d", "new")
}

func checkTxDone(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	var viewed, updated store.Tx
	view(tb, s, func(tx store.Tx) error { viewed = tx; return nil })
	update(tb, s, func(tx store.Tx) error { updated = tx; return tx.Put("b", nil) })
	for _, tx := range []store.Tx{viewed, updated} {
		_, err := tx.Get("a")
		expectError(tb, "Get after the end", err, store.ErrTxDone)
		_, err = tx.Version("a")
		expectError(tb, "Version after the end", err, store.ErrTxDone)
		_, err = scan(tx, "", "")
		expectError(tb, "Scan after the end", err, store.ErrTxDone)
	}
	expectError(tb, "Put after the end", updated.Put("c", nil), store.ErrTxDone)
	expectError(tb, "Delete after the end", updated.Delete("a"), store.ErrTxDone)
	expect(tb, s, "a", "1", "b", "")
}

func checkRevision(tb testing.TB, s store.Store) {
	last := revision(tb, s)
	for _, change := range []string{"+a=1", "+b=2", "+a=1", "-b"} { // +a=1 changes nothing but counts
		var within uint64
		update(tb, s, func(tx store.Tx) error {
			within = tx.Revision()
			return writes(tx, change)
		})
		now := revision(tb, s)
		if within < last || now <= within {
			tb.Errorf("%s: revision %d before, %d within, %d after", change, last, within, now)
		}
		last = now
	}
}

// checkVersion expects a key's version to be the revision that its last commit gave
// the store, whatever else was committed since.
func checkVersion(tb testing.TB, s store.Store) {
	want := map[string]uint64{}
	check := func(tx store.Tx, when string) {
		tb.Helper()
		for _, key := range []string{"a", "b"} {
			if v, err := tx.Version(key); err != nil || v != want[key] {
				tb.Errorf("version of %q %s: %d, %v; want %d", key, when, v, err, want[key])
			}
		}
	}
	for _, change := range []string{"+a=1", "+b=2", "+a=1", "-b", "+c=3", "+b=2", "+a="} {
		update(tb, s, func(tx store.Tx) error {
			check(tx, "within an update")
			if err := writes(tx, change); err != nil {
				return err
			}
			check(tx, "after a write of the transaction's own")
			return nil
		})
		want[change[1:2]] = revision(tb, s)
		if change[0] == '-' {
			want[change[1:2]] = 0
		}
		view(tb, s, func(tx store.Tx) error { check(tx, "after "+change); return nil })
	}
}

func checkContextDone(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1")
	ctx, cancel := context.WithCancel(tb.Context())
	cancel()
	err := s.View(ctx, func(store.Tx) error { return nil })
	expectError(tb, "View", err, context.Canceled)
	err = s.Update(ctx, func(tx store.Tx) error { return tx.Put("a", []byte("2")) })
	expectError(tb, "Update", err, context.Canceled)
	_, err = watch(ctx, s, "", 0, func(store.Change) bool { return false })
	expectError(tb, "Watch", err, context.Canceled)
	expect(tb, s, "a", "1")
}
