package sample

import "math"

// KS returns the two-sample Kolmogorov-Smirnov distance, the largest difference of the
// two empirical distribution functions:
//
//	D = sup_x | F_a(x) - F_b(x) |
//
// Infinities are values like others. It is NaN if a side is empty.
//
// Source: equals scipy.stats.ks_2samp.
func KS(a, b Sample) float64 {
	if len(a) == 0 || len(b) == 0 {
		return math.NaN()
	}
	largest := int64(0) // of |i m - j n|, which is exact
	n, m := int64(len(a)), int64(len(b))
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x := min(a[i], b[j])
		for i < len(a) && a[i] == x {
			i++
		}
		for j < len(b) && b[j] == x {
			j++
		}
		largest = max(largest, abs(int64(i)*m-int64(j)*n))
	}
	return float64(largest) / float64(n) / float64(m)
}

func abs(i int64) int64 { return max(i, -i) }

// MaxExact is the largest product of two samples' sizes that KSExact takes.
const MaxExact = 10_000

// KSExact returns the probability that the distance of samples of n and m values of one
// continuous distribution is d or more: the share of the lattice paths from (0, 0) to
// (n, m), all equally likely, that leave the band |i/n - j/m| < d. It is NaN unless
// n and m are positive and n m <= MaxExact.
//
// A path goes on from (i, j) to (i+1, j) with the share of what is left on that side,
// so that only positive numbers are added up, and small probabilities keep their digits.
//
// Source: J. L. Hodges, The significance probability of the Smirnov two-sample test,
// 1957; equals scipy.stats.ks_2samp(method="exact").
func KSExact(d float64, n, m int) float64 {
	if n <= 0 || m <= 0 || n > MaxExact/m || math.IsNaN(d) {
		return math.NaN()
	}
	limit := int64(math.Round(d * float64(n) * float64(m))) // of |i m - j n|
	if limit <= 0 {
		return 1
	}
	outside := 0.0
	row := make([]float64, m+1) // probability to come to (i, j) inside the band
	for i := 0; i <= n; i++ {
		for j := 0; j <= m; j++ {
			p := 0.0
			if i == 0 && j == 0 {
				p = 1
			}
			if i > 0 { // from (i-1, j)
				p += row[j] * float64(n-i+1) / float64(n-i+1+m-j)
			}
			if j > 0 { // from (i, j-1)
				p += row[j-1] * float64(m-j+1) / float64(n-i+m-j+1)
			}
			if abs(int64(i)*int64(m)-int64(j)*int64(n)) >= limit {
				outside, p = outside+p, 0
			}
			row[j] = p
		}
	}
	return min(1, outside)
}
