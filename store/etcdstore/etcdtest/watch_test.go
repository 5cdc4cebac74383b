package etcdtest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/etcdstore"
)

// deafStream is a stream on which nothing arrives while it is deaf.
type deafStream struct {
	grpc.ClientStream
	deaf *atomic.Bool
}

func (d deafStream) RecvMsg(m any) error {
	err := d.ClientStream.RecvMsg(m)
	if err == nil && d.deaf.Load() {
		<-d.Context().Done()
		return d.Context().Err()
	}
	return err
}

// TestWatchIsDead has the stream of the first watch deliver nothing, without an error,
// as a connection does whose other end has vanished. The store begins another one.
func TestWatchIsDead(t *testing.T) {
	t.Parallel()
	endpoints := sharedCluster(t).endpoints()
	var deaf atomic.Bool
	var watches atomic.Int64
	client := dial(t, endpoints, grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc,
		c *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := open(ctx, d, c, method, opts...)
		if err == nil && strings.HasSuffix(method, "/Watch") && watches.Add(1) == 1 {
			return deafStream{stream, &deaf}, nil
		}
		return stream, err
	}))
	ns := namespace()
	s := open(t, client, etcdstore.Options{Namespace: ns, MaxStaleness: etcdstore.Linearizable, Timeout: 4 * time.Second})
	other := open(t, dial(t, endpoints), etcdstore.Options{Namespace: ns})
	require.NoError(t, other.Update(t.Context(), set("a", "1")))
	got, err := look(t.Context(), s, "a")
	require.NoError(t, err)
	require.Equal(t, "1", got)
	deaf.Store(true)
	require.NoError(t, other.Update(t.Context(), set("a", "2")))
	eventually(t, func() bool {
		got, err = look(t.Context(), s, "a")
		require.False(t, err == nil && got == "1", "an old state")
		return err == nil
	})
	require.Equal(t, "2", got)
	require.GreaterOrEqual(t, watches.Load(), int64(2))
	require.NoError(t, s.Update(t.Context(), set("a", "3")))
}

// TestFragments has a store that was cut off catch up with more than etcd puts into one
// message. No view ever sees half a revision.
func TestFragments(t *testing.T) {
	t.Parallel()
	direct := sharedCluster(t).endpoints()
	w := newWire(t, direct[0])
	ns := namespace()
	cut := open(t, dial(t, []string{w.address()}), etcdstore.Options{Namespace: ns})
	other := open(t, dial(t, direct), etcdstore.Options{Namespace: ns})
	write := func(n byte) {
		half := make([]byte, store.MaxBytes/2-10)
		half[0] = n
		require.NoError(t, other.Update(t.Context(), func(tx store.Tx) error {
			return errors.Join(tx.Put("a", half), tx.Put("b", half))
		}))
	}
	write(0)
	eventually(t, func() bool { _, err := look(t.Context(), cut, "b"); return err == nil })
	w.set(true)
	const updates = 8
	for n := range byte(updates) {
		write(n + 1)
	}
	before := cut.Status().Revision
	seen := make(chan int)
	go func() {
		n := 0
		for _, err := range cut.Watch(t.Context(), "", before) {
			if n++; err != nil || n == 2*updates {
				break
			}
		}
		seen <- n
	}()
	w.set(false)
	eventually(t, func() bool {
		var a, b []byte
		if err := cut.View(t.Context(), func(tx store.Tx) (err error) {
			a, err = tx.Get("a")
			if err == nil {
				b, err = tx.Get("b")
			}
			return err
		}); err != nil {
			require.ErrorIs(t, err, etcdstore.ErrStale)
			return false
		}
		require.Equal(t, a[0], b[0], "half a revision")
		return a[0] == updates
	})
	select {
	case n := <-seen:
		require.Equal(t, 2*updates, n)
	case <-time.After(patience):
		t.Fatal("the watch has missed something")
	}
}
