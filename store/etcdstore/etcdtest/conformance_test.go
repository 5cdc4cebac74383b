package etcdtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/etcdstore"
	"github.com/sealring/sealring/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	storetest.Run(t, func(t *testing.T) store.Store {
		return openOnly(t, client, etcdstore.Options{Namespace: namespace()})
	})
}

func TestConformanceSealed(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	storetest.Run(t, func(t *testing.T) store.Store {
		inner := openOnly(t, client, etcdstore.Options{Namespace: namespace()})
		s, err := store.Seal(t.Context(), inner, rootKey(t), &store.SealOptions{AllowRollback: true})
		require.NoError(t, err)
		return s
	})
}

// openOnly opens a store that somebody else closes.
func openOnly(t *testing.T, c *clientv3.Client, o etcdstore.Options) *etcdstore.Store {
	t.Helper()
	s, err := etcdstore.Open(t.Context(), c, &o)
	require.NoError(t, err)
	return s
}

// rootKey returns the root key of every sealed store here.
func rootKey(tb testing.TB) keyring.Keyring {
	tb.Helper()
	k, err := keyring.NewRawAES("etcdtest", "root", make([]byte, 32))
	require.NoError(tb, err)
	return k
}

func TestShared(t *testing.T) {
	t.Parallel()
	endpoints := sharedCluster(t).endpoints()
	for name, bound := range map[string]time.Duration{"a second": time.Second, "linearizable": etcdstore.Linearizable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunShared(t, max(bound, 0), func(t *testing.T, n int) (all []store.Store) {
				o := etcdstore.Options{Namespace: namespace(), MaxStaleness: bound}
				for range n {
					all = append(all, openOnly(t, dial(t, endpoints), o))
				}
				return all
			})
		})
	}
}

// TestDurable has stores end by Close, or by having their wire cut as if their process
// had died. What the cluster had received of them by then is carried out while Close
// tries in vain to give the lease back.
func TestDurable(t *testing.T) {
	t.Parallel()
	endpoints := sharedCluster(t).endpoints()
	storetest.RunDurable(t, func(t *testing.T) storetest.Place {
		o := etcdstore.Options{Namespace: namespace(), Timeout: 2 * time.Second}
		var w *wire
		return storetest.Place{
			Open: func(tb testing.TB) store.Store {
				w = newWire(tb, endpoints[0])
				s, err := etcdstore.Open(tb.Context(), dial(tb, []string{w.address()}), &o)
				require.NoError(tb, err)
				return s
			},
			Crash: func(tb testing.TB, s store.Store) {
				w.set(true)
				require.NoError(tb, s.Close())
			},
		}
	})
}
