package endpoint

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// blank reports whether all of b's memory is zero.
func blank(b []byte) bool {
	return !slices.ContainsFunc(b[:cap(b)], func(c byte) bool { return c != 0 })
}

func TestBufferReadsAll(t *testing.T) {
	t.Parallel()
	const limit = 3*newBuffer + 5
	ways := map[string]func(io.Reader) io.Reader{
		"at once":           func(r io.Reader) io.Reader { return r },
		"by the byte":       iotest.OneByteReader,
		"by halves":         iotest.HalfReader,
		"end with the data": iotest.DataErrReader,
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{0, 1, 2, newBuffer - 1, newBuffer, newBuffer + 1, 2 * newBuffer, limit - 1, limit, limit + 1, limit + 2, 8 * newBuffer} {
				body := bytes.Repeat([]byte("sesame"), n/6+1)[:n]
				var p buffers
				b := p.get()
				require.NoError(t, b.readAll(way(bytes.NewReader(body)), limit))
				require.Equal(t, string(body[:min(n, limit+1)]), string(b.bytes), n)
			}
		})
	}
}

func TestBufferSaysWhyReadingStopped(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var p buffers
	b := p.get()
	require.Equal(t, broken, b.readAll(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), 100))
	require.Equal(t, "half", string(b.bytes))
	require.Equal(t, io.ErrUnexpectedEOF, p.get().readAll(iotest.ErrReader(io.ErrUnexpectedEOF), 100))
}

func TestBufferLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte("sesame"), newBuffer)
	var p buffers
	b := p.get()
	var memory [][]byte
	next := func(n int) {
		memory = append(memory, b.bytes)
		require.NoError(t, b.readAll(bytes.NewReader(secret[:n]), len(secret)))
	}
	next(10)
	next(newBuffer) // has to grow
	require.False(t, blank(b.bytes))
	memory = append(memory, b.bytes)
	b.hold(append(b.bytes[:0], secret...)) // grows too
	require.Equal(t, secret, b.bytes)
	memory = append(memory, b.bytes)
	b.hold(append(b.bytes[:0], "short"...))
	require.Equal(t, "short", string(b.bytes))
	p.put(b)
	for _, m := range memory {
		require.True(t, blank(m), "%d bytes", cap(m))
	}
	require.Len(t, slices.CompactFunc(memory, func(a, b []byte) bool { return &a[:1][0] == &b[:1][0] }), 3)
}

// Whatever a buffer was used for, the next request finds it empty, blank and small.
func TestBuffersAreLentEmpty(t *testing.T) {
	t.Parallel()
	var p buffers
	for _, n := range []int{1, newBuffer, newBuffer + 1, maxKeptBuffer, maxKeptBuffer + 1, 1 << 20} {
		b := p.get()
		require.NoError(t, b.readAll(bytes.NewReader(bytes.Repeat([]byte{1}, n)), n))
		p.put(b)
		next := p.get()
		require.Empty(t, next.bytes)
		require.True(t, blank(next.bytes))
		require.LessOrEqual(t, cap(next.bytes), maxKeptBuffer)
		p.put(next)
	}
}
