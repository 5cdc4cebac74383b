package keyspec_test

import (
	"encoding/asn1"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// FuzzParse has all specs parse the same bytes. At most one asymmetric spec takes them,
// and then the public key of what they are is in the form that we write.
func FuzzParse(f *testing.F) {
	for _, s := range keyspec.All() {
		if s.Name() != "RSA_3072" && s.Name() != "RSA_4096" {
			f.Add(material(s.Name()))
		}
	}
	for name, curve := range ecSpecs {
		f.Add(changeEC(f, material(name), func(k *ecPrivateKey) { k.Parameters, k.PublicKey = curve.oid, asn1.BitString{} }))
	}
	f.Fuzz(func(t *testing.T, material []byte) {
		taken := 0
		for _, s := range keyspec.All() {
			k, err := s.Parse(material)
			if err != nil {
				require.ErrorIs(t, err, keyspec.ErrMaterial)
				continue
			}
			if s.Asymmetric() {
				taken++
				require.Equal(t, k.PublicKey(), parsePublic(t, s.Name(), k.PublicKey()).PublicKey())
			}
		}
		require.LessOrEqual(t, taken, 1)
	})
}

// FuzzParsePublic has all specs parse the same bytes: what is taken is exactly what we
// write.
func FuzzParsePublic(f *testing.F) {
	for _, s := range keyspec.All() {
		if s.Asymmetric() && s.Name() != "RSA_3072" && s.Name() != "RSA_4096" {
			f.Add(key(f, s.Name()).PublicKey())
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		taken := 0
		for _, s := range keyspec.All() {
			k, err := s.ParsePublic(der)
			if err != nil {
				require.ErrorIs(t, err, keyspec.ErrMaterial)
				continue
			}
			taken++
			require.Equal(t, der, k.PublicKey())
		}
		require.LessOrEqual(t, taken, 1)
	})
}

// FuzzAgree gives peers to keys on all curves: one that is taken is a public key of the
// same spec, and gives a secret of the right length.
func FuzzAgree(f *testing.F) {
	for _, c := range agreeing {
		f.Add(newKey(f, c.spec).PublicKey())
	}
	f.Fuzz(func(t *testing.T, peer []byte) {
		for _, c := range agreeing {
			secret, err := key(t, c.spec).Agree(peer)
			if err != nil {
				require.Equal(t, keyspec.ErrPeer, err)
				continue
			}
			require.Len(t, secret, c.size)
			parsePublic(t, c.spec, peer)
		}
	})
}

// FuzzSignature verifies signatures in DER. The seeds have the only valid ones: others
// with the same numbers are not DER, except those with the other s.
func FuzzSignature(f *testing.F) {
	// The keys have to be the same in every process that takes part.
	keys := map[string]*keyspec.Key{}
	for name := range ecSpecs {
		m := changeEC(f, material(name), func(k *ecPrivateKey) {
			for i := range k.PrivateKey {
				k.PrivateKey[i] = byte(i)
			}
			k.PublicKey = asn1.BitString{}
		})
		keys[name] = parse(f, name, m)
		signature, err := keys[name].Sign(keys[name].Spec().Algorithms("SIGN_VERIFY")[0], "RAW", nil)
		require.NoError(f, err)
		f.Add(signature)
	}
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, signature []byte) {
		for _, k := range keys {
			valid, err := k.Verify(k.Spec().Algorithms("SIGN_VERIFY")[0], "RAW", nil, signature)
			require.NoError(t, err)
			if valid {
				require.Equal(t, signature, marshal(t, unmarshal[rs](t, signature)))
			}
		}
	})
}
