package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"

	"github.com/sealring/sealring/store"
)

// temporary comes after a file's name in the names of those that are about to become it.
// Digits follow.
const temporary = ".tmp-"

// build writes a snapshot to a new, durable file in the directory of path. The caller
// closes it, and removes it or gives it its name.
func build(ctx context.Context, path string, s *store.Snapshot) (_ *file, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+temporary)
	if err != nil {
		return nil, writeError(path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	db, err := openDB(f, &Options{})
	if err != nil {
		return nil, err
	}
	b := &file{f: f, db: db, commitTx: (*bbolt.Tx).Commit}
	db.NoSync = true
	if err := b.fill(ctx, s); err != nil {
		if ctx.Err() == nil {
			err = writeError(f.Name(), err)
		}
		return nil, errors.Join(err, b.close())
	}
	db.NoSync = false
	if err := f.Sync(); err != nil {
		return nil, errors.Join(writeError(f.Name(), err), b.close())
	}
	return b, nil
}

// fill writes a snapshot to an empty file.
func (f *file) fill(ctx context.Context, s *store.Snapshot) error {
	err := f.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{headBucket, dataBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(headBucket).Put(headKey, head{}.encode())
	})
	if err != nil {
		return err
	}
	var b batch
	flush := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := f.commit(b.changes, s.Revision())
		b = batch{changes: b.changes[:0]}
		return err
	}
	err = s.View(func(tx store.Tx) error {
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			version, err := tx.Version(e.Key)
			if err != nil {
				return err
			}
			b.changes = append(b.changes, store.Change{Revision: version, Key: e.Key, Value: e.Value})
			if b.bytes += len(e.Key) + len(e.Value); b.full() {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// create puts an empty store at path, unless there is a file. What is there in between is
// no file, or a whole one.
func create(path string) error {
	b, err := build(context.Background(), path, store.NewSnapshot())
	if err != nil {
		return err
	}
	name := b.f.Name()
	if err := b.close(); err != nil {
		return errors.Join(fmt.Errorf("boltstore: %w", err), os.Remove(name))
	}
	err = os.Link(name, path)
	if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		err = claim(name, path) // the file system has no links
	}
	if e := os.Remove(name); !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("boltstore: %w", err)
	}
	return nil // Open flushes the directory
}

// claim moves a file to a name that is free. If it is interrupted an empty file remains,
// which Open refuses.
func claim(from, to string) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// removeLeftovers removes the files that processes which have died left beside path. The
// caller has the lock of path. Who is creating path at this moment tries again.
func removeLeftovers(path string) error {
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range list {
		digits, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+temporary)
		if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(filepath.Dir(path), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Backup writes the store as it is when Backup is called, as a file that Open opens, and
// returns how many bytes it wrote. It holds up nobody. It needs room for the file beside
// the store's own, or, if nothing can be created there, where [os.TempDir] says.
//
// What Backup writes is durable when the caller has flushed it.
func (s *Store) Backup(ctx context.Context, w io.Writer) (int64, error) {
	head := s.committed.Load()
	if head == nil {
		return 0, store.ErrClosed
	}
	b, err := build(ctx, s.path, head)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		b, err = build(ctx, filepath.Join(os.TempDir(), filepath.Base(s.path)), head)
	}
	if err != nil {
		return 0, err
	}
	n, err := b.writeTo(ctx, w)
	return n, errors.Join(err, b.close(), os.Remove(b.f.Name()))
}

// writeTo writes the pages that the file uses.
func (f *file) writeTo(ctx context.Context, w io.Writer) (n int64, err error) {
	metas, err := readMetas(f.f, 0)
	if err != nil || len(metas) != 2 {
		return 0, fmt.Errorf("%w: %s has just been written: %w", ErrFile, f.f.Name(), err)
	}
	m := newest(metas)
	src := io.NewSectionReader(f.f, 0, int64(m.high)*m.pageSize)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		k, err := io.CopyN(w, src, 1<<20)
		if n += k; err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, fmt.Errorf("boltstore: backup: %w", err)
		}
	}
}
