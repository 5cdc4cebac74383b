package keyring_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// rsaKeys are made once: the private keys of two RSA keyrings.
var rsaKeys = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

func newAES(t *testing.T, name string) *keyring.RawAES {
	t.Helper()
	ring, err := keyring.NewRawAES("fleet", name, bytes.Repeat([]byte(name[:1]), 32))
	require.NoError(t, err)
	return ring
}

func newMulti(t *testing.T, generator keyring.Keyring, children ...keyring.Keyring) *keyring.Multi {
	t.Helper()
	ring, err := keyring.NewMulti(generator, children...)
	require.NoError(t, err)
	return ring
}

// unsigned is the suite of tests that need no particular one.
const unsigned = keyring.AES256GCMHKDFSHA256

func encryption(t *testing.T, s keyring.Suite) *keyring.EncryptionMaterials {
	t.Helper()
	m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{
		Suite: s, CommitmentPolicy: writing(s), Context: keyring.EncryptionContext{"tenant": "42"},
	})
	require.NoError(t, err)
	return m
}

func decryption(t *testing.T, m *keyring.EncryptionMaterials) *keyring.DecryptionMaterials {
	t.Helper()
	d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
		Suite: m.Suite(), CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, Context: m.Context(),
	})
	require.NoError(t, err)
	return d
}

// writing returns a policy under which s may be written and read.
func writing(s keyring.Suite) keyring.CommitmentPolicy {
	if s.Committing() {
		return keyring.RequireEncryptAllowDecrypt
	}
	return keyring.ForbidEncryptAllowDecrypt
}

// fake is a keyring of two functions.
type fake struct {
	encrypt func(context.Context, *keyring.EncryptionMaterials) error
	decrypt func(context.Context, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error
}

func (f fake) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	return f.encrypt(ctx, m)
}

func (f fake) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	return f.decrypt(ctx, m, keys)
}
