package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// writeNext writes the first batch of the queue and reports whether there was one. The
// caller has the turn.
func (f *File) writeNext() bool {
	f.mu.Lock()
	if len(f.queue) == 0 {
		f.mu.Unlock()
		return false
	}
	b := f.queue[0]
	f.queue = f.queue[1:]
	f.mu.Unlock()

	err := f.write(b.lines)

	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.fail(b, err)
	}
	if f.spare == nil && cap(b.lines) <= 2*maxBatch {
		f.spare = b.lines[:0]
	}
	b.lines = nil
	close(b.done)
	return true
}

// fail settles what becomes of b, which could not be recorded, and of the batches
// behind it, whose lines may rest on it. The caller holds mu.
func (f *File) fail(b *batch, err error) {
	if !errors.Is(err, ErrNotRecorded) {
		f.failed = fmt.Errorf("audit: log must be opened anew: %w", err)
	}
	b.err = err
	f.lost = f.lost || b.staged
	for _, later := range f.queue { // not written at all
		later.err = notRecorded(err)
		f.lost = f.lost || later.staged
		close(later.done)
	}
	f.queue = nil
}

// write appends whole lines to the current file. An error that is not ErrNotRecorded
// leaves open what the file holds. The caller has the turn.
func (f *File) write(lines []byte) error {
	if err := f.rotate(int64(len(lines))); err != nil {
		return notRecorded(err)
	}
	n, err := f.f.Write(lines)
	if err != nil {
		if n > 0 { // a line that stops in the middle must not be there when the next is written
			if again := f.f.Truncate(f.size); again != nil {
				return errors.Join(err, again)
			}
		}
		return notRecorded(err)
	}
	if f.o.Sync != SyncNoneUnsafe {
		if err := f.f.Sync(); err != nil {
			return err
		}
	}
	f.size += int64(n)
	if f.began.IsZero() {
		f.began = f.o.Now()
	}
	return nil
}

// rotate sees to it that the current file is open and takes n more bytes. An error
// leaves everything in order for another try.
func (f *File) rotate(n int64) error {
	for {
		if f.f == nil {
			next, size, err := f.create(f.path)
			if err != nil {
				return err
			}
			f.f, f.size = next, size
		}
		if f.size == 0 {
			f.began = time.Time{}
			return nil
		}
		if !f.full(n) {
			return nil
		}
		if err := f.finish(); err != nil {
			return err
		}
	}
}

// full reports whether the current file is too big or too old for n more bytes.
func (f *File) full(n int64) bool {
	return f.o.MaxSize > 0 && f.size+n > f.o.MaxSize ||
		f.o.MaxAge > 0 && f.o.Now().Sub(f.began) >= f.o.MaxAge
}

// finish gives the current file its last name.
func (f *File) finish() error {
	if f.o.Sync == SyncNoneUnsafe {
		if err := f.f.Sync(); err != nil {
			return err
		}
	}
	old, err := finished(f.path)
	if err != nil {
		return err
	}
	seq := 1
	if n := len(old); n > 0 {
		seq = old[n-1].seq + 1
	}
	// What is in the file is synced: a failure to close it loses nothing. Where an open
	// file cannot be renamed, it has to be closed first.
	_ = f.f.Close()
	f.f = nil
	if err := os.Rename(f.path, finishedName(f.path, seq, f.o.Now())); err != nil {
		return err
	}
	f.prune()
	return nil
}

// prune deletes the oldest finished files beyond those to keep. One that cannot be
// deleted is tried again with the next.
func (f *File) prune() {
	if f.o.MaxFiles <= 0 {
		return
	}
	old, err := finished(f.path)
	if err != nil || len(old) <= f.o.MaxFiles {
		return
	}
	for _, o := range old[:len(old)-f.o.MaxFiles] {
		_ = os.Remove(filepath.Join(filepath.Dir(f.path), o.name))
	}
}
