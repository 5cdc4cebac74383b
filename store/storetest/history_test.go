package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

func read(key, value string, version uint64) sight { return sight{key, value, version} }

func wrote(keysAndValues ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(keysAndValues); i += 2 {
		m[keysAndValues[i]] = keysAndValues[i+1]
	}
	return m
}

// TestVerifyHistory gives histories of two keys x and y, both of which are set to 0 at
// revision 1.
func TestVerifyHistory(t *testing.T) {
	t.Parallel()
	first := &deed{session: 9, begin: 1, end: 2, writes: wrote("x", "0", "y", "0"), committed: 1}
	for _, c := range []struct {
		name  string
		deeds []*deed
		want  string // part of the error
		lax   string // the same, if time counts only within a session
	}{
		{"one after another", []*deed{
			{begin: 3, end: 4, revision: 1, reads: []sight{read("x", "0", 1)}, writes: wrote("x", "1"), committed: 2},
			{begin: 5, end: 6, revision: 2, reads: []sight{read("x", "1", 2), read("*", "x=1 y=0 ", 0)}},
			{begin: 7, end: 8, revision: 2, writes: wrote("x", absent), committed: 3},
			{begin: 9, end: 10, revision: 3, reads: []sight{read("x", absent, 0), read("*", "y=0 ", 0)}},
		}, "", ""},
		{"overlapping readers in any order", []*deed{
			{begin: 3, end: 9, revision: 1, reads: []sight{read("x", "0", 1)}},
			{session: 1, begin: 4, end: 5, revision: 1, writes: wrote("x", "1"), committed: 2},
			{session: 2, begin: 3, end: 8, revision: 2, reads: []sight{read("x", "1", 2)}},
		}, "", ""},
		{"lost update", []*deed{
			{begin: 3, end: 5, revision: 1, reads: []sight{read("x", "0", 1)}, writes: wrote("x", "1"), committed: 2},
			{session: 1, begin: 4, end: 6, revision: 1, reads: []sight{read("x", "0", 1)}, writes: wrote("x", "2"), committed: 3},
		}, "was the last write", "was the last write"},
		{"write skew", []*deed{
			{begin: 3, end: 5, revision: 1, reads: []sight{read("x", "0", 1), read("y", "0", 1)}, writes: wrote("x", "1"), committed: 2},
			{session: 1, begin: 4, end: 6, revision: 1, reads: []sight{read("x", "0", 1), read("y", "0", 1)}, writes: wrote("y", "1"), committed: 3},
		}, "was the last write", "was the last write"},
		{"phantom", []*deed{
			{begin: 3, end: 5, revision: 1, reads: []sight{read("z*", "", 0)}, writes: wrote("z1", "1"), committed: 2},
			{session: 1, begin: 4, end: 6, revision: 1, reads: []sight{read("z*", "", 0)}, writes: wrote("z2", "1"), committed: 3},
		}, "was the last write", "was the last write"},
		{"dirty read", []*deed{
			{begin: 3, end: 5, revision: 1, reads: []sight{read("x", "dirty", 2)}},
		}, "was the last write", "was the last write"},
		{"read skew", []*deed{
			{begin: 3, end: 5, revision: 1, writes: wrote("x", "1", "y", "1"), committed: 2},
			{session: 1, begin: 4, end: 6, revision: 1, reads: []sight{read("x", "0", 1), read("y", "1", 2)}},
		}, "was the last write", "was the last write"},
		{"wrong version", []*deed{
			{begin: 3, end: 5, revision: 1, reads: []sight{read("x", "0", 2)}},
		}, "was the last write", "was the last write"},
		{"stale read", []*deed{
			{begin: 3, end: 4, revision: 1, writes: wrote("x", "1"), committed: 2},
			{session: 1, begin: 5, end: 6, revision: 1, reads: []sight{read("x", "0", 1)}},
		}, "had ended when it began", ""},
		{"stale read of the session's own write", []*deed{
			{begin: 3, end: 4, revision: 1, writes: wrote("x", "1"), committed: 2},
			{begin: 5, end: 6, revision: 1, reads: []sight{read("x", "0", 1)}},
		}, "had ended when it began", "had ended when it began"},
		{"views that go back", []*deed{
			{session: 1, begin: 3, end: 9, revision: 1, writes: wrote("x", "1"), committed: 2},
			{begin: 4, end: 5, revision: 2, reads: []sight{read("x", "1", 2)}},
			{begin: 6, end: 7, revision: 1, reads: []sight{read("x", "0", 1)}},
		}, "had ended when it began", "had ended when it began"},
		{"an update before one that had ended", []*deed{
			{begin: 3, end: 4, revision: 1, writes: wrote("x", "1"), committed: 3},
			{session: 1, begin: 5, end: 6, revision: 1, writes: wrote("y", "1"), committed: 2},
		}, "had ended when it began", ""},
		{"one revision for two updates", []*deed{
			{begin: 3, end: 5, revision: 1, writes: wrote("x", "1"), committed: 2},
			{session: 1, begin: 4, end: 6, revision: 1, writes: wrote("y", "1"), committed: 2},
		}, "commits revision 2 after 2", "commits revision 2 after 2"},
		{"an update that reads its own revision", []*deed{
			{begin: 3, end: 5, revision: 2, writes: wrote("x", "1"), committed: 2},
		}, "commits revision 2 after 1", "commits revision 2 after 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			deeds := append([]*deed{first}, c.deeds...)
			for strict, want := range map[bool]string{true: c.want, false: c.lax} {
				if err := verifyHistory(deeds, strict); want == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, want)
				}
			}
		})
	}
}

func TestCommits(t *testing.T) {
	t.Parallel()
	update := func(name string) *deed { return &deed{session: 1, writes: wrote("session/1", name, "x", name)} }
	change := func(key, value string, revision uint64) store.Change {
		return store.Change{Key: key, Value: []byte(value), Revision: revision}
	}
	a, b := update("a"), update("b")
	changes := []store.Change{change("session/1", "a", 3), change("x", "a", 3), change("session/1", "b", 5), change("x", "b", 5)}
	require.NoError(t, commits([]*deed{a, b, {}}, changes))
	require.Equal(t, []uint64{3, 5}, []uint64{a.committed, b.committed})
	require.NoError(t, verifyChanges([]*deed{a, b}, changes))
	require.ErrorContains(t, commits([]*deed{a, b}, changes[:2]), "has not seen")
	require.ErrorContains(t, commits([]*deed{a}, changes), "did not succeed")
	require.Error(t, verifyChanges([]*deed{a, b}, append(changes, change("y", "b", 5))))
	require.Error(t, verifyChanges([]*deed{a, b}, append(changes, change("x", "a", 7))))
}
