package storetest

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"

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
	"a version of now":                      {"View/is a snapshot"},
	"a version has no limit":                {"MaxKeys/by every method, exactly and one over"},
	"starts with a context that is done":    {"Context/one that is done starts nothing"},
	"allows one key more":                   {"MaxKeys/by every method, exactly and one over"},
	"allows one byte more":                  {"MaxBytes/exactly and one over"},
	"counts a key each time":                {"MaxKeys/a key counts once"},
	"lets a limit be ignored":               {"MaxKeys/holds although the function ignores it"},
	"limits a view":                         {"MaxKeys/does not bind a View"},
	"counts all bytes written":              {"MaxBytes/a key's last write counts"},
	"tears updates apart":                   {"Concurrency/transfers keep the total in every view"},
	"snapshot isolation only":               {"Concurrency/decisions on what others write exclude each other"},
	"does not see phantoms":                 {"Concurrency/decisions on what is not there exclude each other"},
	"watch misses changes":                  {"Watch/from the beginning yields every change", "Watch/misses and repeats nothing under concurrent writers"},
	"reports deletions of nothing":          {"Watch/from the beginning yields every change"},
	"watch gives deletions a value":         {"Watch/from the beginning yields every change"},
	"watch includes the revision":           {"Watch/from a revision yields what came later"},
	"watch ignores the prefix":              {"Watch/yields only keys with the prefix"},
	"gives each change its own revision":    {"Watch/yields the changes of an update together"},
	"watch does not order by key":           {"Watch/yields the changes of an update together"},
	"watch shares values":                   {"Watch/gives slices to the caller"},
	"tells watchers before it commits":      {"Watch/waits for changes, which can be read at once"},
	"watch repeats changes":                 {"Watch/misses and repeats nothing under concurrent writers"},
	"watch has silent gaps":                 {"Watch/is complete or compacted"},
	"watch ends silently":                   {"Watch/ends when its context does"},
	"works when closed":                     {"Close/every method gives ErrClosed afterwards"},
	"watch ends silently at Close":          {"Close/ends the watches that wait"},
	"loses updates": {
		"Concurrency/no increment of a counter is lost",
		"Concurrency/transfers keep the total in every view",
		"Concurrency/decisions on what others write exclude each other",
		"Concurrency/decisions on what is not there exclude each other",
	},
	"does not limit": {
		"MaxKeys/by every method, exactly and one over",
		"MaxKey/exactly and one over, and the empty key",
		"MaxBytes/exactly and one over",
	},
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
	for _, c := range checks() {
		require.Contains(t, tried, c.name, "no flaw shows that this case can fail")
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

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
