package binned

import "math"

// Floor is the least share of a bin, so that an empty one stays finite.
const Floor = 1e-4

// PSI returns the population stability index of current against baseline:
//
//	sum_i (c_i - b_i) * ln(c_i / b_i)
//
// baseline and current hold the number of observations in each of the same
// B >= 2 bins, in the same order. b_i and c_i are the bins' shares, each at
// least 1e-4 so that an empty bin stays finite; they are not renormalised. The
// result is in nats, is never negative, and is the same with the sides swapped.
//
// The error is ErrBins if the lengths differ or B < 2, and ErrSample if a side
// holds fewer than MinSample observations. PSI does not allocate.
//
// Source: B. Yurdakul and J. Naranjo, Statistical properties of the population
// stability index, J. Risk Model Validation 14(4), 2020.
func PSI(baseline, current []uint64) (float64, error) {
	nb, nc, err := totals(baseline, current)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range baseline {
		b := max(Floor, float64(baseline[i])/nb)
		c := max(Floor, float64(current[i])/nc)
		sum += (c - b) * math.Log(c/b)
	}
	return sum, nil
}
