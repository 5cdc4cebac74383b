package s3crypto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/s3crypto"
)

// savedStates keeps the last state, and can be told to fail.
type savedStates struct {
	mu   sync.Mutex
	last []byte
	n    int
	err  error
}

func (s *savedStates) options() *s3crypto.PutOptions {
	return &s3crypto.PutOptions{Save: func(_ context.Context, state []byte) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err != nil {
			return s.err
		}
		s.last, s.n = state, s.n+1
		return nil
	}}
}

// TestResumeAnywhere ends an upload at every request for a part, and goes on with it from
// the last state that was saved, by parts and as a whole.
func TestResumeAnywhere(t *testing.T) {
	t.Parallel()
	errEnd := errors.New("the process has ended")
	for name, policy := range policies {
		for i, size := range []int{12 * mib, 15 * mib} {
			for end := range 5 {
				for _, lost := range []bool{false, true} {
					if lost == ((end+i)%2 == 0) != (name == "V2") {
						continue // all pairs are left
					}
					t.Run(fmt.Sprint(name, size, " ", end, lost), func(t *testing.T) {
						t.Parallel()
						plaintext := random(size)
						f := newFakeBucket()
						f.pageSize, f.digests = 2, 1
						var mu sync.Mutex
						requests, ended := 0, false
						fault := func(op, _ string, _ int) error {
							mu.Lock()
							defer mu.Unlock()
							if op == "UploadPart" || op == "CompleteMultipartUpload" {
								requests++
								ended = ended || requests == end+1
							}
							if ended {
								return errEnd
							}
							return nil
						}
						if f.fail = fault; lost {
							f.fail, f.lose = nil, fault
						}
						c := newWriter(t, f, s3crypto.Options{CommitmentPolicy: policy, Concurrency: 2})
						states := &savedStates{}
						u, err := c.CreateUpload(t.Context(), createInput(), states.options())
						require.NoError(t, err)
						if err = u.Send(t.Context(), bytes.NewReader(plaintext)); err == nil {
							_, err = u.Complete(t.Context(), nil)
						}
						if end < 4 {
							require.ErrorIs(t, err, errEnd)
						}
						f.fail, f.lose = nil, nil

						u, err = c.ResumeUpload(t.Context(), createInput(), states.last, states.options())
						require.NoError(t, err)
						other := bytes.Clone(plaintext)
						other[7] ^= 1
						require.ErrorIs(t, u.Part(t.Context(), 1, partOf(other, 1)), s3crypto.ErrBodyChanged)
						if end%2 == 0 {
							require.NoError(t, u.Part(t.Context(), 3, partOf(plaintext, 3)))
						}
						require.NoError(t, u.Send(t.Context(), bytes.NewReader(plaintext)))
						_, err = u.Complete(t.Context(), nil)
						require.NoError(t, err)
						requireWritten(t, f, "k", plaintext)
						require.Empty(t, f.uploads)
					})
				}
			}
		}
	}
}

func TestResumeSendsWhatIsMissing(t *testing.T) {
	t.Parallel()
	plaintext := random(22 * mib)
	f := newFakeBucket()
	c := newWriter(t, f, s3crypto.Options{})
	u, err := c.CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	for _, number := range []int32{1, 2, 4} {
		require.NoError(t, u.Part(t.Context(), number, partOf(plaintext, number)))
	}
	state, err := u.State()
	require.NoError(t, err)
	// S3 has lost part 2, and somebody has replaced part 4.
	delete(f.uploads[u.ID()].parts, 2)
	f.uploads[u.ID()].parts[4].etag = `"other"`
	n := f.count("UploadPart")
	var done []int64
	u, err = c.ResumeUpload(t.Context(), createInput(), state, &s3crypto.PutOptions{
		Progress: func(n, _ int64) { done = append(done, n) },
	})
	require.NoError(t, err)
	_, err = u.Complete(t.Context(), nil)
	require.ErrorIs(t, err, s3crypto.ErrPart)
	require.NoError(t, u.Send(t.Context(), bytes.NewReader(plaintext)))
	require.Equal(t, n+3, f.count("UploadPart"), "2, 3 and 4; the last one is held")
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, []int64{10 * mib, 15 * mib, 20 * mib, 22 * mib}, done)
	requireWritten(t, f, "k", plaintext)
}

func TestResumeRefuses(t *testing.T) {
	t.Parallel()
	plaintext := random(15 * mib)
	f := newFakeBucket()
	c := newWriter(t, f, s3crypto.Options{})
	u, err := c.CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	old, err := u.State()
	require.NoError(t, err)
	require.NoError(t, u.Part(t.Context(), 1, partOf(plaintext, 1)))
	state, err := u.State()
	require.NoError(t, err)
	resume := func(in *s3.CreateMultipartUploadInput, state []byte) error {
		u, err := c.ResumeUpload(t.Context(), in, state, nil)
		if err != nil {
			require.Nil(t, u)
		}
		return err
	}
	require.NoError(t, resume(createInput(), state))
	require.ErrorIs(t, resume(createInput(), old), s3crypto.ErrState, "part 1 could be encrypted twice")
	for _, in := range []*s3.CreateMultipartUploadInput{
		{Bucket: aws.String("bucket"), Key: aws.String("other")}, {Bucket: aws.String("other"), Key: aws.String("k")},
	} {
		require.ErrorIs(t, resume(in, state), s3crypto.ErrState)
	}
	require.Error(t, resume(nil, state))
	require.Error(t, resume(&s3.CreateMultipartUploadInput{}, state))
	for i := range state {
		altered := bytes.Clone(state)
		altered[i] ^= 1
		require.Error(t, resume(createInput(), altered), "byte %d", i)
		require.Error(t, resume(createInput(), state[:i]), "%d bytes", i)
	}
	require.ErrorIs(t, resume(createInput(), append(bytes.Clone(state), 0)), s3crypto.ErrState)
	require.NotContains(t, string(state), u.ID())

	v2 := newWriter(t, f, s3crypto.Options{CommitmentPolicy: policies["V2"]})
	_, err = v2.ResumeUpload(t.Context(), createInput(), state, nil)
	require.ErrorIs(t, err, s3crypto.ErrPolicy)
	w, err := s3crypto.NewAES(bytes.Repeat([]byte{8}, 32), nil)
	require.NoError(t, err)
	foreign, err := s3crypto.New(f, w, nil)
	require.NoError(t, err)
	_, err = foreign.ResumeUpload(t.Context(), createInput(), state, nil)
	require.ErrorIs(t, err, s3crypto.ErrAuthentication)

	require.NoError(t, u.Abort(t.Context()))
	require.ErrorContains(t, resume(createInput(), state), "NoSuchUpload")
}

// TestSaveComesFirst sees that nothing of a part leaves before it is in a state.
func TestSaveComesFirst(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	states := &savedStates{}
	u, err := newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), states.options())
	require.NoError(t, err)
	states.err = errors.New("disk full")
	require.ErrorIs(t, u.Part(t.Context(), 1, bytes.NewReader(random(5*mib))), states.err)
	require.ErrorIs(t, u.Part(t.Context(), 2, bytes.NewReader(random(3))), states.err)
	require.ErrorIs(t, u.Part(t.Context(), 1, bytes.NewReader(make([]byte, 5*mib))), s3crypto.ErrBodyChanged)
	require.Empty(t, f.seen)
	failed := states.err
	states.err = nil
	require.NoError(t, u.Part(t.Context(), 1, bytes.NewReader(random(5*mib))))
	require.NoError(t, u.Part(t.Context(), 2, bytes.NewReader(random(3))))
	require.Equal(t, 1, states.n, "the first state knew both")
	states.err = failed
	_, err = u.Complete(t.Context(), nil)
	require.ErrorIs(t, err, failed)
	require.Len(t, f.uploads[u.ID()].parts, 1, "the tag waits too")
	states.err = nil
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 2, states.n)
	requireWritten(t, f, "k", append(random(5*mib), random(3)...))
}

// TestResumeListing has S3 answer what it should not.
func TestResumeListing(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	c := newWriter(t, f, s3crypto.Options{})
	u, err := c.CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	require.NoError(t, u.Part(t.Context(), 1, bytes.NewReader(random(5*mib))))
	state, err := u.State()
	require.NoError(t, err)
	for name, alter := range map[string]func(*s3.ListPartsOutput){
		"does not end":      func(out *s3.ListPartsOutput) { out.IsTruncated = aws.Bool(true) },
		"without number":    func(out *s3.ListPartsOutput) { out.Parts[0].Size = nil },
		"older than part 9": func(out *s3.ListPartsOutput) { out.Parts[0].PartNumber = aws.Int32(9) },
	} {
		lying, err := s3crypto.New(listing{f, alter}, mustAES(t), &s3crypto.Options{PartSize: 5 * mib})
		require.NoError(t, err)
		_, err = lying.ResumeUpload(t.Context(), createInput(), state, nil)
		require.ErrorContains(t, err, name)
	}
}

func mustAES(t testing.TB) s3crypto.Wrapper {
	w, err := s3crypto.NewAES(writersKey, nil)
	require.NoError(t, err)
	return w
}

type listing struct {
	*fakeBucket
	alter func(*s3.ListPartsOutput)
}

func (l listing) ListParts(ctx context.Context, in *s3.ListPartsInput, o ...func(*s3.Options)) (*s3.ListPartsOutput, error) {
	out, err := l.fakeBucket.ListParts(ctx, in, o...)
	if err == nil && len(out.Parts) == 0 {
		out, err = l.fakeBucket.ListParts(ctx, &s3.ListPartsInput{UploadId: in.UploadId}, o...)
	}
	if err == nil {
		l.alter(out)
	}
	return out, err
}

// TestUploadContext sees that an upload is resumed with its encryption context only.
func TestUploadContext(t *testing.T) {
	t.Parallel()
	keys := kmstest.New(t, nil).SDK()
	key, err := keys.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	w, err := s3crypto.NewKMS(keys, *key.KeyMetadata.Arn, nil)
	require.NoError(t, err)
	f := newFakeBucket()
	c, err := s3crypto.New(f, w, nil)
	require.NoError(t, err)
	o := &s3crypto.PutOptions{Context: map[string]string{"tenant": "42"}}
	u, err := c.CreateUpload(t.Context(), createInput(), o)
	require.NoError(t, err)
	state, err := u.State()
	require.NoError(t, err)
	_, err = c.ResumeUpload(t.Context(), createInput(), state, o)
	require.NoError(t, err)
	_, err = c.ResumeUpload(t.Context(), createInput(), state, nil)
	require.ErrorIs(t, err, s3crypto.ErrContext)
	other := &s3crypto.PutOptions{Context: map[string]string{"tenant": "43"}}
	_, err = c.ResumeUpload(t.Context(), createInput(), state, other)
	require.ErrorIs(t, err, s3crypto.ErrContext)
	require.Contains(t, f.uploads[u.ID()].in.Metadata["x-amz-t"], `"tenant":"42"`)

	c, err = s3crypto.New(f, w, &s3crypto.Options{AcceptStoredContext: true})
	require.NoError(t, err)
	_, err = c.ResumeUpload(t.Context(), createInput(), state, nil)
	require.NoError(t, err)
	_, err = c.ResumeUpload(t.Context(), createInput(), state, other)
	require.ErrorIs(t, err, s3crypto.ErrContext, "one that is given is required")
}
