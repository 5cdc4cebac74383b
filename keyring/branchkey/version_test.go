package branchkey_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
)

// What was wrapped with any version opens after any number of versions, in a keyring
// that has nothing cached.
func TestOldCiphertextsOpenAfterVersioning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	var messages []*keyring.EncryptionMaterials
	versions := map[string]bool{}
	for range 6 {
		messages = append(messages, sealed(t, newRing(t, r, id, nil)))
		v, err := r.VersionKey(t.Context(), id)
		require.NoError(t, err)
		require.Regexp(t, uuidForm, v)
		require.Equal(t, v, r.active(t, id).Version())
		require.False(t, versions[v])
		versions[v] = true
	}
	ring := newRing(t, r, id, nil)
	stamps := map[string]bool{}
	for _, m := range messages {
		require.NoError(t, opens(t, ring, m))
		stamps[string(m.EncryptedDataKeys()[0].Ciphertext[28:44])] = true
	}
	require.Len(t, stamps, len(messages), "each message names its version")
	beacon, err := r.BeaconKey(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, tenant, beacon.Context())
}

func TestVersionKeyKeepsContextAndKMSKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	before, err := r.table.Get(t.Context(), id, typeActive)
	require.NoError(t, err)
	time.Sleep(2 * time.Microsecond) // the stamp's resolution
	v, err := r.VersionKey(t.Context(), id)
	require.NoError(t, err)
	after, err := r.table.Get(t.Context(), id, typeActive)
	require.NoError(t, err)
	require.Greater(t, after.Attributes["create-time"], before.Attributes["create-time"])
	require.Equal(t, with(before.Attributes, "create-time", after.Attributes["create-time"], "version", typeVersion+v), after.Attributes)
	item, err := r.table.Get(t.Context(), id, typeVersion+v)
	require.NoError(t, err)
	want := with(after.Attributes, "type", typeVersion+v)
	delete(want, "version")
	require.Equal(t, want, item.Attributes)
}

// Of two calls that have both read the same active item, the second to write fails,
// and the version of the first stays in use.
func TestVersionKeyLosesARace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	var winner string
	r.table.rotate = func() (err error) {
		r.table.rotate = nil
		winner, err = r.VersionKey(t.Context(), id)
		return err
	}
	_, err := r.VersionKey(t.Context(), id)
	require.ErrorIs(t, err, branchkey.ErrConflict)
	require.Equal(t, winner, r.active(t, id).Version())
}

func TestVersionKeyConcurrently(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	const callers = 8
	versions, errs := make([]string, callers), make([]error, callers)
	var ready, wg sync.WaitGroup
	ready.Add(callers)
	r.table.rotate = func() error { // all have read before any writes
		ready.Done()
		ready.Wait()
		return nil
	}
	for i := range callers {
		wg.Go(func() { versions[i], errs[i] = r.VersionKey(t.Context(), id) })
	}
	wg.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			require.Equal(t, versions[i], r.active(t, id).Version())
			continue
		}
		require.ErrorIs(t, err, branchkey.ErrConflict)
		require.Empty(t, versions[i])
	}
	require.Equal(t, 1, won)
}

// The active version and the same version by its name hold the same key, encrypted
// twice.
func TestTheActiveItemHoldsTheVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t)
	for range 2 {
		active := r.active(t, id)
		version, err := r.BranchKeyVersion(t.Context(), id, active.Version())
		require.NoError(t, err)
		require.Equal(t, active, version)
		a, err := r.table.Get(t.Context(), id, typeActive)
		require.NoError(t, err)
		v, err := r.table.Get(t.Context(), id, typeVersion+active.Version())
		require.NoError(t, err)
		require.False(t, bytes.Equal(a.Ciphertext, v.Ciphertext))
		_, err = r.VersionKey(t.Context(), id)
		require.NoError(t, err)
	}
}
