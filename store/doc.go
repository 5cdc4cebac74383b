// Package store is what the local services keep their state in: an ordered map
// of keys to values with serialisable transactions and a feed of changes.
//
// [Store] is the interface. [Memory] implements it in memory, and [Seal] wraps any
// implementation into one that encrypts every value.
//
//	inner := store.NewMemory()
//	s, err := store.Seal(ctx, inner, root, nil) // root is a keyring
//	err = s.Update(ctx, func(tx store.Tx) error {
//		return tx.Put("account/42", record)
//	})
//
// An Update may touch [MaxKeys] keys and write [MaxBytes] bytes, in every
// implementation, and its function may run more than once. A decision that cannot
// be taken and written in one go is made with a [Draft].
//
// What a sealed store does not hide or prevent: keys, the lengths of values and the
// times of writes are visible to whoever reads the inner store. Whoever writes it can
// delete records or put older ones back, which is found out when the store is opened
// and by [Sealed.Verify]; and can put the whole store back as it was, which is found out
// only with [SealOptions.AtLeast]. See [Sealed]. [Sealed.Rekey] changes the root key.
//
// Implementations use [Meter] to count the limits alike and are tested with the
// conformance kit in storetest.
package store
