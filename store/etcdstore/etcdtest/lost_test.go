package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/etcdstore"
)

// loss is what becomes of a request.
type loss int

const (
	unsent   loss = iota // it never arrives
	unheard              // it is carried out, and the answer is lost
	late                 // it arrives after its sender has given up
	doubled              // it arrives twice, and the second answer is heard
	overflow             // it is carried out, and the answer is that it has used up the quota
)

// losing loses transactions from the nth on, count of them. The zero value loses none.
type losing struct {
	n, count int64
	how      loss
	seen     atomic.Int64
	late     sync.WaitGroup
}

var errLost = status.Error(codes.Unavailable, "the connection broke")

func (l *losing) option() grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, in, out any,
		c *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if method != "/etcdserverpb.KV/Txn" {
			return invoke(ctx, method, in, out, c, opts...)
		}
		if n := l.seen.Add(1); n < l.n || n >= l.n+l.count {
			return invoke(ctx, method, in, out, c, opts...)
		}
		switch l.how {
		case unheard, overflow:
			if err := invoke(ctx, method, in, out, c, opts...); err != nil {
				return err
			}
		case doubled:
			if err := invoke(ctx, method, in, out, c, opts...); err != nil {
				return err
			}
			return invoke(ctx, method, in, out, c, opts...)
		case late:
			l.late.Go(func() {
				time.Sleep(30 * time.Millisecond)
				_ = invoke(context.WithoutCancel(ctx), method, in, out, c, opts...)
			})
		}
		if l.how == overflow {
			return status.Error(codes.ResourceExhausted, "etcdserver: mvcc: database space exceeded")
		}
		return errLost
	})
}

// step is one update of the script: it adds one to a counter, puts a key of its own and
// deletes that of the step before last, having scanned all of them.
func step(i int) func(store.Tx) error {
	return func(tx store.Tx) error {
		n := 0
		if v, err := tx.Get("n"); err == nil {
			n, _ = strconv.Atoi(string(v))
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		for _, err := range tx.Scan("step/", "") {
			if err != nil {
				return err
			}
		}
		return errors.Join(tx.Put("n", []byte(strconv.Itoa(n+1))), tx.Put(stepKey(i), nil), tx.Delete(stepKey(i-2)))
	}
}

func stepKey(i int) string { return fmt.Sprintf("step/%d", i) }

// contents returns what a store holds.
func contents(tb testing.TB, s store.Store) map[string]string {
	tb.Helper()
	all := map[string]string{}
	require.NoError(tb, s.View(tb.Context(), func(tx store.Tx) error {
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			all[e.Key] = string(e.Value)
		}
		return nil
	}))
	return all
}

// want returns what a store holds after the steps that were committed.
func want(steps []int) map[string]string {
	all := map[string]string{}
	for _, i := range steps {
		n, _ := strconv.Atoi(all["n"])
		all["n"] = strconv.Itoa(n + 1)
		all[stepKey(i)] = ""
		delete(all, stepKey(i-2))
	}
	return all
}

// TestLost loses each transaction of a script in turn, and the one after it too. What
// Update says must be what the cluster holds, at once and after late requests came in.
func TestLost(t *testing.T) {
	t.Parallel()
	endpoints := sharedCluster(t).endpoints()
	const steps = 6
	for name, how := range map[string]loss{
		"unsent": unsent, "unheard": unheard, "late": late, "doubled": doubled, "overflow": overflow,
	} {
		for count := int64(1); count <= 3; count++ {
			t.Run(fmt.Sprintf("%s/%d", name, count), func(t *testing.T) {
				t.Parallel()
				for n := int64(1); ; n++ {
					l := &losing{n: n, count: count, how: how}
					ns := namespace()
					s := open(t, dial(t, endpoints, l.option()), etcdstore.Options{Namespace: ns, Timeout: patience})
					var done []int
					for i := range steps {
						require.NoError(t, s.Update(t.Context(), step(i)), "step %d of run %d", i, n)
						done = append(done, i)
					}
					require.Equal(t, want(done), contents(t, s), "run %d", n)
					l.late.Wait()
					again := open(t, dial(t, endpoints), etcdstore.Options{Namespace: ns, MaxStaleness: etcdstore.Linearizable})
					require.Equal(t, want(done), contents(t, again), "run %d", n)
					if l.seen.Load() < n {
						break
					}
				}
			})
		}
	}
}

// TestInDoubt has the cluster stay away after it was sent an update: both outcomes are
// possible and the error says so. When the cluster is back the store goes on.
func TestInDoubt(t *testing.T) {
	t.Parallel()
	endpoints := sharedCluster(t).endpoints()
	for name, how := range map[string]loss{"unsent": unsent, "unheard": unheard} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &losing{n: 2, count: 1 << 40, how: how}
			ns := namespace()
			s := open(t, dial(t, endpoints, l.option()), etcdstore.Options{Namespace: ns, Timeout: 3 * time.Second})
			require.NoError(t, s.Update(t.Context(), step(0)))
			require.ErrorIs(t, s.Update(t.Context(), step(1)), etcdstore.ErrInDoubt)
			l.seen.Store(1 << 50)
			require.NoError(t, s.Update(t.Context(), step(2)))
			done := []int{0, 1, 2}
			if how == unsent {
				done = []int{0, 2}
			}
			again := open(t, dial(t, endpoints), etcdstore.Options{Namespace: ns})
			require.Equal(t, want(done), contents(t, again))
			require.Equal(t, want(done), contents(t, s))
		})
	}
}

// TestCancelled cancels updates while they are on their way.
func TestCancelled(t *testing.T) {
	t.Parallel()
	endpoints := sharedCluster(t).endpoints()
	ns := namespace()
	var cancel atomic.Pointer[context.CancelFunc]
	s := open(t, dial(t, endpoints, grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, in, out any,
		c *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if method != "/etcdserverpb.KV/Txn" {
			return invoke(ctx, method, in, out, c, opts...)
		}
		if f := cancel.Swap(nil); f != nil {
			err := invoke(context.WithoutCancel(ctx), method, in, out, c, opts...)
			(*f)()
			if err == nil {
				return status.FromContextError(ctx.Err()).Err()
			}
			return err
		}
		return invoke(ctx, method, in, out, c, opts...)
	})), etcdstore.Options{Namespace: ns})
	require.NoError(t, s.Update(t.Context(), step(0)))
	for i := 1; i < 5; i++ {
		ctx, stop := context.WithCancel(t.Context())
		require.NoError(t, s.View(ctx, func(store.Tx) error { return nil }))
		err := s.Update(ctx, func(tx store.Tx) error {
			cancel.Store(&stop)
			return step(i)(tx)
		})
		require.NoError(t, err, "it was committed before its context ended")
		require.ErrorIs(t, ctx.Err(), context.Canceled)
	}
	require.Equal(t, want([]int{0, 1, 2, 3, 4}), contents(t, s))
}

// TestLeaseLost takes a store's lease away, and with it the slots. The next updates go
// through all the same.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	ns := namespace()
	s := open(t, client, etcdstore.Options{Namespace: ns})
	require.NoError(t, s.Update(t.Context(), step(0)))
	r, err := client.Get(t.Context(), ns+"/e/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.NotEmpty(t, r.Kvs)
	for i := 1; i < 4; i++ {
		r, err := client.Get(t.Context(), ns+"/e/", clientv3.WithPrefix())
		require.NoError(t, err)
		require.NotEmpty(t, r.Kvs)
		_, err = client.Revoke(t.Context(), clientv3.LeaseID(r.Kvs[0].Lease))
		require.NoError(t, err)
		require.NoError(t, s.Update(t.Context(), step(i)))
	}
	require.Equal(t, want([]int{0, 1, 2, 3}), contents(t, s))
	require.NoError(t, s.Close())
	r, err = client.Get(t.Context(), ns+"/e/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Empty(t, r.Kvs, "slots are left after Close")
}

func TestWantIsTheScript(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	for i := range 5 {
		require.NoError(t, s.Update(t.Context(), step(i)))
	}
	require.True(t, maps.Equal(want([]int{0, 1, 2, 3, 4}), contents(t, s)))
}
