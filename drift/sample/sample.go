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

// Mean returns the arithmetic mean; NaN for an empty sample, and an infinity if the sum
// is beyond the range of float64.
func (s Sample) Mean() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return s.sum(func(x float64) float64 { return x }) / float64(len(s))
}

// SD returns the standard deviation with n - 1; NaN for fewer than two values.
func (s Sample) SD() float64 {
	if len(s) < 2 {
		return math.NaN()
	}
	mean := s.Mean()
	if math.IsInf(mean, 0) {
		return math.Inf(1)
	}
	return math.Sqrt(s.sum(func(x float64) float64 { return (x - mean) * (x - mean) }) / float64(len(s)-1))
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
