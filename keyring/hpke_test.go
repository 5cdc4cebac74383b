package keyring_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/mlkem"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/keyringtest"
)

var kems = []struct {
	name string
	kem  hpke.KEM
	enc  int // length of an encapsulated key
}{
	{"ML-KEM-768", hpke.MLKEM768(), 1088},
	{"ML-KEM-1024", hpke.MLKEM1024(), 1568},
	{"MLKEM768-P256", hpke.MLKEM768P256(), 1088 + 65},
	{"MLKEM1024-P384", hpke.MLKEM1024P384(), 1568 + 97},
	{"MLKEM768-X25519", hpke.MLKEM768X25519(), 1088 + 32},
}

func hpkeKey(t *testing.T, kem hpke.KEM) hpke.PrivateKey {
	t.Helper()
	k, err := kem.GenerateKey()
	require.NoError(t, err)
	return k
}

func newHPKE(t *testing.T, name string, public hpke.PublicKey, private hpke.PrivateKey) *keyring.HPKE {
	t.Helper()
	ring, err := keyring.NewHPKE("fleet", name, public, private)
	require.NoError(t, err)
	return ring
}

func TestHPKEConformance(t *testing.T) {
	t.Parallel()
	for _, c := range kems {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				own, other := hpkeKey(t, c.kem), hpkeKey(t, c.kem)
				seed, err := own.Bytes()
				require.NoError(t, err)
				return keyringtest.Subject{
					Encrypt: newHPKE(t, "key", own.PublicKey(), nil),
					Decrypt: newHPKE(t, "key", own.PublicKey(), own),
					Foreign: newHPKE(t, "other", other.PublicKey(), other),
					Failing: newHPKE(t, "key", nil, own),
					Secrets: [][]byte{seed},
				}
			})
		})
	}
}

func TestNewHPKERefuses(t *testing.T) {
	t.Parallel()
	own, other := hpkeKey(t, hpke.MLKEM768X25519()), hpkeKey(t, hpke.MLKEM768X25519())
	for _, c := range []struct {
		what, namespace, name string
		public                hpke.PublicKey
		private               hpke.PrivateKey
	}{
		{"a reserved namespace", "aws-kms-hpke", "key", own.PublicKey(), own},
		{"a name that is not UTF-8", "fleet", "\xff", own.PublicKey(), own},
		{"a long name", "fleet", strings.Repeat("n", 65529), own.PublicKey(), own},
		{"no keys", "fleet", "key", nil, nil},
		{"keys that are not a pair", "fleet", "key", own.PublicKey(), other},
		{"keys of two KEMs", "fleet", "key", own.PublicKey(), hpkeKey(t, hpke.MLKEM768())},
	} {
		ring, err := keyring.NewHPKE(c.namespace, c.name, c.public, c.private)
		require.ErrorContains(t, err, "keyring: ", c.what)
		require.Nil(t, ring, c.what)
	}
	for _, curve := range []ecdh.Curve{ecdh.P256(), ecdh.P384(), ecdh.P521(), ecdh.X25519()} {
		k := hpkeKey(t, hpke.DHKEM(curve))
		_, err := keyring.NewHPKE("fleet", "key", k.PublicKey(), nil)
		require.ErrorContains(t, err, "ML-KEM", curve)
		_, err = keyring.NewHPKE("fleet", "key", nil, k)
		require.ErrorContains(t, err, "ML-KEM", curve)
	}
	ring := newHPKE(t, strings.Repeat("n", 65528), own.PublicKey(), own) // fits just
	require.NoError(t, ring.OnEncrypt(t.Context(), encryption(t, unsigned)))
}

func TestHPKEWithHalfAKey(t *testing.T) {
	t.Parallel()
	own := hpkeKey(t, hpke.MLKEM768X25519())
	m := encryption(t, unsigned)
	require.ErrorContains(t, newHPKE(t, "key", nil, own).OnEncrypt(t.Context(), m), "no public key")
	require.False(t, m.HasDataKey())
	public := newHPKE(t, "key", own.PublicKey(), nil)
	require.NoError(t, public.OnEncrypt(t.Context(), m))
	d := decryption(t, m)
	require.ErrorContains(t, public.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()), "no private key")
	require.False(t, d.HasDataKey())
	require.NoError(t, newHPKE(t, "key", nil, own).OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
	require.Equal(t, m.DataKey(), d.DataKey())
}

// Data keys that this project has once wrapped: they have to open for ever.
func TestHPKEVectors(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/hpke.json")
	require.NoError(t, err)
	var vectors []struct {
		KEM                                                 uint16
		Namespace, Name, Private, DataKey, Info, Ciphertext string
		Context                                             keyring.EncryptionContext
	}
	require.NoError(t, json.Unmarshal(file, &vectors))
	seen := map[uint16]bool{}
	for _, v := range vectors {
		kem, err := hpke.NewKEM(v.KEM)
		require.NoError(t, err)
		private, err := kem.NewPrivateKey(unhex(t, v.Private))
		require.NoError(t, err)
		ring, err := keyring.NewHPKE(v.Namespace, v.Name, nil, private)
		require.NoError(t, err)
		d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
			Suite: keyring.AES256GCMHKDFSHA512CommitKey, Context: v.Context,
		})
		require.NoError(t, err)
		require.NoError(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{
			{Provider: v.Namespace, Info: unhex(t, v.Info), Ciphertext: unhex(t, v.Ciphertext)},
		}))
		require.Equal(t, unhex(t, v.DataKey), d.DataKey())
		seen[v.KEM] = true
	}
	require.Len(t, seen, len(kems))
}

// hpkeByHand returns the provider info and HPKE's own info as the format's
// description has them.
func hpkeByHand(kem uint16, namespace, name string, context []byte) (info, bound []byte) {
	info = binary.BigEndian.AppendUint16([]byte{1}, kem)
	info = append(info, 0, 2, 0, 2)
	info = append(info, name...)
	bound = append([]byte("sealring/keyring/hpke"), 0)
	bound = binary.BigEndian.AppendUint16(bound, uint16(len(namespace)))
	bound = append(bound, namespace...)
	bound = binary.BigEndian.AppendUint16(bound, uint16(len(info)))
	return info, bytes.Join([][]byte{bound, info, context}, nil)
}

func TestHPKEByHand(t *testing.T) {
	t.Parallel()
	for _, c := range kems {
		own := hpkeKey(t, c.kem)
		ring := newHPKE(t, "key", own.PublicKey(), own)
		for _, s := range keyring.Suites() {
			m := encryption(t, s)
			require.NoError(t, ring.OnEncrypt(t.Context(), m))
			k := m.EncryptedDataKeys()[0]
			info, bound := hpkeByHand(c.kem.ID(), "fleet", "key", m.SerializedContext())
			require.Equal(t, "fleet", k.Provider)
			require.Equal(t, info, k.Info)
			require.Len(t, k.Ciphertext, c.enc+s.DataKeyLen()+16)
			r, err := hpke.NewRecipient(k.Ciphertext[:c.enc], own, hpke.HKDFSHA384(), hpke.AES256GCM(), bound)
			require.NoError(t, err)
			key, err := r.Open(nil, k.Ciphertext[c.enc:])
			require.NoError(t, err)
			require.Equal(t, m.DataKey(), key)

			enc, sender, err := hpke.NewSender(own.PublicKey(), hpke.HKDFSHA384(), hpke.AES256GCM(), bound)
			require.NoError(t, err)
			sealed, err := sender.Seal(nil, key)
			require.NoError(t, err)
			d := decryption(t, m)
			k.Ciphertext = append(enc, sealed...)
			require.NoError(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{k}))
			require.Equal(t, key, d.DataKey())
		}
	}
}

// An info that names another version or suite is not tried, even if the ciphertext
// would open.
func TestHPKEOtherSuitesAreNotTried(t *testing.T) {
	t.Parallel()
	own := hpkeKey(t, hpke.MLKEM768X25519())
	ring := newHPKE(t, "key", own.PublicKey(), own)
	m := encryption(t, unsigned)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	good := m.EncryptedDataKeys()[0]
	for at, values := range [][]byte{{0, 2}, {0}, {0x41}, {1}, {1, 3, 0x10}, {1}, {1, 3}} {
		for _, v := range values {
			k := good.Clone()
			k.Info[at] = v
			err := ring.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{k})
			var none *keyring.NoMatchError
			require.ErrorAs(t, err, &none)
			require.Empty(t, none.Attempts, "byte %d is %d", at, v)
		}
	}
	for _, c := range kems { // the same name with a key of another KEM
		if c.kem.ID() == hpke.MLKEM768X25519().ID() {
			continue
		}
		other := hpkeKey(t, c.kem)
		err := newHPKE(t, "key", nil, other).OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{good})
		var none *keyring.NoMatchError
		require.ErrorAs(t, err, &none)
		require.Empty(t, none.Attempts)
	}
}

// Namespace, name and lengths are bound: what was wrapped under one pair of them does
// not open under another, although the key is the same.
func TestHPKEBindsItsName(t *testing.T) {
	t.Parallel()
	own := hpkeKey(t, hpke.MLKEM768X25519())
	names := [][2]string{{"a", "bc"}, {"ab", "c"}, {"", "abc"}, {"abc", ""}}
	for _, from := range names {
		writer, err := keyring.NewHPKE(from[0], from[1], own.PublicKey(), nil)
		require.NoError(t, err)
		m := encryption(t, unsigned)
		require.NoError(t, writer.OnEncrypt(t.Context(), m))
		for _, to := range names {
			reader, err := keyring.NewHPKE(to[0], to[1], nil, own)
			require.NoError(t, err)
			info, _ := hpkeByHand(own.KEM().ID(), to[0], to[1], nil)
			k := keyring.EncryptedDataKey{Provider: to[0], Info: info, Ciphertext: m.EncryptedDataKeys()[0].Ciphertext}
			err = reader.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{k})
			if from == to {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, keyring.ErrUnwrap)
		}
	}
}

// ML-KEM refuses no ciphertext of the right length: it is the tag that does.
func TestHPKEOtherKeyOfTheSameName(t *testing.T) {
	t.Parallel()
	for _, c := range kems {
		m := encryption(t, unsigned)
		require.NoError(t, newHPKE(t, "key", hpkeKey(t, c.kem).PublicKey(), nil).OnEncrypt(t.Context(), m))
		d := decryption(t, m)
		err := newHPKE(t, "key", nil, hpkeKey(t, c.kem)).OnDecrypt(t.Context(), d, m.EncryptedDataKeys())
		require.ErrorIs(t, err, keyring.ErrUnwrap)
		require.False(t, d.HasDataKey())
	}
}

// A private key may be another implementation of the parts, such as a key of KMS.
func TestHPKEKeysOfParts(t *testing.T) {
	t.Parallel()
	pq, err := mlkem.GenerateKey768()
	require.NoError(t, err)
	private, err := hpke.NewHybridPrivateKey(pq, newECDHKey(t, ecdh.X25519()))
	require.NoError(t, err)
	ring := newHPKE(t, "key", private.PublicKey(), private)
	m := encryption(t, unsigned)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	d := decryption(t, m)
	require.NoError(t, ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
	require.Equal(t, m.DataKey(), d.DataKey())
}

func TestHPKEMessages(t *testing.T) {
	t.Parallel()
	plaintext := bytes.Repeat([]byte("plaintext "), 1000)
	for _, c := range kems {
		own := hpkeKey(t, c.kem)
		for _, s := range keyring.Suites() {
			writer := keyring.NewManager(newHPKE(t, "key", own.PublicKey(), nil))
			message, err := envelope.Encrypt(t.Context(), writer, plaintext, &envelope.EncryptOptions{
				Suite: s, CommitmentPolicy: writing(s), Context: keyring.EncryptionContext{"tenant": "42"},
			})
			require.NoError(t, err)
			reader := keyring.NewManager(newHPKE(t, "key", nil, own))
			got, _, err := envelope.Decrypt(t.Context(), reader, message, &envelope.DecryptOptions{
				CommitmentPolicy: keyring.RequireEncryptAllowDecrypt,
			})
			require.NoError(t, err, "%s %v", c.name, s)
			require.Equal(t, plaintext, got)
		}
	}
}

func TestHPKEPrints(t *testing.T) {
	t.Parallel()
	for _, c := range kems {
		own := hpkeKey(t, c.kem)
		ring := newHPKE(t, "key", own.PublicKey(), own)
		require.Equal(t, `keyring.HPKE{"fleet", "key", `+c.name+`}`, fmt.Sprintf("%#v", ring))
	}
}

// Today's messages stay secret from tomorrow's quantum computers.
func ExampleNewHPKE() {
	private, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		fmt.Println(err)
		return
	}
	writer, err := keyring.NewHPKE("fleet", "2026-01", private.PublicKey(), nil)
	fmt.Println(writer, err)
	// Output: keyring.HPKE{"fleet", "2026-01", MLKEM768-X25519} <nil>
}
