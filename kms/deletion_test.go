package kms_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
)

const day = 24 * time.Hour

func TestDeletionWindow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range []struct {
			window *int32
			days   int32
		}{{nil, 30}, {aws.Int32(7), 7}, {aws.Int32(30), 30}, {aws.Int32(12), 12}} {
			date := f.Now().Add(time.Duration(test.days) * day)
			got := do[sdk.ScheduleKeyDeletionOutput](t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &f.id, PendingWindowInDays: test.window})
			require.Equal(t, &sdk.ScheduleKeyDeletionOutput{
				DeletionDate: &date, KeyId: &f.arn, KeyState: types.KeyStatePendingDeletion, PendingWindowInDays: &test.days,
			}, got)
			m := describe(t, f, f.id)
			require.Equal(t, date, *m.DeletionDate)
			require.Equal(t, types.KeyStatePendingDeletion, m.KeyState)
			require.False(t, m.Enabled)

			require.Equal(t, &sdk.CancelKeyDeletionOutput{KeyId: &f.arn},
				do[sdk.CancelKeyDeletionOutput](t, f.api, &sdk.CancelKeyDeletionInput{KeyId: &f.id}))
			m = describe(t, f, f.id)
			require.Nil(t, m.DeletionDate)
			require.Equal(t, types.KeyStateDisabled, m.KeyState)
			require.False(t, m.Enabled)
			succeeds(t, f.api, &sdk.EnableKeyInput{KeyId: &f.id})
			f.Advance(time.Hour)
		}
		for _, days := range []int32{1, 6, 31, 365} {
			refused(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &f.id, PendingWindowInDays: &days},
				"ValidationException", "PendingWindowInDays must be between 7 and 30.")
		}
	})
}

func TestDeletionDate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		blob := f.plant(t, "secret", nil)
		other := f.Seed(kmstest.Key{Alias: "alias/other"})
		f.Advance(90*time.Minute + 123456789*time.Nanosecond)
		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &f.id, PendingWindowInDays: aws.Int32(7)})
		date := *describe(t, f, f.id).DeletionDate
		require.Zero(t, date.Nanosecond()%int(time.Millisecond), "AWS's dates are in milliseconds")

		f.Advance(date.Sub(f.Now()) - time.Millisecond)
		require.Equal(t, types.KeyStatePendingDeletion, describe(t, f, f.id).KeyState)
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob}, "KMSInvalidStateException", f.arn+" is pending deletion.")
		require.Equal(t, []string{"alias/app", "alias/other"}, listAliases(t, f, &sdk.ListAliasesInput{}))
		require.Len(t, do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{}).Keys, 2)

		f.Advance(time.Millisecond)
		gone := "Key '" + f.arn + "' does not exist"
		for _, id := range []string{f.id, f.arn} {
			refused(t, f.api, &sdk.DescribeKeyInput{KeyId: &id}, "NotFoundException", gone)
			refused(t, f.api, &sdk.CancelKeyDeletionInput{KeyId: &id}, "NotFoundException", gone)
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, KeyId: &id}, "NotFoundException", gone)
		}
		refused(t, f.api, &sdk.DescribeKeyInput{KeyId: aws.String("alias/app")}, "NotFoundException", "Alias "+aliasARN("alias/app")+" is not found.")
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob}, "AccessDeniedException", unseenKey)
		require.Equal(t, []string{"alias/other"}, listAliases(t, f, &sdk.ListAliasesInput{}))
		require.Equal(t, []types.KeyListEntry{{KeyId: aws.String(idOf(other)), KeyArn: &other}},
			do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{}).Keys)

		// its alias is free again, for another key
		succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &other})
		require.Equal(t, other, *describe(t, f, "alias/app").Arn)
		require.Equal(t, []string{"alias/app", "alias/other"}, listAliases(t, f, &sdk.ListAliasesInput{KeyId: &other}))
	})
}

func TestCancelledDeletionKeepsTheKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		blob := f.plant(t, "secret", nil)
		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &f.id})
		f.Advance(30*day - time.Millisecond)
		succeeds(t, f.api, &sdk.CancelKeyDeletionInput{KeyId: &f.arn})
		f.Advance(365 * day)
		refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob}, "DisabledException", f.arn+" is disabled.")
		succeeds(t, f.api, &sdk.EnableKeyInput{KeyId: &f.id})
		succeeds(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob})
		require.Equal(t, f.arn, *describe(t, f, "alias/app").Arn)
	})
}

func TestCreationDateIsInMilliseconds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		f.Advance(1234567890 * time.Nanosecond)
		m := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{}).KeyMetadata
		require.Equal(t, kmstest.Start.Add(1234*time.Millisecond), *m.CreationDate)
		require.Equal(t, time.UTC, m.CreationDate.Location())
		require.Equal(t, m, describe(t, f, *m.KeyId))
	})
}

// TestClockGoesBack has a deleted key come back after its alias was given to
// another.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		other := f.Seed(kmstest.Key{Alias: "alias/other"})
		expire(t, f, f.id)
		succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &other})
		f.Advance(-day)
		require.Equal(t, types.KeyStatePendingDeletion, describe(t, f, f.id).KeyState)
		require.Equal(t, other, *describe(t, f, "alias/app").Arn)
		require.Empty(t, listAliases(t, f, &sdk.ListAliasesInput{KeyId: &f.id}))
		require.Equal(t, []string{"alias/app", "alias/other"}, listAliases(t, f, &sdk.ListAliasesInput{KeyId: &other}))
		require.Equal(t, []string{"alias/app", "alias/other"}, listAliases(t, f, &sdk.ListAliasesInput{}))
	})
}
