package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/sealring/sealring/internal/syncdir"
	"github.com/sealring/sealring/store"
)

// Options says how [Open] opens a file. The zero value, and nil, is for writing, and
// creates a file that is not there.
type Options struct {
	// ReadOnly opens a file that any number of processes may have open in this way at the
	// same time, none of them for writing. Update gives [store.ErrReadOnly]. The file has
	// to be there.
	ReadOnly bool

	// MustExist refuses to create the file: the error matches [fs.ErrNotExist].
	MustExist bool

	// Salvage opens a damaged file read-only, with what can be read of it. What cannot be
	// read is left out; [Store.Damage] says what. If the newest meta page of the file is
	// damaged, that is the state before the last commit. Salvage is for verifying, and to
	// make a whole file of what is left with [Store.Backup]: nothing else should run on
	// such a store.
	Salvage bool

	// LockTimeout is how long to wait while another process has the file. Zero is one
	// second; a negative time is not at all.
	LockTimeout time.Duration
}

func (o *Options) readOnly() bool { return o.ReadOnly || o.Salvage }

func (o *Options) wait() time.Duration {
	if o.LockTimeout == 0 {
		return time.Second
	}
	return max(o.LockTimeout, 0)
}

// Store is a [store.Store] in a file. It is safe for concurrent use.
//
// The revision grows by one with each Update that changes something, and is kept in the
// file. Watch reaches back over the newest few thousand changes, at most to the revision
// at which the file was opened, and gives [store.ErrCompacted] before that.
//
// An Update inside the function of another waits for itself until its ctx is done.
type Store struct {
	path     string
	readOnly bool
	damage   []error
	feed     store.Feed

	writer  chan struct{} // holds a token while an Update's function may run
	compact chan struct{} // holds a token while Compact runs

	// disk is held while a commit or the end of Compact uses the file, and taken before mu.
	disk sync.Mutex
	file *file

	// committed is what Views read: nil after Close.
	committed atomic.Pointer[store.Snapshot]

	mu      sync.Mutex      // guards what follows
	durable *store.Snapshot // what the file holds
	pending *store.Snapshot // durable and what the two batches make of it
	running *batch          // being committed; nil if none is
	next    *batch          // gathers updates; nil if there are none
	idle    *sync.Cond      // on mu: the committer has ended
	commits bool            // the committer runs
	tail    *[]store.Change // what was committed since Compact began; nil if it does not run
	failed  error           // why there are no more updates
	closed  bool
}

var _ store.Store = (*Store)(nil)

// Open opens the store in the file at path, which only its owner may read and write if it
// is created, and checks all of it. The directory must be there. o may be nil.
//
// The error matches [ErrLocked], [ErrFile], [ErrVersion], or an error of package os such
// as [fs.ErrNotExist].
func Open(path string, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	return open(path, o, migrations)
}

func open(path string, o *Options, steps map[uint32]migration) (*Store, error) {
	const tries = 10 // more than one only if others create and remove files here
	var err error
	for range tries {
		var s *Store
		if s, err = openExisting(path, o, steps); !errors.Is(err, fs.ErrNotExist) || o.readOnly() || o.MustExist {
			return s, err
		}
		if err = create(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, err
}

func openExisting(path string, o *Options, steps map[uint32]migration) (*Store, error) {
	path, err := filepath.EvalSymlinks(path) // Compact replaces the file, not a link to it
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	f, err := lockFile(path, o)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, readOnly: o.readOnly(), writer: make(chan struct{}, 1), compact: make(chan struct{}, 1)}
	s.idle = sync.NewCond(&s.mu)
	c, err := s.load(f, o, steps)
	if err != nil {
		return nil, err
	}
	if !s.readOnly {
		if err := errors.Join(removeLeftovers(path), syncdir.Sync(filepath.Dir(path))); err != nil {
			return nil, errors.Join(fmt.Errorf("boltstore: %w", err), s.file.close())
		}
	}
	s.durable, s.pending = c.snapshot, c.snapshot
	s.committed.Store(c.snapshot)
	s.feed.Compact(c.snapshot.Revision())
	return s, nil
}

// load reads the locked file and sets s.file. It closes f if it fails.
func (s *Store) load(f *os.File, o *Options, steps map[uint32]migration) (*contents, error) {
	problem := func(err error) error { return err }
	if o.Salvage {
		problem = func(err error) error { s.damage = append(s.damage, err); return nil }
	}
	c, err := readFile(f, problem)
	if err == nil && c.version < formatVersion && s.readOnly {
		err = fmt.Errorf("%w is %d: it has to be opened for writing once", ErrVersion, c.version)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, s.path), f.Close())
	}
	s.file = &file{f: f, commitTx: (*bbolt.Tx).Commit}
	if o.Salvage {
		return c, nil
	}
	if s.file.db, err = openDB(f, o); err != nil {
		return nil, err
	}
	for err == nil && c.version < formatVersion {
		c, err = s.file.migrate(c.version, steps)
	}
	if err != nil {
		return nil, errors.Join(err, s.file.close())
	}
	s.file.head = c.head
	return c, nil
}

func readFile(f *os.File, problem func(error) error) (*contents, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	return read(f, info.Size(), problem)
}

// Damage returns what [Options.Salvage] could not read, in the order of the file. Each
// error matches [ErrFile] and names a page or a record. It is empty if the file is whole.
func (s *Store) Damage() []error { return append([]error(nil), s.damage...) }

// View implements [store.Store]. It reads memory only, and does not look at ctx once fn
// has started.
func (s *Store) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	head := s.committed.Load()
	if head == nil {
		return store.ErrClosed
	}
	return head.View(fn)
}

// Watch implements [store.Store]. It yields what is committed, never what may still fail.
// Nothing runs between two calls of the loop's body.
func (s *Store) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[store.Change, error] {
	return s.feed.Watch(ctx, prefix, after)
}

// Close implements [store.Store]. It waits for the updates whose functions have returned
// to be committed; later ones get [store.ErrClosed]. Views that are running keep what
// they read.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.committed.Store(nil)
	for s.commits {
		s.idle.Wait()
	}
	s.mu.Unlock()
	s.feed.Close()
	s.disk.Lock() // Compact may be about to replace the file
	defer s.disk.Unlock()
	if err := s.file.close(); err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	return nil
}
