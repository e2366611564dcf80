package sample

import "math"

// Wasserstein returns the first Wasserstein distance of two finite samples, the area
// between their distribution functions, in the unit of the values:
//
//	integral | F_a(x) - F_b(x) | dx
//
// It is NaN if a side is empty.
//
// Source: equals scipy.stats.wasserstein_distance.
func Wasserstein(a, b Sample) float64 {
	if len(a) == 0 || len(b) == 0 {
		return math.NaN()
	}
	sum, n, m := 0.0, float64(len(a)), float64(len(b))
	at := math.Min(a[0], b[0])
	for i, j := 0, 0; i < len(a) || j < len(b); {
		next := math.Inf(1)
		if i < len(a) {
			next = a[i]
		}
		if j < len(b) {
			next = math.Min(next, b[j])
		}
		sum += math.Abs(float64(i)/n-float64(j)/m) * (next - at)
		at = next
		for i < len(a) && a[i] == at {
			i++
		}
		for j < len(b) && b[j] == at {
			j++
		}
	}
	return sum
}
