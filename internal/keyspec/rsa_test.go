package keyspec_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// pkcs1 is RFC 8017's structure.
type pkcs1 struct {
	Version          int
	N                *big.Int
	E                int
	D, P, Q          *big.Int
	DP, DQ, QI       *big.Int
	AdditionalPrimes asn1.RawValue `asn1:"optional"`
}

// changeRSA returns RSA key material after a change to its inner structure.
func changeRSA(t testing.TB, material []byte, f func(*pkcs1)) []byte {
	t.Helper()
	return change(t, material, func(p *pkcs8) {
		k := unmarshal[pkcs1](t, p.PrivateKey)
		f(&k)
		p.PrivateKey = marshal(t, k)
	})
}

func TestRSAPrivateKeyForms(t *testing.T) {
	t.Parallel()
	const name = "RSA_2048"
	m := material(name)
	one, two := big.NewInt(1), big.NewInt(2)
	require.Equal(t, m, changeRSA(t, m, func(*pkcs1) {}))
	for i, f := range []func(*pkcs1){
		func(k *pkcs1) { k.Version = 1 },
		func(k *pkcs1) { k.E = 65539 },
		func(k *pkcs1) { k.E = 65536 },
		func(k *pkcs1) { k.E = 1 },
		func(k *pkcs1) { k.E = -65537 },
		func(k *pkcs1) { k.N.Add(k.N, two) },
		func(k *pkcs1) { k.N.Add(k.N, one) },
		func(k *pkcs1) { k.N.Neg(k.N) },
		func(k *pkcs1) { k.N = new(big.Int) },
		func(k *pkcs1) { k.D.Add(k.D, two) },
		func(k *pkcs1) { k.D.Neg(k.D) },
		func(k *pkcs1) { k.P.Add(k.P, two) },
		func(k *pkcs1) { k.Q.Set(one); k.P.Set(k.N) },
		func(k *pkcs1) { k.P.Set(k.Q) },
		func(k *pkcs1) { k.P, k.Q = k.Q, k.P }, // the coefficient is that of the other order
		func(k *pkcs1) { k.DP.Add(k.DP, two) },
		func(k *pkcs1) { k.DQ = new(big.Int) },
		func(k *pkcs1) { k.QI.Add(k.QI, one) },
		func(k *pkcs1) { k.AdditionalPrimes = asn1.RawValue{FullBytes: []byte{0x30, 0}} },
	} {
		requireRefused(t, name, changeRSA(t, m, f), "%d", i)
	}
	// RSASSA-PSS and RSAES-OAEP have identifiers of their own, which AWS does not take.
	for _, last := range []int{7, 10} {
		requireRefused(t, name, change(t, m, func(p *pkcs8) {
			p.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last}
		}))
	}
}

// TestRSAThreePrimes has a key that is right, but of a kind that AWS does not take.
func TestRSAThreePrimes(t *testing.T) {
	t.Parallel()
	k, err := rsa.GenerateMultiPrimeKey(rand.Reader, 3, 2048) //lint:ignore SA1019 it is to be refused
	require.NoError(t, err)
	m, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(t, err)
	requireRefused(t, "RSA_2048", m)
}

// TestRSACompositeFactor has a key of two factors, one of which is not prime, whose
// values agree with each other nevertheless.
func TestRSACompositeFactor(t *testing.T) {
	t.Parallel()
	one := big.NewInt(1)
	prime := func(bits int) *big.Int {
		p, err := rand.Prime(rand.Reader, bits)
		require.NoError(t, err)
		return p
	}
	k := pkcs1{E: 65537}
	for k.D == nil {
		k.P, k.Q = new(big.Int).Mul(prime(512), prime(512)), prime(1024)
		k.N = new(big.Int).Mul(k.P, k.Q)
		p1, q1 := new(big.Int).Sub(k.P, one), new(big.Int).Sub(k.Q, one)
		if k.N.BitLen() != 2048 {
			continue
		}
		k.D = new(big.Int).ModInverse(big.NewInt(65537), new(big.Int).Mul(p1, q1))
		if k.D == nil {
			continue
		}
		k.DP, k.DQ = new(big.Int).Mod(k.D, p1), new(big.Int).Mod(k.D, q1)
		k.QI = new(big.Int).ModInverse(k.Q, k.P)
	}
	m := change(t, material("RSA_2048"), func(p *pkcs8) { p.PrivateKey = marshal(t, k) })
	_, err := x509.ParsePKCS8PrivateKey(m)
	require.NoError(t, err, "crypto/x509 has found it, and the test is for nothing")
	requireRefused(t, "RSA_2048", m)
}

// TestRSAOtherExponents has what others choose. crypto/rsa generates 65537 only.
func TestRSAOtherExponents(t *testing.T) {
	t.Parallel()
	one := big.NewInt(1)
	for _, exponent := range []int{3, 17, 1<<31 - 1} {
		k := unmarshal[pkcs1](t, unmarshal[pkcs8](t, material("RSA_2048")).PrivateKey)
		p1, q1 := new(big.Int).Sub(k.P, one), new(big.Int).Sub(k.Q, one)
		d := new(big.Int).ModInverse(big.NewInt(int64(exponent)), new(big.Int).Mul(p1, q1))
		if d == nil {
			continue // it divides p-1 or q-1
		}
		k.E, k.D = exponent, d
		k.DP, k.DQ = new(big.Int).Mod(d, p1), new(big.Int).Mod(d, q1)
		m := change(t, material("RSA_2048"), func(p *pkcs8) { p.PrivateKey = marshal(t, k) })
		key := parse(t, "RSA_2048", m)
		signature, err := key.Sign("RSASSA_PSS_SHA_256", "RAW", []byte("message"))
		require.NoError(t, err)
		valid, err := parsePublic(t, "RSA_2048", key.PublicKey()).Verify("RSASSA_PSS_SHA_256", "RAW", []byte("message"), signature)
		require.NoError(t, err)
		require.True(t, valid)
	}
}

// oaepLimits is in the documentation of Encrypt.
var oaepLimits = []struct {
	spec, algorithm string
	limit           int
}{
	{"RSA_2048", "RSAES_OAEP_SHA_1", 214}, {"RSA_2048", "RSAES_OAEP_SHA_256", 190},
	{"RSA_3072", "RSAES_OAEP_SHA_1", 342}, {"RSA_3072", "RSAES_OAEP_SHA_256", 318},
	{"RSA_4096", "RSAES_OAEP_SHA_1", 470}, {"RSA_4096", "RSAES_OAEP_SHA_256", 446},
}

func TestOAEP(t *testing.T) {
	t.Parallel()
	for _, c := range oaepLimits {
		t.Run(c.spec+" "+c.algorithm, func(t *testing.T) {
			t.Parallel()
			k := key(t, c.spec)
			public := parsePublic(t, c.spec, k.PublicKey())
			for _, size := range []int{0, 1, 32, c.limit - 1, c.limit} {
				plaintext := bytes.Repeat([]byte{0xa5}, size)
				ciphertext, err := public.Encrypt(c.algorithm, plaintext)
				require.NoError(t, err)
				require.Len(t, ciphertext, map[string]int{"RSA_2048": 256, "RSA_3072": 384, "RSA_4096": 512}[c.spec])
				got, err := k.Decrypt(c.algorithm, ciphertext)
				require.NoError(t, err)
				require.Equal(t, plaintext, append([]byte{}, got...))
				again, err := k.Encrypt(c.algorithm, plaintext)
				require.NoError(t, err)
				require.NotEqual(t, ciphertext, again)
			}
			for _, over := range []int{1, 2, 1000} {
				_, err := k.Encrypt(c.algorithm, make([]byte, c.limit+over))
				var tooLong *keyspec.LengthError
				require.True(t, errors.As(err, &tooLong))
				require.Equal(t, c.limit, tooLong.Limit)
			}
		})
	}
}

func TestOAEPRefuses(t *testing.T) {
	t.Parallel()
	k := key(t, "RSA_2048")
	plaintext := []byte("plaintext")
	ciphertext, err := k.Encrypt("RSAES_OAEP_SHA_256", plaintext)
	require.NoError(t, err)
	refused := func(algorithm string, ciphertext []byte, why ...any) {
		t.Helper()
		got, err := k.Decrypt(algorithm, ciphertext)
		require.Equal(t, keyspec.ErrCiphertext, err, why...)
		require.Nil(t, got)
	}
	for i, altered := range flips(ciphertext, 9) {
		refused("RSAES_OAEP_SHA_256", altered, "bit %d", i)
	}
	refused("RSAES_OAEP_SHA_1", ciphertext)
	refused("RSAES_OAEP_SHA_256", nil)
	refused("RSAES_OAEP_SHA_256", ciphertext[:255])
	refused("RSAES_OAEP_SHA_256", append([]byte{0}, ciphertext...))
	refused("RSAES_OAEP_SHA_256", append(bytes.Clone(ciphertext), 0))
	refused("RSAES_OAEP_SHA_256", make([]byte, 256))
	refused("RSAES_OAEP_SHA_256", bytes.Repeat([]byte{0xff}, 256)) // above the modulus

	// Ciphertexts with a leading zero are not what they are without.
	for ciphertext[0] != 0 {
		ciphertext, err = k.Encrypt("RSAES_OAEP_SHA_256", plaintext)
		require.NoError(t, err)
	}
	got, err := k.Decrypt("RSAES_OAEP_SHA_256", ciphertext)
	require.NoError(t, err)
	require.Equal(t, plaintext, got)
	refused("RSAES_OAEP_SHA_256", ciphertext[1:])
}

// TestOAEPParameters has crypto/rsa decrypt with the parameters that the algorithms'
// names stand for, and encrypt with a label and with another hash in MGF1.
func TestOAEPParameters(t *testing.T) {
	t.Parallel()
	parsed, err := x509.ParsePKCS8PrivateKey(material("RSA_2048"))
	require.NoError(t, err)
	private := parsed.(*rsa.PrivateKey)
	k := key(t, "RSA_2048")
	for algorithm, h := range map[string]crypto.Hash{"RSAES_OAEP_SHA_1": crypto.SHA1, "RSAES_OAEP_SHA_256": crypto.SHA256} {
		ciphertext, err := k.Encrypt(algorithm, []byte("plaintext"))
		require.NoError(t, err)
		got, err := private.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: h, MGFHash: h})
		require.NoError(t, err)
		require.Equal(t, []byte("plaintext"), got)

		ciphertext, err = rsa.EncryptOAEP(h.New(), rand.Reader, &private.PublicKey, []byte("plaintext"), []byte("label"))
		require.NoError(t, err)
		_, err = k.Decrypt(algorithm, ciphertext)
		require.Equal(t, keyspec.ErrCiphertext, err)
	}
}

// TestPSSSalt wants the salt to have the hash's length in both directions.
func TestPSSSalt(t *testing.T) {
	t.Parallel()
	parsed, err := x509.ParsePKCS8PrivateKey(material("RSA_2048"))
	require.NoError(t, err)
	private := parsed.(*rsa.PrivateKey)
	k := key(t, "RSA_2048")
	digest := sha256.Sum256([]byte("message"))
	signature, err := k.Sign("RSASSA_PSS_SHA_256", "RAW", []byte("message"))
	require.NoError(t, err)
	for salt := range 64 {
		o := &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256}
		if salt == 0 {
			o.SaltLength = 1
		}
		require.Equal(t, salt == 32, rsa.VerifyPSS(&private.PublicKey, crypto.SHA256, digest[:], signature, o) == nil, "%d", salt)
		theirs, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], o)
		require.NoError(t, err)
		valid, err := k.Verify("RSASSA_PSS_SHA_256", "RAW", []byte("message"), theirs)
		require.NoError(t, err)
		require.Equal(t, salt == 32, valid, "%d", salt)
	}
}
