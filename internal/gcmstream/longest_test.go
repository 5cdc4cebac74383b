package gcmstream_test

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/gcmstream"
)

// field is GF(2^128) with integers: the bit of x^i is bit i, unlike GCM's.
type field struct{}

func (field) of(block []byte) *big.Int {
	z := new(big.Int)
	for i := range 128 {
		z.SetBit(z, i, uint(block[i/8]>>(7-i%8)&1))
	}
	return z
}

func (field) bytes(z *big.Int) []byte {
	block := make([]byte, 16)
	for i := range 128 {
		block[i/8] |= byte(z.Bit(i)) << (7 - i%8)
	}
	return block
}

func (field) mul(a, b *big.Int) *big.Int {
	z := new(big.Int)
	for i := range 128 {
		if a.Bit(i) == 1 {
			z.Xor(z, new(big.Int).Lsh(b, uint(i)))
		}
	}
	modulus := new(big.Int).SetBit(big.NewInt(0b10000111), 128, 1)
	for i := z.BitLen() - 1; i >= 128; i-- {
		if z.Bit(i) == 1 {
			z.Xor(z, new(big.Int).Lsh(modulus, uint(i-128)))
		}
	}
	return z
}

func (f field) power(a *big.Int, n uint64) *big.Int {
	z := big.NewInt(1)
	for bit := 63; bit >= 0; bit-- {
		z = f.mul(z, z)
		if n>>bit&1 == 1 {
			z = f.mul(z, a)
		}
	}
	return z
}

// sum returns a^n + ... + a.
func (f field) sum(a *big.Int, n uint64) *big.Int {
	if n == 0 {
		return new(big.Int)
	}
	half := f.sum(a, n/2)
	z := new(big.Int).Xor(half, f.mul(half, f.power(a, n/2)))
	if n%2 == 1 {
		z.Xor(z, f.power(a, n))
	}
	return z
}

// TestTagsOfLongMessages compares the tags of messages up to the longest one with what the
// definition of GHASH says of a block that is repeated n times: X·(H^n + ... + H).
func TestTagsOfLongMessages(t *testing.T) {
	t.Parallel()
	var f field
	block := bytes.Repeat([]byte{0xc3, 0x5a}, 8)
	for _, aadLen := range []int{0, 2, 16, 33} {
		m := newMessage(t, uint64(aadLen), 32, aadLen)
		for _, blocks := range []uint64{0, 1, 2, 255, 1<<20 + 1, 1<<31 - 1, 1 << 31, 1<<32 - 3, 1<<32 - 2} {
			for _, rest := range []int{0, 1, 15} {
				length := int64(blocks)*16 + int64(rest)
				if length > gcmstream.MaxLength {
					continue
				}
				whole, power := gcmstream.Piece{}, m.Hash(block)
				for n := blocks; n > 0; n >>= 1 {
					var err error
					if n&1 == 1 {
						whole, err = m.Join(power, whole)
						require.NoError(t, err)
					}
					if n > 1 {
						power, err = m.Join(power, power)
						require.NoError(t, err)
					}
				}
				whole, err := m.Join(whole, m.Hash(block[:rest]))
				require.NoError(t, err)
				require.Equal(t, length, whole.Len())

				zero, mask := make([]byte, 16), append(bytes.Clone(m.nonce), 0, 0, 0, 1)
				m.block.Encrypt(zero, zero)
				m.block.Encrypt(mask, mask)
				h := f.of(zero)
				y := new(big.Int)
				for padded := append(bytes.Clone(m.aad), make([]byte, 15)...); len(padded) >= 16; padded = padded[16:] {
					y = f.mul(y.Xor(y, f.of(padded)), h)
				}
				y = f.mul(y, f.power(h, blocks))
				y.Xor(y, f.mul(f.of(block), f.sum(h, blocks)))
				if rest > 0 {
					last := append(bytes.Clone(block[:rest]), make([]byte, 16-rest)...)
					y = f.mul(y.Xor(y, f.of(last)), h)
				}
				lengths := make([]byte, 16)
				new(big.Int).SetUint64(8 * uint64(aadLen)).FillBytes(lengths[:8])
				new(big.Int).SetUint64(8 * uint64(length)).FillBytes(lengths[8:])
				y = f.mul(y.Xor(y, f.of(lengths)), h)
				want := f.bytes(y.Xor(y, f.of(mask)))
				got := m.Tag(whole)
				require.Equal(t, want, got[:], "%d bytes, %d of associated data", length, aadLen)
			}
		}
	}
}

// TestNothingAtTheEnd seals nothing after the last byte that a message can have, where
// there is no counter left.
func TestNothingAtTheEnd(t *testing.T) {
	t.Parallel()
	m := newMessage(t, 1, 32, 2)
	ciphertext, p, err := m.Seal(nil, nil, gcmstream.MaxLength)
	require.NoError(t, err)
	require.Empty(t, ciphertext)
	require.Equal(t, gcmstream.Piece{}, p)
	require.NoError(t, m.XORKeyStream(nil, nil, gcmstream.MaxLength))
}
