package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sealring/sealring/store"
)

const benchKeys = 10_000

func benchKey(i int) string { return fmt.Sprintf("account/%05d", i*7919%benchKeys) }

func filled(b *testing.B, s store.Store, size int) store.Store {
	b.Helper()
	for i := 0; i < benchKeys; i += store.MaxKeys {
		err := s.Update(b.Context(), func(tx store.Tx) error {
			for j := range store.MaxKeys {
				if err := tx.Put(benchKey(i+j), make([]byte, size)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func BenchmarkMemory(b *testing.B) { benchmark(b, store.NewMemory()) }

func BenchmarkSealed(b *testing.B) { benchmark(b, seal(b, store.NewMemory(), rootKey(b, 1))) }

func benchmark(b *testing.B, s store.Store) {
	filled(b, s, 1024)
	keys := make([]string, benchKeys)
	for i := range keys {
		keys[i] = benchKey(i)
	}
	value := make([]byte, 1024)
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			key := keys[i%benchKeys]
			if err := s.View(b.Context(), func(tx store.Tx) error { _, err := tx.Get(key); return err }); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("GetParallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				key := keys[i%benchKeys]
				if err := s.View(b.Context(), func(tx store.Tx) error { _, err := tx.Get(key); return err }); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("Put", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			key := keys[i%benchKeys]
			if err := s.Update(b.Context(), func(tx store.Tx) error { return tx.Put(key, value) }); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("Scan100", func(b *testing.B) {
		b.ReportAllocs()
		enough := errors.New("enough")
		for b.Loop() {
			err := s.View(b.Context(), func(tx store.Tx) error {
				n := 0
				for _, err := range tx.Scan("account/", "account/05000") {
					if err != nil {
						return err
					}
					if n++; n == 100 {
						return enough
					}
				}
				return nil
			})
			if !errors.Is(err, enough) {
				b.Fatal(err)
			}
		}
	})
}
