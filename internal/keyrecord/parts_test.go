package keyrecord_test

import (
	"bytes"
	"errors"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

var errMissing = errors.New("missing")

// records is a store.
type records map[string][]byte

func (r records) get(name string) ([]byte, error) {
	b, ok := r[name]
	if !ok {
		return nil, errMissing
	}
	return bytes.Clone(b), nil
}

// put stores all that there is of k.
func (r records) put(t *testing.T, k *keyrecord.Key) {
	t.Helper()
	for name, marshal := range map[string]func() ([]byte, error){
		keyrecord.LocalName(k.Account, k.Region, k.ID): k.MarshalLocal,
		keyrecord.MaterialsName(k.Account, k.ID):       k.MarshalMaterials,
	} {
		b, err := marshal()
		require.NoError(t, err)
		if b != nil {
			r[name] = b
		}
	}
	b, err := k.Marshal()
	require.NoError(t, err)
	r[keyrecord.KeyName(k.Account, k.Region, k.ID)] = b
}

func (r records) read(k *keyrecord.Key) (*keyrecord.Key, error) {
	return keyrecord.ReadKey(k.Account, k.Region, k.ID, r.get)
}

// kinds returns keys by how many records they have.
func kinds() map[int]*keyrecord.Key {
	plain := newKey()
	plain.Local = keyrecord.Local{}
	copied := newKey()
	copied.MultiRegion = &keyrecord.MultiRegion{Primary: copied.Region, Copies: []keyrecord.Copy{{Region: copied.Region}}}
	return map[int]*keyrecord.Key{1: plain, 2: newKey(), 3: copied}
}

func TestReadKey(t *testing.T) {
	t.Parallel()
	imported := kinds()[3]
	imported.Origin = keyrecord.OriginExternal
	all := kinds()
	for n, k := range map[int]*keyrecord.Key{1: all[1], 2: all[2], 3: all[3], -2: imported} {
		want := k.Clone()
		stored := records{}
		stored.put(t, k)
		require.Len(t, stored, max(n, -n))
		got, err := stored.read(k)
		require.NoError(t, err)
		require.Equal(t, want.Local, got.Local)
		require.Equal(t, want.Materials, got.Materials)
		require.Equal(t, want.MultiRegion, got.MultiRegion)
		require.Equal(t, k.ARN(), got.ARN())

		got.Description = "another"
		stored.put(t, got)
		again, err := stored.read(k)
		require.NoError(t, err)
		require.Equal(t, got.Clone(), again, "what was read has a local record from now on")
	}
}

// TestReadKeyWithoutARecord has each record of a key missing, and each be one of another
// time.
func TestReadKeyWithoutARecord(t *testing.T) {
	t.Parallel()
	for n, k := range kinds() {
		stored := records{}
		stored.put(t, k)
		for name := range stored {
			some := maps.Clone(stored)
			delete(some, name)
			_, err := some.read(k)
			require.ErrorIs(t, err, errMissing, "%d %s", n, name)
			some[name] = stored[name][:len(stored[name])/2]
			_, err = some.read(k)
			require.ErrorContains(t, err, "unexpected end of JSON input")
			require.NotContains(t, err.Error(), "AQEB", "material")
		}
	}

	k, stored := kinds()[3], records{}
	stored.put(t, k)
	older := stored[keyrecord.LocalName(k.Account, k.Region, k.ID)]
	k.Policy = "another"
	stored.put(t, k)
	for _, row := range []struct{ name, record, want string }{
		{keyrecord.LocalName(k.Account, k.Region, k.ID), string(older), "keyrecord: key " + id + " has a local record of format 2 after 1 changes, not 2 after 2"},
		{keyrecord.LocalName(k.Account, k.Region, k.ID), `{"v":9,"changes":2}`, "keyrecord: key " + id + " has a local record of format 9 after 2 changes, not 2 after 2"},
		{keyrecord.MaterialsName(k.Account, k.ID), `{"v":9,"materials":[]}`, "keyrecord: key " + id + " has materials of format 9, this program knows 2"},
		{keyrecord.MaterialsName(k.Account, k.ID), `{"v":2}`, "keyrecord: key " + id + " has no material"},
		{keyrecord.MaterialsName(k.Account, k.ID), `{"v":2,"materials":[{"id":"x","bytes":"AQ=="}]}`, "keyrecord: key " + id + " has material of 1 bytes"},
	} {
		some := maps.Clone(stored)
		some[row.name] = []byte(row.record)
		_, err := some.read(k)
		require.EqualError(t, err, row.want)
	}
}

// TestReadKeyClears has the bytes that it was given be zero afterwards: they held key
// material.
func TestReadKeyClears(t *testing.T) {
	t.Parallel()
	k, stored := kinds()[3], records{}
	stored.put(t, k)
	var given [][]byte
	_, err := keyrecord.ReadKey(k.Account, k.Region, k.ID, func(name string) ([]byte, error) {
		b, err := stored.get(name)
		given = append(given, b)
		return b, err
	})
	require.NoError(t, err)
	require.Len(t, given, 3)
	for _, b := range given {
		require.NotEmpty(t, b)
		require.Equal(t, make([]byte, len(b)), b)
	}
}

func TestPartNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "kms/111122223333/eu-west-1/local/"+id, keyrecord.LocalName("111122223333", "eu-west-1", id))
	require.Equal(t, "kms/111122223333/materials/"+id, keyrecord.MaterialsName("111122223333", id))
}

func FuzzReadKey(f *testing.F) {
	k, stored := kinds()[3], records{}
	for _, marshal := range []func() ([]byte, error){k.MarshalLocal, k.MarshalMaterials, k.Marshal} {
		b, err := marshal()
		require.NoError(f, err)
		stored[string(rune('a'+len(stored)))] = b
	}
	f.Add(stored["c"], stored["a"], stored["b"])
	f.Add([]byte(`{"v":2}`), []byte(`{"v":2,"changes":1}`), []byte(`{"v":2,"materials":[]}`))
	f.Fuzz(func(t *testing.T, first, local, materials []byte) {
		stored := records{
			keyrecord.KeyName(k.Account, k.Region, k.ID):   first,
			keyrecord.LocalName(k.Account, k.Region, k.ID): local,
			keyrecord.MaterialsName(k.Account, k.ID):       materials,
		}
		got, err := stored.read(k)
		if err != nil {
			return
		}
		again := records{}
		got.Account, got.Region, got.ID = k.Account, k.Region, k.ID
		got = got.Clone()
		again.put(t, got)
		same, err := again.read(k)
		require.NoError(t, err)
		require.Equal(t, got.Policy, same.Policy)
		require.Equal(t, len(got.Materials), len(same.Materials))
	})
}
