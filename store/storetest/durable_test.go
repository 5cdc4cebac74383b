package storetest

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

// naivePlace is where naive stores keep what they commit, with at most one flaw.
type naivePlace struct {
	flaw string

	mu   sync.Mutex
	life int // only the store of this life may write
	kept state
	late func() // a write that has been put off
}

func newNaivePlace(flaw string) *naivePlace {
	return &naivePlace{flaw: flaw, kept: state{data: map[string][]byte{}, vers: map[string]uint64{}}}
}

func (p *naivePlace) place() Place {
	return Place{
		Open: func(testing.TB) store.Store { return p.open() },
		Crash: func(_ testing.TB, s store.Store) {
			p.mu.Lock()
			p.life++
			p.late = nil
			p.mu.Unlock()
			_ = s.Close()
		},
	}
}

func (p *naivePlace) open() store.Store {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life++
	if p.late != nil {
		p.late()
		p.late = nil
	}
	life := p.life
	s := newNaive(p.flaw)
	s.data, s.vers, s.rev = maps.Clone(p.kept.data), maps.Clone(p.kept.vers), p.kept.rev
	s.floor = s.rev
	switch p.flaw {
	case "the revision is that of the newest key":
		s.rev = 0
		for _, v := range s.vers {
			s.rev = max(s.rev, v)
		}
	case "versions begin anew":
		for key := range s.vers {
			s.vers[key] = s.rev
		}
	case "a watch does not know where it begins":
		s.floor = 0
	}
	s.keep = func(changes []store.Change, rev uint64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.keep(life, changes, rev)
	}
	return s
}

// keep writes a commit, for the store of the given life. p.mu is held.
func (p *naivePlace) keep(life int, changes []store.Change, rev uint64) {
	write := func(changes []store.Change) {
		if life != p.life {
			return
		}
		for _, c := range changes {
			key := c.Key
			if p.flaw == "cuts keys" {
				key, _, _ = strings.Cut(key, "\x00")
			}
			switch {
			case !c.Deleted:
				p.kept.data[key], p.kept.vers[key] = c.Value, rev
			case p.flaw != "forgets deletions":
				delete(p.kept.data, key)
				delete(p.kept.vers, key)
			}
		}
		p.kept.rev = rev
	}
	switch p.flaw {
	case "acknowledges before it writes":
		if p.late != nil {
			p.late()
		}
		p.late = func() { life = p.life; write(changes) }
	case "writes one key after another":
		for _, c := range changes {
			write([]store.Change{c})
			p.mu.Unlock()
			time.Sleep(50 * time.Microsecond)
			p.mu.Lock()
		}
	case "writes out of order":
		if slices.ContainsFunc(changes, func(c store.Change) bool { return strings.HasPrefix(c.Key, "log/") }) && rev%2 == 0 {
			p.late = func() { write(changes) }
			return
		}
		write(changes)
	default:
		write(changes)
	}
}

func TestRunDurablePassesANaiveStore(t *testing.T) {
	RunDurable(t, func(*testing.T) Place { return newNaivePlace("").place() })
}

func TestRunDurableFindsFlaws(t *testing.T) {
	flaws := map[string][]string{
		"acknowledges before it writes": {
			"every acknowledged update is there", "updates under way happen wholly or not at all",
		},
		"writes one key after another":           {"updates under way happen wholly or not at all"},
		"writes out of order":                    {"updates under way happen wholly or not at all"},
		"shows before it writes":                 {"updates under way happen wholly or not at all"},
		"forgets deletions":                      {"every acknowledged update is there"},
		"versions begin anew":                    {"every acknowledged update is there"},
		"cuts keys":                              {"values and keys of every kind"},
		"the revision is that of the newest key": {"revisions and versions go on"},
		"commits what failed":                    {"nothing is there of what failed"},
		"a watch does not know where it begins":  {"a watch is complete or compacted"},
	}
	known := map[string]durableCheck{}
	for _, c := range durableChecks() {
		known[strings.TrimPrefix(c.name, "Durable/")] = c
	}
	tried := map[string]bool{}
	for flaw, names := range flaws {
		for _, name := range names {
			require.Contains(t, known, name)
			tried[name] = true
			t.Run(flaw+"/"+name, func(t *testing.T) {
				t.Parallel()
				for range 50 {
					failed := failures(t, check{run: func(tb testing.TB, _ store.Store) {
						known[name].run(newLives(tb, newNaivePlace(flaw).place(), true))
					}}, nil)
					if len(failed) > 0 {
						return
					}
				}
				t.Error("the kit does not find the flaw")
			})
		}
	}
	require.Len(t, tried, len(known), "a case that no flaw shows to fail")
}
