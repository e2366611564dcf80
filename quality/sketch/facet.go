package sketch

import "sluice/feature"

// Facet says what a column, or its layout, is about: a feature's value, or a part of
// it that is kept besides in a column of its own.
type Facet uint8

const (
	Value    Facet = iota // the value itself
	Hours                 // the hour of the week of a timestamp's own time, in UTC
	Elements              // the elements of a list
	Paths                 // the paths of a json value
)

// String returns the word that references and texts use.
func (f Facet) String() string {
	return [...]string{"value", "hours", "elements", "paths"}[min(f, Paths)]
}

// facetOf returns what is kept of values of a type besides themselves; Value if
// nothing is.
func facetOf(t feature.Type) Facet {
	switch {
	case t.IsList():
		return Elements
	case t == feature.Timestamp:
		return Hours
	case t == feature.JSON:
		return Paths
	}
	return Value
}

// newPart returns the column of the facet that a feature of type t has over layout;
// nil if it has none. Layouts older than facets have none.
func newPart(id uint32, t feature.Type, layout *Layout) *Column {
	facet := facetOf(t)
	if facet == Value {
		return nil
	}
	c := &Column{ID: id, Type: t.Elem(), Facet: facet, kind: facet.kind(t)}
	f := layout.Feature(id)
	switch {
	case !layout.binned:
		f = nil
	case f == nil || f.Type != t || f.Part == nil:
		return nil
	default:
		f = f.Part
	}
	if facet == Hours {
		c.layout, c.bins = hoursLayout(id), make([]uint64, HoursOfWeek)
	} else if f != nil && f.Bins() > 0 {
		c.layout, c.bins = f, make([]uint64, f.Bins())
	}
	return c
}

// kind says how the facet of a feature of type t is profiled.
func (f Facet) kind(t feature.Type) kind {
	switch f {
	case Hours:
		return hours
	case Paths:
		return paths
	}
	return kindOf(t.Elem())
}

// mergePart adds the facet of o. Where one side was written before there were facets,
// the other's is dropped: it would be that of some of the rows.
func (c *Column) mergePart(o *Column) {
	if c.Part == nil || o.Part == nil {
		c.Part = nil
		return
	}
	c.Part.merge(o.Part)
}

// faceted reports whether a column has a facet.
func (p *Profile) faceted() bool {
	for i := range p.Columns {
		if p.Columns[i].Part != nil {
			return true
		}
	}
	return false
}
