package kms_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

// skewed returns two services of one store, each with a clock of its own.
func skewed(t *testing.T, early, late *time.Time) (sealed *store.Sealed, before, after *kms.Service) {
	t.Helper()
	sealed, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
	require.NoError(t, err)
	serve := func(now *time.Time) *kms.Service {
		s, err := kms.New(t.Context(), kms.Config{Store: sealed, Now: func() time.Time { return *now }})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	return sealed, serve(early), serve(late)
}

// TestPrimaryWaitsForAReplicaThatIsKept has the later clock settle when a primary key
// ceases to be, because its replica is gone, and the earlier one keep the replica.
func TestPrimaryWaitsForAReplicaThatIsKept(t *testing.T) {
	t.Parallel()
	early, late := kmstest.Start, kmstest.Start
	_, before, after := skewed(t, &early, &late)
	here, there := after.Client(root), before.Client(root.In(frankfurt))
	key := do[sdk.CreateKeyOutput](t, here, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata.KeyId
	succeeds(t, here, &sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String(frankfurt)})
	succeeds(t, there, &sdk.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: aws.Int32(7)})
	early, late = early.Add(7*day-time.Millisecond), late.Add(7*day)
	settled := do[sdk.ScheduleKeyDeletionOutput](t, here, &sdk.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: aws.Int32(7)})
	require.Equal(t, late.Add(7*day), *settled.DeletionDate)
	succeeds(t, there, &sdk.CancelKeyDeletionInput{KeyId: key})

	early, late = early.Add(30*day), late.Add(30*day)
	state := func() types.KeyState {
		return do[sdk.DescribeKeyOutput](t, here, &sdk.DescribeKeyInput{KeyId: key}).KeyMetadata.KeyState
	}
	require.Equal(t, types.KeyStatePendingReplicaDeletion, state())
	succeeds(t, there, &sdk.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: aws.Int32(7)})
	early, late = early.Add(14*day), late.Add(14*day-2*time.Millisecond)
	require.Equal(t, types.KeyStatePendingDeletion, state(), "from the end of the last replica on")
	succeeds(t, here, &sdk.CancelKeyDeletionInput{KeyId: key})
	require.Equal(t, types.KeyStateDisabled, state())
}

// TestReplicaThatIsGoneToOneClockOnly has two services, whose clocks differ by a
// millisecond, disagree on whether a replica is gone. What the later one does with the
// other copies must not be undone when the earlier one keeps the replica.
func TestReplicaThatIsGoneToOneClockOnly(t *testing.T) {
	t.Parallel()
	for name, cached := range map[string]bool{"read anew": false, "cached": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			early, late := kmstest.Start, kmstest.Start
			sealed, before, after := skewed(t, &early, &late)
			here, there := after.Client(root), before.Client(root.In(frankfurt))
			key := do[sdk.CreateKeyOutput](t, here, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata.KeyId
			succeeds(t, here, &sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String(frankfurt)})
			succeeds(t, there, &sdk.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: aws.Int32(7)})
			early, late = early.Add(7*day-time.Millisecond), late.Add(7*day)
			if cached {
				succeeds(t, there, &sdk.DescribeKeyInput{KeyId: key})
			}

			succeeds(t, here, &sdk.RotateKeyOnDemandInput{KeyId: key})
			succeeds(t, here, &sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String(tokyo)})
			blob := do[sdk.EncryptOutput](t, here, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("secret")}).CiphertextBlob
			succeeds(t, there, &sdk.CancelKeyDeletionInput{KeyId: key})
			succeeds(t, there, &sdk.EnableKeyInput{KeyId: key})

			for _, r := range []string{region, frankfurt, tokyo} {
				for _, s := range []*kms.Service{before, after} {
					out := do[sdk.DecryptOutput](t, s.Client(root.In(r)), &sdk.DecryptInput{CiphertextBlob: blob})
					require.Equal(t, "secret", string(out.Plaintext), "in %s", r)
				}
			}
			o := observe(t, sealed)
			o.requireConsistent(t)
		})
	}
}
