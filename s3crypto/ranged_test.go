package s3crypto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

func rangeInput(header string) *s3.GetObjectInput {
	in := getInput("key")
	in.Range = &header
	return in
}

// TestRanges asks for every range of small objects, and compares with what RFC 9110 says
// of the plaintext.
func TestRanges(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		if !isGCM(kind) {
			continue
		}
		for _, size := range []int{0, 1, 15, 16, 17, 33} {
			t.Run(fmt.Sprint(kind, " ", size), func(t *testing.T) {
				t.Parallel()
				s, plaintext := newShelf(), numbered(size)
				sealedAs(kind, plaintext).store(s, "key")
				c := lenientClient(t, s, nil)
				headers := []string{"bytes=0-9223372036854775807", "bytes=-9223372036854775807", "bytes=9223372036854775807-"}
				for a := range size + 20 {
					headers = append(headers, fmt.Sprintf("bytes=%d-", a), fmt.Sprintf("bytes=-%d", a))
					for b := a; b < size+20; b++ {
						headers = append(headers, fmt.Sprintf("bytes=%d-%d", a, b))
					}
				}
				for _, header := range headers {
					in := rangeInput(header)
					before := *in
					out, err := c.GetRangeUnauthenticated(t.Context(), in, nil)
					require.Equal(t, before, *in)
					first, end, ok := rangeOf(header, int64(size))
					if !ok {
						var answer smithy.APIError
						require.ErrorAs(t, err, &answer, header)
						require.Equal(t, "InvalidRange", answer.ErrorCode())
						var own *s3crypto.RangeError
						if errors.As(err, &own) {
							require.EqualValues(t, size, own.Length)
							require.Equal(t, fmt.Sprintf("s3crypto: the requested range is not satisfiable: %q of %d bytes", own.Range, size), own.Error())
							require.Equal(t, smithy.FaultClient, own.ErrorFault())
						}
						continue
					}
					require.NoError(t, err, header)
					got, err := io.ReadAll(iotest.HalfReader(out.Body))
					require.NoError(t, err, header)
					require.Equal(t, plaintext[first:end], got, header)
					require.EqualValues(t, end-first, *out.ContentLength)
					require.Equal(t, fmt.Sprintf("bytes %d-%d/%d", first, end-1, size), *out.ContentRange)
					require.Equal(t, map[string]string{"own": "entry"}, out.Metadata)
					require.NoError(t, out.Body.Close())
				}
			})
		}
	}
}

func TestRangesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", numbered(100)).store(s, "key")
	c := lenientClient(t, s, nil)
	for _, header := range []string{
		"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=2-1", "bytes=+1-2", "bytes=1-+2", "bytes=--1", "bytes=1-2,3-4",
		"bytes= 1-2", "bits=1-2", "bytes=1-18446744073709551616", "bytes=a-b", "bytes=0x1-2", "Bytes=1-2",
	} {
		_, err := c.GetRangeUnauthenticated(t.Context(), rangeInput(header), nil)
		require.ErrorContains(t, err, "not a range", header)
	}
	_, err := c.GetRangeUnauthenticated(t.Context(), getInput("key"), nil)
	require.ErrorContains(t, err, "Range")
	part := rangeInput("bytes=0-1")
	part.PartNumber = aws.Int32(1)
	_, err = c.GetRangeUnauthenticated(t.Context(), part, nil)
	require.ErrorContains(t, err, "PartNumber")
	require.Empty(t, s.called())

	sealedAs("V1", numbered(100)).store(s, "key")
	_, err = c.GetRangeUnauthenticated(t.Context(), rangeInput("bytes=0-1"), nil)
	require.ErrorIs(t, err, s3crypto.ErrLegacy)
	s.put("key", []byte("short"), sealedAs("V3", nil).metadata)
	_, err = c.GetRangeUnauthenticated(t.Context(), rangeInput("bytes=0-1"), nil)
	require.ErrorIs(t, err, s3crypto.ErrAuthentication)
}

// TestRangesOfAnotherObject has a server answer something else than what it was asked.
func TestRangesOfAnotherObject(t *testing.T) {
	t.Parallel()
	for _, contentRange := range []string{
		"bytes 11-20/116", "bytes 10-19/116", "bytes 10-21/116", "bytes 10-20/18", "bytes 10-20/*", "bytes */116", "10-20/116",
		"bytes 20-10/116", "bytes 10-20", "bytes 10/116", "",
	} {
		s := newShelf()
		sealedAs("V3", numbered(100)).store(s, "key")
		s.answered = func(in *s3.GetObjectInput, out *s3.GetObjectOutput) {
			if out.ContentRange = &contentRange; contentRange == "" {
				out.ContentRange = nil
			}
		}
		c := lenientClient(t, s, nil)
		_, err := c.GetRangeUnauthenticated(t.Context(), rangeInput("bytes=10-20"), nil)
		require.ErrorIs(t, err, s3crypto.ErrResponse, contentRange)
	}
	s := newShelf()
	sealedAs("V3", numbered(100)).store(s, "key")
	c := lenientClient(t, s, nil)
	for _, header := range []string{"bytes=10-20", "bytes=-20"} { // with the tag in the answer, or without
		s.answered = func(in *s3.GetObjectInput, out *s3.GetObjectOutput) {
			out.Body = io.NopCloser(io.LimitReader(out.Body, *out.ContentLength-1))
		}
		out, err := c.GetRangeUnauthenticated(t.Context(), rangeInput(header), nil)
		require.NoError(t, err)
		_, err = io.ReadAll(out.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
}

// TestRangeThatIsLongerThanItsLength is refused however often it is asked.
func TestRangeThatIsLongerThanItsLength(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", numbered(100)).store(s, "key")
	s.answered = func(in *s3.GetObjectInput, out *s3.GetObjectOutput) {
		out.Body = io.NopCloser(io.MultiReader(out.Body, strings.NewReader("x")))
	}
	for _, header := range []string{"bytes=10-20", "bytes=-20"} {
		out, err := lenientClient(t, s, nil).GetRangeUnauthenticated(t.Context(), rangeInput(header), nil)
		require.NoError(t, err)
		_, err = io.ReadAll(out.Body)
		require.ErrorIs(t, err, s3crypto.ErrResponse)
		_, err = out.Body.Read(make([]byte, 1))
		require.ErrorIs(t, err, s3crypto.ErrResponse)
		require.NoError(t, out.Body.Close())
	}
}

// TestRangesNoticeNothing shows what unauthenticated means.
func TestRangesNoticeNothing(t *testing.T) {
	t.Parallel()
	s, o := newShelf(), sealedAs("V3", numbered(100))
	o.body[10] ^= 0xff
	o.store(s, "key")
	out, err := lenientClient(t, s, nil).GetRangeUnauthenticated(t.Context(), rangeInput("bytes=10-10"), nil)
	require.NoError(t, err)
	got, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.Equal(t, []byte{numbered(100)[10] ^ 0xff}, got)
}

func TestReaderAt(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		if !isGCM(kind) {
			continue
		}
		for _, size := range []int{0, 1, 16, 1000} {
			s, plaintext := newShelf(), numbered(size)
			sealedAs(kind, plaintext).store(s, "key")
			c := lenientClient(t, s, nil)
			r, err := c.NewReaderAtUnauthenticated(t.Context(), getInput("key"), nil)
			require.NoError(t, err)
			require.EqualValues(t, size, r.Size())
			require.NoError(t, iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), plaintext))
			for _, off := range []int64{int64(size), int64(size) + 1, 1 << 62} {
				n, err := r.ReadAt(make([]byte, 1), off)
				require.Equal(t, io.EOF, err)
				require.Zero(t, n)
			}
			_, err = r.ReadAt(nil, -1)
			require.Error(t, err)
		}
	}
}

func TestReaderAtConcurrently(t *testing.T) {
	t.Parallel()
	s, plaintext := newShelf(), numbered(100_000)
	sealedAs("V3", plaintext).store(s, "key")
	r, err := lenientClient(t, s, nil).NewReaderAtUnauthenticated(t.Context(), getInput("key"), nil)
	require.NoError(t, err)
	var readers sync.WaitGroup
	for i := range 20 {
		readers.Go(func() {
			p := make([]byte, 7001)
			n, err := r.ReadAt(p, int64(i*4999))
			if want := plaintext[i*4999 : min(i*4999+7001, len(plaintext))]; !bytes.Equal(want, p[:n]) || err != nil && err != io.EOF {
				t.Errorf("%d: %d bytes, %v", i, n, err)
			}
		})
	}
	readers.Wait()
}

func TestReaderAtIsPinned(t *testing.T) {
	t.Parallel()
	for name, heeds := range map[string]bool{"server with If-Match": true, "server without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			sealedAs("V3", numbered(100)).store(s, "key")
			c := lenientClient(t, s, nil)
			in := getInput("key")
			in.IfNoneMatch = aws.String(`"another"`)
			r, err := c.NewReaderAtUnauthenticated(t.Context(), in, nil)
			require.NoError(t, err)
			p := make([]byte, 10)
			_, err = r.ReadAt(p, 90)
			require.NoError(t, err)

			old := s.get("key").etag
			sealedAs("V3", numbered(100)).store(s, "key")
			if !heeds {
				s.get("key").etag = old
				s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) { out.ETag = aws.String(`"new"`) }
			}
			_, err = r.ReadAt(p, 90)
			require.ErrorIs(t, err, s3crypto.ErrChanged)
			sealedAs("V3", numbered(10)).store(s, "key") // shorter
			_, err = r.ReadAt(p, 90)
			require.ErrorIs(t, err, s3crypto.ErrChanged)
		})
	}
}

func TestReaderAtFaults(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", numbered(100)).store(s, "key")
	c := lenientClient(t, s, nil)
	for _, set := range []func(*s3.GetObjectInput){
		func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=0-1") },
		func(in *s3.GetObjectInput) { in.PartNumber = aws.Int32(1) },
	} {
		in := getInput("key")
		set(in)
		_, err := c.NewReaderAtUnauthenticated(t.Context(), in, nil)
		require.ErrorContains(t, err, "PartNumber")
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := c.NewReaderAtUnauthenticated(ctx, getInput("key"), nil)
	require.NoError(t, err)
	p := make([]byte, 10)
	s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) { out.ContentRange = aws.String("bytes 1-10/116") }
	_, err = r.ReadAt(p, 0)
	require.ErrorIs(t, err, s3crypto.ErrResponse)
	s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) { out.ContentRange = nil }
	_, err = r.ReadAt(p, 0)
	require.ErrorIs(t, err, s3crypto.ErrResponse)
	s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) {
		out.Body = io.NopCloser(io.LimitReader(out.Body, 3))
	}
	n, err := r.ReadAt(p, 0)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, numbered(3), p[:n])
	s.before = func(string, string) error { return refusal("AccessDenied") }
	_, err = r.ReadAt(p, 0)
	require.ErrorContains(t, err, "AccessDenied")
	s.before = nil
	cancel()
	_, err = r.ReadAt(p, 0)
	require.ErrorIs(t, err, context.Canceled)

	s.get("key").etag = ""
	_, err = c.NewReaderAtUnauthenticated(t.Context(), getInput("key"), nil)
	require.ErrorIs(t, err, s3crypto.ErrResponse)
	sealedAs("V2 CBC", numbered(100)).store(s, "key")
	_, err = c.NewReaderAtUnauthenticated(t.Context(), getInput("key"), nil)
	require.ErrorIs(t, err, s3crypto.ErrLegacy)
	delete(s.things, "key")
	_, err = c.NewReaderAtUnauthenticated(t.Context(), getInput("key"), nil)
	require.ErrorContains(t, err, "NotFound")
}
