package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealring/sealring/store"
)

func historyChecks() []check {
	return []check{{name: "History/random transactions are serialisable", once: true,
		run: func(tb testing.TB, s store.Store) { checkHistory(tb, []store.Store{s}, true) }}}
}

// checkHistory runs random transactions over few keys in several sessions, which use
// the handles by turns, and verifies what each of them saw.
func checkHistory(tb testing.TB, handles []store.Store, strict bool) {
	const sessions, rounds = 6, 40
	seed := rand.Uint64()
	begin := revision(tb, handles[0])
	w := workload{ctx: tb.Context()}
	done := make([][]*deed, sessions)
	err := together(sessions, func(i int) error {
		s := session{&w, i, handles[i%len(handles)], rand.New(rand.NewPCG(seed, uint64(i))), 0}
		for range rounds {
			d, err := s.step()
			if err != nil {
				return err
			}
			if d != nil {
				done[i] = append(done[i], d)
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("%v", err)
	}
	settle(tb, handles...)
	changes := watchTo(tb, handles[0], "", begin, "~end")
	all := slices.Concat(done...)
	if err := commits(all, changes); err != nil {
		tb.Fatalf("seed %d: %v", seed, err)
	}
	if err := verifyHistory(all, strict); err != nil {
		tb.Fatalf("seed %d: %v", seed, err)
	}
	if err := verifyChanges(all, changes); err != nil {
		tb.Fatalf("seed %d: %v", seed, err)
	}
}

// verifyChanges checks that a watch saw what the updates wrote.
func verifyChanges(deeds []*deed, changes []store.Change) error {
	byRevision := map[uint64]*deed{}
	for _, d := range deeds {
		byRevision[d.committed] = d
	}
	for _, c := range changes {
		if strings.HasPrefix(c.Key, duelKey) {
			continue
		}
		d, value := byRevision[c.Revision], string(c.Value)
		if c.Deleted {
			value = absent
		}
		if d == nil || d.writes[c.Key] != value {
			return fmt.Errorf("the watch has seen %q become %q at revision %d, which was made by %v", c.Key, value, c.Revision, d)
		}
	}
	return nil
}

type workload struct {
	ctx   context.Context
	clock atomic.Int64
}

// session does one transaction after another.
type session struct {
	*workload
	id     int
	s      store.Store
	random *rand.Rand
	count  int
}

var errChanged = errors.New("storetest: the function gives up")

// step does one transaction. The deed is nil if it ended with ErrConflict.
func (s *session) step() (*deed, error) {
	s.count++
	plan := s.plan()
	d := &deed{session: s.id, begin: s.clock.Add(1)}
	run := func(tx store.Tx) error {
		d.revision, d.reads, d.writes = tx.Revision(), nil, nil
		if err := d.read(tx, plan.reads); err != nil {
			return err
		}
		time.Sleep(plan.pause) // the others come up
		if err := d.write(tx, plan.writes); err != nil {
			return err
		}
		if plan.fails {
			return errChanged
		}
		return nil
	}
	var err error
	if plan.writes == nil && !plan.update {
		err = s.s.View(s.ctx, run)
	} else {
		err = s.s.Update(s.ctx, run)
	}
	d.end = s.clock.Add(1)
	switch {
	case errors.Is(err, store.ErrConflict):
		return nil, nil
	case errors.Is(err, errChanged):
		d.writes = nil // what it has read was there all the same
	case err != nil:
		return nil, err
	}
	return d, nil
}

// plan is what a transaction is going to do, the same in every run.
type plan struct {
	reads  []string
	writes map[string]string
	update bool
	fails  bool
	pause  time.Duration
}

func (s *session) plan() plan {
	const keys = 5
	key := func() string { return fmt.Sprintf("key/%d", s.random.IntN(keys)) }
	var p plan
	for range s.random.IntN(3) {
		p.reads = append(p.reads, key())
	}
	if s.random.IntN(3) == 0 {
		p.reads = append(p.reads, []string{"key/*", "key/1*"}[s.random.IntN(2)])
	}
	kind := s.random.IntN(10)
	p.update, p.fails = kind > 2, kind == 9
	p.pause = time.Duration(s.random.IntN(100)) * time.Microsecond
	if kind < 4 {
		return p
	}
	name := fmt.Sprintf("%d of %d", s.count, s.id) // no other write has this value
	p.writes = map[string]string{fmt.Sprint(sessionKey, s.id): name}
	for range 1 + s.random.IntN(2) {
		p.writes[key()] = name
	}
	if len(p.reads) > 0 && s.random.IntN(3) == 0 {
		p.writes[strings.TrimSuffix(p.reads[0], "*")] = name
	}
	if kind == 4 {
		p.writes[key()] = absent
	}
	return p
}

func (d *deed) read(tx store.Tx, keys []string) error {
	for _, key := range keys {
		seen := sight{key: key}
		if prefix, isScan := strings.CutSuffix(key, "*"); isScan {
			for e, err := range tx.Scan(prefix, "") {
				if err != nil {
					return err
				}
				seen.value += fmt.Sprintf("%s=%s ", e.Key, e.Value)
			}
		} else {
			value, err := tx.Get(key)
			if errors.Is(err, store.ErrNotFound) {
				value = []byte(absent)
			} else if err != nil {
				return err
			}
			seen.value = string(value)
			if seen.version, err = tx.Version(key); err != nil {
				return err
			}
		}
		d.reads = append(d.reads, seen)
	}
	return nil
}

func (d *deed) write(tx store.Tx, list map[string]string) error {
	d.writes = maps.Clone(list)
	for key, value := range list {
		err := error(nil)
		if value == absent {
			err = tx.Delete(key)
		} else {
			err = tx.Put(key, []byte(value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
