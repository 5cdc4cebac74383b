package envelope

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

type readerAtFunc func(p []byte, off int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// TestReadAtFaultySources: each fault is an error when it happens, and nothing when
// it is over.
func TestReadAtFaultySources(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is on fire")
	message := unsigned(t, counted(1000), 100, false)
	sound := bytes.NewReader(message)
	for name, c := range map[string]struct {
		fault func(p []byte, off int64) (int, error)
		want  error
		text  string
	}{
		"error":            {func([]byte, int64) (int, error) { return 0, broken }, broken, "reading the message"},
		"error at the end": {func(p []byte, off int64) (int, error) { return len(p) - 1, broken }, broken, "reading the message"},
		"end":              {func([]byte, int64) (int, error) { return 0, io.EOF }, ErrTruncated, ""},
		"early end":        {func(p []byte, off int64) (int, error) { return len(p) - 1, io.EOF }, ErrTruncated, ""},
		"unexpected end":   {func([]byte, int64) (int, error) { return 3, io.ErrUnexpectedEOF }, io.ErrUnexpectedEOF, ""},
		"too few":          {func(p []byte, off int64) (int, error) { return len(p) - 1, nil }, nil, "impossible count"},
		"none":             {func([]byte, int64) (int, error) { return 0, nil }, nil, "impossible count"},
		"too many":         {func(p []byte, off int64) (int, error) { return len(p) + 1, nil }, nil, "impossible count"},
		"less than none":   {func([]byte, int64) (int, error) { return -1, io.EOF }, nil, "impossible count"},
		"other bytes":      {func(p []byte, off int64) (int, error) { return len(p), nil }, ErrAuth, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulty := false
			src := readerAtFunc(func(p []byte, off int64) (int, error) {
				if faulty {
					return c.fault(p, off)
				}
				return sound.ReadAt(p, off)
			})
			r, err := NewReaderAt(t.Context(), src, int64(len(message)), openManager, nil)
			require.NoError(t, err)
			p := make([]byte, 50)
			for _, off := range []int64{0, 120, 200} {
				faulty = true
				n, err := r.ReadAt(p, off)
				require.Error(t, err)
				require.Zero(t, n)
				require.ErrorContains(t, err, c.text)
				require.ErrorContains(t, err, "envelope: ")
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
				}
				faulty = false
				n, err = r.ReadAt(p, off)
				require.NoError(t, err)
				require.Equal(t, counted(1000)[off:off+50], p[:n])
			}

			// The same while the message is opened, at the final frame.
			calls := 0
			src = readerAtFunc(func(p []byte, off int64) (int, error) {
				if calls++; calls > 1 {
					return c.fault(p, off)
				}
				return sound.ReadAt(p, off)
			})
			_, err = NewReaderAt(t.Context(), src, int64(len(message)), openManager, nil)
			require.ErrorContains(t, err, c.text)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			require.Equal(t, 2, calls)
		})
	}
}

// TestReaderAtBrokenSource: a source that gives nothing at all.
func TestReaderAtBrokenSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is on fire")
	src := readerAtFunc(func([]byte, int64) (int, error) { return 0, broken })
	for _, o := range []*DecryptOptions{nil, {VerifyFirst: true}} {
		_, err := NewReaderAt(t.Context(), src, 1000, openManager, o)
		require.ErrorIs(t, err, broken)
		require.ErrorContains(t, err, "envelope: reading the message: ")
	}
}

// TestReadAtEOFConvention: a source may say io.EOF together with the last bytes.
func TestReadAtEOFConvention(t *testing.T) {
	t.Parallel()
	message := unsigned(t, counted(30), 10, false)
	src := readerAtFunc(func(p []byte, off int64) (int, error) {
		n := copy(p, message[off:])
		if int(off)+n == len(message) {
			return n, io.EOF
		}
		return n, nil
	})
	r, err := NewReaderAt(t.Context(), src, int64(len(message)), openManager, nil)
	require.NoError(t, err)
	requireSame(t, counted(30), r, "io.EOF with the last bytes")
}

// TestReadAtChangingSource changes the source after it has been opened: what is
// released is what was authentic.
func TestReadAtChangingSource(t *testing.T) {
	t.Parallel()
	plaintext := []byte("aaaabbbbccccdd")
	message := unsigned(t, plaintext, 4, false)
	other := newForge(t, 0x0478, 4, func(h *Header) { h.MessageID = bytes.Repeat([]byte("other"), 8)[:32] })
	other.regular(1, []byte("AAAA")).regular(2, []byte("BBBB")).regular(3, []byte("CCCC")).final(4, []byte("DD"))
	require.Len(t, other.out, len(message))
	head, stride := len(message)-3*(4+frameOverhead)-finalOverhead-2, 4+frameOverhead
	for name, change := range map[string]func(now []byte){
		"another message": func(now []byte) { copy(now, other.out) },
		"frames swapped": func(now []byte) {
			copy(now[head:], message[head+stride:head+2*stride])
			copy(now[head+stride:], message[head:head+stride])
		},
		"final frame gone": func(now []byte) { copy(now[head+3*stride:], message[head:]) },
		"all zero":         func(now []byte) { clear(now) },
	} {
		now := bytes.Clone(message)
		r, err := NewReaderAt(t.Context(), bytes.NewReader(now), int64(len(now)), openManager, nil)
		require.NoError(t, err)
		got, err := readAllAt(r, 3)
		require.NoError(t, err)
		require.Equal(t, plaintext, got)
		p := make([]byte, 2)
		_, err = r.ReadAt(p[:1], 13)
		require.NoError(t, err)
		change(now)
		n, err := r.ReadAt(p, 12)
		require.NoError(t, err, "what is held is no part of the source")
		require.Equal(t, plaintext[12:], p[:n])
		refused := 0
		for _, n := range []int{1, 4, 9, 14} {
			for off := range plaintext {
				p := make([]byte, min(n, len(plaintext)-off))
				got, err := r.ReadAt(p, int64(off))
				require.Equal(t, plaintext[off:off+got], p[:got], name)
				if err != nil {
					require.ErrorIs(t, err, ErrAuth, name)
					refused++
				}
			}
		}
		require.Positive(t, refused, name)
	}
}
