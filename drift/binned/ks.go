package binned

import "math"

// KS returns the two-sample Kolmogorov-Smirnov distance of binned counts:
//
//	D = max_i | sum_{j<=i} (c_j - b_j) |
//
// baseline and current hold the number of observations in each of the same
// B >= 2 bins, in rising order of value; b and c are the bins' shares. D is in
// [0, 1] and is the same with the sides swapped.
//
// The distance of the raw values is never below D and never above D + bound,
// where bound is the largest min(b_i, c_i) over the bins that may hold more than
// one value. atoms marks the bins that hold a single value and add nothing; nil
// means none.
//
// The error is ErrBins if the lengths differ or B < 2, and ErrSample if a side
// holds fewer than MinSample observations. KS does not allocate.
//
// Source: the bound is the largest rise that both distribution functions can
// share inside one bin.
func KS(baseline, current []uint64, atoms []bool) (d, bound float64, err error) {
	nb, nc, err := totals(baseline, current)
	if err != nil {
		return 0, 0, err
	}
	if atoms != nil && len(atoms) != len(baseline) {
		return 0, 0, ErrBins
	}
	var cb, cc uint64
	for i := range baseline {
		cb += baseline[i]
		cc += current[i]
		d = max(d, math.Abs(float64(cc)/nc-float64(cb)/nb))
		if atoms == nil || !atoms[i] {
			bound = max(bound, min(float64(baseline[i])/nb, float64(current[i])/nc))
		}
	}
	return d, min(bound, 1-d), nil
}

// KSPValue returns the probability of a distance of d or more between samples of
// n and m values of one continuous distribution, by the law of the one-sample
// statistic at round(n*m/(n+m)) observations. It is 1 for d <= 0 and 0 for
// d >= 1, and NaN if n or m is 0 or d is NaN.
//
// Source: the choice of scipy.stats.ks_2samp with method="asymp".
func KSPValue(d float64, n, m uint64) float64 {
	if n == 0 || m == 0 || math.IsNaN(d) {
		return math.NaN()
	}
	en := math.RoundToEven(float64(n) / (float64(n) + float64(m)) * float64(m))
	return kolmogorovSF(max(1, en), d)
}
