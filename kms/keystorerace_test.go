package kms_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

// requireStores checks what holds between keys and custom key stores at any time. It
// returns the number of keys in stores.
func requireStores(t *testing.T, s store.Store) (keys int) {
	t.Helper()
	all := &keyrecord.KeyStores{}
	records := dump(t, s)
	if b, ok := records[keyrecord.KeyStoresName(account, region)]; ok {
		var err error
		all, err = keyrecord.UnmarshalKeyStores([]byte(b))
		require.NoError(t, err)
	}
	require.LessOrEqual(t, len(all.Stores), 10)
	names := map[string]bool{}
	for _, s := range all.Stores {
		require.False(t, names[s.Name])
		names[s.Name] = true
	}
	for name, b := range records {
		if !strings.HasPrefix(name, keyrecord.KeyPrefix(account, region)) {
			continue
		}
		k, err := keyrecord.UnmarshalKey([]byte(b))
		require.NoError(t, err)
		if k.KeyStore != "" {
			keys++
			require.NotNil(t, all.Store(k.KeyStore), "a key without a store")
			require.Equal(t, k.ID, records[k.StoreKeyName()])
		}
	}
	require.GreaterOrEqual(t, all.KeysMade, uint64(keys))
	return keys
}

// TestKeysWhileTheirStoreIsDeleted has 64 goroutines make keys in a store that goes.
func TestKeysWhileTheirStoreIsDeleted(t *testing.T) {
	t.Parallel()
	f, sealed := newOpenStoreFixture(t)
	expected := []string{"", "CustomKeyStoreInvalidStateException", "CustomKeyStoreNotFoundException"}
	for round := range 12 {
		in := f.externalStore(fmt.Sprintf("s%d", round))
		if round%2 == 0 {
			in = f.hsmStore(*in.CustomKeyStoreName)
			f.setCluster(func(c *kms.CloudHSMCluster) { c.History = fmt.Sprint(round) })
			in.CloudHsmClusterId = ptr(fmt.Sprintf("cluster-222222222%c%c", 'a'+round, 'a'))
			f.change(func(s *surroundings) { s.clusters[*in.CloudHsmClusterId] = s.clusters[clusterID] })
		}
		id := f.createConnected(t, in)
		var group sync.WaitGroup
		start := make(chan struct{})
		errs := make([]error, 65)
		for i := range 64 {
			f.proxy.AddKey(fmt.Sprintf("key-%d", i))
			key := externalKey(id, fmt.Sprintf("key-%d", i))
			if in.CloudHsmClusterId != nil {
				key = hsmKey(id)
			}
			group.Go(func() {
				<-start
				if err := insist(context.Background(), f.api, key); !slices.Contains(expected, codeOf(err)) {
					errs[i] = err
				}
			})
		}
		group.Go(func() {
			<-start
			if err := insist(context.Background(), f.api, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &id}); err != nil {
				errs[64] = err
				return
			}
			if err := insist(context.Background(), f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id}); codeOf(err) != "" && codeOf(err) != "CustomKeyStoreHasCMKsException" {
				errs[64] = err
			}
		})
		close(start)
		group.Wait()
		require.NoError(t, errors.Join(errs...))
		requireStores(t, sealed)
		if len(do[sdk.DescribeCustomKeyStoresOutput](t, f.api, &sdk.DescribeCustomKeyStoresInput{}).CustomKeyStores) == 10 {
			return
		}
	}
}

func ptr[T any](v T) *T { return &v }

// overtaken returns a fixture whose requests of one operation are overtaken, between
// their decision and their commit, by what another service on the same store does.
func overtaken(t *testing.T, operation string) (f *storeFixture, sealed *store.Sealed, meanwhile func(func(api kms.API))) {
	t.Helper()
	f, sealed = newOpenStoreFixture(t)
	other := f.api
	var act func(kms.API)
	sink := &recorder{before: func(e audit.Event) error {
		if do := act; e.Name == operation && do != nil {
			act = nil
			do(other)
		}
		return nil
	}}
	service, err := kms.New(t.Context(), kms.Config{Store: sealed, Audit: sink, XKS: f.surroundings, XKSTimeout: time.Minute, CloudHSM: f.cluster, Now: f.Now})
	require.NoError(t, err)
	f.api = service.Client(f.Root())
	return f, sealed, func(do func(kms.API)) { act = do }
}

func TestStoreDeletedBeforeTheKeyIsStored(t *testing.T) {
	t.Parallel()
	f, sealed, meanwhile := overtaken(t, "CreateKey")
	for _, id := range []string{f.createConnected(t, f.externalStore("s")), f.createConnected(t, f.hsmStore("h"))} {
		meanwhile(func(api kms.API) {
			succeeds(t, api, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &id})
			succeeds(t, api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id})
		})
		in := externalKey(id, "key-1")
		if f.describeKind(t, id) == types.CustomKeyStoreTypeAwsCloudhsm {
			in = hsmKey(id)
		}
		refused(t, f.api, in, "CustomKeyStoreNotFoundException", storeNotFound(id))
		require.Zero(t, requireStores(t, sealed))
	}
}

func (f *storeFixture) describeKind(t *testing.T, id string) types.CustomKeyStoreType {
	t.Helper()
	return f.describe(t, id).CustomKeyStoreType
}

func TestKeyMadeBeforeTheStoreIsDeleted(t *testing.T) {
	t.Parallel()
	f, sealed, meanwhile := overtaken(t, "DeleteCustomKeyStore")
	id := f.create(t, f.externalStore("s"))
	meanwhile(func(api kms.API) {
		succeeds(t, api, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id})
		succeeds(t, api, externalKey(id, "key-1"))
		succeeds(t, api, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &id})
	})
	refused(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id}, "CustomKeyStoreHasCMKsException", "The custom key store "+id+" contains KMS keys.")
	require.Equal(t, 1, requireStores(t, sealed))
}

// TestProxyChangedWhileItIsTested has a request whose answer from the proxy is about
// settings that are no more.
func TestProxyChangedWhileItIsTested(t *testing.T) {
	t.Parallel()
	f, _, meanwhile := overtaken(t, "ConnectCustomKeyStore")
	id := f.create(t, f.externalStore("s"))
	asked := 0
	f.proxy.Observe = nil
	meanwhile(func(api kms.API) {
		asked++
		succeeds(t, api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, XksProxyUriEndpoint: ptr("https://new.example.com")})
		f.change(func(s *surroundings) { s.way = away{} })
	})
	succeeds(t, f.api, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id})
	require.Equal(t, 1, asked)
	require.Equal(t, types.ConnectionErrorCodeTypeXksProxyNotReachable, f.describe(t, id).ConnectionErrorCode)
}

func TestConcurrentExternalKey(t *testing.T) {
	t.Parallel()
	f, sealed := newOpenStoreFixture(t)
	id := f.createConnected(t, f.externalStore("s"))
	var won atomic.Int32
	together(t, func(int) error {
		err := insist(context.Background(), f.api, externalKey(id, "key-1"))
		if err == nil {
			won.Add(1)
		} else if codeOf(err) != "XksKeyAlreadyInUseException" {
			return err
		}
		return nil
	})
	require.EqualValues(t, 1, won.Load())
	require.Equal(t, 1, requireStores(t, sealed))
}

func TestConcurrentKeyStores(t *testing.T) {
	t.Parallel()
	f, sealed := newOpenStoreFixture(t)
	var won atomic.Int32
	together(t, func(w int) error {
		err := insist(context.Background(), f.api, f.externalStore(fmt.Sprintf("s%d", w/2)))
		if err == nil {
			won.Add(1)
		} else if !slices.Contains([]string{"LimitExceededException", "CustomKeyStoreNameInUseException"}, codeOf(err)) {
			return err
		}
		return nil
	})
	require.EqualValues(t, 10, won.Load())
	requireStores(t, sealed)
}

// TestStoreFaultsOfKeyStores takes two custom key stores through their life with the nth
// call of the store failing, for every n and every way to fail.
func TestStoreFaultsOfKeyStores(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.Refused, storetest.Undone, storetest.InDoubt} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			for n := openingCalls + 1; runKeyStoreFaults(t, n, fault); n++ {
				require.Less(t, n, 200)
			}
		})
	}
}

// runKeyStoreFaults reports whether the nth call was reached.
func runKeyStoreFaults(t *testing.T, n int, fault storetest.Fault) bool {
	t.Helper()
	f := newStoreFixture(t, false)
	inner := store.NewMemory()
	behind, err := store.Seal(t.Context(), inner, rootKey(t, 1), nil)
	require.NoError(t, err)
	faulty := storetest.FailAt(storetest.Twice(inner), n, fault)
	service, err := kms.New(t.Context(), kms.Config{Store: faulty, RootKey: rootKey(t, 1), XKS: f.surroundings, XKSTimeout: time.Minute, CloudHSM: f.cluster})
	require.NoError(t, err)
	f.api = service.Client(f.Root())
	done := 0
	// attempt makes a request, and once more if it failed and nothing has happened.
	attempt := func(in any) {
		t.Helper()
		before := decided(t, behind)
		_, err := call(t.Context(), f.api, in)
		if err != nil {
			requireRefusal(t, err, "KMSInternalException", internalText)
			require.ErrorIs(t, err, storetest.ErrInjected)
			if maps.Equal(before, decided(t, behind)) {
				_, err = call(t.Context(), f.api, in)
				require.NoError(t, err)
			} else {
				require.Equal(t, storetest.InDoubt, fault)
			}
		}
		requireStores(t, behind)
		done++
	}
	for _, in := range []*sdk.CreateCustomKeyStoreInput{f.externalStore("s"), f.hsmStore("h")} {
		attempt(in)
		all, err := keyrecord.UnmarshalKeyStores([]byte(dump(t, behind)[keyrecord.KeyStoresName(account, region)]))
		require.NoError(t, err)
		id := all.Stores[slices.IndexFunc(all.Stores, func(s keyrecord.KeyStore) bool { return s.Name == *in.CustomKeyStoreName })].ID
		attempt(&sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, NewCustomKeyStoreName: ptr(*in.CustomKeyStoreName + "-2")})
		attempt(&sdk.DescribeCustomKeyStoresInput{})
		attempt(&sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id})
		if in.CloudHsmClusterId == nil {
			attempt(externalKey(id, "key-1"))
		} else {
			attempt(hsmKey(id))
		}
		for name, b := range dump(t, behind) {
			if !strings.HasPrefix(name, keyrecord.KeyPrefix(account, region)) {
				continue
			}
			k, err := keyrecord.UnmarshalKey([]byte(b))
			require.NoError(t, err)
			if k.KeyStore == id {
				attempt(&sdk.EncryptInput{KeyId: &k.ID, Plaintext: []byte("x")})
				attempt(&sdk.GenerateDataKeyInput{KeyId: &k.ID, KeySpec: "AES_256"})
			}
		}
		attempt(&sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &id})
	}
	require.Equal(t, 16, done)
	attempt(f.externalStore("t"))
	all, err := keyrecord.UnmarshalKeyStores([]byte(dump(t, behind)[keyrecord.KeyStoresName(account, region)]))
	require.NoError(t, err)
	for _, s := range all.Stores {
		if s.Name == "t" {
			attempt(&sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &s.ID})
		}
	}
	return faulty.Calls() >= n
}
