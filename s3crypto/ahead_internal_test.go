package s3crypto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/gcmstream"
)

func newMessage(t *testing.T) *gcmstream.Message {
	t.Helper()
	m, err := gcmstream.NewMessage(counted(3, 32), counted(9, 12), nil)
	require.NoError(t, err)
	return m
}

// patterned returns n bytes of which no two stretches of a piece are the same.
func patterned(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// hiccup fails once, at the n-th Read.
type hiccup struct {
	io.ReadSeeker
	n int
}

var errHiccup = errors.New("hiccup")

func (h *hiccup) Read(p []byte) (int, error) {
	if h.n--; h.n == 0 {
		return 0, errHiccup
	}
	return h.ReadSeeker.Read(p)
}

// bodiesOf returns a body that encrypts ahead and one that does not, whatever the number
// of processors.
func bodiesOf(t *testing.T, src func() io.ReadSeeker, length int64) []*sealedBody {
	t.Helper()
	one, two := newSealedBody(newMessage(t), src(), 0, 0, length), newSealedBody(newMessage(t), src(), 0, 0, length)
	one.chunks, two.chunks = []sealedChunk{{number: -1}}, []sealedChunk{{number: -1}, {number: -1}}
	return []*sealedBody{one, two}
}

// TestSealedBodyAnywhere reads a body from all over the place.
func TestSealedBodyAnywhere(t *testing.T) {
	t.Parallel()
	const length = 3*chunkSize + 1000
	plaintext := patterned(length)
	m := newMessage(t)
	want, piece, err := m.Seal(nil, plaintext, 0)
	require.NoError(t, err)
	tag := m.Tag(piece)
	want = append(want, tag[:]...)
	for _, b := range bodiesOf(t, func() io.ReadSeeker { return bytes.NewReader(plaintext) }, length) {
		b.tagged = true
		for range 2 { // the first time pieces are noted, and then compared
			for _, at := range []int64{0, 3 * chunkSize, chunkSize - 1, length - 1, 2*chunkSize + 7, chunkSize, length + 3, 0} {
				_, err := b.Seek(at, io.SeekStart)
				require.NoError(t, err)
				got, err := io.ReadAll(io.LimitReader(b, chunkSize+33))
				require.NoError(t, err)
				require.True(t, bytes.Equal(want[at:min(at+chunkSize+33, length+gcmTagSize)], got), "from %d", at)
			}
		}
		require.NoError(t, b.release())
		require.Nil(t, b.chunk)
		for _, c := range b.chunks {
			require.Nil(t, c.room)
		}
		_, err := b.Read(make([]byte, 1))
		require.ErrorIs(t, err, errReturned)
	}
}

// TestSealedBodyWipes sees that nothing is left in memory when a body has changed, or is
// released while a chunk is encrypted.
func TestSealedBodyWipes(t *testing.T) {
	t.Parallel()
	const length = 5 * chunkSize // when it is scanned, the last two are in memory
	for changed := range int64(3) {
		plaintext := patterned(length)
		for _, b := range bodiesOf(t, func() io.ReadSeeker { return bytes.NewReader(plaintext) }, length) {
			_, err := b.scan(t.Context())
			require.NoError(t, err)
			plaintext[changed*chunkSize] ^= 1
			_, err = b.Seek(0, io.SeekStart)
			require.NoError(t, err)
			var rooms [][]byte
			n := int64(0)
			for p := make([]byte, chunkSize/2); err == nil; n += chunkSize / 2 {
				rooms = rooms[:0]
				for i := range b.chunks { // the rest of a chunk may be written to
					rooms = append(rooms, b.chunks[i].room)
				}
				_, err = io.ReadFull(b, p)
			}
			require.ErrorIs(t, err, ErrBodyChanged)
			require.Equal(t, changed*chunkSize, n-chunkSize/2, "nothing of the chunk that has changed")
			require.ErrorIs(t, b.release(), ErrBodyChanged)
			for _, room := range rooms {
				require.False(t, slices.ContainsFunc(room, func(c byte) bool { return c != 0 }))
			}
			plaintext[changed*chunkSize] ^= 1
		}
	}
}

// TestSealedBodyFailsInTurn sees that an error of a chunk that is read ahead is that of
// none before it, and does not last.
func TestSealedBodyFailsInTurn(t *testing.T) {
	t.Parallel()
	const length = 3*chunkSize + 5
	plaintext := patterned(length)
	want, _, err := newMessage(t).Seal(nil, plaintext, 0)
	require.NoError(t, err)
	for fails := range 7 { // there are five reads, of which the last one sees the end
		for i, b := range bodiesOf(t, func() io.ReadSeeker { return &hiccup{bytes.NewReader(plaintext), fails} }, length) {
			var got bytes.Buffer
			errs := 0
			for got.Len() < length {
				before := got.Len()
				if _, err := io.CopyN(&got, b, int64(length-before)); err != nil {
					require.ErrorIs(t, err, errHiccup)
					errs++
				}
			}
			require.True(t, bytes.Equal(want, got.Bytes()))
			require.LessOrEqual(t, errs, 1)
			if i == 0 || fails == 1 {
				require.Equal(t, fails > 0 && fails < 6, errs == 1, "read %d", fails)
			}
		}
	}
}

// TestChunks reads bodies of many lengths, ahead and not.
func TestChunks(t *testing.T) {
	t.Parallel()
	const s = pieceSize
	for _, n := range []int{0, 1, 15, 16, 17, s - 1, s, s + 1, s + lookahead - 1, s + lookahead, 2*s + 16, 2*s + 17, 7*s + 100} {
		content := patterned(n)
		for _, length := range []int64{-1, int64(n)} {
			for name, make := range map[string]func(io.Reader, int64) *chunks{"plain": newChunks, "ahead": newChunksAhead} {
				c := make(iotest.HalfReader(bytes.NewReader(content)), length)
				var got []byte
				for last := false; !last; {
					piece, isLast, err := c.next()
					require.NoError(t, err)
					got, last = append(got, piece...), isLast
					if !last {
						require.Len(t, piece, s)
						require.GreaterOrEqual(t, n-len(got), lookahead, "what follows a piece")
					}
					clear(piece) // as decrypting does
				}
				require.True(t, bytes.Equal(content, got), "%s of %d, %d", name, n, length)
				c.wipe()
			}
		}
	}
}

// TestChunksFail sees that all that came before an error is there.
func TestChunksFail(t *testing.T) {
	t.Parallel()
	for pieces := range 6 {
		content := patterned(pieces*pieceSize + 100)
		c := newChunksAhead(io.MultiReader(bytes.NewReader(content), iotest.ErrReader(io.ErrUnexpectedEOF)), 1<<40)
		for i := range pieces {
			piece, last, err := c.next()
			require.NoError(t, err)
			require.False(t, last)
			require.True(t, bytes.Equal(content[i*pieceSize:(i+1)*pieceSize], piece))
		}
		_, _, err := c.next()
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		c.wipe()
	}
}

// TestChunksEnd sees that the goroutine which reads ahead ends, wherever the reading is
// given up, and that no piece keeps what it had. A goroutine that is left behind fails a
// bubble.
func TestChunksEnd(t *testing.T) {
	t.Parallel()
	content := patterned(6 * pieceSize)
	for taken := range 8 {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprint(taken, closed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					pr, pw := io.Pipe()
					go func() {
						_, err := pw.Write(content)
						if closed && err == nil {
							pw.Close()
						}
					}()
					c := newChunksAhead(pr, -1)
					var seen []*chunk
					for i := range taken {
						if i == 5 && !closed {
							break // the next one would never come
						}
						_, last, err := c.next()
						require.NoError(t, err)
						if seen = append(seen, c.taken); last {
							break
						}
					}
					synctest.Wait() // until it is blocked, reading or for want of a chunk
					c.wipe()
					pr.Close()
					synctest.Wait()
					c.wipe()
					for _, s := range seen {
						require.False(t, slices.ContainsFunc(s.buf, func(b byte) bool { return b != 0 }))
					}
				})
			})
		}
	}
}
