package keyrecord_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

func newStores() *keyrecord.KeyStores {
	s := &keyrecord.KeyStores{KeysMade: 3}
	s.Add(keyrecord.KeyStore{
		ID: "cks-2", Name: "b", Created: created, Connection: keyrecord.Connection{Outcome: keyrecord.Failed, Error: "XKS_PROXY_TIMED_OUT", Until: created.Add(time.Minute)},
		Proxy: &keyrecord.Proxy{
			Endpoint: "https://xks.example.com", Path: "/kms/xks/v1", AccessKeyID: "ABCDE", SecretAccessKey: "SECRET-marker",
			VPC: &keyrecord.VPCService{Name: "vpce-svc", Owner: "444455556666"},
		},
	})
	s.Add(keyrecord.KeyStore{
		ID: "cks-1", Name: "a", Created: created, Connection: keyrecord.Connection{Outcome: keyrecord.Disconnected},
		Cluster: &keyrecord.Cluster{ID: "cluster-1", History: "h", TrustAnchor: "anchor", Password: "PASSWORD-marker"},
	})
	return s
}

// TestKeyStoresArePinned holds the names of the fields and of the records: stores have
// them.
func TestKeyStoresArePinned(t *testing.T) {
	t.Parallel()
	b, err := newStores().Marshal()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"keysMade":3,"stores":[
		{"id":"cks-1","name":"a","created":"2026-01-02T03:04:05.678Z","connection":{"outcome":"DISCONNECTED"},
			"cluster":{"id":"cluster-1","history":"h","trustAnchor":"anchor","password":"PASSWORD-marker"}},
		{"id":"cks-2","name":"b","created":"2026-01-02T03:04:05.678Z",
			"connection":{"outcome":"FAILED","error":"XKS_PROXY_TIMED_OUT","until":"2026-01-02T03:05:05.678Z"},
			"proxy":{"endpoint":"https://xks.example.com","path":"/kms/xks/v1","accessKeyId":"ABCDE","secretAccessKey":"SECRET-marker",
				"vpc":{"name":"vpce-svc","owner":"444455556666"}}}]}`, string(b))
	got, err := keyrecord.UnmarshalKeyStores(b)
	require.NoError(t, err)
	want := newStores()
	want.Version = 1
	require.Equal(t, want, got)

	require.Equal(t, "kms/111122223333/eu-west-1/keystores", keyrecord.KeyStoresName("111122223333", "eu-west-1"))
	k := newKey()
	k.KeyStore = "cks-1"
	require.Equal(t, "kms/111122223333/eu-west-1/storekey/cks-1/"+id, k.StoreKeyName())
	k.XksKey = "external"
	require.Equal(t, keyrecord.StoreKeyPrefix("111122223333", "eu-west-1", "cks-1")+"external", k.StoreKeyName())
}

func TestKeyStoresInOrder(t *testing.T) {
	t.Parallel()
	s := &keyrecord.KeyStores{}
	for _, id := range []string{"m", "z", "a", "n"} {
		require.Nil(t, s.Store(id))
		s.Add(keyrecord.KeyStore{ID: id, Name: "of " + id})
	}
	for i, id := range []string{"a", "m", "n", "z"} {
		require.Equal(t, id, s.Stores[i].ID)
		require.Same(t, &s.Stores[i], s.Store(id))
	}
	s.Remove("x")
	s.Remove("m")
	require.Len(t, s.Stores, 3)
	require.Nil(t, s.Store("m"))
	require.Equal(t, "of n", s.Store("n").Name)
}

func TestConnectionState(t *testing.T) {
	t.Parallel()
	for outcome, meanwhile := range map[string]string{
		keyrecord.Connected: keyrecord.Connecting, keyrecord.Failed: keyrecord.Connecting, keyrecord.Disconnected: keyrecord.Disconnecting,
	} {
		c := keyrecord.Connection{Outcome: outcome, Until: created}
		require.Equal(t, meanwhile, c.State(created.Add(-1)))
		require.Equal(t, outcome, c.State(created))
		c.Until = time.Time{}
		require.Equal(t, outcome, c.State(created))
	}
}

func TestRefusedKeyStores(t *testing.T) {
	t.Parallel()
	const connection = `"connection":{"outcome":"CONNECTED"}`
	store := func(id string) string { return `{"id":"` + id + `",` + connection + `,"proxy":{}}` }
	for record, want := range map[string]string{
		``:                              "keyrecord: key stores: not the JSON of a record",
		`{"v":1,"stores":["SECRET"]}`:   "keyrecord: key stores: not the JSON of a record",
		`{}`:                            "keyrecord: key stores of format 0, this program knows 1",
		`{"v":2}`:                       "keyrecord: key stores of format 2, this program knows 1",
		`{"v":1,"stores":[{"id":"x"}]}`: `keyrecord: key store "x" has no state`,
		`{"v":1,"stores":[{"id":"x",` + connection + `}]}`:                               `keyrecord: key store "x" has not one kind`,
		`{"v":1,"stores":[{"id":"x",` + connection + `,"proxy":{},"cluster":{}}]}`:       `keyrecord: key store "x" has not one kind`,
		`{"v":1,"stores":[{"id":"x","connection":{"outcome":"CONNECTING"},"proxy":{}}]}`: `keyrecord: key store "x" has no state`,
		`{"v":1,"stores":[` + store("b") + `,` + store("a") + `]}`:                       "keyrecord: key stores are not in order",
		`{"v":1,"stores":[` + store("a") + `,` + store("a") + `]}`:                       "keyrecord: key stores are not in order",
	} {
		_, err := keyrecord.UnmarshalKeyStores([]byte(record))
		require.EqualError(t, err, want, record)
	}
}

func TestSecretsOfKeyStoresAreNotPrinted(t *testing.T) {
	t.Parallel()
	all := newStores()
	a, b := all.Store("cks-1"), all.Store("cks-2")
	for _, v := range []any{all, *all, a, *a, b, *b, *a.Cluster, a.Cluster, *b.Proxy, b.Proxy, struct{ S keyrecord.KeyStores }{*all}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{"marker", fmt.Sprintf("%x", "marker"), fmt.Sprintf("%d", []byte("marker"))} {
				require.NotContains(t, text, secret, verb)
			}
		}
	}
	require.Equal(t, "key store cks-1", fmt.Sprint(a))
	require.Equal(t, "cluster cluster-1", fmt.Sprint(a.Cluster))
	require.Equal(t, "proxy https://xks.example.com/kms/xks/v1", fmt.Sprint(*b.Proxy))
}

func FuzzUnmarshalKeyStores(f *testing.F) {
	b, err := newStores().Marshal()
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"v":1,"stores":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := keyrecord.UnmarshalKeyStores(b)
		if err != nil {
			return
		}
		again, err := s.Marshal()
		if _, beyond := err.(*json.MarshalerError); beyond {
			return // a year that JSON has no form for
		}
		require.NoError(t, err)
		got, err := keyrecord.UnmarshalKeyStores(again)
		require.NoError(t, err)
		require.Len(t, got.Stores, len(s.Stores))
		for i := range s.Stores {
			require.Same(t, &got.Stores[i], got.Store(s.Stores[i].ID))
		}
	})
}
