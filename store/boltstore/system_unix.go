//go:build unix && !solaris && !illumos && !aix

package boltstore

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// lock takes the lock that bbolt takes, before anything is read. bbolt's own attempt on
// the same descriptor then succeeds at once. It waits for up to the given time.
func lock(f *os.File, shared bool, wait time.Duration) error {
	how := syscall.LOCK_EX | syscall.LOCK_NB
	if shared {
		how = syscall.LOCK_SH | syscall.LOCK_NB
	}
	for end := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), how)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return err
		case !time.Now().Before(end):
			return ErrLocked
		}
	}
}

// unlock gives the lock back. A file that is still mapped keeps it after it is closed.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// giveTo gives a file the owner and the group of another.
func giveTo(f *os.File, like os.FileInfo) error {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
