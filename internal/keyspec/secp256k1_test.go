package keyspec_test

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

// rs is an ECDSA signature.
type rs struct{ R, S *big.Int }

// TestSecp256k1Nonces looks for a nonce that is used twice, which would give the key
// away, and at both halves of the range of s.
func TestSecp256k1Nonces(t *testing.T) {
	t.Parallel()
	k := key(t, "ECC_SECG_P256K1")
	half := new(big.Int).Rsh(secp256k1Order, 1)
	seen := map[string]bool{}
	high := 0
	for range 200 {
		signature, err := k.Sign("ECDSA_SHA_256", "RAW", []byte("message"))
		require.NoError(t, err)
		v := unmarshal[rs](t, signature)
		require.False(t, seen[v.R.String()])
		seen[v.R.String()] = true
		if v.S.Cmp(half) > 0 {
			high++
		}
		// Whichever half it is in, the other one is valid too.
		requireVerdict(t, true, k, "ECDSA_SHA_256", "RAW", []byte("message"), signature)
		v.S.Sub(secp256k1Order, v.S)
		requireVerdict(t, true, k, "ECDSA_SHA_256", "RAW", []byte("message"), marshal(t, v))
	}
	// Each half is missed once in 2²⁰⁰ runs.
	require.NotZero(t, high)
	require.NotEqual(t, 200, high)
}

// TestSecp256k1Digests has digests at which arithmetic modulo the order shows.
func TestSecp256k1Digests(t *testing.T) {
	t.Parallel()
	k := key(t, "ECC_SECG_P256K1")
	order := secp256k1Order.Bytes()
	for _, digest := range [][]byte{make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), order} {
		signature, err := k.Sign("ECDSA_SHA_256", "DIGEST", digest)
		require.NoError(t, err)
		requireVerdict(t, true, k, "ECDSA_SHA_256", "DIGEST", digest, signature)
	}
	// Zero and the order are the same number to ECDSA.
	signature, err := k.Sign("ECDSA_SHA_256", "DIGEST", order)
	require.NoError(t, err)
	requireVerdict(t, true, k, "ECDSA_SHA_256", "DIGEST", make([]byte, 32), signature)
}

// TestSignatureEncodings has signatures with the right numbers in the wrong bytes, and
// numbers out of range.
func TestSignatureEncodings(t *testing.T) {
	t.Parallel()
	for name, curve := range ecSpecs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := key(t, name)
			algorithm := k.Spec().Algorithms("SIGN_VERIFY")[0]
			signature, err := k.Sign(algorithm, "RAW", nil)
			require.NoError(t, err)
			v := unmarshal[rs](t, signature)
			require.Equal(t, signature, marshal(t, v))
			requireVerdict(t, true, k, algorithm, "RAW", nil, signature)

			integer := func(b []byte) asn1.RawValue { return asn1.RawValue{Tag: asn1.TagInteger, Bytes: b} }
			r, s := v.R.Bytes(), v.S.Bytes()
			plus := func(x *big.Int) *big.Int { return new(big.Int).Add(x, curve.order) }
			for i, other := range []any{
				struct{ R, S asn1.RawValue }{integer(append([]byte{0, 0}, r...)), integer(append([]byte{0}, s...))}, // padded
				struct{ R, S asn1.RawValue }{integer(append([]byte{0}, r...)), integer(append([]byte{0, 0}, s...))},
				struct{ R, S, T *big.Int }{v.R, v.S, big.NewInt(1)},
				struct{ R *big.Int }{v.R},
				rs{plus(v.R), v.S}, rs{v.R, plus(v.S)},
				rs{new(big.Int).Neg(v.R), v.S}, rs{v.R, new(big.Int).Neg(v.S)},
				rs{new(big.Int), v.S}, rs{v.R, new(big.Int)}, rs{new(big.Int), new(big.Int)},
				rs{curve.order, v.S}, rs{v.R, curve.order},
				rs{v.S, v.R},
			} {
				requireVerdict(t, false, k, algorithm, "RAW", nil, marshal(t, other), "%d", i)
			}
			for i, other := range [][]byte{
				append(bytes.Clone(signature), 0),
				append(append([]byte{0x30, 0x80}, signature[len(signature)-len(marshal(t, v.R))-len(marshal(t, v.S)):]...), 0, 0),
				append(bytes.Repeat([]byte{0}, 1), signature...),
				append(append([]byte{0x31}, signature[1:]...), 0),
				append([]byte{0x31}, signature[1:]...),
				append(v.R.FillBytes(make([]byte, 66)), v.S.FillBytes(make([]byte, 66))...),
				nil, {}, {0x30}, {0x30, 0}, {0x30, 6, 2, 1, 1, 2, 1, 1},
			} {
				requireVerdict(t, false, k, algorithm, "RAW", nil, other, "%d", i)
			}
		})
	}
}
