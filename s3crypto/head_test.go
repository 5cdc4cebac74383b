package s3crypto_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

func TestHead(t *testing.T) {
	t.Parallel()
	s := newShelf()
	c, err := s3crypto.New(s, lenientAES(t), nil) // no policy keeps one from looking
	require.NoError(t, err)
	for kind, want := range map[string]s3crypto.Encryption{
		"V3":           {Format: "V3", ContentAlgorithm: "115", WrapAlgorithm: "AES/GCM", Committing: true, Length: 100},
		"V3 with file": {Format: "V3", ContentAlgorithm: "115", WrapAlgorithm: "AES/GCM", Committing: true, Length: 100, InstructionFile: true},
		"V2":           {Format: "V2", ContentAlgorithm: "AES/GCM/NoPadding", WrapAlgorithm: "AES/GCM", Length: 100},
		"V2 with file": {Format: "V2", ContentAlgorithm: "AES/GCM/NoPadding", WrapAlgorithm: "AES/GCM", Length: 100, InstructionFile: true},
		"V2 CBC":       {Format: "V2", ContentAlgorithm: "AES/CBC/PKCS5Padding", WrapAlgorithm: "AESWrap", Length: -1},
		"V1":           {Format: "V1", ContentAlgorithm: "AES/CBC/PKCS5Padding", WrapAlgorithm: "AES", Length: -1},
	} {
		o := sealedAs(kind, numbered(100))
		o.store(s, "key")
		want.Description = map[string]string{}
		out, got, err := c.Head(t.Context(), &s3.HeadObjectInput{Key: aws.String("key")}, nil)
		require.NoError(t, err, kind)
		require.Equal(t, &want, got)
		require.Equal(t, map[string]string{"own": "entry"}, out.Metadata)
		require.Equal(t, s.get("key").etag, *out.ETag)
		if !isGCM(kind) {
			require.Nil(t, out.ContentLength)
			o.metadata["x-amz-unencrypted-content-length"] = "100"
			o.store(s, "key")
			out, got, err = c.Head(t.Context(), &s3.HeadObjectInput{Key: aws.String("key")}, nil)
			require.NoError(t, err)
			require.EqualValues(t, 100, got.Length)
		}
		require.EqualValues(t, 100, *out.ContentLength)
	}

	s.put("plain", []byte("plain"), nil)
	_, _, err = c.Head(t.Context(), &s3.HeadObjectInput{Key: aws.String("plain")}, nil)
	require.ErrorIs(t, err, s3crypto.ErrNotEncrypted)
	s.put("short", []byte("short"), sealedAs("V3", nil).metadata)
	_, _, err = c.Head(t.Context(), &s3.HeadObjectInput{Key: aws.String("short")}, nil)
	require.ErrorIs(t, err, s3crypto.ErrAuthentication)
	_, _, err = c.Head(t.Context(), &s3.HeadObjectInput{Key: aws.String("none")}, nil)
	var missing *types.NotFound
	require.ErrorAs(t, err, &missing)
	_, _, err = c.Head(t.Context(), &s3.HeadObjectInput{Key: aws.String("key"), PartNumber: aws.Int32(1)}, nil)
	require.ErrorContains(t, err, "PartNumber")
}

// TestRequestsOfTheSameObject has what goes with every request passed on with all of them.
func TestRequestsOfTheSameObject(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3 with file", numbered(10)).store(s, "key")
	var seen []s3.GetObjectInput
	s.answered = func(in *s3.GetObjectInput, _ *s3.GetObjectOutput) { seen = append(seen, *in) }
	in := getInput("key")
	in.ExpectedBucketOwner, in.RequestPayer = aws.String("111122223333"), types.RequestPayerRequester
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = aws.String("AES256"), aws.String("k"), aws.String("m")
	in.VersionId, in.IfModifiedSince = &s.get("key").version, aws.Time(time.Unix(0, 0))
	c := lenientClient(t, s, nil)
	_, err := c.Get(t.Context(), in, nil)
	require.NoError(t, err)
	require.Len(t, seen, 2)
	require.Equal(t, *in, seen[0])
	file := *in
	file.Key, file.VersionId, file.IfModifiedSince = aws.String("key.instruction"), nil, nil
	require.Equal(t, file, seen[1])
}
