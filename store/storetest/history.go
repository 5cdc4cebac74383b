package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sealring/sealring/store"
)

// deed is what one transaction did, as its last run saw it. Times are steps of one
// counter that all sessions share.
type deed struct {
	session    int
	begin, end int64
	revision   uint64 // of the snapshot that was read
	reads      []sight
	writes     map[string]string // the last write of each key, absent for a deletion; nil for a reader
	committed  uint64            // the revision that the writes made, 0 if there are none
}

// absent is the value of a key that is not there.
const absent = "(absent)"

// sight is what a Get gave with the key's version, or, if the key ends with "*", what a
// scan of that prefix gave. The transaction's own writes were not yet made.
type sight struct {
	key, value string
	version    uint64
}

func (d *deed) String() string {
	return fmt.Sprintf("session %d, revision %d, committed %d: read %v, wrote %v", d.session, d.revision, d.committed, d.reads, d.writes)
}

// verifyHistory checks that the deeds could have been done one after another in the
// order of their revisions: an update at the revision that it made, everything else
// directly after the revision that it read. In that order every read sees the last
// write before it, so no two deeds depend on each other in a circle. It checks too
// that nothing stands before what had ended when it began: for all deeds if strict,
// else for those of one session.
func verifyHistory(deeds []*deed, strict bool) error {
	deeds = slices.Clone(deeds)
	slices.SortStableFunc(deeds, func(a, b *deed) int {
		switch {
		case a.position() < b.position():
			return -1
		case a.position() > b.position():
			return 1
		}
		return 0
	})
	state, versions := map[string]string{}, map[string]uint64{}
	last := uint64(0)
	for _, d := range deeds {
		if d.committed > 0 && (d.committed == last || d.committed <= d.revision) {
			return fmt.Errorf("an update commits revision %d after %d: %v", d.committed, last, d)
		}
		for _, s := range d.reads {
			if want := look(state, versions, s.key); want != s {
				return fmt.Errorf("a transaction reads %v, but %v was the last write before it: %v", s, want, d)
			}
		}
		if d.committed == 0 {
			continue
		}
		last = d.committed
		for key, value := range d.writes {
			if value == absent {
				delete(state, key)
				delete(versions, key)
			} else {
				state[key], versions[key] = value, d.committed
			}
		}
	}
	return verifyTimes(deeds, strict)
}

// position orders deeds. Those that wrote nothing come after the update whose revision
// they read, and are equal among themselves.
func (d *deed) position() uint64 {
	if d.committed > 0 {
		return 2 * d.committed
	}
	return 2*d.revision + 1
}

// look returns what a transaction should see.
func look(state map[string]string, versions map[string]uint64, key string) sight {
	prefix, isScan := strings.CutSuffix(key, "*")
	if !isScan {
		value, there := state[key]
		if !there {
			value = absent
		}
		return sight{key, value, versions[key]}
	}
	var list strings.Builder
	for _, k := range slices.Sorted(maps.Keys(state)) {
		if strings.HasPrefix(k, prefix) {
			fmt.Fprintf(&list, "%s=%s ", k, state[k])
		}
	}
	return sight{key, list.String(), 0}
}

// verifyTimes goes through the begins and ends in order of time.
func verifyTimes(deeds []*deed, strict bool) error {
	type event struct {
		at int64
		d  *deed
	}
	var events []event
	for _, d := range deeds {
		events = append(events, event{d.begin, d}, event{d.end, d})
	}
	slices.SortFunc(events, func(a, b event) int { return int(a.at - b.at) })
	ended := map[int]*deed{} // by session, or all in 0: the one of the highest position
	for _, e := range events {
		session := 0
		if !strict {
			session = e.d.session
		}
		before := ended[session]
		switch {
		case e.at == e.d.end:
			if before == nil || e.d.position() > before.position() {
				ended[session] = e.d
			}
		case before != nil && e.d.position() < before.position():
			return fmt.Errorf("a transaction comes before one that had ended when it began:\n%v\n%v", e.d, before)
		}
	}
	return nil
}

// commits fills in the revisions that updates made, from what a watch of everything
// saw. Each update put its own name at the key of its session, and nothing else did.
func commits(deeds []*deed, changes []store.Change) error {
	revisions := map[string]uint64{}
	for _, c := range changes {
		if strings.HasPrefix(c.Key, sessionKey) {
			revisions[string(c.Value)] = c.Revision
		}
	}
	for _, d := range deeds {
		if d.writes == nil {
			continue
		}
		name := d.writes[fmt.Sprint(sessionKey, d.session)]
		if d.committed = revisions[name]; d.committed == 0 {
			return fmt.Errorf("the watch has not seen the update %q", name)
		}
		delete(revisions, name)
	}
	for name := range revisions {
		return fmt.Errorf("the watch has seen the update %q, which did not succeed", name)
	}
	return nil
}

// sessionKey begins the keys of sessions.
const sessionKey = "session/"
