package drift

import (
	"math"
	"slices"
)

// Heavy is the upper tail of the residuals of a summary where they are not near normal.
//
// The scale of values with hard bounds that move as a whole follows the square of the
// move: a little in most windows and much in a few, in either direction of the move.
// Student's law would call every such window an alarm. Beyond From the residuals' tail is then
// taken to be exponential. Of the next window, with the mean of N excesses known,
//
//	P(t) = Share (1 + (t-From)/(N Mean))^-N
//
// which is the predictive law of an exponential sample: it knows how little N
// windows say of the mean. All in units of the spread's standard deviation.
type Heavy struct {
	From  float64 `json:"from"`  // the upper quartile of the residuals
	Mean  float64 `json:"mean"`  // mean excess over From
	N     int     `json:"n"`     // residuals over From
	Share float64 `json:"share"` // of all residuals
}

// newHeavy returns the tail of residuals with standard deviation sd; nil if they are
// near normal or too few to tell.
func newHeavy(residuals []float64, sd float64) *Heavy {
	n := float64(len(residuals))
	if n < MinWindows || !skewed(residuals) {
		return nil
	}
	sorted := slices.Clone(residuals)
	slices.Sort(sorted)
	k := len(sorted) / 4
	h := Heavy{From: sorted[len(sorted)-k-1] / sd, N: k, Share: float64(k) / n}
	for _, r := range sorted[len(sorted)-k:] {
		h.Mean += (r/sd - h.From) / float64(k)
	}
	if h.Mean <= 0 {
		return nil
	}
	return &h
}

// curvedSkew is how many standard errors of its own the skewness of a normal law would
// have to be from 0.
const curvedSkew = 2.2

// skewed reports whether the skewness of residuals rules out a normal law.
func skewed(residuals []float64) bool {
	n := float64(len(residuals))
	var m1, m2, m3 float64
	for _, r := range residuals {
		m1 += r / n
	}
	for _, r := range residuals {
		d := r - m1
		m2, m3 = m2+d*d/n, m3+d*d*d/n
	}
	return m2 > 0 && m3/math.Pow(m2, 1.5) > curvedSkew*math.Sqrt(6/n)
}

// tail returns the probability that a window exceeds t; 1 below From.
func (h *Heavy) tail(t float64) float64 {
	if t <= h.From {
		return 1
	}
	k := float64(h.N)
	return max(leastP, h.Share*math.Pow(1+(t-h.From)/(k*h.Mean), -k))
}

// quantile returns the t that is exceeded with probability p.
func (h *Heavy) quantile(p float64) float64 {
	if p >= h.Share {
		return h.From
	}
	k := float64(h.N)
	return h.From + k*h.Mean*(math.Pow(h.Share/p, 1/k)-1)
}
