package envelope

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// TestSources feeds the Reader in every way in which an io.Reader may behave.
func TestSources(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0178, 0x0214, 0x0478, 0x0578} {
		plaintext := counted(1000)
		message, err := Encrypt(t.Context(), openManager, plaintext, write(s, 64))
		require.NoError(t, err)
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"plain":         func(r io.Reader) io.Reader { return r },
			"one byte":      iotest.OneByteReader,
			"half":          iotest.HalfReader,
			"data with EOF": iotest.DataErrReader,
			"nothing often": func(r io.Reader) io.Reader { return &idleReader{r: r, idle: 99} },
		} {
			for _, size := range []int{1, 63, 64, 65, 4096} {
				got, err := readBy(t.Context(), openManager, wrap(bytes.NewReader(message)), readAll(), size)
				require.NoError(t, err, "%v %s %d", s, name, size)
				require.Equal(t, plaintext, got, "%v %s %d", s, name, size)
			}
			r, err := NewReader(t.Context(), wrap(bytes.NewReader(message)), openManager, readAll())
			require.NoError(t, err)
			require.NoError(t, iotest.TestReader(r, plaintext))
		}
	}
}

// idleReader returns nothing some times before each read.
type idleReader struct {
	r        io.Reader
	idle, at int
}

func (r *idleReader) Read(p []byte) (int, error) {
	if r.at++; r.at%(r.idle+1) != 0 {
		return 0, nil
	}
	return r.r.Read(p[:min(len(p), 50)])
}

func TestSourceStalls(t *testing.T) {
	t.Parallel()
	message, err := Encrypt(t.Context(), openManager, counted(100), write(0x0478, 64))
	require.NoError(t, err)
	_, err = readBy(t.Context(), openManager, &idleReader{r: bytes.NewReader(message), idle: 200}, nil, 10)
	require.ErrorIs(t, err, io.ErrNoProgress)
	for _, n := range []int{-1, 1 << 30} {
		_, err = NewReader(t.Context(), lyingReader(n), openManager, nil)
		require.ErrorContains(t, err, "impossible count")
	}
}

type lyingReader int

func (r lyingReader) Read([]byte) (int, error) { return int(r), nil }

// TestSourceFails lets the source fail after every number of bytes.
func TestSourceFails(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0178, 0x0214, 0x0478} {
		plaintext := counted(50)
		message, err := Encrypt(t.Context(), openManager, plaintext, write(s, 16))
		require.NoError(t, err)
		for n := range len(message) + 1 {
			src := io.MultiReader(bytes.NewReader(message[:n]), iotest.ErrReader(errDisk))
			got, err := readBy(t.Context(), openManager, src, readAll(), 8)
			require.ErrorIs(t, err, errDisk, "after %d bytes", n)
			require.NotErrorIs(t, err, ErrTruncated)
			require.True(t, bytes.HasPrefix(plaintext, got))
			if s.Signed() && n < len(message) {
				require.LessOrEqual(t, len(got), 48, "the final frame came before the signature")
			}
		}
	}
}

// TestLiveStream reads from a pipe whose writer waits for the reader: every frame
// has to be released before the next one is sent.
func TestLiveStream(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0478, 0x0178, 0x0578} {
		pr, pw := io.Pipe()
		f := newForge(t, s, 4, nil)
		go func() { pw.Write(f.out) }()
		r, err := NewReader(t.Context(), pr, openManager, readAll())
		require.NoError(t, err)
		p := make([]byte, 100)
		for i, text := range []string{"aaaa", "bbbb", "cccc"} {
			start := len(f.out)
			f.regular(uint32(i+1), []byte(text))
			go func() { pw.Write(f.out[start:]) }()
			n, err := r.Read(p)
			require.NoError(t, err)
			require.Equal(t, text, string(p[:n]))
		}
		start := len(f.out)
		f.final(4, []byte("dd"))
		go func() {
			pw.Write(f.out[start:])
			if s.Signed() {
				pw.Write(f.message()[len(f.out):])
			}
		}()
		n, err := r.Read(p)
		require.NoError(t, err)
		require.Equal(t, "dd", string(p[:n]))
		go func() { pw.Close() }()
		n, err = r.Read(p)
		require.Zero(t, n)
		require.Equal(t, io.EOF, err)
	}
}

// TestFinalFrameWaits: the last plaintext of a signed message is not released
// while the signature is missing.
func TestFinalFrameWaits(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*forge{
		"framed":   newForge(t, 0x0578, 4, nil).regular(1, []byte("aaaa")).final(2, []byte("bb")),
		"unframed": newForge(t, 0x0378, 0, nil).unframed([]byte("bb")),
	} {
		whole := f.message()
		for n := len(f.out); n < len(whole); n++ {
			got, err := readBy(t.Context(), openManager, bytes.NewReader(whole[:n]), readAll(), 100)
			require.ErrorIs(t, err, ErrTruncated)
			require.NotContains(t, string(got), "b", name)
		}
		got, err := readBy(t.Context(), openManager, bytes.NewReader(whole), readAll(), 100)
		require.NoError(t, err)
		require.Contains(t, string(got), "bb")
	}
}

// TestReaderErrorsStick runs alone, because it looks into a buffer that the Reader
// has given back.
func TestReaderErrorsStick(t *testing.T) {
	f := newForge(t, 0x0478, 4, nil).regular(1, []byte("aaaa")).regular(3, []byte("bbbb"))
	r, err := NewReader(t.Context(), bytes.NewReader(f.out), openManager, nil)
	require.NoError(t, err)
	p := make([]byte, 3)
	for _, want := range []string{"aaa", "a"} {
		n, err := r.Read(p)
		require.NoError(t, err)
		require.Equal(t, want, string(p[:n]))
	}
	buf := r.buf[:cap(r.buf)]
	require.Equal(t, "aaaa", string(buf[:4]))
	for range 3 {
		n, err := r.Read(p)
		require.Zero(t, n)
		require.Equal(t, ErrAuth, err)
	}
	n, err := r.WriteTo(io.Discard)
	require.Zero(t, n)
	require.Equal(t, ErrAuth, err)
	require.Equal(t, make([]byte, len(buf)), buf, "plaintext left in the buffer")
}

// TestRunBreaks damages a frame in the middle of a run: those before it are
// released.
func TestRunBreaks(t *testing.T) {
	t.Parallel()
	message, err := Encrypt(t.Context(), openManager, counted(1600), write(0x0478, 16))
	require.NoError(t, err)
	h, err := ReadHeader(bytes.NewReader(message), nil)
	require.NoError(t, err)
	message[h.Length()+50*48+20] ^= 1
	for _, size := range []int{1, 16, 100, 4096} {
		got, err := readBy(t.Context(), openManager, bytes.NewReader(message), nil, size)
		require.Equal(t, ErrAuth, err)
		require.Equal(t, counted(50*16), got)
	}
	r, err := NewReader(t.Context(), bytes.NewReader(message), openManager, nil)
	require.NoError(t, err)
	var dst bytes.Buffer
	n, err := r.WriteTo(&dst)
	require.EqualValues(t, 800, n)
	require.Equal(t, ErrAuth, err)
	require.Equal(t, counted(800), dst.Bytes())
}

func TestReadAfterEnd(t *testing.T) {
	t.Parallel()
	message, err := Encrypt(t.Context(), openManager, []byte("hello"), nil)
	require.NoError(t, err)
	r, err := NewReader(t.Context(), bytes.NewReader(message), openManager, nil)
	require.NoError(t, err)
	n, err := r.Read(nil)
	require.Zero(t, n)
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.NoError(t, err)
	for range 2 {
		_, err = r.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		n, err := r.WriteTo(io.Discard)
		require.Zero(t, n)
		require.NoError(t, err)
	}
}

// TestWriteToContinues: after a failure of the destination nothing is lost.
func TestWriteToContinues(t *testing.T) {
	t.Parallel()
	plaintext := counted(500)
	message, err := Encrypt(t.Context(), openManager, plaintext, write(0x0478, 64))
	require.NoError(t, err)
	for n := range plaintext {
		for _, fault := range []error{errDisk, nil} {
			r, err := NewReader(t.Context(), bytes.NewReader(message), openManager, nil)
			require.NoError(t, err)
			dst := &limitedDst{n: n, err: fault}
			wrote, err := r.WriteTo(dst)
			if fault == nil {
				fault = io.ErrShortWrite
			}
			require.ErrorIs(t, err, fault)
			require.EqualValues(t, n, wrote)
			rest, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, plaintext, append(dst.Bytes(), rest...))
		}
	}
}

// TestReadHeader takes the bytes of the header and no more.
func TestReadHeader(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0014, 0x0378, 0x0478, 0x0578} {
		o := write(s, 100)
		o.Context = map[string]string{"a": "1"}
		message, err := Encrypt(t.Context(), openManager, counted(10), o)
		require.NoError(t, err)
		for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, func(r io.Reader) io.Reader { return r }} {
			src := bytes.NewReader(message)
			h, err := ReadHeader(wrap(src), nil)
			require.NoError(t, err)
			require.Equal(t, len(message)-h.Length(), src.Len())
			require.Equal(t, s, h.Suite)
			require.Equal(t, map[bool]int{true: 2, false: 1}[s.Committing()], h.Version)
			require.Len(t, h.MessageID, map[int]int{1: 16, 2: 32}[h.Version])
			require.Equal(t, "1", h.Context["a"])
			require.Equal(t, uint32(100), h.FrameLength)
			require.Len(t, h.EncryptedDataKeys, 1)
			require.Equal(t, "open", h.EncryptedDataKeys[0].Provider)
		}
	}
}

// TestHeaderIsACopy: neither the message nor a buffer shines through.
func TestHeaderIsACopy(t *testing.T) {
	t.Parallel()
	message, err := Encrypt(t.Context(), openManager, []byte("hello"), nil)
	require.NoError(t, err)
	want, err := ReadHeader(bytes.NewReader(message), nil)
	require.NoError(t, err)
	_, h, err := Decrypt(t.Context(), openManager, message, nil)
	require.NoError(t, err)
	clear(message)
	require.Equal(t, want.MessageID, h.MessageID)
	require.Equal(t, want.EncryptedDataKeys, h.EncryptedDataKeys)
}

// TestFramePathDoesNotAllocate lets a long stream pass after its buffers have
// grown. It runs alone, because it counts allocations.
func TestFramePathDoesNotAllocate(t *testing.T) {
	for _, s := range []Suite{0x0478, 0x0578} {
		w, err := NewWriter(context.Background(), io.Discard, openManager, write(s, 1024))
		require.NoError(t, err)
		chunk := counted(64 << 10)
		require.Zero(t, testing.AllocsPerRun(20, func() {
			if _, err := w.Write(chunk); err != nil {
				panic(err)
			}
		}), "%v: Write", s)

		message, err := Encrypt(t.Context(), openManager, make([]byte, 4<<20), write(s, 1024))
		require.NoError(t, err)
		for _, size := range []int{100, 1024, 64 << 10} {
			r, err := NewReader(t.Context(), bytes.NewReader(message), openManager, nil)
			require.NoError(t, err)
			p := make([]byte, size)
			_, err = io.CopyN(onlyWriter{io.Discard}, onlyReader{r}, 1<<20)
			require.NoError(t, err)
			require.Zero(t, testing.AllocsPerRun(20, func() {
				if _, err := r.Read(p); err != nil {
					panic(err)
				}
			}), "%v: Read by %d", s, size)
		}
	}
}

type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

// TestOneAllocationForTheMessage: beside a fixed number of small ones.
func TestOneAllocationForTheMessage(t *testing.T) {
	const n = 8 << 20
	plaintext := make([]byte, n)
	var message []byte
	var err error
	size := allocated(func() { message, err = Encrypt(context.Background(), openManager, plaintext, write(0x0478, 0)) })
	require.NoError(t, err)
	require.Less(t, size, uint64(len(message)+len(message)/64))
	require.Equal(t, len(message), cap(message))
	size = allocated(func() { plaintext, _, err = Decrypt(context.Background(), openManager, message, nil) })
	require.NoError(t, err)
	require.Len(t, plaintext, n)
	require.Less(t, size, uint64(n+n/64))
}
