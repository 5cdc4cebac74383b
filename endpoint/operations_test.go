package endpoint_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// user is an SDK client in a test's hands. Its keys are its own.
type user struct {
	*sdk.Client
	t   *testing.T
	ctx context.Context
}

// newKey creates a key and returns its ARN.
func (u user) newKey() *string {
	u.t.Helper()
	return u.newKeyLike(&sdk.CreateKeyInput{})
}

// newKeyLike creates a key as the request says and returns its ARN.
func (u user) newKeyLike(in *sdk.CreateKeyInput) *string {
	u.t.Helper()
	out, err := u.CreateKey(u.ctx, in)
	require.NoError(u.t, err)
	return out.KeyMetadata.Arn
}

func (u user) metadata(key *string) *types.KeyMetadata {
	u.t.Helper()
	out, err := u.DescribeKey(u.ctx, &sdk.DescribeKeyInput{KeyId: key})
	require.NoError(u.t, err)
	return out.KeyMetadata
}

func (u user) encrypt(key *string, plaintext string, context map[string]string) []byte {
	u.t.Helper()
	out, err := u.Encrypt(u.ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte(plaintext), EncryptionContext: context})
	require.NoError(u.t, err)
	require.Equal(u.t, *key, *out.KeyId)
	require.Equal(u.t, types.EncryptionAlgorithmSpecSymmetricDefault, out.EncryptionAlgorithm)
	return out.CiphertextBlob
}

func (u user) decrypt(b []byte, context map[string]string) string {
	u.t.Helper()
	out, err := u.Decrypt(u.ctx, &sdk.DecryptInput{CiphertextBlob: b, EncryptionContext: context})
	require.NoError(u.t, err)
	return string(out.Plaintext)
}

// aliases returns the key's alias names.
func (u user) aliases(key *string) []string {
	u.t.Helper()
	out, err := u.ListAliases(u.ctx, &sdk.ListAliasesInput{KeyId: key})
	require.NoError(u.t, err)
	var names []string
	for _, a := range out.Aliases {
		names = append(names, *a.AliasName)
	}
	return names
}

// name returns an alias that nobody else in the test uses.
func (u user) name() *string {
	r := strings.NewReplacer("/", "-", "#", "-")
	return aws.String("alias/" + r.Replace(u.t.Name()))
}

var tenant = map[string]string{"tenant": "42", "ключ": "значение"}

// operations has one use of each operation of the API, by name; cryptography, materials
// and keyStores have more.
var operations = map[string]func(t *testing.T, u user){
	"CancelKeyDeletion": func(t *testing.T, u user) {
		key := u.newKey()
		_, err := u.ScheduleKeyDeletion(u.ctx, &sdk.ScheduleKeyDeletionInput{KeyId: key})
		require.NoError(t, err)
		out, err := u.CancelKeyDeletion(u.ctx, &sdk.CancelKeyDeletionInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, *key, *out.KeyId)
		require.Equal(t, types.KeyStateDisabled, u.metadata(key).KeyState)
	},
	"CreateAlias": func(t *testing.T, u user) {
		key, alias := u.newKey(), u.name()
		_, err := u.CreateAlias(u.ctx, &sdk.CreateAliasInput{AliasName: alias, TargetKeyId: key})
		require.NoError(t, err)
		require.Equal(t, *key, *u.metadata(alias).Arn)
	},
	"CreateKey": func(t *testing.T, u user) {
		out, err := u.CreateKey(u.ctx, &sdk.CreateKeyInput{
			Description: aws.String("orders"),
			Tags:        []types.Tag{{TagKey: aws.String("team"), TagValue: aws.String("billing")}},
		})
		require.NoError(t, err)
		m := out.KeyMetadata
		require.Equal(t, "arn:aws:kms:"+region+":"+account+":key/"+*m.KeyId, *m.Arn)
		require.Equal(t, "orders", *m.Description)
		require.Equal(t, types.KeyStateEnabled, m.KeyState)
		require.Equal(t, []types.EncryptionAlgorithmSpec{"SYMMETRIC_DEFAULT"}, m.EncryptionAlgorithms)
		require.Nil(t, m.DeletionDate)
	},
	"Decrypt": func(t *testing.T, u user) {
		key := u.newKey()
		b := u.encrypt(key, "attack at dawn", tenant)
		out, err := u.Decrypt(u.ctx, &sdk.DecryptInput{CiphertextBlob: b, EncryptionContext: tenant, KeyId: key})
		require.NoError(t, err)
		require.Equal(t, "attack at dawn", string(out.Plaintext))
		require.Equal(t, *key, *out.KeyId)
		require.Equal(t, *u.metadata(key).CurrentKeyMaterialId, *out.KeyMaterialId)
	},
	"DeleteAlias": func(t *testing.T, u user) {
		key, alias := u.newKey(), u.name()
		_, err := u.CreateAlias(u.ctx, &sdk.CreateAliasInput{AliasName: alias, TargetKeyId: key})
		require.NoError(t, err)
		_, err = u.DeleteAlias(u.ctx, &sdk.DeleteAliasInput{AliasName: alias})
		require.NoError(t, err)
		require.Empty(t, u.aliases(key))
	},
	"DescribeKey": func(t *testing.T, u user) {
		key := u.newKey()
		require.Equal(t, *key, *u.metadata(key).Arn)
	},
	"DisableKey": func(t *testing.T, u user) {
		key := u.newKey()
		_, err := u.DisableKey(u.ctx, &sdk.DisableKeyInput{KeyId: key})
		require.NoError(t, err)
		require.False(t, u.metadata(key).Enabled)
	},
	"EnableKey": func(t *testing.T, u user) {
		key := u.newKey()
		_, err := u.DisableKey(u.ctx, &sdk.DisableKeyInput{KeyId: key})
		require.NoError(t, err)
		_, err = u.EnableKey(u.ctx, &sdk.EnableKeyInput{KeyId: key})
		require.NoError(t, err)
		require.True(t, u.metadata(key).Enabled)
	},
	"Encrypt": func(t *testing.T, u user) {
		b := u.encrypt(u.newKey(), strings.Repeat("x", 4096), tenant)
		require.Equal(t, strings.Repeat("x", 4096), u.decrypt(b, tenant))
	},
	"GenerateDataKey": func(t *testing.T, u user) {
		key := u.newKey()
		out, err := u.GenerateDataKey(u.ctx, &sdk.GenerateDataKeyInput{KeyId: key, KeySpec: types.DataKeySpecAes256, EncryptionContext: tenant})
		require.NoError(t, err)
		require.Len(t, out.Plaintext, 32)
		require.Equal(t, string(out.Plaintext), u.decrypt(out.CiphertextBlob, tenant))
		require.Equal(t, *key, *out.KeyId)
	},
	"GenerateDataKeyWithoutPlaintext": func(t *testing.T, u user) {
		key := u.newKey()
		out, err := u.GenerateDataKeyWithoutPlaintext(u.ctx, &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: key, NumberOfBytes: aws.Int32(48)})
		require.NoError(t, err)
		require.Len(t, u.decrypt(out.CiphertextBlob, nil), 48)
	},
	"GenerateRandom": func(t *testing.T, u user) {
		out, err := u.GenerateRandom(u.ctx, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1024)})
		require.NoError(t, err)
		require.Len(t, out.Plaintext, 1024)
		require.NotEqual(t, make([]byte, 1024), out.Plaintext)
	},
	"ListAliases": func(t *testing.T, u user) {
		key, alias := u.newKey(), u.name()
		_, err := u.CreateAlias(u.ctx, &sdk.CreateAliasInput{AliasName: alias, TargetKeyId: key})
		require.NoError(t, err)
		out, err := u.ListAliases(u.ctx, &sdk.ListAliasesInput{KeyId: key})
		require.NoError(t, err)
		require.Len(t, out.Aliases, 1)
		require.Equal(t, *u.metadata(key).KeyId, *out.Aliases[0].TargetKeyId)
		require.True(t, out.Aliases[0].CreationDate.Equal(*out.Aliases[0].LastUpdatedDate))
	},
	"ListKeys": func(t *testing.T, u user) {
		want := []string{*u.newKey(), *u.newKey(), *u.newKey()}
		var got []string
		pages := sdk.NewListKeysPaginator(u, &sdk.ListKeysInput{Limit: aws.Int32(2)})
		for pages.HasMorePages() {
			out, err := pages.NextPage(u.ctx)
			require.NoError(t, err)
			require.LessOrEqual(t, len(out.Keys), 2)
			for _, k := range out.Keys {
				got = append(got, *k.KeyArn)
			}
		}
		require.Subset(t, got, want)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(got))), len(got))
	},
	"ListResourceTags": func(t *testing.T, u user) {
		out, err := u.ListResourceTags(u.ctx, &sdk.ListResourceTagsInput{KeyId: u.newKey()})
		require.NoError(t, err)
		require.NotNil(t, out.Tags)
		require.Empty(t, out.Tags)
		require.False(t, out.Truncated)
	},
	"ReEncrypt": func(t *testing.T, u user) {
		from, to := u.newKey(), u.newKey()
		out, err := u.ReEncrypt(u.ctx, &sdk.ReEncryptInput{
			CiphertextBlob: u.encrypt(from, "attack at dawn", tenant), SourceEncryptionContext: tenant, DestinationKeyId: to,
		})
		require.NoError(t, err)
		require.Equal(t, []string{*from, *to}, []string{*out.SourceKeyId, *out.KeyId})
		require.Equal(t, "attack at dawn", u.decrypt(out.CiphertextBlob, nil))
	},
	"ScheduleKeyDeletion": func(t *testing.T, u user) {
		key := u.newKey()
		out, err := u.ScheduleKeyDeletion(u.ctx, &sdk.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: aws.Int32(7)})
		require.NoError(t, err)
		require.EqualValues(t, 7, *out.PendingWindowInDays)
		m := u.metadata(key)
		require.Equal(t, types.KeyStatePendingDeletion, m.KeyState)
		require.True(t, m.CreationDate.AddDate(0, 0, 7).Equal(*m.DeletionDate), "%v", m.DeletionDate)
	},
	"TagResource": func(t *testing.T, u user) {
		key := u.newKey()
		tags := []types.Tag{{TagKey: aws.String("b"), TagValue: aws.String("")}, {TagKey: aws.String("a"), TagValue: aws.String("β")}}
		_, err := u.TagResource(u.ctx, &sdk.TagResourceInput{KeyId: key, Tags: tags})
		require.NoError(t, err)
		out, err := u.ListResourceTags(u.ctx, &sdk.ListResourceTagsInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, tags, out.Tags)
	},
	"UntagResource": func(t *testing.T, u user) {
		key := u.newKey()
		tags := []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("1")}, {TagKey: aws.String("b"), TagValue: aws.String("2")}}
		_, err := u.TagResource(u.ctx, &sdk.TagResourceInput{KeyId: key, Tags: tags})
		require.NoError(t, err)
		_, err = u.UntagResource(u.ctx, &sdk.UntagResourceInput{KeyId: key, TagKeys: []string{"a", "c"}})
		require.NoError(t, err)
		out, err := u.ListResourceTags(u.ctx, &sdk.ListResourceTagsInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, tags[1:], out.Tags)
	},
	"CreateGrant": func(t *testing.T, u user) {
		key := u.newKey()
		id, token := u.grant(key)
		require.Len(t, *id, 64)
		require.NotEmpty(t, *token)
		out, err := u.ListGrants(u.ctx, &sdk.ListGrantsInput{KeyId: key, GrantId: id})
		require.NoError(t, err)
		require.Len(t, out.Grants, 1)
		g := out.Grants[0]
		require.Equal(t, *key, *g.KeyId)
		require.Equal(t, grantee, *g.GranteePrincipal)
		require.Equal(t, tenant, g.Constraints.EncryptionContextSubset)
		require.Equal(t, []types.GrantOperation{types.GrantOperationDecrypt}, g.Operations)
	},
	"ListGrants": func(t *testing.T, u user) {
		key := u.newKey()
		require.Empty(t, u.grants(key))
		id, _ := u.grant(key)
		require.Equal(t, []string{*id}, u.grants(key))
	},
	"ListRetirableGrants": func(t *testing.T, u user) {
		id, _ := u.grant(u.newKey())
		out, err := u.ListRetirableGrants(u.ctx, &sdk.ListRetirableGrantsInput{RetiringPrincipal: aws.String("arn:aws:iam::111122223333:root")})
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(out.Grants, func(g types.GrantListEntry) bool { return *g.GrantId == *id }))
	},
	"RetireGrant": func(t *testing.T, u user) {
		key := u.newKey()
		_, token := u.grant(key)
		_, err := u.RetireGrant(u.ctx, &sdk.RetireGrantInput{GrantToken: token})
		require.NoError(t, err)
		require.Empty(t, u.grants(key))
	},
	"RevokeGrant": func(t *testing.T, u user) {
		key := u.newKey()
		id, _ := u.grant(key)
		_, err := u.RevokeGrant(u.ctx, &sdk.RevokeGrantInput{KeyId: key, GrantId: id})
		require.NoError(t, err)
		require.Empty(t, u.grants(key))
	},
	"GetKeyPolicy": func(t *testing.T, u user) {
		out, err := u.GetKeyPolicy(u.ctx, &sdk.GetKeyPolicyInput{KeyId: u.newKey()})
		require.NoError(t, err)
		require.Equal(t, "default", *out.PolicyName)
		require.Contains(t, *out.Policy, `"AWS" : "arn:aws:iam::111122223333:root"`)
	},
	"PutKeyPolicy": func(t *testing.T, u user) {
		key := u.newKey()
		text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}}`
		_, err := u.PutKeyPolicy(u.ctx, &sdk.PutKeyPolicyInput{KeyId: key, Policy: &text})
		require.NoError(t, err)
		out, err := u.GetKeyPolicy(u.ctx, &sdk.GetKeyPolicyInput{KeyId: key})
		require.NoError(t, err)
		require.Equal(t, text, *out.Policy)
	},
	"ListKeyPolicies": func(t *testing.T, u user) {
		out, err := u.ListKeyPolicies(u.ctx, &sdk.ListKeyPoliciesInput{KeyId: u.newKey()})
		require.NoError(t, err)
		require.Equal(t, []string{"default"}, out.PolicyNames)
		require.False(t, out.Truncated)
	},
	"UpdateAlias": func(t *testing.T, u user) {
		from, to, alias := u.newKey(), u.newKey(), u.name()
		_, err := u.CreateAlias(u.ctx, &sdk.CreateAliasInput{AliasName: alias, TargetKeyId: from})
		require.NoError(t, err)
		_, err = u.UpdateAlias(u.ctx, &sdk.UpdateAliasInput{AliasName: alias, TargetKeyId: to})
		require.NoError(t, err)
		require.Empty(t, u.aliases(from))
		require.Equal(t, []string{*alias}, u.aliases(to))
	},
	"UpdateKeyDescription": func(t *testing.T, u user) {
		key := u.newKey()
		_, err := u.UpdateKeyDescription(u.ctx, &sdk.UpdateKeyDescriptionInput{KeyId: key, Description: aws.String("new \"words\" \u2028")})
		require.NoError(t, err)
		require.Equal(t, "new \"words\" \u2028", *u.metadata(key).Description)
	},
}

// grant makes a grant on the key to a user, who may retire it, and returns its id and
// token.
func (u user) grant(key *string) (id, token *string) {
	u.t.Helper()
	out, err := u.CreateGrant(u.ctx, &sdk.CreateGrantInput{
		KeyId:             key,
		GranteePrincipal:  aws.String(grantee),
		RetiringPrincipal: aws.String("arn:aws:iam::111122223333:root"),
		Operations:        []types.GrantOperation{types.GrantOperationDecrypt},
		Constraints:       &types.GrantConstraints{EncryptionContextSubset: tenant},
	})
	require.NoError(u.t, err)
	return out.GrantId, out.GrantToken
}

const grantee = "arn:aws:iam::111122223333:user/ann"

// grants returns the ids of the key's grants.
func (u user) grants(key *string) []string {
	u.t.Helper()
	out, err := u.ListGrants(u.ctx, &sdk.ListGrantsInput{KeyId: key})
	require.NoError(u.t, err)
	var ids []string
	for _, g := range out.Grants {
		ids = append(ids, *g.GrantId)
	}
	return ids
}

// allOperations are the uses of all operations.
func allOperations() map[string]func(t *testing.T, u user) {
	all := maps.Clone(operations)
	for _, more := range []map[string]func(t *testing.T, u user){cryptography, materials, keyStores} {
		maps.Copy(all, more)
	}
	return all
}

func TestEveryOperationIsUsedHere(t *testing.T) {
	t.Parallel()
	var offered []string
	for _, op := range kms.Operations() {
		offered = append(offered, op.Name())
	}
	require.Len(t, offered, 56)
	require.Equal(t, offered, slices.Sorted(maps.Keys(allOperations())))
	require.Len(t, allOperations(), len(operations)+len(cryptography)+len(materials)+len(keyStores))
}

func TestOperations(t *testing.T) {
	t.Parallel()
	s := newSite(t, &kmstest.Options{Configure: withClusters})
	for carrier, client := range map[string]*sdk.Client{
		"Transport": s.overTransport(rootCredentials(), region),
		"HTTP":      s.overHTTP(t, rootCredentials(), region),
	} {
		t.Run(carrier, func(t *testing.T) {
			for name, use := range allOperations() {
				t.Run(name, func(t *testing.T) { use(t, user{client, t, t.Context()}) })
			}
		})
	}
}
