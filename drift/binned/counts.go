// Package binned has the statistics of two sets of counts over the same bins: how far
// apart they are, and how likely that is by chance.
//
// All functions are pure, allocate nothing unless they say so, and agree with SciPy to 1e-9
// (testdata/reference.py), the law of the Kolmogorov-Smirnov distance apart, which is within
// 1e-6. Statistics of values themselves are in package sample.
package binned

import "errors"

// Errors of this package. Callers test with errors.Is.
var (
	// ErrBins reports counts that are not over the same bins, or over too few.
	ErrBins = errors.New("bins differ or are too few")
	// ErrSample reports a side with too few observations.
	ErrSample = errors.New("too few observations")
)

// MinSample is the fewest observations that a side of a two-sample statistic may hold.
const MinSample = 1

// totals checks two sets of counts over the same bins and returns their sums.
func totals(baseline, current []uint64) (b, c float64, err error) {
	if len(baseline) != len(current) || len(baseline) < 2 {
		return 0, 0, ErrBins
	}
	b, c = Total(baseline), Total(current)
	if b < MinSample || c < MinSample {
		return 0, 0, ErrSample
	}
	return b, c, nil
}

// Total returns the sum of counts as a float64, which is exact up to 2^53.
func Total(counts []uint64) float64 {
	sum := uint64(0)
	for _, n := range counts {
		sum += n
	}
	return float64(sum)
}
