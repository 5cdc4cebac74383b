package keyringtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// secret is the wrapping key of the keyrings that the defects are built on.
var secret = []byte("0123456789abcdef0123456789abcdef")

func newRawAES(t *testing.T, name string, key []byte) *keyring.RawAES {
	t.Helper()
	ring, err := keyring.NewRawAES("keyringtest-self", name, key)
	require.NoError(t, err)
	return ring
}

// sound returns a subject without a defect.
func sound(t *testing.T) Subject {
	t.Helper()
	own := newRawAES(t, "own", secret)
	child := newRawAES(t, "child", secret)
	failing, err := keyring.NewMulti(nil, child, hooks{Keyring: child, encrypt: func(context.Context, *keyring.EncryptionMaterials) error {
		return errors.New("out of order")
	}})
	require.NoError(t, err)
	return Subject{
		Encrypt: own, Decrypt: own,
		Foreign: newRawAES(t, "foreign", bytes.Repeat([]byte{7}, 16)),
		Failing: failing,
		Secrets: [][]byte{secret},
	}
}

// hooks is a keyring with one or both of its methods replaced.
type hooks struct {
	keyring.Keyring
	encrypt func(context.Context, *keyring.EncryptionMaterials) error
	decrypt func(context.Context, *keyring.DecryptionMaterials, []keyring.EncryptedDataKey) error
}

func (h hooks) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	if h.encrypt == nil {
		return h.Keyring.OnEncrypt(ctx, m)
	}
	return h.encrypt(ctx, m)
}

func (h hooks) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	if h.decrypt == nil {
		return h.Keyring.OnDecrypt(ctx, m, keys)
	}
	return h.decrypt(ctx, m, keys)
}

// xorRing is a keyring without any authentication: it binds neither the bytes nor
// the context, and fits whatever it finds to the suite's length.
type xorRing struct{}

func (xorRing) pad(key []byte, n int) []byte {
	out := make([]byte, n)
	copy(out, key)
	for i := range out {
		out[i] ^= secret[i%len(secret)]
	}
	return out
}

func (x xorRing) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	return keyring.Wrap(ctx, m, func(_ context.Context, key []byte) (keyring.EncryptedDataKey, error) {
		return keyring.EncryptedDataKey{Provider: "xor", Ciphertext: x.pad(key, len(key))}, nil
	}, nil)
}

func (x xorRing) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	ours := func(k keyring.EncryptedDataKey) bool { return k.Provider == "xor" }
	return keyring.Unwrap(ctx, m, keys, ours, func(_ context.Context, k keyring.EncryptedDataKey) ([]byte, error) {
		return x.pad(k.Ciphertext, m.Suite().DataKeyLen()), nil
	})
}

// lastKeyRing decrypts by remembering the last data key that it has seen.
type lastKeyRing struct {
	keyring.Keyring
	mu   sync.Mutex
	last []byte // guarded by mu
}

func (l *lastKeyRing) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	err := l.Keyring.OnEncrypt(ctx, m)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = bytes.Clone(m.DataKey())
	return err
}

func (l *lastKeyRing) OnDecrypt(_ context.Context, m *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return m.SetDataKey(l.last)
}

// talkative prints its key.
type talkative struct {
	keyring.Keyring
	Key any
}

// randomKey gives m a data key that nobody else has.
func randomKey(m interface {
	Suite() keyring.Suite
	SetDataKey([]byte) error
}) error {
	key := make([]byte, m.Suite().DataKeyLen())
	rand.Read(key)
	return m.SetDataKey(key)
}
