package envelope

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// endingContext is done after its error has been asked for some times.
type endingContext struct {
	context.Context
	left chan struct{}
}

func (c endingContext) Err() error {
	select {
	case <-c.left:
		return nil
	default:
		return context.Canceled
	}
}

func endAfter(ctx context.Context, n int) endingContext {
	left := make(chan struct{}, n)
	for range n {
		left <- struct{}{}
	}
	return endingContext{ctx, left}
}

// TestCancelledMidway ends the context at each of the first looks that a call takes at
// it: there are as many as there are batches, and more.
func TestCancelledMidway(t *testing.T) {
	t.Parallel()
	plaintext := counted(1 << 20)
	message, err := Encrypt(t.Context(), openManager, plaintext, write(0x0478, 0))
	require.NoError(t, err)
	for _, p := range []int{1, 2, 8} {
		o := write(0x0478, 0)
		o.Parallelism = p
		for n := range 10 {
			out, err := Encrypt(endAfter(t.Context(), n), openManager, plaintext, o)
			require.ErrorIs(t, err, context.Canceled)
			require.Nil(t, out)

			dst := make([]byte, 0, len(message))
			out, h, err := AppendDecrypt(endAfter(t.Context(), n), dst, openManager, message, &DecryptOptions{Parallelism: p})
			require.ErrorIs(t, err, context.Canceled)
			require.Empty(t, out)
			require.Nil(t, h)
			requireWiped(t, dst)
		}
	}
}

// TestStreamsFail lets sources and destinations fail inside, between and at the ends
// of batches. The Writer stops there; the Reader releases a true beginning.
func TestStreamsFail(t *testing.T) {
	t.Parallel()
	plaintext := counted(parallelFrom + 4*batchLen + 1)
	for _, p := range []int{1, 2, 8} {
		o := write(0x0478, 0)
		o.Parallelism = p
		message, err := Encrypt(t.Context(), openManager, plaintext, o)
		require.NoError(t, err)
		for _, at := range []int{0, 1, 5000, batchLen, 2*batchLen + 1, 4*batchLen - 1, parallelFrom + 7, len(message) - 1} {
			for _, fault := range []error{errDisk, nil} {
				dst := &limitedDst{n: at, err: fault}
				w, err := NewWriter(t.Context(), dst, openManager, o)
				require.NoError(t, err)
				n, err := w.Write(plaintext)
				if err == nil {
					err = w.Close()
				} else {
					require.Less(t, n, len(plaintext))
				}
				if fault == nil {
					fault = io.ErrShortWrite
				}
				require.ErrorIs(t, err, fault)
				calls := dst.calls
				require.Equal(t, err, w.Close())
				require.Equal(t, calls, dst.calls)
				require.Equal(t, at, dst.Len())
			}
			src := io.MultiReader(bytes.NewReader(message[:at]), iotest.ErrReader(errDisk))
			r, err := NewReader(t.Context(), src, openManager, &DecryptOptions{Parallelism: p})
			if err == nil {
				var got bytes.Buffer
				_, err = r.WriteTo(&got)
				require.True(t, bytes.HasPrefix(plaintext, got.Bytes()))
				require.Greater(t, got.Len(), at-5000-frameOverhead*at/4096)
			}
			require.ErrorIs(t, err, errDisk)
		}
	}
}

// TestPanicsOfOthers: a destination or source that panics leaves no goroutine and
// no way to write under a number twice.
func TestPanicsOfOthers(t *testing.T) {
	t.Parallel()
	for _, p := range []int{1, 2, 8} {
		bubble(t, func(t *testing.T) {
			o := write(0x0478, 0)
			o.Parallelism = p
			dst := &panickingDst{left: 4}
			w, err := NewWriter(t.Context(), dst, openManager, o)
			require.NoError(t, err)
			require.PanicsWithValue(t, errDisk, func() { w.Write(counted(2 << 20)) })
			n, err := w.Write(counted(1))
			require.Zero(t, n)
			require.Equal(t, errPanicked, err)
			require.Equal(t, errPanicked, w.Close())
			require.Equal(t, 5, dst.calls)

			w, err = NewWriter(t.Context(), io.Discard, openManager, o)
			require.NoError(t, err)
			require.PanicsWithValue(t, errDisk, func() { w.ReadFrom(panickingSrc{}) })
			_, err = w.Write(counted(1))
			require.NoError(t, err, "nothing has happened")
			require.NoError(t, w.Close())

			message, err := Encrypt(t.Context(), openManager, counted(2<<20), o)
			require.NoError(t, err)
			r, err := NewReader(t.Context(), bytes.NewReader(message), openManager, &DecryptOptions{Parallelism: p})
			require.NoError(t, err)
			require.PanicsWithValue(t, errDisk, func() { r.WriteTo(&panickingDst{left: 1}) })
			_, err = io.Copy(io.Discard, r)
			require.NoError(t, err)
		})
	}
}

type panickingDst struct{ left, calls int }

func (d *panickingDst) Write(p []byte) (int, error) {
	if d.calls++; d.calls > d.left {
		panic(errDisk)
	}
	return len(p), nil
}

type panickingSrc struct{}

// TestNoGoroutineStays abandons streams in the middle: between calls there is no
// goroutine that could stay. It runs alone, because it counts them.
func TestNoGoroutineStays(t *testing.T) {
	message, err := Encrypt(t.Context(), openManager, counted(4<<20), nil)
	require.NoError(t, err)
	before := runtime.NumGoroutine()
	for _, p := range []int{0, 2, 8} {
		w, err := NewWriter(t.Context(), io.Discard, openManager, &EncryptOptions{Parallelism: p})
		require.NoError(t, err)
		_, err = w.Write(counted(2 << 20))
		require.NoError(t, err)
		require.Equal(t, before, runtime.NumGoroutine())
		r, err := NewReader(t.Context(), bytes.NewReader(message), openManager, &DecryptOptions{Parallelism: p})
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, 2<<20))
		require.NoError(t, err)
		require.Equal(t, before, runtime.NumGoroutine())
	}
}

// TestReaderWaitsForOneFrame: however many goroutines there are, and however much
// has been read ahead, a Reader asks its source for more only when there is not one
// whole frame.
func TestReaderWaitsForOneFrame(t *testing.T) {
	t.Parallel()
	const frame = 4096
	plaintext := counted(2 << 20)
	message, err := Encrypt(t.Context(), openManager, plaintext, write(0x0478, frame))
	require.NoError(t, err)
	h, err := ReadHeader(bytes.NewReader(message), nil)
	require.NoError(t, err)
	for _, p := range parallelisms {
		for _, frames := range []int{1, 100, 300} {
			here := message[:h.Length()+frames*(frame+frameOverhead)+50]
			src := &askedReader{Reader: bytes.NewReader(here)}
			r, err := NewReader(t.Context(), src, openManager, &DecryptOptions{Parallelism: p})
			require.NoError(t, err)
			for _, size := range []int{1 << 20, 1000} {
				var got []byte
				buf := make([]byte, size)
				for len(got) < frames*frame && len(got) < 700_000 {
					n, err := r.Read(buf)
					require.NoError(t, err)
					got = append(got, buf[:n]...)
				}
				require.True(t, bytes.HasPrefix(plaintext, got))
				require.False(t, src.ended, "asked for more than there is")
				if size == 1000 {
					break
				}
				r, err = NewReader(t.Context(), bytes.NewReader(here), openManager, &DecryptOptions{Parallelism: p})
				require.NoError(t, err)
			}
		}
	}
}

// askedReader remembers whether it was asked for more than it has.
type askedReader struct {
	*bytes.Reader
	ended bool
}

func (r *askedReader) Read(p []byte) (int, error) {
	r.ended = r.ended || r.Len() == 0
	return r.Reader.Read(p)
}
