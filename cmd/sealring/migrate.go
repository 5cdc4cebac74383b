package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealring/sealring/internal/syncdir"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
)

const migrateText = `
sealring migrate -data FILE        brings the file to the newest format, and makes it small
sealring migrate … -to-data FILE   copies a store to a new file
sealring migrate … -to-etcd URL    copies a store to a cluster

A copy is encrypted anew, under the same root key or under that of the -new flags. It
must not exist yet, cannot be opened before it is whole, and is compared with the store at
the end. The store stays as it is; nobody should write to it meanwhile.
`

// runMigrate is sealring migrate.
func runMigrate(ctx context.Context, p *process, args []string) error {
	var (
		s       sealedFlags
		to      storeFlags
		newRoot rootFlags
		asJSON  bool
	)
	f := p.flags("migrate", "[flags]", migrateText)
	s.add(f)
	to.add(f, "to-")
	newRoot.add(f, "new-", newPassphraseVariable)
	f.BoolVar(&asJSON, "json", false, "print JSON")
	if help, err := f.parse(args, 0); help || err != nil {
		return err
	}
	if err := s.store.check("migrate"); err != nil {
		return err
	}
	if to.data == "" && len(to.etcd.endpoints) == 0 {
		if s.store.data == "" || s.root.named()+newRoot.named() > 0 {
			return usagef("migrate: to bring a file to the newest format, name it with -data, and no key; to copy, name -to-data or -to-etcd")
		}
		return renew(ctx, p, s.store.data, asJSON)
	}
	if err := errors.Join(to.check("migrate"), s.root.check("migrate")); err != nil {
		return err
	}
	if newRoot.named() > 1 {
		return newRoot.check("migrate")
	}
	root, err := s.root.open(ctx, p, false)
	if err != nil {
		return err
	}
	target := root
	if newRoot.named() == 1 {
		if target, err = newRoot.open(ctx, p, true); err != nil {
			return err
		}
	}
	source, err := s.openWith(ctx, root, true, nil)
	if err != nil {
		return err
	}
	records, err := copyStore(ctx, p, source, &to, target)
	if err := errors.Join(err, source.Close()); err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, map[string]int{"records": records})
	}
	_, err = fmt.Fprintf(p.stdout, "%d records were copied and compared\n", records)
	return err
}

// renew opens a file for writing, which brings it to the newest format, and compacts it.
func renew(ctx context.Context, p *process, path string, asJSON bool) error {
	before, err := os.Stat(path)
	if err != nil {
		return err
	}
	s, err := openFile(path, false, false)
	if err != nil {
		return err
	}
	if err := errors.Join(s.Compact(ctx), s.Close()); err != nil {
		return err
	}
	after, err := os.Stat(path)
	if err != nil {
		return err
	}
	if asJSON {
		return printCopied(p, path, after.Size(), true)
	}
	_, err = fmt.Fprintf(p.stdout, "%s: in the newest format, %d bytes instead of %d\n", path, after.Size(), before.Size())
	return err
}

// copyStore copies what is in source to a new store, and returns how many records it was.
//
// It is sealed in memory first, and then written with its head last: a copy that is not
// whole has none, and cannot be opened.
func copyStore(ctx context.Context, p *process, source *store.Sealed, to *storeFlags, root keyring.Keyring) (int, error) {
	staged := store.NewMemory()
	defer staged.Close()
	cluster := len(to.etcd.endpoints) > 0
	sealed, err := store.Seal(ctx, staged, root, &store.SealOptions{AllowRollback: cluster})
	if err != nil {
		return 0, err
	}
	defer sealed.Close()
	records, err := copyRecords(ctx, sealed, source, "")
	if err != nil {
		return 0, err
	}
	if cluster {
		target, err := to.open(ctx, false, true)
		if err != nil {
			return 0, err
		}
		return records, fill(ctx, p, target, staged, source, root)
	}
	return records, fillFile(ctx, p, to.data, staged, source, root)
}

// fillFile makes a file of the staged store. It appears when it is whole.
func fillFile(ctx context.Context, p *process, path string, staged store.Store, source *store.Sealed, root keyring.Keyring) error {
	if _, err := os.Lstat(path); err == nil {
		return exists(path)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".sealring-*") // for this user only
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, filepath.Base(path))
	target, err := openFile(made, false, true)
	if err != nil {
		return err
	}
	if err := fill(ctx, p, target, staged, source, root); err != nil {
		return err
	}
	if err := os.Link(made, path); err != nil { // unlike a renaming, it replaces nothing
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := os.Rename(made, path); err != nil {
			return err
		}
	}
	return syncdir.Sync(filepath.Dir(path))
}

// fill copies the staged store to an empty one, compares the result with the source, and
// closes it.
func fill(ctx context.Context, p *process, target, staged store.Store, source *store.Sealed, root keyring.Keyring) error {
	defer func() { _ = target.Close() }() // the second time after a success
	err := target.View(ctx, func(tx store.Tx) error {
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			return fmt.Errorf("the target is not empty: it holds %q", e.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// The keys that begin with Reserved come first in the order of keys, the head before all:
	// they are written in the opposite order of a reader's.
	if _, err := copyRecords(ctx, target, staged, reservedEnd); err != nil {
		return err
	}
	if err := copyReserved(ctx, target, staged); err != nil {
		return err
	}
	copied, err := store.Seal(ctx, target, root, nil)
	if err != nil {
		return err
	}
	if err := compareStores(ctx, source, copied); err != nil {
		return err
	}
	return copied.Close()
}

// reservedEnd is above all keys that begin with store.Reserved, and below all others.
const reservedEnd = store.Reserved + "\xff"

// copyReserved copies what a sealed store keeps for itself, in one update.
func copyReserved(ctx context.Context, to, from store.Store) error {
	var own []store.Entry
	err := from.View(ctx, func(tx store.Tx) error {
		own = nil
		for e, err := range tx.Scan(store.Reserved, "") {
			if err != nil {
				return err
			}
			own = append(own, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return to.Update(ctx, func(tx store.Tx) error {
		for _, e := range own {
			if err := tx.Put(e.Key, e.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// What is copied in one update: less than every store takes, sealed or not.
const (
	copyKeys  = 50
	copyBytes = store.MaxBytes / 2
)

// copyRecords copies the records behind a key, in steps, and returns how many it was.
func copyRecords(ctx context.Context, to, from store.Store, after string) (int, error) {
	n := 0
	for {
		page, err := readPage(ctx, from, after)
		if err != nil || len(page) == 0 {
			return n, err
		}
		err = to.Update(ctx, func(tx store.Tx) error {
			for _, e := range page {
				if err := tx.Put(e.Key, e.Value); err != nil {
					return err
				}
			}
			return nil
		})
		after = page[len(page)-1].Key
		n += len(page)
		wipeEntries(page)
		if err != nil {
			return n, err
		}
	}
}

// readPage returns the next records behind a key.
func readPage(ctx context.Context, from store.Store, after string) ([]store.Entry, error) {
	var page []store.Entry
	err := from.View(ctx, func(tx store.Tx) error {
		wipeEntries(page)
		page = nil
		size := 0
		for e, err := range tx.Scan("", after) {
			if err != nil {
				return err
			}
			size += len(e.Key) + len(e.Value)
			if len(page) == copyKeys || len(page) > 0 && size > copyBytes {
				break
			}
			page = append(page, e)
		}
		return nil
	})
	return page, err
}

// wipeEntries wipes what may have been decrypted.
func wipeEntries(page []store.Entry) {
	for _, e := range page {
		clear(e.Value)
	}
}

// compareStores returns an error unless both hold the same records.
func compareStores(ctx context.Context, a, b store.Store) error {
	after := ""
	for {
		x, err := readPage(ctx, a, after)
		if err != nil {
			return err
		}
		y, err := readPage(ctx, b, after)
		if err != nil {
			return err
		}
		same := len(x) == len(y)
		for i := 0; same && i < len(x); i++ {
			same = x[i].Key == y[i].Key && bytes.Equal(x[i].Value, y[i].Value)
		}
		if len(x) > 0 {
			after = x[len(x)-1].Key
		}
		wipeEntries(x)
		wipeEntries(y)
		if !same {
			return fmt.Errorf("the copy differs from the store behind %q: it was changed meanwhile", after)
		}
		if len(x) == 0 {
			return nil
		}
	}
}
