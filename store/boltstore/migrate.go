package boltstore

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// migration brings a file from one format version to the next, in one transaction. It
// writes the head, too.
type migration func(*bbolt.Tx) error

// migrations has the step from each earlier version, none so far. Open takes one after
// the other, each durable before the next.
var migrations = map[uint32]migration{}

// migrate takes the step from the given version and returns what the file then holds.
func (f *file) migrate(version uint32, steps map[uint32]migration) (*contents, error) {
	step, ok := steps[version]
	if !ok {
		return nil, fmt.Errorf("%w is %d, which this program cannot bring up to date", ErrVersion, version)
	}
	err := guard(func() error { return f.db.Update(step) })
	if err != nil {
		return nil, fmt.Errorf("boltstore: bringing %s from format version %d to %d: %w", f.f.Name(), version, version+1, err)
	}
	c, err := readFile(f.f, func(err error) error { return err })
	if err == nil && c.version != version+1 {
		err = fmt.Errorf("%w is %d after the step to %d", ErrVersion, c.version, version+1)
	}
	return c, err
}
