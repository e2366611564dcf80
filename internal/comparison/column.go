package comparison

import (
	"strconv"

	"sluice/drift/sample"
	"sluice/store/tabular"
)

// The kinds of a column.
const (
	Numeric     = "numeric"
	Categorical = "categorical"
)

// quantiles are those of every answer.
var quantiles = []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

// Moments describe the finite numbers of a column.
type Moments struct {
	Quantiles map[string]Number `json:"quantiles"`
	Mean      Number            `json:"mean"`
	Std       Number            `json:"std"` // with n - 1
	Min       Number            `json:"min"`
	Max       Number            `json:"max"`
}

// momentsOf describes a finite sample; all of an empty one is undefined.
func momentsOf(s sample.Sample) Moments {
	m := Moments{Quantiles: map[string]Number{}, Mean: Number(s.Mean()), Std: Number(s.SD()), Min: undefined, Max: undefined}
	for _, q := range quantiles {
		m.Quantiles[strconv.FormatFloat(q, 'g', -1, 64)] = Number(s.Quantile(q))
	}
	if len(s) > 0 {
		m.Min, m.Max = Number(s[0]), Number(s[len(s)-1])
	}
	return m
}

// kindOf says what a column is compared as, given the other side's: a column that has
// numbers on one side alone is one of texts.
func kindOf(a, b *tabular.Values) string {
	if (a.Numeric() || a.Empty()) && (b.Numeric() || b.Empty()) {
		return Numeric
	}
	return Categorical
}

// null is the name of the category that nulls are.
const null = "null"

// categories counts the texts of a column and its nulls. A text null is told from them.
func categories(v *tabular.Values) map[category]uint64 {
	counts := map[category]uint64{}
	for text, n := range v.Counts {
		counts[category{text: text}] = n
	}
	for _, n := range v.Numbers {
		counts[category{text: tabular.NumberText(n)}]++
	}
	if v.Nulls > 0 {
		counts[category{text: null, null: true}] = v.Nulls
	}
	return counts
}

type category struct {
	text string
	null bool
}
