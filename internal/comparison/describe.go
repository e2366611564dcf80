package comparison

import (
	"cmp"
	"maps"
	"slices"

	"sluice/drift/sample"
	"sluice/feature"
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

	// Type, Part and Parts are those of Column: numbers are the lengths of lists, and parts
	// their elements, as rows of their own, or the paths of json, of which N values have each;
	// of timestamps they are age, in seconds, hours of the day and days of the week.
	Type      string      `json:"type,omitempty"`
	Part      string      `json:"part,omitempty"`
	Parts     []Described `json:"parts,omitempty"`
	PartsLeft int         `json:"parts_left_out,omitempty"`

	all      []Frequency // of the values, where they are few
	shortest int         // characters of the texts
	longest  int
	form     string // a pattern that all texts match; empty if there is none
	invalid  uint64 // rows whose text is no UTF-8
	whole    bool   // the numbers have no fractions
	wide     bool   // some are whole and beyond what float64 holds exactly
	int64    bool   // all of them are for an int64
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
	event := happened(file)
	for _, v := range file.Columns {
		d.Columns = append(d.Columns, describe(v))
		if v.Times {
			d.Columns[len(d.Columns)-1].times(v, event)
		}
	}
	return d
}

func describe(v *tabular.Values) Described {
	out := Described{Column: v.Name, Kind: Categorical, Times: v.Times, N: v.Rows - v.Nulls, Nulls: v.Nulls, NaN: v.NaN, Entropy: undefined, Top: []Frequency{}, Moments: momentsOf(nil), wide: v.Wide, int64: v.Int64}
	counts := v.Counts
	if v.Nested() {
		out.Type = v.Type.String()
	}
	switch {
	case v.Type == feature.JSON:
		out.paths(v)
		return out
	case v.Counts == nil:
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
	default:
		out.Distinct = uint64(len(counts))
		out.Entropy = entropyOf(slices.Collect(maps.Values(counts)))
	}
	out.texts(v.Counts)
	if v.Elements != nil {
		part := describe(v.Elements)
		part.Part = elements
		out.Cards, out.Parts = part.Cards, []Described{part}
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

// paths describes the paths of a json column.
func (c *Described) paths(v *tabular.Values) {
	for text, n := range v.Documents {
		if quality.HoldsCard(text) {
			c.Cards += n
		}
	}
	counts := pathsOf(v)
	names := slices.SortedFunc(maps.Keys(counts), func(x, y string) int { return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y)) })
	for _, name := range names[:min(len(names), mostPaths)] {
		shown, _ := quality.MaskCards(name)
		c.Parts = append(c.Parts, Described{Column: c.Column, Part: shown, Kind: Categorical, N: counts[name], Nulls: c.N - counts[name],
			Distinct: 1, Entropy: undefined, Top: []Frequency{}, Moments: momentsOf(nil)})
	}
	c.PartsLeft = len(names) - len(c.Parts)
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
