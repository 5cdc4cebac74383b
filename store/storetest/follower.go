package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/sealring/sealring/store"
)

// follower keeps a copy of the keys with a prefix by what Watch yields, as a cache does:
// it scans when it has to and resumes where it stopped. It also checks that what it is
// told are whole commits in order.
type follower struct {
	s      store.Store
	prefix string

	state map[string]string
	after uint64         // everything up to here is in state
	batch []store.Change // of the revision that is under way
	scans int
	seen  int // changes that state was made of, since the last scan
}

// scan makes the copy anew.
func (f *follower) scan(ctx context.Context) error {
	f.scans++
	return f.s.View(ctx, func(tx store.Tx) error {
		f.state, f.batch, f.after, f.seen = map[string]string{}, nil, tx.Revision(), 0
		for e, err := range tx.Scan(f.prefix, "") {
			if err != nil {
				return err
			}
			f.state[e.Key] = string(e.Value)
		}
		return nil
	})
}

// follow applies changes until stop returns true for one that has been yielded, or for
// lastKey if a new scan has shown that. A commit of which only a part was yielded by then
// is left for the next time.
func (f *follower) follow(ctx context.Context, stop func(c store.Change) bool) error {
	for {
		err := f.watch(ctx, stop)
		if !errors.Is(err, store.ErrCompacted) {
			return err
		}
		if err := f.scan(ctx); err != nil {
			return err
		}
		if _, there := f.state[lastKey]; there && stop(store.Change{Revision: f.after, Key: lastKey}) {
			return nil
		}
	}
}

func (f *follower) watch(ctx context.Context, stop func(c store.Change) bool) error {
	f.batch = nil
	for c, err := range f.s.Watch(ctx, f.prefix, f.after) {
		if err != nil {
			return err
		}
		if err := f.take(c); err != nil {
			return err
		}
		if stop(c) {
			return nil
		}
	}
	return errors.New("storetest: watch ended without an error")
}

// take adds c to the batch, or makes the batch part of the copy and begins another.
func (f *follower) take(c store.Change) error {
	switch n := len(f.batch); {
	case !strings.HasPrefix(c.Key, f.prefix):
		return fmt.Errorf("the watch of %q yields %q", f.prefix, c.Key)
	case c.Revision <= f.after:
		return fmt.Errorf("the watch yields %q of revision %d after revision %d", c.Key, c.Revision, f.after)
	case n == 0:
	case c.Revision < f.batch[0].Revision:
		return fmt.Errorf("the watch yields revision %d after %d", c.Revision, f.batch[0].Revision)
	case c.Revision > f.batch[0].Revision:
		if err := f.apply(); err != nil {
			return err
		}
	case c.Key <= f.batch[n-1].Key:
		return fmt.Errorf("the watch yields %q after %q, both of revision %d", c.Key, f.batch[n-1].Key, c.Revision)
	}
	f.batch = append(f.batch, c)
	return nil
}

// apply makes the batch part of the copy: it is known to be complete.
func (f *follower) apply() error {
	for _, c := range f.batch {
		_, there := f.state[c.Key]
		switch {
		case c.Deleted && !there:
			return fmt.Errorf("revision %d deletes %q, which is not there", c.Revision, c.Key)
		case c.Deleted:
			delete(f.state, c.Key)
		default:
			f.state[c.Key] = string(c.Value)
		}
		f.after = c.Revision
		f.seen++
	}
	f.batch = nil
	return nil
}

// expect fails unless the copy is what the store holds. The last commit under way is
// taken to be complete.
func (f *follower) expect(tb testing.TB) {
	tb.Helper()
	if err := f.apply(); err != nil {
		tb.Errorf("%v", err)
	}
	view(tb, f.s, func(tx store.Tx) error {
		want := map[string]string{}
		for e, err := range tx.Scan(f.prefix, "") {
			if err != nil {
				return err
			}
			want[e.Key] = string(e.Value)
		}
		if !maps.Equal(f.state, want) {
			tb.Errorf("after %d changes the watch of %q has made %v, the store holds %v", f.seen, f.prefix, f.state, want)
		}
		return nil
	})
}
