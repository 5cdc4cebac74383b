package kms_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// countedStore counts what is read in its Views.
type countedStore struct {
	store.Store
	gets, versions atomic.Int64
}

type countedTx struct {
	store.Tx
	store *countedStore
}

func (s *countedStore) View(ctx context.Context, fn func(store.Tx) error) error {
	return s.Store.View(ctx, func(tx store.Tx) error { return fn(countedTx{tx, s}) })
}

func (tx countedTx) Get(key string) ([]byte, error) {
	tx.store.gets.Add(1)
	return tx.Tx.Get(key)
}

func (tx countedTx) Version(key string) (uint64, error) {
	tx.store.versions.Add(1)
	return tx.Tx.Version(key)
}

// TestKnownKeysAreNotRead has a request ask the store for one version of a key that the
// service knows, however many records the key has; read the first of them once the service
// itself has changed the key; and all of them once another service has.
func TestKnownKeysAreNotRead(t *testing.T) {
	t.Parallel()
	s := &countedStore{Store: store.NewMemory()}
	sealed, err := store.Seal(t.Context(), s, rootKey(t, 1), nil)
	require.NoError(t, err)
	serve := func() *kms.Client {
		service, err := kms.New(t.Context(), kms.Config{Store: sealed})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, service.Close()) })
		return service.Client(root)
	}
	api, other := serve(), serve()
	for records, in := range map[int64]*sdk.CreateKeyInput{
		1: {},
		2: {Description: aws.String("d")},
		3: {Description: aws.String("d"), MultiRegion: aws.Bool(true)},
	} {
		id := do[sdk.CreateKeyOutput](t, api, in).KeyMetadata.KeyId
		reads := func() (gets, versions int64) {
			s.gets.Store(0)
			s.versions.Store(0)
			succeeds(t, api, &sdk.EncryptInput{KeyId: id, Plaintext: []byte("x")})
			return s.gets.Load(), s.versions.Load()
		}
		gets, _ := reads()
		require.Equal(t, records, gets)
		gets, versions := reads()
		require.Zero(t, gets, "of %d records", records)
		require.Equal(t, int64(2), versions, "the key's, and that of the sealed store's head")

		policy := openPolicy
		succeeds(t, api, &sdk.PutKeyPolicyInput{KeyId: id, Policy: &policy})
		gets, _ = reads()
		if records < 3 {
			require.Equal(t, int64(1), gets)
		} else {
			require.Equal(t, records, gets, "a copy in another Region may have changed the key too")
		}
		require.Equal(t, policy, policyOf(t, api, *id))

		succeeds(t, api, &sdk.DisableKeyInput{KeyId: id})
		succeeds(t, other, &sdk.EnableKeyInput{KeyId: id})
		succeeds(t, other, &sdk.UpdateKeyDescriptionInput{KeyId: id, Description: aws.String("of the other")})
		gets, _ = reads()
		require.GreaterOrEqual(t, gets, max(records, 2), "the first may be read twice")
		key := do[sdk.DescribeKeyOutput](t, api, &sdk.DescribeKeyInput{KeyId: id}).KeyMetadata
		require.Equal(t, "of the other", *key.Description)
	}
}
