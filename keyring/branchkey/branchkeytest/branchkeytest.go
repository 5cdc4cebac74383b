// Package branchkeytest is a conformance test for implementations of
// [branchkey.Table]:
//
//	func TestConformance(t *testing.T) {
//		branchkeytest.Run(t, func(t *testing.T) branchkey.Table { return newTable(t) })
//	}
//
// It is deliberately not asserted that items outlive the process, which identifiers
// are too long, or in which class an error is where [branchkey.Table] does not say so.
// Faulty locking shows only when the test runs under the race detector.
package branchkeytest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/sealring/sealring/keyring/branchkey"
)

// Run runs every case as a parallel subtest of t. It calls newTable once for each,
// with the subtest; the table has to be empty.
func Run(t *testing.T, newTable func(t *testing.T) branchkey.Table) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, newTable(t))
		})
	}
}

// reporter is the part of testing.TB that the cases use, so that the package's own
// tests can watch them fail.
type reporter interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

var cases = []struct {
	name string
	run  func(reporter, branchkey.Table)
}{
	{"an item that was never written is not found", findsNothing},
	{"what was created comes back", createsAll},
	{"of items of which one exists none is created", createsNothing},
	{"items of other ids and types are others", tellsApart},
	{"a rotation adds the version and replaces the active item", rotates},
	{"a rotation is refused when the active item has changed", refusesStale},
	{"a rotation is refused when there is no active item", refusesAbsent},
	{"a rotation is refused when the version exists", refusesTaken},
	{"of many creations at once one succeeds", createsOnce},
	{"of many rotations at once one succeeds", rotatesOnce},
	{"items belong to those who hold them", copies},
	{"a cancelled context ends the call", endsOnCancel},
}

const (
	active  = "branch:ACTIVE"
	beacon  = "beacon:ACTIVE"
	version = "branch:version:"

	first  = version + "11111111-1111-4111-8111-111111111111"
	second = version + "22222222-2222-4222-8222-222222222222"
)

// newItem returns an item as a key store writes it.
func newItem(id, itemType, ciphertext string) branchkey.Item {
	item := branchkey.Item{
		Attributes: map[string]string{
			branchkey.AttributeID:                 id,
			branchkey.AttributeType:               itemType,
			branchkey.AttributeCreated:            "2026-01-02T03:04:05.678901Z",
			branchkey.AttributeKMSKey:             "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
			branchkey.AttributeSchema:             "1",
			branchkey.AttributeContext + "tenänt": "42 / 世界",
			branchkey.AttributeContext + "more":   "x",
		},
		Ciphertext: []byte(ciphertext),
	}
	if itemType == active {
		item.Attributes[branchkey.AttributeVersion] = first
	}
	return item
}

// keyItems returns the items of a new branch key.
func keyItems(id string) []branchkey.Item {
	return []branchkey.Item{newItem(id, first, "one"), newItem(id, active, "active"), newItem(id, beacon, "beacon")}
}

func create(r reporter, table branchkey.Table, items ...branchkey.Item) {
	r.Helper()
	if err := table.Create(r.Context(), items...); err != nil {
		r.Fatalf("Create: %v", err)
	}
}

// expect reports unless the table holds exactly want under its id and type.
func expect(r reporter, table branchkey.Table, want branchkey.Item) {
	r.Helper()
	id, itemType := want.Attributes[branchkey.AttributeID], want.Attributes[branchkey.AttributeType]
	got, err := table.Get(r.Context(), id, itemType)
	if err != nil {
		r.Errorf("Get of %q %q: %v", id, itemType, err)
		return
	}
	if !bytes.Equal(got.Ciphertext, want.Ciphertext) || !maps.Equal(got.Attributes, want.Attributes) {
		r.Errorf("Get of %q %q returned\n%q\ninstead of\n%q", id, itemType, got, want)
	}
}

// expectNone reports unless the table has no such item.
func expectNone(r reporter, table branchkey.Table, id, itemType string) {
	r.Helper()
	if _, err := table.Get(r.Context(), id, itemType); !errors.Is(err, branchkey.ErrNotFound) {
		r.Errorf("Get of %q %q returned %v instead of ErrNotFound", id, itemType, err)
	}
}
