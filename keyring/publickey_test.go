package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The base points of SEC 2, section 2.4.2 and 2.5.1, in compressed form.
var basePoints = map[elliptic.Curve]string{
	elliptic.P256(): "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
	elliptic.P384(): "03aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
}

// basePoint returns the curve's base point, the public key of the number 1.
func basePoint(t *testing.T, curve elliptic.Curve) *ecdsa.PublicKey {
	t.Helper()
	one := make([]byte, (curve.Params().BitSize+7)/8)
	one[len(one)-1] = 1
	k, err := ecdsa.ParseRawPrivateKey(curve, one)
	require.NoError(t, err)
	return &k.PublicKey
}

func encodedKey(t *testing.T, k *ecdsa.PublicKey) string {
	t.Helper()
	s, err := encodePublicKey(k)
	require.NoError(t, err)
	return s
}

func TestPublicKeyIsTheCompressedPoint(t *testing.T) {
	t.Parallel()
	for curve, point := range basePoints {
		b, err := hex.DecodeString(point)
		require.NoError(t, err)
		want := base64.StdEncoding.EncodeToString(b)
		base := basePoint(t, curve)
		require.Equal(t, want, encodedKey(t, base))
		got, err := decodePublicKey(curve, want)
		require.NoError(t, err)
		require.True(t, base.Equal(got))
	}
}

func TestPublicKeyRoundTrip(t *testing.T) {
	t.Parallel()
	for curve, length := range map[elliptic.Curve]int{elliptic.P256(): 44, elliptic.P384(): 68} {
		for range 20 { // both parities of Y, and X with leading zeros now and then
			k, err := ecdsa.GenerateKey(curve, rand.Reader)
			require.NoError(t, err)
			encoded := encodedKey(t, &k.PublicKey)
			require.Len(t, encoded, length)
			got, err := decodePublicKey(curve, encoded)
			require.NoError(t, err)
			require.True(t, k.PublicKey.Equal(got))
		}
	}
}

func TestPublicKeyRefused(t *testing.T) {
	t.Parallel()
	for curve, point := range basePoints {
		good, err := hex.DecodeString(point)
		require.NoError(t, err)
		encode := base64.StdEncoding.EncodeToString
		encoded := encode(good)
		changed := func(i int, v byte) string {
			b := append([]byte(nil), good...)
			b[i] = v
			return encode(b)
		}
		bad := map[string]string{
			"empty":                "",
			"a character short":    encoded[1:],
			"a character long":     encoded + "A",
			"a byte short":         encode(good[:len(good)-1]),
			"a byte long":          encode(append(append([]byte(nil), good...), 0)),
			"not base64":           "*" + encoded[1:],
			"URL-safe base64":      "_" + encoded[1:],
			"a newline in it":      encoded[:10] + "\n" + encoded[11:],
			"newlines for padding": strings.TrimRight(encoded, "=")[:len(encoded)-2] + "\n\n",
			"uncompressed":         changed(0, 4),
			"point at infinity":    changed(0, 0),
			"another first byte":   changed(0, 5),
			"x beyond the field":   encode(append([]byte{2}, []byte(strings.Repeat("\xff", len(good)-1))...)),
			"not on the curve":     offCurve(t, curve, good),
		}
		if strings.HasSuffix(encoded, "==") { // then four bits of the last digit are unused
			bad["not canonical"] = encoded[:len(encoded)-3] + string(encoded[len(encoded)-3]+1) + "=="
		}
		for name, text := range bad {
			k, err := decodePublicKey(curve, text)
			require.ErrorIs(t, err, ErrEncryptionContext, "%s: %s", curve.Params().Name, name)
			require.Nil(t, k)
		}
	}
	_, err := decodePublicKey(elliptic.P384(), encodedKey(t, basePoint(t, elliptic.P256())))
	require.ErrorIs(t, err, ErrEncryptionContext)
}

// Whatever is accepted is the one encoding of its point.
func FuzzDecodePublicKey(f *testing.F) {
	for curve, point := range basePoints {
		b, err := hex.DecodeString(point)
		if err != nil {
			f.Fatal(err)
		}
		encoded := base64.StdEncoding.EncodeToString(b)
		f.Add(encoded, curve == elliptic.P384())
		f.Add(encoded[:10]+"\n"+encoded[11:], curve == elliptic.P384())
		f.Add("", curve == elliptic.P384())
	}
	f.Fuzz(func(t *testing.T, encoded string, large bool) {
		curve := elliptic.P256()
		if large {
			curve = elliptic.P384()
		}
		k, err := decodePublicKey(curve, encoded)
		if err != nil {
			require.ErrorIs(t, err, ErrEncryptionContext)
			require.Nil(t, k)
			return
		}
		require.Equal(t, encoded, encodedKey(t, k))
	})
}

// offCurve returns the encoding of an x that no point of the curve has: about
// every second one.
func offCurve(t *testing.T, curve elliptic.Curve, good []byte) string {
	t.Helper()
	b := append([]byte(nil), good...)
	for range 64 {
		b[len(b)-1]++
		if x, _ := elliptic.UnmarshalCompressed(curve, b); x == nil {
			return base64.StdEncoding.EncodeToString(b)
		}
	}
	t.Fatal("no x off the curve found")
	return ""
}
