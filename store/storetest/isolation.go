package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealring/sealring/store"
)

// anomaly is a case about two handles on one state, of which b may be a.
type anomaly struct {
	name string
	run  func(tb testing.TB, a, b store.Store)
}

// anomalies are what serialisable transactions on snapshots rule out, each with a
// scene in which a store that lets it happen shows it.
func anomalies() []anomaly {
	return []anomaly{
		{"Isolation/no lost update", lostUpdate},
		{"Isolation/no dirty read of what fails", dirtyReadOfFailed},
		{"Isolation/no dirty read of what is not committed", dirtyReadOfPending},
		{"Isolation/no unrepeatable read", unrepeatableRead},
		{"Isolation/no read skew", readSkew},
		{"Isolation/no write skew", writeSkew},
		{"Isolation/no phantom", phantom},
		{"Isolation/no phantom by deletion", phantomByDeletion},
		{"Isolation/no stale entry of a scan", staleEntry},
		{"Isolation/no write skew over scans", predicateSkew},
		{"Isolation/no stale read of an absent key", createRace},
		{"Isolation/no anomaly that only a reader sees", readOnlyAnomaly},
		{"Isolation/nothing is left of an earlier run", earlierRun},
		{"Isolation/a draft conflicts with what has changed", draftConflicts},
	}
}

func isolationChecks() []check {
	var all []check
	for _, a := range anomalies() {
		all = append(all, check{name: a.name, once: true, run: func(tb testing.TB, s store.Store) { a.run(tb, s, s) }})
	}
	return all
}

// lostUpdate has two transactions add one to what they have read.
func lostUpdate(tb testing.TB, a, b store.Store) {
	d := newDuel(tb, a, b, "n", "0")
	update(tb, a, func(tx store.Tx) error {
		n, err := getInt(tx, "n")
		if err != nil {
			return err
		}
		d.meanwhileUpdate(func(tx store.Tx) error { return add(tx, "n", 1) })
		return putInt(tx, "n", n+1)
	})
	d.end()
	d.expect("n", "2")
}

// dirtyReadOfFailed has an update read what another writes that fails afterwards, and
// act on it.
func dirtyReadOfFailed(tb testing.TB, a, b store.Store) {
	d := newDuel(tb, a, b, "x", "clean")
	err := a.Update(tb.Context(), func(tx store.Tx) error {
		if err := writes(tx, "+x=dirty", "+item/1=dirty"); err != nil {
			return err
		}
		d.meanwhileUpdate(func(tx store.Tx) error {
			x, err := tx.Get("x")
			if err != nil {
				return err
			}
			items, err := scan(tx, "item/", "")
			if err != nil {
				return err
			}
			return tx.Put("copy", fmt.Append(nil, string(x), len(items)))
		})
		return errOwn
	})
	expectError(tb, "Update whose function fails", err, errOwn)
	d.end()
	d.expect("copy", "clean0")
	d.expect("x", "clean")
}

// dirtyReadOfPending looks at what an update writes, before the update has returned
// from its function.
func dirtyReadOfPending(tb testing.TB, a, b store.Store) {
	d := newDuel(tb, a, b, "x", "clean")
	update(tb, a, func(tx store.Tx) error {
		if err := writes(tx, "+x=dirty", "+item/1=dirty"); err != nil {
			return err
		}
		var x []byte
		var items []string
		ended := d.meanwhile(func() error {
			return b.View(tb.Context(), func(tx store.Tx) (err error) {
				if x, err = tx.Get("x"); err == nil {
					items, err = scan(tx, "item/", "")
				}
				return err
			})
		})
		if ended && (string(x) != "clean" || len(items) > 0) {
			tb.Errorf("a view reads %q and %q, which nobody has committed", x, items)
		}
		return nil
	})
	d.end()
	d.expect("x", "dirty")
}

// inBoth runs the scene once in a view and once in an update.
func inBoth(tb testing.TB, a, b store.Store, setup []string, scene func(d *duel, tx store.Tx) error) {
	d := newDuel(tb, a, b, setup...)
	view(tb, a, func(tx store.Tx) error { return scene(d, tx) })
	d.end()
	put(tb, b, setup...)
	settle(tb, a, b)
	update(tb, a, func(tx store.Tx) error {
		if err := tx.Put("own", nil); err != nil { // not merely a reader
			return err
		}
		return scene(d, tx)
	})
	d.end()
}

// unrepeatableRead reads a key, its version and a scan twice. An update's function has
// to be able to rely on what it has read too, even in a run whose result is dropped.
func unrepeatableRead(tb testing.TB, a, b store.Store) {
	inBoth(tb, a, b, []string{"item/x", "old", "item/y", "old"}, func(d *duel, tx store.Tx) error {
		look := func() (string, error) {
			x, err := tx.Get("item/x")
			if err != nil {
				return "", err
			}
			v, err := tx.Version("item/x")
			if err != nil {
				return "", err
			}
			items, err := scan(tx, "item/", "")
			return fmt.Sprintf("%q of version %d in %q at %d", x, v, items, tx.Revision()), err
		}
		first, err := look()
		if err != nil {
			return err
		}
		d.meanwhileUpdate(func(tx store.Tx) error { return writes(tx, "+item/x=new", "-item/y", "+item/z=new") })
		second, err := look()
		if first != second {
			tb.Errorf("a transaction reads %s first and then %s", first, second)
		}
		return err
	})
}

// readSkew reads one of three keys that always change together before they do so, and
// the others afterwards.
func readSkew(tb testing.TB, a, b store.Store) {
	inBoth(tb, a, b, []string{"item/x", "old", "item/y", "old", "item/z", "old"}, func(d *duel, tx store.Tx) error {
		x, err := tx.Get("item/x")
		if err != nil {
			return err
		}
		d.meanwhileUpdate(func(tx store.Tx) error { return writes(tx, "+item/x=new", "+item/y=new", "+item/z=new") })
		y, err := tx.Get("item/y")
		if err != nil {
			return err
		}
		z, err := scan(tx, "item/z", "")
		if err != nil {
			return err
		}
		if len(z) != 2 || string(x) != string(y) || string(x) != z[1] {
			tb.Errorf("a transaction reads x = %q, y = %q and %q, which change together", x, y, z)
		}
		return nil
	})
}

// writeSkew has two transactions take one of two tokens each, if both are there.
func writeSkew(tb testing.TB, a, b store.Store) {
	d := newDuel(tb, a, b, "x", "1", "y", "1")
	take := func(tx store.Tx, key string, before func()) error {
		x, errX := getInt(tx, "x")
		y, errY := getInt(tx, "y")
		before()
		if err := errors.Join(errX, errY); err != nil || x+y < 2 {
			return err
		}
		return putInt(tx, key, 0)
	}
	update(tb, a, func(tx store.Tx) error {
		return take(tx, "x", func() {
			d.meanwhileUpdate(func(tx store.Tx) error { return take(tx, "y", func() {}) })
		})
	})
	d.end()
	view(tb, a, func(tx store.Tx) error {
		x, errX := getInt(tx, "x")
		y, errY := getInt(tx, "y")
		if x+y != 1 {
			tb.Errorf("%d tokens are left of two, want 1", x+y)
		}
		return errors.Join(errX, errY)
	})
}

// createRace has two transactions create one name, and then two names of which only
// one may exist.
func createRace(tb testing.TB, a, b store.Store) {
	for _, c := range []struct{ first, other, second string }{
		{"name", "name", "name"},
		{"left", "right", "right"},
	} {
		d := newDuel(tb, a, b)
		created := func(tx store.Tx, key, other string, before func()) (bool, error) {
			_, err := tx.Get(other)
			before()
			if !errors.Is(err, store.ErrNotFound) {
				return false, err
			}
			return true, tx.Put(key, []byte(key))
		}
		var first, second bool
		update(tb, a, func(tx store.Tx) (err error) {
			first, err = created(tx, c.first, c.other, func() {
				d.meanwhileUpdate(func(tx store.Tx) (err error) {
					second, err = created(tx, c.second, c.first, func() {})
					return err
				})
			})
			return err
		})
		d.end()
		if first == second {
			tb.Errorf("of two that create %q and %q unless the other is there, both succeed: %t", c.first, c.second, first)
		}
	}
}

// readOnlyAnomaly is from Fekete, O'Neil and O'Neil, "A Read-Only Transaction Anomaly
// Under Snapshot Isolation" (2004). Two accounts are empty. One transaction takes 10
// from x, and 1 more if that overdraws both together; meanwhile 20 are paid into y, and
// then a reader looks. If it sees the payment without the withdrawal, the withdrawal
// comes after the payment, and so costs nothing.
func readOnlyAnomaly(tb testing.TB, a, b store.Store) {
	d := newDuel(tb, a, b, "x", "0", "y", "0")
	seen := ""
	update(tb, a, func(tx store.Tx) error {
		x, errX := getInt(tx, "x")
		y, errY := getInt(tx, "y")
		if err := errors.Join(errX, errY); err != nil {
			return err
		}
		d.meanwhile(func() error {
			err := persist(tb.Context(), b, func(tx store.Tx) error { return putInt(tx, "y", 20) })
			if err != nil {
				return err
			}
			return b.View(tb.Context(), func(tx store.Tx) error {
				x, errX := getInt(tx, "x")
				y, errY := getInt(tx, "y")
				seen = fmt.Sprint(x, " ", y)
				return errors.Join(errX, errY)
			})
		})
		x -= 10
		if x+y < 0 {
			x--
		}
		return putInt(tx, "x", x)
	})
	d.end()
	view(tb, a, func(tx store.Tx) error {
		x, err := getInt(tx, "x")
		switch {
		case err != nil:
		case seen == "0 20" && x != -10, seen == "-10 20" && x != -10, seen == "-11 20" && x != -11:
			tb.Errorf("a reader sees accounts of %s, and then x is %d", seen, x)
		case !strings.HasSuffix(seen, " 20"):
			tb.Errorf("a reader that came after a payment of 20 into y sees accounts of %s", seen)
		}
		return err
	})
}

// earlierRun has an update lose to another, so that its function runs again, and
// expects the new run to begin with nothing of the earlier one's: writes, count of keys,
// or transaction.
func earlierRun(tb testing.TB, a, b store.Store) {
	d := newDuel(tb, a, b, "n", "0")
	const many = store.MaxKeys - 10
	runs := 0
	var earlier store.Tx
	update(tb, a, func(tx store.Tx) error {
		runs++
		if earlier != nil {
			_, err := earlier.Get("n")
			expectError(tb, "Get in the transaction of an earlier run", err, store.ErrTxDone)
			expectError(tb, "Put in the transaction of an earlier run", earlier.Put("late", nil), store.ErrTxDone)
		}
		earlier = tx
		n, err := getInt(tx, "n")
		if err != nil {
			return err
		}
		got, err := scan(tx, "run/", "")
		if err != nil {
			return err
		}
		if len(got) > 0 {
			tb.Errorf("run %d finds %q", runs, got)
		}
		expectAbsent(tb, tx, "last")
		for i := range many { // other keys in each run
			if err := tx.Put(fmt.Sprintf("run/%d/%03d", runs, i), nil); err != nil {
				return fmt.Errorf("run %d: %w", runs, err)
			}
		}
		if err := putInt(tx, "last", runs); err != nil {
			return err
		}
		d.meanwhileUpdate(func(tx store.Tx) error { return add(tx, "n", 1) })
		return putInt(tx, "n", n+1)
	})
	d.end()
	d.expect("n", "2")
	d.expect("last", fmt.Sprint(runs))
	view(tb, a, func(tx store.Tx) error {
		all, errAll := scan(tx, "run/", "")
		last, errLast := scan(tx, fmt.Sprintf("run/%d/", runs), "")
		if len(all) != 2*many || len(last) != 2*many {
			tb.Errorf("%d keys are there, %d of them from the last run, want %d", len(all)/2, len(last)/2, many)
		}
		expectAbsent(tb, tx, "late")
		return errors.Join(errAll, errLast)
	})
}

// draftConflicts has a draft decide on keys of which others then change one.
func draftConflicts(tb testing.TB, a, b store.Store) {
	for i, c := range []struct {
		change string
		want   error
	}{
		{"+other=1", nil},
		{"-none", nil}, // changes nothing
		{"+x=new", store.ErrConflict},
		{"+x=old", store.ErrConflict}, // the value that it had
		{"-x", store.ErrConflict},
		{"+none=1", store.ErrConflict},
		{"-x;+x=old", store.ErrConflict},
		{"+none=1;-none", nil}, // as if it had never been there
	} {
		remove(tb, b, "none", "out")
		newDuel(tb, a, b, "x", "old", "other", "0")
		var d *store.Draft
		view(tb, a, func(tx store.Tx) error {
			d = store.NewDraft(tx)
			if _, err := d.Get("none"); !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("none: %w", err)
			}
			_, err := d.Get("x")
			d.Put("out", fmt.Append(nil, i))
			return err
		})
		for change := range strings.SplitSeq(c.change, ";") {
			update(tb, b, func(tx store.Tx) error { return writes(tx, change) })
		}
		if c.want == nil { // else a may not know of the change yet
			settle(tb, a, b)
		}
		err := d.Commit(tb.Context(), a)
		if !errors.Is(err, c.want) {
			tb.Errorf("Commit of a draft after %s: %v, want %v", c.change, err, c.want)
		}
		want := fmt.Sprint(i)
		if c.want != nil {
			want = ""
		}
		settle(tb, a, b)
		(&duel{TB: tb, a: a, b: b}).expect("out", want)
	}
}
