package storetest

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

// flaws says which cases of the kit have to fail for a naive store with the flaw.
// Other cases may fail as well.
var flaws = map[string][]string{
	"a missing key is no error": {"Get/a key that is not there is ErrNotFound"},
	"cuts long values":          {"Put/every value and key is read back"},
	"an empty value is none":    {"Put/an empty value is there"},
	"the first value stays":     {"Put/a second value replaces the first"},
	"deletes by prefix":         {"Delete/removes the key and no other"},
	"Put shares values":         {"Put/copies the value"},
	"Get shares values":         {"Get/gives a slice to the caller"},
	"a scan reuses its buffer":  {"Scan/gives slices to the caller"},

	"a scan includes after":                 {"Scan/prefix and after"},
	"a scan stops after a page":             {"Scan/yields many entries in order"},
	"a scan does not see writes":            {"Scan/sees the transaction's earlier writes"},
	"a scan sees writes made while it runs": {"Scan/ignores writes made while it runs"},
	"a scan works once":                     {"Scan/may be left early and nested"},
	"does not read its own writes":          {"Update/reads its own writes"},
	"commits what failed":                   {"Update/an error undoes everything", "Watch/yields nothing of what was undone"},
	"commits when it panics":                {"Update/a panic undoes everything and locks nothing"},
	"commits after its context has ended":   {"Update/a context that ends within undoes everything"},
	"writes in a view":                      {"View/refuses to write"},
	"swallows a view's error":               {"View/returns the function's error"},
	"views are not snapshots":               {"View/is a snapshot"},
	"works after the end":                   {"Tx/is of no use after its end"},
	"keeps its revision":                    {"Tx/the revision grows with each change"},
	"keeps the version of the first write":  {"Tx/a key's version is its last commit's"},
	"the version is the snapshot's":         {"Tx/a key's version is its last commit's"},
	"a version sees own writes":             {"Tx/a key's version is its last commit's"},
	"a version has no limit":                {"MaxKeys/by every method, exactly and one over"},
	"starts with a context that is done":    {"Context/one that is done starts nothing"},
	"allows one key more":                   {"MaxKeys/by every method, exactly and one over"},
	"allows one byte more":                  {"MaxBytes/exactly and one over"},
	"lets a limit be ignored":               {"MaxKeys/holds although the function ignores it"},
	"limits a view":                         {"MaxKeys/does not bind a View"},
	"counts all bytes written":              {"MaxBytes/a key's last write counts"},
	"tears updates apart":                   {"Concurrency/transfers keep the total in every view"},
	"watch misses changes":                  {"Watch/from the beginning yields every change", "Watch/misses and repeats nothing under concurrent writers"},
	"reports deletions of nothing":          {"Watch/from the beginning yields every change"},
	"watch gives deletions a value":         {"Watch/from the beginning yields every change"},
	"watch includes the revision":           {"Watch/from a revision yields what came later"},
	"gives each change its own revision":    {"Watch/yields the changes of an update together"},
	"watch shares values":                   {"Watch/gives slices to the caller"},
	"tells watchers before it commits":      {"Watch/waits for changes, which can be read at once"},
	"watch repeats changes":                 {"Watch/misses and repeats nothing under concurrent writers"},
	"watch ends silently":                   {"Watch/ends when its context does"},
	"works when closed":                     {"Close/every method gives ErrClosed afterwards"},
	"watch ends silently at Close":          {"Close/ends the watches that wait"},
	"counts a key each time":                {"MaxKeys/a key counts once", "MaxKeys/reserved keys do not count"},

	"loses updates": {
		"Concurrency/no increment of a counter is lost",
		"Concurrency/transfers keep the total in every view",
		"Concurrency/decisions on what others write exclude each other",
		"Concurrency/decisions on what is not there exclude each other",
		"Storm/one counter", "Storm/transfers between few accounts", "Storm/one name for each",
		"History/random transactions are serialisable",
	},
	"snapshot isolation only": {
		"Concurrency/decisions on what others write exclude each other",
		"History/random transactions are serialisable",
	},
	"does not see phantoms": {
		"Concurrency/decisions on what is not there exclude each other",
		"History/random transactions are serialisable",
	},
	"gives up when others are about":    {"Storm/one counter"},
	"lets an update come before others": {"History/random transactions are serialisable"},
	"a view may be late":                {"Order/whoever comes after an update sees it", "History/random transactions are serialisable"},
	"revisions go back":                 {"Order/revisions never go back"},
	"views disagree on the order":       {"Order/all views see updates in one order"},
	"a version of now":                  {"Order/a version stands for a value", "View/is a snapshot"},
	"goes on after its context has ended": {
		"Late/Update does not return while its function runs",
		"Late/no function runs after its Update has returned",
	},
	"watch skips a commit when it resumes": {
		"Follow/a reader that stops and resumes ends at the truth",
		"Follow/readers that begin at any time end at the truth",
	},
	"watch has silent gaps": {
		"Watch/is complete or compacted",
		"Follow/a reader that stalls is complete or compacted",
	},
	"watch does not order by key": {
		"Watch/yields the changes of an update together",
		"Follow/changes of a commit stay together",
	},
	"watch misses deletions":                     {"Follow/deletions and prefixes", "Watch/from the beginning yields every change"},
	"watch ignores the prefix":                   {"Watch/yields only keys with the prefix", "Follow/deletions and prefixes"},
	"watch does not wait for a revision to come": {"Follow/a revision that is yet to come"},
	"watch waits through its context":            {"Follow/one that waits ends when its context does"},
	"does not limit": {
		"MaxKeys/by every method, exactly and one over",
		"MaxKey/exactly and one over, and the empty key",
		"MaxBytes/exactly and one over",
	},
}

// mixups says, for a naive store with the flaw, exactly which cases about isolation fail.
var mixups = map[string][]string{
	"loses updates": {
		"no lost update", "no write skew", "no phantom", "no phantom by deletion", "no stale entry of a scan",
		"no write skew over scans", "no stale read of an absent key", "no anomaly that only a reader sees",
		"nothing is left of an earlier run",
	},
	"snapshot isolation only": {
		"no write skew", "no phantom", "no phantom by deletion", "no stale entry of a scan",
		"no write skew over scans", "no stale read of an absent key", "no anomaly that only a reader sees",
	},
	"does not see phantoms": {
		"no phantom", "no phantom by deletion", "no stale entry of a scan", "no write skew over scans",
	},
	"misses insertions into a scan":             {"no phantom", "no write skew over scans"},
	"misses deletions from a scan":              {"no phantom by deletion"},
	"misses changes of what a scan gave":        {"no stale entry of a scan"},
	"does not check what was absent":            {"no stale read of an absent key"},
	"does not check what it overwrites":         {"no lost update", "no stale read of an absent key", "nothing is left of an earlier run"},
	"lets an update come before others":         {"no anomaly that only a reader sees"},
	"updates see writes before the commit":      {"no dirty read of what fails"},
	"views see writes before the commit":        {"no dirty read of what is not committed"},
	"views are not snapshots":                   {"no unrepeatable read", "no read skew"},
	"updates are not snapshots":                 {"no unrepeatable read", "no read skew"},
	"reads each key when it is first asked for": {"no read skew"},
	"keeps what an earlier run wrote": {
		"nothing is left of an earlier run", "no write skew", "no write skew over scans",
		"no anomaly that only a reader sees",
	},
	"counts what an earlier run touched":   {"nothing is left of an earlier run"},
	"works after the end":                  {"nothing is left of an earlier run"},
	"keeps the version of the first write": {"a draft conflicts with what has changed"},
}

func numberedMany(i int) string { return fmt.Sprintf("many/%04d", i) }

func TestRunPassesANaiveStore(t *testing.T) {
	Run(t, func(*testing.T) store.Store { return newNaive("") })
}

func TestKitFindsFlaws(t *testing.T) {
	known := map[string]check{}
	for _, c := range checks() {
		require.NotContains(t, known, c.name)
		known[c.name] = c
	}
	for flaw, names := range flaws {
		for _, name := range names {
			require.Contains(t, known, name)
			t.Run(flaw+"/"+name, func(t *testing.T) {
				t.Parallel()
				// Races are found sooner or later.
				for range 50 {
					if len(failures(t, known[name], newNaive(flaw))) > 0 {
						return
					}
				}
				t.Error("the kit does not find the flaw")
			})
		}
	}
}

func TestEveryCaseCanFail(t *testing.T) {
	tried := slices.Concat(slices.Collect(maps.Values(flaws))...)
	for _, names := range mixups {
		for _, name := range names {
			tried = append(tried, "Isolation/"+name)
		}
	}
	for _, c := range checks() {
		require.Contains(t, tried, c.name, "no flaw shows that this case can fail")
	}
}

func TestKitTellsMixupsApart(t *testing.T) {
	for flaw, names := range mixups {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			var failed []string
			for _, a := range isolationChecks() {
				if len(failures(t, a, newNaive(flaw))) > 0 {
					failed = append(failed, strings.TrimPrefix(a.name, "Isolation/"))
				}
			}
			require.ElementsMatch(t, names, failed)
		})
	}
}

// failures runs c on s and returns what it reports.
func failures(t *testing.T, c check, s store.Store) []string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.run(r, s)
	}()
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// recorder is a testing.TB that takes note of failures instead of failing.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

// patience is short: only what has failed waits so long.
func (r *recorder) patience() time.Duration { return 2 * time.Second }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
