package sketch

import (
	"math"
	"slices"

	"sluice/feature"
)

// buildPart pins the bins of the facet of feature f, the i-th of the rows; nil if it
// has none.
func buildPart(f feature.Feature, rows []SampleRow, i int) *FeatureLayout {
	switch facet := facetOf(f.Type); facet {
	case Hours:
		return hoursLayout(f.ID)
	case Elements:
		l := &FeatureLayout{ID: f.ID, Type: f.Type.Elem(), Facet: facet}
		switch k := kindOf(l.Type); {
		case k.numeric():
			l.buildNumeric(finiteElements(rows, i))
		case k == texts:
			l.buildParts(rows, i, 1)
		case k == bools:
			if l.Sample = countParts(rows, i); l.Sample > 0 {
				l.Categories = boolCategories
			}
		}
		return l
	case Paths:
		l := &FeatureLayout{ID: f.ID, Type: f.Type, Facet: facet}
		values := countValues(rows, i)
		l.buildParts(rows, i, (values+rarePath-1)/rarePath)
		l.Sample = values
		return l
	}
	return nil
}

// finiteElements returns the finite sampled elements of column i in rising order, -0
// as 0.
func finiteElements(rows []SampleRow, i int) []float64 {
	var values []float64
	for r := range rows {
		for _, e := range rows[r].Parts(i) {
			if v := e.Value.Float(); !math.IsNaN(v) && !math.IsInf(v, 0) {
				values = append(values, v+0)
			}
		}
	}
	slices.Sort(values)
	return values
}

func countParts(rows []SampleRow, i int) int {
	n := 0
	for r := range rows {
		n += len(rows[r].Parts(i))
	}
	return n
}

// rarePath is one in how many rows a path is in at least that has a bin of its own: keys
// that are data, such as those of people, are in fewer, and leave the level to others.
const rarePath = 100

// buildParts gives the most frequent elements, or the paths that most rows have, their
// bins, if they are there so often; of equally frequent ones the smaller text comes first.
func (f *FeatureLayout) buildParts(rows []SampleRow, i, least int) {
	counts := marksCount{}
	for r := range rows {
		for _, e := range rows[r].Parts(i) {
			f.Sample++
			counts.add(e.mark, e.Value.Text())
		}
	}
	f.categorise(counts, least)
}

// faceted reports whether the layout knows facets; those of before do not.
func (l *Layout) faceted() bool {
	return slices.ContainsFunc(l.Features, func(f FeatureLayout) bool { return f.Part != nil })
}

// appendFacets appends the bins of every facet, in the order of the features.
func (l *Layout) appendFacets(b []byte) []byte {
	for i := range l.Features {
		if part := l.Features[i].Part; part != nil && part.Facet != Hours {
			b = part.appendBins(b, part.Facet.kind(l.Features[i].Type))
		}
	}
	return b
}

// readFacets reads what appendFacets wrote: every feature that has a facet has bins of
// it.
func (l *Layout) readFacets(r *reader) {
	if !l.binned {
		r.fail()
	}
	for i := range l.Features {
		f := &l.Features[i]
		switch facet := facetOf(f.Type); facet {
		case Hours:
			f.Part = hoursLayout(f.ID)
		case Elements, Paths:
			f.Part = &FeatureLayout{ID: f.ID, Type: f.Type.Elem(), Facet: facet}
			f.Part.readBins(r, facet.kind(f.Type))
		}
	}
}
