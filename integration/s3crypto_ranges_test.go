package integration

import (
	"fmt"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// rangeCase is a Range header, and the bytes from first to before end that it asks for. It
// cannot be satisfied if there are none.
type rangeCase struct {
	header     string
	first, end int
	suffix     int // how many last bytes it asks for, or 0
}

// rangesOf returns ranges with all borders of blocks, chunks and parts of n bytes.
func rangesOf(n int) (all []rangeCase) {
	var borders []int
	for _, b := range []int{0, 16, 32, s3ChunkSize, s3PartSize, 2 * s3PartSize, n} {
		borders = append(borders, b-17, b-16, b-1, b, b+1, b+15)
	}
	borders = slices.DeleteFunc(borders, func(b int) bool { return b < 0 })
	slices.Sort(borders)
	borders = slices.Compact(borders)
	for i, first := range borders {
		end := func(last int) int { return max(first, min(last+1, n)) }
		all = append(all, rangeCase{fmt.Sprintf("bytes=%d-%d", first, first), first, end(first), 0})
		all = append(all, rangeCase{fmt.Sprintf("bytes=%d-", first), first, max(first, n), 0})
		if i+1 < len(borders) {
			last := borders[i+1]
			all = append(all, rangeCase{fmt.Sprintf("bytes=%d-%d", first, last), first, end(last), 0})
		}
		if i+4 < len(borders) {
			last := borders[i+4]
			all = append(all, rangeCase{fmt.Sprintf("bytes=%d-%d", first, last), first, end(last), 0})
		}
		all = append(all, rangeCase{fmt.Sprintf("bytes=-%d", first), max(0, n-first), n, first})
	}
	const most = math.MaxInt64
	return append(all, rangeCase{fmt.Sprintf("bytes=0-%d", most-1), 0, n, 0}, rangeCase{fmt.Sprintf("bytes=-%d", most), 0, n, most})
}

// requireRanges reads ranges of an object, each by itself and as io.ReaderAt.
func requireRanges(t *testing.T, o *s3Object) {
	t.Helper()
	c, n := o.client(t), len(o.content)
	r, err := c.NewReaderAtUnauthenticated(t.Context(), o.getInput(), o.getOptions())
	require.NoError(t, err)
	for _, want := range rangesOf(n) {
		in := o.getInput()
		in.Range = &want.header
		out, err := c.GetRangeUnauthenticated(t.Context(), in, o.getOptions())
		// gofakes3 refuses the last bytes of an object that has fewer, which are all of it.
		refused := o.server.name == gofakes3Name && want.suffix > n
		if want.first >= want.end || refused {
			// Where the server finds it first, the error is the SDK's, with the same code.
			var outside smithy.APIError
			require.ErrorAs(t, err, &outside, want.header)
			require.Equal(t, "InvalidRange", outside.ErrorCode(), want.header)
			continue
		}
		require.NoError(t, err, want.header)
		content, err := drain(out, nil)
		require.NoError(t, err, want.header)
		requireSame(t, o.content[want.first:want.end], content, want.header)
		require.EqualValues(t, want.end-want.first, *out.ContentLength, want.header)
		require.Equal(t, fmt.Sprintf("bytes %d-%d/%d", want.first, want.end-1, n), *out.ContentRange)
		require.Equal(t, ownMetadata, out.Metadata)

		p := make([]byte, want.end-want.first+1)
		read, err := r.ReadAt(p[:want.end-want.first], int64(want.first))
		require.NoError(t, err, want.header)
		requireSame(t, o.content[want.first:want.end], p[:read], want.header)
		if want.end == n {
			read, err = r.ReadAt(p, int64(want.first))
			require.Equal(t, io.EOF, err)
			require.Equal(t, want.end-want.first, read)
		}
	}
	read, err := r.ReadAt(make([]byte, 1), int64(n))
	require.Equal(t, io.EOF, err)
	require.Zero(t, read)
}

// Ranges of an object in one piece and of one in parts, whose last part is the tag alone.
func TestVersityGWRanges(t *testing.T) {
	t.Parallel()
	s := versityGW(t, versityOptions{})
	wraps := newS3Wraps(t)
	for i, n := range []int{1, 33, s3ChunkSize + 5, s3PartSize} {
		o := &s3Object{
			server: s, wrap: wraps[i%3], policy: s3Formats[i%2], put: s3Places[i%3],
			key: fmt.Sprint("ranges/", n), content: s3Bytes(n),
		}
		require.NoError(t, s3Writers[1+i%3].write(t.Context(), t, o, s.client()))
		requireRanges(t, o)
	}
}

func TestFakeS3Ranges(t *testing.T) {
	t.Parallel()
	s := fakeS3Server(t)
	o := &s3Object{server: s, wrap: newS3Wraps(t)[0], policy: s3Formats[0], key: "ranges", content: s3Bytes(33)}
	require.NoError(t, putSeekable(t.Context(), t, o, s.client()))
	requireRanges(t, o)
}

// Several ranges, and what is no range, are refused before S3 is asked.
func requireRangesRefused(t *testing.T, s *s3Server) {
	t.Helper()
	o := &s3Object{server: s, wrap: newS3Wraps(t)[0], policy: s3Formats[0], key: "ranges", content: s3Bytes(100)}
	require.NoError(t, putSeekable(t.Context(), t, o, s.client()))
	for _, header := range []string{"", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "bytes=a-b", "0-1", "items=0-1"} {
		in := o.getInput()
		in.Range = aws.String(header)
		_, err := o.client(t).GetRangeUnauthenticated(t.Context(), in, o.getOptions())
		require.Error(t, err, header)
	}
	in := o.getInput()
	in.Range = aws.String("bytes=0-1")
	_, err := o.client(t).Get(t.Context(), in, o.getOptions())
	require.Error(t, err)
}

// An object that is replaced while it is read in parts is noticed.
func requireReplacementNoticed(t *testing.T, s *s3Server) {
	t.Helper()
	o := &s3Object{server: s, wrap: newS3Wraps(t)[0], policy: s3Formats[0], key: "replaced", content: s3Bytes(100)}
	require.NoError(t, putSeekable(t.Context(), t, o, s.client()))
	r, err := o.client(t).NewReaderAtUnauthenticated(t.Context(), o.getInput(), o.getOptions())
	require.NoError(t, err)
	p := make([]byte, 10)
	_, err = r.ReadAt(p, 0)
	require.NoError(t, err)
	require.NoError(t, putSeekable(t.Context(), t, o, s.client()))
	_, err = r.ReadAt(p, 0)
	require.ErrorIs(t, err, s3crypto.ErrChanged)
}
