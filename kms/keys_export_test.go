package kms

import (
	"context"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// PutKey stores the record of a key, for tests of keys that take long to make or whose
// state no request brings about at once.
func (s *Service) PutKey(ctx context.Context, k *keyrecord.Key) error {
	b, err := k.Marshal()
	if err != nil {
		return err
	}
	return s.PutRecord(ctx, keyrecord.KeyPrefix(k.Account, k.Region)+k.ID, b)
}

// PutRecord stores any record, as PutKey does.
func (s *Service) PutRecord(ctx context.Context, name string, record []byte) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return tx.Put(name, record) })
}
