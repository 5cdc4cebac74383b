package kms

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// PutKey stores the records of a key, for tests of keys that take long to make or whose
// state no request brings about at once.
func (s *Service) PutKey(ctx context.Context, k *keyrecord.Key) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return PutRecords(tx, k) })
}

// PutRecords stores all records of a key.
func PutRecords(tx store.Tx, k *keyrecord.Key) error {
	for _, record := range []struct {
		name    string
		marshal func() ([]byte, error)
	}{
		{keyrecord.LocalName(k.Account, k.Region, k.ID), k.MarshalLocal},
		{keyrecord.MaterialsName(k.Account, k.ID), k.MarshalMaterials},
		{keyrecord.KeyName(k.Account, k.Region, k.ID), k.Marshal},
	} {
		b, err := record.marshal()
		if err == nil && b != nil {
			err = tx.Put(record.name, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// PutRecord stores any record, as PutKey does.
func (s *Service) PutRecord(ctx context.Context, name string, record []byte) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return tx.Put(name, record) })
}

// PutImportToken stores what has to be kept of a token of a key and lists it.
func (s *Service) PutImportToken(ctx context.Context, account, region, keyID string, token []byte, kept *keyrecord.ImportToken) error {
	r := s.newRequest(getParametersForImport, identity.Caller{Account: account, Region: region})
	defer r.release()
	err := s.store.View(ctx, func(tx store.Tx) error {
		r.draft.Reset(tx)
		return r.keepImportToken(&keyrecord.Key{Account: account, Region: region, ID: keyID}, token, kept)
	})
	if err != nil {
		return err
	}
	return r.draft.Commit(ctx, s.store)
}

// MaxCopies is how many copies a multi-Region key can have.
const MaxCopies = maxCopies

// RequireKnownKeys fails a test whose service takes a key for another one than is stored.
func (s *Service) RequireKnownKeys(t *testing.T) {
	t.Helper()
	s.keys.mu.RLock()
	known := maps.Clone(s.keys.records)
	s.keys.mu.RUnlock()
	err := s.store.View(context.Background(), func(tx store.Tx) error {
		for at, e := range known {
			version, err := tx.Version(e.name)
			if err != nil {
				return err
			}
			taken := e.key
			if version != e.version {
				if e.written == nil {
					continue
				}
				is, err := e.written.isStored(store.NewDraft(tx), e.name)
				if err != nil || !is {
					continue
				}
				taken = e.written.key
			}
			stored, err := keyrecord.ReadKey(at.account, at.region, at.id, tx.Get)
			if err != nil {
				return err
			}
			for i := range taken.Materials { // what is kept of them fits them
				kept := &taken.Materials[i]
				made := keyrecord.Material{Bytes: kept.Bytes}
				require.Equal(t, made.AppendPRF(nil), kept.AppendPRF(nil))
			}
			taken = taken.Clone()
			for _, k := range []*keyrecord.Key{stored, taken} {
				k.KeepPRFs()
				// What is empty is as good as none.
				k.Aliases, k.Tags = slices.Concat(k.Aliases, nil), slices.Concat(k.Tags, nil)
				k.Materials = slices.Concat(k.Materials, nil)
				if len(k.Notes) == 0 {
					k.Notes = nil
				}
			}
			require.Equal(t, stored, taken, "key %s", e.name)
		}
		return nil
	})
	if !errors.Is(err, store.ErrClosed) {
		require.NoError(t, err)
	}
}
