package boltstore

import "errors"

var (
	// ErrLocked is matched by the error of [Open] when another process, or this one, has
	// the file open in a way that excludes what was asked for.
	ErrLocked = errors.New("boltstore: file is in use")

	// ErrFile is matched by the error of [Open] when the file is not a store, or is
	// damaged. The error's text says where and how. The file is left as it is.
	ErrFile = errors.New("boltstore: file is damaged or is not a store")

	// ErrVersion is matched by the error of [Open] when the file was written by a later
	// version of this package, or by an earlier one and is to be opened read-only.
	ErrVersion = errors.New("boltstore: format version of the file")

	// ErrFull is matched by the error of [Store.Update] and [Store.Compact] when there is
	// no room: on the disk, in a quota, or below the limit of a file's size. The error also
	// matches the cause, such as [syscall.ENOSPC]. Nothing was written, and a later
	// Update may succeed.
	ErrFull = errors.New("boltstore: no room to write")

	// ErrFailed is matched by the error of [Store.Update] when a commit ended so that
	// nobody knows what the file holds, as when a flush fails, or found the file removed or
	// replaced by another, and by every Update from then on. Views and watches go on with what was committed before. The store has to
	// be closed and opened again: what the failed updates wrote is then there or not.
	ErrFailed = errors.New("boltstore: a commit failed, the store must be opened again")
)
