package audit_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

func TestChainSurvivesEveryFaultOfItsFile(t *testing.T) {
	t.Parallel()
	const events = 12
	for _, op := range []string{"open", "write", "sync", "truncate"} {
		for n := 1; n <= events; n++ {
			for _, written := range []int{0, 1, 700, 1500} {
				synctest.Test(t, func(t *testing.T) { faultyChain(t, op, n, written, events) })
			}
		}
	}
}

func faultyChain(t *testing.T, op string, n, written, events int) {
	path, state, d := newPath(t), &memoryState{}, &disk{sync: func() { time.Sleep(time.Millisecond) }}
	o := &audit.FileOptions{MaxSize: 4000}
	f, err := d.open(path, o)
	require.NoError(t, err)
	c := newChain(t, f, state, byHand)
	fail := once(op, n, written, full)
	if op == "truncate" {
		writes := once("write", n, written+1, errDisk)
		fail = func(o string) (int, error) {
			if o == "truncate" {
				return 0, full
			}
			return writes(o)
		}
	}
	d.set(fail)
	var mu sync.Mutex
	var kept []string
	doubt := false
	one := func(i int) {
		err := c.Record(t.Context(), event(i))
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			kept = append(kept, event(i).ID)
		}
		doubt = doubt || err != nil && !errors.Is(err, audit.ErrNotRecorded)
	}
	for round := range events { // three at a time: some share a batch, some are behind it
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() { one(3*round + i + 1) })
		}
		wg.Wait()
	}
	if op == "open" || op == "write" {
		assert.False(t, doubt)
		assert.GreaterOrEqual(t, len(kept), 3*(events-1))
		requireProven(t, path, state, len(kept))
	}
	_ = f.Close()

	// The chain was not closed: the log is all there is.
	f = openFile(t, path, o)
	c = newChain(t, f, state, byHand)
	record(t, c, 1000, 1003)
	require.NoError(t, c.Close(t.Context()))
	require.NoError(t, f.Close())
	got := ids(t, strings.Join(readAll(t, path), ""))
	requireProven(t, path, state, len(got))
	require.Subset(t, got, kept)
	if !doubt {
		require.Len(t, got, len(kept)+4)
	}
}

func TestChainSurvivesEveryFaultOfItsState(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 12; n++ {
		path, state := newPath(t), &memoryState{}
		calls := 0
		state.fail = func() error {
			if calls++; calls == n {
				return errDisk
			}
			return nil
		}
		recorded := 0
		for range 3 { // each opens the chain, anchors it twice and dies
			f := openFile(t, path, nil)
			c, err := audit.NewChain(t.Context(), f, state, byHand)
			if err != nil {
				require.ErrorIs(t, err, errDisk)
				require.NoError(t, f.Close())
				f = openFile(t, path, nil)
				c = newChain(t, f, state, byHand)
			}
			for range 2 {
				record(t, c, recorded+1, recorded+2)
				recorded += 2
				if err := c.Anchor(t.Context()); err != nil {
					require.ErrorIs(t, err, errDisk)
				}
			}
			require.NoError(t, f.Close())
		}
		r, err := verify(t, path, state)
		require.NoError(t, err)
		require.EqualValues(t, recorded, r.Chains[len(r.Chains)-1].Proven)
		require.Equal(t, idsTo(recorded), ids(t, read(t, path)))
	}
}
