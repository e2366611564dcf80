package comparison

import (
	"cmp"
	"maps"
	"slices"

	"sluice/drift/sample"
	"sluice/quality"
	"sluice/store/tabular"
)

// Description is what a file holds.
type Description struct {
	Rows    uint64      `json:"rows"`
	Problem string      `json:"problem,omitempty"` // why there is nothing to describe
	Columns []Described `json:"columns"`
}

// Described is one column of a file.
type Described struct {
	Column   string      `json:"column"`
	Kind     string      `json:"kind"`
	Times    bool        `json:"times,omitempty"` // the numbers are timestamps, in seconds since 1970
	N        uint64      `json:"n"`               // without nulls
	Nulls    uint64      `json:"nulls"`
	NaN      uint64      `json:"nan,omitempty"` // of the nulls, those that are not-a-number
	Infinite uint64      `json:"infinite"`
	Distinct uint64      `json:"distinct"`
	Entropy  Number      `json:"entropy"` // of the categories, nats
	Top      []Frequency `json:"top"`     // most frequent values, of a numeric column those that repeat
	Moments
	Bins []uint64 `json:"bins,omitempty"` // of equal width from min to max, to look at

	// Cards is how many rows hold what may be a payment card number; those are masked
	// wherever values are shown.
	Cards uint64 `json:"cards,omitempty"`

	all      []Frequency // of the values, where they are few
	shortest int         // characters of the texts
	longest  int
	form     string // a pattern that all texts match; empty if there is none
	invalid  uint64 // rows whose text is no UTF-8
	nested   string // type of a feature, of a column of lists or objects alone
	whole    bool   // the numbers have no fractions
}

// Frequency is a value and how often it comes.
type Frequency struct {
	Value string `json:"value"`
	N     uint64 `json:"n"`
}

const (
	topValues = 5
	histogram = 20
)

// Describe describes every column of a file.
func Describe(file *tabular.Contents) Description {
	d := Description{Rows: file.Rows, Columns: []Described{}}
	if file.Rows == 0 {
		d.Problem = "no rows"
	}
	for _, v := range file.Columns {
		d.Columns = append(d.Columns, describe(v))
	}
	return d
}

func describe(v *tabular.Values) Described {
	out := Described{Column: v.Name, Kind: Categorical, Times: v.Times, N: v.Rows - v.Nulls, Nulls: v.Nulls, NaN: v.NaN, Entropy: undefined, Top: []Frequency{}, Moments: momentsOf(nil)}
	counts := v.Counts
	if v.Counts == nil {
		s := sample.New(slices.Clone(v.Numbers))
		finite := s.Finite()
		out.Kind, out.Infinite, out.Moments = Numeric, uint64(len(s)-len(finite)), momentsOf(finite)
		out.Bins = bins(finite)
		out.numberCards(finite)
		out.Moments.hide(finite)
		counts = map[string]uint64{}
		for from := 0; from < len(s); {
			to := from + 1
			for to < len(s) && s[to] == s[from] {
				to++
			}
			out.Distinct++
			if to > from+1 {
				counts[tabular.NumberText(s[from])] = uint64(to - from)
			}
			from = to
		}
	} else {
		out.Distinct = uint64(len(counts))
		out.Entropy = entropyOf(slices.Collect(maps.Values(counts)))
	}
	out.texts(v.Counts)
	if v.Nested > 0 && v.Nested == out.N {
		out.nested = nestedType(v.Counts)
	}
	for value, n := range counts {
		shown, _ := quality.MaskCards(value)
		out.Top = append(out.Top, Frequency{shown, n})
	}
	slices.SortFunc(out.Top, func(a, b Frequency) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value)) })
	if len(out.Top) <= mostIn {
		out.all = slices.Clone(out.Top)
	}
	out.Top = out.Top[:min(len(out.Top), topValues)]
	return out
}

// bins counts a finite sample in bins of equal width.
func bins(s sample.Sample) []uint64 {
	if len(s) == 0 || s[0] == s[len(s)-1] {
		return nil
	}
	low, high := s[0], s[len(s)-1]
	var edges []float64
	for i := 1; i < histogram; i++ {
		t := float64(i) / histogram
		edges = append(edges, low*(1-t)+high*t)
	}
	return s.Counts(edges)
}
