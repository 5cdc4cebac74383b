package kms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

func statusOf(t *testing.T, api kms.API, id string) *sdk.GetKeyRotationStatusOutput {
	t.Helper()
	return do[sdk.GetKeyRotationStatusOutput](t, api, &sdk.GetKeyRotationStatusInput{KeyId: &id})
}

// listRotations returns a key's rotations, or all its materials.
func listRotations(t *testing.T, api kms.API, id string, include types.IncludeKeyMaterial) []types.RotationsListEntry {
	t.Helper()
	out := do[sdk.ListKeyRotationsOutput](t, api, &sdk.ListKeyRotationsInput{KeyId: &id, IncludeKeyMaterial: include, Limit: aws.Int32(1000)})
	require.False(t, out.Truncated)
	require.Nil(t, out.NextMarker)
	return out.Rotations
}

const allMaterial = types.IncludeKeyMaterialAllKeyMaterial

func TestRotationStatus(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		off := &sdk.GetKeyRotationStatusOutput{KeyId: &f.arn}
		on := func(days int32, next time.Time) *sdk.GetKeyRotationStatusOutput {
			return &sdk.GetKeyRotationStatusOutput{KeyId: &f.arn, KeyRotationEnabled: true, RotationPeriodInDays: &days, NextRotationDate: &next}
		}
		require.Equal(t, off, statusOf(t, f.api, f.id))
		require.Equal(t, &sdk.EnableKeyRotationOutput{}, do[sdk.EnableKeyRotationOutput](t, f.api, &sdk.EnableKeyRotationInput{KeyId: &f.arn}))
		require.Equal(t, on(365, kmstest.Start.Add(365*day)), statusOf(t, f.api, f.id))

		f.Advance(10 * day) // another period counts from when it is set
		succeeds(t, f.api, &sdk.EnableKeyRotationInput{KeyId: &f.id, RotationPeriodInDays: aws.Int32(90)})
		want := on(90, kmstest.Start.Add(100*day))
		require.Equal(t, want, statusOf(t, f.api, f.arn))

		succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &f.id}) // changes nothing of it
		require.Equal(t, want, statusOf(t, f.api, f.id))
		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &f.id})
		require.Equal(t, off, statusOf(t, f.api, f.id))
		succeeds(t, f.api, &sdk.CancelKeyDeletionInput{KeyId: &f.id})
		require.Equal(t, want, statusOf(t, f.api, f.id))

		succeeds(t, f.api, &sdk.EnableKeyInput{KeyId: &f.id})
		for range 2 {
			require.Equal(t, &sdk.DisableKeyRotationOutput{}, do[sdk.DisableKeyRotationOutput](t, f.api, &sdk.DisableKeyRotationInput{KeyId: &f.id}))
			require.Equal(t, off, statusOf(t, f.api, f.id))
		}
		f.Advance(1000 * day)
		require.Equal(t, off, statusOf(t, f.api, f.id))
		require.Empty(t, listRotations(t, f.api, f.id, ""))
	})
}

func TestRotationPeriods(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, days := range []int32{90, 91, 365, 2560} {
			succeeds(t, f.api, &sdk.EnableKeyRotationInput{KeyId: &f.id, RotationPeriodInDays: &days})
			require.Equal(t, f.Now().Add(time.Duration(days)*day), *statusOf(t, f.api, f.id).NextRotationDate)
		}
		for days, rule := range map[int32]string{0: "greater than or equal to 90", 89: "greater than or equal to 90", 2561: "less than or equal to 2560"} {
			refused(t, f.api, &sdk.EnableKeyRotationInput{KeyId: &f.id, RotationPeriodInDays: &days}, "ValidationException",
				one(bound(fmt.Sprint(days), "rotationPeriodInDays", "value "+rule)))
		}
	})
}

// TestKeysWithoutRotation has an answer for each operation and each kind of key that
// cannot be rotated.
func TestKeysWithoutRotation(t *testing.T) {
	t.Parallel()
	const unsupported = "UnsupportedOperationException"
	origin := func(arn, origin string) answer {
		return answer{unsupported, arn + " origin is " + origin + " which is not valid for this operation."}
	}
	eachRig(t, 0, func(t *testing.T, r *rig) {
		stored := &keyrecord.Key{
			Account: account, Region: region, ID: faultOther, Enabled: true, KeyStore: "cks-1234567890abcdef0",
			Spec: keyrecord.SpecSymmetric, Usage: "ENCRYPT_DECRYPT", Origin: "AWS_CLOUDHSM",
			Materials: []keyrecord.Material{keyrecord.NewMaterial(faultOther, make([]byte, 32), kmstest.Start)},
		}
		r.plantRecord(t, stored)
		r.create(t, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
		replica := r.replicate(t, otherRegion)
		created := func(in *sdk.CreateKeyInput) string {
			return *do[sdk.CreateKeyOutput](t, r.api, in).KeyMetadata.Arn
		}
		external := created(&sdk.CreateKeyInput{Origin: types.OriginTypeExternal})
		for _, row := range []struct {
			arn                           string
			schedule, status, demand, all answer
		}{
			{
				created(&sdk.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify}),
				answer{unsupported, ""}, yes, answer{unsupported, ""}, answer{unsupported, ""},
			},
			{
				created(&sdk.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac}),
				answer{unsupported, ""}, yes, answer{unsupported, ""}, answer{unsupported, ""},
			},
			{
				external, origin(external, "EXTERNAL"), origin(external, "EXTERNAL"),
				answer{"KMSInvalidStateException", external + " is pending import."}, yes,
			},
			{
				stored.ARN(), origin(stored.ARN(), "AWS_CLOUDHSM"), origin(stored.ARN(), "AWS_CLOUDHSM"),
				origin(stored.ARN(), "AWS_CLOUDHSM"), origin(stored.ARN(), "AWS_CLOUDHSM"),
			},
			{
				replica, answer{unsupported, replica + " is not a multi-region primary key."}, yes,
				answer{unsupported, replica + " is not a multi-region primary key."}, yes,
			},
		} {
			api := r.api
			if row.arn == replica {
				api = r.in(otherRegion)
			}
			for _, request := range []struct {
				in   any
				want answer
			}{
				{&sdk.EnableKeyRotationInput{KeyId: &row.arn}, row.schedule},
				{&sdk.DisableKeyRotationInput{KeyId: &row.arn}, row.schedule},
				{&sdk.GetKeyRotationStatusInput{KeyId: &row.arn}, row.status},
				{&sdk.RotateKeyOnDemandInput{KeyId: &row.arn}, row.demand},
				{&sdk.ListKeyRotationsInput{KeyId: &row.arn}, row.all},
			} {
				if request.want == yes {
					succeeds(t, api, request.in)
					continue
				}
				refused(t, api, request.in, request.want.code, request.want.message)
			}
		}
		require.Equal(t, &sdk.GetKeyRotationStatusOutput{KeyId: &replica}, statusOf(t, r.in(otherRegion), replica))
	})
}

// TestRotateOnDemand is the recorded course of it, with and without a schedule.
func TestRotateOnDemand(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		first := *describe(t, f, f.id).CurrentKeyMaterialId
		old := f.plant(t, "secret", nil)
		require.Equal(t, []types.RotationsListEntry{{KeyId: &f.arn, KeyMaterialId: &first, KeyMaterialState: types.KeyMaterialStateCurrent}},
			listRotations(t, f.api, f.id, allMaterial))
		require.Empty(t, listRotations(t, f.api, f.id, ""))

		f.Advance(time.Hour)
		require.Equal(t, &sdk.RotateKeyOnDemandOutput{KeyId: &f.arn}, do[sdk.RotateKeyOnDemandOutput](t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: &f.id}))
		require.Equal(t, &sdk.GetKeyRotationStatusOutput{KeyId: &f.arn}, statusOf(t, f.api, f.id))
		second := *describe(t, f, f.id).CurrentKeyMaterialId
		require.NotEqual(t, first, second)
		require.Regexp(t, materialIDPattern, second)

		succeeds(t, f.api, &sdk.EnableKeyRotationInput{KeyId: &f.id, RotationPeriodInDays: aws.Int32(100)})
		before := statusOf(t, f.api, f.id)
		f.Advance(time.Hour)
		succeeds(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: &f.arn})
		require.Equal(t, before, statusOf(t, f.api, f.id), "the schedule stays as it is")
		third := *describe(t, f, f.id).CurrentKeyMaterialId

		dates := []time.Time{kmstest.Start.Add(time.Hour), kmstest.Start.Add(2 * time.Hour)}
		rotations := []types.RotationsListEntry{
			{KeyId: &f.arn, KeyMaterialId: &second, KeyMaterialState: types.KeyMaterialStateNonCurrent, RotationDate: &dates[0], RotationType: types.RotationTypeOnDemand},
			{KeyId: &f.arn, KeyMaterialId: &third, KeyMaterialState: types.KeyMaterialStateCurrent, RotationDate: &dates[1], RotationType: types.RotationTypeOnDemand},
		}
		require.Equal(t, rotations, listRotations(t, f.api, f.id, types.IncludeKeyMaterialRotationsOnly))
		rotations = append([]types.RotationsListEntry{{KeyId: &f.arn, KeyMaterialId: &first, KeyMaterialState: types.KeyMaterialStateNonCurrent}}, rotations...)
		require.Equal(t, rotations, listRotations(t, f.api, f.id, allMaterial))

		for blob, material := range map[string]string{string(old): first, string(f.plant(t, "new", nil)): third} {
			out := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: []byte(blob)})
			require.Equal(t, material, *out.KeyMaterialId)
			refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: flip([]byte(blob), 8*len(blob)-1)}, "InvalidCiphertextException", "")
		}
		data := do[sdk.GenerateDataKeyOutput](t, f.api, &sdk.GenerateDataKeyInput{KeyId: &f.id, KeySpec: types.DataKeySpecAes256})
		require.Equal(t, third, *data.KeyMaterialId)
	})
}

func TestRotateOnDemandRefusals(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		in := &sdk.RotateKeyOnDemandInput{KeyId: &f.id}
		unknown := aws.String(unknownID)
		refused(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: unknown}, "NotFoundException",
			"Key 'arn:aws:kms:us-east-1:111122223333:key/"+unknownID+"' does not exist")
		refused(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: aws.String("alias/app")}, "NotFoundException", "Invalid keyId 'alias/app'")

		succeeds(t, f.api, &sdk.EnableKeyRotationInput{KeyId: &f.id, RotationPeriodInDays: aws.Int32(90)})
		f.Advance(90*day - 20*time.Minute - time.Millisecond)
		succeeds(t, f.api, in)
		for range 2 { // exactly twenty minutes before, and a millisecond before
			f.Advance(time.Millisecond)
			refused(t, f.api, in, "ConflictException",
				"An automatic rotation of the key "+f.arn+" is in progress or scheduled to begin within the next 20 minutes.")
			f.Advance(20*time.Minute - 2*time.Millisecond)
		}
		f.Advance(time.Hour)
		succeeds(t, f.api, in)

		succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &f.id})
		for _, in := range []any{in, &sdk.EnableKeyRotationInput{KeyId: &f.id}, &sdk.DisableKeyRotationInput{KeyId: &f.id}} {
			refused(t, f.api, in, "DisabledException", f.arn+" is disabled.")
		}
		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &f.id})
		for _, in := range []any{in, &sdk.EnableKeyRotationInput{KeyId: &f.id}, &sdk.DisableKeyRotationInput{KeyId: &f.id}} {
			refused(t, f.api, in, "KMSInvalidStateException", f.arn+" is pending deletion.")
		}
	})
}

// TestThirtyRotations rotates a key on demand as often as it can be, and by the clock
// thirty times; what was encrypted under each material is decrypted under it.
func TestThirtyRotations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		blobs := map[string]string{} // by material
		note := func() {
			blobs[*describe(t, f, f.id).CurrentKeyMaterialId] = string(f.plant(t, "secret", map[string]string{"a": "b"}))
		}
		note()
		for range 25 {
			succeeds(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: &f.id})
			note()
		}
		refused(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: &f.id}, "LimitExceededException",
			"The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: "+f.arn)
		succeeds(t, f.api, &sdk.EnableKeyRotationInput{KeyId: &f.id, RotationPeriodInDays: aws.Int32(90)})
		for range 30 {
			f.Advance(90 * day)
			note()
		}
		require.Len(t, blobs, 1+25+30)
		for material, blob := range blobs {
			out := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: []byte(blob), EncryptionContext: map[string]string{"a": "b"}})
			require.Equal(t, material, *out.KeyMaterialId)
			require.Equal(t, "secret", string(out.Plaintext))
			again := do[sdk.ReEncryptOutput](t, f.api, &sdk.ReEncryptInput{
				CiphertextBlob: []byte(blob), SourceEncryptionContext: map[string]string{"a": "b"}, DestinationKeyId: &f.id,
			})
			require.Equal(t, material, *again.SourceKeyMaterialId)
			require.Equal(t, *describe(t, f, f.id).CurrentKeyMaterialId, *again.DestinationKeyMaterialId)
		}
		kinds := map[types.RotationType]int{}
		for _, e := range listRotations(t, f.api, f.id, "") {
			kinds[e.RotationType]++
		}
		require.Equal(t, map[types.RotationType]int{types.RotationTypeOnDemand: 25, types.RotationTypeAutomatic: 30}, kinds)
		refused(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: &f.id}, "LimitExceededException",
			"The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: "+f.arn)
	})
}

func TestListKeyRotationsPages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for range 7 {
			f.Advance(time.Hour)
			succeeds(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: &f.id})
		}
		for include, total := range map[types.IncludeKeyMaterial]int{"": 7, types.IncludeKeyMaterialRotationsOnly: 7, allMaterial: 8} {
			whole := listRotations(t, f.api, f.id, include)
			require.Len(t, whole, total)
			for size := int32(1); size <= 9; size++ {
				var paged []types.RotationsListEntry
				in := &sdk.ListKeyRotationsInput{KeyId: &f.arn, IncludeKeyMaterial: include, Limit: &size}
				for {
					out := do[sdk.ListKeyRotationsOutput](t, f.api, in)
					require.LessOrEqual(t, len(out.Rotations), int(size))
					paged = append(paged, out.Rotations...)
					require.Equal(t, out.Truncated, out.NextMarker != nil)
					if !out.Truncated {
						break
					}
					in.Marker = out.NextMarker
				}
				require.Equal(t, whole, paged)
			}
		}
		for _, marker := range []string{"x", "!", *do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{Limit: aws.Int32(1)}).Keys[0].KeyId} {
			refused(t, f.api, &sdk.ListKeyRotationsInput{KeyId: &f.id, Marker: &marker},
				"InvalidMarkerException", "The marker is not valid for this listing.")
		}
		refused(t, f.api, &sdk.ListKeyRotationsInput{KeyId: &f.id, IncludeKeyMaterial: "SOME"}, "ValidationException",
			one("Value 'SOME' at 'includeKeyMaterial' failed to satisfy constraint: Member must satisfy enum value set: [ALL_KEY_MATERIAL, ROTATIONS_ONLY]"))
		refused(t, f.api, &sdk.ListKeyRotationsInput{KeyId: &f.id, Limit: aws.Int32(1001)}, "ValidationException",
			one(bound("1001", "limit", "value less than or equal to 1000")))

		// a page goes on although the key was rotated meanwhile
		first := do[sdk.ListKeyRotationsOutput](t, f.api, &sdk.ListKeyRotationsInput{KeyId: &f.id, Limit: aws.Int32(6)})
		succeeds(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: &f.id})
		rest := do[sdk.ListKeyRotationsOutput](t, f.api, &sdk.ListKeyRotationsInput{KeyId: &f.id, Marker: first.NextMarker})
		require.Len(t, rest.Rotations, 2)
	})
}

// TestRotationPeriodCondition has a policy bound the period, which is 365 days for a
// request that does not say.
func TestRotationPeriodCondition(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.attach(alice.Principal, allowing(t,
			own("Allow", "kms:EnableKeyRotation", w.key, when(`{"NumericLessThanEquals":{"kms:RotationPeriodInDays":"365"}}`))))
		for _, days := range []*int32{nil, aws.Int32(90), aws.Int32(365)} {
			succeeds(t, w.as(alice), &sdk.EnableKeyRotationInput{KeyId: &w.key, RotationPeriodInDays: days})
		}
		denied(t, w.as(alice), alice, &sdk.EnableKeyRotationInput{KeyId: &w.key, RotationPeriodInDays: aws.Int32(366)},
			"kms:EnableKeyRotation", w.key, noPolicy("identity-based policy", "kms:EnableKeyRotation"))
	})
}

// TestRotationStatusIsTheCallersOwn has a caller change what was answered: the record
// that requests share stays as it is.
func TestRotationStatusIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	succeeds(t, f.api, &sdk.EnableKeyRotationInput{KeyId: &f.id})
	succeeds(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: &f.id})
	out, entries := statusOf(t, f.api, f.id), listRotations(t, f.api, f.id, "")
	*out.NextRotationDate, *out.RotationPeriodInDays, *entries[0].RotationDate = time.Time{}, 1, time.Time{}
	require.Equal(t, kmstest.Start.Add(365*day), *statusOf(t, f.api, f.id).NextRotationDate)
	require.Equal(t, kmstest.Start, *listRotations(t, f.api, f.id, "")[0].RotationDate)
}
