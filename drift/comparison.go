package drift

import (
	"math"

	"sluice/drift/binned"
	"sluice/feature"
	"sluice/quality/sketch"
)

// Comparison is what the counts of a window and of a baseline say of one feature, side by
// side, for people to read: nothing is judged by it. What cannot be computed is NaN.
//
// Numeric distances are of the layout's bins: KS is never above the distance of the values,
// nor below it by more than Bound; PSI reads the coarser bins that Statistics says;
// Wasserstein, in the unit of the values, takes each value for the middle of its bin, and
// those beyond the outer edges for their mean. Of categories without a bin only the sum is
// known. Nulls, NaN and infinities are in none of it, and counted.
type Comparison struct {
	Feature string
	Part    string // an aspect of the feature, as the elements of a list; empty: its values
	Kind    string // ComparedNumbers, ComparedCategories or ComparedNulls

	Current, Baseline *sketch.Column // nil if that side has none

	KS, Bound, KSPValue        float64 // numeric
	PSI, TVD, JS               float64
	Wasserstein                float64 // numeric
	Entropy                    float64 // of the window's bins, nats
	ChiSquare, ChiSquarePValue float64 // of the contingency table
	DOF                        int
	Fit, FitPValue             float64 // goodness of fit to the baseline's shares; NaN if a bin holds something that the baseline's does not
	Unseen                     float64 // categorical: share of the window's values that no row of the layout's sample had
}

// Kinds of Comparison.
const (
	ComparedNumbers    = "numeric"
	ComparedCategories = "categorical"
	ComparedNulls      = "nulls" // there are no bins: only presence is compared
)

// Comparisons compares every feature of view, and every aspect of one, in the view's order.
// A nil baseline is one without rows.
func Comparisons(view *feature.View, layout *sketch.Layout, current, baseline *sketch.Profile) []Comparison {
	if baseline == nil {
		baseline = sketch.NewProfile(view, layout, sketch.HashKey{})
	}
	var out []Comparison
	for i := range view.Features {
		p := featurePair(view, layout, i, current, baseline)
		out = append(out, p.compared(layout.Feature(view.Features[i].ID)))
		a := sketch.NewAspects(view, layout, i)
		if a == nil {
			continue
		}
		now, ago := a.Profile(current), a.Profile(baseline)
		for k := range a.Of {
			p := pairOf(a, k, now, ago)
			part := p.compared(&a.Layout.Features[k])
			part.Feature, part.Part = view.Features[i].Name, a.Of[k].Name
			out = append(out, part)
		}
	}
	return out
}

// compared measures the pair, whose bins are those of at.
func (p *pair) compared(at *sketch.FeatureLayout) Comparison {
	undefined := math.NaN()
	out := Comparison{
		Feature: p.name, Kind: ComparedNulls, Current: p.c.column, Baseline: p.b.column,
		KS: undefined, Bound: undefined, KSPValue: undefined, PSI: undefined, TVD: undefined, JS: undefined, Wasserstein: undefined,
		Entropy: undefined, ChiSquare: undefined, ChiSquarePValue: undefined, Fit: undefined, FitPValue: undefined, Unseen: undefined,
	}
	switch p.class {
	case numeric:
		out.Kind = ComparedNumbers
		if d, bound, err := binned.KS(p.b.bins, p.c.bins, p.atoms); err == nil {
			out.KS, out.Bound, out.KSPValue = d, bound, binned.KSPValue(d, p.c.n, p.b.n)
		}
		if p.b.n > 0 && p.c.n > 0 {
			out.Wasserstein = p.wasserstein(at)
		}
	case categorical:
		out.Kind = ComparedCategories
		if n := binned.Total(p.c.bins); n > 0 && p.unseen >= 0 {
			out.Unseen = float64(p.c.bins[p.unseen]) / n
		}
	default:
		return out
	}
	out.PSI = orNaN(p.psi())
	out.TVD = orNaN(binned.TVD(p.b.bins, p.c.bins))
	out.JS = orNaN(binned.JensenShannon(p.b.bins, p.c.bins))
	out.Entropy = orNaN(binned.Entropy(p.c.bins)) * math.Ln2
	if statistic, pv, dof, err := binned.ChiSquare(p.b.bins, p.c.bins); err == nil {
		out.ChiSquare, out.ChiSquarePValue, out.DOF = statistic, pv, dof
	}
	if statistic, pv, _, err := binned.GoodnessOfFit(p.b.bins, p.c.bins); err == nil {
		out.Fit, out.FitPValue = statistic, pv
	}
	return out
}

// wasserstein takes the values of an inner bin for its middle, and those of each side
// beyond the first or the last edge for their mean.
func (p *pair) wasserstein(at *sketch.FeatureLayout) float64 {
	last := at.Bins() - 1
	inner := make([]float64, last+1)
	for i := 1; i < last; i++ {
		v, atom := at.Atom(i)
		if !atom {
			v = at.Edges[i-1]/2 + at.Edges[i]/2
		}
		inner[i] = v
	}
	lowB, highB := p.b.ends(at, inner)
	lowC, highC := p.c.ends(at, inner)
	var centres []float64
	var b, c []uint64
	end := func(of int, centreB, centreC float64) {
		first, second := min(centreB, centreC), max(centreB, centreC)
		centres = append(centres, first, second)
		if centreB <= centreC {
			b, c = append(b, p.b.bins[of], 0), append(c, 0, p.c.bins[of])
		} else {
			b, c = append(b, 0, p.b.bins[of]), append(c, p.c.bins[of], 0)
		}
	}
	end(0, lowB, lowC)
	centres, b, c = append(centres, inner[1:last]...), append(b, p.b.bins[1:last]...), append(c, p.c.bins[1:last]...)
	end(last, highB, highC)
	return orNaN(binned.Wasserstein(centres, b, c))
}

// ends returns the means of what lies in the first and in the last bin. The sum of all
// values is known, and so that of both bins, given the middles of the inner ones; where
// both hold something, the one with less is taken for its middle.
func (c *counts) ends(at *sketch.FeatureLayout, inner []float64) (low, high float64) {
	last := len(inner) - 1
	low, high = at.Edges[0], at.Edges[len(at.Edges)-1]
	if c.n == 0 {
		return low, high
	}
	nLow, nHigh := float64(c.bins[0]), float64(c.bins[last])
	sum := c.column.Mean() * float64(c.n)
	for i := 1; i < last; i++ {
		sum -= inner[i] * float64(c.bins[i])
	}
	least, most := min(c.column.Min, low), max(c.column.Max, high)
	if nHigh >= nLow {
		low = least/2 + low/2
		high = clamp((sum-low*nLow)/nHigh, high, most)
	} else {
		high = high/2 + most/2
		low = clamp((sum-high*nHigh)/nLow, least, low)
	}
	return low, high
}

// clamp returns v within [low, high]; low if v is not a number.
func clamp(v, low, high float64) float64 {
	if !(v > low) {
		return low
	}
	return min(v, high)
}

func orNaN(v float64, err error) float64 {
	if err != nil {
		return math.NaN()
	}
	return v
}
