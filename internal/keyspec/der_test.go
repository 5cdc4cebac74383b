package keyspec_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"

	"filippo.io/mldsa"
	mldsax509 "filippo.io/mldsa/x509"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// pkcs8 and spki are the structures as other tools see them.
type pkcs8 struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
	Attributes asn1.RawValue  `asn1:"optional,tag:0"`
	PublicKey  asn1.BitString `asn1:"optional,tag:1"`
}

type spki struct {
	Algorithm pkix.AlgorithmIdentifier
	PublicKey asn1.BitString
}

// encodings says how the keys of each asymmetric spec are encoded: the algorithm's
// identifier, and the parameters as DER in hexadecimal.
var encodings = map[string]struct{ oid, parameters string }{
	"RSA_2048":              {"1.2.840.113549.1.1.1", "0500"},
	"RSA_3072":              {"1.2.840.113549.1.1.1", "0500"},
	"RSA_4096":              {"1.2.840.113549.1.1.1", "0500"},
	"ECC_NIST_P256":         {"1.2.840.10045.2.1", "06082a8648ce3d030107"},
	"ECC_NIST_P384":         {"1.2.840.10045.2.1", "06052b81040022"},
	"ECC_NIST_P521":         {"1.2.840.10045.2.1", "06052b81040023"},
	"ECC_SECG_P256K1":       {"1.2.840.10045.2.1", "06052b8104000a"},
	"ECC_NIST_EDWARDS25519": {"1.3.101.112", ""},
	"ML_DSA_44":             {"2.16.840.1.101.3.4.3.17", ""},
	"ML_DSA_65":             {"2.16.840.1.101.3.4.3.18", ""},
	"ML_DSA_87":             {"2.16.840.1.101.3.4.3.19", ""},
	"ML_KEM_512":            {"2.16.840.1.101.3.4.4.1", ""},
	"ML_KEM_768":            {"2.16.840.1.101.3.4.4.2", ""},
	"ML_KEM_1024":           {"2.16.840.1.101.3.4.4.3", ""},
}

func unmarshal[T any](t testing.TB, der []byte) (value T) {
	t.Helper()
	rest, err := asn1.Unmarshal(der, &value)
	require.NoError(t, err)
	require.Empty(t, rest)
	return value
}

func marshal(t testing.TB, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	require.NoError(t, err)
	return der
}

// change returns key material after a change to its outer structure.
func change(t testing.TB, material []byte, f func(*pkcs8)) []byte {
	t.Helper()
	k := unmarshal[pkcs8](t, material)
	f(&k)
	return marshal(t, k)
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	for _, s := range keyspec.All() {
		if !s.Asymmetric() {
			continue
		}
		t.Run(s.Name(), func(t *testing.T) {
			t.Parallel()
			want, ok := encodings[s.Name()]
			require.True(t, ok)
			private := unmarshal[pkcs8](t, material(s.Name()))
			require.Zero(t, private.Version)
			require.Empty(t, private.PublicKey.Bytes)
			public := unmarshal[spki](t, key(t, s.Name()).PublicKey())
			require.Zero(t, public.PublicKey.BitLength%8)
			for _, id := range []pkix.AlgorithmIdentifier{private.Algorithm, public.Algorithm} {
				require.Equal(t, want.oid, id.Algorithm.String())
				require.Equal(t, want.parameters, hex.EncodeToString(id.Parameters.FullBytes))
			}
		})
	}
}

// TestStandardLibraryAgrees has crypto/x509 read what we write, and write it again.
func TestStandardLibraryAgrees(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"RSA_2048", "RSA_3072", "RSA_4096",
		"ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			private, err := x509.ParsePKCS8PrivateKey(material(name))
			require.NoError(t, err)
			again, err := x509.MarshalPKCS8PrivateKey(private)
			require.NoError(t, err)
			require.Equal(t, material(name), again)

			public, err := x509.ParsePKIXPublicKey(key(t, name).PublicKey())
			require.NoError(t, err)
			again, err = x509.MarshalPKIXPublicKey(public)
			require.NoError(t, err)
			require.Equal(t, key(t, name).PublicKey(), again)
			switch k := private.(type) {
			case *rsa.PrivateKey:
				require.True(t, k.PublicKey.Equal(public))
				require.Equal(t, 65537, k.E)
			case *ecdsa.PrivateKey:
				require.True(t, k.PublicKey.Equal(public))
			case ed25519.PrivateKey:
				require.True(t, k.Public().(ed25519.PublicKey).Equal(public))
			default:
				t.Fatalf("%T", private)
			}
		})
	}
}

// TestMLDSALibraryAgrees is the same with filippo.io/mldsa/x509.
func TestMLDSALibraryAgrees(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ML_DSA_44", "ML_DSA_65", "ML_DSA_87"} {
		private, err := mldsax509.ParsePKCS8PrivateKey(material(name))
		require.NoError(t, err)
		again, err := mldsax509.MarshalPKCS8PrivateKey(private)
		require.NoError(t, err)
		require.Equal(t, material(name), again)
		public, err := mldsax509.ParsePKIXPublicKey(key(t, name).PublicKey())
		require.NoError(t, err)
		require.True(t, private.(*mldsa.PrivateKey).PublicKey().Equal(public))
	}
}

// TestPublicKeyBesidePrivate uses version 2 of RFC 5958.
func TestPublicKeyBesidePrivate(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_DSA_44", "ML_KEM_512", "ML_KEM_768"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := key(t, name)
			with := func(version int, public []byte) []byte {
				return change(t, material(name), func(p *pkcs8) {
					p.Version = version
					p.PublicKey = asn1.BitString{Bytes: public, BitLength: 8 * len(public)}
				})
			}
			public := unmarshal[spki](t, k.PublicKey()).PublicKey.Bytes
			require.Equal(t, k.PublicKey(), parse(t, name, with(1, public)).PublicKey())
			requireRefused(t, name, with(1, nil))
			requireRefused(t, name, with(0, public))
			requireRefused(t, name, with(2, public))
			requireRefused(t, name, with(-1, nil))
			requireRefused(t, name, with(1, public[1:]))
			requireRefused(t, name, with(1, append(bytes.Clone(public), 0)))
			altered := bytes.Clone(public)
			altered[len(altered)-1] ^= 1
			requireRefused(t, name, with(1, altered))
			requireRefused(t, name, change(t, material(name), func(p *pkcs8) {
				p.Version = 1
				p.PublicKey = asn1.BitString{Bytes: public, BitLength: 8*len(public) - 1}
			}))
			if !strings.HasPrefix(name, "RSA") {
				other := newKey(t, name)
				requireRefused(t, name, with(1, unmarshal[spki](t, other.PublicKey()).PublicKey.Bytes))
			}
		})
	}
}

func TestAttributesAreIgnored(t *testing.T) {
	t.Parallel()
	// A key usage, as other tools write it beside a private key.
	attributes, err := hex.DecodeString("a00d300b0603551d0f31040302" + "0410")
	require.NoError(t, err)
	for name := range encodings {
		m := change(t, material(name), func(p *pkcs8) { p.Attributes = asn1.RawValue{FullBytes: attributes} })
		require.NotEqual(t, material(name), m)
		require.Equal(t, key(t, name).PublicKey(), parse(t, name, m).PublicKey())
	}
}

func TestStrictPrivateKeys(t *testing.T) {
	t.Parallel()
	for name := range encodings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := material(name)
			requireRefused(t, name, nil)
			requireRefused(t, name, append(m, 0))
			for n := range m {
				if n < 64 || n > len(m)-64 {
					requireRefused(t, name, m[:n], "%d of %d bytes", n, len(m))
				}
			}
			other := func(f func(*pkcs8)) { t.Helper(); requireRefused(t, name, change(t, m, f)) }
			other(func(p *pkcs8) { p.PrivateKey = nil })
			other(func(p *pkcs8) { p.PrivateKey = append(p.PrivateKey, 0) })
			other(func(p *pkcs8) { p.PrivateKey = p.PrivateKey[1:] })
			other(func(p *pkcs8) { p.PrivateKey = p.PrivateKey[:len(p.PrivateKey)-1] })
			other(func(p *pkcs8) { p.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10} })
			other(func(p *pkcs8) { p.Algorithm.Parameters = asn1.RawValue{FullBytes: []byte{4, 0}} })
			if encodings[name].parameters == "" {
				other(func(p *pkcs8) { p.Algorithm.Parameters = asn1.NullRawValue })
			} else {
				other(func(p *pkcs8) { p.Algorithm.Parameters = asn1.RawValue{} })
			}

			// An element at the end of the outer sequence that nobody knows.
			outer := unmarshal[asn1.RawValue](t, m)
			longer := marshal(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append(outer.Bytes, 5, 0)})
			requireRefused(t, name, longer)
			// A length that is not the shortest there is, and one that is indefinite.
			requireRefused(t, name, append([]byte{0x30, 0x83, 0, byte(len(outer.Bytes) >> 8), byte(len(outer.Bytes))}, outer.Bytes...))
			requireRefused(t, name, append(append([]byte{0x30, 0x80}, outer.Bytes...), 0, 0))
		})
	}
}

// TestEveryBitOfPrivateKeys changes single bits. Those of a seed make another key, those
// of everything else make none.
func TestEveryBitOfPrivateKeys(t *testing.T) {
	t.Parallel()
	seeds := map[string]int{
		"ECC_NIST_EDWARDS25519": 32, "ML_DSA_44": 32, "ML_DSA_65": 32, "ML_DSA_87": 32,
		"ML_KEM_512": 64, "ML_KEM_768": 64, "ML_KEM_1024": 64,
	}
	for _, name := range []string{
		"RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519",
		"ML_DSA_44", "ML_DSA_65", "ML_DSA_87", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := material(name)
			step := 1
			if name == "RSA_2048" || name == "ECC_NIST_P384" || name == "ECC_NIST_P521" {
				step = 9 // they are slow
			}
			for i, altered := range flips(m, step) {
				if i/8 < len(m)-seeds[name] {
					requireRefused(t, name, altered, "%d", i)
					continue
				}
				k := parse(t, name, altered)
				if strings.HasPrefix(name, "ML_KEM") && i/8 >= len(m)-32 {
					// z is only for ciphertexts that are wrong.
					require.Equal(t, key(t, name).PublicKey(), k.PublicKey())
					continue
				}
				require.NotEqual(t, key(t, name).PublicKey(), k.PublicKey())
			}
		})
	}
}

// TestOthersKeys gives the key of each spec to all the others.
func TestOthersKeys(t *testing.T) {
	t.Parallel()
	for _, from := range keyspec.All() {
		for _, to := range keyspec.All() {
			same := from == to
			// Any bytes are an HMAC key if there are neither too few nor too many.
			if !same && !to.HMAC() && (from.Asymmetric() || to.Asymmetric()) {
				requireRefused(t, to.Name(), material(from.Name()))
			}
			if !from.Asymmetric() {
				continue
			}
			_, err := to.ParsePublic(key(t, from.Name()).PublicKey())
			require.Equal(t, !same, err != nil, "%s as %s", from.Name(), to.Name())
			if !same {
				require.ErrorIs(t, err, keyspec.ErrMaterial)
			}
		}
	}
}

func TestStrictPublicKeys(t *testing.T) {
	t.Parallel()
	for name := range encodings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := lookup(t, name)
			der := key(t, name).PublicKey()
			require.Equal(t, der, parsePublic(t, name, der).PublicKey())
			refused := func(der []byte) {
				t.Helper()
				_, err := s.ParsePublic(der)
				require.ErrorIs(t, err, keyspec.ErrMaterial)
			}
			refused(nil)
			refused(append(bytes.Clone(der), 0))
			for n := 0; n < len(der); n += 1 + len(der)/100 {
				refused(der[:n])
			}
			refused(material(name))
			p := unmarshal[spki](t, der)
			p.PublicKey.Bytes = append(p.PublicKey.Bytes, 0)
			p.PublicKey.BitLength += 8
			refused(marshal(t, p))
			p.PublicKey.BitLength -= 9
			refused(marshal(t, p))
			p = unmarshal[spki](t, der)
			p.Algorithm.Parameters = asn1.RawValue{FullBytes: []byte{4, 0}}
			refused(marshal(t, p))
			// A certificate's extra field, or anything else that is not known.
			outer := unmarshal[asn1.RawValue](t, der)
			refused(marshal(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append(outer.Bytes, 5, 0)}))
		})
	}
}

// TestParseDoesNotKeep overwrites what a key was parsed from.
func TestParseDoesNotKeep(t *testing.T) {
	t.Parallel()
	for _, s := range keyspec.All() {
		m := material(s.Name())
		k := parse(t, s.Name(), m)
		public := bytes.Clone(k.PublicKey())
		clear(m)
		require.Equal(t, public, k.PublicKey())
		if s.HMAC() {
			algorithm := s.Algorithms("GENERATE_VERIFY_MAC")[0]
			require.Equal(t, key(t, s.Name()).MAC(algorithm, nil), k.MAC(algorithm, nil))
		}
		if s.Asymmetric() {
			spki := bytes.Clone(public)
			p := parsePublic(t, s.Name(), spki)
			clear(spki)
			require.Equal(t, public, p.PublicKey())
		}
	}
}

func TestHugeMaterial(t *testing.T) {
	t.Parallel()
	for _, s := range keyspec.All() {
		requireRefused(t, s.Name(), make([]byte, 1<<20))
		// A sequence that claims to be larger than it is.
		requireRefused(t, s.Name(), append([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}, make([]byte, 200)...))
	}
}
