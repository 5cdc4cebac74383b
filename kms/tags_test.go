package kms_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
)

// tags returns tags of key=value pairs.
func tags(pairs ...string) []types.Tag {
	list := []types.Tag{}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		list = append(list, types.Tag{TagKey: &key, TagValue: &value})
	}
	return list
}

func manyTags(n int) []types.Tag {
	list := make([]types.Tag, n)
	for i := range list {
		list[i] = types.Tag{TagKey: aws.String(fmt.Sprintf("key%03d", i)), TagValue: aws.String("")}
	}
	return list
}

func listTags(t *testing.T, api kms.API, id string) []types.Tag {
	t.Helper()
	out := do[sdk.ListResourceTagsOutput](t, api, &sdk.ListResourceTagsInput{KeyId: &id})
	require.False(t, out.Truncated)
	require.Nil(t, out.NextMarker)
	return out.Tags
}

func TestTagsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		require.Equal(t, []types.Tag{}, listTags(t, f.api, f.id))
		require.Equal(t, &sdk.TagResourceOutput{},
			do[sdk.TagResourceOutput](t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags("z=1", "a=2", "Z=3")}))
		require.Equal(t, tags("z=1", "a=2", "Z=3"), listTags(t, f.api, f.arn))
		succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.arn, Tags: tags("m=4", "a=")}) // in place
		require.Equal(t, tags("z=1", "a=", "Z=3", "m=4"), listTags(t, f.api, f.id))
		require.Equal(t, &sdk.UntagResourceOutput{},
			do[sdk.UntagResourceOutput](t, f.api, &sdk.UntagResourceInput{KeyId: &f.id, TagKeys: []string{"z", "absent"}}))
		require.Equal(t, tags("a=", "Z=3", "m=4"), listTags(t, f.api, f.id))
		succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags("z=5")}) // behind the others
		require.Equal(t, tags("a=", "Z=3", "m=4", "z=5"), listTags(t, f.api, f.id))
		succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags()})
		succeeds(t, f.api, &sdk.UntagResourceInput{KeyId: &f.id, TagKeys: []string{}})
		require.Equal(t, tags("a=", "Z=3", "m=4", "z=5"), listTags(t, f.api, f.id))

		key := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{Tags: tags("b=1", "a=2")}).KeyMetadata
		require.Equal(t, tags("b=1", "a=2"), listTags(t, f.api, *key.KeyId))
	})
}

func TestTagRefusals(t *testing.T) {
	t.Parallel()
	constraint := func(value, path, rule string) string {
		return "1 validation error detected: Value '" + value + "' at 'tags." + path + "' failed to satisfy constraint: Member must have length " + rule
	}
	key129, value257 := strings.Repeat("k", 129), strings.Repeat("v", 257)
	tests := []struct {
		tags          []types.Tag
		code, message string
	}{
		{tags("a=1", "b=2", "a=1"), "TagException", "Duplicate tag keys"},
		{manyTags(51), "TagException", "Too many tags"},
		{tags("aws:a=1"), "TagException", "Tags beginning with aws: are reserved"},
		{tags("b=1", "AWS:a=1"), "TagException", "Tags beginning with aws: are reserved"},
		{tags("aWs:=1"), "TagException", "Tags beginning with aws: are reserved"},
		{tags(key129 + "=1"), "ValidationException", constraint(key129, "1.member.tagKey", "less than or equal to 128")},
		{tags("=1"), "ValidationException", constraint("", "1.member.tagKey", "greater than or equal to 1")},
		{tags("a=1", "b="+value257), "ValidationException", constraint(value257, "2.member.tagValue", "less than or equal to 256")},
		// constraints come before the rules for tags
		{tags("a=1", "a=1", key129+"="), "ValidationException", constraint(key129, "3.member.tagKey", "less than or equal to 128")},
	}
	each(t, func(t *testing.T, f *fixture) {
		succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags("key000=old")})
		before := dump(t, f.inner)
		for _, test := range tests {
			refused(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: test.tags}, test.code, test.message)
			refused(t, f.api, &sdk.CreateKeyInput{Tags: test.tags}, test.code, test.message)
		}
		refused(t, f.api, &sdk.UntagResourceInput{KeyId: &f.id, TagKeys: []string{"a", ""}}, "ValidationException",
			"1 validation error detected: Value '' at 'tagKeys.2.member' failed to satisfy constraint: Member must have length greater than or equal to 1")
		require.Equal(t, before, dump(t, f.inner))
	})
}

func TestTagLimits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		widest := strings.Repeat("ü", 128) + "=" + strings.Repeat("é", 256) // characters, not bytes
		succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: append(manyTags(49), tags(widest)...)})
		require.Len(t, listTags(t, f.api, f.id), 50)
		refused(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags("one more=")}, "TagException", "Too many tags")
		succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags("key007=new")})
		succeeds(t, f.api, &sdk.UntagResourceInput{KeyId: &f.id, TagKeys: []string{"key008"}})
		succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags("one more=", "key009=1")})
		require.Len(t, listTags(t, f.api, f.id), 50)
		succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags("aws=not reserved")[:0]})
		succeeds(t, f.api, &sdk.CreateKeyInput{Tags: tags("aws=1", "awsx:=2")})
	})
}
