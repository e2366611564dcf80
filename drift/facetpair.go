package drift

import (
	"fmt"

	"sluice/feature"
	"sluice/quality/sketch"
)

// pairOf is the k-th aspect on both sides.
func pairOf(a *sketch.Aspects, k int, current, baseline *sketch.Profile) pair {
	at := &a.Layout.Features[k]
	p := pair{name: a.Of[k].Name, shape: shapeOf(at)}
	bins := 0
	if p.class != presence {
		bins = at.Bins()
	}
	p.b, p.c = countsOf(&baseline.Columns[k], p.shape, bins), countsOf(&current.Columns[k], p.shape, bins)
	return p
}

// elementScores appends the plain statistics of the elements of the view's i-th feature.
func elementScores(out []feature.Score, view *feature.View, layout *sketch.Layout, i int, current, baseline *sketch.Profile) []feature.Score {
	if !view.Features[i].Type.IsList() {
		return out
	}
	a := sketch.NewAspects(view, layout, i)
	if a == nil {
		return out
	}
	p := pairOf(a, 0, a.Profile(current), a.Profile(baseline))
	p.name = view.Features[i].Name + ", elements"
	for _, s := range p.scores(nil) {
		if s.Method != MethodNulls {
			s.Feature, s.Summary = view.Features[i].Name, sketch.Elements.String()
			out = append(out, s)
		}
	}
	return out
}

// coldFacet returns the worst of s and the uncalibrated scores of the elements or paths of
// the view's i-th feature, which share its level. Hours are not compared: few windows
// cannot say whether they recur.
func coldFacet(s feature.Score, view *feature.View, layout *sketch.Layout, i int, current, baseline *sketch.Profile, level float64) feature.Score {
	a := sketch.NewAspects(view, layout, i)
	if a == nil || a.Of[0].Facet == sketch.Hours {
		return s
	}
	parts, now, ago := float64(2*len(a.Of)), a.Profile(current), a.Profile(baseline)
	s.PValue = min(1, 2*s.PValue)
	s.Severity = min(s.Severity, severity(s.PValue, level))
	for k := range a.Of {
		p := pairOf(a, k, now, ago)
		p.name = view.Features[i].Name + ", " + p.name
		found, ok := p.cold(level / parts)
		if !ok {
			continue
		}
		found.PValue = min(1, found.PValue*parts)
		if found.Severity >= 1 {
			found.Severity = severity(found.PValue, level)
		}
		if found.Severity <= s.Severity {
			continue
		}
		found.Feature = view.Features[i].Name
		found.Summary = a.Of[k].Facet.String() + "_" + found.Summary
		if a.Of[k].Facet == sketch.Paths {
			found.Summary = "paths_presence"
			b, c := float64(p.b.n)/p.b.rows(), float64(p.c.n)/p.c.rows()
			found.Text = fmt.Sprintf("%s: path %s present in %s of rows, was %s (uncalibrated)", found.Feature, a.Of[k].Name, percent(c), percent(b))
		}
		s = found
	}
	return s
}
