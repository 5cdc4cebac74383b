package storetest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealring/sealring/store"
)

// naive is a store made of a plain map, with optimistic transactions that copy all
// of it. It has at most one flaw, named as in the table of TestKitFindsFlaws; ""
// is none.
type naive struct {
	flaw string

	mu     sync.Mutex
	data   map[string][]byte
	vers   map[string]uint64
	rev    uint64
	log    []store.Change
	closed bool
	wake   chan struct{}

	// for a store that is durable
	floor uint64 // the revision at which it was opened
	keep  func(changes []store.Change, rev uint64)

	// for single flaws
	serial  sync.Mutex        // held during a commit
	before  state             // what the last commit replaced
	when    time.Time         // of the last commit
	views   int               // begun so far
	running int               // updates
	dirty   map[string][]byte // written by updates that have not ended
	done    []*naiveTx        // updates that have changed something
	window  []store.Change    // committed and not yet acknowledged, with the values before
}

// state is what a naive store holds.
type state struct {
	data map[string][]byte
	vers map[string]uint64
	rev  uint64
}

func newNaive(flaw string) *naive {
	return &naive{flaw: flaw, data: map[string][]byte{}, vers: map[string]uint64{},
		dirty: map[string][]byte{}, wake: make(chan struct{})}
}

func (s *naive) has(flaw string) bool { return s.flaw == flaw }

func (s *naive) begin(ctx context.Context, writable bool) (*naiveTx, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && !s.has("works when closed") {
		return nil, store.ErrClosed
	}
	if ctx.Err() != nil && !s.has("starts with a context that is done") {
		return nil, ctx.Err()
	}
	return s.transaction(s.present(writable), writable), nil
}

func (s *naive) transaction(now state, writable bool) *naiveTx {
	return &naiveTx{
		s: s, writable: writable, rev: now.rev,
		base: now.data, state: maps.Clone(now.data), vers: now.vers,
		read: map[string]bool{}, written: map[string]bool{},
		first: map[string][]byte{}, meter: &store.Meter{},
	}
}

func (s *naive) View(ctx context.Context, fn func(store.Tx) error) error {
	tx, err := s.begin(ctx, s.has("writes in a view"))
	if err != nil {
		return err
	}
	defer func() { tx.done = true }()
	err = fn(tx)
	if s.has("writes in a view") {
		return s.commit(tx)
	}
	if s.has("swallows a view's error") {
		return nil
	}
	return err
}

func (s *naive) Update(ctx context.Context, fn func(store.Tx) error) error {
	if s.has("goes on after its context has ended") {
		ended := make(chan error, 1)
		go func() { ended <- s.update(context.WithoutCancel(ctx), fn) }()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.update(ctx, fn)
}

func (s *naive) update(ctx context.Context, fn func(store.Tx) error) error {
	s.mu.Lock()
	s.running++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
	}()
	var earlier *naiveTx
	for {
		tx, err := s.begin(ctx, true)
		if err != nil {
			return err
		}
		if earlier != nil {
			tx.inherit(earlier)
		}
		earlier = tx
		if err := s.attempt(ctx, tx, fn); err != errAgain {
			return err
		}
		if s.has("gives up when others are about") {
			return store.ErrConflict
		}
	}
}

const errAgain = again("conflict")

type again string

func (a again) Error() string { return string(a) }

func (s *naive) attempt(ctx context.Context, tx *naiveTx, fn func(store.Tx) error) error {
	defer tx.end()
	if s.has("commits when it panics") {
		defer func() {
			if p := recover(); p != nil {
				_ = s.commit(tx)
				panic(p)
			}
		}()
	}
	err := fn(tx)
	if err != nil && s.has("commits what failed") {
		_ = s.commit(tx)
	}
	if err == nil && !s.has("lets a limit be ignored") {
		err = tx.limit()
	}
	if err == nil && !s.has("commits after its context has ended") {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return s.commit(tx)
}

func (s *naive) commit(tx *naiveTx) error {
	if s.has("shows before it writes") {
		s.serial.Lock()
		defer s.serial.Unlock()
	}
	switch s.flaw {
	case "loses updates", "snapshot isolation only", "does not see phantoms", "gives up when others are about":
		time.Sleep(50 * time.Microsecond) // let the others come up
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	if !s.valid(tx) {
		return errAgain
	}
	s.before, s.when = s.present(true), time.Now()
	var changes []store.Change
	for _, key := range slices.Sorted(maps.Keys(tx.written)) {
		value, there := tx.state[key]
		if !there && s.data[key] == nil && !s.has("reports deletions of nothing") {
			continue
		}
		changes = append(changes, store.Change{Revision: s.rev + 1, Key: key, Value: value, Deleted: !there})
		if there && s.has("tears updates apart") {
			s.data[key] = value
			s.mu.Unlock()
			time.Sleep(20 * time.Microsecond)
			s.mu.Lock()
		}
	}
	s.publish(changes)
	if s.keep != nil && len(changes) > 0 {
		if s.has("shows before it writes") {
			rev := s.rev
			s.mu.Unlock()
			time.Sleep(200 * time.Microsecond)
			s.mu.Lock()
			s.keep(changes, rev)
		} else {
			s.keep(changes, s.rev)
		}
	}
	if len(changes) > 0 {
		tx.committed = s.rev
		s.done = append(s.done, tx)
	}
	if len(changes) > 0 && s.has("views disagree on the order") {
		s.linger(changes)
	}
	return nil
}

// publish makes changes visible and tells the watchers. s.mu is held.
func (s *naive) publish(changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	if !s.has("keeps its revision") {
		s.rev++
	}
	switch s.flaw {
	case "gives each change its own revision":
		for i := range changes {
			changes[i].Revision += uint64(i)
		}
		s.rev += uint64(len(changes) - 1)
	case "watch does not order by key":
		slices.Reverse(changes)
	case "watch misses changes":
		if s.rev%7 == 3 {
			changes = changes[1:]
		}
	}
	s.log = append(s.log, changes...)
	close(s.wake)
	s.wake = make(chan struct{})
	if s.has("tells watchers before it commits") {
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
		s.mu.Lock()
	}
	for _, c := range changes {
		if c.Deleted {
			delete(s.data, c.Key)
			delete(s.vers, c.Key)
		} else {
			if !s.has("keeps the version of the first write") || s.vers[c.Key] == 0 {
				s.vers[c.Key] = s.rev
			}
			s.data[c.Key] = c.Value
		}
	}
}

func (s *naive) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		next := 0
		after = s.start(after)
		for {
			s.mu.Lock()
			changes, wake, closed := s.log[next:], s.wake, s.closed
			s.mu.Unlock()
			if s.has("watch has silent gaps") && len(changes) > 500 {
				changes = changes[len(changes)-500:]
			}
			if closed && s.has("watch ends silently at Close") || ctx.Err() != nil && s.has("watch ends silently") {
				return
			}
			if after < s.floor {
				yield(store.Change{}, store.ErrCompacted)
				return
			}
			if closed && !s.has("works when closed") {
				yield(store.Change{}, store.ErrClosed)
				return
			}
			if err := ctx.Err(); err != nil {
				yield(store.Change{}, err)
				return
			}
			for _, c := range changes {
				next++
				if !s.match(&c, prefix, after) || c.Deleted && s.has("watch misses deletions") {
					continue
				}
				if ctx.Err() != nil {
					break
				}
				if !yield(c, nil) {
					return
				}
			}
			if s.has("watch repeats changes") && next > 10 {
				next--
			}
			if s.has("watch waits through its context") {
				<-wake
				continue
			}
			select {
			case <-wake:
			case <-ctx.Done():
			}
		}
	}
}

func (s *naive) match(c *store.Change, prefix string, after uint64) bool {
	if !s.has("watch shares values") {
		c.Value = slices.Clone(c.Value)
	}
	if c.Deleted && s.has("watch gives deletions a value") {
		c.Value = []byte{}
	}
	return (strings.HasPrefix(c.Key, prefix) || s.has("watch ignores the prefix")) &&
		(c.Revision > after || c.Revision == after && s.has("watch includes the revision"))
}

func (s *naive) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.wake)
		s.wake = make(chan struct{})
	}
	return nil
}
