package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

func get(t *testing.T, s store.Store, key string) (value string) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		v, err := tx.Get(key)
		value = string(v)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}))
	return value
}

func TestTwiceRunsTheFunctionTwice(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	s := storetest.Twice(inner)
	runs := 0
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		runs++
		return tx.Put("runs", fmt.Append(nil, runs))
	}))
	require.Equal(t, 2, runs)
	require.Equal(t, "2", get(t, inner, "runs"))
	require.NoError(t, inner.View(t.Context(), func(tx store.Tx) error {
		require.Equal(t, uint64(1), tx.Revision(), "the first run is undone")
		return nil
	}))
	own := errors.New("own")
	require.ErrorIs(t, s.Update(t.Context(), func(store.Tx) error { return own }), own)
}

func TestFailAt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault     storetest.Fault
		n         int
		runs      int    // of the function of the second call
		committed string // by the second call
		failed    []bool
	}{
		{storetest.Refused, 0, 1, "2", []bool{false, false, false}},
		{storetest.Refused, 2, 0, "1", []bool{false, true, false}},
		{storetest.Undone, 2, 1, "1", []bool{false, true, false}},
		{storetest.InDoubt, 2, 1, "2", []bool{false, true, false}},
		{storetest.InDoubt, 1, 1, "2", []bool{true, false, false}},
		{storetest.Refused, 3, 1, "2", []bool{false, false, true}},
		{storetest.Undone, 3, 1, "2", []bool{false, false, true}},
		{storetest.InDoubt, 3, 1, "2", []bool{false, false, true}},
	} {
		t.Run(fmt.Sprintf("%v at %d", c.fault, c.n), func(t *testing.T) {
			t.Parallel()
			inner := store.NewMemory()
			s := storetest.FailAt(inner, c.n, c.fault)
			var runs int
			errs := []error{
				s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("a", []byte("1")) }),
				s.Update(t.Context(), func(tx store.Tx) error { runs++; return tx.Put("a", []byte("2")) }),
				s.View(t.Context(), func(store.Tx) error { return nil }),
			}
			for i, err := range errs {
				if c.failed[i] {
					require.ErrorIs(t, err, storetest.ErrInjected)
				} else {
					require.NoError(t, err)
				}
			}
			require.Equal(t, 3, s.Calls())
			require.Equal(t, c.runs, runs)
			require.Equal(t, c.committed, get(t, inner, "a"))
		})
	}
}

func TestFailAtKeepsTheFunctionsError(t *testing.T) {
	t.Parallel()
	own := errors.New("own")
	for _, fault := range []storetest.Fault{storetest.Undone, storetest.InDoubt} {
		s := storetest.FailAt(store.NewMemory(), 1, fault)
		require.ErrorIs(t, s.Update(t.Context(), func(store.Tx) error { return own }), own, fault)
	}
	require.Equal(t, "Fault(9)", storetest.Fault(9).String())
}

func TestStall(t *testing.T) {
	t.Parallel()
	s := storetest.Stall(store.NewMemory())
	put := func(ctx context.Context) error {
		return s.Update(ctx, func(tx store.Tx) error { return tx.Put("a", []byte("1")) })
	}
	look := func(ctx context.Context) error { return s.View(ctx, func(store.Tx) error { return nil }) }
	s.Release() // of nothing
	require.NoError(t, put(t.Context()))

	s.Hold()
	s.Hold()
	results := make(chan error, 2)
	go func() { results <- put(t.Context()) }()
	go func() { results <- look(t.Context()) }()
	require.NoError(t, s.AwaitWaiting(t.Context(), 2))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- put(ctx) }()
	require.NoError(t, s.AwaitWaiting(t.Context(), 3))
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.ErrorIs(t, s.AwaitWaiting(ctx, 3), context.Canceled)
	select {
	case err := <-results:
		t.Fatalf("a call went through: %v", err)
	default:
	}
	s.Release()
	require.NoError(t, <-results)
	require.NoError(t, <-results)
	require.NoError(t, look(t.Context()))
	require.NoError(t, s.AwaitWaiting(t.Context(), 0))
}

// A transfer in two updates loses the money if the second of them fails.
func ExampleFailAt() {
	ctx := context.Background()
	transfer := func(s store.Store) error {
		if err := s.Update(ctx, func(tx store.Tx) error { return tx.Put("from", []byte("0")) }); err != nil {
			return err
		}
		return s.Update(ctx, func(tx store.Tx) error { return tx.Put("to", []byte("100")) })
	}
	for n := 1; ; n++ {
		inner := store.NewMemory()
		s := storetest.FailAt(inner, n, storetest.Refused)
		err := transfer(s)
		if s.Calls() < n {
			break
		}
		_ = inner.View(ctx, func(tx store.Tx) error {
			for e := range tx.Scan("", "") {
				fmt.Printf("fault %d: %s = %s\n", n, e.Key, e.Value)
			}
			return nil
		})
		fmt.Printf("fault %d: %v\n", n, err)
	}
	// Output:
	// fault 1: storetest: injected fault
	// fault 2: from = 0
	// fault 2: storetest: injected fault
}
