package sketch

import "math"

// Layout returns the bins that the column counts in; nil without bins.
func (c *Column) Layout() *FeatureLayout { return c.layout }

// Rows returns the number of rows that the column has seen: N, nulls,
// not-a-number and infinities.
func (c *Column) Rows() uint64 { return c.N + c.Nulls + c.NaN + c.PosInf + c.NegInf }

// Bins returns the counts of the layout's bins, which sum to N; nil without bins.
// The caller must not change them.
func (c *Column) Bins() []uint64 { return c.bins }

// Shares returns the bins' shares of N, in the bins' order; nil without bins or
// values.
func (c *Column) Shares() []float64 {
	if c.bins == nil || c.N == 0 {
		return nil
	}
	shares := make([]float64, len(c.bins))
	for i, n := range c.bins {
		shares[i] = float64(n) / float64(c.N)
	}
	return shares
}

// NullShare returns the share of nulls among the rows; 0 without rows.
func (c *Column) NullShare() float64 {
	if rows := c.Rows(); rows > 0 {
		return float64(c.Nulls) / float64(rows)
	}
	return 0
}

// measured reports whether the column holds moments of at least n values.
func (c *Column) measured(n uint64) bool {
	return c.layout != nil && c.kind.numeric() && c.N >= n
}

// Mean returns the mean of a numeric feature's values, off by at most half a
// step, Scale / MomentSteps / 2, as long as none is clipped; not-a-number
// without bins or values.
func (c *Column) Mean() float64 {
	if !c.measured(1) {
		return math.NaN()
	}
	return c.layout.Centre + float64(c.moments.mean(c.N)/MomentSteps*c.layout.Scale)
}

// SD returns the sample standard deviation (divisor N - 1) of a numeric feature's
// values, off by at most about half a step while none is clipped; not-a-number
// without bins or with fewer than two values.
func (c *Column) SD() float64 {
	if !c.measured(2) {
		return math.NaN()
	}
	return math.Sqrt(c.moments.variance(c.N)) / MomentSteps * c.layout.Scale
}

// InnerSD returns the sample standard deviation of a numeric feature's values without
// the least and the greatest of them, so that no single value rules it; 0 if they do not
// vary, and not-a-number without bins or with fewer than four values. It does not allocate.
func (c *Column) InnerSD() float64 {
	if !c.measured(4) {
		return math.NaN()
	}
	m := c.moments.whole()
	for _, v := range [...]float64{c.Min, c.Max} {
		x, _ := clip(steps(v, c.layout.Centre, c.layout.perStep))
		m.drop(nearest(x))
	}
	n, sum := float64(c.N-2), m.sum.float()
	variance := (m.squares.float() - float64(sum/n*sum)) / (n - 1)
	return math.Sqrt(max(0, variance)) / MomentSteps * c.layout.Scale
}

// Quantile returns the value below which a share q of the values lies, by linear
// interpolation within its bin; an atom returns its value, and the outer bins end
// at the minimum and the maximum. The rank of the result is off by at most the
// share of its bin. Not-a-number if q is outside [0, 1], or without numeric bins
// or values.
func (c *Column) Quantile(q float64) float64 {
	if !c.measured(1) || !(q >= 0 && q <= 1) {
		return math.NaN()
	}
	rank, below := q*float64(c.N), 0.0
	for bin, n := range c.bins {
		if n == 0 {
			continue
		}
		if rank <= below+float64(n) {
			return c.within(bin, (rank-below)/float64(n))
		}
		below += float64(n)
	}
	return c.Max
}

// within returns the value a share of the way through a bin.
func (c *Column) within(bin int, share float64) float64 {
	if v, ok := c.layout.Atom(bin); ok {
		return v
	}
	low, high := c.Min, c.Max
	if bin > 0 {
		low = max(low, c.layout.Edges[bin-1])
	}
	if bin < len(c.layout.Edges) {
		high = min(high, c.layout.Edges[bin])
	}
	return float64(low*(1-share)) + float64(high*share)
}

// Distinct returns the estimated number of distinct values, with a standard error
// of HLLError; 0 without values and for type json.
func (c *Column) Distinct() float64 {
	if c.hll == nil {
		return 0
	}
	return c.hll.estimate()
}
