package branchkey

import "context"

// Store is where a [Keyring] gets its branch keys from: a [KeyStore], or anything
// else that holds keys made with [NewKey]. It is safe for concurrent use.
//
// A key that is returned belongs to the caller, who calls its Destroy: it must be a
// new one each time.
type Store interface {
	// ActiveBranchKey returns the version of branch key id to encrypt with.
	ActiveBranchKey(ctx context.Context, id string) (*Key, error)

	// BranchKeyVersion returns the given version of branch key id, for what was
	// encrypted with it. The version is a UUID in lower case.
	BranchKeyVersion(ctx context.Context, id, version string) (*Key, error)
}

// Named is a [Store] that has a name. Keyrings with a common [Cache] and partition
// share what is cached only if their stores have the same name.
type Named interface {
	// LogicalName returns the store's name, which is bound to every key in it.
	LogicalName() string
}

// Table keeps the items of a [KeyStore]: three kinds for each branch key, told apart
// by id and type. It is safe for concurrent use.
type Table interface {
	// Get returns the item of the given id and type as it is after every write that
	// has returned, or [ErrNotFound]. The item belongs to the caller.
	Get(ctx context.Context, id, itemType string) (Item, error)

	// Create writes all the items or, if one of the same id and type exists, none
	// and returns [ErrExists].
	Create(ctx context.Context, items ...Item) error

	// Rotate writes the item version, which must not exist, and puts the item active
	// in the place of one of the same id and type whose ciphertext is previous. It
	// does both, or neither and returns [ErrConflict].
	Rotate(ctx context.Context, version, active Item, previous []byte) error
}
