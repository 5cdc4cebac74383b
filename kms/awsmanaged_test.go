package kms_test

import (
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
)

func TestManagedKeyIsMadeOnFirstUse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		const name = "alias/aws/s3"
		require.Len(t, do[sdk.ListAliasesOutput](t, f.api, &sdk.ListAliasesInput{}).Aliases, 1)
		m := describe(t, f, name)
		require.Equal(t, types.KeyManagerTypeAws, m.KeyManager)
		require.Equal(t, types.KeyStateEnabled, m.KeyState)
		require.Equal(t, types.KeySpecSymmetricDefault, m.KeySpec)
		require.Equal(t, m, describe(t, f, name), "the same key ever after")
		require.Equal(t, m, describe(t, f, aliasARN(name)))
		require.Equal(t, m, describe(t, f, *m.KeyId))

		aliases := do[sdk.ListAliasesOutput](t, f.api, &sdk.ListAliasesInput{}).Aliases
		require.Len(t, aliases, 2)
		require.Equal(t, name, *aliases[1].AliasName)
		require.Equal(t, m.KeyId, aliases[1].TargetKeyId)
		require.Len(t, do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{}).Keys, 2)

		other := describe(t, f, "alias/aws/ssm")
		require.NotEqual(t, m.KeyId, other.KeyId)
		elsewhere := f.Client(identity.Root(account, "eu-west-1"))
		there := do[sdk.DescribeKeyOutput](t, elsewhere, &sdk.DescribeKeyInput{KeyId: aws.String(name)}).KeyMetadata
		require.NotEqual(t, m.KeyId, there.KeyId)

		for _, unknown := range []string{"alias/aws/", "alias/aws/none", "alias/aws/s3/x", "alias/aws"} {
			refused(t, f.api, &sdk.DescribeKeyInput{KeyId: &unknown}, "NotFoundException", "Alias "+aliasARN(unknown)+" is not found.")
		}
		foreign := "arn:aws:kms:us-east-1:" + otherAccount + ":" + name
		refused(t, f.api, &sdk.DescribeKeyInput{KeyId: &foreign}, "NotFoundException", "Alias "+foreign+" is not found.")
	})
}

// TestManagedKeyIsAWS holds the account's root user to looking at the key.
func TestManagedKeyIsAWS(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		id := describe(t, f, "alias/aws/s3").KeyId
		for _, in := range []any{
			&sdk.GetKeyPolicyInput{KeyId: id}, &sdk.ListKeyPoliciesInput{KeyId: id}, &sdk.ListGrantsInput{KeyId: id}, &sdk.ListResourceTagsInput{KeyId: id},
		} {
			succeeds(t, f.api, in)
		}
		for _, in := range []any{
			&sdk.CreateAliasInput{AliasName: aws.String("alias/mine"), TargetKeyId: id},
			&sdk.CreateGrantInput{KeyId: id, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}},
			&sdk.DisableKeyInput{KeyId: id},
			&sdk.EncryptInput{KeyId: aws.String("alias/aws/s3"), Plaintext: []byte("x")},
			&sdk.EncryptInput{KeyId: aws.String("alias/aws/sqs"), Plaintext: []byte("x")},
			&sdk.GenerateDataKeyInput{KeyId: id, KeySpec: types.DataKeySpecAes256},
			&sdk.PutKeyPolicyInput{KeyId: id, Policy: aws.String("{}")},
			&sdk.ScheduleKeyDeletionInput{KeyId: id},
			&sdk.TagResourceInput{KeyId: id, Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}}},
			&sdk.UpdateKeyDescriptionInput{KeyId: id, Description: aws.String("mine")},
		} {
			_, err := call(t.Context(), f.api, in)
			require.Equal(t, "AccessDeniedException", codeOf(err), "%T", in)
		}
		require.Len(t, do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{}).Keys, 2, "a refused request makes no key")
	})
}

// TestManagedKeyIsMadeOnce has many callers use the alias for the first time.
func TestManagedKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	ids := make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			out, err := f.api.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String("alias/aws/ebs")})
			if err == nil {
				ids[i] = *out.KeyMetadata.KeyId
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	require.NotEmpty(t, ids[0])
	require.Len(t, do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{}).Keys, 2)
}
