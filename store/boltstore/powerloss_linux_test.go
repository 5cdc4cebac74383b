package boltstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

// These tests lose power. A program, which is this test built again with the calls that
// change files replaced by ones that write down what they do (tracing.go.txt), works on a
// store. Then every flush is taken as the moment at which the power goes: of what was not
// flushed before, the disk may have all, nothing or any part.

// event is one line of the trace.
type event struct {
	Kind     string // create, write, truncate, sync; link, rename, remove, syncdir; ack
	Inode    uint64
	Name, To string
	Offset   int64 // or the size
	Data     []byte
	Revision uint64 // the update that has returned
}

const (
	traceVariable = "BOLTSTORE_TEST_TRACE"      // where to write the trace
	flushVariable = "BOLTSTORE_TEST_FAIL_FLUSH" // which flush fails, counted from 1
	pageBytes     = 4096
	sector        = 512
)

// workload is what the program does.
func workload(path string) error {
	trace, err := os.OpenFile(os.Getenv(traceVariable), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	ack := func(revision uint64) error {
		line, err := json.Marshal(event{Kind: "ack", Revision: revision})
		if err == nil {
			_, err = trace.Write(append(line, '\n'))
		}
		return err
	}
	for range 2 {
		s, err := Open(path, nil)
		if err != nil {
			return err
		}
		if err := errors.Join(ack(s.durable.Revision()), work(s, 12, 1, ack), work(s, 5, 8, ack)); err != nil {
			return err
		}
		if err := errors.Join(s.Compact(context.Background()), work(s, 6, 1, ack), s.Close()); err != nil {
			return err
		}
	}
	return trace.Close()
}

// work has some writers make so many updates each.
func work(s *Store, updates, writers int, ack func(uint64) error) error {
	errs := make([]error, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for range updates {
				var revision uint64
				err := s.Update(context.Background(), func(tx store.Tx) error {
					revision = tx.Revision() + 1
					return step(tx, revision)
				})
				if err == nil {
					err = ack(revision)
				}
				if errs[i] = errors.Join(errs[i], err); err != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// step is what the update that makes a revision writes.
func step(tx store.Tx, revision uint64) error {
	r := int(revision)
	value := bytes.Repeat([]byte{byte('a' + r%26)}, r*131%1800)
	if r%9 == 0 {
		value = bytes.Repeat(value, 12)
	}
	if err := tx.Put(fmt.Sprintf("key/%02d", r%37), value); err != nil {
		return err
	}
	if err := tx.Put("last", fmt.Append(nil, r)); err != nil || r%5 != 0 {
		return err
	}
	return tx.Delete(fmt.Sprintf("key/%02d", r*3%37))
}

// history has the states of a store by revision.
func history(t *testing.T, n int) []map[string]string {
	t.Helper()
	s := store.NewSnapshot()
	states := []map[string]string{snapshotState(t, s)}
	for r := 1; r <= n; r++ {
		a, err := s.Try(func(tx store.Tx) error { return step(tx, uint64(r)) })
		require.NoError(t, err)
		s = a.Next
		states = append(states, snapshotState(t, s))
	}
	return states
}

// traced builds this test with its calls replaced. It is the program of the tests here.
var traced = sync.OnceValues(buildTraced)

func buildTraced() (program string, err error) {
	if tracedDir, err = os.MkdirTemp("", "boltstore-traced-"); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.etcd.io/bbolt", "github.com/sealring/sealring").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	dirs := strings.Fields(string(out))
	bbolt := filepath.Join(tracedDir, "bbolt")
	if err := copySource(bbolt, dirs[0]); err != nil {
		return "", err
	}
	// A module is replaced by the file that go.mod is taken from, our own files in place.
	mod := filepath.Join(tracedDir, "go.mod")
	err = errors.Join(copyFile(mod, filepath.Join(dirs[1], "go.mod"), replacement{"\ngo 1", "\nreplace go.etcd.io/bbolt => " + bbolt + "\n\ngo 1", 1}),
		copyFile(filepath.Join(tracedDir, "go.sum"), filepath.Join(dirs[1], "go.sum")),
		copyFile(filepath.Join(bbolt, "tracing.go"), "testdata/tracing.go.txt"))
	if err != nil {
		return "", err
	}
	here := filepath.Join(dirs[1], "store", "boltstore")
	overlay := map[string]map[string]string{"Replace": {
		filepath.Join(here, "tracing.go"): filepath.Join(here, "testdata", "tracing_store.go.txt"),
	}}
	for file, changes := range replaced {
		from, to := file, filepath.Join(tracedDir, file)
		if rest, ok := strings.CutPrefix(file, "bbolt/"); ok {
			from = filepath.Join(dirs[0], rest)
		} else {
			overlay["Replace"][filepath.Join(here, file)] = to
		}
		if err := copyFile(to, from, changes...); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	overlaid := filepath.Join(tracedDir, "overlay.json")
	if err := os.WriteFile(overlaid, list, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(tracedDir, "traced.test")
	out, err = exec.Command("go", "test", "-c", "-vet=off", "-modfile", mod, "-overlay", overlaid, "-o", program, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return program, nil
}

// copySource copies a module without its tests and commands.
func copySource(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, from)
		switch {
		case err != nil:
			return err
		case name == "/cmd" || name == "/tests":
			return filepath.SkipDir
		case e.IsDir():
			return os.MkdirAll(to+name, 0o700)
		case strings.HasSuffix(name, "_test.go") || filepath.Ext(name) != ".go" && e.Name() != "go.mod":
			return nil
		}
		return copyFile(to+name, path)
	})
}

// copyFile copies a file with changes, each of which has to be possible.
func copyFile(to, from string, changes ...replacement) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if n := bytes.Count(b, []byte(c.was)); n != c.times {
			return fmt.Errorf("%s has %q %d times, want %d", from, c.was, n, c.times)
		}
		b = bytes.ReplaceAll(b, []byte(c.was), []byte(c.is))
	}
	return os.WriteFile(to, b, 0o600)
}

// tracedDir is removed at the end.
var tracedDir string

type replacement struct {
	was, is string
	times   int
}

// replaced are the calls that change files, in bbolt and here.
var replaced = map[string][]replacement{
	"bbolt/db.go": {
		{"db.ops.writeAt = db.file.WriteAt", "db.ops.writeAt = tracedWriteAt(db.file)", 1},
		{"db.file.Truncate(int64(sz))", "tracedTruncate(db.file, int64(sz))", 1},
		{"db.file.Sync()", "TracedSync(db.file)", 1},
	},
	"bbolt/bolt_linux.go": {
		{"syscall.Fdatasync(int(db.file.Fd()))", "TracedSync(db.file)", 1},
		{"import (\n\t\"syscall\"\n)", "", 1},
	},
	"copy.go": {
		{"os.CreateTemp(", "tracedCreate(", 1},
		{"os.Remove(", "tracedRemove(", 5},
		{"os.Link(", "tracedLink(", 1},
		{"f.Sync()", "bbolt.TracedSync(f)", 1},
	},
	"compact.go": {
		{"os.Rename(", "tracedRename(", 1},
		{"next.f.Sync()", "tracedSync(next.f)", 1},
		{"os.Remove(", "tracedRemove(", 1},
		{"\"os\"\n", "\n", 1},
	},
	"lock_unix.go": {{"d.Sync()", "tracedSyncDir(d)", 1}},
}

// tracedChild runs the program on a store in dir.
func tracedChild(t *testing.T, child, dir string, env ...string) []byte {
	t.Helper()
	program, err := traced()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, filepath.Join(dir, "store.db"))
	cmd.Env = append(os.Environ(), childVariable+"="+child, traceVariable+"="+filepath.Join(dir, "trace"))
	cmd.Env = append(cmd.Env, env...)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "trace"), nil, 0o600))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	trace, err := os.ReadFile(filepath.Join(dir, "trace"))
	require.NoError(t, err)
	return trace
}

func TestPowerLoss(t *testing.T) {
	t.Parallel()
	trace := tracedChild(t, "workload", t.TempDir())
	states := history(t, 2*(12+40+6))
	d := &disk{t: t, states: states, inodes: map[uint64]*inode{}, names: map[string]uint64{}}
	lines := bufio.NewScanner(bytes.NewReader(trace))
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var e event
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
		d.apply(e)
	}
	d.losePower()
	require.Equal(t, uint64(len(states)-1), d.acknowledged)
	require.Greater(t, d.syncs, 60)
	require.Greater(t, d.renames, 1)
	require.Greater(t, d.torn, 30)
	t.Logf("%d flushes, %d states of the disk, %d of them with a torn meta page", d.syncs, d.lost, d.torn)
}

// disk is what the trace makes of a disk.
type disk struct {
	t      *testing.T
	states []map[string]string

	inodes       map[uint64]*inode
	names        map[string]uint64 // the directory as it was last flushed
	pending      []event           // changes of the directory since
	acknowledged uint64
	opened       bool

	syncs, renames, lost, torn int
}

// inode is a file: what was flushed, and what was written since.
type inode struct {
	flushed []byte
	pending []event
}

// apply takes the next event. Before each flush, the power may go.
func (d *disk) apply(e event) {
	switch e.Kind {
	case "create":
		d.inodes[e.Inode] = &inode{}
		d.pending = append(d.pending, e)
	case "write", "truncate":
		i := d.inodes[e.Inode]
		i.pending = append(i.pending, e)
	case "sync":
		d.losePower()
		i := d.inodes[e.Inode]
		i.flushed, i.pending = written(i.flushed, i.pending...), nil
		d.syncs++
	case "link", "rename", "remove":
		d.pending = append(d.pending, e)
	case "syncdir":
		d.losePower()
		d.names, d.pending = directory(d.names, d.pending), nil
		d.syncs++
	case "ack":
		d.acknowledged, d.opened = max(d.acknowledged, e.Revision), true
	default:
		require.Fail(d.t, "unknown event", e.Kind)
	}
	if e.Kind == "rename" {
		d.renames++
	}
}

// directory returns the names after changes.
func directory(names map[string]uint64, changes []event) map[string]uint64 {
	names = maps.Clone(names)
	for _, e := range changes {
		switch e.Kind {
		case "create":
			names[e.Name] = e.Inode
		case "link":
			names[e.To] = names[e.Name]
		case "rename":
			names[e.To] = names[e.Name]
			delete(names, e.Name)
		case "remove":
			delete(names, e.Name)
		}
	}
	return names
}

// written returns contents after writes.
func written(b []byte, writes ...event) []byte {
	b = bytes.Clone(b)
	for _, e := range writes {
		end := int(e.Offset) + len(e.Data)
		if e.Kind == "truncate" && end < len(b) {
			b = b[:end]
		}
		if end > len(b) {
			b = append(b, make([]byte, end-len(b))...)
		}
		copy(b[e.Offset:], e.Data)
	}
	return b
}

// losePower checks what may be on the disk if the power goes now. The changes of a
// directory become durable in their order, those of a file in any.
func (d *disk) losePower() {
	for n := range len(d.pending) + 1 {
		number, ok := directory(d.names, d.pending[:n])["store.db"]
		if !ok {
			require.False(d.t, d.opened, "the store has lost its name")
			continue
		}
		i := d.inodes[number]
		for _, writes := range parts(i.pending) {
			d.check(written(i.flushed, writes...))
		}
		for k, e := range i.pending {
			if e.Kind == "write" && e.Offset < 2*pageBytes && len(e.Data) == pageBytes {
				d.tearMeta(i, k)
			}
		}
	}
}

// parts returns what a disk may have of writes: all, nothing, each alone, all but each, as
// many as come first, and all with one torn between sectors, whichever half is missing.
func parts(writes []event) [][]event {
	all := [][]event{nil}
	for k, e := range writes {
		all = append(all, writes[:k+1], writes[k:k+1], slices.Concat(writes[:k], writes[k+1:]))
		for _, cut := range []int{sector, len(e.Data) / 2 / sector * sector, len(e.Data) - sector} {
			if cut <= 0 || cut >= len(e.Data) {
				continue
			}
			head, tail := e, e
			head.Data, tail.Data = e.Data[:cut], e.Data[cut:]
			tail.Offset += int64(cut)
			for _, half := range []event{head, tail} {
				torn := slices.Clone(writes)
				torn[k] = half
				all = append(all, torn)
			}
		}
	}
	return all
}

// check fails unless a file holds every update that was acknowledged, and no half of one.
func (d *disk) check(b []byte) {
	d.lost++
	c, err := readAll(b)
	require.NoError(d.t, err, "after %d flushes", d.syncs)
	d.is(c.snapshot)
	if d.lost%50 != 0 {
		return
	}
	s, err := openBytes(d.t, b, nil) // bbolt, too
	require.NoError(d.t, err)
	require.NoError(d.t, s.Update(d.t.Context(), func(tx store.Tx) error { return step(tx, tx.Revision()+1) }))
	require.NoError(d.t, s.Close())
	again, err := Open(s.path, nil)
	require.NoError(d.t, err)
	if next := c.snapshot.Revision() + 1; next < uint64(len(d.states)) {
		require.Equal(d.t, d.states[next], snapshotState(d.t, again.durable))
	}
	require.NoError(d.t, again.Close())
}

func (d *disk) is(s *store.Snapshot) {
	require.GreaterOrEqual(d.t, s.Revision(), d.acknowledged)
	if want, got := d.states[s.Revision()], snapshotState(d.t, s); !maps.Equal(want, got) {
		require.Equal(d.t, want, got)
	}
}

// tearMeta tears a meta page within a sector, which disks do not do. Such a file looks
// like one whose newest commit has decayed, so it is refused; to salvage it loses nothing.
func (d *disk) tearMeta(i *inode, k int) {
	e := i.pending[k]
	e.Data = e.Data[:pageHeader+44]
	b := written(i.flushed, slices.Concat(i.pending[:k], []event{e})...)
	if _, err := readAll(b); err == nil {
		return // it is as it was, or complete
	}
	_, err := readAll(b)
	require.ErrorIs(d.t, err, ErrFile)
	c, err := read(bytes.NewReader(b), int64(len(b)), func(error) error { return nil })
	require.NoError(d.t, err)
	d.is(c.snapshot)
	d.torn++
}

// flushFails works on a store while one flush fails, and opens it again.
func flushFails(path string) error {
	s, err := openTwice(path)
	if err != nil {
		return err
	}
	acknowledged := uint64(0)
	ack := func(revision uint64) error { acknowledged = revision; return nil }
	if err := work(s, 4, 1, ack); err != nil {
		if err := stopped(s, err); err != nil {
			return err
		}
	}
	_ = s.Compact(context.Background()) // it succeeds, or everything is as it was
	if err := work(s, 2, 1, ack); err != nil {
		if err := stopped(s, err); err != nil {
			return err
		}
	}
	if r := s.durable.Revision(); r != acknowledged {
		return fmt.Errorf("views see revision %d, %d was acknowledged", r, acknowledged)
	}
	if err := s.Close(); err != nil {
		return err
	}
	again, err := openTwice(path)
	if err != nil {
		return err
	}
	if r := again.durable.Revision(); r < acknowledged || r > acknowledged+1 {
		return fmt.Errorf("revision %d is there, %d was acknowledged", r, acknowledged)
	}
	if err := work(again, 1, 1, ack); err != nil {
		if err := stopped(again, err); err != nil {
			return err
		}
	}
	return again.Close()
}

// openTwice opens a file again if that fails: one flush fails, not two.
func openTwice(path string) (*Store, error) {
	if s, err := Open(path, nil); err == nil {
		return s, nil
	}
	return Open(path, nil)
}

// stopped checks that a store whose flush failed refuses updates.
func stopped(s *Store, err error) error {
	if again := s.Update(context.Background(), put("a", 1)); !errors.Is(err, ErrFailed) || !errors.Is(again, ErrFailed) {
		return fmt.Errorf("an update fails with %w, the next with %w", err, again)
	}
	return nil
}

func TestFlushFails(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		trace := tracedChild(t, "flush fails", t.TempDir(), fmt.Sprintf("%s=%d", flushVariable, n))
		if !bytes.Contains(trace, []byte(`"Kind":"failed"`)) {
			require.Greater(t, n, 20)
			return
		}
	}
}
