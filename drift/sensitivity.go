package drift

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Sensitivity is how small a change of one feature the default detector still sees half
// of the time, in one window of the usual number of rows. Fields of summaries that history
// does not measure are 0; shares are in [0, 1].
type Sensitivity struct {
	Feature string
	Shift   float64 // of all values, in Unit: that of the median
	ShiftSD float64 // the same, in the feature's own standard deviations between rows
	Unit    string
	Factor  float64 // of the spread of values
	Nulls   float64 // rise of the share of nulls
	Share   float64 // rise of the share of the largest category
	Unseen  float64 // rise of the share of values never seen before
	// Distance is the Kolmogorov-Smirnov distance (numbers) or total variation
	// (categories) from the baseline.
	Distance float64
}

// Sensitivity returns one entry for each feature that r can judge, at level; nothing if
// level is not between 0 and 1. baseline is the merge of the reference's windows.
//
// For every summary it is the half width of the prediction interval of history at
// level over the feature's number of summaries, turned back into what is natural: a location is
// a mean normal score, and a shift by d of those moves the median to the baseline's quantile of
// Φ(d).
func (r *Reference) Sensitivity(view *feature.View, baseline *sketch.Profile, level float64) []Sensitivity {
	if !(level > 0 && level < 1) {
		return nil
	}
	var out []Sensitivity
	for i := range view.Features {
		def := &view.Features[i]
		for k := range r.Features {
			if f := &r.Features[k]; f.ID == def.ID && len(f.Spreads) > 0 {
				out = append(out, f.sensitivity(def, columnOf(baseline, view, i), level))
			}
		}
	}
	return out
}

func (f *FeatureReference) sensitivity(def *feature.Feature, c *sketch.Column, level float64) Sensitivity {
	out := Sensitivity{Feature: def.Name, Unit: def.Unit}
	for i := range f.Spreads {
		s := &f.Spreads[i]
		rise := s.smallest(level / float64(len(f.Spreads)))
		natural := s.Summary.natural(s.Mean+rise) - s.Summary.natural(s.Mean)
		switch s.Summary {
		case Location:
			out.Shift, out.ShiftSD = shiftOf(c, rise)
		case Scale:
			if s.Mean > 0 {
				out.Factor = 1 + rise/s.Mean
			}
		case Nulls:
			out.Nulls = natural
		case Share1:
			out.Share = natural
		case Unseen:
			out.Unseen = natural
		case KSDistance, TVDistance:
			out.Distance = s.Summary.natural(s.Mean + rise)
		}
	}
	return out
}

// smallest returns the rise of the summary, transformed, at which a window of the usual
// number of rows has the p-value p.
func (s *Spread) smallest(p float64) float64 {
	t, inverse := studentQuantile(p/s.sides(1), float64(s.DF)), 1/float64(s.N)
	if s.Heavy != nil {
		t = max(t, s.Heavy.quantile(p))
	}
	if len(s.Phases) > 0 {
		inverse = 0
		for _, g := range s.Phases {
			inverse += 1 / float64(g.N) / float64(len(s.Phases))
		}
	}
	return t * s.SD * math.Sqrt(1+inverse)
}

// shiftOf turns a shift of normal scores into units of a column, and into its standard
// deviations. Where the median stays on one value it is the standard deviation that counts.
func shiftOf(c *sketch.Column, scores float64) (shift, inSD float64) {
	if c == nil {
		return 0, 0
	}
	sd := c.SD()
	if !(sd > 0) || math.IsInf(sd, 0) {
		return 0, 0
	}
	shift = c.Quantile(distuv.UnitNormal.CDF(scores)) - c.Quantile(0.5)
	if !(shift > 0) || math.IsInf(shift, 0) {
		shift = scores * sd
	}
	return shift, shift / sd
}
