package sample

import (
	"math"
	"slices"
	"sort"
)

// Sample holds values in rising order, without NaN; infinities are allowed.
type Sample []float64

// New sorts values, which it takes over, and drops NaN.
func New(values []float64) Sample {
	values = slices.DeleteFunc(values, math.IsNaN)
	slices.Sort(values)
	return values
}

// Finite returns s without infinities; it shares the memory of s.
func (s Sample) Finite() Sample {
	from := sort.Search(len(s), func(i int) bool { return !math.IsInf(s[i], -1) })
	to := sort.Search(len(s), func(i int) bool { return math.IsInf(s[i], 1) })
	return s[from:max(from, to)]
}

// Quantile returns the q-quantile of a finite sample, 0 <= q <= 1, with linear
// interpolation between the two nearest values; NaN for an empty sample.
//
// Source: method 7 of R. Hyndman and Y. Fan, Sample quantiles in statistical packages,
// 1996; equals numpy.quantile.
func (s Sample) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	at := q * float64(len(s)-1)
	low := int(at)
	if low >= len(s)-1 {
		return s[len(s)-1]
	}
	a, b, t := s[low], s[low+1], at-float64(low)
	if wide := b - a; !math.IsInf(wide, 0) {
		if t >= 0.5 {
			return b - wide*(1-t)
		}
		return a + wide*t
	}
	return a*(1-t) + b*t // the difference is beyond the range of float64
}

// Mean returns the arithmetic mean,
//
//	sum_i x_i / n
//
// in the unit of the values: NaN for an empty sample. It is finite if the values are, also
// where their sum is beyond the range of float64. The sum is exact but for its last digits,
// whatever the order and however much of it cancels.
//
// Source: equals numpy.mean where that does not lose digits.
func (s Sample) Mean() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sum := s.sum(func(x float64) float64 { return x })
	if math.IsInf(sum, 0) || math.IsNaN(sum) { // the mean is in range: n < 2^64 values of 2^-64 their size are
		mean := s.sum(func(x float64) float64 { return x * 0x1p-64 }) / float64(len(s)) * 0x1p64
		return min(max(mean, s[0]), s[len(s)-1]) // it may be rounded past the largest float64
	}
	return sum / float64(len(s))
}

// SD returns the standard deviation with n - 1,
//
//	sqrt((sum_i d_i^2 - (sum_i d_i)^2 / n) / (n - 1)),  d_i = x_i - mean
//
// in the unit of the values: NaN for fewer than two, and an infinity if it is itself
// beyond the range of float64. The second sum, 0 but for rounding, makes up for a mean
// that is itself rounded, which counts where the spread is small beside it. The values are
// first brought to 1 by a power of two, which costs no digit: squares of what is below
// 1e-162 or above 1e154 would be 0 or infinite.
//
// Source: T. F. Chan, G. H. Golub and R. J. LeVeque, Algorithms for computing the sample
// variance, 1983; equals numpy.std(ddof=1) where that does not lose digits.
func (s Sample) SD() float64 {
	if len(s) < 2 {
		return math.NaN()
	}
	mean := s.Mean()
	if math.IsInf(mean, 0) || math.IsNaN(mean) { // of infinities
		return math.Inf(1)
	}
	scale, exponent := s.scale()
	mean *= scale
	squares := s.sum(func(x float64) float64 { x = x*scale - mean; return x * x })
	off := s.sum(func(x float64) float64 { return x*scale - mean })
	return math.Ldexp(math.Sqrt(max(0, squares-off*off/float64(len(s)))/float64(len(s)-1)), exponent)
}

// scale returns 2^-exponent, which brings the largest value of a sample that is not empty
// to between 1/2 and 1, and a subnormal one as near as float64 goes.
func (s Sample) scale() (scale float64, exponent int) {
	_, exponent = math.Frexp(max(-s[0], s[len(s)-1]))
	exponent = max(exponent, -1022)
	return math.Ldexp(1, -exponent), exponent
}

// sum adds up with the rounding error carried along (Neumaier 1974).
func (s Sample) sum(of func(float64) float64) float64 {
	total, rest := 0.0, 0.0
	for _, x := range s {
		v := of(x)
		next := total + v
		if math.Abs(total) >= math.Abs(v) {
			rest += (total - next) + v
		} else {
			rest += (v - next) + total
		}
		total = next
	}
	if math.IsInf(total, 0) || math.IsNaN(total) {
		return total
	}
	return total + rest
}

// Deciles returns the distinct inner deciles of a finite sample, nine at most: the
// edges of bins that each hold about a tenth of it.
func (s Sample) Deciles() (edges []float64) {
	if len(s) == 0 {
		return nil
	}
	for i := 1; i < 10; i++ {
		edges = append(edges, s.Quantile(float64(i)/10))
	}
	return slices.Compact(edges)
}

// Counts returns how many values lie in each bin between rising edges: bins are closed
// on the right, and the first and the last are open.
func (s Sample) Counts(edges []float64) []uint64 {
	counts := make([]uint64, len(edges)+1)
	from := 0
	for i, e := range edges {
		to := from + sort.Search(len(s)-from, func(k int) bool { return s[from+k] > e })
		counts[i] = uint64(to - from)
		from = to
	}
	counts[len(edges)] = uint64(len(s) - from)
	return counts
}
