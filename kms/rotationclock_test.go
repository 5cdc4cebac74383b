package kms_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// scheduled makes a key that is rotated every 90 days.
func scheduled(t *testing.T, r *rig) {
	t.Helper()
	r.create(t, &sdk.CreateKeyInput{})
	succeeds(t, r.api, &sdk.EnableKeyRotationInput{KeyId: &r.id, RotationPeriodInDays: aws.Int32(90)})
}

// TestAutomaticRotation has the first request of any kind that reads a due key find it
// rotated, as of the date that was announced.
func TestAutomaticRotation(t *testing.T) {
	t.Parallel()
	for name, touch := range map[string]func(r *rig) any{
		"Encrypt":              func(r *rig) any { return &sdk.EncryptInput{KeyId: &r.id, Plaintext: []byte("x")} },
		"DescribeKey":          func(r *rig) any { return &sdk.DescribeKeyInput{KeyId: &r.id} },
		"by alias":             func(*rig) any { return &sdk.DescribeKeyInput{KeyId: aws.String("alias/due")} },
		"ListKeyRotations":     func(r *rig) any { return &sdk.ListKeyRotationsInput{KeyId: &r.id} },
		"GetKeyRotationStatus": func(r *rig) any { return &sdk.GetKeyRotationStatusInput{KeyId: &r.id} },
		"a dry run": func(r *rig) any {
			return &sdk.EncryptInput{KeyId: &r.id, Plaintext: []byte("x"), DryRun: aws.Bool(true)}
		},
		"a refusal":           func(r *rig) any { return &sdk.CancelKeyDeletionInput{KeyId: &r.id} },
		"a write":             func(r *rig) any { return &sdk.TagResourceInput{KeyId: &r.id, Tags: tags("a=b")} },
		"DisableKey":          func(r *rig) any { return &sdk.DisableKeyInput{KeyId: &r.id} },
		"DisableKeyRotation":  func(r *rig) any { return &sdk.DisableKeyRotationInput{KeyId: &r.id} },
		"ScheduleKeyDeletion": func(r *rig) any { return &sdk.ScheduleKeyDeletionInput{KeyId: &r.id} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachRig(t, 0, func(t *testing.T, r *rig) {
				scheduled(t, r)
				succeeds(t, r.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/due"), TargetKeyId: &r.id})
				first, old := r.current(t, region), r.encrypted(t, region)
				due := *statusOf(t, r.api, r.id).NextRotationDate
				r.advance(due.Sub(r.clock()) - time.Millisecond)
				require.Equal(t, first, r.current(t, region))
				require.Empty(t, r.rotations())

				r.advance(time.Millisecond + 5*day)
				_, _ = call(t.Context(), r.api, touch(r))
				k := r.record(t, region)
				require.Len(t, k.Materials, 2)
				require.Equal(t, due, k.Materials[1].Created)
				require.Equal(t, due, *k.Materials[1].Rotated)
				require.Equal(t, "AUTOMATIC", k.Materials[1].RotationType)
				if k.Rotation != nil {
					require.Equal(t, keyrecord.Rotation{Days: 90, Next: due.Add(90 * day)}, *k.Rotation)
				}
				require.Len(t, r.rotations(), 1)
				if k.Enabled && k.Deletion == nil {
					r.requireOpens(t, region, old, first)
					r.requireOpens(t, region, r.encrypted(t, region), k.Materials[1].ID)
				}
			})
		})
	}
}

// TestRotationIsRecorded has a rotation by the clock be an event of its own, in front
// of that of the request.
func TestRotationIsRecorded(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		scheduled(t, r)
		r.advance(90 * day)
		r.events.take()
		r.encrypted(t, region)
		events := r.events.take()
		require.Len(t, events, 2)
		require.NotEqual(t, events[0].ID, events[1].ID)
		require.NotEqual(t, events[0].RequestID, events[1].RequestID)
		require.Equal(t, audit.Event{
			ID: events[0].ID, RequestID: events[0].RequestID, Time: r.clock(), Source: "kms.amazonaws.com", Name: "RotateKey",
			Region: region, Identity: audit.Identity{Type: "AWSService", Account: account}, Resources: []string{r.arn},
		}, events[0])
		require.Equal(t, "Encrypt", events[1].Name)
		require.Equal(t, []string{r.arn}, events[1].Resources)
		r.encrypted(t, region)
		require.Len(t, r.events.take(), 1)
	})
}

func TestMissedRotations(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		scheduled(t, r)
		start := r.clock()
		r.advance((4*90 + 10) * day) // four of them have been missed
		entries := listRotations(t, r.api, r.id, "")
		require.Len(t, entries, 4)
		for i, e := range entries {
			require.Equal(t, start.Add(time.Duration(i+1)*90*day), *e.RotationDate)
			require.Equal(t, types.RotationTypeAutomatic, e.RotationType)
		}
		require.Equal(t, start.Add(5*90*day), *statusOf(t, r.api, r.id).NextRotationDate)
		require.Len(t, r.rotations(), 1)

		r.advance(105 * 90 * day) // a hundred are made up for, and the schedule starts again
		require.Len(t, listRotations(t, r.api, r.id, allMaterial), 1+4+100)
		require.Equal(t, r.clock().Add(90*day), *statusOf(t, r.api, r.id).NextRotationDate)
		entries = listRotations(t, r.api, r.id, "")
		require.Equal(t, start.Add(104*90*day), *entries[103].RotationDate)
	})
}

// TestAnonymousCallersRotateNothing: what is not read is not rotated.
func TestAnonymousCallersRotateNothing(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		scheduled(t, r)
		r.advance(91 * day)
		_, err := call(t.Context(), r.as(r.service, identity.Caller{}), &sdk.DescribeKeyInput{KeyId: &r.arn})
		require.Equal(t, "AccessDeniedException", codeOf(err))
		succeeds(t, r.api, &sdk.ListKeysInput{})
		require.Len(t, r.record(t, region).Materials, 1)
	})
}

func TestDisabledKeysAreNotRotated(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		scheduled(t, r)
		schedule := statusOf(t, r.api, r.id)
		first := r.current(t, region)
		succeeds(t, r.api, &sdk.DisableKeyInput{KeyId: &r.id})
		r.advance(80 * day) // not overdue: the schedule goes on
		succeeds(t, r.api, &sdk.EnableKeyInput{KeyId: &r.id})
		require.Equal(t, schedule, statusOf(t, r.api, r.id))
		require.Equal(t, first, r.current(t, region))

		succeeds(t, r.api, &sdk.DisableKeyInput{KeyId: &r.id})
		r.advance(300 * day)
		require.Equal(t, first, r.current(t, region))
		require.Equal(t, schedule, statusOf(t, r.api, r.id))
		require.Empty(t, r.rotations())
		for range 2 { // overdue: rotated at once and once, and the cycle starts again
			succeeds(t, r.api, &sdk.EnableKeyInput{KeyId: &r.id})
			entries := listRotations(t, r.api, r.id, "")
			require.Len(t, entries, 1)
			require.Equal(t, r.clock(), *entries[0].RotationDate)
			require.Equal(t, types.RotationTypeAutomatic, entries[0].RotationType)
			require.Equal(t, r.clock().Add(90*day), *statusOf(t, r.api, r.id).NextRotationDate)
		}
		require.NotEqual(t, first, r.current(t, region))
	})
}

func TestKeysPendingDeletionAreNotRotated(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		scheduled(t, r)
		r.advance(80 * day)
		first := r.current(t, region)
		succeeds(t, r.api, &sdk.ScheduleKeyDeletionInput{KeyId: &r.id})
		r.advance(29 * day)
		require.Equal(t, first, r.current(t, region))
		succeeds(t, r.api, &sdk.CancelKeyDeletionInput{KeyId: &r.id})
		require.Equal(t, first, r.current(t, region)) // it is disabled
		succeeds(t, r.api, &sdk.EnableKeyInput{KeyId: &r.id})
		require.Len(t, listRotations(t, r.api, r.id, ""), 1)
		require.Equal(t, r.clock().Add(90*day), *statusOf(t, r.api, r.id).NextRotationDate)
	})
}

// TestRotationThatFails has the store, or the audit sink, refuse a rotation: the
// request goes on with the old material, and a later one rotates.
func TestRotationThatFails(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		scheduled(t, r)
		first := r.current(t, region)
		r.advance(90 * day)
		r.events.take()
		r.broken.broken.Store(true)
		r.requireOpens(t, region, r.encrypted(t, region), first)
		events := r.events.take()
		require.Len(t, events, 6) // RotateKey, taken back, and the request; twice
		require.Equal(t, events[0].ID, events[1].ID)
		for i, want := range []string{"RotateKey", "RotateKey KMSInternalException", "Encrypt", "RotateKey", "RotateKey KMSInternalException", "Decrypt"} {
			got := events[i].Name
			if events[i].ErrorCode != "" {
				got += " " + events[i].ErrorCode
			}
			require.Equal(t, want, got)
		}
		refused(t, r.api, &sdk.RotateKeyOnDemandInput{KeyId: &r.id}, "ConflictException",
			"An automatic rotation of the key "+r.arn+" is in progress or scheduled to begin within the next 20 minutes.")

		r.broken.broken.Store(false)
		r.advance(time.Hour)
		second := r.current(t, region)
		require.NotEqual(t, first, second)
		require.Equal(t, kmstest.Start.Add(90*day), *r.record(t, region).Materials[1].Rotated)
	})
}

func TestRotationThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	scheduled(t, r)
	first := r.current(t, region)
	r.advance(90 * day)
	r.events.before = func(e audit.Event) error {
		if e.Name == "RotateKey" {
			return errors.New("no space for it")
		}
		return nil
	}
	require.Equal(t, first, r.current(t, region))
	require.Len(t, r.record(t, region).Materials, 1)
	r.events.before = nil
	require.NotEqual(t, first, r.current(t, region))
}

// TestRotationOfACancelledRequest has a request whose caller has gone rotate nothing.
func TestRotationOfACancelledRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	scheduled(t, r)
	r.advance(90 * day)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := call(ctx, r.api, &sdk.DescribeKeyInput{KeyId: &r.id})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, r.record(t, region).Materials, 1)
}

// TestConcurrentRotation has many requests, of two services on one store, find the same
// key due: it is rotated once, and each of them uses the new material.
func TestConcurrentRotation(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	scheduled(t, r)
	services := []*kms.Service{r.service, r.serve(t, 0)}
	for round := range 5 {
		r.advance(90 * day)
		used := make([]string, workers)
		together(t, func(w int) error {
			out, err := services[w%2].Client(root).GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: &r.id, KeySpec: types.DataKeySpecAes256})
			if err == nil {
				used[w] = *out.KeyMaterialId
			}
			return err
		})
		k := r.record(t, region)
		require.Len(t, k.Materials, 2+round)
		for _, id := range used {
			require.Equal(t, k.Current().ID, id)
		}
	}
	last := map[string]string{} // what an event has come to
	for _, e := range r.rotations() {
		last[e.ID] = e.ErrorCode
	}
	stood := 0
	for _, code := range last {
		if code == "" {
			stood++
		}
	}
	require.Equal(t, 5, stood)
}

// TestTwoDueKeys has one request read two of them.
func TestTwoDueKeys(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		scheduled(t, r)
		source, blob, first := r.id, r.encrypted(t, region), r.current(t, region)
		scheduled(t, r)
		r.advance(90 * day)
		r.events.take()
		out := do[sdk.ReEncryptOutput](t, r.api, &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &r.id})
		require.Equal(t, first, *out.SourceKeyMaterialId)
		require.Len(t, r.rotations(), 2)
		require.Equal(t, r.record(t, region).Materials[1].ID, *out.DestinationKeyMaterialId)
		r.id = source
		require.Len(t, r.record(t, region).Materials, 2)
	})
}

// TestSettlingRotation has a rotation on demand take its time.
func TestSettlingRotation(t *testing.T) {
	t.Parallel()
	const settling = 10 * time.Minute
	eachRig(t, settling, func(t *testing.T, r *rig) {
		r.create(t, &sdk.CreateKeyInput{})
		first, started := r.current(t, region), r.clock()
		require.Equal(t, &sdk.RotateKeyOnDemandOutput{KeyId: &r.arn}, do[sdk.RotateKeyOnDemandOutput](t, r.api, &sdk.RotateKeyOnDemandInput{KeyId: &r.id}))
		r.advance(settling - time.Millisecond)
		require.Equal(t, &sdk.GetKeyRotationStatusOutput{KeyId: &r.arn, OnDemandRotationStartDate: &started}, statusOf(t, r.api, r.id))
		require.Equal(t, first, r.current(t, region))
		require.Empty(t, listRotations(t, r.api, r.id, ""))
		refused(t, r.api, &sdk.RotateKeyOnDemandInput{KeyId: &r.id}, "ConflictException", "An on-demand rotation of the key "+r.arn+" is in progress.")
		require.Empty(t, r.rotations())

		r.advance(time.Millisecond + day)
		require.Equal(t, &sdk.GetKeyRotationStatusOutput{KeyId: &r.arn}, statusOf(t, r.api, r.id))
		entries := listRotations(t, r.api, r.id, "")
		require.Len(t, entries, 1)
		require.Equal(t, started.Add(settling), *entries[0].RotationDate)
		require.Equal(t, types.RotationTypeOnDemand, entries[0].RotationType)
		require.NotEqual(t, first, r.current(t, region))
		require.Len(t, r.rotations(), 1)
		succeeds(t, r.api, &sdk.RotateKeyOnDemandInput{KeyId: &r.id})

		// it ends although the key is disabled, but not while it is to be deleted
		succeeds(t, r.api, &sdk.DisableKeyInput{KeyId: &r.id})
		succeeds(t, r.api, &sdk.ScheduleKeyDeletionInput{KeyId: &r.id})
		r.advance(day)
		require.Equal(t, &sdk.GetKeyRotationStatusOutput{KeyId: &r.arn}, statusOf(t, r.api, r.id))
		require.Len(t, listRotations(t, r.api, r.id, ""), 1)
		succeeds(t, r.api, &sdk.CancelKeyDeletionInput{KeyId: &r.id})
		require.Len(t, listRotations(t, r.api, r.id, ""), 2)
	})
}

// TestRotationsInTheOrderOfTheirDates has a scheduled rotation and one on demand end
// while nobody looks.
func TestRotationsInTheOrderOfTheirDates(t *testing.T) {
	t.Parallel()
	const settling = 30 * time.Minute
	for lead, want := range map[time.Duration][]types.RotationType{
		25 * time.Minute: {types.RotationTypeAutomatic, types.RotationTypeOnDemand, types.RotationTypeAutomatic},
		31 * time.Minute: {types.RotationTypeOnDemand, types.RotationTypeAutomatic, types.RotationTypeAutomatic},
	} {
		r := newRig(t, false, settling)
		scheduled(t, r)
		r.advance(90*day - lead)
		succeeds(t, r.api, &sdk.RotateKeyOnDemandInput{KeyId: &r.id})
		r.advance(lead + 90*day)
		var got []types.RotationType
		dates := []time.Time{}
		for _, e := range listRotations(t, r.api, r.id, "") {
			got, dates = append(got, e.RotationType), append(dates, *e.RotationDate)
		}
		require.Equal(t, want, got)
		require.IsIncreasing(t, []int64{dates[0].Unix(), dates[1].Unix(), dates[2].Unix()})
	}
}

// TestManagedKeysAreRotatedYearly also has nobody else see to it.
func TestManagedKeysAreRotatedYearly(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		const alias = "alias/aws/s3"
		m := describe(t, &r.fixture, alias)
		r.advance(365 * day)
		require.NotEqual(t, *m.CurrentKeyMaterialId, *describe(t, &r.fixture, alias).CurrentKeyMaterialId)
		next := r.clock().Add(365 * day)
		require.Equal(t, &sdk.GetKeyRotationStatusOutput{
			KeyId: m.Arn, KeyRotationEnabled: true, NextRotationDate: &next, RotationPeriodInDays: aws.Int32(365),
		}, statusOf(t, r.api, *m.KeyId))
		require.Len(t, listRotations(t, r.api, *m.KeyId, ""), 1)
		for _, in := range []any{
			&sdk.EnableKeyRotationInput{KeyId: m.KeyId}, &sdk.DisableKeyRotationInput{KeyId: m.KeyId}, &sdk.RotateKeyOnDemandInput{KeyId: m.KeyId},
		} {
			_, err := call(t.Context(), r.api, in)
			require.Equal(t, "AccessDeniedException", codeOf(err))
		}
	})
}

func TestMultiRegionRotation(t *testing.T) {
	t.Parallel()
	const third = "ap-southeast-2"
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.create(t, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
		replica := r.replicate(t, otherRegion)
		old, first := r.encrypted(t, otherRegion), r.current(t, otherRegion)
		succeeds(t, r.api, &sdk.RotateKeyOnDemandInput{KeyId: &r.id})
		second := r.current(t, region)
		require.Equal(t, second, r.current(t, otherRegion))
		r.requireOpens(t, region, old, first)
		r.requireOpens(t, otherRegion, r.encrypted(t, region), second)

		succeeds(t, r.api, &sdk.EnableKeyRotationInput{KeyId: &r.id, RotationPeriodInDays: aws.Int32(90)})
		next := r.clock().Add(90 * day)
		status := statusOf(t, r.in(otherRegion), r.id)
		require.Equal(t, &sdk.GetKeyRotationStatusOutput{
			KeyId: &replica, KeyRotationEnabled: true, NextRotationDate: &next, RotationPeriodInDays: aws.Int32(90),
		}, status)

		// a request for a replica rotates all copies
		r.advance(90 * day)
		newer := r.encrypted(t, otherRegion)
		materials := r.record(t, region).Materials
		require.Len(t, materials, 3)
		require.Equal(t, materials, r.record(t, otherRegion).Materials)
		require.Equal(t, r.record(t, region).Rotation, r.record(t, otherRegion).Rotation)
		r.requireOpens(t, region, newer, materials[2].ID)
		events := r.rotations()
		require.Len(t, events, 1)
		require.Equal(t, []string{r.arn}, events[0].Resources)
		require.Equal(t, region, events[0].Region)

		// a later replica has all of it
		r.replicate(t, third)
		for _, blob := range [][]byte{old, newer} {
			succeeds(t, r.in(third), &sdk.DecryptInput{CiphertextBlob: blob})
		}
		require.Equal(t, listMaterialIDs(t, r, region), listMaterialIDs(t, r, third))

		// the state of the primary key counts
		succeeds(t, r.in(otherRegion), &sdk.DisableKeyInput{KeyId: &r.id})
		succeeds(t, r.api, &sdk.DisableKeyInput{KeyId: &r.id})
		r.advance(90 * day)
		require.Equal(t, materials[2].ID, r.current(t, third))
		succeeds(t, r.in(otherRegion), &sdk.EnableKeyInput{KeyId: &r.id})
		require.Equal(t, materials[2].ID, r.current(t, otherRegion))
		require.Empty(t, r.rotations())
		succeeds(t, r.api, &sdk.EnableKeyInput{KeyId: &r.id})
		require.NotEqual(t, materials[2].ID, r.current(t, region))
		require.Equal(t, r.current(t, region), r.current(t, third))
		require.Equal(t, r.clock().Add(90*day), *statusOf(t, r.in(third), r.id).NextRotationDate)

		// and of whichever is primary
		succeeds(t, r.api, &sdk.UpdatePrimaryRegionInput{KeyId: &r.id, PrimaryRegion: aws.String(otherRegion)})
		refused(t, r.api, &sdk.RotateKeyOnDemandInput{KeyId: &r.id}, "UnsupportedOperationException", r.arn+" is not a multi-region primary key.")
		succeeds(t, r.in(otherRegion), &sdk.RotateKeyOnDemandInput{KeyId: &r.id})
		succeeds(t, r.in(otherRegion), &sdk.DisableKeyRotationInput{KeyId: &r.id})
		require.Equal(t, r.current(t, otherRegion), r.current(t, third))
		require.False(t, statusOf(t, r.in(third), r.id).KeyRotationEnabled)
	})
}

func listMaterialIDs(t *testing.T, r *rig, region string) (ids []string) {
	t.Helper()
	for _, e := range listRotations(t, r.in(region), r.id, allMaterial) {
		ids = append(ids, *e.KeyMaterialId)
	}
	return ids
}

// TestClockGoesBackAfterARotation has it neither undo nor repeat one.
func TestClockGoesBackAfterARotation(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		scheduled(t, r)
		r.advance(90 * day)
		second, blob := r.current(t, region), r.encrypted(t, region)
		r.advance(-60 * day)
		require.Equal(t, second, r.current(t, region))
		r.requireOpens(t, region, blob, second)
		r.advance(60 * day)
		require.Len(t, listRotations(t, r.api, r.id, ""), 1)
	})
}
