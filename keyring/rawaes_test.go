package keyring_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/keyringtest"
)

func TestRawAESConformance(t *testing.T) {
	t.Parallel()
	for _, n := range []int{16, 24, 32} {
		t.Run(fmt.Sprintf("%d bytes", n), func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				key := []byte("0123456789abcdefghijklmnopqrstuv")[:n]
				ring, err := keyring.NewRawAES("fleet", "key", key)
				require.NoError(t, err)
				foreign, err := keyring.NewRawAES("fleet", "kez", key)
				require.NoError(t, err)
				return keyringtest.Subject{Encrypt: ring, Decrypt: ring, Foreign: foreign, Secrets: [][]byte{key}}
			})
		})
	}
}

func TestNewRawAESRefuses(t *testing.T) {
	t.Parallel()
	key := make([]byte, 32)
	for _, c := range []struct {
		what, namespace, name string
		key                   []byte
	}{
		{"a reserved namespace", "aws-kms", "key", key},
		{"a reserved prefix", "aws-kms-hierarchy", "key", key},
		{"the namespace of ECDH keyrings", "raw-ecdh", "key", key},
		{"a namespace that is not UTF-8", "\xff", "key", key},
		{"a name that is not UTF-8", "fleet", "\xff", key},
		{"a long namespace", strings.Repeat("n", 65536), "key", key},
		{"a long name", "fleet", strings.Repeat("n", 65536-20), key},
		{"no key", "fleet", "key", nil},
		{"a short key", "fleet", "key", key[:15]},
		{"an odd key", "fleet", "key", key[:31]},
		{"a long key", "fleet", "key", make([]byte, 33)},
	} {
		ring, err := keyring.NewRawAES(c.namespace, c.name, c.key)
		require.ErrorContains(t, err, "keyring: ", c.what)
		require.Nil(t, ring, c.what)
	}
}

func TestRawAESNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ namespace, name string }{
		{"", ""}, {"fleet", ""}, {"aws", "key"}, {"AWS-KMS", "key"}, {"Flotte für 車", "Schlüssel"},
		{strings.Repeat("n", 65535), strings.Repeat("n", 65535-20)},
	} {
		ring, err := keyring.NewRawAES(c.namespace, c.name, make([]byte, 16))
		require.NoError(t, err)
		m := encryption(t, unsigned)
		require.NoError(t, ring.OnEncrypt(t.Context(), m))
		k := m.EncryptedDataKeys()[0]
		require.Equal(t, c.namespace, k.Provider)
		require.Len(t, k.Info, len(c.name)+20)
		d := decryption(t, m)
		require.NoError(t, ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
		require.Equal(t, m.DataKey(), d.DataKey())
	}
}

// The encrypted data key was made with another implementation of AES-GCM: wrapping
// key 00 01 … 1f, IV a0 … ab, data key 40 … 5f.
func TestRawAESKnownAnswer(t *testing.T) {
	t.Parallel()
	sequence := func(first byte, n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = first + byte(i)
		}
		return b
	}
	known := keyring.EncryptedDataKey{
		Provider: "fleet",
		Info:     unhex(t, "6b6579 00000080 0000000c a0a1a2a3a4a5a6a7a8a9aaab"),
		Ciphertext: unhex(t, "a6593e6e018e44f82a2ccd984b378e9120fd0b43c6e2143bc4577cdd23f62b5e"+
			"a4c8491d1e10938ee28d25584c740baf"),
	}
	ring, err := keyring.NewRawAES("fleet", "key", sequence(0, 32))
	require.NoError(t, err)
	d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
		Suite: keyring.AES256GCMHKDFSHA512CommitKey, Context: keyring.EncryptionContext{"tenant": "42", "purpose": "test"},
	})
	require.NoError(t, err)
	require.NoError(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{known}))
	require.Equal(t, sequence(0x40, 32), d.DataKey())

	m := encryption(t, unsigned)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	k := m.EncryptedDataKeys()[0]
	require.Equal(t, known.Provider, k.Provider)
	require.Equal(t, known.Info[:11], k.Info[:11])
	require.Len(t, k.Info, len(known.Info))
}

// What differs in name or layout belongs to another keyring; what has the right
// ones and does not open was altered.
func TestRawAESTellsForeignFromAltered(t *testing.T) {
	t.Parallel()
	ring := newAES(t, "key")
	m := encryption(t, unsigned)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	for _, c := range []struct {
		name   string
		ours   bool
		change func(k *keyring.EncryptedDataKey)
	}{
		{"provider", false, func(k *keyring.EncryptedDataKey) { k.Provider = "fleets" }},
		{"name", false, func(k *keyring.EncryptedDataKey) { k.Info[0]++ }},
		{"tag length", false, func(k *keyring.EncryptedDataKey) { k.Info[6] = 96 }},
		{"IV length", false, func(k *keyring.EncryptedDataKey) { k.Info[10] = 16 }},
		{"shorter info", false, func(k *keyring.EncryptedDataKey) { k.Info = k.Info[:len(k.Info)-1] }},
		{"longer info", false, func(k *keyring.EncryptedDataKey) { k.Info = append(k.Info, 0) }},
		{"no info", false, func(k *keyring.EncryptedDataKey) { k.Info = nil }},
		{"IV", true, func(k *keyring.EncryptedDataKey) { k.Info[11]++ }},
		{"ciphertext", true, func(k *keyring.EncryptedDataKey) { k.Ciphertext[0]++ }},
		{"shorter ciphertext", true, func(k *keyring.EncryptedDataKey) { k.Ciphertext = k.Ciphertext[:15] }},
		{"no ciphertext", true, func(k *keyring.EncryptedDataKey) { k.Ciphertext = nil }},
	} {
		k := m.EncryptedDataKeys()[0].Clone()
		c.change(&k)
		err := ring.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{k})
		var none *keyring.NoMatchError
		require.ErrorAs(t, err, &none, c.name)
		if !c.ours {
			require.Empty(t, none.Attempts, c.name)
			continue
		}
		require.Len(t, none.Attempts, 1, c.name)
		require.Equal(t, keyring.ErrUnwrap, none.Attempts[0].Err, c.name)
	}
}

func TestRawAESCopiesItsKey(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{1}, 32)
	ring, err := keyring.NewRawAES("fleet", "key", key)
	require.NoError(t, err)
	m := encryption(t, unsigned)
	require.NoError(t, ring.OnEncrypt(t.Context(), m))
	clear(key)
	d := decryption(t, m)
	require.NoError(t, ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
	require.Equal(t, m.DataKey(), d.DataKey())
}

func TestRawAESNeverRepeatsAnIV(t *testing.T) {
	t.Parallel()
	ring := newAES(t, "key")
	seen := make(map[string]bool)
	for range 1000 {
		m := encryption(t, keyring.AES256GCMHKDFSHA512CommitKey)
		require.NoError(t, ring.OnEncrypt(t.Context(), m))
		iv := hex.EncodeToString(m.EncryptedDataKeys()[0].Info[11:])
		require.False(t, seen[iv])
		seen[iv] = true
	}
}

func TestRawAESPrintsItsName(t *testing.T) {
	t.Parallel()
	require.Equal(t, `keyring.RawAES{"fleet", "key"}`, fmt.Sprintf("%+v", newAES(t, "key")))
}
