package storetest

import (
	"context"
	"errors"

	"github.com/sealring/sealring/store"
)

// Twice returns s with each Update's function run twice: first in a transaction
// that is undone, then for real. A function that must not be run again, because it
// has effects outside its transaction or builds on what its first run left in a
// variable, is shown up. The result of the first run is ignored. Close closes s.
func Twice(s store.Store) store.Store { return twice{s} }

type twice struct{ store.Store }

var errUndo = errors.New("storetest: the first of two runs is undone")

func (t twice) Update(ctx context.Context, fn func(store.Tx) error) error {
	_ = t.Store.Update(ctx, func(tx store.Tx) error {
		_ = fn(tx)
		return errUndo
	})
	return t.Store.Update(ctx, fn)
}
