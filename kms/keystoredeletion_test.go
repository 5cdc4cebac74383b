package kms_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

// TestCancelKeyDeletionWhileItsStoreIsDeleted has two services, whose clocks differ by a
// millisecond, disagree on whether a key is gone, and one of them commit between the
// other's decision and its commit: the key must not come back without its store.
func TestCancelKeyDeletionWhileItsStoreIsDeleted(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"CancelKeyDeletion", "DeleteCustomKeyStore"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			sealed, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
			require.NoError(t, err)
			serve := func(now *time.Time, sink audit.Sink) kms.API {
				s, err := kms.New(t.Context(), kms.Config{
					Store: sealed, Now: func() time.Time { return *now }, Audit: sink,
					CloudHSM: func(string) (kms.CloudHSMCluster, bool) { return goodCluster(), true },
				})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, s.Close()) })
				return s.Client(root)
			}
			before, after, between := kmstest.Start, kmstest.Start, &recorder{}
			early, late := serve(&before, nil), serve(&after, nil)
			f := &storeFixture{fixture: &fixture{api: early}, t: t}
			id := f.createConnected(t, f.hsmStore("s"))
			key := f.createKey(t, hsmKey(id))
			f.disconnect(t, id)
			succeeds(t, early, &sdk.ScheduleKeyDeletionInput{KeyId: &key, PendingWindowInDays: aws.Int32(7)})
			before = kmstest.Start.Add(7*day - time.Millisecond)
			after = kmstest.Start.Add(7 * day)

			cancel, remove := &sdk.CancelKeyDeletionInput{KeyId: &key}, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id}
			overtaken := false
			between.before = func(audit.Event) error {
				if !overtaken {
					overtaken = true
					if first == "CancelKeyDeletion" {
						succeeds(t, early, cancel)
					} else {
						succeeds(t, late, remove)
					}
				}
				return nil
			}
			if first == "CancelKeyDeletion" {
				refused(t, serve(&after, between), remove, "CustomKeyStoreHasCMKsException", "The custom key store "+id+" contains KMS keys.")
				f.connect(t, id)
				require.Equal(t, types.KeyStateDisabled, f.state(t, key))
			} else {
				refused(t, serve(&before, between), cancel, "NotFoundException", "Key '"+key+"' does not exist")
				refused(t, late, &sdk.DescribeKeyInput{KeyId: &key}, "NotFoundException", "Key '"+key+"' does not exist")
			}
			require.True(t, overtaken)
		})
	}
}

// TestCancelKeyDeletionOfATakenExternalKey has two services, whose clocks differ by a
// millisecond, disagree on whether a key is gone whose external key a new one then has:
// the external key stays the new one's alone.
func TestCancelKeyDeletionOfATakenExternalKey(t *testing.T) {
	t.Parallel()
	sealed, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
	require.NoError(t, err)
	f := newStoreFixture(t, false)
	serve := func(now *time.Time) kms.API {
		s, err := kms.New(t.Context(), kms.Config{
			Store: sealed, Now: func() time.Time { return *now }, XKS: f.surroundings, XKSTimeout: time.Minute,
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s.Client(root)
	}
	before, after := kmstest.Start, kmstest.Start
	early, late := serve(&before), serve(&after)
	f.api = early
	id := f.createConnected(t, f.externalStore("s"))
	old := f.createKey(t, externalKey(id, "key-1"))
	succeeds(t, early, &sdk.ScheduleKeyDeletionInput{KeyId: &old, PendingWindowInDays: aws.Int32(7)})
	before = kmstest.Start.Add(7*day - time.Millisecond)
	after = kmstest.Start.Add(7 * day)

	f.api = late
	taken := f.createKey(t, externalKey(id, "key-1"))
	refused(t, early, &sdk.CancelKeyDeletionInput{KeyId: &old}, "NotFoundException", "Key '"+old+"' does not exist")
	require.Equal(t, types.KeyStateEnabled, f.state(t, taken))
	before = after
	refused(t, early, &sdk.DescribeKeyInput{KeyId: &old}, "NotFoundException", "Key '"+old+"' does not exist")
}
