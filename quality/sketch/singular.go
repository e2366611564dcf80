package sketch

// Singular returns, for each of columns, which are of one feature, an estimate of the number of its distinct
// values that none of the others has; nil columns have none. Its error is that of Distinct of all of them, but for
// values that are few it is exact.
//
// Source: I. J. Good, The population frequencies of species and the estimation of population parameters,
// Biometrika 40, 1953: what came once says how much of what comes next was never seen.
func Singular(columns []*Column) []float64 {
	n := len(columns)
	before, after := make([]registers, n+1), make([]registers, n+1) // of the columns before each, and from each on
	for i := range n {
		before[i+1], after[n-1-i] = before[i], after[n-i]
		before[i+1].take(columns[i])
		after[n-1-i].take(columns[n-1-i])
	}
	all, out := before[n].estimate(), make([]float64, n)
	for i := range n {
		others := before[i]
		others.merge(&after[i+1])
		out[i] = max(0, all-others.estimate())
	}
	return out
}

// take adds the values of a column.
func (r *registers) take(c *Column) {
	if c != nil && c.hll != nil {
		r.merge(c.hll)
	}
}
