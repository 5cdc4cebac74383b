package store_test

import (
	"testing"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

func TestSealedStoresShareOne(t *testing.T) {
	t.Parallel()
	storetest.RunShared(t, 0, func(t *testing.T, n int) []store.Store {
		handles := storetest.Handles(store.NewMemory(), n)
		for i := range handles {
			handles[i] = seal(t, handles[i], rootKey(t, 1))
		}
		return handles
	})
}
