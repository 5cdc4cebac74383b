package boltstore

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

// An invented version 0 has the head's first 12 bytes only, and records that are nothing
// but values, all of revision 1.
func versionZero(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "store.db")
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		headers, err1 := tx.CreateBucket(headBucket)
		data, err2 := tx.CreateBucket(dataBucket)
		return errors.Join(err1, err2,
			headers.Put(headKey, append(headMagic[:], 0, 0, 0, 0)),
			data.Put([]byte("a"), []byte("1")),
			data.Put([]byte("b"), []byte("a long enough value")))
	}))
	require.NoError(t, db.Close())
	return path
}

// fromZero is the step from version 0.
func fromZero(tx *bbolt.Tx) error {
	h := head{revision: 1}
	raw := map[string][]byte{}
	err := tx.Bucket(dataBucket).ForEach(func(k, v []byte) error {
		raw[string(k)] = append([]byte(nil), v...)
		return nil
	})
	for key, value := range raw {
		record := append(binary.BigEndian.AppendUint64(nil, 1), 0, 0, 0, 0)
		record = append(record, value...)
		binary.BigEndian.PutUint32(record[8:], checksum([]byte(key), record))
		h.records++
		h.sum += recordSum(record)
		err = errors.Join(err, tx.Bucket(dataBucket).Put([]byte(key), record))
	}
	return errors.Join(err, tx.Bucket(headBucket).Put(headKey, h.encode()))
}

func TestMigration(t *testing.T) {
	t.Parallel()
	path := versionZero(t)
	steps := map[uint32]migration{0: fromZero}
	_, err := open(path, &Options{ReadOnly: true}, steps)
	require.ErrorIs(t, err, ErrVersion)
	require.ErrorContains(t, err, "for writing once")

	s, err := open(path, &Options{}, steps)
	require.NoError(t, err)
	want := map[string]string{"": "1", "a": "1 1", "b": "1 a long enough value"}
	require.Equal(t, want, snapshotState(t, s.durable))
	require.NoError(t, s.Update(t.Context(), put("c", 3)))
	require.NoError(t, s.Close())

	s, err = Open(path, nil) // no step is left to be taken
	require.NoError(t, err)
	want[""], want["c"] = "2", "2 3"
	require.Equal(t, want, snapshotState(t, s.durable))
	require.NoError(t, s.Close())
}

func TestMigrationFails(t *testing.T) {
	t.Parallel()
	path := versionZero(t)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	own := errors.New("own")
	for _, c := range []struct {
		step migration
		want error
	}{
		{nil, ErrVersion},
		{func(tx *bbolt.Tx) error { return errors.Join(tx.Bucket(dataBucket).Delete([]byte("a")), own) }, own},
		{func(*bbolt.Tx) error { panic("lost") }, errPanic},
		{func(*bbolt.Tx) error { return nil }, ErrVersion}, // it says that it is done, and is not
	} {
		steps := map[uint32]migration{}
		if c.step != nil {
			steps[0] = c.step
		}
		_, err := open(path, &Options{}, steps)
		require.ErrorIs(t, err, c.want)
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: 1})
		require.NoError(t, err, "the lock was given back")
		require.NoError(t, db.View(func(tx *bbolt.Tx) error {
			require.Equal(t, []byte("1"), tx.Bucket(dataBucket).Get([]byte("a")))
			return nil
		}))
		require.NoError(t, db.Close())
	}
	require.NotEmpty(t, before)
	s, err := open(path, &Options{}, map[uint32]migration{0: fromZero})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestALaterVersion(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), put("a", 1)))
	require.NoError(t, s.file.db.Update(func(tx *bbolt.Tx) error {
		later := s.file.head.encode()
		binary.BigEndian.PutUint32(later[8:], 2)
		return tx.Bucket(headBucket).Put(headKey, append(later, "and more"...))
	}))
	require.NoError(t, s.Close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, o := range []*Options{nil, {ReadOnly: true}, {Salvage: true}} {
		_, err := Open(path, o)
		require.ErrorIs(t, err, ErrVersion)
		require.NotErrorIs(t, err, ErrFile)
		require.ErrorContains(t, err, "is 2, this program knows those up to 1")
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestClaim(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	require.NoError(t, os.WriteFile(from, []byte("1"), 0o600))
	require.NoError(t, claim(from, to))
	b, err := os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, "1", string(b))
	require.NoFileExists(t, from)

	require.NoError(t, os.WriteFile(from, []byte("2"), 0o600))
	require.ErrorIs(t, claim(from, to), os.ErrExist)
	b, err = os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, "1", string(b))
}
