package integration

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// pairs returns rows with one value for each dimension, from 0 to below its size, such that
// any two values of two dimensions meet in a row. That is what most mistakes take, and it
// is far fewer rows than all there are.
func pairs(sizes ...int) [][]int {
	open := map[pair]bool{}
	for i := range sizes {
		for j := range i {
			for a := range sizes[i] {
				for b := range sizes[j] {
					open[pair{i, a, j, b}] = true
				}
			}
		}
	}
	var rows [][]int
	for i := range sizes {
		for j := range i {
			for a := range sizes[i] {
				for b := range sizes[j] {
					if open[pair{i, a, j, b}] {
						rows = append(rows, fillRow(open, sizes, pair{i, a, j, b}))
					}
				}
			}
		}
	}
	return rows
}

// pair is two values of two dimensions, the later dimension first.
type pair struct{ i, a, j, b int }

// fillRow returns a row with the pair p that has as many other open pairs as it can find
// dimension after dimension, and closes them.
func fillRow(open map[pair]bool, sizes []int, p pair) []int {
	row := make([]int, len(sizes))
	for k := range row {
		row[k] = -1
	}
	row[p.i], row[p.j] = p.a, p.b
	for k := range row {
		if row[k] >= 0 {
			continue
		}
		most := -1
		best := 0
		for v := range sizes[k] {
			row[k] = v
			if n := len(openIn(open, row)); n > most {
				most, best = n, v
			}
		}
		row[k] = best
	}
	for _, p := range openIn(open, row) {
		delete(open, p)
	}
	return row
}

// openIn returns the open pairs that a row has. Values below 0 are not chosen yet.
func openIn(open map[pair]bool, row []int) (found []pair) {
	for i := range row {
		for j := range i {
			if p := (pair{i, row[i], j, row[j]}); open[p] {
				found = append(found, p)
			}
		}
	}
	return found
}

func TestPairs(t *testing.T) {
	t.Parallel()
	sizes := []int{3, 4, 2, 5}
	rows := pairs(sizes...)
	require.Less(t, len(rows), 3*4*2*5/3)
	for i := range sizes {
		for j := range i {
			met := map[[2]int]bool{}
			for _, row := range rows {
				require.Less(t, row[i], sizes[i])
				met[[2]int{row[i], row[j]}] = true
			}
			require.Len(t, met, sizes[i]*sizes[j])
		}
	}
}
