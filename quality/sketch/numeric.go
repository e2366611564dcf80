package sketch

import (
	"cmp"
	"math"
	"slices"
)

// finiteValues returns the finite values of column i in rising order, -0 as 0.
func finiteValues(rows []SampleRow, i int) []float64 {
	var values []float64
	for _, r := range rows {
		if v := r.Values[i].Float(); !r.Values[i].IsNull() && !math.IsNaN(v) && !math.IsInf(v, 0) {
			values = append(values, v+0)
		}
	}
	slices.Sort(values)
	return values
}

// buildNumeric sets edges, centre and scale from values in rising order.
func (f *FeatureLayout) buildNumeric(values []float64) {
	f.Sample = len(values)
	if len(values) == 0 {
		return
	}
	atoms := heaviest(values)
	for i := 1; i < quantiles; i++ {
		f.Edges = append(f.Edges, at(values, float64(i)/quantiles))
	}
	for _, q := range tails {
		f.Edges = append(f.Edges, at(values, q))
	}
	for _, v := range atoms {
		f.Edges = append(f.Edges, v)
		if next := math.Nextafter(v, math.Inf(1)); !math.IsInf(next, 0) {
			f.Edges = append(f.Edges, next+0)
		}
	}
	slices.Sort(f.Edges)
	f.Edges = slices.Compact(f.Edges)
	f.Centre, f.Scale = at(values, .5), scaleOf(values)
}

// at returns the value of rank q of values in rising order: a share of at most q
// of them is smaller.
func at(values []float64, q float64) float64 {
	return values[min(len(values)-1, int(q*float64(len(values))))]
}

// heaviest returns the atoms among values in rising order, at most maxAtoms, the
// most frequent first.
func heaviest(values []float64) []float64 {
	type run struct {
		value float64
		count int
	}
	var runs []run
	for i := 0; i < len(values); {
		j := i
		for j < len(values) && values[j] == values[i] {
			j++
		}
		if count := j - i; count >= minAtom && count*quantiles > len(values) {
			runs = append(runs, run{values[i], count})
		}
		i = j
	}
	slices.SortFunc(runs, func(a, b run) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.value, b.value))
	})
	var atoms []float64
	for _, r := range runs[:min(len(runs), maxAtoms)] {
		atoms = append(atoms, r.value)
	}
	return atoms
}

// scaleOf returns a robust standard deviation of values in rising order: from the
// middle half or, where ties leave that without width, from the middle 90 %, 98 %
// or all; of a constant a 64th of its size, or 1 for 0. A range is taken as that
// of a normal distribution.
func scaleOf(values []float64) float64 {
	for _, part := range []struct{ tail, width float64 }{{.25, 1.349}, {.05, 3.290}, {.01, 4.653}, {0, 6}} {
		low, high := at(values, part.tail), at(values, 1-part.tail)
		if scale := high/part.width - low/part.width; scale > 0 {
			return min(max(scale, minScale), maxScale)
		}
	}
	if constant := math.Abs(values[0]); constant > 0 {
		return min(max(constant/64, minScale), maxScale)
	}
	return 1
}
