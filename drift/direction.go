package drift

import (
	"math"
	"slices"

	"sluice/drift/binned"
	"sluice/quality/sketch"
)

// direction scores rows so that a shift is a difference of their means: by the bin of a
// feature, and as one without a value there.
type direction struct {
	id      uint32 // of the feature
	bins    []float64
	missing float64
	rows    bool // rows without a value count too
	refused bool // writes are scored: 1 if refused
	blamed  bool // of these, only those that broke the feature's expectations
	volume  bool // rows are counted
}

// direction returns the scores of a shift; false if it has none.
func (a *Attribution) direction(s Shift) (*direction, bool) {
	if s.Method == MethodVolume {
		return &direction{volume: true}, true
	}
	i := a.view.FeatureAt(s.Feature)
	if s.Method == "expect" {
		g := &direction{refused: true}
		if i >= 0 {
			g.id, g.blamed = a.view.Features[i].ID, true
		}
		return g, true
	}
	if i < 0 {
		return nil, false
	}
	g := &direction{id: a.view.Features[i].ID}
	if s.Method == MethodNulls || s.Summary == Nulls.String() {
		g.rows, g.missing = true, 1
		return g, true
	}
	if s.Summary == sketch.Elements.String() { // the parts of a breakdown hold no facets
		return nil, false
	}
	at := a.layout.Feature(g.id)
	p := pair{shape: shapeOf(at)}
	if p.class == presence {
		return nil, false
	}
	p.b, p.c = countsOf(a.baseline.Column(g.id), p.shape, at.Bins()), countsOf(a.current.Column(g.id), p.shape, at.Bins())
	if p.b.n == 0 || p.c.n == 0 || p.b.bins == nil || p.c.bins == nil {
		return nil, false
	}
	g.bins = p.scoresOf(s)
	return g, g.bins != nil
}

// scoresOf returns the score of every bin for a shift.
func (p *pair) scoresOf(s Shift) []float64 {
	switch s.Method {
	case MethodKS:
		return p.below()
	case MethodTVD:
		return p.each(func(now, ago float64) float64 { return math.Copysign(1, now-ago) })
	case MethodChiSquare:
		return p.each(func(now, ago float64) float64 { return (now - ago) / (now + ago) })
	case MethodPSI:
		return p.each(func(now, ago float64) float64 { return math.Log(max(now, binned.Floor) / max(ago, binned.Floor)) })
	case MethodCalibrated:
		return p.summaryScores(s.Summary)
	}
	return nil
}

func (p *pair) summaryScores(name string) []float64 {
	f := newFrame(p.shape, cutBins(p.shape, p.b.bins, float64(p.b.n)), p.b.bins, clips{mainClip, mainClip}) // whatever the method
	within := func(from, to int) []float64 {
		out := make([]float64, len(p.b.bins))
		for i := max(0, from); i < min(to, len(out)); i++ {
			out[i] = 1
		}
		return out
	}
	switch name {
	case Location.String():
		return f.z
	case Scale.String(), Deviation.String():
		squares := slices.Clone(f.z)
		for i, z := range squares {
			squares[i] = z * z
		}
		return squares
	case LowTail.String():
		return within(0, f.cuts.Low)
	case LowExtreme.String():
		return within(0, f.cuts.LowExtreme)
	case HighTail.String():
		return within(f.cuts.High, len(p.b.bins))
	case HighExtreme.String():
		return within(f.cuts.HighExtreme, len(p.b.bins))
	case Extremes.String():
		out := within(0, f.cuts.LowExtreme)
		for i := max(0, f.cuts.HighExtreme); i < len(out) && f.cuts.HighExtreme >= 0; i++ {
			out[i] = 1
		}
		return out
	case KSDistance.String():
		return p.below()
	case TVDistance.String():
		return p.scoresOf(Shift{Method: MethodTVD})
	case HellingerDistance.String():
		return p.each(func(now, ago float64) float64 {
			return (math.Sqrt(now) - math.Sqrt(ago)) / (math.Sqrt(now) + math.Sqrt(ago))
		})
	case Other.String():
		return within(p.other, p.other+1)
	case Unseen.String():
		return within(p.unseen, p.unseen+1)
	case Newcomer.String(), Surge.String():
		return within(p.other, p.unseen+1)
	}
	for k, bin := range f.cuts.Top {
		if name == (Share1 + Summary(k)).String() {
			return within(bin, bin+1)
		}
	}
	return nil
}

// below scores the bins up to where the distributions are furthest apart.
func (p *pair) below() []float64 {
	out := make([]float64, len(p.b.bins))
	gap, most, at := 0.0, -1.0, 0
	for i := range p.b.bins {
		gap += float64(p.c.bins[i])/float64(p.c.n) - float64(p.b.bins[i])/float64(p.b.n)
		if math.Abs(gap) > most {
			most, at = math.Abs(gap), i
		}
	}
	for i := range at + 1 {
		out[i] = 1
	}
	return out
}

// each scores bins by their shares now and ago; 0 where nothing is.
func (p *pair) each(score func(now, ago float64) float64) []float64 {
	out := make([]float64, len(p.b.bins))
	for i := range out {
		now, ago := float64(p.c.bins[i])/float64(p.c.n), float64(p.b.bins[i])/float64(p.b.n)
		if now != ago {
			out[i] = score(now, ago)
		}
	}
	return out
}

// slot returns the mass of a slot.
func (g *direction) slot(s *sketch.Slot, layout *sketch.Layout) mass {
	switch {
	case g.volume:
		return mass{n: float64(s.Rows)}
	case g.refused:
		refused := s.Whole
		for i := range layout.Features {
			refused += s.Part(layout.Features[i].ID).Refused
		}
		m := mass{n: float64(s.Rows + refused), sum: float64(s.Whole)}
		if g.blamed {
			m.sum = float64(s.Part(g.id).Refused)
		}
		return m
	}
	part := s.Part(g.id)
	if g.rows {
		return mass{n: float64(s.Rows), sum: g.missing * float64(part.Missing)}
	}
	return g.binned(part.Bins)
}

func (g *direction) binned(bins []uint64) (m mass) {
	if len(bins) != len(g.bins) {
		return m
	}
	for i, n := range bins {
		if n > 0 {
			m.n += float64(n)
			m.sum += float64(n) * g.bins[i]
		}
	}
	return m
}

// whole returns the mass of all rows of a profile.
func (g *direction) whole(p *sketch.Profile) mass {
	if g.volume {
		return mass{n: float64(p.Profiled())}
	}
	c := p.Column(g.id)
	if g.refused {
		m := mass{n: float64(p.Profiled() + p.Refused()), sum: float64(p.RefusedWhole)}
		if g.blamed && c != nil {
			m.sum = float64(c.Refused)
		}
		return m
	}
	if c == nil {
		return mass{}
	}
	if g.rows {
		return mass{n: float64(c.Rows()), sum: g.missing * float64(c.Rows()-c.N)}
	}
	return g.binned(c.Bins())
}

// row returns the score of a sampled row.
func (g *direction) row(p *sketch.Profile, row *sketch.SampleRow) float64 {
	column := p.Column(g.id)
	bin := -1
	if column != nil {
		bin = p.BinOf(row, position(p, column))
	}
	return g.score(bin)
}

// score returns the score of a row in that bin; -1 is none.
func (g *direction) score(bin int) float64 {
	switch {
	case bin < 0:
		return g.missing
	case bin < len(g.bins):
		return g.bins[bin]
	}
	return 0
}
