package drift

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Rare is the law of how many rows of a window lie in a tail, or are null, where few are.
//
// The root of a small count is far from normal, and Student's law with it: two rows a
// window on average would have to become seventeen. So the count x of n rows is judged
// by the predictive law of counts instead. Of history's Rows, Events were in the tail;
// with a rate between the two of Jeffreys' prior and index of dispersion D, x has the
// negative binomial law of
//
//	mean m = n (Events + 1/2) / Rows        variance m (D + n / Rows)
//
// and P(X >= x) is the regularised incomplete beta function I(x, k) at m / (m + k), with
// k = m / (D - 1 + n / Rows). D is that of history's counts, at least 1.
//
// Source: L. D. Brown, T. T. Cai and A. DasGupta, Interval estimation for a binomial
// proportion, Statistical Science 16(2), 2001 (the prior); the predictive law of a gamma
// rate is the negative binomial.
type Rare struct {
	Events     float64 `json:"events"`
	Rows       float64 `json:"rows"`
	Dispersion float64 `json:"dispersion"`
}

const (
	// rareCount is how many rows of a window a tail may hold on average for its count to
	// be judged as one: above, the root is near normal.
	rareCount = 40
	// rareExcess is how many standard errors the index of dispersion may be above 1:
	// beyond, windows differ in the tail itself, and how is not known.
	rareExcess = 2
)

// burstExcess is the same for nulls, of whose index and Poisson's the mean is then taken: that
// they come in bursts of a few is known, one such window moves the index of some dozens, and
// Student's law of a root of so few would want a quarter of a small window null to block.
const burstExcess = 6

// rareLean is how many times the windows of history Poisson's law counts for in the index
// of dispersion, of which they say little.
const rareLean = 2

// leastBursts is the least index of dispersion of nulls, which come several at a time:
// history without any must not make an alarm of three in one window.
const leastBursts = 1.5

// newRare returns the law of the shares (arcsin sqrt) that windows of so many rows had
// in a tail or without a value; nil if counts are large, or vary more between windows than their index of
// dispersion can say: two standard errors, of nulls six. Windows that do not measure the share are not numbers.
func newRare(s Summary, shares []float64, columns []counts) *Rare {
	r := Rare{Dispersion: 1}
	switch {
	case s == Nulls:
		r.Dispersion = leastBursts
	case !s.tail():
		return nil
	}
	windows := 0.0
	for i, v := range shares {
		if !math.IsNaN(v) {
			n := observations(s, &columns[i])
			r.Events, r.Rows, windows = r.Events+n*LowTail.natural(v), r.Rows+n, windows+1
		}
	}
	if windows < MinWindows || r.Events > rareCount*windows {
		return nil
	}
	rate, squares := (r.Events+.5)/r.Rows, 0.0
	for i, v := range shares {
		if !math.IsNaN(v) {
			expected := rate * observations(s, &columns[i])
			d := observations(s, &columns[i])*LowTail.natural(v) - expected
			squares += d * d / expected
		}
	}
	index := squares / (windows - 1)
	beyond := (index - 1) / math.Sqrt(2/(windows-1)) // in standard errors
	switch {
	case beyond <= rareExcess:
		r.Dispersion = max(r.Dispersion, (index+rareLean)/(1+rareLean))
	case s == Nulls && beyond <= burstExcess:
		r.Dispersion = max(r.Dispersion, (index+1)/2)
	default:
		return nil
	}
	return &r
}

// atLeast returns the probability that of n rows at least a share lies in the tail.
func (r *Rare) atLeast(share, n float64) float64 {
	x := share * n
	if !(x > 0) {
		return 1
	}
	mean := n * (r.Events + .5) / r.Rows
	size := mean / (r.Dispersion - 1 + n/r.Rows)
	return max(leastP, mathext.RegIncBeta(x, size, mean/(mean+size)))
}

// about returns the probability of more rows than that share of n in the tail, and half that of as many.
func (r *Rare) about(share, n float64) float64 {
	return (r.atLeast(share, n) + r.atLeast(share+1/n, n)) / 2
}

// valid reports whether a law that came from outside can be judged with.
func (r *Rare) valid() bool {
	return r.Events >= 0 && r.Rows > 0 && r.Dispersion >= 1 && !math.IsInf(r.Events+r.Rows+r.Dispersion, 0)
}
