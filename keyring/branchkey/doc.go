// Package branchkey wraps data keys with branch keys: 32-byte keys that are kept,
// encrypted by KMS, in a table, and held in memory for a while. One call to KMS then
// serves many messages. The formats are those of AWS's hierarchical keyring and of
// its branch key store, so that either side reads the other's keys and messages.
//
// A [KeyStore] makes, versions and reads branch keys. It needs a [Table], such as
// that of keyring/branchkey/ddbstore in DynamoDB or of keyring/branchkey/kvstore in
// this module's own store, and a KMS. A [Keyring] wraps with what a key store gives:
//
//	keys, err := branchkey.NewKeyStore(branchkey.Config{
//		LogicalName: "orders", Table: table, KMS: client, KMSKey: branchkey.ExactKey(keyARN),
//	})
//	id, err := keys.CreateKey(ctx, "", nil)                   // once
//	ring, err := branchkey.New(keys, id, 10*time.Minute, nil) // in each process
//	m := keyring.NewManager(ring)
//
// With one branch key per tenant, [NewWithSupplier] picks the key by the encryption
// context.
//
// # Versions
//
// [KeyStore.VersionKey] puts a new version in use. Keyrings encrypt with it once
// their cached one has reached its time to live; older versions stay, and so does
// what they have encrypted. A wrapping uses 224 random bits: 2^96 of them may be made
// with one version. A new version once a year is AWS's advice.
//
// # What a cached key means
//
// A keyring that holds a branch key does not ask KMS. Who loses the right to use the
// KMS key, or finds it disabled or deleted, can go on with the branch keys that are
// cached in the process until each has reached the time to live. A [Cache] can be
// emptied by hand.
//
// # What the table can do
//
// Every attribute of an item is bound to its key by KMS: whoever can write the table,
// but not use the KMS key, can make no item and alter none. They can delete items, and
// put an older active item back, so that keyrings encrypt with an older version again.
//
// None of this holds for a key store with [AnyKey] or [AnyKeyInRegion]: an item may then
// be encrypted under a KMS key of whoever wrote it. Such a store is for tables that only
// the trusted can write.
//
// # Deleting a branch key
//
// There is no operation for it, as there is none in AWS's library. Deleting the items
// of a branch key from its table makes what it has encrypted unreadable only when
// every process's cache has expired and no copy of the items is left: not in a backup,
// a point-in-time recovery, a stream or the history of a store. Whoever has a copy and
// the KMS key has the branch key. To shred data provably, encrypt the branch key under
// a KMS key of its own and delete that.
//
// Keys print without their bytes, no error holds any, and all types are safe for
// concurrent use if the table and the KMS are.
package branchkey
