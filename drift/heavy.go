package drift

import (
	"math"
	"slices"
)

// Heavy is the upper tail of the residuals of a scale that varies more than sampling gives, or of a deviation.
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

// newHeavy returns the tail of residuals with standard deviation sd; nil if they do not
// vary or are too few to tell. Where residuals are not what sampling gives, their law is not
// known, and some dozens of them do not show how skewed it is.
func newHeavy(residuals []float64, sd float64) *Heavy {
	n := float64(len(residuals))
	if n < MinWindows {
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
