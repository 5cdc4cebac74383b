package s3crypto

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// spooled returns a spool with what was written to it in pieces of the given lengths.
func spooled(t *testing.T, limit int64, lengths ...int) (*spool, []byte) {
	t.Helper()
	s := &spool{limit: limit, dir: t.TempDir()}
	t.Cleanup(func() { s.Close() })
	var all []byte
	for _, n := range lengths {
		piece := make([]byte, n)
		rand.Read(piece)
		all = append(all, piece...)
		written, err := s.Write(piece)
		require.NoError(t, err)
		require.Equal(t, n, written)
		clear(piece) // it was copied
	}
	return s, all
}

func TestSpool(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{0, 999, 1000, 1001, 1100, 1117, 5000} {
		s, all := spooled(t, limit, 1000, 100, 17)
		require.Equal(t, limit < 1117, s.file != nil, limit)
		require.EqualValues(t, len(all), s.size)
		for range 2 {
			got, err := io.ReadAll(s.reader())
			require.NoError(t, err)
			require.Equal(t, all, got)
		}
		require.NoError(t, s.Close())
	}
}

// TestSpoolIsChanged alters the temporary file behind the spool's back, as a disk may: not
// a byte of a piece that is another one is read.
func TestSpoolIsChanged(t *testing.T) {
	t.Parallel()
	write := func(at int64) func(*testing.T, *os.File) {
		return func(t *testing.T, f *os.File) {
			var b [1]byte
			_, err := f.ReadAt(b[:], at)
			require.NoError(t, err)
			b[0] ^= 0x40
			_, err = f.WriteAt(b[:], at)
			require.NoError(t, err)
		}
	}
	truncate := func(n int64) func(*testing.T, *os.File) {
		return func(t *testing.T, f *os.File) { require.NoError(t, f.Truncate(n)) }
	}
	for name, test := range map[string]struct {
		change func(*testing.T, *os.File)
		before int // what may still be read
		want   error
	}{
		"first byte":      {write(0), 0, ErrAuthentication},
		"second piece":    {write(1050), 1000, ErrAuthentication},
		"last byte":       {write(1116), 1100, ErrAuthentication},
		"empty":           {truncate(0), 0, io.ErrUnexpectedEOF},
		"cut":             {truncate(1050), 1000, io.ErrUnexpectedEOF},
		"cut after piece": {truncate(1100), 1100, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, all := spooled(t, 0, 1000, 100, 17)
			test.change(t, s.file)
			got, err := io.ReadAll(s.reader())
			require.ErrorIs(t, err, test.want)
			require.Equal(t, all[:test.before], got)
		})
	}
}

// TestBodyOfAChangedSpool has the body of an object that was verified tell that its
// temporary file is not what it was, whatever the content.
func TestBodyOfAChangedSpool(t *testing.T) {
	t.Parallel()
	key, iv := dataKey(counted(9, 32)), counted(1, 16)
	plaintext := bytes.Repeat([]byte("0123456789abcdef"), 40_000)
	gcmHeader := &header{suite: suiteGCM, iv: iv[:12]}
	for name, o := range map[string]struct {
		h    *header
		body []byte
	}{
		"GCM": {gcmHeader, seal(t, gcmHeader, key, plaintext)},
		"CBC": {&header{suite: suiteCBC, iv: iv}, cbcEncrypt(key, iv, plaintext)},
	} {
		for _, kept := range []int64{-1, 0, 8, 16, 600_007} {
			content, err := o.h.decrypter(key)
			require.NoError(t, err)
			s := &spool{dir: t.TempDir()}
			in := bytes.NewReader(o.body)
			require.NoError(t, s.fill(t.Context(), &source{in, io.NopCloser(in), int64(len(o.body))}, content))
			if kept >= 0 {
				require.NoError(t, s.file.Truncate(kept))
			}
			b := &body{spool: s, content: content, checked: true, chunks: newChunks(s.reader(), s.size)}
			got, err := io.ReadAll(b)
			require.NoError(t, b.Close())
			if kept < 0 {
				require.NoError(t, err, name)
				require.Equal(t, plaintext, got, name)
				continue
			}
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s %d", name, kept)
			require.True(t, bytes.HasPrefix(plaintext, got))
		}
	}
}
