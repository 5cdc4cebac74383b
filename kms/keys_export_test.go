package kms

import (
	"context"

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

// MaxCopies is how many copies a multi-Region key can have.
const MaxCopies = maxCopies
