package drift

import "math"

// deviationRows is how many rows windows have at most for their deviation to be compared:
// of more, the counts beyond the extremes say as much.
const deviationRows = 20_000

// deviation returns the logarithm of a column's standard deviation without its least and its
// greatest value; not-a-number if it has too few values, or they do not vary.
//
// Outliers that are few but far out move it more than any count of them. How far windows
// without any differ in it is known from history alone: where values have long ends its upper
// tail is exponential at the lightest fit of Heavy, which is what the logarithm of a
// Pareto law's extremes has.
func deviation(c *counts) float64 {
	if c.column == nil || c.n > deviationRows {
		return math.NaN()
	}
	if sd := c.column.InnerSD(); sd > 0 && !math.IsInf(sd, 0) {
		return math.Log(sd)
	}
	return math.NaN()
}
