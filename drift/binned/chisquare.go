package binned

import "gonum.org/v1/gonum/stat/distuv"

// ChiSquare returns Pearson's statistic of the 2 x B contingency table of
// baseline and current, its upper-tail p-value, and its degrees of freedom:
//
//	sum over cells (observed - expected)^2 / expected
//
// Bins that are empty on both sides are left out; dof is the number of the
// others less one. No continuity correction is made. With fewer than two bins in
// use the statistic is 0 and p is 1.
//
// The error is ErrBins if the lengths differ or B < 2, and ErrSample if a side
// holds fewer than MinSample observations. ChiSquare does not allocate.
//
// Source: K. Pearson 1900; equals scipy.stats.chi2_contingency(correction=False).
func ChiSquare(baseline, current []uint64) (statistic, p float64, dof int, err error) {
	nb, nc, err := totals(baseline, current)
	if err != nil {
		return 0, 0, 0, err
	}
	used := 0
	for i := range baseline {
		row := float64(baseline[i] + current[i])
		if row == 0 {
			continue
		}
		used++
		eb, ec := row*nb/(nb+nc), row*nc/(nb+nc)
		db, dc := float64(baseline[i])-eb, float64(current[i])-ec
		statistic += db*db/eb + dc*dc/ec
	}
	if used < 2 {
		return 0, 1, 0, nil
	}
	return statistic, distuv.ChiSquared{K: float64(used - 1)}.Survival(statistic), used - 1, nil
}

// GoodnessOfFit returns Pearson's statistic of the current counts against the shares of
// the baseline, its upper-tail p-value, and its degrees of freedom:
//
//	sum_i (c_i - n b_i)^2 / (n b_i)
//
// where b_i are the baseline's shares and n the current observations. Bins that are
// empty on both sides are left out; with fewer than two bins in use the statistic is 0
// and p is 1.
//
// The error is ErrBins if the lengths differ, B < 2, or a bin that the baseline leaves
// empty holds current observations: their expected number would be 0. It is ErrSample if
// a side holds fewer than MinSample observations. GoodnessOfFit does not allocate.
//
// Source: K. Pearson 1900; equals scipy.stats.chisquare.
func GoodnessOfFit(baseline, current []uint64) (statistic, p float64, dof int, err error) {
	nb, nc, err := totals(baseline, current)
	if err != nil {
		return 0, 0, 0, err
	}
	used := 0
	for i, b := range baseline {
		if b == 0 {
			if current[i] > 0 {
				return 0, 0, 0, ErrBins
			}
			continue
		}
		used++
		expected := float64(b) / nb * nc
		d := float64(current[i]) - expected
		statistic += d * d / expected
	}
	if used < 2 {
		return 0, 1, 0, nil
	}
	return statistic, distuv.ChiSquared{K: float64(used - 1)}.Survival(statistic), used - 1, nil
}
