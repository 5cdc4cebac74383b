package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sealring/sealring/internal/syncdir"
)

// output is where a command writes what it makes: standard output, a device, or a file
// that appears under its name only when it is whole.
type output struct {
	io.Writer

	// The rest is for files.
	temporary *os.File
	target    string
	replace   bool
	mode      fs.FileMode // of the file in the end
}

// create returns the output for a path; "" and "-" are standard output. A file that is
// there already is refused unless replace is set. Until commit, what is written is in
// another file beside it, which only its owner can read; mode is that of the result.
func (p *process) create(path string, replace bool, mode fs.FileMode) (*output, error) {
	if path == "" || path == "-" {
		return &output{Writer: p.stdout}, nil
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s: is a directory", path)
	case err == nil && !info.Mode().IsRegular():
		return openDevice(path)
	case err == nil && !replace:
		return nil, exists(path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err == nil:
		// A link goes on to point to the file.
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*")
	if err != nil {
		return nil, err
	}
	return &output{Writer: f, temporary: f, target: path, replace: replace, mode: mode}, nil
}

func exists(path string) error {
	return fmt.Errorf("%s: %w", path, fs.ErrExist)
}

// forceable adds to the error of create what helps, for commands that have the flag.
func forceable(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w; -force replaces it", err)
	}
	return err
}

// openDevice returns an output for a pipe or a device, which cannot be replaced.
func openDevice(path string) (*output, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return &output{Writer: f}, nil
}

// streams reports whether what is written is seen before commit.
func (o *output) streams() bool { return o.temporary == nil }

// commit makes what was written the file, on the disk, in one step.
func (o *output) commit() error {
	if o.temporary == nil {
		if f, ok := o.Writer.(*os.File); ok && f != os.Stdout {
			return f.Close()
		}
		return nil
	}
	defer o.abandon()
	// What may be half a plaintext was for its owner only until now.
	if err := o.temporary.Chmod(o.mode); err != nil && runtime.GOOS != "windows" {
		return err
	}
	if err := errors.Join(o.temporary.Sync(), o.temporary.Close()); err != nil {
		return err
	}
	if err := o.place(); err != nil {
		return err
	}
	return syncdir.Sync(filepath.Dir(o.target))
}

// place gives the file its name. Without replace, a file that has appeared meanwhile
// stays: a link, unlike a renaming, fails then. Where there are no links, it is looked
// for once more.
func (o *output) place() error {
	name := o.temporary.Name()
	if o.replace {
		return os.Rename(name, o.target)
	}
	err := os.Link(name, o.target)
	if err == nil {
		return nil
	}
	if _, found := os.Lstat(o.target); found == nil {
		return exists(o.target)
	}
	return os.Rename(name, o.target)
}

// abandon removes what was written, unless it was committed.
func (o *output) abandon() {
	if o.temporary == nil {
		return
	}
	o.temporary.Close()
	os.Remove(o.temporary.Name())
}
