package binned

import "math"

// Wasserstein returns the first Wasserstein distance of two sets of counts over
// bins with the given centres:
//
//	sum_i | F_c(i) - F_b(i) | * (centre_{i+1} - centre_i)
//
// centres holds one finite value per bin in rising order; the result is in their
// unit. It treats every value as its bin's centre.
//
// The error is ErrBins if the lengths differ, B < 2, or the centres fall or are
// not finite, and ErrSample if a side holds fewer than MinSample observations.
// Wasserstein does not allocate.
//
// Source: equals scipy.stats.wasserstein_distance with the counts as weights.
func Wasserstein(centres []float64, baseline, current []uint64) (float64, error) {
	nb, nc, err := totals(baseline, current)
	if err != nil {
		return 0, err
	}
	if len(centres) != len(baseline) {
		return 0, ErrBins
	}
	var cb, cc uint64
	sum := 0.0
	for i := range baseline {
		if math.IsNaN(centres[i]) || math.IsInf(centres[i], 0) {
			return 0, ErrBins
		}
		if i > 0 {
			width := centres[i] - centres[i-1]
			if width < 0 {
				return 0, ErrBins
			}
			sum += math.Abs(float64(cc)/nc-float64(cb)/nb) * width
		}
		cb += baseline[i]
		cc += current[i]
	}
	return sum, nil
}
