package keyspec_test

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// ecPrivateKey is RFC 5915's structure.
type ecPrivateKey struct {
	Version    int
	PrivateKey []byte
	Parameters asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	PublicKey  asn1.BitString        `asn1:"optional,explicit,tag:1"`
}

// ecSpecs has the specs on curves in Weierstrass form, and their orders.
var ecSpecs = map[string]struct {
	oid   asn1.ObjectIdentifier
	order *big.Int
}{
	"ECC_NIST_P256":   {asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256().Params().N},
	"ECC_NIST_P384":   {asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384().Params().N},
	"ECC_NIST_P521":   {asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521().Params().N},
	"ECC_SECG_P256K1": {asn1.ObjectIdentifier{1, 3, 132, 0, 10}, secp256k1Order},
}

var secp256k1Order, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

// changeEC returns EC key material after a change to its inner structure.
func changeEC(t testing.TB, material []byte, f func(*ecPrivateKey)) []byte {
	t.Helper()
	return change(t, material, func(p *pkcs8) {
		k := unmarshal[ecPrivateKey](t, p.PrivateKey)
		f(&k)
		p.PrivateKey = marshal(t, k)
	})
}

func TestECPrivateKeyForms(t *testing.T) {
	t.Parallel()
	for name, curve := range ecSpecs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := material(name)
			public := key(t, name).PublicKey()
			inner := unmarshal[ecPrivateKey](t, unmarshal[pkcs8](t, m).PrivateKey)
			require.Nil(t, inner.Parameters)
			require.Equal(t, unmarshal[spki](t, public).PublicKey, inner.PublicKey)

			for _, f := range []func(*ecPrivateKey){
				func(k *ecPrivateKey) { k.PublicKey = asn1.BitString{} },
				func(k *ecPrivateKey) { k.Parameters = curve.oid },
				func(k *ecPrivateKey) { k.Parameters, k.PublicKey = curve.oid, asn1.BitString{} },
			} {
				other := changeEC(t, m, f)
				require.NotEqual(t, m, other)
				require.Equal(t, public, parse(t, name, other).PublicKey())
			}
			for i, f := range []func(*ecPrivateKey){
				func(k *ecPrivateKey) { k.Version = 0 },
				func(k *ecPrivateKey) { k.Version = 2 },
				func(k *ecPrivateKey) { k.PrivateKey = k.PrivateKey[1:] },
				func(k *ecPrivateKey) { k.PrivateKey = append([]byte{0}, k.PrivateKey...) },
				func(k *ecPrivateKey) { k.PrivateKey = nil },
				func(k *ecPrivateKey) { k.Parameters = asn1.ObjectIdentifier{1, 3, 132, 0, 33} },
				func(k *ecPrivateKey) { k.Parameters = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1} },
				func(k *ecPrivateKey) { k.PublicKey.BitLength-- },
				func(k *ecPrivateKey) {
					// The right point, compressed.
					size := len(k.PublicKey.Bytes) / 2
					point := bytes.Clone(k.PublicKey.Bytes[:1+size])
					point[0] = 2 + k.PublicKey.Bytes[2*size]&1
					k.PublicKey = asn1.BitString{Bytes: point, BitLength: 8 * len(point)}
				},
				func(k *ecPrivateKey) {
					k.PublicKey = unmarshal[spki](t, newKey(t, name).PublicKey()).PublicKey
				},
			} {
				requireRefused(t, name, changeEC(t, m, f), "%d", i)
			}
			// A structure within the structure that is not DER.
			requireRefused(t, name, change(t, m, func(p *pkcs8) { p.PrivateKey = append(p.PrivateKey, 5, 0) }))
		})
	}
}

// TestECScalars has the ends of the range of private keys.
func TestECScalars(t *testing.T) {
	t.Parallel()
	for name, curve := range ecSpecs {
		size := len(unmarshal[ecPrivateKey](t, unmarshal[pkcs8](t, material(name)).PrivateKey).PrivateKey)
		with := func(d *big.Int) []byte {
			return changeEC(t, material(name), func(k *ecPrivateKey) {
				k.PrivateKey, k.PublicKey = d.FillBytes(make([]byte, size)), asn1.BitString{}
			})
		}
		one := big.NewInt(1)
		requireRefused(t, name, with(new(big.Int)))
		requireRefused(t, name, with(curve.order))
		requireRefused(t, name, with(new(big.Int).Add(curve.order, one)))
		// One and its negation have the same x coordinate.
		first := unmarshal[spki](t, parse(t, name, with(one)).PublicKey()).PublicKey.Bytes
		last := unmarshal[spki](t, parse(t, name, with(new(big.Int).Sub(curve.order, one))).PublicKey()).PublicKey.Bytes
		require.Equal(t, first[:1+size], last[:1+size])
		require.NotEqual(t, first, last)
		if name == "ECC_SECG_P256K1" {
			// SEC 2, section 2.4.1, the base point.
			require.Equal(t, "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"+
				"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8", hex.EncodeToString(first))
		}
	}
}

func TestECPoints(t *testing.T) {
	t.Parallel()
	for name := range ecSpecs {
		good := unmarshal[spki](t, key(t, name).PublicKey())
		size := len(good.PublicKey.Bytes) / 2
		for i, f := range []func(p []byte) []byte{
			func(p []byte) []byte { return append([]byte{2 + p[2*size]&1}, p[1:1+size]...) }, // compressed
			func(p []byte) []byte { p[0] = 6 + p[2*size]&1; return p },                       // hybrid
			func(p []byte) []byte { p[2*size] ^= 1; return p },                               // off the curve
			func(p []byte) []byte { clear(p[1:]); return p },
			func([]byte) []byte { return []byte{0} }, // infinity
			func([]byte) []byte { return nil },
			func(p []byte) []byte { copy(p[1:], bytes.Repeat([]byte{0xff}, 2*size)); return p }, // not reduced
			func(p []byte) []byte { return p[:2*size] },
			func(p []byte) []byte { return append(p, 0) },
		} {
			p := f(bytes.Clone(good.PublicKey.Bytes))
			der := marshal(t, spki{good.Algorithm, asn1.BitString{Bytes: p, BitLength: 8 * len(p)}})
			_, err := lookup(t, name).ParsePublic(der)
			require.ErrorIs(t, err, keyspec.ErrMaterial, "%s, %d", name, i)
			if name != "ECC_SECG_P256K1" {
				_, err = key(t, name).Agree(der)
				require.ErrorIs(t, err, keyspec.ErrPeer, "%s, %d", name, i)
			}
		}
	}
}
