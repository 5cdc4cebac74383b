package main

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

const want = `ann uploads s3://reports-of-a/2026/orders.csv as it is made
  format V3, data key wrapped with kms+context, map[tenant:42]
  12400000 bytes

ann reads a part, which nothing authenticates
  bytes 6200000-6200029/12400000: "order 200000: 12 chests of tea"

ann downloads all of it
  s3://reports-of-a/2026/orders.csv: 12400000 bytes, verified

ann hands a copy over to account B
  s3://inbox-of-b/2026/orders.csv: its data key is wrapped with the key of B, its content is the same

bob reads the copy
  s3://inbox-of-b/2026/orders.csv: 12400000 bytes, verified

bob reads the original
  s3://reports-of-a/2026/orders.csv: refused by KMS, AccessDeniedException

ann reads the copy
  s3://inbox-of-b/2026/orders.csv: refused by KMS, AccessDeniedException
`

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, want, out.String())
}

// uploaded returns what the example has made once ann has uploaded the report.
func uploaded(t *testing.T) (*accounts, *s3.Client, *s3crypto.Client) {
	t.Helper()
	a, err := openAccounts(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.cloud.Close()) })
	api, stop, err := startS3()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	for _, bucket := range []string{bucketA, bucketB} {
		_, err := api.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)})
		require.NoError(t, err)
	}
	ann, err := clientFor(api, a.ann.In(regionA), a.keyA)
	require.NoError(t, err)
	_, err = upload(t.Context(), io.Discard, ann)
	require.NoError(t, err)
	return a, api, ann
}

func stored(t *testing.T, api *s3.Client, bucket string) (map[string]string, []byte) {
	t.Helper()
	out, err := api.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	require.NoError(t, err)
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return out.Metadata, content
}

// What S3 has is ciphertext, and the copy's is that of the original: only the data key is
// wrapped by another key.
func TestOnlyTheDataKeyIsWrappedAgain(t *testing.T) {
	t.Parallel()
	a, api, ann := uploaded(t)
	require.NoError(t, share(t.Context(), io.Discard, api, a, ann))
	original, content := stored(t, api, bucketA)
	copied, same := stored(t, api, bucketB)
	require.Len(t, content, 12_400_000+16)
	require.NotContains(t, string(content), "chests of tea")
	require.True(t, bytes.Equal(content, same))
	for _, name := range []string{"x-amz-c", "x-amz-d", "x-amz-i", "x-amz-t", "x-amz-w"} {
		require.NotEmpty(t, original[name])
		require.Equal(t, original[name], copied[name], name)
	}
	require.NotEqual(t, original["x-amz-3"], copied["x-amz-3"])
}

// The policies leave ann what belongs to tenant 42 and bob nothing of account A.
func TestWhatPoliciesDeny(t *testing.T) {
	t.Parallel()
	a, api, ann := uploaded(t)
	_, err := ann.Put(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucketA), Key: aws.String("other")},
		&s3crypto.PutOptions{Context: map[string]string{"tenant": "43"}})
	require.ErrorContains(t, err, "AccessDeniedException")
	_, err = api.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucketA), Key: aws.String("other")})
	require.ErrorContains(t, err, "404")

	bob, err := clientFor(api, a.bob.In(regionA), a.keyA)
	require.NoError(t, err)
	require.ErrorContains(t, share(t.Context(), io.Discard, api, a, bob), "AccessDeniedException")
}

// show does not take other failures for a refusal.
func TestShowFails(t *testing.T) {
	t.Parallel()
	_, _, ann := uploaded(t)
	require.ErrorContains(t, show(t.Context(), io.Discard, ann, bucketA, []byte("another hash")), "differs")
	require.ErrorContains(t, show(t.Context(), io.Discard, ann, bucketB, nil), "404")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, show(ctx, io.Discard, ann, bucketA, nil), context.Canceled)
}
