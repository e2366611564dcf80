package sketch

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"

	"sluice/feature"
)

const (
	// MinLayoutRows is the fewest sampled rows a layout is built from.
	MinLayoutRows = 200

	quantiles = 63             // equal shares between the quantile edges
	minAtom   = 4              // fewer equal values are a coincidence
	maxAtoms  = 60             // with their second edges all edges fit into MaxEdges
	mostRows  = 8 * SampleRows // that repeated rows are counted as, unless more are different

	minScale, maxScale = 1e-280, 1e280
)

var (
	tails          = []float64{.001, .01, .99, .999}
	boolCategories = []string{"false", "true"}
)

// BuildLayout pins the bins of view's features from the merged samples of
// profiles, which may be over other layouts.
//
// The merged sample is every sampled row whose hash is at most the smallest
// largest hash of the full samples: a uniform sample of all their rows, of
// SampleRows to SampleRows * len(profiles) rows if one of them is full. The
// layout depends on that set of rows alone, not on its order or split.
//
// A numeric feature gets an edge at each of the 62 quantiles i/63 and at the
// quantiles .001, .01, .99 and .999; a value that holds more than 1/63 of the
// sample (and at least 4 rows) is an atom with a bin of its own, [v, next(v)).
// Strings and bytes get a bin for each of the 64 most frequent values. The same goes for
// the sampled elements of lists; a json feature gets a bin for each of the 64 paths that
// most rows have, if a hundredth of them do. Every dimension that the rows have gets a slot for each of its
// MaxDimensionValues most frequent values.
//
// The error is ErrSample if the merged sample has fewer than MinLayoutRows rows,
// and ErrKey if the profiles were made under different keys.
func BuildLayout(view *feature.View, profiles ...*Profile) (*Layout, error) {
	rows, err := mergedSample(view, profiles)
	if err != nil {
		return nil, fmt.Errorf("build layout of %s: %w", view.Name, err)
	}
	if len(rows) < MinLayoutRows {
		return nil, fmt.Errorf("build layout of %s: %d sampled rows, want %d: %w", view.Name, len(rows), MinLayoutRows, ErrSample)
	}
	l := &Layout{binned: true, Features: make([]FeatureLayout, len(view.Features))}
	for i, f := range view.Features {
		l.Features[i] = buildFeature(f, rows, i)
		l.Features[i].Part = buildPart(f, rows, i)
	}
	l.buildDimensions(rows)
	l.index()
	return l, nil
}

// mergedSample returns the rows of all samples in the order of view's features,
// rising by hash; those that are there several times as often, in their shares.
func mergedSample(view *feature.View, profiles []*Profile) ([]SampleRow, error) {
	limit, print := uint64(math.MaxUint64), uint64(0)
	for _, p := range profiles {
		if len(p.Sample) == SampleRows {
			limit = min(limit, p.Sample[SampleRows-1].Hash)
		}
		if print != 0 && p.hash.print != 0 && print != p.hash.print {
			return nil, ErrKey
		}
		print = max(print, p.hash.print)
	}
	var rows []SampleRow
	for _, p := range profiles {
		rows = append(rows, p.rowsUpTo(limit, view)...)
	}
	encode := NewProfile(view, Unbinned(view), HashKey{})
	slices.SortFunc(rows, func(a, b SampleRow) int {
		if c := cmp.Compare(a.Hash, b.Hash); c != 0 {
			return c
		}
		order := encode.order()
		return bytes.Compare(encode.appendWhole(nil, &a, order), encode.appendWhole(nil, &b, order))
	})
	return repeated(oneOfEach(rows), max(len(rows), mostRows)), nil
}

// oneOfEach leaves the first of rows with one hash, as often as the profile says that has
// it most: one row is in one window, and two profiles that hold it are of the same.
func oneOfEach(rows []SampleRow) []SampleRow {
	kept := rows[:0]
	for _, r := range rows {
		if n := len(kept); n > 0 && kept[n-1].Hash == r.Hash {
			kept[n-1].Times = max(kept[n-1].Times, r.Times)
		} else {
			kept = append(kept, r)
		}
	}
	return kept
}

// rowsUpTo returns the sampled rows with hashes up to limit, in the order of
// view's features.
func (p *Profile) rowsUpTo(limit uint64, view *feature.View) []SampleRow {
	at := make([]int, len(view.Features))
	for i, f := range view.Features {
		at[i] = slices.IndexFunc(p.Columns, func(c Column) bool { return c.ID == f.ID && c.Type == f.Type })
	}
	var rows []SampleRow
	for _, r := range p.Sample {
		if r.Hash > limit {
			break
		}
		row := SampleRow{r.Hash, r.Times, &SampleContent{Values: make([]feature.Value, len(at)), Tags: r.Tags, marks: make([]uint64, len(at))}}
		for i, from := range at {
			if from >= 0 {
				row.Values[i], row.marks[i] = r.Values[from], r.marks[from]
			}
		}
		row.parts = r.partsAt(at)
		rows = append(rows, row)
	}
	return rows
}

func buildFeature(f feature.Feature, rows []SampleRow, i int) FeatureLayout {
	l := FeatureLayout{ID: f.ID, Type: f.Type}
	switch k := kindOf(f.Type); {
	case k.numeric():
		l.buildNumeric(finiteValues(rows, i))
	case k == texts:
		l.buildCategories(rows, i)
	case k == bools:
		l.Sample = countValues(rows, i)
		l.Categories = boolCategories
	}
	return l
}

func countValues(rows []SampleRow, i int) int {
	n := 0
	for _, r := range rows {
		if !r.Values[i].IsNull() {
			n++
		}
	}
	return n
}

// buildCategories gives the most frequent values their bins; of equally frequent
// ones the smaller text comes first.
func (f *FeatureLayout) buildCategories(rows []SampleRow, i int) {
	counts := marksCount{}
	for _, r := range rows {
		if !r.Values[i].IsNull() {
			f.Sample++
			counts.add(r.marks[i], r.Values[i].Text())
		}
	}
	f.categorise(counts, 1)
}

// categorise gives the most frequent of counts that are at least so large their bins.
func (f *FeatureLayout) categorise(counts marksCount, least int) {
	for n, c := range counts.ranked() {
		if n < MaxCategories && c.count >= least {
			f.Categories, f.marks = append(f.Categories, c.text), append(f.marks, c.mark)
		} else if len(f.others) < maxMarks {
			f.others = append(f.others, c.mark)
		}
	}
	slices.Sort(f.others)
}
