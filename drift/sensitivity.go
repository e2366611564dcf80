package drift

import (
	"math"
	"sort"

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
// For every summary it is the half width of the prediction interval of history at the
// summary's share of level, of few nulls by the law of counts, turned back into what is
// natural: a location is a mean normal score, and a shift by d of those moves the median to
// the baseline's quantile of Φ(d). Of a distance or share that cannot become as large it is 0.
func (r *Reference) Sensitivity(view *feature.View, baseline *sketch.Profile, level float64) []Sensitivity {
	if !(level > 0 && level < 1) {
		return nil
	}
	var out []Sensitivity
	for i := range view.Features {
		def := &view.Features[i]
		for k := range r.Features {
			if f := &r.Features[k]; f.ID == def.ID && len(f.Spreads) > 0 {
				out = append(out, f.sensitivity(&judge{reference: r}, def, columnOf(baseline, view, i), level))
			}
		}
	}
	return out
}

func (f *FeatureReference) sensitivity(j *judge, def *feature.Feature, c *sketch.Column, level float64) Sensitivity {
	out := Sensitivity{Feature: def.Name, Unit: def.Unit}
	at, weights := frame{shape: shape{class: f.class()}}, 0.0
	for i := range f.Spreads {
		weights += j.weight(f.Spreads[i].Summary, &at)
	}
	for i := range f.Spreads {
		s := &f.Spreads[i]
		share := level * j.weight(s.Summary, &at) / weights
		rise := s.smallest(share)
		natural := s.rise(rise, share)
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
			if distance := s.Summary.natural(s.Mean + rise); distance <= 1 {
				out.Distance = distance
			}
		}
	}
	return out
}

// class is what the summaries are of.
func (f *FeatureReference) class() class {
	for i := range f.Spreads {
		switch f.Spreads[i].Summary {
		case Location, Scale, KSDistance:
			return numeric
		case TVDistance, Share1, Unseen:
			return categorical
		}
	}
	return presence
}

// rise returns the rise of a summary that is a share, by which it rises transformed or,
// where counts are few, that their law gives the probability p; 0 if there is no room for it.
func (s *Spread) rise(transformed, p float64) float64 {
	mean := s.Summary.natural(s.Mean)
	switch {
	case s.Rare != nil && s.Inverse > 0:
		n, p := 1/s.Inverse, p/s.sides(1)
		least := math.Ceil(mean * n)
		more := sort.Search(int(n-least), func(k int) bool { return s.Rare.atLeast((least+float64(k))/n, n) <= p })
		if least += float64(more); least < n {
			return least/n - mean
		}
		return 0
	case s.Mean+transformed > math.Pi/2: // where a share is 1
		return 0
	}
	return s.Summary.natural(s.Mean+transformed) - mean
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
