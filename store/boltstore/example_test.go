package boltstore_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "store.db")
	for range 2 {
		s, err := boltstore.Open(path, nil)
		if err != nil {
			panic(err)
		}
		err = s.Update(ctx, func(tx store.Tx) error {
			visits, _ := tx.Get("visits")
			return tx.Put("visits", append(visits, '+'))
		})
		if err != nil {
			panic(err)
		}
		_ = s.View(ctx, func(tx store.Tx) error {
			visits, err := tx.Get("visits")
			fmt.Printf("%s at revision %d\n", visits, tx.Revision())
			return err
		})
		if err := s.Close(); err != nil {
			panic(err)
		}
	}
	// Output:
	// + at revision 1
	// ++ at revision 2
}

// A backup is a store's file. This one is taken while the store is in use.
func ExampleStore_Backup() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := boltstore.Open(filepath.Join(dir, "store.db"), nil)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	if err := s.Update(ctx, func(tx store.Tx) error { return tx.Put("key", []byte("value")) }); err != nil {
		panic(err)
	}
	var backup bytes.Buffer
	if _, err := s.Backup(ctx, &backup); err != nil {
		panic(err)
	}

	copied := filepath.Join(dir, "copied.db")
	if err := os.WriteFile(copied, backup.Bytes(), 0o600); err != nil {
		panic(err)
	}
	again, err := boltstore.Open(copied, &boltstore.Options{ReadOnly: true})
	if err != nil {
		panic(err)
	}
	defer again.Close()
	_ = again.View(ctx, func(tx store.Tx) error {
		value, err := tx.Get("key")
		fmt.Printf("%s\n", value)
		return err
	})
	// Output:
	// value
}
