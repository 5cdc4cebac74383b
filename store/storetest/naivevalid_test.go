package storetest

import (
	"maps"
	"slices"
	"time"

	"github.com/sealring/sealring/store"
)

// present returns the state that a transaction begins on. s.mu is held.
func (s *naive) present(writable bool) state {
	now := state{maps.Clone(s.data), maps.Clone(s.vers), s.rev}
	if writable {
		if s.has("updates see writes before the commit") {
			maps.Copy(now.data, s.dirty)
		}
		return now
	}
	s.views++
	switch {
	case s.has("views see writes before the commit"):
		maps.Copy(now.data, s.dirty)
	case s.has("a view may be late") && time.Since(s.when) < time.Millisecond,
		s.has("revisions go back") && s.views%3 == 0:
		if s.before.data != nil {
			return s.before
		}
	case s.has("views disagree on the order"):
		for _, c := range slices.Backward(s.window) {
			if (c.Key == "x") == (s.views%2 == 0) {
				now.data[c.Key] = c.Value
			}
		}
	}
	return now
}

// linger lets time pass after changes were committed and before the update returns, in
// which views disagree on whether they have been. s.mu is held.
func (s *naive) linger(changes []store.Change) {
	for _, c := range changes {
		if was, there := s.before.data[c.Key]; there {
			s.window = append(s.window, store.Change{Revision: c.Revision, Key: c.Key, Value: was})
		}
	}
	s.mu.Unlock()
	time.Sleep(100 * time.Microsecond)
	s.mu.Lock()
	s.window = slices.DeleteFunc(s.window, func(c store.Change) bool { return c.Revision == changes[0].Revision })
}

// start returns the revision after which a watch begins.
func (s *naive) start(after uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.has("watch does not wait for a revision to come"):
		return min(after, s.rev)
	case s.has("watch skips a commit when it resumes") && after > 0 && after < s.rev:
		return after + 1
	}
	return after
}

// valid says whether tx may commit over what others have committed meanwhile. s.mu
// is held.
func (s *naive) valid(tx *naiveTx) bool {
	switch s.flaw {
	case "loses updates":
		return true
	case "snapshot isolation only":
		return s.same(tx, tx.written)
	case "does not see phantoms":
		return s.same(tx, tx.written) && s.same(tx, tx.read)
	case "misses insertions into a scan", "misses deletions from a scan", "misses changes of what a scan gave":
		return s.same(tx, tx.read) && s.sameScans(tx)
	case "does not check what was absent":
		return s.same(tx, s.only(tx.read, func(key string) bool { return tx.vers[key] != 0 })) && s.sameScans(tx)
	case "does not check what it overwrites":
		return s.same(tx, s.only(tx.read, func(key string) bool { return !tx.written[key] })) && s.sameScans(tx)
	case "lets an update come before others":
		return s.backdated(tx)
	case "gives up when others are about":
		return s.running == 1
	}
	return tx.rev == s.rev
}

func (s *naive) only(keys map[string]bool, which func(key string) bool) map[string]bool {
	keys = maps.Clone(keys)
	maps.DeleteFunc(keys, func(key string, _ bool) bool { return !which(key) })
	return keys
}

// same says whether the keys have the versions that they had when tx began.
func (s *naive) same(tx *naiveTx, keys map[string]bool) bool {
	for key := range keys {
		if s.vers[key] != tx.vers[key] {
			return false
		}
	}
	return true
}

// sameScans says whether what tx scanned is as it was, as far as the flaw looks.
func (s *naive) sameScans(tx *naiveTx) bool {
	for _, r := range tx.scans {
		for key := range tx.vers {
			is, there := s.vers[key]
			switch {
			case !r.covers(key):
			case !there && !s.has("misses deletions from a scan"),
				there && is != tx.vers[key] && !s.has("misses changes of what a scan gave"):
				return false
			}
		}
		for key := range s.vers {
			if r.covers(key) && tx.vers[key] == 0 && !s.has("misses insertions into a scan") {
				return false
			}
		}
	}
	return true
}

// backdated says whether tx could have been committed on the state on which it began:
// no update that was committed since has read or written what it writes.
func (s *naive) backdated(tx *naiveTx) bool {
	for _, other := range s.done {
		if other.committed <= tx.rev {
			continue
		}
		for key := range tx.written {
			scanned := slices.ContainsFunc(other.scans, func(r naiveScan) bool { return r.covers(key) })
			if scanned || other.read[key] || other.written[key] {
				return false
			}
		}
	}
	return true
}
