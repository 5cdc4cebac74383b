//go:build !unix || solaris || illumos || aix

package boltstore

import (
	"os"
	"time"
)

// lock does nothing here: the lock that bbolt takes cannot be taken before it is asked to.
// A file that another process is writing may therefore be reported as damaged.
func lock(*os.File, bool, time.Duration) error { return nil }

func unlock(*os.File) error { return nil }

func giveTo(*os.File, os.FileInfo) error { return nil }
