package branchkeytest

import (
	"errors"

	"github.com/sealring/sealring/keyring/branchkey"
)

func rotates(r reporter, table branchkey.Table) {
	create(r, table, keyItems("orders")...)
	create(r, table, keyItems("bills")...)
	previous := "active"
	for _, v := range []string{second, version + "33333333-3333-4333-8333-333333333333"} {
		added, next := newItem("orders", v, "of "+v), newItem("orders", active, "active since "+v)
		next.Attributes[branchkey.AttributeVersion] = v
		if err := table.Rotate(r.Context(), added, next, []byte(previous)); err != nil {
			r.Fatalf("Rotate: %v", err)
		}
		expect(r, table, added)
		expect(r, table, next)
		previous = string(next.Ciphertext)
	}
	expect(r, table, newItem("orders", first, "one"))
	expect(r, table, newItem("orders", beacon, "beacon"))
	expect(r, table, newItem("bills", active, "active"))
}

// refuses reports unless the rotation of "orders" ends in a conflict and has written
// nothing.
func refuses(r reporter, table branchkey.Table, previous string) {
	r.Helper()
	next := newItem("orders", active, "next")
	err := table.Rotate(r.Context(), newItem("orders", second, "two"), next, []byte(previous))
	if !errors.Is(err, branchkey.ErrConflict) {
		r.Errorf("Rotate with the previous ciphertext %q returned %v instead of ErrConflict", previous, err)
	}
}

func refusesStale(r reporter, table branchkey.Table) {
	create(r, table, keyItems("orders")...)
	for _, previous := range []string{"", "activ", "active ", "Active", "one"} {
		refuses(r, table, previous)
	}
	expectNone(r, table, "orders", second)
	expect(r, table, newItem("orders", active, "active"))
}

func refusesAbsent(r reporter, table branchkey.Table) {
	create(r, table, newItem("orders", first, "active"), newItem("bills", active, "active"))
	refuses(r, table, "active")
	refuses(r, table, "")
	expectNone(r, table, "orders", active)
	expectNone(r, table, "orders", second)
	expect(r, table, newItem("bills", active, "active"))
}

func refusesTaken(r reporter, table branchkey.Table) {
	create(r, table, keyItems("orders")...)
	create(r, table, newItem("orders", second, "there"))
	refuses(r, table, "active")
	expect(r, table, newItem("orders", second, "there"))
	expect(r, table, newItem("orders", active, "active"))
}

func rotatesOnce(r reporter, table branchkey.Table) {
	create(r, table, keyItems("orders")...)
	races(r, func() error {
		return table.Rotate(r.Context(), newItem("orders", second, "two"), newItem("orders", active, "next"), []byte("active"))
	}, branchkey.ErrConflict)
	expect(r, table, newItem("orders", second, "two"))
	expect(r, table, newItem("orders", active, "next"))
}
