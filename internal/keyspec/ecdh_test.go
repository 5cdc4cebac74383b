package keyspec_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

var agreeing = []struct {
	spec  string
	curve ecdh.Curve
	size  int // of a secret
}{
	{"ECC_NIST_P256", ecdh.P256(), 32},
	{"ECC_NIST_P384", ecdh.P384(), 48},
	{"ECC_NIST_P521", ecdh.P521(), 66},
}

func TestAgree(t *testing.T) {
	t.Parallel()
	for _, c := range agreeing {
		t.Run(c.spec, func(t *testing.T) {
			t.Parallel()
			ours, theirs := key(t, c.spec), newKey(t, c.spec)
			secret, err := ours.Agree(theirs.PublicKey())
			require.NoError(t, err)
			require.Len(t, secret, c.size)
			same, err := theirs.Agree(ours.PublicKey())
			require.NoError(t, err)
			require.Equal(t, secret, same)
			other, err := ours.Agree(ours.PublicKey())
			require.NoError(t, err)
			require.NotEqual(t, secret, other)

			// And with a key of the standard library's.
			public, err := x509.ParsePKIXPublicKey(ours.PublicKey())
			require.NoError(t, err)
			ourECDH, err := public.(*ecdsa.PublicKey).ECDH()
			require.NoError(t, err)
			k, err := c.curve.GenerateKey(rand.Reader)
			require.NoError(t, err)
			want, err := k.ECDH(ourECDH)
			require.NoError(t, err)
			der, err := x509.MarshalPKIXPublicKey(k.PublicKey())
			require.NoError(t, err)
			got, err := ours.Agree(der)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

// TestAgreeLeadingZero looks for a secret that begins with a zero, which has to stay.
func TestAgreeLeadingZero(t *testing.T) {
	t.Parallel()
	ours := key(t, "ECC_NIST_P256")
	for {
		theirs := newKey(t, "ECC_NIST_P256")
		secret, err := ours.Agree(theirs.PublicKey())
		require.NoError(t, err)
		require.Len(t, secret, 32)
		if secret[0] == 0 {
			return
		}
	}
}

// TestPeers has public keys that are not on the curve; TestECPoints has more.
func TestPeers(t *testing.T) {
	t.Parallel()
	for _, c := range agreeing {
		k := key(t, c.spec)
		peer := newKey(t, c.spec).PublicKey()
		_, err := k.Agree(peer)
		require.NoError(t, err)
		refused := func(der []byte, why ...any) {
			t.Helper()
			secret, err := k.Agree(der)
			require.Equal(t, keyspec.ErrPeer, err, why...)
			require.Nil(t, secret)
		}
		for _, s := range keyspec.All() {
			if s.Name() != c.spec {
				refused(key(t, s.Name()).PublicKey(), s.Name())
			}
		}
		refused(nil)
		refused([]byte("garbage"))
		refused(bytes.Repeat([]byte{0x30}, 8192))
		refused(material(c.spec))
		refused(append(bytes.Clone(peer), 0))
		for n := range peer {
			refused(peer[:n])
		}
		for i, altered := range flips(peer, 3) {
			refused(altered, i)
		}
		p := unmarshal[spki](t, peer)
		refused(p.PublicKey.Bytes)
		// The curve by its parameters, not by its name.
		p.Algorithm.Parameters = asn1.RawValue{FullBytes: marshal(t, struct{ Version int }{1})}
		refused(marshal(t, p))
		p.Algorithm.Parameters = asn1.NullRawValue
		refused(marshal(t, p))
	}
}
