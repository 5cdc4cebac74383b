package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sealring/sealring/internal/syncdir"
)

// DefaultFileSize is the size in bytes at which a [File] without a MaxSize begins a new
// file.
const DefaultFileSize = 64 << 20

// MaxLine is the size in bytes, without the line feed, of the longest line that a [File]
// takes and [VerifyLog] reads. Events of the services here stay far below it.
const MaxLine = 1 << 20

// maxBatch is the size at which a group of lines is full.
const maxBatch = 1 << 20

// ErrClosed is returned by sinks that have been closed.
var ErrClosed = errors.New("audit: sink is closed")

// ErrLocked is returned by [OpenFile] if another process has the log open.
var ErrLocked = errors.New("audit: log is in use by another process")

// Sync says when a [File] has its lines written to stable storage.
type Sync int

// The ways to sync.
const (
	// SyncShared lets one sync serve all events that wait for one.
	SyncShared Sync = iota
	// SyncEach syncs each event by itself.
	SyncEach
	// SyncNoneUnsafe leaves it to the operating system: a power loss takes events that
	// were reported as recorded.
	SyncNoneUnsafe
)

// FileOptions tune a [File]. Nil and the zero value are the safest choice.
type FileOptions struct {
	// MaxSize is the size in bytes beyond which a new file is begun; 0 means
	// [DefaultFileSize], a negative size none.
	MaxSize int64
	// MaxAge is how long after its first event a file is followed by a new one; 0 means
	// that age does not count.
	MaxAge time.Duration
	// MaxFiles is how many finished files are kept beside the current one. Older ones are
	// deleted with the events in them. 0 keeps them all.
	MaxFiles int
	// Sync is [SyncShared] unless set.
	Sync Sync
	// Now is the clock for names and ages of files; nil is time.Now.
	Now func() time.Time
}

// Torn tells what [OpenFile] has cut off the log's end: what a crash left of lines that
// nobody was told were recorded.
type Torn struct {
	File string // where the bytes are now; empty if nothing was cut off
	Size int64  // how many they are
}

// File is a sink of JSON lines, one event a line, in a file that is only appended to. A
// line is whole or absent, whatever happens to the process or the machine. A finished
// file is renamed: of "audit.jsonl" the first becomes
// "audit-00000001-20260102T150405Z.jsonl", by number and UTC time; [Files] lists them.
//
// An event that cannot be written fails with [ErrNotRecorded] and leaves nothing
// behind; the next may succeed, when the disk has room again. After a failed sync, or if
// what was left behind could not be removed, nobody knows what the disk holds:
// every later event fails until the log is opened anew.
//
// While a File is open, the log is locked (by flock on path + ".lock", on Linux, macOS
// and the BSDs; elsewhere two processes must be kept apart by other means).
type File struct {
	path   string
	o      FileOptions
	lock   io.Closer
	torn   Torn
	create func(path string) (handle, int64, error) // opens or creates the current file

	// turn holds one token: who has put it there writes, and owns the fields below.
	turn  chan struct{}
	f     handle    // nil if the current file could not be opened
	size  int64     // of the current file: whole lines
	began time.Time // when its first line was written; zero if it has none

	mu     sync.Mutex
	queue  []*batch // guarded by mu; to be written, in this order
	spare  []byte   // guarded by mu; room for a batch
	lost   bool     // guarded by mu; staged lines were lost: others may rest on them
	failed error    // guarded by mu; why nothing can be recorded any more
	closed bool     // guarded by mu
}

// handle is the part of an *os.File that writing needs.
type handle interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// batch is lines that are written and synced together.
type batch struct {
	lines  []byte
	staged bool          // by [File.Stage], at least one of them
	done   chan struct{} // closed when err is set
	err    error
}

var (
	_ Sink    = (*File)(nil)
	_ LineLog = (*File)(nil)
)

// OpenFile opens the log at path, or creates it with mode 0600, and locks it. What a
// crash has left of unfinished lines at its end is moved to a file of its own first;
// [File.Torn] tells. A file that does not begin with an event is something else: it is
// refused and left as it is. The directory must exist. The error is [ErrLocked] if another
// process has the log open.
func OpenFile(path string, o *FileOptions) (*File, error) {
	return openFile(path, o, createFile)
}

func openFile(path string, o *FileOptions, create func(string) (handle, int64, error)) (*File, error) {
	f := &File{path: filepath.Clean(path), create: create, turn: make(chan struct{}, 1)}
	if o != nil {
		f.o = *o
	}
	if f.o.MaxSize == 0 {
		f.o.MaxSize = DefaultFileSize
	}
	if f.o.Now == nil {
		f.o.Now = time.Now
	}
	var err error
	if f.lock, err = lockFile(f.path + ".lock"); err != nil {
		return nil, err
	}
	if err := f.start(); err != nil {
		return nil, errors.Join(err, f.lock.Close())
	}
	return f, nil
}

// start mends the log's end and opens it.
func (f *File) start() (err error) {
	if f.torn, err = cutTorn(f.path); err != nil {
		return err
	}
	if f.f, f.size, err = f.create(f.path); err != nil {
		return err
	}
	if f.size > 0 {
		f.began, err = firstTime(f.path)
	}
	return err
}

// createFile opens the log's current file for appending, creates it if it is missing,
// and makes what is in it, and its name, durable.
func createFile(path string) (handle, int64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("audit: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncdir.Sync(filepath.Dir(path))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("audit: %w", errors.Join(err, f.Close()))
	}
	return f, info.Size(), nil
}

// Torn returns what was cut off the log's end when it was opened.
func (f *File) Torn() Torn { return f.torn }

// lines is room to render events in.
var lines = sync.Pool{New: func() any { return new([]byte) }}

// Record appends e and returns when it is on stable storage, by a sync that it shares
// with others unless the options say otherwise. ctx is looked at before, not while,
// the event is written.
func (f *File) Record(ctx context.Context, e Event) error {
	if err := ctx.Err(); err != nil {
		return notRecorded(err)
	}
	line := lines.Get().(*[]byte)
	defer lines.Put(line)
	*line = e.AppendJSON((*line)[:0])
	b, err := f.add(*line, false)
	if err != nil {
		return err
	}
	return f.commit(b)
}

// Stage gives the line its place behind those that were staged before it, see
// [LineLog].
func (f *File) Stage(line []byte) (commit func() error, err error) {
	b, err := f.add(line, true)
	if err != nil {
		return nil, err
	}
	return func() error { return f.commit(b) }, nil
}

// Recover makes the log take staged lines again, see [LineLog].
func (f *File) Recover() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		return f.failed
	}
	f.lost = false
	return nil
}

// add puts a line into the last batch that nobody has begun to write.
func (f *File) add(line []byte, staged bool) (*batch, error) {
	if len(line) > MaxLine || bytes.IndexByte(line, '\n') >= 0 {
		return nil, notRecorded(fmt.Errorf("%d bytes are no line of at most %d", len(line), MaxLine))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, notRecorded(ErrClosed)
	case f.failed != nil:
		return nil, notRecorded(f.failed)
	case f.lost && staged:
		return nil, notRecorded(errors.New("a line before it was lost"))
	}
	n := len(f.queue)
	if n == 0 || f.o.Sync == SyncEach || len(f.queue[n-1].lines) >= maxBatch {
		f.queue = append(f.queue, &batch{lines: f.spare[:0], done: make(chan struct{})})
		f.spare = nil
		n++
	}
	b := f.queue[n-1]
	b.lines = append(append(b.lines, line...), '\n')
	b.staged = b.staged || staged
	return b, nil
}

// commit waits until b is written or writes it, and whatever is before it.
func (f *File) commit(b *batch) error {
	select {
	case <-b.done:
		return b.err
	case f.turn <- struct{}{}:
	}
	defer func() { <-f.turn }()
	for {
		select {
		case <-b.done:
			return b.err
		default:
			f.writeNext()
		}
	}
}

// Close writes what is still to be written and unlocks the log. Events that come later
// fail.
func (f *File) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	f.mu.Unlock()

	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	for f.writeNext() {
	}
	var err error
	if f.f != nil {
		err = f.f.Close()
		f.f = nil
	}
	if err = errors.Join(err, f.lock.Close()); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// notRecorded returns err as one that says that nothing was recorded.
func notRecorded(err error) error {
	return fmt.Errorf("%w: %w", ErrNotRecorded, err)
}
