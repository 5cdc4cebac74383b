package envelope

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// object is what ranges are fetched from. It counts what is open.
type object struct {
	t     *testing.T
	data  []byte
	calls atomic.Int64
	open  atomic.Int64
	body  func(part []byte) io.Reader // nil for all of part
}

func (o *object) fetch(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	o.calls.Add(1)
	if length < 1 || offset < 0 || offset+length > int64(len(o.data)) {
		o.t.Errorf("asked for %d bytes at %d of %d", length, offset, len(o.data))
		return nil, errors.New("416 Range Not Satisfiable")
	}
	o.open.Add(1)
	part := o.data[offset : offset+length]
	if o.body != nil {
		return &closing{o.body(part), &o.open}, nil
	}
	return &closing{bytes.NewReader(part), &o.open}, nil
}

type closing struct {
	io.Reader
	open *atomic.Int64
}

func (c *closing) Close() error {
	c.open.Add(-1)
	return errors.New("what closing says is of no interest")
}

// TestRangeReaderAt reads every part of an object, through bodies that give their
// bytes in different ways.
func TestRangeReaderAt(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func([]byte) io.Reader{
		"whole":         nil,
		"byte by byte":  func(b []byte) io.Reader { return iotest.OneByteReader(bytes.NewReader(b)) },
		"EOF with data": func(b []byte) io.Reader { return iotest.DataErrReader(bytes.NewReader(b)) },
	} {
		o := &object{t: t, data: counted(50), body: body}
		r := NewRangeReaderAt(t.Context(), 50, o.fetch)
		requireSame(t, o.data, r, name)
		require.Zero(t, o.open.Load(), name)
		require.NoError(t, iotest.TestReader(io.NewSectionReader(r, 0, 50), o.data))
	}
}

// TestRangeReaderAtFetchesOnce: one call for each read, and none for nothing.
func TestRangeReaderAtFetchesOnce(t *testing.T) {
	t.Parallel()
	o := &object{t: t, data: counted(100)}
	r := NewRangeReaderAt(t.Context(), 100, o.fetch)
	for _, c := range []struct {
		off      int64
		n, calls int
		err      error
	}{
		{0, 100, 1, nil}, {99, 1, 1, nil}, {10, 5, 1, nil}, {90, 20, 1, io.EOF},
		{5, 0, 0, nil}, {100, 1, 0, io.EOF}, {100, 0, 0, io.EOF}, {1 << 40, 1, 0, io.EOF},
	} {
		o.calls.Store(0)
		_, err := r.ReadAt(make([]byte, c.n), c.off)
		require.Equal(t, c.err, err, "%+v", c)
		require.EqualValues(t, c.calls, o.calls.Load(), "%+v", c)
	}
	_, err := r.ReadAt(make([]byte, 1), -1)
	require.ErrorContains(t, err, "negative offset")
	_, err = NewRangeReaderAt(t.Context(), -5, o.fetch).ReadAt(make([]byte, 1), 0)
	require.Equal(t, io.EOF, err)
}

// TestRangeReaderAtWrongAnswers: only exactly the range is an answer.
func TestRangeReaderAtWrongAnswers(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		body func([]byte) io.Reader
		want error
		n    int // bytes returned beside the error
	}{
		"empty":    {func([]byte) io.Reader { return bytes.NewReader(nil) }, io.ErrUnexpectedEOF, 0},
		"short":    {func(b []byte) io.Reader { return bytes.NewReader(b[:len(b)-1]) }, io.ErrUnexpectedEOF, 9},
		"one more": {func(b []byte) io.Reader { return bytes.NewReader(append(bytes.Clone(b), 0)) }, nil, 0},
		"endless":  {func([]byte) io.Reader { return neverEnding{} }, nil, 0},
		"breaks off": {func(b []byte) io.Reader {
			return io.MultiReader(bytes.NewReader(b[:len(b)-1]), iotest.ErrReader(broken))
		}, broken, 9},
		"breaks at once":   {func(b []byte) io.Reader { return iotest.ErrReader(broken) }, broken, 0},
		"breaks after all": {func(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b), iotest.ErrReader(broken)) }, broken, 0},
	} {
		o := &object{t: t, data: counted(100), body: c.body}
		r := NewRangeReaderAt(t.Context(), 100, o.fetch)
		for _, off := range []int64{0, 20, 90, 95} {
			p := make([]byte, 10)
			n, err := r.ReadAt(p, off)
			require.Error(t, err, name)
			require.NotErrorIs(t, err, io.EOF, name)
			require.LessOrEqual(t, n, c.n, name)
			require.Equal(t, o.data[off:int(off)+n], p[:n], name)
			if c.want == nil {
				require.ErrorContains(t, err, "got more", name)
			} else {
				require.ErrorIs(t, err, c.want, name)
			}
		}
		require.Zero(t, o.open.Load(), name)
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

// TestRangeReaderAtErrors: errors of the fetch function arrive as they are, also
// through a ReaderAt; the context is the constructor's.
func TestRangeReaderAtErrors(t *testing.T) {
	t.Parallel()
	type key struct{}
	gone := errors.New("404 Not Found")
	r := NewRangeReaderAt(context.WithValue(t.Context(), key{}, "mine"), 1000,
		func(ctx context.Context, _, _ int64) (io.ReadCloser, error) {
			require.Equal(t, "mine", ctx.Value(key{}))
			return nil, gone
		})
	_, err := r.ReadAt(make([]byte, 1), 0)
	require.Equal(t, gone, err)
	_, err = NewReaderAt(t.Context(), r, 1000, openManager, nil)
	require.ErrorIs(t, err, gone)
	require.EqualError(t, err, "envelope: reading the message: 404 Not Found")

	// a connection that ends is no end of the object
	r = NewRangeReaderAt(t.Context(), 1000, func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, io.EOF })
	_, err = r.ReadAt(make([]byte, 1), 0)
	require.Equal(t, io.ErrUnexpectedEOF, err)
	message := unsigned(t, counted(10), 4, false)
	whole, lost := bytes.NewReader(message), false
	r = NewRangeReaderAt(t.Context(), int64(len(message)), func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		if lost {
			return nil, io.EOF
		}
		return io.NopCloser(io.NewSectionReader(whole, off, n)), nil
	})
	opened, err := NewReaderAt(t.Context(), r, int64(len(message)), openManager, nil)
	require.NoError(t, err)
	lost = true
	_, err = opened.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotErrorIs(t, err, ErrTruncated)

	r = NewRangeReaderAt(t.Context(), 1000, func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, nil })
	_, err = r.ReadAt(make([]byte, 1), 0)
	require.ErrorContains(t, err, "no body")
}

// TestReaderAtOverRanges reads a message that is fetched in ranges, from several
// goroutines, and counts the requests.
func TestReaderAtOverRanges(t *testing.T) {
	t.Parallel()
	plaintext := counted(20_000)
	message := unsigned(t, plaintext, 1000, false)
	o := &object{t: t, data: message}
	size := int64(len(message))
	r, err := NewReaderAt(t.Context(), NewRangeReaderAt(t.Context(), size, o.fetch), size, openManager, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, o.calls.Load(), "the header and the final frame")
	got := make([]byte, len(plaintext))
	_, err = r.ReadAt(got, 0)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plaintext, got))
	require.EqualValues(t, 3, o.calls.Load())
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			part := io.NewSectionReader(r, int64(g)*2500, 2500)
			got, err := io.ReadAll(part)
			if err != nil || !bytes.Equal(plaintext[g*2500:(g+1)*2500], got) {
				t.Errorf("part %d: %d bytes, %v", g, len(got), err)
			}
		})
	}
	wg.Wait()
	require.Zero(t, o.open.Load())

	// A server that ignores ranges and sends everything gives an error, not a mess.
	o.body = func([]byte) io.Reader { return bytes.NewReader(message) }
	_, err = r.ReadAt(make([]byte, 10), 5000)
	require.ErrorContains(t, err, fmt.Sprintf("envelope: reading the message: %d bytes at ", 1032))
	require.ErrorContains(t, err, "got more")
}
