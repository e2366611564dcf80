// Package comparison compares two files column by column, and describes one, with
// exact statistics of their raw values. Its types are the JSON of `sluice compare` and
// `sluice profile`.
//
// Definitions. Null and NaN are dropped and counted. Infinities are kept for n, the
// Kolmogorov-Smirnov distance and bins, and left out of moments, quantiles and the
// Wasserstein distance. Numeric bins are those between the distinct inner deciles of
// the finite baseline, closed on the right and open at both ends. In a categorical column
// null is a category of its own. A number that is infinite or undefined is null.
package comparison
