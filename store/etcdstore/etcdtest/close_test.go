package etcdtest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/etcdstore"
)

// TestCloseLeavesNothing opens, uses and closes a store under a label, which goroutines
// hand on to those that they start: none with the label is left.
func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	o := &etcdstore.Options{Namespace: namespace(), MaxStaleness: 20 * time.Millisecond}
	left := func() int {
		var b bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
		return bytes.Count(b.Bytes(), []byte(`"store":"to be closed"`))
	}
	pprof.Do(t.Context(), pprof.Labels("store", "to be closed"), func(ctx context.Context) {
		s, err := etcdstore.Open(ctx, client, o)
		require.NoError(t, err)
		require.NoError(t, s.Update(ctx, set("a", "1")))
		time.Sleep(50 * time.Millisecond)
		require.Greater(t, left(), 1, "the store has no goroutines, so this test finds none")
		require.Equal(t, s.Status().Revision > 0, true)
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Status().Err, store.ErrClosed)
	})
	eventually(t, func() bool { return left() == 0 })
}

// TestCloseDuring closes a store while it is used from all sides.
func TestCloseDuring(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	for range 10 {
		ns := namespace()
		s := open(t, client, etcdstore.Options{Namespace: ns})
		sure := make(chan int)
		for range 4 {
			go func() {
				n := 0
				for s.Update(t.Context(), step(0)) == nil {
					n++
				}
				sure <- n
			}()
		}
		time.Sleep(10 * time.Millisecond)
		require.NoError(t, s.Close())
		total := 0
		for range 4 {
			total += <-sure
		}
		again := open(t, client, etcdstore.Options{Namespace: ns})
		var n int
		if v := contents(t, again)["n"]; v != "" {
			_, err := fmt.Sscan(v, &n)
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, n, total)
		require.LessOrEqual(t, n, total+4)
	}
}

// TestStatus tells how long the state has been without confirmation.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := open(t, dial(t, sharedCluster(t).endpoints()), etcdstore.Options{Namespace: namespace(), MaxStaleness: etcdstore.Linearizable})
	require.NoError(t, s.Update(t.Context(), set("a", "1")))
	st := s.Status()
	require.NoError(t, st.Err)
	require.NotZero(t, st.Revision)
	time.Sleep(30 * time.Millisecond)
	require.GreaterOrEqual(t, s.Status().Confirmed, 30*time.Millisecond)
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		require.Equal(t, st.Revision, tx.Revision())
		return nil
	}))
	require.Less(t, s.Status().Confirmed, st.Confirmed+30*time.Millisecond+patience)
}
