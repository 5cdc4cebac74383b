package ecdhwrap

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInfoLayout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ point, total int }{{33, 75}, {49, 107}, {67, 143}} {
		i := Info{Recipient: bytes.Repeat([]byte{2}, c.point), Sender: bytes.Repeat([]byte{3}, c.point)}
		b := i.Bytes()
		require.Len(t, b, c.total)
		require.Equal(t, byte(1), b[0])
		require.Equal(t, uint32(c.point), binary.BigEndian.Uint32(b[1:]))
		require.Equal(t, i.Recipient, b[5:5+c.point])
		require.Equal(t, uint32(c.point), binary.BigEndian.Uint32(b[5+c.point:]))
		require.Equal(t, i.Sender, b[9+c.point:])

		got, err := ParseInfo(b)
		require.NoError(t, err)
		require.Equal(t, i, got)
		require.Equal(t, c.point, cap(got.Recipient), "an append would write into the sender")
	}
}

func TestParseInfoRefuses(t *testing.T) {
	t.Parallel()
	for _, point := range []int{33, 49, 67} {
		good := Info{Recipient: make([]byte, point), Sender: make([]byte, point)}.Bytes()
		for n := range good {
			_, err := ParseInfo(good[:n])
			require.ErrorIs(t, err, ErrInfo, "%d of %d bytes", n, len(good))
		}
		_, err := ParseInfo(append(bytes.Clone(good), 0))
		require.ErrorIs(t, err, ErrInfo)
		for _, at := range []int{0, 1, 2, 3, 4, 5 + point, 6 + point, 7 + point, 8 + point} {
			for bit := range 8 {
				bad := bytes.Clone(good)
				bad[at] ^= 1 << bit
				_, err := ParseInfo(bad)
				require.ErrorIs(t, err, ErrInfo, "bit %d of byte %d", bit, at)
			}
		}
	}
	// Lengths that add up, of points that do not belong together.
	uneven := Info{Recipient: make([]byte, 34), Sender: make([]byte, 32)}.Bytes()
	require.Len(t, uneven, 75)
	_, err := ParseInfo(uneven)
	require.ErrorIs(t, err, ErrInfo)
	_, err = ParseInfo(make([]byte, 1<<20))
	require.ErrorIs(t, err, ErrInfo)
}

func TestBetween(t *testing.T) {
	t.Parallel()
	a, b, c := []byte("a"), []byte("b"), []byte("c")
	for _, i := range []Info{{a, b}, {b, a}} {
		require.True(t, i.Between(a, b))
		require.True(t, i.Between(b, a))
		for _, p := range [][2][]byte{{a, a}, {b, b}, {a, c}, {c, a}, {b, c}, {c, b}, {a, nil}, {nil, b}} {
			require.False(t, i.Between(p[0], p[1]), "%s %s", p[0], p[1])
		}
	}
	require.True(t, Info{a, a}.Between(a, a))
	require.False(t, Info{a, a}.Between(a, b))
}

func TestProviders(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]bool{
		"raw-ecdh": true, "aws-kms-ecdh": true, "": false, "aws-kms": false, "RAW-ECDH": false, "raw-ecdh ": false,
	} {
		require.Equal(t, want, IsProvider(provider), "%q", provider)
	}
}

// What is accepted is written again as the same bytes.
func FuzzParseInfo(f *testing.F) {
	for _, point := range []int{33, 49, 67} {
		f.Add(Info{Recipient: bytes.Repeat([]byte{2}, point), Sender: bytes.Repeat([]byte{3}, point)}.Bytes())
	}
	for _, seed := range [][]byte{nil, {1}, {1, 0, 0, 0, 33}, make([]byte, 75), bytes.Repeat([]byte{255}, 143)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := ParseInfo(b)
		if err != nil {
			require.ErrorIs(t, err, ErrInfo)
			require.Equal(t, Info{}, i)
			return
		}
		require.Equal(t, b, i.Bytes())
		for c := range curves { // no point of any bytes makes it panic
			if k, err := curves[c].Decompress(i.Sender); err == nil {
				require.Equal(t, i.Sender, Compress(k))
			}
		}
	})
}
