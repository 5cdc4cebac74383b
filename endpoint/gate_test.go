package endpoint

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// done returns a context that is done: entering with it never waits.
func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestGateShares(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ places, each int }{{1, 1}, {2, 1}, {3, 2}, {4, 2}, {256, 128}} {
		g := newGate(test.places)
		ann, bob := principal{"1", "ann"}, principal{"1", "bob"}
		in := map[principal]int{}
		for _, p := range []principal{ann, bob} {
			for in[p] < test.each && in[ann]+in[bob] < test.places {
				require.True(t, g.enter(t.Context(), p), test)
				in[p]++
			}
		}
		require.Len(t, g.places, test.places)
		require.False(t, g.enter(done(), ann), "all places are taken")
		require.False(t, g.enter(done(), principal{"1", "eve"}), "all places are taken")
		for range in[bob] {
			g.leave(bob)
		}
		if test.places > 1 {
			require.False(t, g.enter(done(), ann), "there are places, but not for her")
			require.True(t, g.enter(t.Context(), bob))
			g.leave(bob)
		}
		for range in[ann] {
			g.leave(ann)
		}
		require.Empty(t, g.shares, "nobody is remembered")
		require.Empty(t, g.places)
	}
}

func TestGateWaits(t *testing.T) {
	t.Parallel()
	g := newGate(2)
	ann, bob := principal{"1", "ann"}, principal{"1", "bob"}
	require.True(t, g.enter(t.Context(), ann))
	require.True(t, g.enter(t.Context(), bob))
	entered := make(chan bool)
	for _, p := range []principal{ann, bob, {"1", "eve"}} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { entered <- g.enter(ctx, p) }()
		cancel()
		require.False(t, <-entered, "%v goes away", p)
	}
	require.Len(t, g.shares, 2)

	go func() { entered <- g.enter(t.Context(), ann) }()
	g.leave(ann)
	require.True(t, <-entered)
	g.leave(ann)
	g.leave(bob)
	require.Empty(t, g.shares)
}

func TestGateUnderLoad(t *testing.T) {
	t.Parallel()
	const places = 5
	g := newGate(places)
	var in, served atomic.Int64
	var of [3]atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			who := i % len(of)
			p := principal{"1", string(rune('a' + who))}
			for range 50 {
				if !g.enter(t.Context(), p) {
					t.Error("not let in")
					return
				}
				if in.Add(1) > places || of[who].Add(1) > (places+1)/2 {
					t.Error("too many in")
				}
				served.Add(1)
				of[who].Add(-1)
				in.Add(-1)
				g.leave(p)
			}
		}()
	}
	wg.Wait()
	require.EqualValues(t, 3000, served.Load())
	require.Empty(t, g.shares)
	require.Empty(t, g.places)
}

// A share that nobody uses any more is used again, by whoever comes next, and is
// empty then.
func TestGateUsesSharesAgain(t *testing.T) {
	t.Parallel()
	g := newGate(4)
	for i := range 10 {
		p := principal{"1", string(rune('a' + i))}
		require.True(t, g.enter(t.Context(), p))
		require.True(t, g.enter(t.Context(), p))
		require.False(t, g.enter(done(), p), "two are all that one may have")
		g.leave(p)
		require.NotEmpty(t, g.shares)
		g.leave(p)
		require.Empty(t, g.shares)
		require.Empty(t, g.spare.places)
		require.Zero(t, g.spare.users)
	}
}

// Allocations can be counted only while no other test runs.
func TestGateMakesNoGarbage(t *testing.T) {
	g, p, ctx := newGate(4), principal{"1", "a"}, t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if g.enter(ctx, p) {
			g.leave(p)
		}
	}))
}
