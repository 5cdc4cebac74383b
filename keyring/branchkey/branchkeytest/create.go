package branchkeytest

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/sealring/sealring/keyring/branchkey"
)

func findsNothing(r reporter, table branchkey.Table) {
	expectNone(r, table, "nobody", active)
	create(r, table, newItem("somebody", active, "x"))
	expectNone(r, table, "somebody", beacon)
	expectNone(r, table, "nobody", active)
}

func createsAll(r reporter, table branchkey.Table) {
	items := keyItems("orders")
	create(r, table, items...)
	for _, item := range items {
		expect(r, table, item)
	}
}

func createsNothing(r reporter, table branchkey.Table) {
	there := newItem("orders", active, "there")
	create(r, table, there)
	if err := table.Create(r.Context(), keyItems("orders")...); !errors.Is(err, branchkey.ErrExists) {
		r.Errorf("Create returned %v instead of ErrExists", err)
	}
	expect(r, table, there)
	expectNone(r, table, "orders", first)
	expectNone(r, table, "orders", beacon)
}

// tellsApart uses ids that a careless composition of keys would mix up.
func tellsApart(r reporter, table branchkey.Table) {
	ids := []string{
		"a", "A", "a/", "/a", "a/b", "a%2Fb", "a%2fb", "a:b", "a b", "a+b", ".", "..", "a\x00b", "ä", "a\u0308",
		"a" + active, "a/" + active, active, "a/" + first, "世界", "\U0001F511",
	}
	for _, id := range ids {
		create(r, table, newItem(id, active, "active of "+id), newItem(id, beacon, "beacon of "+id))
	}
	for _, id := range ids {
		expect(r, table, newItem(id, active, "active of "+id))
		expect(r, table, newItem(id, beacon, "beacon of "+id))
		expectNone(r, table, id, first)
	}
}

func createsOnce(r reporter, table branchkey.Table) {
	races(r, func() error { return table.Create(r.Context(), keyItems("orders")...) }, branchkey.ErrExists)
	for _, item := range keyItems("orders") {
		expect(r, table, item)
	}
}

// races runs f many times at once and reports unless exactly one call succeeds and
// the others fail with lost or ErrConflict.
func races(r reporter, f func() error, lost error) {
	r.Helper()
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, lost) && !errors.Is(err, branchkey.ErrConflict):
			r.Errorf("a call that lost returned %v", err)
		}
	}
	if won != 1 {
		r.Errorf("%d calls of %d succeeded", won, len(errs))
	}
}

func copies(r reporter, table branchkey.Table) {
	spoil := func(i branchkey.Item) {
		i.Ciphertext[0] ^= 1
		maps.DeleteFunc(i.Attributes, func(string, string) bool { return true })
	}
	given := newItem("orders", active, "active")
	create(r, table, given)
	spoil(given)
	expect(r, table, newItem("orders", active, "active"))
	got, err := table.Get(r.Context(), "orders", active)
	if err != nil {
		r.Fatalf("Get: %v", err)
	}
	spoil(got)
	expect(r, table, newItem("orders", active, "active"))

	previous, version, next := []byte("active"), newItem("orders", second, "two"), newItem("orders", active, "next")
	if err := table.Rotate(r.Context(), version, next, previous); err != nil {
		r.Fatalf("Rotate: %v", err)
	}
	spoil(version)
	spoil(next)
	expect(r, table, newItem("orders", second, "two"))
	expect(r, table, newItem("orders", active, "next"))
}

func endsOnCancel(r reporter, table branchkey.Table) {
	create(r, table, keyItems("orders")...)
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	if _, err := table.Get(ctx, "orders", active); !errors.Is(err, context.Canceled) {
		r.Errorf("Get returned %v", err)
	}
	if err := table.Create(ctx, keyItems("bills")...); !errors.Is(err, context.Canceled) {
		r.Errorf("Create returned %v", err)
	}
	expectNone(r, table, "bills", active)
	err := table.Rotate(ctx, newItem("orders", second, "two"), newItem("orders", active, "next"), []byte("active"))
	if !errors.Is(err, context.Canceled) {
		r.Errorf("Rotate returned %v", err)
	}
	expect(r, table, newItem("orders", active, "active"))
	expectNone(r, table, "orders", second)
}
