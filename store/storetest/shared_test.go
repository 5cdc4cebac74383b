package storetest

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

func TestRunSharedPassesHandles(t *testing.T) {
	t.Run("naive", func(t *testing.T) {
		RunShared(t, 0, func(_ *testing.T, n int) []store.Store { return Handles(newNaive(""), n) })
	})
	t.Run("memory", func(t *testing.T) {
		RunShared(t, 0, func(_ *testing.T, n int) []store.Store { return Handles(store.NewMemory(), n) })
	})
	t.Run("late", func(t *testing.T) {
		RunShared(t, 20*time.Millisecond, func(_ *testing.T, n int) []store.Store {
			return openHandles("sees the others late", n)
		})
	})
}

// TestHandlesConform closes the first of three handles, and the last.
func TestHandlesConform(t *testing.T) {
	Run(t, func(*testing.T) store.Store { return Handles(store.NewMemory(), 3)[1] })
	inner := store.NewMemory()
	list := Handles(inner, 2)
	require.NoError(t, list[0].Close())
	require.NoError(t, list[0].Close())
	require.NoError(t, inner.View(t.Context(), func(store.Tx) error { return nil }))
	require.NoError(t, list[1].Close())
	require.ErrorIs(t, inner.View(t.Context(), func(store.Tx) error { return nil }), store.ErrClosed)
}

// openHandles returns handles on one naive store, with a flaw of that store or of theirs.
func openHandles(flaw string, n int) []store.Store {
	inner := newNaive(flaw)
	list := Handles(inner, n)
	for i := range list {
		list[i] = &flawedHandle{Store: list[i], flaw: flaw, number: i, inner: inner}
	}
	return list
}

// flawedHandle is a handle with at most one flaw.
type flawedHandle struct {
	store.Store
	flaw   string
	number int
	inner  *naive
	old    state // what views see
	at     time.Time
}

func (h *flawedHandle) View(ctx context.Context, fn func(store.Tx) error) error {
	tx, err := h.inner.begin(ctx, false)
	if err != nil {
		return err
	}
	stale := false
	h.inner.mu.Lock()
	switch h.flaw {
	case "sees the others late":
		stale = time.Since(h.at) < 10*time.Millisecond && h.old.data != nil
	case "never sees the others":
		stale = h.old.data != nil
	case "goes back":
		stale = h.inner.views%2 == 0 && h.old.data != nil
	}
	if stale {
		tx = h.inner.transaction(h.old, false)
	} else {
		h.old, h.at = state{tx.base, tx.vers, tx.rev}, time.Now()
	}
	h.inner.mu.Unlock()
	if h.Store.(*handle).closed.Err() != nil {
		return store.ErrClosed
	}
	defer tx.end()
	return fn(tx)
}

func (h *flawedHandle) Update(ctx context.Context, fn func(store.Tx) error) error {
	err := h.Store.Update(ctx, fn)
	if h.flaw != "does not see its own updates" {
		h.inner.mu.Lock()
		h.old = state{} // an update brings its handle up to date
		h.inner.mu.Unlock()
	}
	return err
}

func (h *flawedHandle) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		for c, err := range h.Store.Watch(ctx, prefix, after) {
			if h.flaw == "numbers commits for itself" && err == nil {
				c.Revision += uint64(h.number)
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

func (h *flawedHandle) Close() error {
	if h.flaw == "closes the others" {
		return h.inner.Close()
	}
	return h.Store.Close()
}

func TestRunSharedFindsFlaws(t *testing.T) {
	for flaw, names := range map[string][]string{
		"never sees the others":      {"Shared/every handle sees an update in time"},
		"sees the others late":       {"Shared/every handle sees an update in time"},
		"goes back":                  {"Order/revisions never go back through one handle"},
		"numbers commits for itself": {"Follow/all handles yield the same commits, whole"},
		"closes the others":          {"Shared/closing a handle leaves the others alone"},
		"a view may be late":         {"Shared/a handle sees its own updates at once", "History/random transactions are serialisable"},
		"loses updates": {
			"Isolation/no lost update", "Isolation/no phantom", "Storm/one counter",
			"History/random transactions are serialisable", "Shared/a handle sees its own updates at once",
		},
		"views disagree on the order": {"Order/all handles see updates in one order"},
		"a version of now":            {"Order/a version stands for a value through all handles"},
		"watch skips a commit when it resumes": {
			"Follow/readers that begin at any time end at the truth",
		},
	} {
		for _, name := range names {
			t.Run(flaw+"/"+name, func(t *testing.T) {
				t.Parallel()
				all := sharedChecks(0)
				i := slices.IndexFunc(all, func(c sharedCheck) bool { return c.name == name })
				require.GreaterOrEqual(t, i, 0)
				for range 50 {
					handles := openHandles(flaw, all[i].handles)
					failed := failures(t, check{run: func(tb testing.TB, _ store.Store) { all[i].run(tb, handles) }}, nil)
					if len(failed) > 0 {
						return
					}
				}
				t.Error("the kit does not find the flaw")
			})
		}
	}
}
