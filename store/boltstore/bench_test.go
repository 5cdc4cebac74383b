package boltstore_test

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

// Each benchmark writes 1 KiB under one of 10,000 keys in each update.
const benchKeys = 10_000

func benchKey(i uint64) string { return fmt.Sprintf("account/%05d", i*7919%benchKeys) }

// BenchmarkUpdate compares, by turns so that what disturbs one disturbs all: bbolt alone,
// with a revision as part of the value; the store with one writer; and with 32.
func BenchmarkUpdate(b *testing.B) {
	value := make([]byte, 1024)
	bare := bareBbolt(b)
	s := open(b, filepath.Join(b.TempDir(), "store.db"), nil)
	var next atomic.Uint64
	update := func() error {
		key := benchKey(next.Add(1))
		return s.Update(b.Context(), func(tx store.Tx) error { return tx.Put(key, value) })
	}
	fillBench(b, bare, s)
	for turn := range 3 {
		b.Run(fmt.Sprintf("bbolt/%d", turn), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				key := benchKey(next.Add(1))
				if err := putBare(bare, key, value, next.Load()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("single/%d", turn), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := update(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("writers=32/%d", turn), func(b *testing.B) {
			b.ReportAllocs()
			benchWriters(b, 32, update)
		})
	}
}

// benchWriters runs b.N updates on n goroutines.
func benchWriters(b *testing.B, n int, update func() error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	errs := make(chan error, n)
	for range n {
		go func() {
			for left.Add(-1) >= 0 {
				if err := update(); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
}

func bareBbolt(b *testing.B) *bbolt.DB {
	b.Helper()
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("data")); return err }); err != nil {
		b.Fatal(err)
	}
	return db
}

func putBare(db *bbolt.DB, key string, value []byte, revision uint64) error {
	record := append(binary.BigEndian.AppendUint64(make([]byte, 0, 12+len(value)), revision), 0, 0, 0, 0)
	record = append(record, value...)
	return db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("data")).Put([]byte(key), record) })
}

// fillBench gives both as many records.
func fillBench(b *testing.B, bare *bbolt.DB, s *boltstore.Store) {
	b.Helper()
	value := make([]byte, 1024)
	for at := uint64(0); at < benchKeys; at += store.MaxKeys {
		err := s.Update(b.Context(), func(tx store.Tx) error {
			for i := at; i < at+store.MaxKeys; i++ {
				if err := tx.Put(benchKey(i), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		err = bare.Update(func(tx *bbolt.Tx) error {
			for i := at; i < at+store.MaxKeys; i++ {
				if err := tx.Bucket([]byte("data")).Put([]byte(benchKey(i)), make([]byte, 12+1024)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen reads and checks a file of 10,000 records of 1 KiB.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	s := open(b, path, nil)
	fillBench(b, bareBbolt(b), s)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := boltstore.Open(path, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
