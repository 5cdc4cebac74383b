package s3crypto_test

import (
	"bytes"
	"io"
	"reflect"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// TestEveryRequestPassesOn sees that what goes with every request for an object goes with
// those that a writer makes by himself, and conditions with none but the one that they are
// for.
func TestEveryRequestPassesOn(t *testing.T) {
	t.Parallel()
	common := map[string]any{
		"Bucket": "bucket", "ExpectedBucketOwner": "111122223333", "RequestPayer": types.RequestPayerRequester,
		"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "secret", "SSECustomerKeyMD5": "digest",
	}
	conditional := map[string]bool{}
	var mu sync.Mutex
	asked := map[string]bool{}
	look := func(f *fakeBucket) func(op, what string, n int) error {
		return func(op, what string, _ int) error {
			f.mu.Lock()
			in := reflect.ValueOf(f.inputs[op]).Elem()
			f.mu.Unlock()
			mu.Lock()
			defer mu.Unlock()
			asked[op] = true
			for name, want := range common {
				if field := in.FieldByName(name); field.IsValid() {
					got := reflect.Indirect(field)
					if !got.IsValid() || !reflect.DeepEqual(got.Interface(), want) {
						t.Errorf("%s %s: no %s", op, what, name)
					}
				}
			}
			if field := in.FieldByName("IfNoneMatch"); field.IsValid() && !field.IsNil() {
				conditional[op+" "+what] = true
			}
			if op == "PutObject" && what == "k.instruction" {
				return errFault
			}
			return nil
		}
	}
	put := func(body io.Reader) *s3.PutObjectInput {
		in := putInput(body)
		in.ExpectedBucketOwner, in.RequestPayer = aws.String("111122223333"), types.RequestPayerRequester
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = aws.String("AES256"), aws.String("secret"), aws.String("digest")
		in.IfNoneMatch = aws.String("*")
		return in
	}
	for _, body := range bodies() {
		for _, lost := range []string{"", "PutObject", "CompleteMultipartUpload", "UploadPart"} {
			f := newFakeBucket()
			f.fail = look(f)
			f.lose = func(op, _ string, _ int) error {
				if op == lost {
					return errFault
				}
				return nil
			}
			_, err := newWriter(t, f, s3crypto.Options{InstructionFiles: true}).Put(t.Context(), put(body()), nil)
			require.ErrorIs(t, err, errFault)
		}
	}
	f := newFakeBucket()
	f.fail = look(f)
	c := newWriter(t, f, s3crypto.Options{})
	in := &s3.CreateMultipartUploadInput{
		Bucket: aws.String("bucket"), Key: aws.String("k"), ExpectedBucketOwner: aws.String("111122223333"), RequestPayer: types.RequestPayerRequester,
		SSECustomerAlgorithm: aws.String("AES256"), SSECustomerKey: aws.String("secret"), SSECustomerKeyMD5: aws.String("digest"),
	}
	u, err := c.CreateUpload(t.Context(), in, nil)
	require.NoError(t, err)
	require.NoError(t, u.Part(t.Context(), 1, bytes.NewReader(random(5*mib))))
	state, err := u.State()
	require.NoError(t, err)
	u, err = c.ResumeUpload(t.Context(), in, state, nil)
	require.NoError(t, err)
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)
	for _, op := range []string{
		"PutObject", "HeadObject", "GetObject", "DeleteObject", "CreateMultipartUpload", "UploadPart",
		"ListParts", "CompleteMultipartUpload", "AbortMultipartUpload",
	} {
		require.True(t, asked[op], op)
	}
	require.Equal(t, map[string]bool{"PutObject k": true, "CompleteMultipartUpload k": true}, conditional)
}

// TestEverythingAtOnce has parts of two contents, Complete, State and Send at the same
// time: one content wins for each part, and there is one tag.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range 10 {
		plaintext := random(11 * mib)
		other := bytes.Clone(plaintext)
		for at := 0; at < len(other); at += 5 * mib {
			other[at]++
		}
		f := newFakeBucket()
		f.digests = 0
		u, err := newWriter(t, f, s3crypto.Options{Concurrency: 2}).CreateUpload(t.Context(), createInput(), nil)
		require.NoError(t, err)
		var g sync.WaitGroup
		for i := range 12 {
			number := int32((i+seed)%3) + 1
			content := plaintext
			if i%2 == seed%2 {
				content = other
			}
			g.Go(func() { _ = u.Part(t.Context(), number, partOf(content, number)) })
			g.Go(func() { _, _ = u.Complete(t.Context(), nil) })
			g.Go(func() { _, _ = u.State() })
		}
		g.Go(func() { _ = u.Send(t.Context(), bytes.NewReader(plaintext)) })
		g.Wait()
		require.Empty(t, f.leaks)
		_, err = u.Complete(t.Context(), nil)
		require.NoError(t, err)
		got := written(t, f, "k")
		for at := 0; at < len(got); at += 5 * mib {
			end := min(at+5*mib, len(got))
			require.True(t, bytes.Equal(got[at:end], plaintext[at:end]) || bytes.Equal(got[at:end], other[at:end]))
		}
	}
}
