package s3crypto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// GetObject is what a writer needs of reading: to see whether an instruction file is there.
func (f *fakeBucket) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return do(f, "GetObject", *in.Key, in, func() (*s3.GetObjectOutput, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		o := f.current(*in.Key)
		if o == nil {
			return nil, apiError("NoSuchKey")
		}
		return &s3.GetObjectOutput{
			ETag: &o.etag, VersionId: o.versionID(), Metadata: maps.Clone(o.metadata),
			ContentLength: &o.size, Body: io.NopCloser(bytes.NewReader(o.body)),
		}, nil
	})
}

var errFault = errors.New("fault")

// faults has the n-th request of a session fail, or be the last one before the session's
// context ends.
type faults struct {
	n      int
	lost   bool // S3 has done what it was asked to
	all    bool // those after it fail too
	cancel func()

	mu    sync.Mutex
	asked int
	name  string // of the request
}

func (s *faults) happened() bool { return s.name != "" }

func (s *faults) hook(op, what string, _ int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.asked == s.n
	s.asked++
	if now {
		s.name = op + " " + what
	}
	switch {
	case now && s.cancel != nil:
		s.cancel()
		return context.Canceled
	case now || s.all && s.happened():
		return errFault
	}
	return nil
}

// TestPutFaults has each request of Put fail, before or after S3 has done what it asks
// for, and sees what is there then: the new object or the one before it, with the file
// that it needs, or none at all.
func TestPutFaults(t *testing.T) {
	t.Parallel()
	for kind, body := range bodies() {
		for _, inFile := range []bool{false, true} {
			for _, versions := range []bool{false, true} {
				for _, lost := range []bool{false, true} {
					for _, mode := range []string{"once", "from then on", "cancelled"} {
						t.Run(fmt.Sprint(kind, " file:", inFile, " versions:", versions, " lost:", lost, " ", mode), func(t *testing.T) {
							t.Parallel()
							for n := 0; putWithFault(t, n, body(), inFile, versions, lost, mode); n++ {
								require.Less(t, n, 20)
							}
						})
					}
				}
			}
		}
	}
}

// putWithFault reports whether there was an n-th request.
func putWithFault(t *testing.T, n int, body io.Reader, inFile, versions, lost bool, mode string) bool {
	before := []byte("before")
	after, err := io.ReadAll(body)
	require.NoError(t, err)
	f := newFakeBucket()
	f.versions, f.digests = versions, 0
	c := newWriter(t, f, s3crypto.Options{InstructionFiles: inFile})
	_, err = c.Put(t.Context(), putInput(bytes.NewReader(before)), nil)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &faults{n: n, lost: lost, all: mode == "from then on"}
	if mode == "cancelled" {
		s.cancel = cancel
	}
	if f.fail = s.hook; lost {
		f.fail, f.lose = nil, s.hook
	}
	if len(after) > mib {
		body = plainReader{bytes.NewReader(after)}
	} else {
		body = bytes.NewReader(after)
	}
	_, err = c.Put(ctx, putInput(body), nil)
	f.fail, f.lose = nil, nil
	if !s.happened() {
		require.NoError(t, err)
	}
	require.Empty(t, f.leaks, s.name)
	if err == nil {
		requireWritten(t, f, "k", after)
		require.Empty(t, f.uploads, s.name)
		return s.happened()
	}
	if s.all {
		return true // nothing can be tidied up
	}
	if !lost || s.name != "CreateMultipartUpload k" { // the answer has the upload's only name
		require.Empty(t, f.uploads, s.name)
	}
	if f.current("k") == nil {
		require.False(t, versions, "%s: the object before is lost", s.name)
		require.Empty(t, f.keys(), s.name)
		return true
	}
	got := written(t, f, "k")
	require.True(t, bytes.Equal(got, before) || bytes.Equal(got, after), s.name)
	return true
}

// TestUploadFaults has each request of an upload fail, and tries again what failed.
func TestUploadFaults(t *testing.T) {
	t.Parallel()
	plaintext := random(11 * mib)
	for _, lost := range []bool{false, true} {
		for n, happened := 1, true; happened; n++ { // the first one creates it
			f := newFakeBucket()
			f.digests = 0
			s := &faults{n: n, lost: lost}
			if f.fail = s.hook; lost {
				f.fail, f.lose = nil, s.hook
			}
			u, err := newWriter(t, f, s3crypto.Options{InstructionFiles: true}).CreateUpload(t.Context(), createInput(), nil)
			require.NoError(t, err)
			failures := 0
			try := func(do func() error) {
				for err := do(); err != nil; err = do() {
					require.ErrorIs(t, err, errFault, s.name)
					failures++
					require.Equal(t, 1, failures, s.name)
				}
			}
			for _, number := range []int32{3, 1, 2} {
				try(func() error { return u.Part(t.Context(), number, partOf(plaintext, number)) })
			}
			try(func() error { _, err := u.Complete(t.Context(), nil); return err })
			requireWritten(t, f, "k", plaintext)
			happened = s.happened()
			require.Less(t, n, 20)
		}
	}
}
