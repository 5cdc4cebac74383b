package kms_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
)

// regions is a multi-Region key and clients in three Regions.
type regions struct {
	*fixture
	key  string // its id
	apis map[string]kms.API
}

const frankfurt, tokyo = "eu-central-1", "ap-northeast-1"

func newRegions(t *testing.T, f *fixture) *regions {
	t.Helper()
	w := &regions{fixture: f, apis: map[string]kms.API{region: f.api}}
	for _, r := range []string{frankfurt, tokyo} {
		caller := identity.Root(account, r)
		w.apis[r] = f.Client(caller)
		if f.viaSDK {
			w.apis[r] = f.Service().SDK(caller)
		}
	}
	w.key = *do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata.KeyId
	return w
}

func (w *regions) arn(region string) string { return keyrecord.KeyARN(region, account, w.key) }

func (w *regions) describe(t *testing.T, region string) *types.KeyMetadata {
	t.Helper()
	return do[sdk.DescribeKeyOutput](t, w.apis[region], &sdk.DescribeKeyInput{KeyId: &w.key}).KeyMetadata
}

func (w *regions) replicate(t *testing.T, region string) *sdk.ReplicateKeyOutput {
	t.Helper()
	return do[sdk.ReplicateKeyOutput](t, w.api, &sdk.ReplicateKeyInput{KeyId: &w.key, ReplicaRegion: &region})
}

// copies is what every copy must say of all of them.
func (w *regions) copies(primary string, replicas ...string) (p *types.MultiRegionKey, r []types.MultiRegionKey) {
	r = []types.MultiRegionKey{}
	for _, region := range replicas {
		r = append(r, types.MultiRegionKey{Arn: aws.String(w.arn(region)), Region: aws.String(region)})
	}
	return &types.MultiRegionKey{Arn: aws.String(w.arn(primary)), Region: &primary}, r
}

func TestMultiRegionKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		w := newRegions(t, f)
		require.Regexp(t, `^mrk-[0-9a-f]{32}$`, w.key)
		primary, none := w.copies(region)
		m := w.describe(t, region)
		require.True(t, *m.MultiRegion)
		require.Equal(t, &types.MultiRegionConfiguration{
			MultiRegionKeyType: types.MultiRegionKeyTypePrimary, PrimaryKey: primary, ReplicaKeys: none,
		}, m.MultiRegionConfiguration)

		f.Advance(time.Minute)
		made := do[sdk.ReplicateKeyOutput](t, f.api, &sdk.ReplicateKeyInput{
			KeyId: aws.String(w.arn(region)), ReplicaRegion: aws.String(frankfurt), Description: aws.String("the copy"),
			Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}},
		})
		primary, replicas := w.copies(region, frankfurt)
		created := f.Now()
		want := *m
		want.Arn, want.Description, want.CreationDate = aws.String(w.arn(frankfurt)), aws.String("the copy"), &created
		want.MultiRegionConfiguration = &types.MultiRegionConfiguration{
			MultiRegionKeyType: types.MultiRegionKeyTypeReplica, PrimaryKey: primary, ReplicaKeys: replicas,
		}
		inRegion := want
		want.KeyState, want.Enabled, want.CurrentKeyMaterialId = types.KeyStateCreating, false, nil
		require.Equal(t, &want, made.ReplicaKeyMetadata)
		require.Equal(t, []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}}, made.ReplicaTags)
		require.Contains(t, *made.ReplicaPolicy, "Enable IAM User Permissions")
		require.Equal(t, &inRegion, w.describe(t, frankfurt))
		require.Equal(t, replicas, w.describe(t, region).MultiRegionConfiguration.ReplicaKeys)

		empty := w.replicate(t, tokyo)
		require.Empty(t, *empty.ReplicaKeyMetadata.Description)
		require.Equal(t, []types.Tag{}, empty.ReplicaTags)
		_, replicas = w.copies(region, frankfurt, tokyo)
		for r := range w.apis {
			require.Equal(t, replicas, w.describe(t, r).MultiRegionConfiguration.ReplicaKeys, r)
		}

		// What one copy has encrypted the others decrypt, and say so of themselves.
		for from, api := range w.apis {
			blob := do[sdk.EncryptOutput](t, api, &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("secret")}).CiphertextBlob
			for to, api := range w.apis {
				out := do[sdk.DecryptOutput](t, api, &sdk.DecryptInput{CiphertextBlob: blob})
				require.Equal(t, "secret", string(out.Plaintext), "%s to %s", from, to)
				require.Equal(t, w.arn(to), *out.KeyId)
				require.Equal(t, m.CurrentKeyMaterialId, out.KeyMaterialId)
			}
		}
	})
}

func TestReplicateKeyRefusals(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		w := newRegions(t, f)
		w.replicate(t, frankfurt)
		replicate := func(region string) *sdk.ReplicateKeyInput {
			return &sdk.ReplicateKeyInput{KeyId: &w.key, ReplicaRegion: &region}
		}
		refused(t, f.api, replicate(frankfurt), "AlreadyExistsException", "The key "+w.arn(frankfurt)+" already exists in the Region eu-central-1.")
		refused(t, f.api, replicate(region), "AlreadyExistsException", "The key "+w.arn(region)+" already exists in the Region us-east-1.")
		refused(t, f.api, replicate("cn-north-1"), "UnsupportedOperationException", w.arn(region)+" is not in the partition of the Region cn-north-1.")
		refused(t, f.api, replicate("Frankfurt"), "ValidationException",
			`1 validation error detected: Value 'Frankfurt' at 'replicaRegion' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([a-z]+-){2,3}\d+$`)
		refused(t, w.apis[frankfurt], replicate(tokyo), "UnsupportedOperationException", w.arn(frankfurt)+" is not a multi-region primary key.")
		refused(t, f.api, &sdk.ReplicateKeyInput{KeyId: &f.id, ReplicaRegion: aws.String(tokyo)},
			"UnsupportedOperationException", f.arn+" is not a multi-region primary key.")
		refused(t, f.api, &sdk.ReplicateKeyInput{KeyId: &w.key, ReplicaRegion: aws.String(tokyo), Tags: []types.Tag{
			{TagKey: aws.String("aws:x"), TagValue: aws.String("")},
		}}, "TagException", "Tags beginning with aws: are reserved")
		refused(t, f.api, &sdk.ReplicateKeyInput{KeyId: &w.key, ReplicaRegion: aws.String(tokyo), Policy: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + bob + `"},"Action":"kms:*","Resource":"*"}]}`,
		)}, "MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
		refused(t, w.apis[tokyo], &sdk.DescribeKeyInput{KeyId: &w.key}, "NotFoundException", "Key '"+w.arn(tokyo)+"' does not exist")
		refused(t, f.api, &sdk.DescribeKeyInput{KeyId: aws.String(w.arn(frankfurt))}, "NotFoundException", "Invalid arn eu-central-1")
	})
}

// TestCopiesAreIndependent changes everything about a replica that its primary does
// not share.
func TestCopiesAreIndependent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		w := newRegions(t, f)
		w.replicate(t, frankfurt)
		before := w.describe(t, region)
		api := w.apis[frankfurt]
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}`
		for _, in := range []any{
			&sdk.UpdateKeyDescriptionInput{KeyId: &w.key, Description: aws.String("changed")},
			&sdk.TagResourceInput{KeyId: &w.key, Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}}},
			&sdk.CreateAliasInput{TargetKeyId: &w.key, AliasName: aws.String("alias/replica")},
			&sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}},
			&sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &policy},
			&sdk.DisableKeyInput{KeyId: &w.key},
		} {
			succeeds(t, api, in)
		}
		require.Equal(t, before, w.describe(t, region))
		require.Empty(t, do[sdk.ListResourceTagsOutput](t, f.api, &sdk.ListResourceTagsInput{KeyId: &w.key}).Tags)
		require.Empty(t, do[sdk.ListGrantsOutput](t, f.api, &sdk.ListGrantsInput{KeyId: &w.key}).Grants)
		require.NotEqual(t, policy, *do[sdk.GetKeyPolicyOutput](t, f.api, &sdk.GetKeyPolicyInput{KeyId: &w.key}).Policy)
		refused(t, f.api, &sdk.DescribeKeyInput{KeyId: aws.String("alias/replica")}, "NotFoundException", "Alias "+aliasARN("alias/replica")+" is not found.")
		require.Equal(t, types.KeyStateDisabled, w.describe(t, frankfurt).KeyState)
	})
}

func TestUpdatePrimaryRegion(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		w := newRegions(t, f)
		w.replicate(t, frankfurt)
		w.replicate(t, tokyo)
		update := func(region string) *sdk.UpdatePrimaryRegionInput {
			return &sdk.UpdatePrimaryRegionInput{KeyId: &w.key, PrimaryRegion: &region}
		}
		refused(t, f.api, update("eu-west-1"), "NotFoundException", "Key '"+w.arn("eu-west-1")+"' does not exist")
		refused(t, f.api, update(region), "UnsupportedOperationException", w.arn(region)+" is the primary key already.")
		refused(t, w.apis[tokyo], update(frankfurt), "UnsupportedOperationException", w.arn(tokyo)+" is not a multi-region primary key.")
		refused(t, f.api, &sdk.UpdatePrimaryRegionInput{KeyId: &f.id, PrimaryRegion: aws.String(frankfurt)},
			"UnsupportedOperationException", f.arn+" is not a multi-region primary key.")
		succeeds(t, w.apis[frankfurt], &sdk.DisableKeyInput{KeyId: &w.key})
		refused(t, f.api, update(frankfurt), "DisabledException", w.arn(frankfurt)+" is disabled.")
		succeeds(t, w.apis[frankfurt], &sdk.EnableKeyInput{KeyId: &w.key})

		succeeds(t, f.api, update(frankfurt))
		primary, replicas := w.copies(frankfurt, region, tokyo)
		for r := range w.apis {
			c := w.describe(t, r).MultiRegionConfiguration
			require.Equal(t, primary, c.PrimaryKey, r)
			require.Equal(t, replicas, c.ReplicaKeys, r)
			require.Equal(t, r == frankfurt, c.MultiRegionKeyType == types.MultiRegionKeyTypePrimary, r)
		}
		refused(t, f.api, update(tokyo), "UnsupportedOperationException", w.arn(region)+" is not a multi-region primary key.")
		succeeds(t, w.apis[frankfurt], &sdk.ReplicateKeyInput{KeyId: &w.key, ReplicaRegion: aws.String("eu-west-1")})
		succeeds(t, w.apis[frankfurt], update(region))
		require.Equal(t, types.MultiRegionKeyTypePrimary, w.describe(t, region).MultiRegionConfiguration.MultiRegionKeyType)
	})
}

// TestSettling watches the states that AWS's unfinished work shows.
func TestSettling(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		w := newRegions(t, f)
		w.replicate(t, frankfurt)
		m := w.describe(t, frankfurt)
		require.Equal(t, types.KeyStateCreating, m.KeyState)
		require.Nil(t, m.CurrentKeyMaterialId)
		refused(t, w.apis[frankfurt], &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")}, "KMSInvalidStateException", w.arn(frankfurt)+" is creating.")
		f.Advance(time.Minute)
		require.Equal(t, types.KeyStateEnabled, w.describe(t, frankfurt).KeyState)

		succeeds(t, f.api, &sdk.UpdatePrimaryRegionInput{KeyId: &w.key, PrimaryRegion: aws.String(frankfurt)})
		for _, r := range []string{region, frankfurt} {
			m := w.describe(t, r)
			require.Equal(t, types.KeyStateUpdating, m.KeyState)
			require.False(t, m.Enabled)
			succeeds(t, w.apis[r], &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")})
			refused(t, w.apis[r], &sdk.DisableKeyInput{KeyId: &w.key}, "KMSInvalidStateException", w.arn(r)+" is updating.")
		}
		f.Advance(time.Minute - time.Millisecond)
		require.Equal(t, types.KeyStateUpdating, w.describe(t, region).KeyState)
		f.Advance(time.Millisecond)
		require.Equal(t, types.KeyStateEnabled, w.describe(t, region).KeyState)
		require.Equal(t, types.KeyStateEnabled, w.describe(t, frankfurt).KeyState)
	}, func(c *kms.Config) { c.Settling = time.Minute })
}

// TestPrimaryWaitsForItsReplicas deletes a primary key with two replicas.
func TestPrimaryWaitsForItsReplicas(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		w := newRegions(t, f)
		w.replicate(t, frankfurt)
		w.replicate(t, tokyo)
		schedule := func(r string, days int32) *sdk.ScheduleKeyDeletionOutput {
			return do[sdk.ScheduleKeyDeletionOutput](t, w.apis[r], &sdk.ScheduleKeyDeletionInput{KeyId: &w.key, PendingWindowInDays: &days})
		}
		require.Equal(t, &sdk.ScheduleKeyDeletionOutput{
			KeyId: aws.String(w.arn(region)), KeyState: types.KeyStatePendingReplicaDeletion, PendingWindowInDays: aws.Int32(10),
		}, schedule(region, 10))
		waiting := func() {
			t.Helper()
			m := w.describe(t, region)
			require.Equal(t, types.KeyStatePendingReplicaDeletion, m.KeyState)
			require.Nil(t, m.DeletionDate)
			require.Equal(t, int32(10), *m.PendingDeletionWindowInDays)
		}
		waiting()
		refused(t, f.api, &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")}, "KMSInvalidStateException", w.arn(region)+" is pending replica deletion.")
		succeeds(t, w.apis[tokyo], &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")})

		gone := *schedule(frankfurt, 7).DeletionDate
		f.Advance(3 * day)
		last := *schedule(tokyo, 7).DeletionDate
		succeeds(t, w.apis[tokyo], &sdk.CancelKeyDeletionInput{KeyId: &w.key})
		f.Advance(gone.Sub(f.Now()))
		refused(t, w.apis[frankfurt], &sdk.DescribeKeyInput{KeyId: &w.key}, "NotFoundException", "Key '"+w.arn(frankfurt)+"' does not exist")
		_, replicas := w.copies(region, tokyo)
		require.Equal(t, replicas, w.describe(t, region).MultiRegionConfiguration.ReplicaKeys)
		f.Advance(30 * day)
		waiting() // the deletion of one was taken back
		require.True(t, f.Now().After(last))

		last = *schedule(tokyo, 7).DeletionDate
		f.Advance(7*day - time.Millisecond)
		waiting()
		f.Advance(time.Millisecond)
		m := w.describe(t, region)
		require.Equal(t, types.KeyStatePendingDeletion, m.KeyState)
		require.Equal(t, last.AddDate(0, 0, 10), *m.DeletionDate, "its own period starts when the last replica is gone")
		require.Nil(t, m.PendingDeletionWindowInDays)
		f.Advance(10*day - time.Millisecond)
		succeeds(t, f.api, &sdk.DescribeKeyInput{KeyId: &w.key})
		f.Advance(time.Millisecond)
		refused(t, f.api, &sdk.DescribeKeyInput{KeyId: &w.key}, "NotFoundException", "Key '"+w.arn(region)+"' does not exist")
	})
}

// TestReplicaMadeAgain deletes a replica and makes it again: old ciphertexts decrypt,
// and nothing else of the old one has come back.
func TestReplicaMadeAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		w := newRegions(t, f)
		w.replicate(t, frankfurt)
		api := w.apis[frankfurt]
		blob := do[sdk.EncryptOutput](t, api, &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("secret")}).CiphertextBlob
		succeeds(t, api, &sdk.CreateAliasInput{TargetKeyId: &w.key, AliasName: aws.String("alias/replica")})
		grant := do[sdk.CreateGrantOutput](t, api, &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, RetiringPrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}, Name: aws.String("g")})
		caller := f.Root().In(frankfurt)
		caller.Principal = bob
		theirs := f.Client(caller)
		succeeds(t, theirs, &sdk.DecryptInput{CiphertextBlob: blob})
		succeeds(t, api, &sdk.ScheduleKeyDeletionInput{KeyId: &w.key, PendingWindowInDays: aws.Int32(7)})
		f.Advance(7*day - 1)
		refused(t, f.api, &sdk.ReplicateKeyInput{KeyId: &w.key, ReplicaRegion: aws.String(frankfurt)}, "AlreadyExistsException",
			"The key "+w.arn(frankfurt)+" already exists in the Region eu-central-1.")
		f.Advance(1)
		w.replicate(t, frankfurt)
		f.Advance(time.Second)

		require.Equal(t, "secret", string(do[sdk.DecryptOutput](t, api, &sdk.DecryptInput{CiphertextBlob: blob}).Plaintext))
		require.Empty(t, do[sdk.ListGrantsOutput](t, api, &sdk.ListGrantsInput{KeyId: &w.key}).Grants)
		require.Empty(t, do[sdk.ListAliasesOutput](t, api, &sdk.ListAliasesInput{}).Aliases)
		require.Empty(t, do[sdk.ListRetirableGrantsOutput](t, api, &sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob}).Grants)
		_, err := call(t.Context(), theirs, &sdk.DecryptInput{CiphertextBlob: blob})
		require.Equal(t, "AccessDeniedException", codeOf(err))
		_, err = call(t.Context(), theirs, &sdk.DecryptInput{CiphertextBlob: blob, GrantTokens: []string{*grant.GrantToken}})
		require.Equal(t, "InvalidGrantTokenException", codeOf(err))
		refused(t, api, &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: grant.GrantId}, "NotFoundException", "Grant ID "+*grant.GrantId+" not found")
		again := do[sdk.CreateGrantOutput](t, api, &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, RetiringPrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}, Name: aws.String("g")})
		require.NotEqual(t, grant.GrantId, again.GrantId)
		succeeds(t, theirs, &sdk.DecryptInput{CiphertextBlob: blob})
		succeeds(t, api, &sdk.CreateAliasInput{TargetKeyId: &w.key, AliasName: aws.String("alias/replica")})
		_, replicas := w.copies(region, frankfurt)
		require.Equal(t, replicas, w.describe(t, region).MultiRegionConfiguration.ReplicaKeys)
	})
}
