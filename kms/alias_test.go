package kms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
)

func listAliases(t *testing.T, f *fixture, in *sdk.ListAliasesInput) []string {
	t.Helper()
	names := []string{}
	for _, a := range do[sdk.ListAliasesOutput](t, f.api, in).Aliases {
		names = append(names, *a.AliasName)
	}
	return names
}

func TestAliasLife(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		other := f.Seed(kmstest.Key{Alias: "alias/other"})
		name := "alias/a/b_c-D9"
		require.Equal(t, &sdk.CreateAliasOutput{},
			do[sdk.CreateAliasOutput](t, f.api, &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &f.arn}))
		entry := types.AliasListEntry{
			AliasArn:        aws.String(aliasARN(name)),
			AliasName:       &name,
			CreationDate:    aws.Time(kmstest.Start),
			LastUpdatedDate: aws.Time(kmstest.Start),
			TargetKeyId:     &f.id,
		}
		require.Contains(t, do[sdk.ListAliasesOutput](t, f.api, &sdk.ListAliasesInput{}).Aliases, entry)
		require.Equal(t, f.arn, *describe(t, f, name).Arn)
		require.Equal(t, f.arn, *describe(t, f, aliasARN(name)).Arn)

		f.Advance(time.Hour)
		require.Equal(t, &sdk.UpdateAliasOutput{},
			do[sdk.UpdateAliasOutput](t, f.api, &sdk.UpdateAliasInput{AliasName: &name, TargetKeyId: &other}))
		entry.LastUpdatedDate, entry.TargetKeyId = aws.Time(kmstest.Start.Add(time.Hour)), aws.String(idOf(other))
		got := do[sdk.ListAliasesOutput](t, f.api, &sdk.ListAliasesInput{KeyId: &other})
		require.False(t, got.Truncated)
		require.Nil(t, got.NextMarker)
		require.Equal(t, entry, got.Aliases[0])
		require.Equal(t, []string{"alias/app"}, listAliases(t, f, &sdk.ListAliasesInput{KeyId: &f.arn}))
		require.Equal(t, other, *describe(t, f, name).Arn)

		f.Advance(time.Hour) // an update to the same key still is one
		succeeds(t, f.api, &sdk.UpdateAliasInput{AliasName: &name, TargetKeyId: aws.String(idOf(other))})
		require.Equal(t, kmstest.Start.Add(2*time.Hour),
			*do[sdk.ListAliasesOutput](t, f.api, &sdk.ListAliasesInput{KeyId: &other}).Aliases[0].LastUpdatedDate)
		require.Equal(t, []string{name, "alias/other"}, listAliases(t, f, &sdk.ListAliasesInput{KeyId: &other}))

		require.Equal(t, &sdk.DeleteAliasOutput{}, do[sdk.DeleteAliasOutput](t, f.api, &sdk.DeleteAliasInput{AliasName: &name}))
		require.Equal(t, []string{"alias/app", "alias/other"}, listAliases(t, f, &sdk.ListAliasesInput{}))
		require.Equal(t, []string{"alias/other"}, listAliases(t, f, &sdk.ListAliasesInput{KeyId: &other}))
		gone := "Alias " + aliasARN(name) + " is not found."
		refused(t, f.api, &sdk.DescribeKeyInput{KeyId: &name}, "NotFoundException", gone)
		refused(t, f.api, &sdk.DeleteAliasInput{AliasName: &name}, "NotFoundException", gone)
		refused(t, f.api, &sdk.UpdateAliasInput{AliasName: &name, TargetKeyId: &other}, "NotFoundException", gone)
		succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &f.arn})
	})
}

func TestAliasExists(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		other := f.Seed(kmstest.Key{Alias: "alias/other"})
		before := dump(t, f.inner)
		for _, target := range []string{f.id, other} {
			refused(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &target},
				"AlreadyExistsException", "An alias with the name arn:aws:kms:us-east-1:111122223333:alias/app already exists")
		}
		require.Equal(t, before, dump(t, f.inner))
		// another Region's names are its own
		west := f.Client(f.Root().In("us-west-2"))
		key := do[sdk.CreateKeyOutput](t, west, &sdk.CreateKeyInput{}).KeyMetadata
		succeeds(t, west, &sdk.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: key.KeyId})
		require.Equal(t, f.arn, *describe(t, f, "alias/app").Arn)
	})
}

func TestAliasNames(t *testing.T) {
	t.Parallel()
	long := "alias/" + string(make([]byte, 0, 250))
	for len(long) < 257 {
		long += "x"
	}
	const prefix = `Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`
	constraint := func(value, rule string) string {
		return "1 validation error detected: Value '" + value + "' at 'aliasName' failed to satisfy constraint: Member must " + rule
	}
	const pattern = "satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
	tests := []struct{ alias, code, message string }{
		{"app2", "ValidationException", prefix},
		{"Alias/app2", "ValidationException", prefix},
		{"alias", "ValidationException", prefix},
		{aliasARN("alias/app"), "ValidationException", prefix},
		{"alias/a b", "ValidationException", constraint("alias/a b", pattern)},
		{"alias/é", "ValidationException", constraint("alias/é", pattern)},
		{"alias/a\n", "ValidationException", constraint("alias/a\n", pattern)},
		{"alias/a:b", "ValidationException", "alias/a:b contains invalid characters for an alias"},
		{long, "ValidationException", constraint(long, "have length less than or equal to 256")},
		{"", "ValidationException", "2 validation errors detected: " +
			"Value '' at 'aliasName' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
			"Value '' at 'aliasName' failed to satisfy constraint: Member must " + pattern},
		{"alias/aws/s3", "NotAuthorizedException", ""},
		{"alias/aws/", "NotAuthorizedException", ""},
		{"alias/", "InvalidAliasNameException", "alias/ is not a valid alias name"},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			for _, in := range []any{
				&sdk.CreateAliasInput{AliasName: &test.alias, TargetKeyId: &f.id},
				&sdk.UpdateAliasInput{AliasName: &test.alias, TargetKeyId: &f.id},
				&sdk.DeleteAliasInput{AliasName: &test.alias},
			} {
				refused(t, f.api, in, test.code, test.message)
			}
		}
		for _, fine := range []string{"alias/awsome", "alias/aws", "alias/a/aws/b", "alias//", long[:256]} {
			succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: &fine, TargetKeyId: &f.id})
			require.Equal(t, f.arn, *describe(t, f, fine).Arn)
		}
	})
}

func TestAliasLimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		crowded := f.Seed(kmstest.Key{Alias: "alias/crowded"})
		for i := range 49 {
			succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String(fmt.Sprintf("alias/n%02d", i)), TargetKeyId: &crowded})
		}
		before := dump(t, f.inner)
		message := crowded + " has 50 aliases, the most that a key can have"
		refused(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/n50"), TargetKeyId: &crowded}, "LimitExceededException", message)
		refused(t, f.api, &sdk.UpdateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &crowded}, "LimitExceededException", message)
		require.Equal(t, before, dump(t, f.inner))
		// within the key, and after one has left, there is room
		succeeds(t, f.api, &sdk.UpdateAliasInput{AliasName: aws.String("alias/n07"), TargetKeyId: &crowded})
		succeeds(t, f.api, &sdk.DeleteAliasInput{AliasName: aws.String("alias/n07")})
		succeeds(t, f.api, &sdk.UpdateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &crowded})
		require.Len(t, listAliases(t, f, &sdk.ListAliasesInput{KeyId: &crowded, Limit: aws.Int32(100)}), 50)
	})
}

func TestListAliasesOfNoKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		bare := f.Seed(kmstest.Key{ID: unknownID})
		require.Equal(t, &sdk.ListAliasesOutput{Aliases: []types.AliasListEntry{}},
			do[sdk.ListAliasesOutput](t, f.api, &sdk.ListAliasesInput{KeyId: &bare}))
	})
}
