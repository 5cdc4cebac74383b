package integration

import (
	"bytes"
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// s3Script is something to write while calls go wrong.
type s3Script struct {
	name   string
	length int
	write  s3Writer
	put    int // of s3Places
	policy s3crypto.CommitmentPolicy
}

var s3Scripts = []s3Script{
	{"one request", 100_000, s3Writers[0], 0, s3Formats[0]},
	{"one request and a file", 100_000, s3Writers[0], 1, s3Formats[0]},
	{"one request and a file, V2", 100_000, s3Writers[0], 1, s3Formats[1]},
	{"parts", s3PartSize + 17, s3Writers[3], 0, s3Formats[0]},
	{"parts and a file, V2", s3PartSize + 17, s3Writers[3], 1, s3Formats[1]},
	{"parts out of order and a file", s3PartSize + 17, s3Writers[5], 2, s3Formats[0]},
}

// object returns what a script writes.
func (w *s3Script) object(s *s3Server, wrap s3Wrap) *s3Object {
	return &s3Object{
		server: s, wrap: wrap, policy: w.policy, put: s3Places[w.put],
		key: "object", content: s3Bytes(w.length),
	}
}

// Whatever goes wrong while an object is written, it is there as a whole, or nothing is.
func TestVersityGWFaultsWhileWriting(t *testing.T) {
	t.Parallel()
	wrap := newS3Wraps(t)[0]
	for _, script := range s3Scripts {
		t.Run(script.name, func(t *testing.T) {
			t.Parallel()
			s := versityGW(t, versityOptions{})
			o := script.object(s, wrap)
			eachFault(t, s, writingFaults, func(t *testing.T, f *faultProxy, client *s3.Client) {
				o.requireWrittenOrNothing(t, f, script.write.write(t.Context(), t, o, client))
			})
		})
	}
}

// A context that ends leaves nothing behind.
func TestVersityGWContextEnds(t *testing.T) {
	t.Parallel()
	wrap := newS3Wraps(t)[0]
	for _, script := range s3Scripts {
		t.Run(script.name, func(t *testing.T) {
			t.Parallel()
			s := versityGW(t, versityOptions{})
			o := script.object(s, wrap)
			for number := 0; ; number++ {
				ctx, cancel := context.WithCancel(t.Context())
				f, client := newFaultProxy(t, s, contextEnds, number, false)
				f.cancel = cancel
				err := script.write.write(ctx, t, o, client)
				cancel()
				if f.hit() == "" {
					require.NoError(t, err)
					o.requireWhole(t)
					require.NotZero(t, number)
					return
				}
				require.ErrorIs(t, err, context.Canceled, "call %d", number)
				require.Empty(t, s.listKeys(t), "call %d", number)
				require.Empty(t, s.listUploads(t), "call %d", number)
			}
		})
	}
}

// requireWrittenOrNothing requires what has to be after an object was written, and empties
// the bucket.
func (o *s3Object) requireWrittenOrNothing(t *testing.T, f *faultProxy, err error) {
	t.Helper()
	ctx, plain := t.Context(), o.server.client()
	keys, uploads := o.server.listKeys(t), o.server.listUploads(t)
	_, inFile := o.fileKey()
	lost := f.fault == answerLost
	switch {
	case err == nil:
		require.True(t, !f.always || f.hit() == "" || lost, "a call failed and nobody was told")
		content, err := getBuffered(ctx, t, o, plain)
		require.NoError(t, err)
		requireSame(t, o.content, content, "content")
	case lost && f.always && len(keys) > 0 && inFile:
		// Nothing marks an object of format V2 with a file as this one.
		require.Equal(t, s3Formats[1], o.policy)
		require.Equal(t, []string{o.key}, keys)
		_, err := getBuffered(ctx, t, o, plain)
		require.Error(t, err)
	case lost && f.always && len(keys) > 0:
		// The last answer was lost for good: the object is there, and whole.
		content, err := getBuffered(ctx, t, o, plain)
		require.NoError(t, err)
		requireSame(t, o.content, content, "content")
	default:
		require.True(t, f.always, "an attempt failed and was not repeated: %v", err)
		require.Empty(t, keys)
	}
	if !lost || f.hit() != createUpload { // nobody knows the id of such an upload
		require.Empty(t, uploads)
	}
	for _, key := range keys {
		_, err := plain.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &o.server.bucket, Key: &key})
		require.NoError(t, err)
	}
	for _, id := range uploads {
		_, err := plain.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &o.server.bucket, Key: &o.key, UploadId: aws.String(id)})
		require.NoError(t, err)
	}
}

// Whatever goes wrong while an object is read, what was read is the object's beginning, and
// all of it if there is no error; those who verify release nothing if there is one.
func TestVersityGWFaultsWhileReading(t *testing.T) {
	t.Parallel()
	s := versityGW(t, versityOptions{})
	o := &s3Object{
		server: s, wrap: newS3Wraps(t)[0], policy: s3Formats[0], put: s3Places[1],
		key: "object", content: s3Bytes(s3PartSize + 17),
	}
	require.NoError(t, putSeekable(t.Context(), t, o, s.client()))
	for _, r := range s3Readers {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			eachFault(t, s, readingFaults, func(t *testing.T, f *faultProxy, client *s3.Client) {
				content, err := r.read(t.Context(), t, o, client)
				switch {
				case err == nil:
					requireSame(t, o.content, content, "content")
				case r.name == "Download":
					require.Equal(t, len(content), bytes.Count(content, []byte{0}), "plaintext is left behind")
				case r.verifies:
					require.Empty(t, content)
				default:
					require.True(t, bytes.HasPrefix(o.content, content), "other content, and then %v", err)
				}
				// The SDK repeats what has no answer. Only Download goes on where an answer breaks off.
				if !f.always && (f.fault != answerCut || r.name == "Download") {
					require.NoError(t, err)
				}
			})
		})
	}
}

// Whatever goes wrong while a data key is wrapped again, the object can be read with one of
// the two wrapping keys, and with the new one after a second attempt.
func TestVersityGWFaultsWhileRewrapping(t *testing.T) {
	t.Parallel()
	wraps := newS3Wraps(t)
	for i, name := range []string{"metadata", "instruction file"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := versityGW(t, versityOptions{})
			eachFault(t, s, writingFaults, func(t *testing.T, f *faultProxy, client *s3.Client) {
				old := &s3Object{server: s, wrap: wraps[0], policy: s3Formats[0], put: s3Places[i], key: "object", content: s3Bytes(1000)}
				require.NoError(t, putSeekable(t.Context(), t, old, s.client()))
				renewed := *old
				renewed.wrap = wraps[2]
				in := &s3crypto.RewrapInput{Bucket: s.bucket, Key: old.key}
				options := &s3crypto.RewrapOptions{NewContext: wraps[2].context}
				_, err := old.clientAt(t, client).Rewrap(t.Context(), in, wraps[2].wrapper, options)
				if err == nil {
					renewed.requireWhole(t)
					return
				}
				_, oldErr := getBuffered(t.Context(), t, old, s.client())
				_, newErr := getBuffered(t.Context(), t, &renewed, s.client())
				require.NotEqual(t, oldErr == nil, newErr == nil, "%v; %v", oldErr, newErr)
				_, err = old.client(t).Rewrap(t.Context(), in, wraps[2].wrapper, options)
				require.NoError(t, err)
				renewed.requireWhole(t)
			})
		})
	}
}

// A deletion that went wrong can be done again, and then nothing is left.
func TestVersityGWFaultsWhileDeleting(t *testing.T) {
	t.Parallel()
	s := versityGW(t, versityOptions{})
	o := &s3Object{server: s, wrap: newS3Wraps(t)[0], policy: s3Formats[0], put: s3Places[1], key: "object", content: s3Bytes(1000)}
	in := &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(o.key)}
	eachFault(t, s, writingFaults, func(t *testing.T, f *faultProxy, client *s3.Client) {
		require.NoError(t, putSeekable(t.Context(), t, o, s.client()))
		_, err := o.clientAt(t, client).Delete(t.Context(), in, nil)
		if err != nil {
			require.True(t, f.always)
			_, err = o.client(t).Delete(t.Context(), in, nil)
		}
		require.NoError(t, err)
		require.Empty(t, s.listKeys(t))
	})
}
