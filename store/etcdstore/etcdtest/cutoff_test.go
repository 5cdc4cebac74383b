package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/etcdstore"
)

// look reads a key in a View of its own.
func look(ctx context.Context, s store.Store, key string) (value string, err error) {
	err = s.View(ctx, func(tx store.Tx) error {
		v, err := tx.Get(key)
		value = string(v)
		return err
	})
	return value, err
}

func set(key, value string) func(store.Tx) error {
	return func(tx store.Tx) error { return tx.Put(key, []byte(value)) }
}

// TestCutOff cuts the wire of a store: it answers within the bound and no longer, and
// goes on when the wire is whole again.
func TestCutOff(t *testing.T) {
	t.Parallel()
	direct := sharedCluster(t).endpoints()
	for name, bound := range map[string]time.Duration{
		"a second": time.Second, "linearizable": etcdstore.Linearizable,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, direct[0])
			ns := namespace()
			cut := open(t, dial(t, []string{w.address()}), etcdstore.Options{
				Namespace: ns, MaxStaleness: bound, Timeout: 2 * time.Second})
			other := open(t, dial(t, direct), etcdstore.Options{Namespace: ns, MaxStaleness: bound})
			require.NoError(t, other.Update(t.Context(), set("a", "1")))
			time.Sleep(max(bound, 0))
			got, err := look(t.Context(), cut, "a")
			require.NoError(t, err)
			require.Equal(t, "1", got)

			w.set(true)
			require.NoError(t, other.Update(t.Context(), set("a", "2")))
			wrote := time.Now()
			for err = error(nil); err == nil && time.Since(wrote) < patience; {
				began := time.Since(wrote)
				if got, err = look(t.Context(), cut, "a"); err == nil {
					require.Equal(t, "1", got)
					require.Less(t, began, max(bound, 0), "a View that began after the bound answers")
				}
			}
			require.ErrorIs(t, err, etcdstore.ErrStale)
			require.ErrorIs(t, cut.Update(t.Context(), set("b", "2")), etcdstore.ErrStale)
			require.ErrorIs(t, cut.Status().Err, etcdstore.ErrStale)
			_, err = look(within(t, time.Millisecond), cut, "a")
			require.ErrorIs(t, err, etcdstore.ErrStale)
			if bound == etcdstore.Linearizable { // else a request that failed a moment ago counts
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}

			w.set(false)
			eventually(t, func() bool {
				got, err = look(t.Context(), cut, "a")
				return err == nil
			})
			require.Equal(t, "2", got)
			require.NoError(t, cut.Update(t.Context(), set("b", "3")))
			require.NoError(t, cut.Status().Err)
			got, err = look(t.Context(), cut, "b")
			require.NoError(t, err)
			require.Equal(t, "3", got)
		})
	}
}

// TestCompaction compacts the cluster while a store is cut off. It reads all anew, and
// its watches learn that they have missed something, but not those that have not.
func TestCompaction(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	w := newWire(t, c.endpoints()[0])
	cut := open(t, dial(t, []string{w.address()}), etcdstore.Options{Namespace: "ns", MaxStaleness: etcdstore.Linearizable})
	quiet := open(t, dial(t, []string{w.address()}), etcdstore.Options{Namespace: "quiet"})
	direct := dial(t, c.endpoints())
	other := open(t, direct, etcdstore.Options{Namespace: "ns"})
	for i := range 300 { // more than a page
		require.NoError(t, other.Update(t.Context(), set(fmt.Sprintf("key/%03d", i), "1")))
	}
	require.NoError(t, quiet.Update(t.Context(), set("a", "1")))
	require.Equal(t, contents(t, other), contents(t, cut))
	before := cut.Status().Revision

	ended, still := make(chan error, 1), make(chan store.Change, 1)
	go func() {
		for _, err := range cut.Watch(t.Context(), "", before) {
			ended <- err
			return
		}
	}()
	go func() {
		for c, err := range quiet.Watch(t.Context(), "", quiet.Status().Revision) {
			if err == nil {
				still <- c
			}
			return
		}
	}()
	w.set(true)
	require.NoError(t, other.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.Delete("key/000"), tx.Put("key/001", []byte("2")), tx.Put("new", nil))
	}))
	for i := range 50 {
		require.NoError(t, other.Update(t.Context(), set("key/002", fmt.Sprint(i))))
	}
	r, err := direct.Get(t.Context(), "ns/last")
	require.NoError(t, err)
	_, err = direct.Compact(t.Context(), r.Header.Revision, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	w.set(false)

	select {
	case err := <-ended:
		require.ErrorIs(t, err, store.ErrCompacted)
	case <-time.After(patience):
		t.Fatal("the watch has not ended")
	}
	require.Equal(t, contents(t, other), contents(t, cut))
	require.Equal(t, other.Status().Revision, cut.Status().Revision)
	require.NoError(t, cut.Update(t.Context(), set("key/001", "3")))
	require.NoError(t, quiet.Update(t.Context(), set("a", "2")))
	select {
	case c := <-still:
		require.Equal(t, "2", string(c.Value))
	case <-time.After(patience):
		t.Fatal("the quiet watch has missed a change")
	}
	for _, err := range cut.Watch(t.Context(), "", before) {
		require.ErrorIs(t, err, store.ErrCompacted)
		break
	}
}

// TestPages lists many keys of many sizes.
func TestPages(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	ns := namespace()
	s := open(t, client, etcdstore.Options{Namespace: ns})
	for i := range 12 {
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
			for j := range store.MaxKeys {
				if err := tx.Put(fmt.Sprintf("%d/%d", j, i), make([]byte, i*800)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	again := open(t, client, etcdstore.Options{Namespace: ns + "/"}) // the same
	require.Len(t, contents(t, again), 12*store.MaxKeys)
	require.Equal(t, contents(t, s), contents(t, again))
	require.Equal(t, s.Status().Revision, again.Status().Revision)
}

// TestRestored puts an older state of the namespace's newest revision in place, as a
// backup would that is restored below a running store.
func TestRestored(t *testing.T) {
	t.Parallel()
	client := dial(t, sharedCluster(t).endpoints())
	ns := namespace()
	s := open(t, client, etcdstore.Options{Namespace: ns, MaxStaleness: etcdstore.Linearizable})
	require.NoError(t, s.Update(t.Context(), set("a", "1")))
	_, err := client.Delete(t.Context(), ns+"/last")
	require.NoError(t, err)
	_, err = look(t.Context(), s, "a")
	require.ErrorIs(t, err, etcdstore.ErrRestored)
	require.ErrorIs(t, s.Update(t.Context(), set("a", "2")), etcdstore.ErrRestored)
	require.ErrorIs(t, s.Status().Err, etcdstore.ErrRestored)

	again := open(t, client, etcdstore.Options{Namespace: ns})
	require.NoError(t, again.Update(t.Context(), set("a", "2")))
	_, err = client.Put(t.Context(), ns+"/last", "2 of a later format")
	require.NoError(t, err)
	_, err = etcdstore.Open(t.Context(), client, &etcdstore.Options{Namespace: ns})
	require.ErrorIs(t, err, etcdstore.ErrFormat)
}
