package store

import (
	"context"
	"errors"
	"iter"
)

// Limits of one Update, enforced by every store. They are what an etcd cluster
// accepts, so that code written against memory runs on a cluster.
const (
	// MaxKeys is how many distinct keys may be read, scanned, written or deleted.
	MaxKeys = 100
	// MaxBytes is how many bytes of keys and values may be written, the last write
	// of each key counting. A sealed value counts [SealOverhead] more.
	MaxBytes = 1 << 20
	// MaxKey is the length of a key in bytes; the least is 1.
	MaxKey = 1024
)

var (
	// ErrNotFound is returned by [Tx.Get] for a key that is not there.
	ErrNotFound = errors.New("store: key not found")

	// ErrLimit is returned by Update when its function goes over [MaxKeys],
	// [MaxBytes] or [MaxKey].
	ErrLimit = errors.New("store: transaction exceeds the limits of an update")

	// ErrReadOnly is returned by Put and Delete inside a View.
	ErrReadOnly = errors.New("store: write in a read-only transaction")

	// ErrConflict is returned by Update when other writers kept changing what it
	// had read, and by [Draft.Commit] when one of the draft's reads has changed.
	ErrConflict = errors.New("store: transaction conflicts with another")

	// ErrCompacted ends a Watch whose starting revision the store no longer holds.
	// The reader has to scan again and watch from the scan's revision.
	ErrCompacted = errors.New("store: revision has been compacted")

	// ErrTxDone is returned by the methods of a [Tx] that is used after its function
	// has returned.
	ErrTxDone = errors.New("store: transaction used after its end")

	// ErrClosed is returned by every method of a closed store.
	ErrClosed = errors.New("store: closed")

	// ErrDamaged is matched by errors about a record that is there but cannot be
	// authenticated; the error's text names its key.
	ErrDamaged = errors.New("store: record is damaged or was replaced")
)

// Store is an ordered map of keys to values with serialisable transactions.
// Implementations are safe for concurrent use.
type Store interface {
	// View runs fn on a consistent snapshot.
	View(ctx context.Context, fn func(Tx) error) error

	// Update runs fn and commits its writes at once, or none of them if fn returns
	// an error. The effect is as if updates ran one after another. fn may run
	// again after a conflict, so it must not have effects of its own, but never
	// after Update has returned, whatever it returned: what fn refers to may serve
	// another purpose then. Each run of fn reads one state that does not change. When
	// Update returns nil the writes are as durable as the store is, and so is whatever
	// else it returns rests on: nobody is shown what could still be lost.
	Update(ctx context.Context, fn func(Tx) error) error

	// Watch yields every change to keys with the given prefix that was committed
	// after revision after, in order of revision, and then waits for more until ctx
	// is done. It ends by yielding one error: ctx's, [ErrCompacted], [ErrClosed], or
	// in a sealed store one that matches [ErrDamaged].
	Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[Change, error]

	// Close releases the store. Close after Close returns nil.
	Close() error
}

// Tx is one transaction. It is valid only while the function that it was given to
// runs, in that function's goroutine. That function must do no I/O of its own and
// start no other transaction. Slices passed in are copied; slices returned belong
// to the caller.
type Tx interface {
	// Get returns the value of key, or ErrNotFound.
	Get(key string) ([]byte, error)

	// Put sets the value of key.
	Put(key string, value []byte) error

	// Delete removes key. To delete a key that is not there is no error.
	Delete(key string) error

	// Scan yields the entries whose keys have the prefix and are greater than
	// after, in ascending order. It sees the transaction's earlier writes and
	// ignores writes made while it runs. An error ends it.
	Scan(prefix, after string) iter.Seq2[Entry, error]

	// Version returns the revision of the commit that last wrote key, 0 if key is not
	// there. It does not see the transaction's own writes. A key that has the same
	// version in two transactions has the same value, so what was made of the value
	// can be kept under it.
	Version(key string) (uint64, error)

	// Revision returns the revision of the snapshot that the transaction reads. It
	// grows with each commit that changes something.
	Revision() uint64
}

// Entry is a key and its value.
type Entry struct {
	Key   string
	Value []byte
}

// Change is one key's change by one commit.
type Change struct {
	Revision uint64
	Key      string
	Value    []byte // nil if the key was deleted
	Deleted  bool
}
