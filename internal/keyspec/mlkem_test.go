package keyspec_test

import (
	"bytes"
	"crypto/sha3"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

var kems = []struct {
	spec       string
	ciphertext int
}{{"ML_KEM_512", 768}, {"ML_KEM_768", 1088}, {"ML_KEM_1024", 1568}}

func TestEncapsulate(t *testing.T) {
	t.Parallel()
	for _, c := range kems {
		t.Run(c.spec, func(t *testing.T) {
			t.Parallel()
			k := key(t, c.spec)
			public := parsePublic(t, c.spec, k.PublicKey())
			var last []byte
			for _, from := range []*keyspec.Key{k, public, public} {
				secret, ciphertext, err := from.Encapsulate()
				require.NoError(t, err)
				require.Len(t, secret, 32)
				require.Len(t, ciphertext, c.ciphertext)
				require.NotEqual(t, last, secret)
				last = secret
				got, err := k.Decapsulate(ciphertext)
				require.NoError(t, err)
				require.Equal(t, secret, got)
				other, err := newKey(t, c.spec).Decapsulate(ciphertext)
				require.NoError(t, err)
				require.NotEqual(t, secret, other)
			}
			for _, size := range []int{0, 1, c.ciphertext - 1, c.ciphertext + 1, 768, 1088, 1568, 4096} {
				if size != c.ciphertext {
					_, err := k.Decapsulate(make([]byte, size))
					require.Equal(t, keyspec.ErrCiphertext, err)
				}
			}
		})
	}
}

// TestImplicitRejection alters ciphertexts: the secret is then a hash of them and of the
// second half of the seed (FIPS 203, algorithm 18, lines 7 to 10).
func TestImplicitRejection(t *testing.T) {
	t.Parallel()
	for _, c := range kems {
		t.Run(c.spec, func(t *testing.T) {
			t.Parallel()
			k := key(t, c.spec)
			m := material(c.spec)
			z := m[len(m)-32:]
			secret, ciphertext, err := k.Encapsulate()
			require.NoError(t, err)
			for i, altered := range flips(ciphertext, 9) {
				got, err := k.Decapsulate(altered)
				require.NoError(t, err)
				require.NotEqual(t, secret, got, "%d", i)
				require.Equal(t, sha3.SumSHAKE256(append(bytes.Clone(z), altered...), 32), got, "%d", i)
			}
			got, err := k.Decapsulate(make([]byte, c.ciphertext))
			require.NoError(t, err)
			require.Len(t, got, 32)
		})
	}
}

// TestEncapsulationKeys has coefficients that are not reduced (FIPS 203, section 7.2).
func TestEncapsulationKeys(t *testing.T) {
	t.Parallel()
	for _, c := range kems {
		p := unmarshal[spki](t, key(t, c.spec).PublicKey())
		copy(p.PublicKey.Bytes, []byte{0xff, 0xff, 0xff})
		_, err := lookup(t, c.spec).ParsePublic(marshal(t, p))
		require.ErrorIs(t, err, keyspec.ErrMaterial)
	}
}
