package ddbstore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/keyring/keyringtest"
	"github.com/sealring/sealring/kms/kmstest"
)

var tenant = keyring.EncryptionContext{"tenant": "42"}

// newKeyStore returns a key store over a local KMS and the DynamoDB.
func newKeyStore(t *testing.T, f *fakeDynamoDB) *branchkey.KeyStore {
	t.Helper()
	cloud := kmstest.New(t, nil)
	keyARN := cloud.Seed(kmstest.Key{Alias: "alias/branch-keys"})
	s, err := branchkey.NewKeyStore(branchkey.Config{
		LogicalName: "logical", Table: newTable(t, f), KMS: cloud.SDK(), KMSKey: branchkey.ExactKey(keyARN),
	})
	require.NoError(t, err)
	return s
}

func newRing(t *testing.T, s *branchkey.KeyStore, id string) *branchkey.Keyring {
	t.Helper()
	ring, err := branchkey.New(s, id, time.Minute, nil)
	require.NoError(t, err)
	return ring
}

func TestKeyringConformance(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
		s := newKeyStore(t, newFake())
		id, err := s.CreateKey(t.Context(), "mine", tenant)
		require.NoError(t, err)
		other, err := s.CreateKey(t.Context(), "", nil)
		require.NoError(t, err)
		k, err := s.ActiveBranchKey(t.Context(), id)
		require.NoError(t, err)
		ring := newRing(t, s, id)
		return keyringtest.Subject{
			Encrypt: ring, Decrypt: ring, Foreign: newRing(t, s, other), Failing: newRing(t, s, "absent"),
			Secrets: [][]byte{k.Bytes()},
		}
	})
}

// The life of a branch key: messages of every version open, and ids are taken once.
func TestLifeOfABranchKey(t *testing.T) {
	t.Parallel()
	s := newKeyStore(t, newFake())
	id, err := s.CreateKey(t.Context(), "mine", tenant)
	require.NoError(t, err)
	_, err = s.CreateKey(t.Context(), "mine", tenant)
	require.ErrorIs(t, err, branchkey.ErrExists)
	var messages []*keyring.EncryptionMaterials
	for range 4 {
		m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{Context: tenant})
		require.NoError(t, err)
		require.NoError(t, newRing(t, s, id).OnEncrypt(t.Context(), m))
		messages = append(messages, m)
		_, err = s.VersionKey(t.Context(), id)
		require.NoError(t, err)
	}
	for _, m := range messages {
		d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{Suite: m.Suite(), Context: m.Context()})
		require.NoError(t, err)
		require.NoError(t, newRing(t, s, id).OnDecrypt(t.Context(), d, m.EncryptedDataKeys()))
		require.Equal(t, m.DataKey(), d.DataKey())
	}
	beacon, err := s.BeaconKey(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, tenant, beacon.Context())
	_, err = s.VersionKey(t.Context(), "other")
	require.ErrorIs(t, err, branchkey.ErrNotFound)
}

// At least one of the calls that race succeeds, those that fail say why, and the
// version in use is that of a call which succeeded.
func TestVersionKeyConcurrently(t *testing.T) {
	t.Parallel()
	s := newKeyStore(t, newFake())
	id, err := s.CreateKey(t.Context(), "", tenant)
	require.NoError(t, err)
	versions, errs := make([]string, 8), make([]error, 8)
	var wg sync.WaitGroup
	for i := range versions {
		wg.Go(func() { versions[i], errs[i] = s.VersionKey(t.Context(), id) })
	}
	wg.Wait()
	active, err := s.ActiveBranchKey(t.Context(), id)
	require.NoError(t, err)
	won := map[string]bool{}
	for i, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, branchkey.ErrConflict)
			continue
		}
		won[versions[i]] = true
		_, err := s.BranchKeyVersion(t.Context(), id, versions[i])
		require.NoError(t, err)
	}
	require.True(t, won[active.Version()])
}
