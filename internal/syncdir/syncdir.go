// Package syncdir makes the names in a directory durable: a file that is created, renamed
// or linked is on the disk only when its directory is.
package syncdir

import (
	"errors"
	"os"
	"runtime"
)

// Sync flushes the directory at path. It does nothing where directories cannot be
// flushed.
func Sync(path string) error {
	switch runtime.GOOS {
	case "windows", "plan9", "js", "wasip1":
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
