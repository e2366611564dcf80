package drift

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
