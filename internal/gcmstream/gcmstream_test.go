package gcmstream_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/gcmstream"
)

// filled returns n bytes that look random and are always the same.
func filled(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), seed)))
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

// message is a message and the same cipher of the standard library.
type message struct {
	*gcmstream.Message
	nonce, aad []byte
	block      cipher.Block
	whole      cipher.AEAD
}

func newMessage(t testing.TB, seed uint64, keyLen, aadLen int) message {
	t.Helper()
	m := message{nonce: filled(seed+1, 12), aad: filled(seed+2, aadLen)}
	key := filled(seed, keyLen)
	var err error
	m.block, err = aes.NewCipher(key)
	require.NoError(t, err)
	fips140.WithoutEnforcement(func() { m.whole, err = cipher.NewGCM(m.block) })
	require.NoError(t, err)
	m.Message, err = gcmstream.NewMessage(key, m.nonce, m.aad)
	require.NoError(t, err)
	return m
}

func (m message) oneShot(plaintext []byte) []byte {
	return m.whole.Seal(nil, m.nonce, plaintext, m.aad)
}

// finish returns the message that is made of pieces.
func (m message) finish(ciphertext []byte, p gcmstream.Piece) []byte {
	tag := m.Tag(p)
	return append(bytes.Clone(ciphertext), tag[:]...)
}

func TestWholeMessages(t *testing.T) {
	t.Parallel()
	plaintext := filled(9, 4096)
	for _, keyLen := range []int{16, 24, 32} {
		for _, aadLen := range []int{0, 2, 16, 17, 40} {
			m := newMessage(t, uint64(keyLen), keyLen, aadLen)
			for n := range len(plaintext) + 1 {
				if keyLen != 32 && n%61 != 0 {
					continue
				}
				ciphertext, p, err := m.Seal(nil, plaintext[:n], 0)
				require.NoError(t, err)
				require.Equal(t, int64(n), p.Len())
				want := m.oneShot(plaintext[:n])
				if !bytes.Equal(want, m.finish(ciphertext, p)) || m.Hash(ciphertext) != p {
					t.Fatalf("%d bytes under a key of %d with %d of associated data", n, keyLen, aadLen)
				}
			}
		}
	}
}

// TestEverySplit cuts messages of all lengths up to 4096 bytes in two, at every block, and
// joins what was sealed or hashed.
func TestEverySplit(t *testing.T) {
	t.Parallel()
	m := newMessage(t, 1, 32, 2)
	plaintext := filled(9, 4096)
	ciphertext, _, err := m.Seal(nil, plaintext, 0)
	require.NoError(t, err)
	heads := make([]gcmstream.Piece, len(plaintext)/16+1)
	for i := range heads {
		heads[i] = m.Hash(ciphertext[:16*i])
	}
	buffer := make([]byte, 0, len(plaintext)+16)
	for n := range len(plaintext) + 1 {
		want := m.Hash(ciphertext[:n])
		sealed := n%64 < 2 || n%64 == 17 // all splits of these are sealed
		for cut := 0; cut <= n; cut += 16 {
			tail := m.Hash(ciphertext[cut:n])
			if sealed {
				c, p, err := m.Seal(buffer, plaintext[cut:n], int64(cut))
				if err != nil || p != tail || !bytes.Equal(c, ciphertext[cut:n]) {
					t.Fatalf("sealed %d to %d: %v", cut, n, err)
				}
			}
			if joined, err := m.Join(heads[cut/16], tail); err != nil || joined != want {
				t.Fatalf("joined %d and %d bytes: %v", cut, n-cut, err)
			}
		}
	}
	require.Equal(t, m.oneShot(plaintext), m.finish(ciphertext, heads[len(heads)-1]))
}

// TestManyPiecesInAnyOrder seals pieces of random lengths on several goroutines.
func TestManyPiecesInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := newMessage(t, seed, 32, r.IntN(20))
		plaintext := filled(seed, r.IntN(200_000))
		ciphertext := make([]byte, len(plaintext))
		var cuts []int
		for at := 0; at < len(plaintext); at += 16 * (1 + r.IntN(2000)) {
			cuts = append(cuts, at)
		}
		pieces := make([]gcmstream.Piece, len(cuts))
		var wg sync.WaitGroup
		for _, i := range r.Perm(len(cuts)) {
			wg.Go(func() {
				end := len(plaintext)
				if i+1 < len(cuts) {
					end = cuts[i+1]
				}
				c, p, err := m.Seal(nil, plaintext[cuts[i]:end], int64(cuts[i]))
				if err != nil {
					t.Error(err)
				}
				copy(ciphertext[cuts[i]:], c)
				pieces[i] = p
			})
		}
		wg.Wait()
		for len(pieces) > 1 { // in any order, as long as they follow each other
			i := r.IntN(len(pieces) - 1)
			joined, err := m.Join(pieces[i], pieces[i+1])
			require.NoError(t, err)
			pieces = append(append(pieces[:i:i], joined), pieces[i+2:]...)
		}
		all := gcmstream.Piece{}
		if len(pieces) == 1 {
			all = pieces[0]
		}
		require.Equal(t, m.oneShot(plaintext), m.finish(ciphertext, all))
	}
}

func TestSealInPlace(t *testing.T) {
	t.Parallel()
	m := newMessage(t, 3, 32, 2)
	plaintext := filled(4, 1000)
	want := m.oneShot(plaintext)
	buffer := append(make([]byte, 0, 1000+gcmstream.TagSize), plaintext...)
	ciphertext, p, err := m.Seal(buffer[:0], buffer, 0)
	require.NoError(t, err)
	require.Same(t, &buffer[0], &ciphertext[0])
	require.Equal(t, want, m.finish(ciphertext, p))
	require.Equal(t, make([]byte, gcmstream.TagSize), buffer[1000:1000+gcmstream.TagSize], "no trace of the piece's tag")

	prefixed, _, err := m.Seal([]byte("prefix"), plaintext, 0)
	require.NoError(t, err)
	require.Equal(t, append([]byte("prefix"), ciphertext...), prefixed)
}

func TestXORKeyStream(t *testing.T) {
	t.Parallel()
	m := newMessage(t, 5, 32, 2)
	plaintext := filled(6, 1000)
	ciphertext := m.oneShot(plaintext)[:1000]
	for from := range 70 {
		for _, to := range []int{from, from + 1, from + 15, from + 16, from + 33, 1000} {
			got := make([]byte, to-from)
			require.NoError(t, m.XORKeyStream(got, ciphertext[from:to], int64(from)))
			if !bytes.Equal(plaintext[from:to], got) {
				t.Fatalf("%d to %d", from, to)
			}
		}
	}
}

// TestTheEndOfTheCounter seals the last blocks that a message can have, where the
// counter is near 2^32, and compares them with a counter that is set by hand.
func TestTheEndOfTheCounter(t *testing.T) {
	t.Parallel()
	m := newMessage(t, 7, 32, 2)
	for _, n := range []int{1, 15, 16, 17, 32, 160, 4096 + 16} {
		plaintext := filled(8, n)
		offset := (gcmstream.MaxLength - int64(n)) &^ 15
		for ; offset >= gcmstream.MaxLength-int64(n)-64; offset -= 16 {
			counter := append(bytes.Clone(m.nonce), 0, 0, 0, 0)
			binary.BigEndian.PutUint32(counter[12:], uint32(offset/16+2))
			want := make([]byte, n)
			cipher.NewCTR(m.block, counter).XORKeyStream(want, plaintext)
			ciphertext, p, err := m.Seal(nil, plaintext, offset)
			require.NoError(t, err)
			require.Equal(t, want, ciphertext)
			require.Equal(t, m.Hash(want), p)
			require.NoError(t, m.XORKeyStream(ciphertext, ciphertext, offset))
			require.Equal(t, plaintext, ciphertext)
		}
	}
	for _, c := range []struct {
		offset int64
		n      int
	}{
		{gcmstream.MaxLength, 1}, {gcmstream.MaxLength - 16, 17}, {gcmstream.MaxLength + 16, 0},
		{-16, 16}, {1, 16}, {15, 1}, {1 << 62, 16},
	} {
		_, _, err := m.Seal(nil, make([]byte, c.n), c.offset)
		require.ErrorIs(t, err, gcmstream.ErrLength, c)
	}
	require.ErrorIs(t, m.XORKeyStream(make([]byte, 2), make([]byte, 2), gcmstream.MaxLength-1), gcmstream.ErrLength)
	require.ErrorIs(t, m.XORKeyStream(nil, nil, -1), gcmstream.ErrLength)
	require.NoError(t, m.XORKeyStream(make([]byte, 1), make([]byte, 1), gcmstream.MaxLength-1))
	_, p, err := m.Seal(nil, nil, gcmstream.MaxLength&^15)
	require.NoError(t, err)
	require.Zero(t, p.Len())
}

func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	m := newMessage(t, 7, 32, 2)
	odd, even := m.Hash(make([]byte, 17)), m.Hash(make([]byte, 16))
	_, err := m.Join(odd, even)
	require.ErrorIs(t, err, gcmstream.ErrLength)
	p, err := m.Join(odd, gcmstream.Piece{})
	require.NoError(t, err)
	require.Equal(t, odd, p)
	p, err = m.Join(gcmstream.Piece{}, odd)
	require.NoError(t, err)
	require.Equal(t, odd, p)

	var long gcmstream.Piece
	require.NoError(t, long.UnmarshalBinary(binary.BigEndian.AppendUint64(make([]byte, 16), gcmstream.MaxLength&^15)))
	_, err = m.Join(long, odd)
	require.ErrorIs(t, err, gcmstream.ErrLength)
}

func TestPiecesMarshal(t *testing.T) {
	t.Parallel()
	m := newMessage(t, 7, 32, 2)
	p := m.Hash(filled(1, 100))
	b, err := p.MarshalBinary()
	require.NoError(t, err)
	var again gcmstream.Piece
	require.NoError(t, again.UnmarshalBinary(b))
	require.Equal(t, p, again)
	for n := range b {
		require.Error(t, again.UnmarshalBinary(b[:n]))
	}
	require.Error(t, again.UnmarshalBinary(append(b, 0)))
	require.Error(t, again.UnmarshalBinary(binary.BigEndian.AppendUint64(make([]byte, 16), gcmstream.MaxLength+1)))
	require.Equal(t, "gcmstream.Piece{100 bytes} gcmstream.Message", fmt.Sprintf("%v %+v", p, m.Message))
}

func TestNewMessageRefuses(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 15, 31, 33} {
		_, err := gcmstream.NewMessage(make([]byte, n), make([]byte, 12), nil)
		require.Error(t, err, n)
	}
	for _, n := range []int{0, 11, 13, 16} {
		_, err := gcmstream.NewMessage(make([]byte, 32), make([]byte, n), nil)
		require.Error(t, err, n)
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{64 << 10, 1 << 20, 8 << 20} {
		m := newMessage(b, 1, 32, 2)
		plaintext, dst := make([]byte, size), make([]byte, 0, size+16)
		b.Run(fmt.Sprintf("%dKiB/pieces", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				if _, _, err := m.Seal(dst, plaintext, int64(i%100)*int64(size)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%dKiB/standard", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				m.whole.Seal(dst, m.nonce, plaintext, m.aad)
			}
		})
	}
}
