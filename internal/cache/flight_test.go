package cache_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/cache"
)

// gate is a load that waits until it is let go or its context is done.
type gate struct {
	open  chan struct{}
	begun int
	ended error // of the context of the last load
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) load(ctx context.Context) (string, time.Time, error) {
	g.begun++
	select {
	case <-g.open:
		return "value", time.Now().Add(time.Hour), nil
	case <-ctx.Done():
		g.ended = ctx.Err()
		return "", time.Time{}, ctx.Err()
	}
}

// result is what one of several who ask gets.
type result struct {
	value string
	err   error
}

func ask(ctx context.Context, c *cache.Cache[string, string], load cache.Load[string]) <-chan result {
	got := make(chan result, 1)
	go func() {
		e, _, err := c.Get(ctx, "key", load)
		if err != nil {
			got <- result{err: err}
			return
		}
		defer e.Release()
		got <- result{value: e.Value()}
	}()
	return got
}

func TestOneLoadForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, g := cache.New[string, string](1, nil), newGate()
		var all []<-chan result
		for range 10 {
			all = append(all, ask(t.Context(), c, g.load))
		}
		synctest.Wait()
		close(g.open)
		for _, got := range all {
			require.Equal(t, result{value: "value"}, <-got)
		}
		require.Equal(t, 1, g.begun)
		require.Equal(t, cache.Stats{Misses: 10, Loads: 1, Entries: 1}, c.Stats())
	})
}

func TestOneFailureForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, open := cache.New[string, string](1, nil), make(chan struct{})
		want := errors.New("out of order")
		load := func(context.Context) (string, time.Time, error) {
			<-open
			return "", time.Time{}, want
		}
		one, two := ask(t.Context(), c, load), ask(t.Context(), c, load)
		synctest.Wait()
		close(open)
		require.ErrorIs(t, (<-one).err, want)
		require.ErrorIs(t, (<-two).err, want)
		require.Equal(t, cache.Stats{Misses: 2, Loads: 1, Failures: 1}, c.Stats())
	})
}

// Whoever gives up leaves the others alone, be it the one who has begun the load.
func TestGivingUpHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	for quitter := range 3 {
		synctest.Test(t, func(t *testing.T) {
			c, g := cache.New[string, string](1, nil), newGate()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var all []<-chan result
			for i := range 3 {
				if i == quitter {
					all = append(all, ask(ctx, c, g.load))
				} else {
					all = append(all, ask(t.Context(), c, g.load))
				}
				synctest.Wait()
			}
			cancel()
			require.ErrorIs(t, (<-all[quitter]).err, context.Canceled, "at once: the gate is still closed")
			synctest.Wait()
			close(g.open)
			for i, got := range all {
				if i != quitter {
					require.Equal(t, result{value: "value"}, <-got)
				}
			}
			require.Equal(t, 1, g.begun)
			require.NoError(t, g.ended)
		})
	}
}

func TestLoadIsCancelledWhenAllHaveGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, g := cache.New[string, string](1, nil), newGate()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		one, two := ask(ctx, c, g.load), ask(ctx, c, g.load)
		require.ErrorIs(t, (<-one).err, context.DeadlineExceeded)
		require.ErrorIs(t, (<-two).err, context.DeadlineExceeded)
		synctest.Wait()
		require.ErrorIs(t, g.ended, context.Canceled)

		next := newGate() // a newcomer does not inherit the cancelled load
		close(next.open)
		require.Equal(t, result{value: "value"}, <-ask(t.Context(), c, next.load))
		require.Equal(t, cache.Stats{Misses: 3, Loads: 2, Failures: 1, Entries: 1}, c.Stats())
	})
}

// A load that ends although nobody waits any more leaves nothing behind.
func TestAbandonedResultIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d dropped
		c, open := cache.New[string, string](1, d.add), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		got := ask(ctx, c, func(context.Context) (string, time.Time, error) {
			<-open // it does not look at its context
			return "late", time.Now().Add(time.Hour), nil
		})
		synctest.Wait()
		cancel()
		require.ErrorIs(t, (<-got).err, context.Canceled)
		require.Equal(t, result{value: "1"}, <-ask(t.Context(), c, lasting("1")))
		close(open)
		synctest.Wait()
		require.Equal(t, []string{"late"}, d.all())
		require.Equal(t, result{value: "1"}, <-ask(t.Context(), c, nil))
	})
}

func TestClearForgetsLoadsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d dropped
		c, old := cache.New[string, string](1, d.add), newGate()
		got := ask(t.Context(), c, old.load)
		synctest.Wait()
		c.Clear()
		require.Equal(t, result{value: "new"}, <-ask(t.Context(), c, lasting("new")))
		close(old.open)
		require.Equal(t, result{value: "value"}, <-got, "who waited gets it")
		synctest.Wait()
		require.Equal(t, []string{"value"}, d.all(), "but it is not kept")
		require.Equal(t, result{value: "new"}, <-ask(t.Context(), c, nil))
	})
}

// Whoever gives up a load that Clear has made forget leaves its successor alone.
func TestForgottenLoadSparesTheSuccessor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, old, next := cache.New[string, string](1, nil), newGate(), newGate()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		quitter := ask(ctx, c, old.load)
		synctest.Wait()
		c.Clear()
		one := ask(t.Context(), c, next.load)
		synctest.Wait()
		cancel()
		require.ErrorIs(t, (<-quitter).err, context.Canceled)
		two := ask(t.Context(), c, next.load)
		synctest.Wait()
		close(next.open)
		require.Equal(t, result{value: "value"}, <-one)
		require.Equal(t, result{value: "value"}, <-two)
		require.Equal(t, 1, next.begun)
	})
}

func TestDoneContextIsRefused(t *testing.T) {
	t.Parallel()
	c := cache.New[string, string](1, nil)
	get(t, c, "key", lasting("1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, (<-ask(ctx, c, nil)).err, context.Canceled)
	require.Equal(t, cache.Stats{Misses: 1, Loads: 1, Entries: 1}, c.Stats())
}

// The load has the values of the request that began it. It knows that one's deadline,
// but is not ended by it.
func TestLoadIsDetached(t *testing.T) {
	t.Parallel()
	type name struct{}
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), name{}, "first"), time.Hour)
	defer cancel()
	want, _ := ctx.Deadline()
	c := cache.New[string, string](1, nil)
	got := <-ask(ctx, c, func(ctx context.Context) (string, time.Time, error) {
		_, limited := ctx.Deadline()
		require.False(t, limited)
		expected, limited := cache.Deadline(ctx)
		require.True(t, limited)
		require.Equal(t, want, expected)
		return ctx.Value(name{}).(string), time.Now().Add(time.Hour), nil
	})
	require.Equal(t, result{value: "first"}, got)
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	_, limited := cache.Deadline(t.Context())
	require.False(t, limited)
	now := time.Now()
	outer, cancel := context.WithDeadline(t.Context(), now.Add(time.Hour))
	defer cancel()
	deadline, limited := cache.Deadline(outer)
	require.True(t, limited)
	require.Equal(t, now.Add(time.Hour), deadline)

	// In a load, the earlier of its own deadline and that of the request holds.
	for own, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, 2 * time.Hour: time.Hour} {
		c := cache.New[string, string](1, nil)
		got := <-ask(outer, c, func(ctx context.Context) (string, time.Time, error) {
			ctx, cancel := context.WithDeadline(ctx, now.Add(own))
			defer cancel()
			deadline, limited := cache.Deadline(ctx)
			require.True(t, limited)
			require.Equal(t, now.Add(want), deadline)
			return "value", now, nil
		})
		require.Equal(t, result{value: "value"}, got)
	}
}

func TestLoadThatPanicsOrExits(t *testing.T) {
	t.Parallel()
	c := cache.New[string, string](1, nil)
	func() {
		defer func() { require.Contains(t, recover(), "out of order\n\n") }()
		_, _, err := c.Get(t.Context(), "key", func(context.Context) (string, time.Time, error) { panic("out of order") })
		require.NoError(t, err, "it panics")
	}()
	_, _, err := c.Get(t.Context(), "key", func(context.Context) (string, time.Time, error) {
		runtime.Goexit()
		return "", time.Time{}, nil
	})
	require.EqualError(t, err, "cache: the load has ended without a result")
	require.Equal(t, cache.Stats{Misses: 2, Loads: 2, Failures: 2}, c.Stats())
}
