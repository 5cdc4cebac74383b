package envelope

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

var parallelisms = []int{1, 2, 3, 8}

// wholeFrames are lengths of plaintext around what several goroutines seal, and
// around the batches and frames that they divide it into.
func longLengths(frame int) []int {
	batch := batchFrames(frame) * frame
	whole := (parallelFrom + frame - 1) / frame * frame // regular frames that suffice
	lengths := []int{whole - frame, whole, whole + 1, whole + frame}
	for _, batches := range []int{4, 5, 9} {
		n := whole/batch*batch + batches*batch
		lengths = append(lengths, n-1, n, n+1, n+frame, n+frame+1)
	}
	return lengths
}

// twin returns a sealer that makes the same message as s does, on as many
// goroutines as it is told.
func twin(s *sealer, workers int) *sealer {
	c := *s
	c.workers, c.aad = workers, newAAD(s.header.MessageID)
	if s.digest != nil {
		c.digest = s.suite.Signature.New()
		c.digest.Write(s.header.raw)
	}
	return &c
}

// TestParallelIsSequential seals the same message on one goroutine and on several,
// in one call and through a Writer: all but the signature, which is random, is the
// same, and the signature is over the same.
func TestParallelIsSequential(t *testing.T) {
	t.Parallel()
	for _, id := range []Suite{0x0178, 0x0478, 0x0578} {
		for _, frame := range []int{100, 4096, batchLen, 200_000, 400_000} {
			t.Run(fmt.Sprintf("%04x/%d", uint16(id), frame), func(t *testing.T) {
				t.Parallel()
				s, err := newSealer(t.Context(), openManager, write(id, frame), -1)
				require.NoError(t, err)
				plaintext := counted(2<<20 + 77)
				one := twin(s, 1)
				want, err := one.appendMessage(t.Context(), bytes.Clone(s.header.raw), plaintext)
				require.NoError(t, err)
				for _, workers := range parallelisms {
					several := twin(s, workers)
					got, err := several.appendMessage(t.Context(), append(make([]byte, 0, len(want)), s.header.raw...), plaintext)
					require.NoError(t, err)
					requireTwins(t, one, several, want, got)

					var dst bytes.Buffer
					w := &Writer{ctx: t.Context(), end: func(int64, error) {}, dst: &dst, s: twin(s, workers), out: bytes.Clone(s.header.raw)}
					_, err = w.Write(plaintext[:1_500_000])
					require.NoError(t, err)
					_, err = w.ReadFrom(bytes.NewReader(plaintext[1_500_000:]))
					require.NoError(t, err)
					require.NoError(t, w.Close())
					requireTwins(t, one, w.s, want, dst.Bytes())
				}
			})
		}
	}
}

func requireTwins(t *testing.T, one, several *sealer, want, got []byte) {
	t.Helper()
	if one.digest != nil {
		require.Equal(t, one.digest.Sum(nil), several.digest.Sum(nil))
		footer := footerOverhead + one.suite.SigLen
		want, got = want[:len(want)-footer], got[:len(got)-footer]
	}
	require.True(t, bytes.Equal(want, got))
	require.Equal(t, one.seq, several.seq)
}

// TestLongLengths takes plaintexts around every threshold through all forms, with
// every parallelism on both sides.
func TestLongLengths(t *testing.T) {
	t.Parallel()
	for _, frame := range []int{50, 4096, 65536, 300_000} {
		t.Run(fmt.Sprint(frame), func(t *testing.T) {
			t.Parallel()
			for _, n := range longLengths(frame) {
				plaintext := counted(n)
				for i, p := range parallelisms {
					o := write(0x0478, frame)
					o.Parallelism = p
					message, err := Encrypt(t.Context(), openManager, plaintext, o)
					require.NoError(t, err)
					checkLong(t, message, plaintext, parallelisms[(i+1)%len(parallelisms)])
					piece := []int{n, 3 << 10, parallelFrom + frame + 1, n/2 + 1}[i]
					checkLong(t, writeBy(t, openManager, plaintext, o, piece), plaintext, p)
				}
			}
		})
	}
}

// checkLong decrypts message in every form.
func checkLong(t *testing.T, message, plaintext []byte, parallelism int) {
	t.Helper()
	o := readAll()
	o.Parallelism = parallelism
	got, _, err := Decrypt(t.Context(), openManager, message, o)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plaintext, got), "Decrypt: %d bytes of %d", len(got), len(plaintext))
	for _, size := range []int{32 << 10, len(message)} {
		got, err = readBy(t.Context(), openManager, bytes.NewReader(message), o, size)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, got), "Read by %d: %d bytes of %d", size, len(got), len(plaintext))
	}
	var all bytes.Buffer
	r, err := NewReader(t.Context(), bytes.NewReader(message), openManager, o)
	require.NoError(t, err)
	n, err := r.WriteTo(&all)
	require.NoError(t, err)
	require.EqualValues(t, len(plaintext), n)
	require.True(t, bytes.Equal(plaintext, all.Bytes()), "WriteTo")
}

// TestLongSigned: hashing beside sealing and opening, on every parallelism.
func TestLongSigned(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0214, 0x0578} {
		for _, p := range parallelisms {
			o := write(s, 0)
			o.Parallelism = p
			plaintext := counted(parallelFrom + 3*batchLen + 5)
			message, err := Encrypt(t.Context(), openManager, plaintext, o)
			require.NoError(t, err)
			for _, q := range parallelisms {
				checkLong(t, message, plaintext, q)
				checkLong(t, writeBy(t, openManager, plaintext, o, len(plaintext)), plaintext, q)
			}
		}
	}
}

// TestEveryFrameOfABatch damages one frame after another of a message that several
// goroutines open: what is before it is released, nothing behind.
func TestEveryFrameOfABatch(t *testing.T) {
	t.Parallel()
	const frame = 4096
	plaintext := counted(parallelFrom + batchLen + 99)
	for _, s := range []Suite{0x0478, 0x0578} {
		message, err := Encrypt(t.Context(), openManager, plaintext, write(s, frame))
		require.NoError(t, err)
		h, err := ReadHeader(bytes.NewReader(message), nil)
		require.NoError(t, err)
		for i := range len(plaintext) / frame {
			at := h.Length() + i*(frame+frameOverhead) + []int{0, 3, 10, 20, frame + 20}[i%5]
			message[at] ^= 1
			o := readAll()
			o.Parallelism = 1 + i%4
			requireBroken(t, message, plaintext[:i*frame], o)
			message[at] ^= 1
		}
	}
}

// requireBroken checks that nothing of message is released but want.
func requireBroken(t *testing.T, message, want []byte, o *DecryptOptions) {
	t.Helper()
	dst := append(make([]byte, 0, 2*len(message)), "before"...)
	out, h, err := AppendDecrypt(t.Context(), dst, openManager, message, o)
	require.Equal(t, ErrAuth, err)
	require.Nil(t, h)
	require.Equal(t, "before", string(out))
	requireWiped(t, dst)

	got, err := readBy(t.Context(), openManager, bytes.NewReader(message), o, 100_000)
	require.Equal(t, ErrAuth, err)
	require.True(t, bytes.Equal(want, got), "Read released %d bytes, not %d", len(got), len(want))
	p := make([]byte, len(message))
	r, err := NewReader(t.Context(), bytes.NewReader(message), openManager, o)
	require.NoError(t, err)
	n, err := io.ReadFull(r, p)
	require.Equal(t, ErrAuth, err)
	require.True(t, bytes.Equal(want, p[:n]))
	requireWiped(t, p[:n])

	var all bytes.Buffer
	r, err = NewReader(t.Context(), bytes.NewReader(message), openManager, o)
	require.NoError(t, err)
	_, err = r.WriteTo(&all)
	require.Equal(t, ErrAuth, err)
	require.True(t, bytes.Equal(want, all.Bytes()), "WriteTo released %d bytes, not %d", all.Len(), len(want))
}

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

// TestCancelledMidway ends the context at every look that a call takes at it.
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
			if n > 2 && p > 1 && err == nil { // the goroutines look at it when they like
				continue
			}
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

func (panickingSrc) Read([]byte) (int, error) { panic(errDisk) }

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
