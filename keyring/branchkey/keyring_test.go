package branchkey_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/keyring/keyringtest"
	"github.com/sealring/sealring/kms/kmstest"
)

// subject returns what keyringtest wants of a keyring that ring makes for a branch
// key id of r.
func subject(t *testing.T, r *rig, ring func(id string) *branchkey.Keyring) keyringtest.Subject {
	t.Helper()
	id, absent := r.create(t), "11111111-2222-4333-8444-555555555555"
	own := ring(id)
	failing, err := branchkey.New(r, absent, ttl, nil)
	require.NoError(t, err)
	return keyringtest.Subject{
		Encrypt: own, Decrypt: own, Foreign: ring(r.create(t)), Failing: failing,
		Secrets: [][]byte{r.active(t, id).Bytes()},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, newSubject := range map[string]func(*testing.T) keyringtest.Subject{
		"with an id": func(t *testing.T) keyringtest.Subject {
			r := newRig(t)
			return subject(t, r, func(id string) *branchkey.Keyring { return newRing(t, r, id, nil) })
		},
		"with a supplier": func(t *testing.T) keyringtest.Subject {
			r := newRig(t)
			return subject(t, r, func(id string) *branchkey.Keyring {
				ring, err := branchkey.NewWithSupplier(r, func(keyring.EncryptionContext) (string, error) { return id, nil }, ttl, nil)
				require.NoError(t, err)
				return ring
			})
		},
		"with a cache for one": func(t *testing.T) keyringtest.Subject {
			r := newRig(t)
			return subject(t, r, func(id string) *branchkey.Keyring { return newRing(t, r, id, &branchkey.Options{MaxKeys: 1}) })
		},
		"one to encrypt, one to decrypt": func(t *testing.T) keyringtest.Subject {
			r := newRig(t)
			var id string
			s := subject(t, r, func(i string) *branchkey.Keyring { id = cmpOr(id, i); return newRing(t, r, i, nil) })
			s.Decrypt = newRing(t, r, id, nil)
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, newSubject)
		})
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	s, supplier := &staticStore{}, func(keyring.EncryptionContext) (string, error) { return "id", nil }
	for _, id := range []string{"", "\xff", strings.Repeat("x", branchkey.MaxIDLen+1)} {
		_, err := branchkey.New(s, id, ttl, nil)
		require.ErrorIs(t, err, branchkey.ErrKeyID)
	}
	for name, make := range map[string]func() error{
		"no store":                  func() error { _, err := branchkey.New(nil, "id", ttl, nil); return err },
		"no time to live":           func() error { _, err := branchkey.New(s, "id", 0, nil); return err },
		"a negative time to live":   func() error { _, err := branchkey.New(s, "id", -time.Second, nil); return err },
		"negative room":             func() error { _, err := branchkey.New(s, "id", ttl, &branchkey.Options{MaxKeys: -1}); return err },
		"no supplier":               func() error { _, err := branchkey.NewWithSupplier(s, nil, ttl, nil); return err },
		"a supplier, but no store":  func() error { _, err := branchkey.NewWithSupplier(nil, supplier, ttl, nil); return err },
		"a supplier, but no expiry": func() error { _, err := branchkey.NewWithSupplier(s, supplier, 0, nil); return err },
	} {
		require.Error(t, make(), name)
	}
}

// Each tenant's messages are wrapped with the tenant's branch key, and only with it.
func TestSupplierChoosesByContext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := map[string]string{"a": r.create(t), "b": r.create(t)}
	unknown := errors.New("unknown tenant")
	ring, err := branchkey.NewWithSupplier(r, func(c keyring.EncryptionContext) (string, error) {
		id, ok := ids[c["tenant"]]
		if !ok {
			return "", unknown
		}
		clear(c) // it is a copy
		return id, nil
	}, ttl, nil)
	require.NoError(t, err)
	for tenant, id := range ids {
		m := encryption(t, keyring.EncryptionContext{"tenant": tenant})
		require.NoError(t, ring.OnEncrypt(t.Context(), m))
		k := m.EncryptedDataKeys()[0]
		require.Equal(t, "aws-kms-hierarchy", k.Provider)
		require.Equal(t, id, string(k.Info))
		require.Len(t, k.Ciphertext, 60+32)
		require.NoError(t, opens(t, ring, m))
		require.NoError(t, opens(t, newRing(t, r, id, nil), m))
		// Under another tenant's context it is not even tried.
		d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
			Suite: m.Suite(), Context: keyring.EncryptionContext{"tenant": map[string]string{"a": "b", "b": "a"}[tenant]},
		})
		require.NoError(t, err)
		var none *keyring.NoMatchError
		require.ErrorAs(t, ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()), &none)
		require.Empty(t, none.Attempts)
	}
	m := encryption(t, keyring.EncryptionContext{"tenant": "c"})
	require.ErrorIs(t, ring.OnEncrypt(t.Context(), m), unknown)
	require.ErrorIs(t, ring.OnDecrypt(t.Context(), decryption(t, m), nil), unknown)

	bad, err := branchkey.NewWithSupplier(r, func(keyring.EncryptionContext) (string, error) { return "", nil }, ttl, nil)
	require.NoError(t, err)
	require.ErrorIs(t, bad.OnEncrypt(t.Context(), m), branchkey.ErrKeyID)
	require.ErrorIs(t, bad.OnDecrypt(t.Context(), decryption(t, m), nil), branchkey.ErrKeyID)
}

func TestSaltAndIVAreFresh(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ring := newRing(t, r, r.create(t), nil)
	seen := map[string]bool{}
	for range 64 {
		random := string(sealed(t, ring).EncryptedDataKeys()[0].Ciphertext[:28])
		require.False(t, seen[random[:16]] || seen[random[16:]])
		seen[random[:16]], seen[random[16:]] = true, true
	}
}

// Every error of the store is an attempt, and the next encrypted data key is tried.
func TestStoreErrorsAreAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	m := sealed(t, newRing(t, r, id, nil))
	good := m.EncryptedDataKeys()[0]
	absent := good.Clone()
	absent.Ciphertext[28] ^= 1 // another version
	ring := newRing(t, r, id, nil)

	d := decryption(t, m)
	var none *keyring.NoMatchError
	err := ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{absent})
	require.ErrorAs(t, err, &none)
	require.Len(t, none.Attempts, 1)
	require.ErrorIs(t, err, branchkey.ErrNotFound)
	require.NoError(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{absent, good}))
	require.Equal(t, m.DataKey(), d.DataKey())

	r.cloud.Fail("Decrypt", kmstest.AccessDenied())
	ring = newRing(t, r, id, nil)
	err = opens(t, ring, m)
	require.ErrorIs(t, err, keyring.ErrNoMatch)
	require.ErrorContains(t, err, "AccessDenied")
	err = ring.OnEncrypt(t.Context(), encryption(t, nil))
	require.ErrorContains(t, err, "AccessDenied")
	r.cloud.Fail("Decrypt", nil)
	require.NoError(t, opens(t, ring, m), "a failed load is not kept")
}

// An encrypted data key of a wrong length is refused without a look into the table.
func TestLengthsAreCheckedFirst(t *testing.T) {
	t.Parallel()
	s := newStatic()
	ring := newRing(t, s, s.id, nil)
	m := sealed(t, ring)
	loads := s.count()
	k := m.EncryptedDataKeys()[0]
	for n := range 200 {
		if n == len(k.Ciphertext) {
			continue
		}
		bad := k.Clone()
		bad.Ciphertext = append(bad.Ciphertext, make([]byte, 200)...)[:n]
		err := ring.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{bad})
		require.ErrorIs(t, err, keyring.ErrUnwrap, "%d bytes", n)
	}
	require.Equal(t, loads, s.count())
}

// lyingStore answers with a key that was not asked for.
type lyingStore struct{ key func() *branchkey.Key }

func (l lyingStore) ActiveBranchKey(context.Context, string) (*branchkey.Key, error) {
	return l.key(), nil
}

func (l lyingStore) BranchKeyVersion(context.Context, string, string) (*branchkey.Key, error) {
	return l.key(), nil
}

func TestKeysOfTheStoreAreChecked(t *testing.T) {
	t.Parallel()
	s := newStatic()
	m := sealed(t, newRing(t, s, s.id, nil))
	newKey := func(id, version string) func() *branchkey.Key {
		return func() *branchkey.Key {
			k, err := branchkey.NewKey(id, version, make([]byte, branchkey.KeyLen), nil)
			require.NoError(t, err)
			return k
		}
	}
	other := newKey("other", s.versions[0])
	ring := newRing(t, lyingStore{other}, s.id, nil)
	require.ErrorIs(t, ring.OnEncrypt(t.Context(), encryption(t, nil)), branchkey.ErrResponse)
	require.ErrorIs(t, opens(t, ring, m), branchkey.ErrResponse)
	ring = newRing(t, lyingStore{newKey(s.id, "11111111-2222-4333-8444-555555555555")}, s.id, nil)
	require.NoError(t, ring.OnEncrypt(t.Context(), encryption(t, nil)), "any version may be the active one")
	require.ErrorIs(t, opens(t, ring, m), branchkey.ErrResponse)
	ring = newRing(t, lyingStore{func() *branchkey.Key { return nil }}, s.id, nil)
	require.ErrorIs(t, ring.OnEncrypt(t.Context(), encryption(t, nil)), branchkey.ErrResponse)

	// A key that the store has destroyed wraps nothing.
	destroyed := func() *branchkey.Key { k := newKey(s.id, s.versions[0])(); k.Destroy(); return k }
	ring = newRing(t, lyingStore{destroyed}, s.id, nil)
	require.ErrorContains(t, ring.OnEncrypt(t.Context(), encryption(t, nil)), "destroyed")
	require.ErrorContains(t, opens(t, ring, m), "destroyed")
}

// An item that was altered after the wrapping fails the decryption with KMS's error.
func TestDecryptionWithATamperedTable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	m := sealed(t, newRing(t, r, id, nil))
	r.table.change = set("aws-crypto-ec:tenant", "43")
	var invalid *types.InvalidCiphertextException
	require.ErrorAs(t, opens(t, newRing(t, r, id, nil), m), &invalid)
}

func TestPrintedKeyringShowsNoSecret(t *testing.T) {
	t.Parallel()
	s := newStatic()
	ring := newRing(t, s, s.id, nil)
	sealed(t, ring) // it is cached
	require.Equal(t, fmt.Sprintf("branchkey.Keyring{%q}", s.id), fmt.Sprintf("%+v", ring))
	supplied, err := branchkey.NewWithSupplier(s, func(keyring.EncryptionContext) (string, error) { return "", nil }, ttl, nil)
	require.NoError(t, err)
	require.Equal(t, "branchkey.Keyring{supplier}", fmt.Sprintf("%#v", supplied))
}
