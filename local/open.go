package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

// Open opens the cloud that is kept in the file at path, or makes it if there is no such
// file. Options.RootKey or Options.KeyFile unlocks it. One process at a time can have it
// open; another gets [boltstore.ErrLocked].
//
// What a request has been told has happened is on the disk. Close ends it in order, but
// a process that dies without loses nothing.
func Open(path string, o *Options) (*Cloud, error) {
	if o == nil {
		o = &Options{}
	}
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return nil, fmt.Errorf("local: %w", err)
	}
	root, err := o.root(fresh)
	if err != nil {
		return nil, err
	}
	s, err := boltstore.Open(path, nil)
	if err != nil {
		return nil, err
	}
	return o.open(context.Background(), s, root)
}

// OpenStore opens the cloud that is kept in s, or makes it if s is empty.
// Options.RootKey unlocks it. Several processes may have a cloud open at a time if the
// store can be shared. s belongs to the cloud, which closes it, also after an error.
func OpenStore(ctx context.Context, s store.Store, o *Options) (*Cloud, error) {
	if o == nil {
		o = &Options{}
	}
	root, err := o.root(false)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return o.open(ctx, s, root)
}

// root returns the root key of a cloud that is kept. Only that of a fresh one may be
// made.
func (o *Options) root(fresh bool) (keyring.Keyring, error) {
	switch {
	case o.RootKey != nil && o.KeyFile != "":
		return nil, errors.New("local: both a root key and a key file")
	case o.RootKey != nil:
		return o.RootKey, nil
	case o.KeyFile != "":
		return openKeyFile(o.KeyFile, fresh)
	}
	return nil, errors.New("local: a cloud that is kept needs a root key: a key file, a passphrase or another keyring")
}

// open seals s and starts a cloud in it. s is closed after an error.
func (o *Options) open(ctx context.Context, s store.Store, root keyring.Keyring) (*Cloud, error) {
	sealed, err := store.Seal(ctx, s, root, o.Seal)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	k := &kept{store: sealed}
	sink, err := k.openLog(ctx, o)
	if err != nil {
		return nil, errors.Join(err, sealed.Close())
	}
	c, err := o.start(ctx, sealed, sink)
	if err != nil {
		return nil, errors.Join(err, k.closeLog(), sealed.Close())
	}
	c.kept = k
	k.sweepEvery(c.kms, o)
	return c, nil
}

// Store returns the sealed store of a cloud that is kept, to verify or to rekey it, or
// nil. It is closed with the cloud.
func (c *Cloud) Store() *store.Sealed {
	if c.kept == nil {
		return nil
	}
	return c.kept.store
}

// AuditState returns what the chain of Options.AuditLog keeps in the store, or nil. Its
// Verification is what [audit.VerifyLog] verifies the log's files with.
func (c *Cloud) AuditState() *ChainState {
	if c.kept == nil {
		return nil
	}
	return c.kept.state
}
