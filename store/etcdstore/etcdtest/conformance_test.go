package etcdtest

import (
	"testing"

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

func TestConformanceLinearizable(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	storetest.Run(t, func(t *testing.T) store.Store {
		return openOnly(t, client, etcdstore.Options{Namespace: namespace(), MaxStaleness: etcdstore.Linearizable})
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
