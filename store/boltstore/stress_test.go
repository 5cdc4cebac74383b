package boltstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/sealring/sealring/store"
)

// increment adds one to the counter of a writer, and to that of all.
func increment(tx store.Tx, writer int) error {
	for _, key := range []string{"all", fmt.Sprintf("writer/%02d", writer)} {
		n, err := counter(tx, key)
		if err != nil {
			return err
		}
		if err := tx.Put(key, strconv.AppendInt(nil, n+1, 10)); err != nil {
			return err
		}
	}
	return nil
}

func counter(tx store.Tx, key string) (int64, error) {
	b, err := tx.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(b), 10, 64)
}

// balance returns the counter of all, and an error if it is not the sum of the others.
func balance(tx store.Tx) (all int64, err error) {
	if all, err = counter(tx, "all"); err != nil {
		return 0, err
	}
	sum := int64(0)
	for e, err := range tx.Scan("writer/", "") {
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(e.Value), 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	if sum != all {
		return 0, fmt.Errorf("the counters' sum is %d, not %d", sum, all)
	}
	return all, nil
}

// TestWritersAndReadersAmongFailures has 32 writers and 8 readers work while every third
// commit finds the disk full: what Update has acknowledged counts, nothing else does.
func TestWritersAndReadersAmongFailures(t *testing.T) {
	t.Parallel()
	s, err := Open(filepath.Join(t.TempDir(), "store.db"), nil)
	require.NoError(t, err)
	s.file.commitTx = func(tx *bbolt.Tx) error {
		if rand.IntN(3) == 0 {
			return errors.Join(errDiskFull, tx.Rollback())
		}
		return tx.Commit()
	}
	var acknowledged, refused atomic.Int64
	var group, readers sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			for range 25 {
				switch err := s.Update(t.Context(), func(tx store.Tx) error { return increment(tx, i) }); {
				case err == nil:
					acknowledged.Add(1)
				case errors.Is(err, ErrFull):
					refused.Add(1)
				default:
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	stop := make(chan struct{})
	for range 8 {
		readers.Go(func() { watchCounters(t, s, stop) })
	}
	group.Wait()
	close(stop)
	readers.Wait()
	require.Equal(t, int64(32*25), acknowledged.Load()+refused.Load())
	require.Positive(t, refused.Load())
	for range 2 {
		require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
			all, err := balance(tx)
			require.Equal(t, acknowledged.Load(), all)
			require.Equal(t, uint64(all), tx.Revision())
			return err
		}))
		require.NoError(t, s.Close())
		s, err = Open(s.path, nil)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
}

// watchCounters looks at the counters until it is stopped: they never go back.
func watchCounters(t *testing.T, s *Store, stop chan struct{}) {
	for last := int64(0); ; {
		select {
		case <-stop:
			return
		default:
		}
		err := s.View(t.Context(), func(tx store.Tx) error {
			all, err := balance(tx)
			if err == nil && all < last {
				err = fmt.Errorf("the counter went from %d to %d", last, all)
			}
			last = all
			return err
		})
		if err != nil {
			t.Errorf("View: %v", err)
			return
		}
	}
}
