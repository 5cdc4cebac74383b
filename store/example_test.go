package store_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
)

func Example() {
	ctx := context.Background()
	s := store.NewMemory()
	defer s.Close()

	err := s.Update(ctx, func(tx store.Tx) error {
		if err := tx.Put("fruit/apple", []byte("3")); err != nil {
			return err
		}
		return tx.Put("fruit/pear", []byte("5"))
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = s.View(ctx, func(tx store.Tx) error {
		for e, err := range tx.Scan("fruit/", "") {
			if err != nil {
				return err
			}
			fmt.Printf("%s: %s\n", e.Key, e.Value)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// fruit/apple: 3
	// fruit/pear: 5
	// <nil>
}

func ExampleSeal() {
	ctx := context.Background()
	root, err := keyring.NewRawAES("root", "2026", make([]byte, 32)) // a real key is random
	if err != nil {
		fmt.Println(err)
		return
	}
	inner := store.NewMemory()
	s, err := store.Seal(ctx, inner, root, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	_ = s.Update(ctx, func(tx store.Tx) error { return tx.Put("password", []byte("swordfish")) })

	_ = inner.View(ctx, func(tx store.Tx) error {
		v, err := tx.Get("password")
		fmt.Printf("inner: %d bytes, %v\n", len(v), err)
		return nil
	})
	_ = s.View(ctx, func(tx store.Tx) error {
		v, err := tx.Get("password")
		fmt.Printf("sealed: %s, %v\n", v, err)
		return nil
	})

	other, _ := keyring.NewRawAES("root", "2026", []byte("another key, of thirty-two bytes"))
	_, err = store.Seal(ctx, inner, other, nil)
	fmt.Println(errors.Is(err, store.ErrRootKey))
	// Output:
	// inner: 50 bytes, <nil>
	// sealed: swordfish, <nil>
	// true
}

// A store is moved from one root key to another while it is in use.
func ExampleSealed_Rekey() {
	ctx := context.Background()
	older, _ := keyring.NewRawAES("root", "2026", make([]byte, 32)) // real keys are random
	newer, _ := keyring.NewRawAES("root", "2027", []byte("another key, of thirty-two bytes"))
	inner := store.NewMemory()
	s, err := store.Seal(ctx, inner, older, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = s.Update(ctx, func(tx store.Tx) error { return tx.Put("password", []byte("swordfish")) })

	err = s.Rekey(ctx, newer, func(done, total int) { fmt.Printf("%d of %d\n", done, total) })
	fmt.Println(err)
	_, err = store.Seal(ctx, inner, older, nil)
	fmt.Println(errors.Is(err, store.ErrRootKey))
	report, err := s.Verify(ctx)
	fmt.Println(report.Records, report.Tally, report.Epochs, err)
	// Output:
	// 0 of 1
	// 1 of 1
	// <nil>
	// true
	// 1 matches [2] <nil>
}

// A counter is raised only after the audit record of it was written, which must
// not happen inside a transaction.
func ExampleDraft() {
	ctx := context.Background()
	s := store.NewMemory()
	raise := func(record func(n int)) error {
		var d *store.Draft
		var n int
		err := s.View(ctx, func(tx store.Tx) error {
			d = store.NewDraft(tx)
			v, err := d.Get("counter")
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			n, _ = strconv.Atoi(string(v))
			d.Put("counter", strconv.AppendInt(nil, int64(n+1), 10))
			return nil
		})
		if err != nil {
			return err
		}
		record(n + 1)
		return d.Commit(ctx, s)
	}
	fmt.Println(raise(func(n int) { fmt.Println("counter becomes", n) }))
	fmt.Println(raise(func(n int) {
		fmt.Println("counter becomes", n)
		_ = raise(func(n int) { fmt.Println("meanwhile, counter becomes", n) })
	}))
	// Output:
	// counter becomes 1
	// <nil>
	// counter becomes 2
	// meanwhile, counter becomes 2
	// store: transaction conflicts with another
}

func ExampleMemory_Watch() {
	ctx := context.Background()
	s := store.NewMemory()
	_ = s.Update(ctx, func(tx store.Tx) error { return tx.Put("a", []byte("1")) })
	_ = s.Update(ctx, func(tx store.Tx) error { return tx.Put("b", []byte("2")) })
	_ = s.Update(ctx, func(tx store.Tx) error { return tx.Delete("a") })
	for c, err := range s.Watch(ctx, "a", 0) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d %s %q deleted=%t\n", c.Revision, c.Key, c.Value, c.Deleted)
		if c.Deleted {
			break
		}
	}
	// Output:
	// 1 a "1" deleted=false
	// 3 a "" deleted=true
}
