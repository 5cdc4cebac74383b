package kms_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

// What has to be in order when a race is over.

// settle ends what is under way, and puts every key and store to work again. Requests
// that are not needed are refused.
func (c *course) settle(t *testing.T) {
	t.Helper()
	c.Advance(settling)
	for _, id := range []string{c.hsmStore, c.xksStore} {
		call(t.Context(), c.api, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id})
	}
	c.Advance(settling)
	for id := range c.materials {
		call(t.Context(), c.api, &sdk.ImportKeyMaterialInput{
			KeyId: &c.external, ImportToken: c.token, EncryptedKeyMaterial: c.wrapped[id], ExpirationModel: noExpiry, ImportType: asExisting,
		})
	}
	for _, r := range []string{region, otherRegion, tokyo} {
		api := c.Client(root.In(r))
		for _, id := range c.symmetricKeys() {
			call(t.Context(), api, &sdk.CancelKeyDeletionInput{KeyId: &id})
			call(t.Context(), api, &sdk.EnableKeyInput{KeyId: &id})
		}
	}
	for _, id := range c.symmetricKeys() {
		require.Equal(t, types.KeyStateEnabled, describe(t, c.fixture, id).KeyState)
	}
}

func (c *course) symmetricKeys() []string {
	return []string{c.plain, c.copied, c.due, c.external, c.inHSM, c.outside}
}

// records returns the keys that are stored in a Region.
func (c *course) records(t *testing.T, region string) []*keyrecord.Key {
	t.Helper()
	var all []*keyrecord.Key
	raw := dump(t, c.store)
	for name := range raw {
		if id, ok := strings.CutPrefix(name, keyrecord.KeyPrefix(account, region)); ok {
			all = append(all, storedKey(t, raw, region, id))
		}
	}
	return all
}

// requireRecords checks that keys and aliases say the same of each other.
func (c *course) requireRecords(t *testing.T) {
	t.Helper()
	observe(t, c.store).requireConsistent(t)
	for _, r := range []string{region, otherRegion, tokyo} {
		api, listed := c.Client(root.In(r)), map[string]string{}
		for _, a := range do[sdk.ListAliasesOutput](t, api, &sdk.ListAliasesInput{Limit: aws.Int32(100)}).Aliases {
			if a.TargetKeyId != nil {
				listed[*a.AliasName] = *a.TargetKeyId
			}
		}
		known := map[string]string{}
		for _, k := range c.records(t, r) {
			for _, name := range k.Aliases {
				known[name] = k.ID
			}
		}
		require.Equal(t, known, listed)
	}
}

// requireCounters checks that no update of a tag was lost.
func (c *course) requireCounters(t *testing.T) {
	t.Helper()
	got := map[string]string{}
	for _, id := range []string{c.plain, c.copied} {
		for _, tag := range listTags(t, c.api, id) {
			if strings.HasPrefix(*tag.TagKey, "racer") {
				got[id+*tag.TagKey] = *tag.TagValue
			}
		}
	}
	require.Equal(t, c.counters, got)
}

// requireGrants checks that there are as many as were made and have not ended.
func (c *course) requireGrants(t *testing.T) {
	t.Helper()
	want, seen := map[string]int{}, map[string]bool{}
	for _, g := range c.grants {
		if !seen[g.id] { // a name gives the same again
			want[g.on()]++
		}
		seen[g.id] = true
	}
	for on, n := range c.ended {
		want[on] -= n
	}
	for _, r := range []string{region, otherRegion} {
		for _, k := range c.records(t, r) {
			ids := []string{}
			for p := sdk.NewListGrantsPaginator(c.Client(root.In(r)), &sdk.ListGrantsInput{KeyId: &k.ID}); p.HasMorePages(); {
				page, err := p.NextPage(t.Context())
				require.NoError(t, err)
				for _, g := range page.Grants {
					ids = append(ids, *g.GrantId)
				}
			}
			require.Len(t, ids, want[r+"/"+k.ID])
			require.Equal(t, k.Grants, len(ids))
		}
	}
}

// requireRotations checks that each rotation is there once.
func (c *course) requireRotations(t *testing.T) {
	t.Helper()
	for _, k := range c.records(t, region) {
		require.Equal(t, c.demanded[k.ID], k.OnDemandRotations, k.ID)
		if !slices.Contains([]string{c.plain, c.copied, c.due, c.external}, k.ID) {
			continue
		}
		demanded, current := 0, 0
		for _, e := range listRotations(t, c.api, k.ID, allMaterial) {
			if e.RotationType == types.RotationTypeOnDemand {
				demanded++
			}
			if e.KeyMaterialState == types.KeyMaterialStateCurrent {
				current++
			}
		}
		require.Equal(t, c.demanded[k.ID], demanded)
		require.Equal(t, 1, current)
	}
	rotated := listRotations(t, c.api, c.due, "")
	require.Len(t, rotated, 1, "it was due once")
	require.Equal(t, types.RotationTypeAutomatic, rotated[0].RotationType)
}

// requireCopies checks that the copies of a multi-Region key agree in what they share.
func (c *course) requireCopies(t *testing.T) {
	t.Helper()
	one := describe(t, c.fixture, c.copied)
	rotations, status := listRotations(t, c.api, c.copied, allMaterial), statusOf(t, c.api, c.copied)
	require.NotEmpty(t, one.MultiRegionConfiguration.ReplicaKeys)
	primaries := 0
	for _, copied := range append(one.MultiRegionConfiguration.ReplicaKeys, *one.MultiRegionConfiguration.PrimaryKey) {
		api := c.Client(root.In(*copied.Region))
		m := do[sdk.DescribeKeyOutput](t, api, &sdk.DescribeKeyInput{KeyId: &c.copied}).KeyMetadata
		if m.MultiRegionConfiguration.MultiRegionKeyType == types.MultiRegionKeyTypePrimary {
			primaries++
			require.Equal(t, *m.Arn, *one.MultiRegionConfiguration.PrimaryKey.Arn)
		}
		require.Equal(t, one.MultiRegionConfiguration.PrimaryKey, m.MultiRegionConfiguration.PrimaryKey)
		require.Equal(t, one.MultiRegionConfiguration.ReplicaKeys, m.MultiRegionConfiguration.ReplicaKeys)
		require.Equal(t, one.CurrentKeyMaterialId, m.CurrentKeyMaterialId)
		require.Equal(t, types.KeyStateEnabled, m.KeyState)
		there := listRotations(t, api, c.copied, allMaterial)
		for i := range there {
			there[i].KeyId = rotations[0].KeyId
		}
		require.Equal(t, rotations, there)
		its := statusOf(t, api, c.copied)
		its.KeyId = status.KeyId
		require.Equal(t, status, its)
	}
	require.Equal(t, 1, primaries)
}

// requireKeyStores checks that every key that is in a store has one, and that names and
// clusters are nobody's twice.
func (c *course) requireKeyStores(t *testing.T) {
	t.Helper()
	ids, names, clusters := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range do[sdk.DescribeCustomKeyStoresOutput](t, c.api, &sdk.DescribeCustomKeyStoresInput{}).CustomKeyStores {
		ids[*s.CustomKeyStoreId], names[*s.CustomKeyStoreName] = true, true
		require.False(t, s.CloudHsmClusterId != nil && clusters[*s.CloudHsmClusterId])
		clusters[aws.ToString(s.CloudHsmClusterId)] = true
	}
	require.Len(t, names, len(ids))
	external := map[string]bool{}
	for _, k := range c.records(t, region) {
		require.True(t, k.KeyStore == "" || ids[k.KeyStore])
		require.False(t, k.XksKey != "" && external[k.XksKey])
		external[k.XksKey] = true
	}
}

// requireSecrets checks that everything that was encrypted can be decrypted.
func (c *course) requireSecrets(t *testing.T) {
	t.Helper()
	require.Greater(t, len(c.secrets), racers)
	for _, s := range c.secrets {
		out := do[sdk.DecryptOutput](t, c.api, &sdk.DecryptInput{CiphertextBlob: s.blob, EncryptionContext: s.context})
		require.Equal(t, s.plaintext, out.Plaintext)
	}
}
