package arn_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/arn"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]arn.ARN{
		"arn:aws:kms:us-east-1:111122223333:key/x": {Partition: "aws", Service: "kms", Region: "us-east-1", Account: "111122223333", Resource: "key/x"},
		"arn:aws-cn:s3:::bucket/a:b:c":             {Partition: "aws-cn", Service: "s3", Resource: "bucket/a:b:c"},
		"arn:::::":                                 {},
		"arn:aws:iam::111122223333:root":           {Partition: "aws", Service: "iam", Account: "111122223333", Resource: "root"},
	} {
		got, ok := arn.Parse(s)
		require.True(t, ok, s)
		require.Equal(t, want, got, s)
		require.Equal(t, s, got.String())
	}
	for _, s := range []string{"", "arn", "arn:", "arn:aws:kms:us-east-1:111122223333", "ARN:aws:kms:a:b:c", " arn:aws:kms:a:b:c", "urn:aws:kms:a:b:c", "key/x"} {
		got, ok := arn.Parse(s)
		require.False(t, ok, s)
		require.Zero(t, got, s)
	}
}

func TestPartition(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"us-east-1": "aws", "eu-west-3": "aws", "ap-south-2": "aws", "il-central-1": "aws", "": "aws", "mars-north-1": "aws",
		"cn-north-1": "aws-cn", "cn-northwest-1": "aws-cn",
		"us-gov-west-1": "aws-us-gov", "us-gov-east-1": "aws-us-gov",
		"us-iso-east-1": "aws-iso", "us-iso-west-1": "aws-iso",
		"us-isob-east-1": "aws-iso-b", "eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f",
		"eusc-de-east-1": "aws-eusc",
	} {
		require.Equal(t, want, arn.Partition(region), region)
	}
}

func TestKMSKey(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][2]string{
		"arn:aws:kms:us-east-1:111122223333:key/x":         {"key", "x"},
		"arn:aws:kms:us-east-1:111122223333:key/x/y:z":     {"key", "x/y:z"},
		"arn:aws:kms:us-east-1:111122223333:alias/a/b":     {"alias", "a/b"},
		"arn:aws-us-gov:kms:us-gov-west-1:1:key/mrk-01234": {"key", "mrk-01234"},
	} {
		a, kind, id, ok := arn.KMSKey(s)
		require.True(t, ok, s)
		require.Equal(t, want, [2]string{kind, id}, s)
		require.Equal(t, s, a.String())
	}
	for _, s := range []string{
		"", "alias/a", "arn:aws:kms:us-east-1:111122223333:",
		"arn::kms:us-east-1:111122223333:key/x", "arn:aws:kms::111122223333:key/x", "arn:aws:kms:us-east-1::key/x",
		"arn:aws::us-east-1:111122223333:key/x", "arn:aws:s3:us-east-1:111122223333:key/x", "arn:aws:KMS:us-east-1:111122223333:key/x",
		"arn:aws:kms:us-east-1:111122223333:key", "arn:aws:kms:us-east-1:111122223333:key/", "arn:aws:kms:us-east-1:111122223333:alias/",
		"arn:aws:kms:us-east-1:111122223333:keys/x", "arn:aws:kms:us-east-1:111122223333:Key/x", "arn:aws:kms:us-east-1:111122223333:key:x",
		"aws:arn:kms:us-east-1:111122223333:key/x",
	} {
		a, kind, id, ok := arn.KMSKey(s)
		require.False(t, ok, s)
		require.Zero(t, a, s)
		require.Empty(t, kind+id, s)
	}
}

// FuzzParse checks that what is accepted prints as it was, and that a KMS ARN has
// every part.
func FuzzParse(f *testing.F) {
	f.Add("arn:aws:kms:us-east-1:111122223333:key/x")
	f.Add("arn:aws:kms:us-east-1:111122223333:alias/a:b/c")
	f.Add("arn:::::")
	f.Add("arn:a:b")
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := arn.Parse(s)
		if ok {
			require.Equal(t, s, a.String())
			for _, part := range []string{a.Partition, a.Service, a.Region, a.Account} {
				require.NotContains(t, part, ":")
			}
		}
		k, kind, id, isKMS := arn.KMSKey(s)
		if isKMS {
			require.True(t, ok)
			require.Equal(t, a, k)
			require.Equal(t, a.Resource, kind+"/"+id)
			for _, part := range []string{a.Partition, a.Region, a.Account, id} {
				require.NotEmpty(t, part)
			}
		}
	})
}
