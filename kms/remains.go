package kms

import (
	"context"
	"errors"
	"slices"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// What is left of keys that are deleted. A sweep finds it with a look at every record, and
// looks again in the transaction that removes it.

// remainsBatch is how many records at most one transaction touches to remove some.
const remainsBatch = store.MaxKeys - 10

// remains removes the records that nobody will look at again.
func (w *sweep) remains(ctx context.Context) error {
	var found []string
	look := func(_ store.Tx, l *ledger, e store.Entry) error {
		r, err := w.judge(l, e.Key, e.Value)
		if err == nil && r.remove != nil {
			found = append(found, e.Key)
		}
		return err
	}
	return w.pages(ctx, keyrecord.Prefix, look, func() error {
		for len(found) > 0 {
			n, err := w.removeSome(ctx, found)
			if err != nil {
				return err
			}
			found = found[n:]
		}
		return nil
	})
}

// removeSome removes the first of the named records in one transaction, as many as fit into
// it, and returns how many that are.
func (w *sweep) removeSome(ctx context.Context, names []string) (done int, err error) {
	removed := 0
	err = w.service.store.Update(ctx, func(tx store.Tx) error {
		done, removed = 0, 0
		touched := map[string]bool{}
		get := func(name string) ([]byte, error) {
			touched[name] = true
			return tx.Get(name)
		}
		l := newLedger(get)
		for _, name := range names {
			if done > 0 && len(touched) > remainsBatch-maxTouched {
				return nil
			}
			done++
			b, err := get(name)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			r, err := w.judge(l, name, b)
			clear(b)
			if err != nil {
				return err
			}
			for _, name := range r.remove {
				touched[name] = true
				if err := tx.Delete(name); err != nil {
					return err
				}
			}
			removed += len(r.remove)
			if r.replace != nil {
				if err := tx.Put(name, r.replace); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		w.report.Records += removed
	}
	return done, err
}

// maxTouched is how many records the removal of one touches at most: a list of import
// tokens, its tokens, and what says what has become of the key.
const maxTouched = 1 + maxImportTokens + 4

// verdict is what is to become of a record: which ones are removed with it, itself as a
// rule, and what it is replaced by if it is not.
type verdict struct {
	remove  []string
	replace []byte
}

// judge decides what is to become of a record. One that cannot be read stays, for Check to
// be found.
func (w *sweep) judge(l *ledger, name string, value []byte) (verdict, error) {
	n := keyrecord.ParseName(name)
	switch n.Kind {
	case keyrecord.AliasKind, keyrecord.GrantKind, keyrecord.UsageKind, keyrecord.LocalKind, keyrecord.ImportListKind:
	default: // goes with one of these, or with the key
		return verdict{}, nil
	}
	record, err := parsePart(n, value)
	if err != nil {
		return verdict{}, nil
	}
	id := n.KeyID
	if a, ok := record.(*keyrecord.Alias); ok {
		id = a.Target
	}
	h, err := l.at(keyPlace{n.Account, n.Region, id})
	if err != nil || h.damage != nil || h.lost() {
		return verdict{}, err
	}
	left := h.left(record)
	switch record := record.(type) {
	case *keyrecord.Grant:
		if left {
			return w.grant(l, name, record)
		}
	case *keyrecord.ImportTokens:
		return w.tokens(name, record, left)
	}
	if left {
		return verdict{remove: []string{name}}, nil
	}
	return verdict{}, nil
}

// grant is the verdict on a grant that is left. Its name may lead to a later one.
func (w *sweep) grant(l *ledger, name string, g *keyrecord.Grant) (verdict, error) {
	_, index := g.Names()
	v := verdict{remove: append(index, name)}
	if g.Name == "" {
		return v, nil
	}
	id, err := l.get(g.GrantName())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return v, nil
	case err == nil && string(id) == g.ID:
		v.remove = append(v.remove, g.GrantName())
	}
	return v, err
}

// tokens is the verdict on a list of import tokens: those that have expired go, or all if
// the key is gone.
func (w *sweep) tokens(name string, list *keyrecord.ImportTokens, left bool) (v verdict, err error) {
	list.Tokens = slices.DeleteFunc(list.Tokens, func(t keyrecord.ListedToken) bool {
		gone := left || w.trusted && !w.now.Before(t.Expires)
		if gone {
			v.remove = append(v.remove, t.Record)
		}
		return gone
	})
	switch {
	case left || len(list.Tokens) == 0 && len(v.remove) > 0:
		v.remove = append(v.remove, name)
	case len(v.remove) > 0:
		v.replace, err = list.Marshal()
	}
	return v, err
}
