package drift

import (
	"math"
	"slices"
	"testing"
)

// TestRareBursts wants nulls that come in bursts of a few judged by a law of which the index of
// dispersion is between theirs and Poisson's, a tail with the same counts by none, and neither where counts vary
// as they do in no sample.
func TestRareBursts(t *testing.T) {
	repeat := func(counts ...int) []int { return slices.Repeat(counts, 28/len(counts)) }
	for name, tc := range map[string]struct {
		summary Summary
		counts  []int   // of 100 rows each
		index   float64 // 0: no law
	}{
		"one in each window":         {Nulls, repeat(1), leastBursts},
		"as sampling gives":          {Nulls, repeat(0, 1, 2, 1), leastBursts},
		"bursts of four":             {Nulls, repeat(0, 0, 4, 0, 0, 2, 0), 1.758},
		"a tail with bursts":         {HighTail, repeat(0, 0, 4, 0, 0, 2, 0), 0},
		"a tail as sampling gives":   {HighTail, repeat(0, 1, 2, 1), 1},
		"all of a window's rows":     {Nulls, append(repeat(0)[:27], 60), 0},
		"more than a law of counts":  {Nulls, repeat(60), 0},
		"fewer windows than needed":  {Nulls, []int{0, 1, 0}, 0},
		"none at all":                {Nulls, repeat(0), leastBursts},
		"windows that lack the tail": {HighTail, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			columns, shares := make([]counts, len(tc.counts)), make([]float64, len(tc.counts))
			for i, k := range tc.counts {
				shares[i] = angle(float64(k) / 100)
				if columns[i] = (counts{n: 100}); tc.summary == Nulls {
					columns[i] = counts{n: uint64(100 - k), nulls: uint64(k)}
				}
			}
			r := newRare(tc.summary, shares, columns)
			if (r != nil) != (tc.index > 0) || r != nil && math.Abs(r.Dispersion-tc.index) > .01 {
				t.Fatalf("newRare = %+v, want an index of dispersion of %v", r, tc.index)
			}
			if r != nil && tc.summary == Nulls && (r.atLeast(.2, 100) > 1e-6 || r.atLeast(.03, 100) < 5e-4) {
				t.Errorf("a fifth null has p %.2g and three in a hundred %.2g, want at most 1e-6 and at least 5e-4", r.atLeast(.2, 100), r.atLeast(.03, 100))
			}
		})
	}
}
