package envelope

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireWiped checks that nothing is left behind b.
func requireWiped(t *testing.T, b []byte) {
	t.Helper()
	for i, c := range b[len(b):cap(b)] {
		if c != 0 {
			require.Fail(t, "not wiped", "byte %d of %d behind the length", i, cap(b)-len(b))
		}
	}
}

// TestLongSignedTailIsWiped: the signature fails when all has been opened.
func TestLongSignedTailIsWiped(t *testing.T) {
	t.Parallel()
	message, err := Encrypt(t.Context(), openManager, counted(1<<20), nil)
	require.NoError(t, err)
	message[len(message)-1] ^= 1
	for _, p := range parallelisms {
		dst := make([]byte, 0, len(message))
		out, _, err := AppendDecrypt(t.Context(), dst, openManager, message, &DecryptOptions{Parallelism: p})
		require.Equal(t, ErrAuth, err)
		require.Empty(t, out)
		requireWiped(t, dst)
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 4096, 10_000, 1 << 20} {
		plaintext := counted(n)
		for _, room := range []int{0, 100, n + n/64 + 1000} {
			dst := append(make([]byte, 0, 6+room), "before"...)
			message, err := AppendEncrypt(t.Context(), dst, openManager, plaintext, nil)
			require.NoError(t, err)
			require.Equal(t, "before", string(message[:6]))
			require.Equal(t, room > n+500, &message[0] == &dst[:1][0], "%d bytes, room for %d", n, room)
			message = message[6:]

			dst = append(make([]byte, 0, 6+room), "before"...)
			got, h, err := AppendDecrypt(t.Context(), dst, openManager, message, nil)
			require.NoError(t, err)
			require.Equal(t, Suite(0x0578), h.Suite)
			require.Equal(t, "before", string(got[:6]))
			require.True(t, bytes.Equal(plaintext, got[6:]))
			if room > n+500 {
				require.Equal(t, &got[0], &dst[:1][0])
				requireWiped(t, got)
			}
		}
	}
	for _, dst := range [][]byte{nil, []byte("before")} {
		out, err := AppendEncrypt(t.Context(), dst, noManager{}, nil, nil)
		require.Equal(t, dst, out)
		require.ErrorIs(t, err, errManager)
		out, h, err := AppendDecrypt(t.Context(), dst, openManager, []byte{7}, nil)
		require.Equal(t, dst, out)
		require.Nil(t, h)
		require.ErrorIs(t, err, ErrUnsupported)
	}
}

func TestAppendDoesNotOverlap(t *testing.T) {
	t.Parallel()
	const panics = "envelope: the buffers overlap"
	b := counted(8192)
	for _, c := range []struct {
		dst, src []byte
		panics   bool
	}{
		{b[:0], b, true}, {b[:8191], b[8191:], true}, {b[:100], b[8000:8001], true}, {b[:4096], b[4000:4097], true},
		{b[:4096], b[:4096], false}, {b[:0:100], b[100:], false}, {b[4096:4096], b[:4096], false},
		{nil, b, false}, {b, b, false}, {b[:0], nil, false},
	} {
		encrypt := func() { AppendEncrypt(t.Context(), c.dst, noManager{}, c.src, nil) }
		decrypt := func() { AppendDecrypt(t.Context(), c.dst, noManager{}, c.src, nil) }
		if c.panics {
			require.PanicsWithValue(t, panics, encrypt)
			require.PanicsWithValue(t, panics, decrypt)
		} else {
			require.NotPanics(t, encrypt)
			require.NotPanics(t, decrypt)
		}
	}
	require.Equal(t, counted(8192), b)
}

// TestAppendAllocatesLittle runs alone, because it measures the heap.
func TestAppendAllocatesLittle(t *testing.T) {
	plaintext := make([]byte, 8<<20)
	message, buf := make([]byte, 0, 9<<20), make([]byte, 0, 9<<20)
	var err error
	for _, s := range []Suite{0x0478, 0x0578} {
		_, err = Encrypt(context.Background(), openManager, nil, write(s, 0)) // the curve's tables
		require.NoError(t, err)
		size := allocated(func() {
			message, err = AppendEncrypt(context.Background(), message[:0], openManager, plaintext, write(s, 0))
		})
		require.NoError(t, err)
		require.Less(t, size, uint64(100<<10))
		size = allocated(func() {
			buf, _, err = AppendDecrypt(context.Background(), buf[:0], openManager, message, nil)
		})
		require.NoError(t, err)
		require.Less(t, size, uint64(100<<10))
		require.Len(t, buf, len(plaintext))
	}
}
