package keyring_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/json"
	"math/big"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// Made with OpenSSL's KBKDF and AES-GCM by a program that shares nothing with this
// module but the description of the format.
const ecdhVectors = "testdata/rawecdh.json"

func TestRawECDHVectors(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(ecdhVectors)
	require.NoError(t, err)
	var vectors []struct {
		Curve, Sender, Recipient, DataKey, Info, Ciphertext string
		Context                                             keyring.EncryptionContext
	}
	require.NoError(t, json.Unmarshal(file, &vectors))
	require.Len(t, vectors, 6)
	for _, v := range vectors {
		var curve ecdh.Curve
		for _, c := range nist {
			if c.name == v.Curve {
				curve = c.curve
			}
		}
		a, err := curve.NewPrivateKey(unhex(t, v.Sender))
		require.NoError(t, err)
		b, err := curve.NewPrivateKey(unhex(t, v.Recipient))
		require.NoError(t, err)
		want := unhex(t, v.DataKey)
		suite := keyring.AES256GCMHKDFSHA512CommitKey
		if len(want) == 16 {
			suite = keyring.AES128GCMHKDFSHA256
		}
		for _, provider := range []string{"raw-ecdh", "aws-kms-ecdh"} {
			k := keyring.EncryptedDataKey{Provider: provider, Info: unhex(t, v.Info), Ciphertext: unhex(t, v.Ciphertext)}
			for _, ring := range []keyring.Keyring{static(t, b, a.PublicKey()), static(t, a, b.PublicKey()), discovery(t, b)} {
				d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
					Suite: suite, CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, Context: v.Context,
				})
				require.NoError(t, err)
				require.NoError(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{k}), "%v of %s", ring, v.Curve)
				require.Equal(t, want, d.DataKey())
			}
		}
	}
}

// ecdhByHand is the format once more, from the formulas of its description.
type ecdhByHand struct {
	name  string // in the fixed info
	curve elliptic.Curve
}

var byHand = map[ecdh.Curve]ecdhByHand{
	ecdh.P256(): {"p256", elliptic.P256()},
	ecdh.P384(): {"p384", elliptic.P384()},
	ecdh.P521(): {"p521", elliptic.P521()},
}

func (h ecdhByHand) compressed(k *ecdh.PublicKey) []byte {
	b := k.Bytes()[1:]
	x, y := new(big.Int).SetBytes(b[:len(b)/2]), new(big.Int).SetBytes(b[len(b)/2:])
	return elliptic.MarshalCompressed(h.curve, x, y)
}

func (h ecdhByHand) info(sender, recipient *ecdh.PublicKey) []byte {
	n := byte(len(h.compressed(sender)))
	return bytes.Join([][]byte{
		{1}, {0, 0, 0, n}, h.compressed(recipient), {0, 0, 0, n}, h.compressed(sender),
	}, nil)
}

// keys returns the wrapping key, the commitment and the associated data.
func (h ecdhByHand) keys(t *testing.T, own *ecdh.PrivateKey, peer, sender, recipient *ecdh.PublicKey, salt, context []byte) (gcm cipher.AEAD, commitment, fixed []byte) {
	t.Helper()
	secret, err := own.ECDH(peer)
	require.NoError(t, err)
	fixed = bytes.Join([][]byte{
		[]byte("ecdh-key-derivation"), []byte(h.name), []byte("HMAC_SHA384"),
		append(h.compressed(sender), h.compressed(recipient)...), {1}, context,
	}, []byte{0})
	var okm []byte
	for i := byte(1); i <= 2; i++ {
		mac := hmac.New(sha512.New384, secret)
		mac.Write(bytes.Join([][]byte{{0, 0, 0, i}, fixed, {0}, salt, {0, 0, 2, 0}}, nil))
		okm = mac.Sum(okm)
	}
	block, err := aes.NewCipher(okm[32:64])
	require.NoError(t, err)
	gcm, err = cipher.NewGCM(block)
	require.NoError(t, err)
	return gcm, okm[:32], fixed
}

func TestRawECDHByHand(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecdh.Curve) {
		h := byHand[c]
		a, b := newECDHKey(t, c), newECDHKey(t, c)
		for _, s := range keyring.Suites() {
			m := encryption(t, s)
			require.NoError(t, static(t, a, b.PublicKey()).OnEncrypt(t.Context(), m))
			k := m.EncryptedDataKeys()[0]
			require.Equal(t, h.info(a.PublicKey(), b.PublicKey()), k.Info)
			salt, commitment, sealed := k.Ciphertext[:32], k.Ciphertext[32:64], k.Ciphertext[64:]
			gcm, want, fixed := h.keys(t, b, a.PublicKey(), a.PublicKey(), b.PublicKey(), salt, m.SerializedContext())
			require.Equal(t, want, commitment)
			key, err := gcm.Open(nil, make([]byte, 12), sealed, fixed)
			require.NoError(t, err)
			require.Equal(t, m.DataKey(), key)

			rand.Read(salt)
			gcm, commitment, fixed = h.keys(t, a, b.PublicKey(), b.PublicKey(), a.PublicKey(), salt, m.SerializedContext())
			k.Info = h.info(b.PublicKey(), a.PublicKey()) // back from b to a
			k.Ciphertext = gcm.Seal(append(salt, commitment...), make([]byte, 12), key, fixed)
			for _, ring := range []keyring.Keyring{static(t, a, b.PublicKey()), static(t, b, a.PublicKey()), discovery(t, a)} {
				d := decryption(t, m)
				require.NoError(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{k}))
				require.Equal(t, key, d.DataKey())
			}
		}
	})
}
