package envelope

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

var parallelisms = []int{1, 2, 3, 8}

// longLengths are lengths of plaintext around what several goroutines seal, and
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

func (panickingSrc) Read([]byte) (int, error) { panic(errDisk) }

// TestReaderMemory: what a Reader holds depends on the frames and the goroutines only.
func TestReaderMemory(t *testing.T) {
	t.Parallel()
	for _, frame := range []int{100, 4096, 700_000} {
		message, err := Encrypt(t.Context(), openManager, make([]byte, 6<<20), write(0x0478, frame))
		require.NoError(t, err)
		for _, p := range []int{1, 2, 3} {
			r, err := NewReader(t.Context(), bytes.NewReader(message), openManager, &DecryptOptions{Parallelism: p})
			require.NoError(t, err)
			_, err = io.CopyN(io.Discard, r, 5<<20)
			require.NoError(t, err)
			most := max(frame+finalOverhead, p*streamLen)
			require.LessOrEqual(t, cap(r.buf), 2*most, "frame %d", frame)
			require.LessOrEqual(t, cap(r.op.in.buf), 2*most, "frame %d", frame)
			require.LessOrEqual(t, len(r.op.in.buf), most, "frame %d", frame)
		}
	}
}
