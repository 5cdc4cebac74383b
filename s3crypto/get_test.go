package s3crypto_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

func getInput(key string) *s3.GetObjectInput {
	return &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key}
}

// getter is Get or GetStream.
type getter func(*s3crypto.Client, context.Context, *s3.GetObjectInput, *s3crypto.GetOptions) (*s3.GetObjectOutput, error)

// readers are the ways to read a whole object.
var readers = []struct {
	name string
	get  getter
	set  func(*s3crypto.Options)
}{
	{"memory", (*s3crypto.Client).Get, nil},
	{"spool", (*s3crypto.Client).Get, func(o *s3crypto.Options) { o.MaxBuffered = 1 }},
	{"stream", (*s3crypto.Client).GetStream, nil},
}

func requireEmptyDir(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestGet(t *testing.T) {
	t.Parallel()
	const chunk = 256 << 10
	sizes := []int{0, 1, 15, 16, 17, 31, 32, 33, 1000, chunk - 17, chunk - 16, chunk - 1, chunk, chunk + 1, chunk + 16, chunk + 17, 3*chunk - 1, 3*chunk + 5}
	for _, kind := range kinds {
		for _, way := range readers {
			t.Run(kind+" "+way.name, func(t *testing.T) {
				t.Parallel()
				s := newShelf()
				c := lenientClient(t, s, way.set)
				for _, size := range sizes {
					for _, announced := range []bool{true, false} {
						plaintext := numbered(size)
						sealedAs(kind, plaintext).store(s, "key")
						s.answered = func(in *s3.GetObjectInput, out *s3.GetObjectOutput) {
							if !announced {
								out.ContentLength = nil
							}
							if size < 2000 {
								out.Body = io.NopCloser(iotest.OneByteReader(out.Body))
							}
						}
						in := getInput("key")
						before := *in
						out, err := way.get(c, t.Context(), in, nil)
						require.NoError(t, err, size)
						got, err := io.ReadAll(out.Body)
						require.NoError(t, err, size)
						require.True(t, bytes.Equal(plaintext, got), "%d bytes", size)
						require.NoError(t, out.Body.Close())

						require.Equal(t, before, *in)
						require.Equal(t, map[string]string{"own": "entry"}, out.Metadata)
						require.Equal(t, s.get("key").etag, *out.ETag)
						if way.name != "stream" || isGCM(kind) && announced {
							require.EqualValues(t, size, *out.ContentLength)
						} else {
							require.Nil(t, out.ContentLength)
						}
						if body, is := out.Body.(*s3crypto.UnverifiedBody); is {
							require.Equal(t, isGCM(kind), body.Verified())
						}
					}
				}
			})
		}
	}
}

func TestGetWriteTo(t *testing.T) {
	t.Parallel()
	s, plaintext := newShelf(), numbered(600_001)
	sealedAs("V3", plaintext).store(s, "key")
	c := lenientClient(t, s, nil)
	out, err := c.Get(t.Context(), getInput("key"), nil)
	require.NoError(t, err)
	head := make([]byte, 1000)
	_, err = io.ReadFull(out.Body, head)
	require.NoError(t, err)
	var rest bytes.Buffer
	n, err := out.Body.(io.WriterTo).WriteTo(&rest)
	require.NoError(t, err)
	require.EqualValues(t, len(plaintext)-1000, n)
	require.True(t, bytes.Equal(plaintext, append(head, rest.Bytes()...)))

	out, err = c.GetStream(t.Context(), getInput("key"), nil)
	require.NoError(t, err)
	errFull := errors.New("full")
	_, err = io.Copy(iotestWriter{errFull}, out.Body)
	require.ErrorIs(t, err, errFull)
	require.False(t, out.Body.(*s3crypto.UnverifiedBody).Verified())
}

type iotestWriter struct{ err error }

func (w iotestWriter) Write(p []byte) (int, error) { return len(p) / 2, w.err }

// TestGetTemporaryFile looks at the directory while a body is open: it has no name there,
// where the system allows it, and none after Close wherever.
func TestGetTemporaryFile(t *testing.T) {
	t.Parallel()
	s, dir := newShelf(), t.TempDir()
	sealedAs("V3", numbered(100_000)).store(s, "key")
	c := lenientClient(t, s, func(o *s3crypto.Options) { o.MaxBuffered, o.TempDir = 99_999, dir })
	out, err := c.Get(t.Context(), getInput("key"), nil)
	require.NoError(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode())
	}
	part := make([]byte, 10)
	_, err = io.ReadFull(out.Body, part)
	require.NoError(t, err)
	require.NoError(t, out.Body.Close())
	require.NoError(t, out.Body.Close(), "twice")
	requireEmptyDir(t, dir)
	_, err = out.Body.Read(part)
	require.ErrorIs(t, err, fs.ErrClosed)

	s.get("key").body = bytes.NewReader(make([]byte, 100_016))
	_, err = c.Get(t.Context(), getInput("key"), nil)
	require.ErrorIs(t, err, s3crypto.ErrAuthentication)
	requireEmptyDir(t, dir)

	sealedAs("V3", numbered(100_000)).store(s, "key")
	c = lenientClient(t, s, func(o *s3crypto.Options) { o.MaxBuffered, o.TempDir = 1, dir+"/missing" })
	_, err = c.Get(t.Context(), getInput("key"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)

	// One that turns out to be longer than what is held in memory goes to the file too.
	s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) { out.ContentLength = nil }
	sealedAs("V3", numbered(1<<20)).store(s, "key")
	c = lenientClient(t, s, func(o *s3crypto.Options) { o.MaxBuffered, o.TempDir = 600_000, dir })
	got, err := readAll(t, c, (*s3crypto.Client).Get, nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(numbered(1<<20), got))
}

// readAll returns what can be read of an object before the error.
func readAll(t *testing.T, c *s3crypto.Client, get getter, o *s3crypto.GetOptions) ([]byte, error) {
	out, err := get(c, t.Context(), getInput("key"), o)
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// TestStreamWithholdsTheEnd reads exactly as many bytes as the object has, which must not
// be possible if the object is not authentic.
func TestStreamWithholdsTheEnd(t *testing.T) {
	t.Parallel()
	const chunk = 256 << 10
	s := newShelf()
	c := lenientClient(t, s, nil)
	for _, size := range []int{1, 16, chunk - 1, chunk, chunk + 1, 2 * chunk, 2*chunk + 16} {
		for _, announced := range []bool{true, false} {
			o := sealedAs("V3", numbered(size))
			o.body[len(o.body)-1] ^= 1
			o.store(s, "key")
			s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) {
				if !announced {
					out.ContentLength = nil
				}
			}
			out, err := c.GetStream(t.Context(), getInput("key"), nil)
			require.NoError(t, err)
			got := make([]byte, size)
			n, err := io.ReadFull(out.Body, got)
			require.ErrorIs(t, err, s3crypto.ErrAuthentication)
			require.Less(t, n, size)
			_, err = out.Body.Read(got)
			require.ErrorIs(t, err, s3crypto.ErrAuthentication, "it stays so")
			require.False(t, out.Body.(*s3crypto.UnverifiedBody).Verified())
		}
	}
}

func TestGetFaults(t *testing.T) {
	t.Parallel()
	errCut := errors.New("connection reset")
	for name, test := range map[string]struct {
		answered func(*s3.GetObjectOutput)
		want     error
	}{
		"cut": {func(out *s3.GetObjectOutput) {
			out.Body = io.NopCloser(io.MultiReader(io.LimitReader(out.Body, 300_000), iotest.ErrReader(errCut)))
		}, errCut},
		"cut in silence": {func(out *s3.GetObjectOutput) {
			out.Body = io.NopCloser(io.LimitReader(out.Body, 300_000))
		}, io.ErrUnexpectedEOF},
		"cut at a piece's end": {func(out *s3.GetObjectOutput) {
			out.ContentLength = nil
			out.Body = io.NopCloser(io.MultiReader(io.LimitReader(out.Body, 300_000), iotest.ErrReader(io.ErrUnexpectedEOF)))
		}, io.ErrUnexpectedEOF},
		"longer than announced": {func(out *s3.GetObjectOutput) {
			out.Body = io.NopCloser(io.MultiReader(out.Body, strings.NewReader("more")))
		}, s3crypto.ErrResponse},
		"a range":   {func(out *s3.GetObjectOutput) { out.ContentRange = aws.String("bytes 0-10/400016") }, s3crypto.ErrResponse},
		"too large": {func(out *s3.GetObjectOutput) { out.ContentLength = aws.Int64(1<<36 - 15) }, s3crypto.ErrTooLarge},
		"nothing ever": {func(out *s3.GetObjectOutput) {
			out.Body = io.NopCloser(iotest.ErrReader(nil))
		}, io.ErrNoProgress},
	} {
		for _, way := range readers {
			t.Run(name+" "+way.name, func(t *testing.T) {
				t.Parallel()
				s := newShelf()
				sealedAs("V3", numbered(400_000)).store(s, "key")
				s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) { test.answered(out) }
				got, err := readAll(t, lenientClient(t, s, way.set), way.get, nil)
				require.ErrorIs(t, err, test.want)
				require.LessOrEqual(t, len(got), 300_000)
				if way.name != "stream" {
					require.Empty(t, got)
				}
			})
		}
	}
}

func TestGetIsCancelled(t *testing.T) {
	t.Parallel()
	s, dir := newShelf(), t.TempDir()
	sealedAs("V3", numbered(1_000_000)).store(s, "key")
	ctx, cancel := context.WithCancel(t.Context())
	s.answered = func(*s3.GetObjectInput, *s3.GetObjectOutput) { cancel() }
	c := lenientClient(t, s, func(o *s3crypto.Options) { o.MaxBuffered, o.TempDir = 1, dir })
	_, err := c.Get(ctx, getInput("key"), nil)
	require.ErrorIs(t, err, context.Canceled)
	requireEmptyDir(t, dir)
}

// TestStreamIsClosedWhileItIsRead has Close end a Read that waits for S3.
func TestStreamIsClosedWhileItIsRead(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", numbered(1000)).store(s, "key")
	stalled, w := io.Pipe()
	s.answered = func(_ *s3.GetObjectInput, out *s3.GetObjectOutput) { out.Body = stalled }
	out, err := lenientClient(t, s, nil).GetStream(t.Context(), getInput("key"), nil)
	require.NoError(t, err)
	read := make(chan error)
	go func() {
		_, err := out.Body.Read(make([]byte, 10))
		read <- err
	}()
	_, err = w.Write(make([]byte, 100)) // the Read is under way
	require.NoError(t, err)
	require.NoError(t, out.Body.Close())
	require.ErrorIs(t, <-read, io.ErrClosedPipe)
	_, err = out.Body.Read(make([]byte, 10))
	require.ErrorIs(t, err, fs.ErrClosed)
}

func TestGetRefusesParts(t *testing.T) {
	t.Parallel()
	s := newShelf()
	c := lenientClient(t, s, nil)
	ranged, part := getInput("key"), getInput("key")
	ranged.Range, part.PartNumber = aws.String("bytes=0-1"), aws.Int32(1)
	for _, get := range []getter{(*s3crypto.Client).Get, (*s3crypto.Client).GetStream} {
		for _, in := range []*s3.GetObjectInput{ranged, part} {
			_, err := get(c, t.Context(), in, nil)
			require.ErrorContains(t, err, "GetRangeUnauthenticated")
		}
	}
	require.Empty(t, s.called())
}

func TestGetOptions(t *testing.T) {
	t.Parallel()
	s := newShelf()
	o := sealedAs("V3 with file", []byte("hello"))
	o.store(s, "key")
	s.put("key.partner", o.file, nil)
	delete(s.things, "key.instruction")
	c := lenientClient(t, s, nil)
	_, err := readAll(t, c, (*s3crypto.Client).Get, nil)
	require.ErrorContains(t, err, `"key.instruction"`)
	got, err := readAll(t, c, (*s3crypto.Client).Get, &s3crypto.GetOptions{InstructionSuffix: ".partner"})
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))

	version := s.get("key.partner").version
	_, err = readAll(t, c, (*s3crypto.Client).Get, &s3crypto.GetOptions{InstructionSuffix: ".partner", InstructionVersionID: version})
	require.NoError(t, err)
	_, err = readAll(t, c, (*s3crypto.Client).Get, &s3crypto.GetOptions{InstructionSuffix: ".partner", InstructionVersionID: "v0"})
	require.ErrorContains(t, err, "NoSuchVersion")
	require.ErrorContains(t, err, `"key.partner"`)

	_, err = readAll(t, c, (*s3crypto.Client).Get, &s3crypto.GetOptions{InstructionSuffix: ".partner", Context: map[string]string{"a": "b"}})
	require.ErrorIs(t, err, s3crypto.ErrContext, "AES binds none")

	// S3's errors are returned as they are.
	s.before = func(call, key string) error { return refusal("AccessDenied") }
	_, err = readAll(t, c, (*s3crypto.Client).Get, nil)
	require.Equal(t, refusal("AccessDenied"), err)
	s.before = func(call, key string) error {
		if key == "key.instruction" {
			return refusal("AccessDenied")
		}
		return nil
	}
	_, err = readAll(t, c, (*s3crypto.Client).Get, nil)
	require.ErrorContains(t, err, `s3crypto: instruction file "key.instruction": `)
	require.NotErrorIs(t, err, s3crypto.ErrNotEncrypted)
}
