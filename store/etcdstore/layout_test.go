package etcdstore

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/sealring/sealring/store"
)

func TestLayout(t *testing.T) {
	t.Parallel()
	l, err := newLayout("sealring/prod/", "id")
	require.NoError(t, err)
	require.Equal(t, layout{"sealring/prod/d/", "sealring/prod/d0", "sealring/prod/e/id/", "sealring/prod/last"}, l)
	for _, bad := range []string{"", "/", "a/d", "a/d/b", "a/e/", "a/e/b", "/d", strings.Repeat("n", maxNamespace+1)} {
		_, err := newLayout(bad, "id")
		require.Error(t, err, bad)
	}
	for _, good := range []string{"a", "d", "e/last", "last/a", "a/dd", "a/de/x", strings.Repeat("n", maxNamespace)} {
		_, err := newLayout(good, "id")
		require.NoError(t, err, good)
	}
}

// TestLayoutKeys tries that the range of the data holds every key there can be, and that
// no other kind of key is in it.
func TestLayoutKeys(t *testing.T) {
	t.Parallel()
	l, err := newLayout("n", "id")
	require.NoError(t, err)
	for _, key := range []string{"\x00", "a", "a/b", "\xFF", strings.Repeat("\xFF", store.MaxKey)} {
		kv := &mvccpb.KeyValue{Key: []byte(l.data + key), ModRevision: 7}
		require.True(t, string(kv.Key) >= l.data && string(kv.Key) < l.dataEnd)
		c, ok := l.entry(kv)
		require.True(t, ok)
		require.Equal(t, store.Change{Revision: 7, Key: key, Value: []byte{}}, c)
	}
	for _, other := range []string{l.last, l.slots + "1", l.slots} {
		require.False(t, other >= l.data && other < l.dataEnd, other)
	}
	for _, foreign := range []string{l.data, "m/d/a"} {
		_, ok := l.entry(&mvccpb.KeyValue{Key: []byte(foreign)})
		require.False(t, ok, foreign)
	}
	from, to := l.scanned(store.Range{From: "a", To: "b"})
	require.Equal(t, []string{"n/d/a", "n/d/b"}, []string{from, to})
	from, to = l.scanned(store.Range{})
	require.Equal(t, []string{"n/d/", "n/d0"}, []string{from, to})
}
