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
		in := map[principal][]*share{}
		for _, p := range []principal{ann, bob} {
			for len(in[p]) < test.each && len(in[ann])+len(in[bob]) < test.places {
				s := g.enter(t.Context(), p)
				require.NotNil(t, s, test)
				in[p] = append(in[p], s)
			}
		}
		require.Len(t, g.places, test.places)
		require.Nil(t, g.enter(done(), ann), "all places are taken")
		require.Nil(t, g.enter(done(), principal{"1", "eve"}), "all places are taken")
		for _, s := range in[bob] {
			g.leave(s)
		}
		if test.places > 1 {
			require.Nil(t, g.enter(done(), ann), "there are places, but not for her")
			s := g.enter(t.Context(), bob)
			require.NotNil(t, s)
			g.leave(s)
		}
		for _, s := range in[ann] {
			g.leave(s)
		}
		require.Empty(t, g.shares, "nobody is remembered")
		require.Empty(t, g.places)
	}
}

func TestGateWaits(t *testing.T) {
	t.Parallel()
	g := newGate(2)
	ann, bob := principal{"1", "ann"}, principal{"1", "bob"}
	anns, bobs := g.enter(t.Context(), ann), g.enter(t.Context(), bob)
	require.NotNil(t, anns)
	require.NotNil(t, bobs)
	entered := make(chan *share)
	for _, p := range []principal{ann, bob, {"1", "eve"}} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { entered <- g.enter(ctx, p) }()
		cancel()
		require.Nil(t, <-entered, "%v goes away", p)
	}
	require.Len(t, g.shares, 2)

	go func() { entered <- g.enter(t.Context(), ann) }()
	g.leave(anns)
	require.Same(t, anns, <-entered)
	g.leave(anns)
	g.leave(bobs)
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
				s := g.enter(t.Context(), p)
				if s == nil {
					t.Error("not let in")
					return
				}
				if in.Add(1) > places || of[who].Add(1) > (places+1)/2 {
					t.Error("too many in")
				}
				served.Add(1)
				of[who].Add(-1)
				in.Add(-1)
				g.leave(s)
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
		s := g.enter(t.Context(), p)
		require.NotNil(t, s)
		require.Same(t, s, g.enter(t.Context(), p))
		require.Nil(t, g.enter(done(), p), "two are all that one may have")
		g.leave(s)
		require.NotEmpty(t, g.shares)
		g.leave(s)
		require.Empty(t, g.shares)
		require.Empty(t, g.spare.places)
		require.Zero(t, g.spare.users)
	}
}

// Allocations can be counted only while no other test runs.
func TestGateMakesNoGarbage(t *testing.T) {
	g, p, ctx := newGate(4), principal{"1", "a"}, t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if s := g.enter(ctx, p); s != nil {
			g.leave(s)
		}
	}))
}
