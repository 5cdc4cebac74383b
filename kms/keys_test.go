package kms_test

//lint:file-ignore SA1019 The deprecated member is part of the API and is answered.

import (
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
)

var (
	uuidPattern       = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	materialIDPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func describe(t *testing.T, f *fixture, id string) *types.KeyMetadata {
	t.Helper()
	return do[sdk.DescribeKeyOutput](t, f.api, &sdk.DescribeKeyInput{KeyId: &id}).KeyMetadata
}

func TestCreateKeyMetadata(t *testing.T) {
	t.Parallel()
	inputs := map[string]*sdk.CreateKeyInput{
		"nothing said": {},
		"all of it said": {
			KeySpec:     types.KeySpecSymmetricDefault,
			KeyUsage:    types.KeyUsageTypeEncryptDecrypt,
			Origin:      types.OriginTypeAwsKms,
			MultiRegion: aws.Bool(false),
			Description: aws.String("héllo"),
			Tags:        []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("")}},
		},
		"the deprecated spec": {CustomerMasterKeySpec: types.CustomerMasterKeySpecSymmetricDefault},
	}
	each(t, func(t *testing.T, f *fixture) {
		for name, in := range inputs {
			got := do[sdk.CreateKeyOutput](t, f.api, in)
			id, material := aws.ToString(got.KeyMetadata.KeyId), aws.ToString(got.KeyMetadata.CurrentKeyMaterialId)
			require.Regexp(t, uuidPattern, id, name)
			require.Regexp(t, materialIDPattern, material, name)
			want := &types.KeyMetadata{
				AWSAccountId:          aws.String(account),
				Arn:                   aws.String("arn:aws:kms:us-east-1:111122223333:key/" + id),
				CreationDate:          aws.Time(kmstest.Start),
				CurrentKeyMaterialId:  aws.String(material),
				CustomerMasterKeySpec: types.CustomerMasterKeySpecSymmetricDefault,
				Description:           aws.String(aws.ToString(in.Description)),
				Enabled:               true,
				EncryptionAlgorithms:  []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecSymmetricDefault},
				KeyId:                 aws.String(id),
				KeyManager:            types.KeyManagerTypeCustomer,
				KeySpec:               types.KeySpecSymmetricDefault,
				KeyState:              types.KeyStateEnabled,
				KeyUsage:              types.KeyUsageTypeEncryptDecrypt,
				MultiRegion:           aws.Bool(false),
				Origin:                types.OriginTypeAwsKms,
			}
			require.Equal(t, &sdk.CreateKeyOutput{KeyMetadata: want}, got, name)
			require.Equal(t, want, describe(t, f, id), name)
		}
	})
}

func TestCreateKeyMakesNewKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	ids, materials := map[string]bool{}, map[string]bool{}
	for range 20 {
		m := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{}).KeyMetadata
		ids[*m.KeyId], materials[*m.CurrentKeyMaterialId] = true, true
	}
	require.Len(t, ids, 20)
	require.Len(t, materials, 20)
}

func TestARNsFollowThePartition(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for region, partition := range map[string]string{
		"eu-west-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso",
	} {
		api := f.Client(f.Root().In(region))
		m := do[sdk.CreateKeyOutput](t, api, &sdk.CreateKeyInput{}).KeyMetadata
		require.Equal(t, "arn:"+partition+":kms:"+region+":"+account+":key/"+*m.KeyId, *m.Arn)
		succeeds(t, api, &sdk.DescribeKeyInput{KeyId: m.Arn})
		refused(t, f.api, &sdk.DescribeKeyInput{KeyId: m.KeyId},
			"NotFoundException", "Key 'arn:aws:kms:us-east-1:111122223333:key/"+*m.KeyId+"' does not exist")
	}
}

func TestEnableAndDisable(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		require.True(t, describe(t, f, f.id).Enabled)
		for range 2 { // the second time changes nothing
			require.Equal(t, &sdk.DisableKeyOutput{}, do[sdk.DisableKeyOutput](t, f.api, &sdk.DisableKeyInput{KeyId: &f.id}))
			m := describe(t, f, f.id)
			require.False(t, m.Enabled)
			require.Equal(t, types.KeyStateDisabled, m.KeyState)
		}
		for range 2 {
			require.Equal(t, &sdk.EnableKeyOutput{}, do[sdk.EnableKeyOutput](t, f.api, &sdk.EnableKeyInput{KeyId: &f.arn}))
			m := describe(t, f, f.id)
			require.True(t, m.Enabled)
			require.Equal(t, types.KeyStateEnabled, m.KeyState)
		}
	})
}

func TestUpdateKeyDescription(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		require.Equal(t, "of the application", *describe(t, f, f.id).Description)
		for _, d := range []string{"another", strings.Repeat("é", 8192), ""} {
			require.Equal(t, &sdk.UpdateKeyDescriptionOutput{},
				do[sdk.UpdateKeyDescriptionOutput](t, f.api, &sdk.UpdateKeyDescriptionInput{KeyId: &f.id, Description: &d}))
			require.Equal(t, d, *describe(t, f, f.id).Description)
		}
	})
}

func TestListKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		second := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{}).KeyMetadata
		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: second.KeyId}) // listed all the same
		got := do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{})
		require.ElementsMatch(t, []types.KeyListEntry{
			{KeyId: &f.id, KeyArn: &f.arn},
			{KeyId: second.KeyId, KeyArn: second.Arn},
		}, got.Keys)
		require.False(t, got.Truncated)
		require.Nil(t, got.NextMarker)

		empty := do[sdk.ListKeysOutput](t, f.Client(f.Root().In("eu-west-1")), &sdk.ListKeysInput{})
		require.Equal(t, &sdk.ListKeysOutput{Keys: []types.KeyListEntry{}}, empty)
	})
}
