package binned

import "math"

// TVD returns the total variation distance of the bins' shares:
//
//	1/2 sum_i | c_i - b_i |
//
// It is in [0, 1], the same with the sides swapped, and never above the distance
// of the raw values. The errors are those of PSI. TVD does not allocate.
//
// Source: A. L. Gibbs and F. E. Su, On choosing and bounding probability metrics,
// International Statistical Review 70(3), 2002; binning only merges events, over which
// the distance is a supremum.
func TVD(baseline, current []uint64) (float64, error) {
	nb, nc, err := totals(baseline, current)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range baseline {
		sum += math.Abs(float64(current[i])/nc - float64(baseline[i])/nb)
	}
	return sum / 2, nil
}

// Hellinger returns the Hellinger distance of the bins' shares:
//
//	sqrt(1 - sum_i sqrt(b_i c_i))
//
// It is in [0, 1] and the same with the sides swapped. The errors are those of
// PSI. Hellinger does not allocate.
//
// Source: E. Hellinger, Neue Begründung der Theorie quadratischer Formen von unendlichvielen
// Veränderlichen, J. reine angew. Math. 136, 1909; in this form, within [0, 1], A. L. Gibbs
// and F. E. Su 2002.
func Hellinger(baseline, current []uint64) (float64, error) {
	nb, nc, err := totals(baseline, current)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range baseline {
		d := math.Sqrt(float64(current[i])/nc) - math.Sqrt(float64(baseline[i])/nb)
		sum += d * d
	}
	return math.Sqrt(min(1, sum/2)), nil // the same value, without cancellation
}

// JensenShannon returns the Jensen-Shannon distance to base 2, the square root
// of the divergence of the bins' shares from their midpoint m:
//
//	sqrt((KL(b || m) + KL(c || m)) / 2),  m_i = (b_i + c_i) / 2
//
// It is in [0, 1] and the same with the sides swapped. The errors are those of
// PSI. JensenShannon does not allocate.
//
// Source: J. Lin 1991; equals scipy.spatial.distance.jensenshannon(base=2).
func JensenShannon(baseline, current []uint64) (float64, error) {
	nb, nc, err := totals(baseline, current)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range baseline {
		b, c := float64(baseline[i])/nb, float64(current[i])/nc
		m := (b + c) / 2
		if b > 0 {
			sum += b * math.Log2(b/m)
		}
		if c > 0 {
			sum += c * math.Log2(c/m)
		}
	}
	return math.Sqrt(max(0, min(1, sum/2))), nil
}

// Entropy returns Shannon's entropy of the bins' shares in bits, between 0 and
// log2 B. The error is ErrBins for fewer than two bins and ErrSample if they
// hold fewer than MinSample observations. Entropy does not allocate.
//
// Source: C. E. Shannon, A mathematical theory of communication, Bell System Technical
// Journal 27, 1948; the plug-in estimate, which is low by about (B-1)/(2 n ln 2) bits.
func Entropy(counts []uint64) (float64, error) {
	if len(counts) < 2 {
		return 0, ErrBins
	}
	n := Total(counts)
	if n < MinSample {
		return 0, ErrSample
	}
	sum := 0.0
	for _, k := range counts {
		if k > 0 {
			p := float64(k) / n
			sum -= p * math.Log2(p)
		}
	}
	return max(0, sum), nil
}
