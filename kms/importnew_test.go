package kms_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
)

// states returns the states of a key's materials, oldest first, with a mark on those
// that are not there.
func (r *rig) states(t *testing.T, region string) []string {
	t.Helper()
	states := []string{}
	for _, e := range listRotations(t, r.in(region), r.id, allMaterial) {
		s := string(e.KeyMaterialState)
		if e.ImportState == types.ImportStatePendingImport {
			s += " missing"
		}
		states = append(states, s)
	}
	return states
}

// TestSecondMaterial is the recorded course of two new materials in a row, and of the
// rotation to the second.
func TestSecondMaterial(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		i, rotate := r.importer(t), &sdk.RotateKeyOnDemandInput{KeyId: &r.id}
		none := "No available key material pending rotation for the key: " + r.arn + "."
		refused(t, r.api, rotate, "KMSInvalidStateException", r.arn+pendingImport)
		a, b, c := random(32), random(32), random(32)
		first := importID(t, r.api, i.imported(t, a)) // new, as nothing was imported before
		old := r.encrypted(t, region)
		refused(t, r.api, rotate, "KMSInvalidStateException", none)

		in := i.as(t, asNew, b)
		in.KeyMaterialDescription = aws.String("the second one")
		in.ExpirationModel, in.ValidTo = "", aws.Time(r.clock().Add(200*day))
		second := importID(t, r.api, in)
		require.Equal(t, first, r.current(t, region))
		third := i.as(t, asNew, c)
		_, err := call(t.Context(), r.api, third)
		require.Equal(t, "KMSInvalidStateException", codeOf(err))
		require.Regexp(t, `New key material \(id: [0-9a-f]{64}\) cannot be imported into KMS key `+r.arn+
			`, because another key material \(id: `+second+`\) is pending rotation\.$`, err.Error())
		require.Equal(t, []types.RotationsListEntry{
			{KeyId: &r.arn, KeyMaterialId: &first, KeyMaterialState: types.KeyMaterialStateCurrent, ImportState: types.ImportStateImported, ExpirationModel: noExpiry},
			{
				KeyId: &r.arn, KeyMaterialId: &second, KeyMaterialState: types.KeyMaterialStatePendingRotation, ImportState: types.ImportStateImported,
				ExpirationModel: types.ExpirationModelTypeKeyMaterialExpires, ValidTo: in.ValidTo, KeyMaterialDescription: in.KeyMaterialDescription,
			},
		}, listRotations(t, r.api, r.id, allMaterial))
		require.Empty(t, listRotations(t, r.api, r.id, ""))

		r.advance(time.Hour)
		require.Equal(t, &sdk.RotateKeyOnDemandOutput{KeyId: &r.arn}, do[sdk.RotateKeyOnDemandOutput](t, r.api, rotate))
		require.Equal(t, second, r.current(t, region))
		require.Equal(t, *in.ValidTo, *describe(t, &r.fixture, r.id).ValidTo)
		require.Equal(t, []types.RotationsListEntry{{
			KeyId: &r.arn, KeyMaterialId: &second, KeyMaterialState: types.KeyMaterialStateCurrent, ImportState: types.ImportStateImported,
			ExpirationModel: types.ExpirationModelTypeKeyMaterialExpires, ValidTo: in.ValidTo, KeyMaterialDescription: in.KeyMaterialDescription,
			RotationDate: aws.Time(kmstest.Start.Add(time.Hour)), RotationType: types.RotationTypeOnDemand,
		}}, listRotations(t, r.api, r.id, ""))
		r.requireOpens(t, region, old, first)
		r.requireOpens(t, region, r.encrypted(t, region), second)
		refused(t, r.api, rotate, "KMSInvalidStateException", none)
		succeeds(t, r.api, third)
		require.Equal(t, []string{"NON_CURRENT", "CURRENT", "PENDING_ROTATION"}, r.states(t, region))

		// the loss of an old one makes the key unusable, even for what is under others
		newer := r.encrypted(t, region)
		deleted := do[sdk.DeleteImportedKeyMaterialOutput](t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id, KeyMaterialId: &first})
		require.Equal(t, first, *deleted.KeyMaterialId)
		require.Equal(t, []string{"NON_CURRENT missing", "CURRENT", "PENDING_ROTATION"}, r.states(t, region))
		refused(t, r.api, &sdk.DecryptInput{CiphertextBlob: newer}, "KMSInvalidStateException", r.arn+pendingImport)
		succeeds(t, r.api, i.imported(t, a)) // existing, as nothing is said
		r.requireOpens(t, region, old, first)
		r.requireOpens(t, region, newer, second)
	})
}

// TestExistingMaterial has what is imported again be what was imported before.
func TestExistingMaterial(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		i, a, b := r.importer(t), random(32), random(32)
		const wrong, before = "IncorrectKeyMaterialException", "The key material is not one that was imported into the key "
		refused(t, r.api, i.as(t, asExisting, a), wrong, before+r.arn+" before.")
		first := importID(t, r.api, i.as(t, asNew, a))
		for _, kind := range []types.ImportType{"", asExisting} {
			refused(t, r.api, i.as(t, kind, b), wrong, before+r.arn+" before.")
			require.Equal(t, first, importID(t, r.api, i.as(t, kind, a)))
		}
		refused(t, r.api, i.as(t, asNew, a), wrong, "The key material (id: "+first+") is already associated with the key "+r.arn+".")
		second := importID(t, r.api, i.as(t, asNew, b))
		refused(t, r.api, i.as(t, asNew, b), wrong, "The key material (id: "+second+") is already associated with the key "+r.arn+".")
		require.Equal(t, second, importID(t, r.api, i.as(t, asExisting, b))) // pending, and present

		// an id has to be that of the material
		in := i.imported(t, a)
		in.KeyMaterialId = &first
		require.Equal(t, first, importID(t, r.api, in))
		in.KeyMaterialId = &second
		refused(t, r.api, in, wrong, "The key material does not have the id "+second+".")
		in.ImportType = asNew
		refused(t, r.api, in, "ValidationException", "KeyMaterialId is not valid if the ImportType is NEW_KEY_MATERIAL")

		// a description stays until there is another
		in = i.imported(t, a)
		for _, step := range []struct{ given, want *string }{
			{nil, nil}, {aws.String("one: 1/2_3.4-5"), aws.String("one: 1/2_3.4-5")}, {nil, aws.String("one: 1/2_3.4-5")}, {aws.String("two"), aws.String("two")},
		} {
			in.KeyMaterialDescription = step.given
			succeeds(t, r.api, in)
			succeeds(t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id, KeyMaterialId: &first})
			require.Equal(t, step.want, listRotations(t, r.api, r.id, allMaterial)[0].KeyMaterialDescription)
		}

		// a key that never had any takes no id
		r.external(t, sdk.CreateKeyInput{})
		in = r.importer(t).imported(t, a)
		in.KeyMaterialId = &first
		refused(t, r.api, in, "ValidationException", "KeyMaterialId is not valid if the ImportType is NEW_KEY_MATERIAL")
		in.KeyMaterialId = nil
		require.NotEqual(t, first, importID(t, r.api, in), "the id depends on the key too")
	})
}

func TestDeletedMaterial(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		remove := func(id *string) *sdk.DeleteImportedKeyMaterialInput {
			return &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id, KeyMaterialId: id}
		}
		require.Equal(t, &sdk.DeleteImportedKeyMaterialOutput{KeyId: &r.arn}, do[sdk.DeleteImportedKeyMaterialOutput](t, r.api, remove(nil)))
		i := r.importer(t)
		succeeds(t, r.api, i.imported(t, random(32)))
		unknown := strings.Repeat("a", 64)
		refused(t, r.api, remove(&unknown), "NotFoundException", "Key material '"+unknown+"' of the key "+r.arn+" does not exist")

		// pending material is not the key's for good: another may take its place
		second := importID(t, r.api, i.as(t, asNew, random(32)))
		require.Equal(t, &sdk.DeleteImportedKeyMaterialOutput{KeyId: &r.arn, KeyMaterialId: &second},
			do[sdk.DeleteImportedKeyMaterialOutput](t, r.api, remove(&second)))
		require.Equal(t, []string{"CURRENT"}, r.states(t, region))
		require.Equal(t, types.KeyStateEnabled, describe(t, &r.fixture, r.id).KeyState)
		refused(t, r.api, remove(&second), "NotFoundException", "Key material '"+second+"' of the key "+r.arn+" does not exist")
		third := importID(t, r.api, i.as(t, asNew, random(32)))
		succeeds(t, r.api, &sdk.RotateKeyOnDemandInput{KeyId: &r.id})
		require.Equal(t, third, r.current(t, region))
		succeeds(t, r.api, remove(nil)) // the current one
		require.Equal(t, []string{"NON_CURRENT", "CURRENT missing"}, r.states(t, region))
	})
}

// TestSettlingImportedRotation has pending material be lost, or not be lost, while a
// rotation to it takes its time.
func TestSettlingImportedRotation(t *testing.T) {
	t.Parallel()
	eachRig(t, 10*time.Minute, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		i, rotate := r.importer(t), &sdk.RotateKeyOnDemandInput{KeyId: &r.id}
		first := importID(t, r.api, i.imported(t, random(32)))
		in := i.as(t, asNew, random(32))
		in.ExpirationModel, in.ValidTo = "", aws.Time(r.clock().Add(5*time.Minute))
		second := importID(t, r.api, in)
		succeeds(t, r.api, rotate)
		refused(t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id, KeyMaterialId: &second}, "KMSInvalidStateException",
			"The key material (id: "+second+") cannot be deleted from the KMS key "+r.arn+", because a rotation to it is in progress.")
		r.advance(10 * time.Minute)
		require.Equal(t, []string{"CURRENT", "PENDING_ROTATION missing"}, r.states(t, region))
		require.Equal(t, first, r.current(t, region))
		refused(t, r.api, rotate, "KMSInvalidStateException", "No available key material pending rotation for the key: "+r.arn+".")

		in.ImportType, in.ExpirationModel, in.ValidTo = asExisting, noExpiry, nil
		succeeds(t, r.api, in)
		succeeds(t, r.api, rotate)
		require.Equal(t, first, r.current(t, region))
		r.advance(10 * time.Minute)
		require.Equal(t, second, r.current(t, region))
		require.Equal(t, r.clock(), *listRotations(t, r.api, r.id, "")[0].RotationDate)
	})
}

// TestImportedMaterialOfCopies takes new material through the copies of a key.
func TestImportedMaterialOfCopies(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
		ours, theirs, a, b := r.importer(t), r.in(otherRegion), random(32), random(32)
		first := importID(t, r.api, ours.imported(t, a))
		replica := r.replicate(t, otherRegion)
		others := importerFor(t, theirs, replica, oaep256, rsa2048)
		rotate := &sdk.RotateKeyOnDemandInput{KeyId: &r.id}
		notPrimary := answer{"UnsupportedOperationException", replica + " is not a multi-region primary key."}
		stateIn := func(region string) types.KeyState {
			return do[sdk.DescribeKeyOutput](t, r.in(region), &sdk.DescribeKeyInput{KeyId: &r.id}).KeyMetadata.KeyState
		}

		require.Equal(t, types.KeyStateEnabled, stateIn(region))
		require.Equal(t, types.KeyStatePendingImport, stateIn(otherRegion))
		require.Equal(t, []string{"CURRENT missing"}, r.states(t, otherRegion))
		refused(t, theirs, others.imported(t, b), "IncorrectKeyMaterialException", "The key material is not one that was imported into the key "+replica+" before.")
		require.Equal(t, first, importID(t, theirs, others.imported(t, a)))
		require.Equal(t, types.KeyStateEnabled, stateIn(otherRegion))
		old := r.encrypted(t, otherRegion)
		r.requireOpens(t, region, old, first)

		// new material is imported in the primary Region and then everywhere
		refused(t, theirs, others.as(t, asNew, b), notPrimary.code, notPrimary.message)
		second := importID(t, r.api, ours.as(t, asNew, b))
		multi := []string{"CURRENT", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"}
		require.Equal(t, multi, r.states(t, region))
		require.Equal(t, []string{multi[0], multi[1] + " missing"}, r.states(t, otherRegion))
		refused(t, r.api, rotate, "KMSInvalidStateException", "No available key material pending rotation for the key: "+r.arn+".")
		in := others.as(t, asExisting, b)
		in.ExpirationModel, in.ValidTo = "", aws.Time(r.clock().Add(day))
		require.Equal(t, second, importID(t, theirs, in))
		for _, region := range []string{region, otherRegion} {
			require.Equal(t, []string{"CURRENT", "PENDING_ROTATION"}, r.states(t, region))
		}
		refused(t, theirs, rotate, notPrimary.code, notPrimary.message)
		succeeds(t, r.api, rotate)
		require.Equal(t, second, r.current(t, otherRegion))
		newer := r.encrypted(t, region)
		r.requireOpens(t, otherRegion, newer, second)
		r.requireOpens(t, otherRegion, old, first)

		// expiry and deletion are each copy's own
		r.advance(day)
		require.Equal(t, types.KeyStatePendingImport, stateIn(otherRegion))
		require.Equal(t, types.KeyStateEnabled, stateIn(region))
		succeeds(t, r.api, &sdk.TagResourceInput{KeyId: &r.id, Tags: tags("a=b")})
		others = importerFor(t, theirs, replica, oaep256, rsa2048)
		succeeds(t, theirs, others.as(t, asExisting, b))
		succeeds(t, theirs, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id})
		require.Equal(t, []string{"NON_CURRENT", "CURRENT missing"}, r.states(t, otherRegion))
		require.Equal(t, []string{"NON_CURRENT", "CURRENT"}, r.states(t, region))
		succeeds(t, theirs, others.as(t, asExisting, b))

		// but for pending material that the primary gives up
		c := random(32)
		ours = r.importer(t)
		third := importID(t, r.api, ours.as(t, asNew, c))
		succeeds(t, theirs, others.as(t, asExisting, c))
		succeeds(t, theirs, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id, KeyMaterialId: &third})
		require.Equal(t, []string{"NON_CURRENT", "CURRENT", multi[1]}, r.states(t, region))
		require.Equal(t, []string{"NON_CURRENT", "CURRENT", multi[1] + " missing"}, r.states(t, otherRegion))
		succeeds(t, theirs, others.as(t, asExisting, c))
		succeeds(t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id, KeyMaterialId: &third})
		for _, region := range []string{region, otherRegion} {
			require.Equal(t, []string{"NON_CURRENT", "CURRENT"}, r.states(t, region))
		}

		// a replica that is to be deleted is not waited for
		succeeds(t, r.api, ours.as(t, asNew, c))
		succeeds(t, theirs, &sdk.ScheduleKeyDeletionInput{KeyId: &r.id})
		require.Equal(t, []string{"NON_CURRENT", "CURRENT", "PENDING_ROTATION"}, r.states(t, region))
		succeeds(t, r.api, rotate)
		require.Equal(t, third, r.current(t, region))
	})
}

// TestImportedKeyOfOneMaterialInCopies has a replica of a key that is not symmetric take
// the primary's material and no other.
func TestImportedKeyOfOneMaterialInCopies(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{MultiRegion: aws.Bool(true), KeySpec: types.KeySpecHmac384, KeyUsage: types.KeyUsageTypeGenerateVerifyMac})
		theirs, material := r.in(otherRegion), random(48)
		succeeds(t, r.api, r.importer(t).imported(t, material))
		replica := r.replicate(t, otherRegion)
		others := importerFor(t, theirs, replica, oaep256, rsa2048)
		refused(t, theirs, others.imported(t, random(48)), "IncorrectKeyMaterialException",
			"The key material is not one that was imported into the key "+replica+" before.")
		require.Equal(t, &sdk.ImportKeyMaterialOutput{KeyId: &replica}, do[sdk.ImportKeyMaterialOutput](t, theirs, others.imported(t, material)))
		require.Equal(t, material, r.record(t, otherRegion).Current().Bytes)
	})
}

// TestDescriptionOfMaterialThatWasGivenUp imports material that waits for a rotation, gives
// it up, and imports it again: what was said of it the first time is over.
func TestDescriptionOfMaterialThatWasGivenUp(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		i := r.importer(t)
		succeeds(t, r.api, i.imported(t, random(32)))
		in := i.as(t, asNew, random(32))
		in.KeyMaterialDescription = aws.String("the second one")
		second := importID(t, r.api, in)
		succeeds(t, r.api, &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.id, KeyMaterialId: &second})
		in.KeyMaterialDescription = nil
		require.Equal(t, second, importID(t, r.api, in))
		require.Nil(t, listRotations(t, r.api, r.id, allMaterial)[1].KeyMaterialDescription)
	})
}
