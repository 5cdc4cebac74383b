package ecdhwrap

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCurveOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		curve  ecdh.Curve
		name   string
		secret int
	}{
		{ecdh.P256(), "P-256", 32},
		{ecdh.P384(), "P-384", 48},
		{ecdh.P521(), "P-521", 66},
	} {
		got := CurveOf(c.curve)
		require.Equal(t, c.name, got.String())
		require.Equal(t, c.secret, got.SecretLen())
	}
	require.Nil(t, CurveOf(ecdh.X25519()))
	require.Nil(t, CurveOf(nil))
}

// crypto/elliptic compresses in its own way.
func TestPointsComeBack(t *testing.T) {
	eachCurve(t, func(t *testing.T, c *Curve) {
		var parity [2]bool
		for range 32 {
			k := newKey(t, c).PublicKey()
			b := k.Bytes()
			n := c.SecretLen()
			x, y := new(big.Int).SetBytes(b[1:1+n]), new(big.Int).SetBytes(b[1+n:])
			point := Compress(k)
			require.Equal(t, elliptic.MarshalCompressed(c.point, x, y), point)
			require.Equal(t, b, k.Bytes(), "Compress changed the key")
			parity[y.Bit(0)] = true
			again, err := c.Decompress(point)
			require.NoError(t, err)
			require.True(t, k.Equal(again))
		}
		require.Equal(t, [2]bool{true, true}, parity)
	})
}

func TestDecompressRefuses(t *testing.T) {
	eachCurve(t, func(t *testing.T, c *Curve) {
		good := Compress(newKey(t, c).PublicKey())
		bad := map[string][]byte{
			"nothing":               nil,
			"infinity":              {0},
			"infinity, padded":      make([]byte, len(good)),
			"an uncompressed point": newKey(t, c).PublicKey().Bytes(),
			"a byte too many":       append(bytes.Clone(good), 0),
		}
		for _, prefix := range []byte{0, 1, 4, 6, 7, 0x82, 0xff} {
			bad[fmt.Sprint("prefix ", prefix)] = append([]byte{prefix}, good[1:]...)
		}
		for n := range good {
			bad[fmt.Sprint(n, " bytes")] = good[:n]
		}
		for name, b := range bad {
			_, err := c.Decompress(b)
			require.ErrorIs(t, err, ErrPoint, name)
		}
		p := c.point.Params().P
		above := append([]byte{2}, p.FillBytes(make([]byte, c.SecretLen()))...)
		_, err := c.Decompress(above)
		require.ErrorIs(t, err, ErrPoint, "x is the field's order")
		for i := range curves { // a point of another curve
			if other := &curves[i]; other != c {
				_, err := c.Decompress(Compress(newKey(t, other).PublicKey()))
				require.ErrorIs(t, err, ErrPoint)
			}
		}
	})
}

// Half of all x coordinates have no point: of 64, one at least.
func TestDecompressRefusesWhatIsNotOnTheCurve(t *testing.T) {
	eachCurve(t, func(t *testing.T, c *Curve) {
		refused := 0
		for i := range 64 {
			b := make([]byte, c.pointLen())
			b[0], b[len(b)-1] = 2, byte(i)
			x := new(big.Int).SetBytes(b[1:])
			k, err := c.Decompress(b)
			if err == nil {
				require.Equal(t, x.FillBytes(make([]byte, c.SecretLen())), k.Bytes()[1:1+c.SecretLen()])
				continue
			}
			require.ErrorIs(t, err, ErrPoint)
			refused++
		}
		require.NotZero(t, refused)
		require.Less(t, refused, 64)
	})
}
