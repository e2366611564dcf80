package sketch

import (
	"slices"

	"sluice/feature"
)

// Aspect is something about a feature's facet that is judged as a feature of its own
// would be.
type Aspect struct {
	Facet Facet
	Name  string // hours of the day, days of the week, elements, or a path; OtherPaths, UnseenPaths
}

// Names of the aspects of timestamps and lists, and of what a json value has beside the
// layout's paths.
const (
	HoursOfDay  = "hours of the day"
	DaysOfWeek  = "days of the week"
	OfElements  = "elements"
	OtherPaths  = "rarer paths"
	UnseenPaths = "paths not seen before"
)

// Aspects turns the facet of a feature into features: View and Layout are made up of
// them, and Profile gives a profile's columns of them. Hours of the day are numbers, days of
// the week categories, elements what they are, and a path is a json value that is null in
// the rows that lack it, among them those that are no JSON. It is immutable and safe for concurrent use.
type Aspects struct {
	View   *feature.View
	Layout *Layout // with the digest of the layout that the facet is of
	Of     []Aspect

	id uint32 // of the feature
}

// NewAspects returns the aspects of the view's i-th feature over layout; nil if it has
// none.
func NewAspects(view *feature.View, layout *Layout, i int) *Aspects {
	f := view.Features[i]
	at := layout.Feature(f.ID)
	if at == nil || at.Type != f.Type || at.Part == nil {
		return nil
	}
	made := *view
	made.Features = nil
	a := &Aspects{View: &made, Layout: &Layout{From: layout.From, binned: true, digest: layout.digest, at: map[uint32]int{}}, id: f.ID}
	switch part := at.Part; part.Facet {
	case Hours:
		a.add(f, HoursOfDay, hoursOfDay())
		a.add(f, DaysOfWeek, daysOfWeek())
	case Elements:
		of := *part
		of.Facet = Value
		a.add(f, OfElements, of)
	case Paths:
		for _, path := range part.Categories {
			a.add(f, path, FeatureLayout{Type: feature.JSON})
		}
		if len(part.Categories) > 0 {
			a.add(f, OtherPaths, FeatureLayout{Type: feature.JSON})
			a.add(f, UnseenPaths, FeatureLayout{Type: feature.JSON})
		}
	}
	if len(a.Of) == 0 {
		return nil
	}
	return a
}

// hoursOfDay returns the layout of whole hours since midnight.
func hoursOfDay() FeatureLayout {
	f := FeatureLayout{Type: feature.Int32, Centre: 12, Scale: 6}
	for hour := 1; hour < 24; hour++ {
		f.Edges = append(f.Edges, float64(hour))
	}
	return f
}

// daysOfWeek returns the layout of the days of the week, Monday first.
func daysOfWeek() FeatureLayout {
	f := FeatureLayout{Type: feature.String, Categories: weekdays[:], marks: make([]uint64, len(weekdays))}
	for i := range f.marks {
		f.marks[i] = uint64(i + 1)
	}
	return f
}

func (a *Aspects) add(f feature.Feature, name string, at FeatureLayout) {
	at.ID = uint32(len(a.Of) + 1)
	at.index()
	a.View.Features = append(a.View.Features, feature.Feature{ID: at.ID, Name: name, Type: at.Type, Unit: f.Unit})
	a.Layout.at[at.ID] = len(a.Layout.Features)
	a.Layout.Features = append(a.Layout.Features, at)
	a.Of = append(a.Of, Aspect{Facet: facetOf(f.Type), Name: name})
}

// Profile returns the aspects' columns of p, which shares memory with p and has no
// sample. What p does not have, it has no rows of.
func (a *Aspects) Profile(p *Profile) *Profile {
	out := &Profile{Rows: p.Rows, Deletes: p.Deletes, layout: a.Layout, hash: hasher{print: p.hash.print}, view: a.View, Columns: make([]Column, len(a.Of))}
	var part *Column
	if of := p.Column(a.id); of != nil {
		part = of.Part
	}
	for i := range a.Of {
		at, c := &a.Layout.Features[i], &out.Columns[i]
		*c = Column{ID: at.ID, Type: at.Type, kind: kindOf(at.Type)}
		if at.Bins() > 0 {
			c.layout, c.bins = at, make([]uint64, at.Bins())
		}
		switch {
		case part == nil:
		case part.Facet == Elements:
			of := *part
			of.ID, of.Facet, of.layout = at.ID, Value, c.layout
			*c = of
		case part.Facet == Hours:
			c.fold(part, a.Of[i].Name == HoursOfDay)
		case i < len(part.bins):
			c.N, c.Nulls = part.bins[i], part.N+part.NaN-part.bins[i]
		}
	}
	return out
}

// fold counts hours of the week as hours of the day or days of the week.
func (c *Column) fold(week *Column, day bool) {
	c.N = week.N
	for hour, n := range week.bins {
		if day {
			c.bins[hour%24] += n
		} else {
			c.bins[hour/24] += n
		}
	}
}

// Example returns, in the sample of p, the most frequent text among the elements or paths
// of the feature of that id that the layout does not know, and how often it is there;
// empty if there is none.
func (p *Profile) Example(id uint32) (text string, times int) {
	column := slices.IndexFunc(p.Columns, func(c Column) bool { return c.ID == id && c.Part != nil && c.Part.layout != nil })
	if column < 0 {
		return "", 0
	}
	of := p.Columns[column].Part.layout
	if of.table == nil {
		return "", 0
	}
	counts := marksCount{}
	rows := p.SampledRows()
	for r := range rows {
		for _, part := range rows[r].Parts(column) {
			if int(of.table.find(part.mark)) == of.Unseen() {
				counts.add(part.mark, part.Value.Text())
			}
		}
	}
	if ranked := counts.ranked(); len(ranked) > 0 {
		return ranked[0].text, ranked[0].count
	}
	return "", 0
}
