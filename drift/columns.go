package drift

import (
	"fmt"
	"maps"

	"sluice/feature"
	"sluice/quality/sketch"
)

// WindowProfile is the profile of one window.
type WindowProfile struct {
	Window  feature.Window
	Profile *sketch.Profile
	// Fitted marks a window of history whose rows the layout was built from: few of its
	// values are unseen, as none of the window's own are.
	Fitted bool
}

// shapeOf reads what a layout says of a feature's bins; f is nil for a feature
// that the layout does not know.
func shapeOf(f *sketch.FeatureLayout) shape {
	s := shape{other: -1, unseen: -1}
	switch {
	case f == nil || f.Bins() < 2:
	case len(f.Categories) > 0:
		s.class, s.other, s.unseen = categorical, f.Other(), f.Unseen()
	default:
		s.class = numeric
		s.edges = f.Edges
		s.atoms = make([]bool, f.Bins())
		for i := range s.atoms {
			_, s.atoms[i] = f.Atom(i)
		}
	}
	return s
}

// columnOf returns the column of view's feature i, which is usually the profile's
// i-th; nil if the profile lacks it.
func columnOf(p *sketch.Profile, view *feature.View, i int) *sketch.Column {
	id := view.Features[i].ID
	if i < len(p.Columns) && p.Columns[i].ID == id {
		return &p.Columns[i]
	}
	return p.Column(id)
}

// countsOf reads a column; the zero counts if it is nil or has other bins than s.
func countsOf(c *sketch.Column, s shape, bins int) counts {
	if c == nil {
		return counts{}
	}
	out := counts{column: c, n: c.N, nulls: c.Nulls + c.NaN + c.PosInf + c.NegInf}
	if s.class != presence {
		if out.bins = c.Bins(); len(out.bins) != bins {
			return counts{nulls: out.nulls}
		}
	}
	if s.class == categorical {
		out.bucketsOf(c)
	}
	return out
}

// Samples remembers what was counted in the row samples of windows of history, so
// that building a reference of the same windows and one more counts one more
// sample. It holds what the last two references were built of: of a window, and of
// the windows in probation before it. The zero value is ready; it belongs to one
// goroutine, and profiles that it has seen must stay as they are.
type Samples struct {
	counter newcomers
	known   map[sampleOf]newcomer
	builds  int
}

type sampleOf struct {
	profile *sketch.Profile
	feature uint32
}

type newcomer struct {
	share   float64
	sampled int
	build   int // when it was last asked for
}

// count does what newcomers.count does.
func (s *Samples) count(at *sketch.FeatureLayout, p *sketch.Profile, which int, of shape, c *counts) {
	key := sampleOf{p, at.ID}
	known, ok := s.known[key]
	if !ok {
		s.counter.count(at, p, which, of, c)
		known.share, known.sampled = c.newcomer, c.sampled
	}
	c.newcomer, c.sampled, known.build = known.share, known.sampled, s.builds
	s.known[key] = known
}

// begin starts a build and forgets what the last two did not ask for.
func (s *Samples) begin() {
	if s.known == nil {
		s.known = map[sampleOf]newcomer{}
	}
	s.builds++
	maps.DeleteFunc(s.known, func(_ sampleOf, n newcomer) bool { return n.build < s.builds-2 })
}

// count fills in the newcomer of a column of feature at from its profile's row
// sample; which is the position of the column in the profile. A column whose bins
// hold nothing outside the categories has a newcomer of 0.
func (n *newcomers) count(at *sketch.FeatureLayout, p *sketch.Profile, which int, s shape, c *counts) (name string) {
	if c.n == 0 {
		return ""
	}
	rows := p.SampledRows()
	c.sampled = min(len(rows), int(c.n))
	if c.bins[s.other] == 0 && c.bins[s.unseen] == 0 {
		return ""
	}
	n.reset()
	best, held := int32(0), 0
	for i := range rows {
		v := &rows[i].Values[which]
		if v.IsNull() {
			continue
		}
		held++
		text := v.Text()
		if len(text) <= wholeText {
			if p.BinOf(&rows[i], which) < s.other { // most are: neither hashed nor compared again
				continue
			}
		} else {
			n.mark(at)
		}
		at := n.find(text)
		if at.category {
			continue
		}
		at.count++
		if k := at.count; k > best || k == best && text < name {
			best, name = k, text
		}
	}
	if c.sampled = held; held > 0 {
		c.newcomer = float64(best) / float64(held)
	}
	return name
}

// position returns the place of a column in its profile; -1 if it is nil.
func position(p *sketch.Profile, c *sketch.Column) int {
	for i := range p.Columns {
		if &p.Columns[i] == c {
			return i
		}
	}
	return -1
}

// sameLayout returns ErrBins unless every profile counts in the bins of layout.
func sameLayout(layout *sketch.Layout, windows []WindowProfile) error {
	for _, w := range windows {
		if got := w.Profile.Layout().Digest(); got != layout.Digest() {
			return fmt.Errorf("window %s over layout %q, not %q: %w", w.Window.Start.UTC().Format("2006-01-02T15:04:05Z"), got, layout.Digest(), ErrBins)
		}
	}
	return nil
}

// merge returns the merge of profiles that share a layout, which stay as they are.
func merge(view *feature.View, layout *sketch.Layout, windows []WindowProfile) (*sketch.Profile, error) {
	all := sketch.NewProfile(view, layout, sketch.HashKey{})
	for _, w := range windows {
		if err := all.Merge(w.Profile); err != nil {
			return nil, fmt.Errorf("merge window %s: %w", w.Window.Start, err)
		}
	}
	return all, nil
}
