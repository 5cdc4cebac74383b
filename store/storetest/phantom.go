package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sealring/sealring/store"
)

// surprise is a change in what another transaction scans.
type surprise struct {
	prefix, after string
	first         bool // the scan is left at its first entry
	change        string
}

func phantom(tb testing.TB, a, b store.Store) {
	surprised(tb, a, b, []surprise{
		{prefix: "i/", change: "+i/=new"}, // the least key with the prefix
		{prefix: "i/", change: "+i/b\x00=new"},
		{prefix: "i/", change: "+i/\xff\xff=new"},
		{prefix: "", change: "+i/c=new"},
		{prefix: "i/", after: "i/b", change: "+i/c=new"},
		{prefix: "i/", after: "i/z", change: "+i/zz=new"}, // what is scanned is empty
		{prefix: "none/", change: "+none/=new"},
		{prefix: "i/", first: true, change: "+i/a=new"},
	})
}

func phantomByDeletion(tb testing.TB, a, b store.Store) {
	surprised(tb, a, b, []surprise{
		{prefix: "i/", change: "-i/b"},
		{prefix: "i/", change: "-i/m"},
		{prefix: "i/", change: "-i/z"},
		{prefix: "i/m", change: "-i/m"},
		{prefix: "i/", after: "i/b", change: "-i/m"},
		{prefix: "i/", first: true, change: "-i/b"},
	})
}

func staleEntry(tb testing.TB, a, b store.Store) {
	surprised(tb, a, b, []surprise{
		{prefix: "i/", change: "+i/b=new"},
		{prefix: "i/", change: "+i/z=new"},
		{prefix: "i/", after: "i/b", change: "+i/m=new"},
		{prefix: "i/", first: true, change: "+i/b=new"},
	})
}

// surprised has one transaction close a book and note what it scanned, while another
// changes that if the book is still open. What was noted has to be what is there then.
func surprised(tb testing.TB, a, b store.Store, list []surprise) {
	for i, c := range list {
		at := fmt.Sprintf("%d/", i)
		d := newDuel(tb, a, b, at+"i/b", "old", at+"i/m", "old", at+"i/z", "old")
		look := func(tx store.Tx) (found string, err error) {
			after := ""
			if c.after != "" {
				after = at + c.after
			}
			for e, err := range tx.Scan(at+c.prefix, after) {
				if err != nil {
					return "", err
				}
				found += fmt.Sprintf("%q=%q ", e.Key, e.Value)
				if c.first {
					break
				}
			}
			return found, nil
		}
		update(tb, a, func(tx store.Tx) error {
			found, err := look(tx)
			if err != nil {
				return err
			}
			d.meanwhileUpdate(func(tx store.Tx) error {
				if _, err := tx.Get("closed/" + at); !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return writes(tx, c.change[:1]+at+c.change[1:])
			})
			return tx.Put("closed/"+at, []byte(found))
		})
		d.end()
		view(tb, a, func(tx store.Tx) error {
			found, err := look(tx)
			if err == nil {
				expectGet(tb, tx, "closed/"+at, found)
			}
			return err
		})
	}
}

// predicateSkew has two transactions put a key each, if a scan finds none of the
// other's.
func predicateSkew(tb testing.TB, a, b store.Store) {
	d := newDuel(tb, a, b)
	claim := func(tx store.Tx, other, own string, before func()) error {
		found, err := scan(tx, other, "")
		before()
		if err != nil || len(found) > 0 {
			return err
		}
		return tx.Put(own+"1", nil)
	}
	update(tb, a, func(tx store.Tx) error {
		return claim(tx, "x/", "y/", func() {
			d.meanwhileUpdate(func(tx store.Tx) error { return claim(tx, "y/", "x/", func() {}) })
		})
	})
	d.end()
	view(tb, a, func(tx store.Tx) error {
		x, errX := scan(tx, "x/", "")
		y, errY := scan(tx, "y/", "")
		if len(x)+len(y) != 2 {
			tb.Errorf("%q and %q are there, want one of them", x, y)
		}
		return errors.Join(errX, errY)
	})
}
