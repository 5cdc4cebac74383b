package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bberrors "go.etcd.io/bbolt/errors"

	"github.com/sealring/sealring/store"
)

// file is the open and locked file of a store. Its methods are not for concurrent use.
type file struct {
	f    *os.File
	db   *bbolt.DB // nil if the file is only salvaged
	head head

	before uint64 // the newest transaction when the last commit began

	// stuck says that bbolt has panicked and may keep its locks.
	stuck bool

	// commitTx ends a transaction: (*bbolt.Tx).Commit, unless a test has it fail.
	commitTx func(*bbolt.Tx) error
}

// lockFile opens and locks the file that is at path when the lock is held: a compaction
// may have replaced the one that was there before.
func lockFile(path string, o *Options) (*os.File, error) {
	flag := os.O_RDWR
	if o.readOnly() {
		flag = os.O_RDONLY
	}
	for end := time.Now().Add(o.wait()); ; {
		f, err := os.OpenFile(path, flag, 0)
		if err != nil {
			return nil, fmt.Errorf("boltstore: %w", err)
		}
		if err := lock(f, o.readOnly(), time.Until(end)); err != nil {
			f.Close()
			if errors.Is(err, ErrLocked) {
				return nil, fmt.Errorf("%w: %s", err, path)
			}
			return nil, fmt.Errorf("boltstore: locking %s: %w", path, err)
		}
		locked, err := f.Stat()
		if err == nil {
			var now os.FileInfo
			if now, err = os.Stat(path); err == nil && os.SameFile(locked, now) {
				return f, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("boltstore: %w", err)
		}
	}
}

// openDB gives a file that has been checked to bbolt, which locks it, if it is not yet,
// and owns it from then on.
func openDB(f *os.File, o *Options) (db *bbolt.DB, err error) {
	err = guard(func() (err error) {
		db, err = bbolt.Open(f.Name(), 0o600, &bbolt.Options{
			OpenFile:       func(string, int, os.FileMode) (*os.File, error) { return f, nil },
			ReadOnly:       o.readOnly(),
			Timeout:        max(o.wait(), time.Millisecond),
			FreelistType:   bbolt.FreelistMapType,
			NoFreelistSync: true, // it is found again at open, which reads all of the file anyway
			NoStatistics:   true,
		})
		return err
	})
	if err == nil {
		return db, nil
	}
	if errors.Is(err, errPanic) {
		err = errors.Join(err, unlock(f), f.Close())
	}
	switch {
	case errors.Is(err, bberrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrLocked, f.Name())
	case errors.Is(err, errPanic):
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return nil, writeError(f.Name(), err) // a new file is written to
}

// isAt returns an error that matches [ErrFailed] if another file is at path by now, or none:
// what is committed to this one would end with the process.
func (f *file) isAt(path string) error {
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the file was removed or renamed: %w", ErrFailed, err)
	} else if err != nil {
		return nil // that it is gone is not known
	}
	is, err := f.f.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("boltstore: %w", err)
	case !os.SameFile(is, now):
		return fmt.Errorf("%w: %s was replaced by another file", ErrFailed, path)
	}
	return nil
}

// errPanic is what guard makes of a panic.
var errPanic = errors.New("the file cannot be used")

// guard returns fn's error, and an error if it panics or reads memory that is not there:
// the file may have been cut off while it was open.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return fn()
}

// commit makes changes durable, the last one of a key counting. [file.failure] says what
// its error means.
func (f *file) commit(changes []store.Change, revision uint64) error {
	next := f.head
	next.revision = revision
	err := guard(func() error {
		tx, err := f.db.Begin(true)
		if err != nil {
			return err
		}
		f.before = uint64(tx.ID()) - 1
		if err := next.put(tx, changes); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return f.commitTx(tx)
	})
	if err == nil {
		f.head = next
	}
	f.stuck = f.stuck || errors.Is(err, errPanic)
	return err
}

// put writes changes and the head that they make of h.
func (h *head) put(tx *bbolt.Tx, changes []store.Change) error {
	data := tx.Bucket(dataBucket)
	for _, c := range changes {
		key := []byte(c.Key)
		if was := data.Get(key); was != nil {
			h.records--
			h.sum -= recordSum(was)
		}
		if c.Deleted {
			if err := data.Delete(key); err != nil {
				return err
			}
			continue
		}
		b := encodeRecord(c)
		h.records++
		h.sum += recordSum(b)
		if err := data.Put(key, b); err != nil {
			return err
		}
	}
	return tx.Bucket(headBucket).Put(headKey, h.encode())
}

// failure returns the error of an update whose commit has failed. A write that failed
// before anything was flushed has changed nothing that counts, and bbolt has taken it
// back. After all other failures the file may hold the transaction or not, whatever a read
// says now: the error matches [ErrFailed], and the file must not be used but to close it.
func (f *file) failure(err error) error {
	var write *fs.PathError
	undone := errors.As(err, &write) && write.Op == "write" || strings.HasPrefix(err.Error(), resizeFailed)
	if !undone || !f.unchanged() {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return writeError(f.f.Name(), err)
}

// unchanged reports whether the meta pages are those of the last commit.
func (f *file) unchanged() bool {
	info, err := f.f.Stat()
	if err != nil {
		return false
	}
	metas, err := readMetas(f.f, info.Size())
	return err == nil && len(metas) == 2 && max(metas[0].tx, metas[1].tx) == f.before
}

// resizeFailed begins the error of bbolt that has the cause as text only.
const resizeFailed = "file resize error: "

// writeError returns the error for one that came from writing to a file: it matches
// [ErrFull] and the cause if there was no room.
func writeError(name string, err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EFBIG, syscall.EDQUOT} {
		if errors.Is(err, full) || strings.HasPrefix(err.Error(), resizeFailed) && strings.HasSuffix(err.Error(), full.Error()) {
			return fmt.Errorf("%w: %s: %w", ErrFull, name, full)
		}
	}
	return fmt.Errorf("boltstore: %w", err)
}

// close gives the file back.
func (f *file) close() error {
	if f.db == nil || f.stuck {
		return errors.Join(unlock(f.f), f.f.Close()) // what bbolt has mapped stays so
	}
	return f.db.Close()
}
