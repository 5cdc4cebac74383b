package etcdstore

import (
	"slices"
	"strings"

	"github.com/sealring/sealring/store"
)

// union returns at most most ranges that together cover all of the given ones: if there
// are more, the last one covers what lies between some of them too. To compare more
// than was read can only make a transaction fail that need not have.
func union(ranges []store.Range, most int) []store.Range {
	sorted := slices.DeleteFunc(slices.Clone(ranges), func(r store.Range) bool {
		return r.To != "" && r.From >= r.To
	})
	slices.SortFunc(sorted, func(a, b store.Range) int { return strings.Compare(a.From, b.From) })
	var joined []store.Range
	for _, r := range sorted {
		last := len(joined) - 1
		switch {
		case last < 0 || joined[last].To != "" && joined[last].To < r.From && len(joined) < most:
			joined = append(joined, r)
		case r.To == "" || joined[last].To != "" && joined[last].To < r.To:
			joined[last].To = r.To
		}
	}
	return joined
}
