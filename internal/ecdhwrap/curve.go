package ecdhwrap

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"errors"
)

// ErrPoint is returned for bytes that are not a compressed point of the curve.
var ErrPoint = errors.New("ecdhwrap: not a point of the curve")

// Curve is a curve that the format knows. Values come from [CurveOf] only and are
// never modified.
type Curve struct {
	name  string // in the fixed info of the key derivation
	keys  ecdh.Curve
	point elliptic.Curve
}

var curves = [...]Curve{
	{"p256", ecdh.P256(), elliptic.P256()},
	{"p384", ecdh.P384(), elliptic.P384()},
	{"p521", ecdh.P521(), elliptic.P521()},
}

// CurveOf returns the format's view of c, or nil if it has none: the format is for
// P-256, P-384 and P-521.
func CurveOf(c ecdh.Curve) *Curve {
	for i := range curves {
		if curves[i].keys == c {
			return &curves[i]
		}
	}
	return nil
}

// String returns the curve's name as NIST writes it.
func (c *Curve) String() string { return c.point.Params().Name }

// SecretLen returns the length in bytes of the secrets that parties with keys on
// the curve agree on: that of an x coordinate.
func (c *Curve) SecretLen() int { return (c.point.Params().BitSize + 7) / 8 }

// pointLen returns the length in bytes of a compressed point.
func (c *Curve) pointLen() int { return 1 + c.SecretLen() }

// Compress returns the compressed point of a public key on one of the format's
// curves (SEC 1, section 2.3.3).
func Compress(k *ecdh.PublicKey) []byte {
	b := k.Bytes() // 04, x, y
	n := len(b) / 2
	odd := b[2*n] & 1
	b[0] = 2 | odd
	return b[:1+n]
}

// Decompress reads what [Compress] has made. The error is [ErrPoint] for anything
// but a point of c that is not the point at infinity.
func (c *Curve) Decompress(b []byte) (*ecdh.PublicKey, error) {
	if len(b) != c.pointLen() {
		return nil, ErrPoint
	}
	x, y := elliptic.UnmarshalCompressed(c.point, b)
	if x == nil {
		return nil, ErrPoint
	}
	n := c.SecretLen()
	full := make([]byte, 1+2*n)
	full[0] = 4
	x.FillBytes(full[1 : 1+n])
	y.FillBytes(full[1+n:])
	k, err := c.keys.NewPublicKey(full)
	if err != nil {
		return nil, ErrPoint
	}
	return k, nil
}
