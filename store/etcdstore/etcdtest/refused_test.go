package etcdtest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/etcdstore"
)

// TestFull uses up the quota of a cluster. What was refused is not there, what was
// acknowledged is, and when there is room again the store goes on.
func TestFull(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(c *embed.Config) { c.QuotaBackendBytes = 8 << 20 })
	client := dial(t, c.endpoints())
	s := open(t, client, etcdstore.Options{Namespace: "ns"})
	var err error
	done := 0
	for ; err == nil; done++ {
		require.Less(t, done, 100)
		err = s.Update(t.Context(), func(tx store.Tx) error {
			return tx.Put(fmt.Sprint(done), make([]byte, 300<<10))
		})
	}
	done--
	require.ErrorIs(t, err, etcdstore.ErrFull)
	require.ErrorIs(t, s.Update(t.Context(), set("a", "1")), etcdstore.ErrFull)
	require.Len(t, contents(t, s), done)
	again := open(t, client, etcdstore.Options{Namespace: "ns", MaxStaleness: etcdstore.Linearizable})
	require.Len(t, contents(t, again), done)

	_, err = client.Delete(t.Context(), "ns/d/", clientv3.WithPrefix())
	require.NoError(t, err)
	r, err := client.Get(t.Context(), "ns/last")
	require.NoError(t, err)
	_, err = client.Compact(t.Context(), r.Header.Revision, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	_, err = client.Defragment(t.Context(), c.endpoints()[0])
	require.NoError(t, err)
	_, err = client.AlarmDisarm(t.Context(), &clientv3.AlarmMember{})
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), set("a", "1")))
	require.NoError(t, again.Update(t.Context(), set("b", "1")))
	require.Equal(t, map[string]string{"a": "1", "b": "1"}, contents(t, open(t, client, etcdstore.Options{Namespace: "ns"})))
}

// TestLimits makes the largest updates that there are.
func TestLimits(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	ns := namespace()
	ns += fmt.Sprintf("%0*d", 128-len(ns), 0)
	s := open(t, client, etcdstore.Options{Namespace: ns})
	key := func(i int) string { return fmt.Sprintf("%0*d", store.MaxKey, i) }
	value := make([]byte, store.MaxBytes/store.MaxKeys-store.MaxKey)
	for range 2 { // the keys are there the second time
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
			for i := range store.MaxKeys {
				for range tx.Scan(key(i), "") { // as many ranges as keys
				}
				if err := tx.Put(key(i), value); err != nil {
					return err
				}
			}
			for i := range 4 {
				if err := tx.Put(fmt.Sprintf("%s%d", store.Reserved, i), make([]byte, 16<<10-2)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	require.Len(t, contents(t, s), store.MaxKeys+4)
}

// TestClusterLimits meets a cluster whose limits are lower than etcd's default ones.
func TestClusterLimits(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(c *embed.Config) { c.MaxTxnOps, c.MaxRequestBytes = 20, 10<<10 })
	s := open(t, dial(t, c.endpoints()), etcdstore.Options{Namespace: "ns"})
	require.ErrorIs(t, s.Update(t.Context(), set("a", string(make([]byte, 20<<10)))), store.ErrLimit)
	require.ErrorIs(t, s.Update(t.Context(), func(tx store.Tx) error {
		var all []error
		for i := range 30 {
			all = append(all, tx.Put(fmt.Sprint(i), nil))
		}
		return errors.Join(all...)
	}), store.ErrLimit)
	require.NoError(t, s.Update(t.Context(), set("a", "1")))
	require.Equal(t, map[string]string{"a": "1"}, contents(t, s))
}

// TestSecured goes over TLS with a client certificate, to a cluster that gives a user
// no more than its namespace.
func TestSecured(t *testing.T) {
	t.Parallel()
	certificate, err := transport.SelfCert(zap.NewNop(), t.TempDir(), []string{"127.0.0.1"}, 1, x509.ExtKeyUsageClientAuth)
	require.NoError(t, err)
	certificate.TrustedCAFile, certificate.ClientCertAuth = certificate.CertFile, true
	c := newCluster(t, 1, func(c *embed.Config) {
		c.ClientTLSInfo = certificate
		secure := []url.URL{{Scheme: "https", Host: c.ListenClientUrls[0].Host}}
		c.ListenClientUrls, c.AdvertiseClientUrls = secure, secure
	})
	tls, err := certificate.ClientConfig()
	require.NoError(t, err)
	connect := func(user string) *clientv3.Client {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{c.members[0].Config().ListenClientUrls[0].String()},
			TLS: tls, Username: user, Password: user, Logger: zap.NewNop(), DialTimeout: patience})
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	admin := connect("")
	for _, user := range []string{"root", "app"} {
		_, err = admin.UserAdd(t.Context(), user, user)
		require.NoError(t, err)
		_, err = admin.RoleAdd(t.Context(), user)
		require.NoError(t, err)
		_, err = admin.UserGrantRole(t.Context(), user, user)
		require.NoError(t, err)
	}
	_, err = admin.RoleGrantPermission(t.Context(), "app", "mine/", clientv3.GetPrefixRangeEnd("mine/"), clientv3.PermissionType(clientv3.PermReadWrite))
	require.NoError(t, err)
	_, err = admin.RoleGrantPermission(t.Context(), "app", "seen/", clientv3.GetPrefixRangeEnd("seen/"), clientv3.PermissionType(clientv3.PermRead))
	require.NoError(t, err)
	_, err = admin.AuthEnable(t.Context())
	require.NoError(t, err)

	app := connect("app")
	s := open(t, app, etcdstore.Options{Namespace: "mine"})
	for i := range 4 {
		require.NoError(t, s.Update(t.Context(), step(i)))
	}
	require.Equal(t, want([]int{0, 1, 2, 3}), contents(t, s))
	_, err = etcdstore.Open(t.Context(), app, &etcdstore.Options{Namespace: "other"})
	require.ErrorIs(t, err, etcdstore.ErrRefused)
	seen := open(t, app, etcdstore.Options{Namespace: "seen"})
	require.ErrorIs(t, seen.Update(t.Context(), set("a", "1")), etcdstore.ErrRefused)
	require.Empty(t, contents(t, seen))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	for name, o := range map[string]*etcdstore.Options{
		"no options":          nil,
		"no namespace":        {},
		"a slash only":        {Namespace: "/"},
		"a long namespace":    {Namespace: fmt.Sprintf("%0129d", 0)},
		"in another's data":   {Namespace: "a/d/b"},
		"in another's slots":  {Namespace: "a/e"},
		"a negative bound":    {Namespace: "a", MaxStaleness: -time.Second},
		"a negative patience": {Namespace: "a", Timeout: -1},
	} {
		s, err := etcdstore.Open(t.Context(), client, o)
		require.Error(t, err, name)
		require.Nil(t, s, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := etcdstore.Open(ctx, client, &etcdstore.Options{Namespace: namespace()})
	require.ErrorIs(t, err, etcdstore.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	nobody := dial(t, []string{"127.0.0.1:1"})
	_, err = etcdstore.Open(t.Context(), nobody, &etcdstore.Options{Namespace: namespace(), Timeout: 100 * time.Millisecond})
	require.ErrorIs(t, err, etcdstore.ErrUnavailable)
}
