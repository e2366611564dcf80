package drift

import "math"

// compare places every summary in its prediction interval, and reports the
// worst; or, if an alarming summary has an effect large enough to block, the
// worst of those.
func (j *judge) compare(ref *FeatureReference, shift *moved, inverse [summaries]float64, out *finding) {
	m := len(j.windows)
	for k := range ref.Spreads {
		if !math.IsNaN(shift.now[ref.Spreads[k].Summary]) {
			out.tests++
		}
	}
	var all [summaries]rival
	rivals := all[:0]
	for k := range ref.Spreads {
		s := &ref.Spreads[k]
		now := shift.now[s.Summary]
		if math.IsNaN(now) {
			continue
		}
		expected, spread, wide := s.expected(j.phases)
		r := rival{spread: s, t: s.interval(now, expected, spread, wide, m, inverse[s.Summary]), now: now, expected: expected}
		r.effect = r.strength() >= j.critical(s, out.tests, r.t) && shift.large(s.Summary) && math.Abs(now-expected) >= effectHistory*s.excursion(m)
		rivals = enter(rivals, r)
	}
	for i := range rivals {
		r := &rivals[i]
		p := 1.0 // whatever it is times tests, unless t is past where that is 1
		if r.strength() > j.quantile(r.spread, 1/float64(out.tests), r.t) {
			p = min(1, r.spread.pvalue(r.t)*float64(out.tests))
		}
		if out.spread == nil || r.effect && !out.effect || r.effect == out.effect && p < out.p {
			s := r.spread.Summary
			out.summary, out.t, out.p, out.effect, out.spread = s, r.t, p, r.effect, r.spread
			out.now, out.expected = s.natural(r.now), s.natural(r.expected)
		}
	}
}

// rival is a summary that may be the worst of its feature.
type rival struct {
	spread        *Spread
	t             float64
	effect        bool
	now, expected float64 // transformed
}

// strength orders statistics of the same law: the larger, the smaller the p-value.
func (r *rival) strength() float64 {
	if summarySpecs[r.spread.Summary].oneSided {
		return r.t
	}
	return math.Abs(r.t)
}

// enter adds r to the rivals, of which those of one law and one kind of effect
// leave only the strongest: p-values, which are dear, are then needed of few.
func enter(rivals []rival, r rival) []rival {
	for i := range rivals {
		o := &rivals[i]
		if o.spread.Heavy == nil && r.spread.Heavy == nil && o.effect == r.effect && o.spread.DF == r.spread.DF && summarySpecs[o.spread.Summary].oneSided == summarySpecs[r.spread.Summary].oneSided {
			if r.strength() > o.strength() {
				*o = r
			}
			return rivals
		}
	}
	return append(rivals, r)
}
