package audit_test

import (
	"errors"
	"sync"
	"syscall"

	"github.com/sealring/sealring/audit"
)

// errDisk is what a broken disk says.
var errDisk = errors.New("disk is broken")

// disk is between a log and its files, counts what is done to them and lets it fail.
type disk struct {
	mu sync.Mutex
	// fail is asked before each operation: "open", "write", "sync" or "truncate". A write
	// that fails has written that many bytes.
	fail  func(op string) (written int, err error)
	calls map[string]int
	sync  func() // called in each sync, before it
}

func (d *disk) ask(op string) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls == nil {
		d.calls = map[string]int{}
	}
	d.calls[op]++
	if d.fail == nil {
		return 0, nil
	}
	return d.fail(op)
}

func (d *disk) count(op string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[op]
}

func (d *disk) set(fail func(op string) (int, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

// open opens a log on the disk.
func (d *disk) open(path string, o *audit.FileOptions) (*audit.File, error) {
	return audit.OpenFileThrough(path, o, func(h audit.Handle) (audit.Handle, error) {
		if _, err := d.ask("open"); err != nil {
			return nil, err
		}
		return &onDisk{h, d}, nil
	})
}

// onDisk is a file on a disk.
type onDisk struct {
	audit.Handle
	d *disk
}

func (h *onDisk) Write(b []byte) (int, error) {
	if n, err := h.d.ask("write"); err != nil {
		n, _ = h.Handle.Write(b[:min(n, len(b))])
		return n, err
	}
	return h.Handle.Write(b)
}

func (h *onDisk) Sync() error {
	if h.d.sync != nil {
		h.d.sync()
	}
	_, err := h.d.ask("sync") // no test here cuts the power
	return err
}

func (h *onDisk) Truncate(size int64) error {
	if _, err := h.d.ask("truncate"); err != nil {
		return err
	}
	return h.Handle.Truncate(size)
}

// once returns a failure of the nth call of the op from now on.
func once(op string, n, written int, err error) func(string) (int, error) {
	return func(o string) (int, error) {
		if o == op {
			if n--; n == 0 {
				return written, err
			}
		}
		return 0, nil
	}
}

// full is what a full disk says.
var full error = syscall.ENOSPC
