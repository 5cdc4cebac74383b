package boltstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

// These tests lose power. A program, which is this test built again with the calls that
// change files replaced by ones that write down what they do (traced_linux_test.go), works on a
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
	pageBytes = 4096
	sector    = 512
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
