package etcdstore

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

// ranges returns the ranges whose ends alternate.
func ranges(ends ...string) (all []store.Range) {
	for i := 0; i < len(ends); i += 2 {
		all = append(all, store.Range{From: ends[i], To: ends[i+1]})
	}
	return all
}

func TestUnion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ranges []store.Range
		most   int
		want   []store.Range
	}{
		"none":                {nil, 3, nil},
		"one":                 {ranges("a", "b"), 3, ranges("a", "b")},
		"an empty one":        {ranges("b", "b", "c", "b"), 3, nil},
		"all":                 {ranges("b", "c", "", "", "x", "y"), 3, ranges("", "")},
		"apart, unsorted":     {ranges("c", "d", "a", "b"), 3, ranges("a", "b", "c", "d")},
		"side by side":        {ranges("a", "b", "b", "c"), 3, ranges("a", "c")},
		"one within another":  {ranges("a", "z", "b", "c"), 3, ranges("a", "z")},
		"to the end":          {ranges("a", "c", "b", "", "d", "e"), 3, ranges("a", "")},
		"too many":            {ranges("a", "b", "c", "d", "e", "f"), 2, ranges("a", "b", "c", "f")},
		"too many, to an end": {ranges("a", "b", "c", "d", "e", ""), 2, ranges("a", "b", "c", "")},
	} {
		require.Equal(t, c.want, union(c.ranges, c.most), name)
	}
}

// TestUnionCovers tries that every key that is in one of the ranges is in their union,
// and no other unless ranges had to be joined.
func TestUnionCovers(t *testing.T) {
	t.Parallel()
	in := func(key string, ranges []store.Range) bool {
		for _, r := range ranges {
			if key >= r.From && (r.To == "" || key < r.To) {
				return true
			}
		}
		return false
	}
	for range 2000 {
		var all []store.Range
		for range rand.N(10) {
			r := store.Range{From: fmt.Sprint(rand.N(90) + 10), To: fmt.Sprint(rand.N(90) + 10)}
			if rand.N(10) == 0 {
				r.To = ""
			}
			all = append(all, r)
		}
		most := 1 + rand.N(12)
		got := union(all, most)
		require.LessOrEqual(t, len(got), most)
		for key := 10; key < 100; key++ {
			is, was := in(fmt.Sprint(key), got), in(fmt.Sprint(key), all)
			require.True(t, is || !was, "%v lacks %d of %v", got, key, all)
			require.True(t, was || !is || most < len(all), "%v has %d, which is not of %v", got, key, all)
		}
	}
}
