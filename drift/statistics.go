package drift

import (
	"fmt"
	"math"

	"sluice/drift/binned"
	"sluice/feature"
	"sluice/quality/sketch"
)

// Statistics returns the plain two-sample statistics of every feature of current
// against baseline, over the bins of layout: scores of the methods ks (with its
// bound, numeric features only), psi, chi_square, tvd and nulls. They have no
// threshold of their own; a rule sets it. Effect is true.
//
// psi reads coarser bins: neighbouring numeric bins are merged until each holds a
// tenth of the baseline, and categories that hold less than 1 % of the baseline
// are taken together, because on many small bins it is large whatever happens.
// Features without bins have nulls only; a statistic that cannot be computed is
// left out. The elements of a list have scores of their own beside those of its length,
// without nulls and with Summary elements.
func Statistics(view *feature.View, layout *sketch.Layout, current, baseline *sketch.Profile) []feature.Score {
	var out []feature.Score
	for i := range view.Features {
		p := featurePair(view, layout, i, current, baseline)
		out = p.scores(out)
		out = elementScores(out, view, layout, i, current, baseline)
	}
	return out
}

// pair is one feature on both sides.
type pair struct {
	shape
	name string
	b, c counts
	aged bool // ages that may be older because time passed: not compared
	open bool // values that have no end: those without a bin are one, whether seen before or not
}

// featurePair is the view's i-th feature on both sides.
func featurePair(view *feature.View, layout *sketch.Layout, i int, current, baseline *sketch.Profile) pair {
	at := layout.Feature(view.Features[i].ID)
	p := pair{name: view.Features[i].Name, shape: shapeOf(at)}
	bins := 0
	if p.class != presence {
		bins = at.Bins()
	}
	p.b, p.c = countsOf(columnOf(baseline, view, i), p.shape, bins), countsOf(columnOf(current, view, i), p.shape, bins)
	return p
}

// scores appends the plain statistics of the pair.
func (p *pair) scores(out []feature.Score) []feature.Score {
	if p.b.rows() > 0 && p.c.rows() > 0 {
		b, c := float64(p.b.nulls)/p.b.rows(), float64(p.c.nulls)/p.c.rows()
		s := p.score(MethodNulls, c)
		s.Summary, s.N, s.M = "share", uint64(p.c.rows()), uint64(p.b.rows())
		s.Text = fmt.Sprintf("%s: the share of nulls went from %s to %s", p.name, percent(b), percent(c))
		out = append(out, s)
	}
	if p.class == numeric {
		if d, bound, err := binned.KS(p.b.bins, p.c.bins, p.atoms); err == nil {
			s := p.score(MethodKS, d)
			s.Bound, s.PValue = bound, binned.KSPValue(d, p.c.n, p.b.n)
			out = append(out, s)
		}
	}
	if psi, err := p.psi(); err == nil {
		out = append(out, p.score(MethodPSI, psi))
	}
	if statistic, pv, _, err := binned.ChiSquare(p.b.bins, p.c.bins); err == nil {
		s := p.score(MethodChiSquare, statistic)
		s.PValue = pv
		out = append(out, s)
	}
	if d, err := binned.TVD(p.b.bins, p.c.bins); err == nil {
		out = append(out, p.score(MethodTVD, d))
	}
	return out
}

func (p *pair) score(method string, statistic float64) feature.Score {
	return feature.Score{
		Feature: p.name, Method: method, Statistic: statistic, PValue: 1, N: p.c.n, M: p.b.n, Effect: true,
		Text: fmt.Sprintf("%s: %s between the window and the baseline is %s", p.name, methodNames[method], number(statistic)),
	}
}

var methodNames = map[string]string{
	MethodKS: "the Kolmogorov-Smirnov distance", MethodPSI: "the population stability index",
	MethodChiSquare: "the chi-square statistic", MethodTVD: "the total variation distance",
}

// psi returns the population stability index over coarse bins.
func (p *pair) psi() (float64, error) {
	if p.class == presence {
		return 0, ErrBins
	}
	coarse := coarsen(p.shape, p.b.bins)
	return binned.PSI(gather(p.b.bins, coarse), gather(p.c.bins, coarse))
}

const (
	coarseNumeric  = 0.1  // share of the baseline that a merged bin holds at least
	coarseCategory = 0.01 // share of the baseline that a category of its own holds at least
)

// coarsen returns, for every bin, which coarse bin it goes to.
func coarsen(s shape, baseline []uint64) []int {
	of, n := make([]int, len(baseline)), binned.Total(baseline)
	if s.class == numeric {
		at, held := 0, 0.0
		for i, k := range baseline {
			if held >= coarseNumeric*n && n > 0 {
				at, held = at+1, 0
			}
			of[i] = at
			held += float64(k)
		}
		return of
	}
	at := 2 // 0: small and other, 1: unseen
	for i, k := range baseline {
		switch {
		case i == s.unseen:
			of[i] = 1
		case i == s.other || float64(k) < coarseCategory*n:
			of[i] = 0
		default:
			of[i] = at
			at++
		}
	}
	return of
}

// gather adds up the counts of every coarse bin.
func gather(counts []uint64, of []int) []uint64 {
	size := 2
	for _, at := range of {
		size = max(size, at+1)
	}
	out := make([]uint64, size)
	for i, at := range of {
		if i < len(counts) {
			out[at] += counts[i]
		}
	}
	return out
}

// coldDistance is the distance below which a cold start never alarms.
const coldDistance = 0.1

// ColdStart judges current against the merge of fewer than MinWindows windows: a
// score of method calibrated per feature, by binned KS (numeric) or chi-square
// (categorical) with Bonferroni over distribution and nulls. It alarms only if
// the shift is past an effect floor as well, because p-values on rows call any
// difference an alarm. Every score is Uncalibrated, and Effect is false: a cold
// start never blocks. level is as for Reference.Score. Timestamps that are older by no more
// than the seconds that passed since those windows are not told of: see Reference.Passed; nor, where
// open says so, values that nobody saw of features that have ever new ones: see Reference.Opens.
func ColdStart(view *feature.View, layout *sketch.Layout, current, baseline *sketch.Profile, level, passed float64, open bool) []feature.Score {
	var out []feature.Score
	for i := range view.Features {
		p := featurePair(view, layout, i, current, baseline)
		p.open = open && endless(columnOf(baseline, view, i)) && endless(columnOf(current, view, i))
		p.aged = view.Features[i].Type == feature.Timestamp && aged(columnOf(current, view, i), columnOf(baseline, view, i), passed)
		if s, ok := p.cold(level); ok {
			out = append(out, coldFacet(s, view, layout, i, current, baseline, level))
		}
	}
	return out
}

// cold returns the uncalibrated score of the pair; false if nothing compares.
func (p *pair) cold(level float64) (feature.Score, bool) {
	s := p.score(MethodCalibrated, 0)
	s.Effect, s.Uncalibrated, s.Threshold = false, true, coldDistance
	found := false
	take := func(summary Summary, pv, size, floor float64, text string) {
		pv = min(1, 2*pv)
		sev := severity(pv, level)
		if size < floor {
			sev = min(sev, 0.99*size/floor)
		}
		if !found || sev > s.Severity {
			s.Summary, s.Statistic, s.Threshold, s.PValue, s.Severity, s.Text = summary.String(), size, floor, pv, sev, text
		}
		found = true
	}
	if p.b.rows() > 0 && p.c.rows() > 0 {
		b, c := float64(p.b.nulls)/p.b.rows(), float64(p.c.nulls)/p.c.rows()
		_, pv, _, _ := binned.ChiSquare([]uint64{p.b.nulls, p.b.n}, []uint64{p.c.nulls, p.c.n})
		take(Nulls, pv, math.Abs(c-b), effectNulls, fmt.Sprintf("%s: the share of nulls went from %s to %s (uncalibrated)", p.name, percent(b), percent(c)))
	}
	if p.class == numeric {
		if d, _, err := binned.KS(p.b.bins, p.c.bins, p.atoms); err == nil && !p.aged {
			take(KSDistance, binned.KSPValue(d, p.c.n, p.b.n), d, coldDistance, p.coldText(d))
		}
	} else if b, c := p.known(); p.class == categorical {
		if _, pv, _, err := binned.ChiSquare(b, c); err == nil {
			d, _ := binned.TVD(b, c)
			take(TVDistance, pv, d, coldDistance, p.coldText(d))
		}
	}
	return s, found
}

func (p *pair) coldText(d float64) string {
	return fmt.Sprintf("%s: the distribution is %s away from the few windows there are (uncalibrated)", p.name, number(d))
}

// VolumeRatio returns the score of method volume of a window of that many rows
// where a window of the baseline holds typical rows: the ratio, above 1, whichever
// is larger. It has no threshold of its own; a rule sets it. False if typical is
// not positive.
func VolumeRatio(view *feature.View, rows uint64, typical float64) (feature.Score, bool) {
	if !(typical > 0) {
		return feature.Score{}, false
	}
	now := math.Max(float64(rows), 1)
	return feature.Score{
		Method: MethodVolume, Summary: "ratio", Statistic: max(now/typical, typical/now), PValue: 1, N: rows, M: uint64(typical), Effect: true,
		Text: fmt.Sprintf("%s: rows of a window went from %s to %d", view.Name, number(typical), rows),
	}, true
}
