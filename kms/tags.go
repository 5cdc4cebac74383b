package kms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/policy"
)

// TagResource, UntagResource and ListResourceTags.

var tagResource = &operation[sdk.TagResourceInput, sdk.TagResourceOutput]{
	name:   "TagResource",
	noBody: true,
	validate: func(c *constraints, in *sdk.TagResourceInput) {
		c.keyID("keyId", in.KeyId)
		c.present("tags", in.Tags != nil)
		c.tags(in.Tags)
	},
	conditions: func(in *sdk.TagResourceInput, c *policy.Context) { setRequestTags(c, in.Tags) },
	targets: func(r *request, in *sdk.TagResourceInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(r *request, in *sdk.TagResourceInput, on []target) (*sdk.TagResourceOutput, error) {
		k := on[0].key
		if err := setTags(k, in.Tags); err != nil {
			return nil, err
		}
		return &sdk.TagResourceOutput{}, r.writeLocal(k)
	},
}

var untagResource = &operation[sdk.UntagResourceInput, sdk.UntagResourceOutput]{
	name:   "UntagResource",
	noBody: true,
	validate: func(c *constraints, in *sdk.UntagResourceInput) {
		c.keyID("keyId", in.KeyId)
		c.present("tagKeys", in.TagKeys != nil)
		for i, k := range in.TagKeys {
			c.length(fmt.Sprintf("tagKeys.%d.member", i+1), k, 1, 128)
		}
	},
	conditions: func(in *sdk.UntagResourceInput, c *policy.Context) { c.SetStrings(policy.AWSTagKeys, in.TagKeys) },
	targets: func(r *request, in *sdk.UntagResourceInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(r *request, in *sdk.UntagResourceInput, on []target) (*sdk.UntagResourceOutput, error) {
		k := on[0].key
		k.Tags = slices.DeleteFunc(k.Tags, func(t keyrecord.Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
		return &sdk.UntagResourceOutput{}, r.writeLocal(k)
	},
}

// ListResourceTags pages, in the order in which the tags were first set.
const tagsPage = 50

var listResourceTags = &operation[sdk.ListResourceTagsInput, sdk.ListResourceTagsOutput]{
	name:       "ListResourceTags",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.ListResourceTagsInput) {
		c.keyID("keyId", in.KeyId)
		c.page(in.Limit, in.Marker)
	},
	targets: func(r *request, in *sdk.ListResourceTagsInput) ([]target, error) {
		return r.oneKey(in.KeyId, keyIDOrARN)
	},
	run: func(_ *request, in *sdk.ListResourceTagsInput, on []target) (*sdk.ListResourceTagsOutput, error) {
		p, err := openPage("ListResourceTags", in.Limit, in.Marker, tagsPage, tagsPage)
		if err != nil {
			return nil, err
		}
		var after uint64
		if p.after != "" {
			if after, err = strconv.ParseUint(p.after, 10, 64); err != nil {
				return nil, invalidMarker()
			}
		}
		out := &sdk.ListResourceTagsOutput{Tags: []types.Tag{}}
		var last uint64
		for _, t := range on[0].key.Tags {
			if t.Seq <= after {
				continue
			}
			if p.full(len(out.Tags)) {
				out.Truncated, out.NextMarker = true, p.next(strconv.FormatUint(last, 10))
				break
			}
			out.Tags = append(out.Tags, tagOf(t))
			last = t.Seq
		}
		return out, nil
	},
}

const maxTags = 50

// tagList returns all tags of k.
func tagList(k *keyrecord.Key) []types.Tag {
	list := make([]types.Tag, len(k.Tags))
	for i, t := range k.Tags {
		list[i] = tagOf(t)
	}
	return list
}

func tagOf(t keyrecord.Tag) types.Tag {
	return types.Tag{TagKey: aws.String(t.Key), TagValue: aws.String(t.Value)}
}

// setTags adds tags to k, behind those that are there, or replaces their values.
func setTags(k *keyrecord.Key, tags []types.Tag) error {
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		name, value := aws.ToString(t.TagKey), aws.ToString(t.TagValue)
		if seen[name] {
			return tagError("Duplicate tag keys")
		}
		seen[name] = true
		if len(name) >= 4 && strings.EqualFold(name[:4], "aws:") {
			return tagError("Tags beginning with aws: are reserved")
		}
		if i := slices.IndexFunc(k.Tags, func(t keyrecord.Tag) bool { return t.Key == name }); i >= 0 {
			k.Tags[i].Value = value
			continue
		}
		k.TagSeq++
		k.Tags = append(k.Tags, keyrecord.Tag{Seq: k.TagSeq, Key: name, Value: value})
		if len(k.Tags) > maxTags {
			return tagError("Too many tags")
		}
	}
	return nil
}
