package keyrecord_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

// imported is a key with two materials, the second pending, of which the first expires
// in an hour.
func imported() *keyrecord.Key {
	k := newKey()
	k.Origin = keyrecord.OriginExternal
	until := created.Add(time.Hour)
	k.Materials[0].ValidTo = &until
	k.Materials[1].Pending = true
	return k
}

func TestPendingMaterial(t *testing.T) {
	t.Parallel()
	k := imported()
	require.Same(t, &k.Materials[1], k.PendingMaterial())
	require.Same(t, &k.Materials[0], k.Current())
	k.Materials[1].Pending = false
	require.Nil(t, k.PendingMaterial())
	require.Same(t, &k.Materials[1], k.Current())
	k.Materials = nil
	require.Nil(t, k.PendingMaterial())
	require.Nil(t, k.Current())
}

// TestForgetExpired has material go to the millisecond and leave its place behind; what
// other copies of the record share stays as it is.
func TestForgetExpired(t *testing.T) {
	t.Parallel()
	shared := imported()
	k := shared.Clone()
	k.Note(k.Materials[0].ID, "mine")
	k.ForgetExpired(created.Add(time.Hour - 1))
	require.Equal(t, secret(1), k.Materials[0].Bytes)
	require.True(t, k.Complete(created.Add(time.Hour-1)))
	require.False(t, k.Complete(created.Add(time.Hour)))
	k.ForgetExpired(created.Add(time.Hour))
	require.Equal(t, keyrecord.Material{ID: shared.Materials[0].ID, Created: created}, k.Materials[0])
	require.Equal(t, secret(2), k.Materials[1].Bytes)
	require.Equal(t, secret(1), shared.Materials[0].Bytes)
	require.NotNil(t, shared.Materials[0].ValidTo)
	require.Equal(t, map[string]string{shared.Materials[0].ID: "mine"}, k.Notes)
	require.NotContains(t, shared.Notes, shared.Materials[0].ID)
	kept := k.Clone()
	k.Materials = k.Materials[1:]
	k.Note(k.Materials[0].ID, "another")
	require.Equal(t, map[string]string{k.Materials[0].ID: "another"}, k.Notes, "of what is there")
	require.Len(t, kept.Notes, 1)
	require.Equal(t, "mine", kept.Notes[shared.Materials[0].ID])

	made := newKey() // which never expires
	made.ForgetExpired(created.AddDate(100, 0, 0))
	require.Equal(t, newKey(), made)
}

// TestShareOfImportedMaterial has a copy get the places of the materials, and keep its
// own.
func TestShareOfImportedMaterial(t *testing.T) {
	t.Parallel()
	k, other := imported(), imported()
	k.MultiRegion = &keyrecord.MultiRegion{Primary: k.Region, Copies: []keyrecord.Copy{{Region: k.Region}, {Region: "us-east-1"}}}
	other.Region, other.Materials = "us-east-1", other.Materials[1:]
	until := created.Add(time.Minute)
	other.Materials[0].ValidTo = &until
	other.Note(other.Materials[0].ID, "theirs")
	k.Materials[1].Pending = false
	k.Share(other)
	require.Len(t, other.Materials, 2)
	require.Empty(t, other.Materials[0].Bytes)
	require.Nil(t, other.Materials[0].ValidTo)
	require.Equal(t, secret(2), other.Materials[1].Bytes)
	require.Equal(t, &until, other.Materials[1].ValidTo)
	require.Equal(t, map[string]string{other.Materials[1].ID: "theirs"}, other.Notes)
	require.False(t, other.Materials[1].Pending)
	require.Nil(t, k.Materials[1].ValidTo)
}

func TestHas(t *testing.T) {
	t.Parallel()
	k := &keyrecord.Key{ID: id, Materials: []keyrecord.Material{keyrecord.NewMaterial(id, make([]byte, 32), created)}}
	m := &k.Materials[0]
	require.True(t, k.Has(m.ID))
	require.False(t, k.Has("another"))
	m.Forget()
	require.False(t, k.Has(m.ID))
	require.NotNil(t, k.Material(m.ID))
}
