package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealring/sealring/store"
)

func valueChecks() []check {
	return []check{
		{name: "Get/a key that is not there is ErrNotFound", run: checkMissing},
		{name: "Put/every value and key is read back", run: checkReadBack},
		{name: "Put/an empty value is there", run: checkEmptyValue},
		{name: "Put/a second value replaces the first", run: checkReplace},
		{name: "Delete/removes the key and no other", run: checkDelete},
		{name: "Put/copies the value", run: checkPutCopies},
		{name: "Get/gives a slice to the caller", run: checkGetCopies},
		{name: "Scan/gives slices to the caller", run: checkScanCopies},
	}
}

func checkMissing(tb testing.TB, s store.Store) {
	put(tb, s, "ab", "1")
	for _, key := range []string{"a", "abc", "b", "AB", "ab\x00"} {
		view(tb, s, func(tx store.Tx) error { expectAbsent(tb, tx, key); return nil })
		update(tb, s, func(tx store.Tx) error { expectAbsent(tb, tx, key); return nil })
	}
}

func checkReadBack(tb testing.TB, s store.Store) {
	want := map[string]string{
		"\x01\x00": "nul", "\x01": "one", "\xff": "not UTF-8", "\xff\xff\xff": "last",
		"a/b": "slash", "é ☃": "UTF-8", strings.Repeat("k", store.MaxKey): "long",
	}
	for _, n := range []int{1, 15, 16, 17, 255, 4096, 65536, 500_000} {
		want[fmt.Sprintf("size/%d", n)] = strings.Repeat("v\x00", n/2) + strings.Repeat("x", n%2)
	}
	for key, value := range want {
		put(tb, s, key, value)
	}
	for key, value := range want {
		view(tb, s, func(tx store.Tx) error { expectGet(tb, tx, key, value); return nil })
		update(tb, s, func(tx store.Tx) error { expectGet(tb, tx, key, value); return nil })
	}
}

func checkEmptyValue(tb testing.TB, s store.Store) {
	after := revision(tb, s)
	update(tb, s, func(tx store.Tx) error {
		if err := tx.Put("empty", []byte{}); err != nil {
			return err
		}
		expectGet(tb, tx, "empty", "")
		return tx.Put("nil", nil)
	})
	view(tb, s, func(tx store.Tx) error {
		expectGet(tb, tx, "empty", "")
		expectGet(tb, tx, "nil", "")
		return nil
	})
	expect(tb, s, "empty", "", "nil", "")
	changes := watchTo(tb, s, "", after, "~end")
	expectChanges(tb, changes, "+empty=", "+nil=")
	for _, c := range changes {
		if c.Deleted || c.Value == nil || len(c.Value) != 0 {
			tb.Errorf("Watch reports the empty value of %q as %+v", c.Key, c)
		}
	}
}

func checkReplace(tb testing.TB, s store.Store) {
	put(tb, s, "a", "a long first value", "b", "1")
	put(tb, s, "a", "2")
	expect(tb, s, "a", "2", "b", "1")
	put(tb, s, "a", "3", "a", "4")
	expect(tb, s, "a", "4", "b", "1")
}

func checkDelete(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1", "ab", "2", "b", "3")
	remove(tb, s, "a")
	expect(tb, s, "ab", "2", "b", "3")
	remove(tb, s, "a", "zz") // neither is there
	expect(tb, s, "ab", "2", "b", "3")
	put(tb, s, "a", "4")
	expect(tb, s, "a", "4", "ab", "2", "b", "3")
}

func checkPutCopies(tb testing.TB, s store.Store) {
	value := []byte("value")
	update(tb, s, func(tx store.Tx) error {
		copy(value, "value")
		if err := tx.Put("a", value); err != nil {
			return err
		}
		copy(value, "XXXXX")
		expectGet(tb, tx, "a", "value")
		return nil
	})
	expect(tb, s, "a", "value")
	copy(value, "YYYYY")
	expect(tb, s, "a", "value")
}

func checkGetCopies(tb testing.TB, s store.Store) {
	put(tb, s, "a", "value")
	spoil := func(tx store.Tx) error {
		got, err := tx.Get("a")
		if err != nil {
			return err
		}
		clear(got)
		_ = append(got, "tail"...)
		expectGet(tb, tx, "a", "value")
		return nil
	}
	view(tb, s, spoil)
	update(tb, s, spoil)
	update(tb, s, func(tx store.Tx) error { // what the update itself has written
		if err := tx.Put("a", []byte("other")); err != nil {
			return err
		}
		got, err := tx.Get("a")
		if err != nil {
			return err
		}
		clear(got)
		expectGet(tb, tx, "a", "other")
		return nil
	})
	expect(tb, s, "a", "other")
}

func checkScanCopies(tb testing.TB, s store.Store) {
	put(tb, s, "a", "first", "b", "second")
	spoil := func(tx store.Tx) error {
		var kept [][]byte
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			kept = append(kept, e.Value)
		}
		if len(kept) != 2 || string(kept[0]) != "first" || string(kept[1]) != "second" {
			tb.Errorf("values kept from a scan became %q", kept)
		}
		for _, v := range kept {
			clear(v)
		}
		expectGet(tb, tx, "a", "first")
		return nil
	}
	view(tb, s, spoil)
	update(tb, s, spoil)
	expect(tb, s, "a", "first", "b", "second")
}
