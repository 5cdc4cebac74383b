package keyring_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/keyringtest"
)

func TestPassphraseConformance(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
		cheap := func(name, secret string) *keyring.Passphrase {
			k, err := keyring.NewCheapPassphrase("file", name, []byte(secret))
			require.NoError(t, err)
			return k
		}
		return keyringtest.Subject{
			Encrypt: cheap("key", "correct horse"),
			Decrypt: cheap("key", "correct horse"),
			Foreign: cheap("key", "battery staple"),
			Secrets: [][]byte{[]byte("correct horse")},
		}
	})
}

func TestNewPassphraseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, namespace, name, secret string }{
		{"a reserved namespace", "aws-kms", "key", "secret"},
		{"no passphrase", "file", "key", ""},
		{"a name that is not UTF-8", "file", "\xff", "secret"},
		{"a long name", "file", strings.Repeat("n", 65535-28), "secret"},
	} {
		_, err := keyring.NewPassphrase(c.namespace, c.name, []byte(c.secret))
		require.Error(t, err, c.what)
	}
	_, err := keyring.NewPassphrase("file", strings.Repeat("n", 65535-29), []byte("secret"))
	require.NoError(t, err)
}

// TestPassphraseIsArgon2id opens what the keyring has wrapped with the bare parts.
func TestPassphraseIsArgon2id(t *testing.T) {
	t.Parallel()
	secret := []byte("correct horse")
	k, err := keyring.NewPassphrase("file", "key", secret)
	require.NoError(t, err)
	clear(secret) // it is copied
	m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{
		Context: keyring.EncryptionContext{"a": "b"}, Suite: keyring.AES256GCMHKDFSHA512CommitKey,
	})
	require.NoError(t, err)
	require.NoError(t, k.OnEncrypt(t.Context(), m))
	edk := m.EncryptedDataKeys()[0]
	require.Equal(t, "file", edk.Provider)
	require.Equal(t, byte(1), edk.Info[0])
	require.Equal(t, "key", string(edk.Info[29:]))
	block, err := aes.NewCipher(argon2.IDKey([]byte("correct horse"), edk.Info[1:17], 3, 64<<10, 4, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	key, err := aead.Open(nil, edk.Info[17:29], edk.Ciphertext, m.SerializedContext())
	require.NoError(t, err)
	require.Equal(t, m.DataKey(), key)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", k, k, k, k), "horse")

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	other, err := keyring.NewPassphrase("file", "key", []byte("correct horse"))
	require.NoError(t, err)
	d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
		Context: keyring.EncryptionContext{"a": "b"}, Suite: m.Suite(), EncryptedDataKeys: []keyring.EncryptedDataKey{edk},
	})
	require.NoError(t, err)
	require.ErrorIs(t, other.OnDecrypt(cancelled, d, []keyring.EncryptedDataKey{edk}), context.Canceled)
	require.NoError(t, other.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{edk}))
	require.True(t, bytes.Equal(m.DataKey(), d.DataKey()))
}
