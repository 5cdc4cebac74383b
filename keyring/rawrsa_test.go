package keyring_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/keyringtest"
)

var paddings = []keyring.RSAPadding{
	keyring.OAEPSHA256, keyring.OAEPSHA384, keyring.OAEPSHA512, keyring.OAEPSHA1, keyring.PKCS1v15,
}

func newRSA(t *testing.T, name string, p keyring.RSAPadding, public *rsa.PublicKey, private *rsa.PrivateKey) *keyring.RawRSA {
	t.Helper()
	ring, err := keyring.NewRawRSA("fleet", name, p, public, private)
	require.NoError(t, err)
	return ring
}

// pair returns a keyring of a whole RSA key.
func pair(t *testing.T, name string, p keyring.RSAPadding, key *rsa.PrivateKey) *keyring.RawRSA {
	t.Helper()
	return newRSA(t, name, p, &key.PublicKey, key)
}

func TestRawRSAConformance(t *testing.T) {
	t.Parallel()
	for _, p := range paddings {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				own, other := rsaKeys()[0], rsaKeys()[1]
				return keyringtest.Subject{
					Encrypt: newRSA(t, "key", p, &own.PublicKey, nil),
					Decrypt: newRSA(t, "key", p, nil, own),
					Foreign: pair(t, "other", p, other),
					Failing: newRSA(t, "key", p, nil, own),

					ContextUnbound:  true,
					TamperYieldsKey: p == keyring.PKCS1v15,
					Secrets: [][]byte{
						own.D.Bytes(), []byte(own.D.String()),
						own.Primes[0].Bytes(), []byte(own.Primes[0].String()),
					},
				}
			})
		})
	}
}

func TestNewRawRSARefuses(t *testing.T) {
	t.Parallel()
	own, other := rsaKeys()[0], rsaKeys()[1]
	small, err := rsa.GenerateKey(rand.Reader, 2047)
	require.NoError(t, err)
	broken := &rsa.PrivateKey{PublicKey: own.PublicKey, D: new(big.Int).Add(own.D, big.NewInt(2)), Primes: own.Primes}
	for _, c := range []struct {
		what, namespace, name string
		padding               keyring.RSAPadding
		public                *rsa.PublicKey
		private               *rsa.PrivateKey
	}{
		{"a reserved namespace", "aws-kms", "key", 0, &own.PublicKey, own},
		{"a name that is not UTF-8", "fleet", "\xff", 0, &own.PublicKey, own},
		{"a long name", "fleet", strings.Repeat("n", 65536), 0, &own.PublicKey, own},
		{"a negative padding", "fleet", "key", -1, &own.PublicKey, own},
		{"an unknown padding", "fleet", "key", keyring.PKCS1v15 + 1, &own.PublicKey, own},
		{"no keys", "fleet", "key", 0, nil, nil},
		{"keys that are not a pair", "fleet", "key", 0, &own.PublicKey, other},
		{"a small public key", "fleet", "key", 0, &small.PublicKey, nil},
		{"a small private key", "fleet", "key", 0, nil, small},
		{"an empty public key", "fleet", "key", 0, &rsa.PublicKey{}, nil},
		{"an empty private key", "fleet", "key", 0, nil, &rsa.PrivateKey{}},
		{"a private key that is none", "fleet", "key", 0, nil, broken},
	} {
		ring, err := keyring.NewRawRSA(c.namespace, c.name, c.padding, c.public, c.private)
		require.ErrorContains(t, err, "keyring: ", c.what)
		require.Nil(t, ring, c.what)
	}
	newRSA(t, strings.Repeat("n", 65535), 0, &own.PublicKey, own)
}

func TestRawRSAWithHalfAKey(t *testing.T) {
	t.Parallel()
	own := rsaKeys()[0]
	m := encryption(t, unsigned)
	err := newRSA(t, "key", keyring.OAEPSHA256, nil, own).OnEncrypt(t.Context(), m)
	require.ErrorContains(t, err, "no public key")
	require.False(t, m.HasDataKey())

	public := newRSA(t, "key", keyring.OAEPSHA256, &own.PublicKey, nil)
	require.NoError(t, public.OnEncrypt(t.Context(), m))
	d := decryption(t, m)
	err = public.OnDecrypt(t.Context(), d, m.EncryptedDataKeys())
	require.ErrorContains(t, err, "no private key")
	require.False(t, d.HasDataKey())
}

// crypto/rsa refuses an exponent of 1 when it is used.
func TestRawRSAEncryptionFails(t *testing.T) {
	t.Parallel()
	for _, p := range paddings {
		m := encryption(t, unsigned)
		err := newRSA(t, "key", p, &rsa.PublicKey{N: rsaKeys()[0].N, E: 1}, nil).OnEncrypt(t.Context(), m)
		require.ErrorContains(t, err, "keyring: RSA encryption: ", p)
		require.False(t, m.HasDataKey())
		require.Empty(t, m.EncryptedDataKeys())
	}
}

func TestRawRSAFormat(t *testing.T) {
	t.Parallel()
	own := rsaKeys()[0]
	for _, p := range paddings {
		m := encryption(t, unsigned)
		require.NoError(t, pair(t, "key", p, own).OnEncrypt(t.Context(), m))
		k := m.EncryptedDataKeys()[0]
		require.Equal(t, "fleet", k.Provider)
		require.Equal(t, "key", string(k.Info))
		require.Len(t, k.Ciphertext, 256)

		for _, q := range paddings {
			d := decryption(t, m)
			err := pair(t, "key", q, own).OnDecrypt(t.Context(), d, m.EncryptedDataKeys())
			switch {
			case p == q:
				require.NoError(t, err)
				require.Equal(t, m.DataKey(), d.DataKey())
			case q == keyring.PKCS1v15: // gives a random key
				require.NotEqual(t, m.DataKey(), d.DataKey())
			default:
				require.ErrorIs(t, err, keyring.ErrUnwrap, "%v opened by %v", p, q)
			}
		}
	}
}

// The zero padding is OAEP as crypto/rsa does it, with SHA-256 throughout and no label.
func TestRawRSAZeroPadding(t *testing.T) {
	t.Parallel()
	own := rsaKeys()[0]
	key := bytes.Repeat([]byte{8}, 32)
	ciphertext, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &own.PublicKey, key, nil)
	require.NoError(t, err)
	d := decryption(t, encryption(t, unsigned))
	var zero keyring.RSAPadding
	require.NoError(t, newRSA(t, "key", zero, nil, own).OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{
		{Provider: "fleet", Info: []byte("key"), Ciphertext: ciphertext},
	}))
	require.Equal(t, key, d.DataKey())
}

func TestRawRSAOtherPrivateKey(t *testing.T) {
	t.Parallel()
	for _, p := range paddings {
		m := encryption(t, unsigned)
		require.NoError(t, pair(t, "key", p, rsaKeys()[0]).OnEncrypt(t.Context(), m))
		d := decryption(t, m)
		err := pair(t, "key", p, rsaKeys()[1]).OnDecrypt(t.Context(), d, m.EncryptedDataKeys())
		if p == keyring.PKCS1v15 && err == nil {
			require.Len(t, d.DataKey(), 32)
			require.NotEqual(t, m.DataKey(), d.DataKey())
			continue
		}
		require.ErrorIs(t, err, keyring.ErrUnwrap)
		require.False(t, d.HasDataKey())
	}
}

// A lone PKCS #1 v1.5 key must not show whether its padding or length is right.
func TestPKCS1v15AloneYieldsARandomKey(t *testing.T) {
	t.Parallel()
	own := rsaKeys()[0]
	ring := pair(t, "key", keyring.PKCS1v15, own)
	short, err := rsa.EncryptPKCS1v15(rand.Reader, &own.PublicKey, make([]byte, 16)) //lint:ignore SA1019 what is tested
	require.NoError(t, err)
	noPadding := make([]byte, 256)
	noPadding[255] = 2
	foreign := keyring.EncryptedDataKey{Provider: "fleet", Info: []byte("other"), Ciphertext: short}
	for name, ciphertext := range map[string][]byte{"wrong length": short, "no padding": noPadding} {
		var got [2][]byte
		for i := range got {
			d := decryption(t, encryption(t, unsigned))
			require.NoError(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{
				foreign, {Provider: "fleet", Info: []byte("key"), Ciphertext: ciphertext},
			}), name)
			got[i] = d.DataKey()
			require.Len(t, got[i], 32, name)
			require.NotEqual(t, make([]byte, 32), got[i], name)
		}
		require.NotEqual(t, got[0], got[1], name)
	}
}

// Of several PKCS #1 v1.5 keys the first must not win whatever it holds.
func TestPKCS1v15TriesSeveral(t *testing.T) {
	t.Parallel()
	own := rsaKeys()[0]
	ring := pair(t, "key", keyring.PKCS1v15, own)
	m := encryption(t, unsigned)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	good := m.EncryptedDataKeys()[0]
	bad := good.Clone()
	bad.Ciphertext = make([]byte, 256)
	bad.Ciphertext[255] = 2
	d := decryption(t, m)
	require.NoError(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{bad, good}))
	require.Equal(t, m.DataKey(), d.DataKey())

	d = decryption(t, m)
	err := ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{bad, bad})
	require.ErrorIs(t, err, keyring.ErrUnwrap)
	require.False(t, d.HasDataKey())
}

// A ciphertext without its leading zero is the same number, and refused.
func TestRawRSARefusesShortCiphertext(t *testing.T) {
	t.Parallel()
	for _, p := range []keyring.RSAPadding{keyring.OAEPSHA256, keyring.PKCS1v15} {
		ring := pair(t, "key", p, rsaKeys()[0])
		for {
			m := encryption(t, unsigned)
			require.NoError(t, ring.OnEncrypt(t.Context(), m))
			k := m.EncryptedDataKeys()[0]
			if k.Ciphertext[0] != 0 {
				continue // every 256th or so begins with a zero
			}
			k.Ciphertext = k.Ciphertext[1:]
			err := ring.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{k})
			require.ErrorIs(t, err, keyring.ErrUnwrap)
			break
		}
	}
}

func TestRSAPaddingNames(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range paddings {
		names = append(names, p.String())
	}
	require.Equal(t, []string{"OAEP_SHA256_MGF1", "OAEP_SHA384_MGF1", "OAEP_SHA512_MGF1", "OAEP_SHA1_MGF1", "PKCS1"}, names)
	require.Equal(t, "RSAPadding(9)", keyring.RSAPadding(9).String())
	ring := pair(t, "key", keyring.PKCS1v15, rsaKeys()[0])
	require.Equal(t, `keyring.RawRSA{"fleet", "key", PKCS1}`, fmt.Sprintf("%#v", ring))
}
