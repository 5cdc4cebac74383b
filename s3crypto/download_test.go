package s3crypto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// page is an io.WriterAt in memory that grows.
type page struct {
	fail func(off int64) error

	mu sync.Mutex
	b  []byte
}

func (p *page) WriteAt(b []byte, off int64) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		if err := p.fail(off); err != nil {
			return 0, err
		}
	}
	if end := int(off) + len(b); end > len(p.b) {
		p.b = append(p.b, make([]byte, end-len(p.b))...)
	}
	return copy(p.b[off:], b), nil
}

const partSize = 5 << 20

func TestDownload(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"V3", "V2 with file"} {
		for _, size := range []int{0, 1, 16, 1000, partSize - 16, partSize - 1, partSize, partSize + 1, partSize + 16, 3*partSize + 12345} {
			t.Run(fmt.Sprint(kind, " ", size), func(t *testing.T) {
				t.Parallel()
				s, plaintext := newShelf(), numbered(size)
				sealedAs(kind, plaintext).store(s, "key")
				in := getInput("key")
				before := *in
				got := &page{}
				out, err := lenientClient(t, s, nil).Download(t.Context(), in, got, nil)
				require.NoError(t, err)
				require.True(t, bytes.Equal(plaintext, got.b))
				require.EqualValues(t, size, *out.ContentLength)
				require.Equal(t, map[string]string{"own": "entry"}, out.Metadata)
				require.Equal(t, before, *in)
				gets := 0
				for _, call := range s.called() {
					if call == "GET key" {
						gets++
					}
				}
				require.Equal(t, max(1, (size+partSize-1)/partSize), gets)
			})
		}
	}
}

// TestDownloadOfWhatIsNotAuthentic flips a bit in each part, and in the tag. What was
// written is zeros afterwards.
func TestDownloadOfWhatIsNotAuthentic(t *testing.T) {
	t.Parallel()
	o := sealedAs("V3", bytes.Repeat([]byte{1}, 2*partSize+100))
	for _, at := range []int{0, partSize - 1, partSize, 2 * partSize, 2*partSize + 99, 2*partSize + 100, 2*partSize + 115} {
		s := newShelf()
		o.body[at] ^= 0x10
		o.store(s, "key")
		o.body[at] ^= 0x10
		got := &page{}
		out, err := lenientClient(t, s, nil).Download(t.Context(), getInput("key"), got, nil)
		require.ErrorIs(t, err, s3crypto.ErrAuthentication)
		require.Nil(t, out)
		require.Len(t, got.b, 2*partSize+100)
		require.Equal(t, len(got.b), bytes.Count(got.b, []byte{0}))
	}
	for _, n := range []int{16, partSize + 16, 2*partSize + 115} {
		s := newShelf()
		o.store(s, "key")
		s.get("key").size = int64(n)
		_, err := lenientClient(t, s, nil).Download(t.Context(), getInput("key"), &page{}, nil)
		require.ErrorIs(t, err, s3crypto.ErrAuthentication)
	}
}

// TestDownloadOfPartsInAnotherOrder has S3 answer with each other's parts.
func TestDownloadOfPartsInAnotherOrder(t *testing.T) {
	t.Parallel()
	s := newShelf()
	o := sealedAs("V3", numbered(2*partSize))
	o.store(s, "key")
	s.answered = func(in *s3.GetObjectInput, out *s3.GetObjectOutput) {
		at := partSize
		if first, _, _ := rangeOf(*in.Range, 2*partSize); first > 0 {
			at = 0
		}
		body := append(bytes.Clone(o.body[at:at+partSize]), o.body[2*partSize:]...)
		out.Body = io.NopCloser(bytes.NewReader(body[:*out.ContentLength]))
	}
	_, err := lenientClient(t, s, nil).Download(t.Context(), getInput("key"), &page{}, nil)
	require.ErrorIs(t, err, s3crypto.ErrAuthentication)
}

// TestDownloadThatIsCut has each transfer break off somewhere, and go on from there.
func TestDownloadThatIsCut(t *testing.T) {
	t.Parallel()
	plaintext := numbered(2*partSize + 1000)
	o := sealedAs("V3", plaintext)
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		o.store(s, "key")
		var cuts atomic.Int64
		errCut := errors.New("connection reset")
		s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) {
			if n := *out.ContentLength; n > 1<<20 {
				cuts.Add(1)
				out.Body = io.NopCloser(io.MultiReader(io.LimitReader(out.Body, 700_001), iotest.ErrReader(errCut)))
			} else if n > 16 && cuts.Add(1)%2 == 0 {
				out.Body = io.NopCloser(io.LimitReader(out.Body, n-16)) // in silence, and without the tag
			}
		}
		got := &page{}
		_, err := lenientClient(t, s, nil).Download(t.Context(), getInput("key"), got, nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, got.b))
		require.Greater(t, cuts.Load(), int64(10))

		// One that never gets anywhere is given up.
		s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) { out.Body = io.NopCloser(iotest.ErrReader(errCut)) }
		s.called()
		got = &page{}
		_, err = lenientClient(t, s, func(o *s3crypto.Options) { o.Concurrency = 1 }).Download(t.Context(), getInput("key"), got, nil)
		require.ErrorIs(t, err, errCut)
		require.Equal(t, slices.Concat([]string{"HEAD key"}, slices.Repeat([]string{"GET key"}, 5)), s.called())
		require.Empty(t, got.b)
	})
}

func TestDownloadOfAnObjectThatChanges(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", numbered(3*partSize)).store(s, "key")
	next := sealedAs("V3", numbered(3*partSize))
	var once sync.Once
	s.before = func(call, key string) error {
		if call == "GET" {
			once.Do(func() { s.put("key", next.body, next.metadata) })
		}
		return nil
	}
	got := &page{}
	_, err := lenientClient(t, s, nil).Download(t.Context(), getInput("key"), got, nil)
	require.ErrorIs(t, err, s3crypto.ErrChanged)
}

func TestDownloadIntoAWriterThatFails(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", bytes.Repeat([]byte{1}, 3*partSize)).store(s, "key")
	errFull := errors.New("disk full")
	var fails atomic.Int64
	got := &page{fail: func(off int64) error {
		if off == partSize+256<<10 && fails.Add(1) == 1 {
			return errFull
		}
		return nil
	}}
	c := lenientClient(t, s, nil)
	_, err := c.Download(t.Context(), getInput("key"), got, nil)
	require.ErrorIs(t, err, errFull)
	require.NotErrorIs(t, err, s3crypto.ErrAuthentication)
	require.NotContains(t, err.Error(), "left behind")
	require.Equal(t, len(got.b), bytes.Count(got.b, []byte{0}))

	got = &page{fail: func(off int64) error {
		if off == 256<<10 {
			return errFull
		}
		return nil
	}}
	_, err = c.Download(t.Context(), getInput("key"), got, nil)
	require.ErrorIs(t, err, errFull)
	require.ErrorContains(t, err, "left behind")
}

// TestDownloadErasesAllItCan has a place that can be written once, and not overwritten: all
// around it is.
func TestDownloadErasesAllItCan(t *testing.T) {
	t.Parallel()
	const bad, piece = partSize + 512<<10, 256 << 10
	s, o := newShelf(), sealedAs("V3", bytes.Repeat([]byte{1}, 3*partSize))
	o.body[len(o.body)-1] ^= 1
	o.store(s, "key")
	errBad := errors.New("bad sector")
	var writes atomic.Int64
	got := &page{fail: func(off int64) error {
		if off == bad && writes.Add(1) > 1 {
			return errBad
		}
		return nil
	}}
	_, err := lenientClient(t, s, nil).Download(t.Context(), getInput("key"), got, nil)
	require.ErrorIs(t, err, s3crypto.ErrAuthentication)
	require.ErrorIs(t, err, errBad)
	require.ErrorContains(t, err, "left behind")
	require.Equal(t, piece, bytes.Count(got.b, []byte{1}))
}

// halfWriter is a writer that says of half of what it writes that it was all.
type halfWriter struct{ page }

func (w *halfWriter) WriteAt(b []byte, off int64) (int, error) {
	return w.page.WriteAt(b[:len(b)/2], off)
}

func TestDownloadIntoAWriterThatWritesLess(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", bytes.Repeat([]byte{1}, 1000)).store(s, "key")
	got := &halfWriter{}
	_, err := lenientClient(t, s, nil).Download(t.Context(), getInput("key"), got, nil)
	require.ErrorIs(t, err, io.ErrShortWrite)
}

func TestDownloadIsCancelled(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", bytes.Repeat([]byte{1}, 3*partSize)).store(s, "key")
	ctx, cancel := context.WithCancelCause(t.Context())
	errStop := errors.New("stop")
	got := &page{fail: func(off int64) error {
		if off >= partSize {
			cancel(errStop)
		}
		return nil
	}}
	_, err := lenientClient(t, s, nil).Download(ctx, getInput("key"), got, nil)
	require.ErrorIs(t, err, errStop)
	require.Equal(t, len(got.b), bytes.Count(got.b, []byte{0}))
}

func TestDownloadRefuses(t *testing.T) {
	t.Parallel()
	s := newShelf()
	c := lenientClient(t, s, nil)
	sealedAs("V1", numbered(10)).store(s, "key")
	_, err := c.Download(t.Context(), getInput("key"), &page{}, nil)
	require.ErrorIs(t, err, s3crypto.ErrLegacy)
	s.put("key", []byte("plain"), nil)
	_, err = c.Download(t.Context(), getInput("key"), &page{}, nil)
	require.ErrorIs(t, err, s3crypto.ErrNotEncrypted)
	_, err = c.Download(t.Context(), &s3.GetObjectInput{Key: aws.String("key"), Range: aws.String("bytes=0-1")}, &page{}, nil)
	require.ErrorContains(t, err, "Range")
}
