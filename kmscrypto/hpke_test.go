package kmscrypto_test

import (
	"crypto/ecdh"
	"crypto/hpke"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kmscrypto"
)

var _ ecdh.KeyExchanger = (*kmscrypto.ECDH)(nil)

// HPKE (RFC 9180) decrypts with keys that never leave KMS: with elliptic curves,
// with ML-KEM, and with both at once.
func TestHPKE(t *testing.T) {
	t.Parallel()
	_, p256 := agreeing(t, types.KeySpecEccNistP256)
	_, p384 := agreeing(t, types.KeySpecEccNistP384)
	_, p521 := agreeing(t, types.KeySpecEccNistP521)
	_, kem768 := encapsulating(t, types.KeySpecMlKem768)
	_, kem1024 := encapsulating(t, types.KeySpecMlKem1024)
	for _, c := range []struct {
		name string
		make func() (hpke.PrivateKey, error)
	}{
		{"P-256", func() (hpke.PrivateKey, error) { return hpke.NewDHKEMPrivateKey(p256) }},
		{"P-384", func() (hpke.PrivateKey, error) { return hpke.NewDHKEMPrivateKey(p384) }},
		{"P-521", func() (hpke.PrivateKey, error) { return hpke.NewDHKEMPrivateKey(p521) }},
		{"ML-KEM-768", func() (hpke.PrivateKey, error) { return hpke.NewMLKEMPrivateKey(kem768) }},
		{"ML-KEM-1024", func() (hpke.PrivateKey, error) { return hpke.NewMLKEMPrivateKey(kem1024) }},
		{"ML-KEM-768 and P-256", func() (hpke.PrivateKey, error) { return hpke.NewHybridPrivateKey(kem768, p256) }},
		{"ML-KEM-1024 and P-384", func() (hpke.PrivateKey, error) { return hpke.NewHybridPrivateKey(kem1024, p384) }},
	} {
		private, err := c.make()
		require.NoError(t, err, c.name)
		message, err := hpke.Seal(private.PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("info"), []byte("secret"))
		require.NoError(t, err, c.name)
		plaintext, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("info"), message)
		require.NoError(t, err, c.name)
		require.Equal(t, "secret", string(plaintext), c.name)

		message[0] ^= 1
		_, err = hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("info"), message)
		require.Error(t, err, c.name)
	}
	_, kem512 := encapsulating(t, types.KeySpecMlKem512)
	require.True(t, kem512.Encapsulator() == nil)
	_, err := hpke.NewMLKEMPrivateKey(kem512)
	require.Error(t, err)
}
