package branchkey

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound is returned for a branch key, a version or a beacon key that is not
	// in the table.
	ErrNotFound = errors.New("branchkey: no such item")

	// ErrExists is returned by [KeyStore.CreateKey] for an id that is taken.
	ErrExists = errors.New("branchkey: the branch key exists already")

	// ErrConflict is returned by [KeyStore.VersionKey] when another writer has
	// changed the branch key meanwhile. Nothing was written.
	ErrConflict = errors.New("branchkey: the branch key has been changed by another writer")

	// ErrKeyID is returned for a branch key id that is empty, too long or not UTF-8.
	ErrKeyID = errors.New("branchkey: not a branch key id")

	// ErrVersion is returned for a version that is not a UUID in lower case.
	ErrVersion = errors.New("branchkey: not a version of a branch key")

	// ErrContext is returned by [KeyStore.CreateKey] for an encryption context that
	// is missing or cannot be stored.
	ErrContext = errors.New("branchkey: encryption context refused")

	// ErrKMSKey is returned for a KMS key that is not named by a key ARN, or that the
	// store's [KMSKey] does not admit for what was asked.
	ErrKMSKey = errors.New("branchkey: KMS key refused")

	// ErrResponse is returned when the answer of KMS, of a [Table] or of a [Store]
	// does not belong to the request: it is empty, lacks a field, or names another
	// key.
	ErrResponse = errors.New("branchkey: response refused")
)

// ItemError is returned for an item that a key store has not written: an attribute
// is missing, is not known, or has another type or value than the schema gives it.
type ItemError struct {
	ID, Type  string // of the item that was asked for
	Attribute string
	Reason    string
}

// Error names the item, the attribute and the reason.
func (e *ItemError) Error() string {
	return fmt.Sprintf("branchkey: item %.100q %.100q: attribute %.100q %s", e.ID, e.Type, e.Attribute, e.Reason)
}
