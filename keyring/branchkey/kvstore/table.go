// Package kvstore keeps branch keys in a store.Store: in memory, in a file, in a
// cluster, sealed or not.
//
//	table, err := kvstore.New(s, "branchkeys/orders/")
//	keys, err := branchkey.NewKeyStore(branchkey.Config{
//		LogicalName: "orders", Table: table, KMS: client, KMSKey: branchkey.ExactKey(keyARN),
//	})
//
// One store has room for many tables, each with a prefix of its own. The branch keys
// in it are encrypted by KMS; a sealed store protects their attributes as well.
package kvstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/store"
)

// Table is a branch key store's table. The key of a record is
//
//	prefix, branch key id, "/", type
//
// where the id is percent-encoded as a path segment of a URL is, so that it holds no
// slash. A Table is safe for concurrent use.
type Table struct {
	store  store.Store
	prefix string
}

var _ branchkey.Table = (*Table)(nil)

// New returns the table under a prefix, which ends in "/". Nothing is read or
// written. The store stays the caller's, who closes it. Tables of different prefixes
// do not touch each other, even if one prefix starts with the other.
func New(s store.Store, prefix string) (*Table, error) {
	if s == nil {
		return nil, errors.New("kvstore: a table without a store")
	}
	if !strings.HasSuffix(prefix, "/") {
		return nil, fmt.Errorf("kvstore: the prefix %.100q does not end in \"/\"", prefix)
	}
	return &Table{s, prefix}, nil
}

// key returns the key of an item's record. Types hold no slash either, so there is
// exactly one behind the prefix.
func (t *Table) key(id, itemType string) string {
	return t.prefix + url.PathEscape(id) + "/" + url.PathEscape(itemType)
}

func (t *Table) keyOf(i branchkey.Item) string {
	return t.key(i.Attributes[branchkey.AttributeID], i.Attributes[branchkey.AttributeType])
}

// Get returns the item of the given id and type. The errors are
// [branchkey.ErrNotFound], [ErrRecord] and those of the store.
func (t *Table) Get(ctx context.Context, id, itemType string) (branchkey.Item, error) {
	var item branchkey.Item
	err := t.store.View(ctx, func(tx store.Tx) (err error) {
		item, err = t.get(tx, id, itemType)
		return err
	})
	return item, err
}

func (t *Table) get(tx store.Tx, id, itemType string) (branchkey.Item, error) {
	record, err := tx.Get(t.key(id, itemType))
	if errors.Is(err, store.ErrNotFound) {
		return branchkey.Item{}, fmt.Errorf("%w: %.100q %q", branchkey.ErrNotFound, id, itemType)
	}
	if err != nil {
		return branchkey.Item{}, err
	}
	return parseRecord(record)
}

// Create writes all the items or none. The errors are [branchkey.ErrExists],
// [branchkey.ErrConflict], [ErrRecord] for an item that is too large, and those of
// the store: [store.ErrLimit] for an id so long that it takes no such key.
func (t *Table) Create(ctx context.Context, items ...branchkey.Item) error {
	return t.update(ctx, func(tx store.Tx) error {
		for _, item := range items {
			if err := t.put(tx, item, branchkey.ErrExists); err != nil {
				return err
			}
		}
		return nil
	})
}

// Rotate writes version and replaces the active item if its ciphertext is previous.
// The errors are [branchkey.ErrConflict], [ErrRecord] and those of the store.
func (t *Table) Rotate(ctx context.Context, version, active branchkey.Item, previous []byte) error {
	return t.update(ctx, func(tx store.Tx) error {
		id := active.Attributes[branchkey.AttributeID]
		now, err := t.get(tx, id, active.Attributes[branchkey.AttributeType])
		if errors.Is(err, branchkey.ErrNotFound) || err == nil && !bytes.Equal(now.Ciphertext, previous) {
			return fmt.Errorf("%w: %.100q", branchkey.ErrConflict, id)
		}
		if err != nil {
			return err
		}
		if err := t.put(tx, version, branchkey.ErrConflict); err != nil {
			return err
		}
		record, err := appendRecord(active)
		if err != nil {
			return err
		}
		return tx.Put(t.keyOf(active), record)
	})
}

// put writes an item, or returns an error that wraps taken if there is one already.
func (t *Table) put(tx store.Tx, item branchkey.Item, taken error) error {
	key := t.keyOf(item)
	switch _, err := tx.Get(key); {
	case err == nil:
		return fmt.Errorf("%w: %q", taken, key)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	record, err := appendRecord(item)
	if err != nil {
		return err
	}
	return tx.Put(key, record)
}

// update is the store's, with branchkey's conflict for the store's.
func (t *Table) update(ctx context.Context, fn func(store.Tx) error) error {
	err := t.store.Update(ctx, fn)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%w: %v", branchkey.ErrConflict, err)
	}
	return err
}
