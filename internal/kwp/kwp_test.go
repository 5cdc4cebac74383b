package kwp_test

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/sealring/sealring/internal/kwp"
	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// TestPublished has the two examples of RFC 5649, section 6.
func TestPublished(t *testing.T) {
	t.Parallel()
	kek := unhex(t, "5840df6e29b02af1 ab493b705bf16ea1 ae8338f4dcc176a8")
	for _, c := range []struct{ name, key, wrapped string }{
		{"20 bytes", "c37b7e6492584340 bed1220780894115 5068f738",
			"138bdeaa9b8fa7fc 61f97742e72248ee 5ae6ae5360d1ae6a 5f54f373fa543b6a"},
		{"7 bytes", "466f7250617369", "afbeb0f07dfbf541 9200f2ccb50bb24f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wrapped, err := kwp.Wrap(kek, unhex(t, c.key))
			require.NoError(t, err)
			require.Equal(t, unhex(t, c.wrapped), wrapped)
			key, err := kwp.Unwrap(kek, wrapped)
			require.NoError(t, err)
			require.Equal(t, unhex(t, c.key), key)
		})
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, kekSize := range []int{16, 24, 32} {
		kek := bytes.Repeat([]byte{byte(kekSize)}, kekSize)
		for size := 1; size <= 100; size++ {
			key := bytes.Repeat([]byte{0}, size) // ends like padding does
			key[0] = 1
			before := bytes.Clone(key)
			wrapped, err := kwp.Wrap(kek, key)
			require.NoError(t, err)
			require.Equal(t, before, key)
			require.Len(t, wrapped, 8+(size+7)/8*8)
			sent := bytes.Clone(wrapped)
			back, err := kwp.Unwrap(kek, wrapped)
			require.NoError(t, err)
			require.Equal(t, key, back)
			require.Equal(t, sent, wrapped)
		}
	}
}

func TestEveryBitMatters(t *testing.T) {
	t.Parallel()
	kek := bytes.Repeat([]byte{7}, 32)
	for _, size := range []int{1, 7, 8, 9, 16, 33} {
		wrapped, err := kwp.Wrap(kek, bytes.Repeat([]byte{0xaa}, size))
		require.NoError(t, err)
		for i := range 8 * len(wrapped) {
			altered := bytes.Clone(wrapped)
			altered[i/8] ^= 1 << (i % 8)
			_, err := kwp.Unwrap(kek, altered)
			require.ErrorIs(t, err, kwp.ErrUnwrap, "%d bytes, bit %d", size, i)
		}
		for n := range wrapped {
			_, err := kwp.Unwrap(kek, wrapped[:n])
			require.ErrorIs(t, err, kwp.ErrUnwrap, "%d of %d bytes", n, len(wrapped))
		}
		_, err = kwp.Unwrap(kek, append(bytes.Clone(wrapped), make([]byte, 8)...))
		require.ErrorIs(t, err, kwp.ErrUnwrap)
		for i := range kek {
			other := bytes.Clone(kek)
			other[i] ^= 1
			_, err := kwp.Unwrap(other, wrapped)
			require.ErrorIs(t, err, kwp.ErrUnwrap)
		}
	}
}

// TestForged encrypts what a sender who has the key could have made instead, in one
// block and in more.
func TestForged(t *testing.T) {
	t.Parallel()
	kek := bytes.Repeat([]byte{9}, 32)
	for _, c := range []struct {
		name  string
		magic uint32
		size  uint32
		key   string
		ok    bool
	}{
		{"one block, whole", 0xa65959a6, 8, "0102030405060708", true},
		{"one block, padded", 0xa65959a6, 1, "0100000000000000", true},
		{"one block, no key", 0xa65959a6, 0, "0000000000000000", false},
		{"one block, more than there is", 0xa65959a6, 9, "0102030405060708", false},
		{"one block, most that can be claimed", 0xa65959a6, 1<<32 - 1, "0102030405060708", false},
		{"one block, negative length", 0xa65959a6, 1 << 31, "0102030405060708", false},
		{"one block, last byte of padding", 0xa65959a6, 7, "0102030405060708", false},
		{"one block, first byte of padding", 0xa65959a6, 1, "0101000000000000", false},
		{"one block, value of RFC 3394", 0xa6a6a6a6, 0xa6a6a6a6, "0102030405060708", false},
		{"one block, one bit of the value", 0xa65959a7, 8, "0102030405060708", false},
		{"more, whole", 0xa65959a6, 16, "01020304050607080102030405060708", true},
		{"more, padded", 0xa65959a6, 9, "01020304050607080100000000000000", true},
		{"more, half block of padding", 0xa65959a6, 8, "01020304050607080000000000000000", false},
		{"more, no key", 0xa65959a6, 0, "00000000000000000000000000000000", false},
		{"more, more than there is", 0xa65959a6, 17, "01020304050607080102030405060708", false},
		{"more, most that can be claimed", 0xa65959a6, 1<<32 - 1, "01020304050607080102030405060708", false},
		{"more, last byte of padding", 0xa65959a6, 15, "01020304050607080102030405060708", false},
		{"more, first byte of padding", 0xa65959a6, 9, "01020304050607080101000000000000", false},
		{"more, value of RFC 3394", 0xa6a6a6a6, 0xa6a6a6a6, "01020304050607080102030405060708", false},
		{"more, one bit of the value", 0x265959a6, 16, "01020304050607080102030405060708", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			value := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, c.magic), c.size)
			key, err := kwp.Unwrap(kek, wrapRaw(t, kek, append(value, unhex(t, c.key)...)))
			if !c.ok {
				require.ErrorIs(t, err, kwp.ErrUnwrap)
				require.Nil(t, key)
				return
			}
			require.NoError(t, err)
			require.Equal(t, unhex(t, c.key)[:c.size], key)
		})
	}
}

// wrapRaw is the wrapping function of RFC 3394 as section 2.2.1 numbers its registers,
// from an initial value and half blocks.
func wrapRaw(t *testing.T, kek, in []byte) []byte {
	t.Helper()
	c, err := aes.NewCipher(kek)
	require.NoError(t, err)
	out := bytes.Clone(in)
	if len(out) == 16 {
		c.Encrypt(out, out)
		return out
	}
	n := len(out)/8 - 1
	for j := 0; j <= 5; j++ {
		for i := 1; i <= n; i++ {
			b := append(bytes.Clone(out[:8]), out[8*i:8*i+8]...)
			c.Encrypt(b, b)
			binary.BigEndian.PutUint64(out, binary.BigEndian.Uint64(b)^uint64(n*j+i))
			copy(out[8*i:], b[8:])
		}
	}
	return out
}

func TestLengths(t *testing.T) {
	t.Parallel()
	_, err := kwp.Wrap(make([]byte, 16), nil)
	require.Error(t, err)
	for _, n := range []int{0, 8, 15, 17, 31, 33, 64} {
		_, err := kwp.Wrap(make([]byte, n), make([]byte, 8))
		require.Error(t, err)
		_, err = kwp.Unwrap(make([]byte, n), make([]byte, 16))
		require.Error(t, err)
		require.NotErrorIs(t, err, kwp.ErrUnwrap)
	}
}

func FuzzUnwrap(f *testing.F) {
	kek := bytes.Repeat([]byte{1}, 32)
	for _, size := range []int{1, 8, 32} {
		wrapped, err := kwp.Wrap(kek, make([]byte, size))
		require.NoError(f, err)
		f.Add(kek, wrapped)
	}
	f.Add(make([]byte, 16), make([]byte, 24))
	f.Fuzz(func(t *testing.T, kek, wrapped []byte) {
		key, err := kwp.Unwrap(kek, wrapped)
		if err != nil {
			return
		}
		again, err := kwp.Wrap(kek, key)
		require.NoError(t, err)
		require.Equal(t, wrapped, again)
	})
}
