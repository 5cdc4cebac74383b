package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealring/sealring/store"
)

func scanChecks() []check {
	return []check{
		{name: "Scan/prefix and after", run: checkScanRange},
		{name: "Scan/yields many entries in order", run: checkScanMany},
		{name: "Scan/sees the transaction's earlier writes", run: checkScanSeesWrites},
		{name: "Scan/ignores writes made while it runs", run: checkScanIsStable},
		{name: "Scan/may be left early and nested", run: checkScanNested},
	}
}

func checkScanRange(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1", "a\x00", "2", "a/", "3", "aa", "4", "b", "5", "\xff", "6", "\xff\xff", "7")
	for _, c := range []struct{ prefix, after, want string }{
		{"", "", "a a\x00 a/ aa b \xff \xff\xff"},
		{"a", "", "a a\x00 a/ aa"},
		{"a", "a", "a\x00 a/ aa"},
		{"a", "a\x00", "a/ aa"},
		{"a", "a\x01", "a/ aa"},
		{"a", "Z", "a a\x00 a/ aa"}, // after stands before the prefix
		{"a", "aa", ""},
		{"a", "b", ""}, // and behind it
		{"a\x00", "", "a\x00"},
		{"aa", "", "aa"},
		{"aaa", "", ""},
		{"b", "a", "b"},
		{"", "a/", "aa b \xff \xff\xff"},
		{"", "b", "\xff \xff\xff"},
		{"", "\xff\xff", ""},
		{"\xff", "", "\xff \xff\xff"}, // no key is greater than all with this prefix
		{"\xff", "\xff", "\xff\xff"},
		{"\xff\xff", "", "\xff\xff"},
		{"c", "", ""},
	} {
		want := strings.Fields(strings.ReplaceAll(c.want, "\x00", "~"))
		look := func(tx store.Tx) error {
			got := []string{}
			for e, err := range tx.Scan(c.prefix, c.after) {
				if err != nil {
					return err
				}
				got = append(got, strings.ReplaceAll(e.Key, "\x00", "~"))
			}
			if !slices.Equal(got, want) {
				tb.Errorf("Scan(%q, %q) = %q, want %q", c.prefix, c.after, got, want)
			}
			return nil
		}
		view(tb, s, look)
		update(tb, s, look)
	}
}

func checkScanMany(tb testing.TB, s store.Store) {
	var want []string
	for i := range 7 * store.MaxKeys {
		want = append(want, fmt.Sprintf("many/%04d", i), fmt.Sprint(i))
	}
	batches := slices.Collect(slices.Chunk(want, 2*store.MaxKeys))
	for _, batch := range slices.Backward(batches) {
		put(tb, s, batch...)
	}
	put(tb, s, "man", "before", "manz", "behind")
	view(tb, s, func(tx store.Tx) error {
		got, err := scan(tx, "many/", "")
		if err == nil && !slices.Equal(got, want) {
			tb.Errorf("Scan yields %d keys and values, want %d in order", len(got), len(want))
		}
		return err
	})
}

func checkScanSeesWrites(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1", "b", "2", "c", "3")
	update(tb, s, func(tx store.Tx) error {
		if err := writes(tx, "+b=new", "-c", "+aa=between", "+d=last", "-e", "+f=x", "-f"); err != nil {
			return err
		}
		got, err := scan(tx, "", "")
		want := []string{"a", "1", "aa", "between", "b", "new", "d", "last"}
		if err == nil && !slices.Equal(got, want) {
			tb.Errorf("Scan after writes yields %q, want %q", got, want)
		}
		return err
	})
	expect(tb, s, "a", "1", "aa", "between", "b", "new", "d", "last")
}

func checkScanIsStable(tb testing.TB, s store.Store) {
	put(tb, s, "b", "1", "d", "2", "f", "3", "h", "4")
	update(tb, s, func(tx store.Tx) error {
		if err := tx.Put("e", []byte("own")); err != nil { // part of what the scan sees
			return err
		}
		var got []string
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			got = append(got, e.Key, string(e.Value))
			if e.Key == "b" { // behind, under and ahead of the cursor
				if err := writes(tx, "+a=x", "+b=x", "+c=x", "-d", "+e=x", "+f=x", "+i=x", "-h"); err != nil {
					return err
				}
			}
		}
		want := []string{"b", "1", "d", "2", "e", "own", "f", "3", "h", "4"}
		if !slices.Equal(got, want) {
			tb.Errorf("Scan during writes yields %q, want %q", got, want)
		}
		return nil
	})
	expect(tb, s, "a", "x", "b", "x", "c", "x", "e", "x", "f", "x", "i", "x")
}

func checkScanNested(tb testing.TB, s store.Store) {
	put(tb, s, "a", "1", "b", "2", "c", "3")
	pairs := func(tx store.Tx) error {
		got := ""
		for outer, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			for inner, err := range tx.Scan("", outer.Key) {
				if err != nil {
					return err
				}
				got += outer.Key + inner.Key + " "
				break
			}
		}
		if want := "ab bc "; got != want {
			tb.Errorf("a scan in a scan gives %q, want %q", got, want)
		}
		again := tx.Scan("", "a") // a sequence may be ranged over twice
		for range 2 {
			n := 0
			for _, err := range again {
				if err != nil {
					return err
				}
				n++
			}
			if n != 2 {
				tb.Errorf("the scan yields %d entries, want 2", n)
			}
		}
		return nil
	}
	view(tb, s, pairs)
	update(tb, s, pairs)
}

// writes applies writes to tx: "+key=value" puts and "-key" deletes.
func writes(tx store.Tx, list ...string) error {
	for _, w := range list {
		var err error
		if key, value, put := strings.Cut(w[1:], "="); put {
			err = tx.Put(key, []byte(value))
		} else {
			err = tx.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
