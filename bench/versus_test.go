package bench

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// rounds is how often the sides of a comparison take turns in an iteration.
const rounds = 9

// side is one of several pieces of work that are compared.
type side struct {
	name string
	work func() error
}

// versus lets first and the others take turns and reports ratio(first, other) for
// each of the others: the median over the rounds, so that what else the machine
// does at a time weighs on both, and that of the best times, which says more where
// others keep the machine busy.
func versus(b *testing.B, ratio func(first, other time.Duration) float64, first side, others ...side) {
	b.Helper()
	took := takeTurns(b, rounds, append([]side{first}, others...))
	for i, s := range others {
		report(b, s.name+"/"+first.name, ratio, took[0], took[i+1])
	}
}

// takeTurns lets the sides take turns and returns how long each took in each round.
// The order changes from round to round, and garbage is collected before each piece
// of work: memory that one has left behind is cheaper than new memory for whoever
// comes next.
func takeTurns(b *testing.B, rounds int, sides []side) [][]time.Duration {
	b.Helper()
	took := make([][]time.Duration, len(sides))
	for b.Loop() {
		for range rounds {
			for _, i := range rand.Perm(len(sides)) {
				runtime.GC()
				start := time.Now()
				if err := sides[i].work(); err != nil {
					b.Fatal(sides[i].name, err)
				}
				took[i] = append(took[i], time.Since(start))
			}
		}
	}
	b.ReportMetric(0, "ns/op") // the time of an iteration says nothing
	return took
}

// report reports the ratio of two sides.
func report(b *testing.B, unit string, ratio func(first, other time.Duration) float64, first, other []time.Duration) {
	var ratios []float64
	for round := range first {
		ratios = append(ratios, ratio(first[round], other[round]))
	}
	b.ReportMetric(median(ratios), unit)
	b.ReportMetric(ratio(slices.Min(first), slices.Min(other)), unit+"-best")
}

// speedup is how many times as fast as first other was, and cost how many times
// as long it took.
func speedup(first, other time.Duration) float64 { return float64(first) / float64(other) }

func cost(first, other time.Duration) float64 { return float64(other) / float64(first) }
