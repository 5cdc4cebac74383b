package integration

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// requireCode requires that err is an answer of S3 with the given code.
func requireCode(t *testing.T, code string, err error) {
	t.Helper()
	var answer smithy.APIError
	require.ErrorAs(t, err, &answer)
	require.Equal(t, code, answer.ErrorCode())
}

// Conditions hold in one request and in parts, and what they refuse leaves nothing behind:
// neither another instruction file nor an upload.
func requireConditions(t *testing.T, s *s3Server) {
	t.Helper()
	wrap := newS3Wraps(t)[0]
	lengths := []int{1000, 1000, s3PartSize + 1, s3PartSize + 1}
	if s.name == gofakes3Name {
		lengths = lengths[:2] // it heeds no conditions when an upload is completed
	}
	for place, n := range lengths {
		t.Run(fmt.Sprintf("place %d, %d bytes", place%2, n), func(t *testing.T) {
			o := &s3Object{
				server: s, wrap: wrap, policy: s3Formats[0], put: s3Places[place%2],
				key: fmt.Sprint("conditions/", place), content: s3Bytes(n),
			}
			c := o.client(t, func(o *s3crypto.Options) { o.MultipartAbove = 1 << 20 })
			put := func(content []byte, adjust func(*s3.PutObjectInput)) (*s3.PutObjectOutput, error) {
				in := o.putInput()
				in.Body = bytes.NewReader(content)
				adjust(in)
				return c.Put(t.Context(), in, o.putOptions())
			}
			_, err := put(o.content, func(in *s3.PutObjectInput) { in.IfMatch = aws.String(`"0123456789abcdef0123456789abcdef"`) })
			require.Error(t, err) // S3 says NoSuchKey
			require.Empty(t, o.server.keysOf(t, o.key))

			first, err := put(o.content, func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") })
			require.NoError(t, err)
			o.requireWhole(t)
			other := bytes.Repeat([]byte{1}, n)
			_, err = put(other, func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") })
			requireCode(t, "PreconditionFailed", err)
			o.requireWhole(t)

			o.content = other
			second, err := put(other, func(in *s3.PutObjectInput) { in.IfMatch = first.ETag })
			require.NoError(t, err)
			o.requireWhole(t)
			_, err = put(s3Bytes(n), func(in *s3.PutObjectInput) { in.IfMatch = first.ETag })
			requireCode(t, "PreconditionFailed", err)
			o.requireWhole(t)
			require.NotEqual(t, first.ETag, second.ETag)
			require.Empty(t, s.listUploads(t))
		})
	}
}

// keysOf returns the keys that begin with one.
func (s *s3Server) keysOf(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	out, err := s.client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	require.NoError(t, err)
	for _, object := range out.Contents {
		keys = append(keys, *object.Key)
	}
	return keys
}

// An upload whose completion was refused can be completed under another condition.
func requireConditionalComplete(t *testing.T, s *s3Server) {
	t.Helper()
	o := &s3Object{
		server: s, wrap: newS3Wraps(t)[0], policy: s3Formats[0], put: s3Places[1],
		key: "conditional", content: s3Bytes(s3PartSize + 1),
	}
	c := o.client(t)
	begin := func(content []byte) *s3crypto.Upload {
		u, err := c.CreateUpload(t.Context(), o.createInput(), o.putOptions())
		require.NoError(t, err)
		require.NoError(t, u.Send(t.Context(), bytes.NewReader(content)))
		return u
	}
	u, late := begin(o.content), begin(bytes.Repeat([]byte{1}, s3PartSize+2))
	_, err := u.Complete(t.Context(), &s3.CompleteMultipartUploadInput{IfNoneMatch: aws.String("*")})
	require.NoError(t, err)
	o.requireWhole(t)

	_, err = late.Complete(t.Context(), &s3.CompleteMultipartUploadInput{IfNoneMatch: aws.String("*")})
	requireCode(t, "PreconditionFailed", err)
	o.requireWhole(t)
	head, err := s.client().HeadObject(t.Context(), o.headInput())
	require.NoError(t, err)
	_, err = late.Complete(t.Context(), &s3.CompleteMultipartUploadInput{IfMatch: head.ETag})
	require.NoError(t, err)
	o.content = bytes.Repeat([]byte{1}, s3PartSize+2)
	o.requireWhole(t)
	require.NoError(t, late.Abort(t.Context())) // after it was completed, nothing
	o.requireWhole(t)
}

// Conditions of readers reach S3.
func requireConditionalGet(t *testing.T, s *s3Server) {
	t.Helper()
	o := &s3Object{server: s, wrap: newS3Wraps(t)[0], policy: s3Formats[0], put: s3Places[1], key: "conditional", content: s3Bytes(100)}
	require.NoError(t, putSeekable(t.Context(), t, o, s.client()))
	c := o.client(t)
	head, err := s.client().HeadObject(t.Context(), o.headInput())
	require.NoError(t, err)
	other := aws.String(`"0123456789abcdef0123456789abcdef"`)
	for name, get := range map[string]func(in *s3.GetObjectInput) error{
		"Get": func(in *s3.GetObjectInput) error {
			_, err := drain(c.Get(t.Context(), in, nil))
			return err
		},
		"GetStream": func(in *s3.GetObjectInput) error {
			_, err := drain(c.GetStream(t.Context(), in, nil))
			return err
		},
		"Range": func(in *s3.GetObjectInput) error {
			in.Range = aws.String("bytes=1-2")
			_, err := drain(c.GetRangeUnauthenticated(t.Context(), in, nil))
			return err
		},
		"ReaderAt": func(in *s3.GetObjectInput) error {
			r, err := c.NewReaderAtUnauthenticated(t.Context(), in, nil)
			if err != nil {
				return err
			}
			_, err = r.ReadAt(make([]byte, 1), 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := o.getInput()
			in.IfMatch = head.ETag
			require.NoError(t, get(in))
			in.IfMatch = other
			require.Error(t, get(in))
			in = o.getInput()
			in.IfNoneMatch = other
			require.NoError(t, get(in))
			in.IfNoneMatch = head.ETag
			require.Error(t, get(in))
		})
	}
}
