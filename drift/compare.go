package drift

import "math"

// compare places every summary in its prediction interval, and reports the
// worst; or, if an alarming summary has an effect large enough to block, the
// worst of those.
func (j *judge) compare(ref *FeatureReference, f *frame, shift *moved, inverse [summaries]float64, out *finding) {
	m := len(j.windows)
	weights := 0.0
	for k := range ref.Spreads {
		if s := ref.Spreads[k].Summary; !math.IsNaN(shift.now[s]) {
			out.tests++
			weights += j.weight(s, f)
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
		if m > 1 && s.Summary == Scale && j.reference.Method >= hurling {
			s = s.unleaned()
		}
		at := j.predict(s, m)
		r := rival{spread: s, t: s.interval(now, at, m, inverse[s.Summary]), df: at.df, now: now, expected: at.expected, tests: weights / j.weight(s.Summary, f)}
		if (s.Summary.tail() || s.Rare != nil) && r.t > 0 && j.reference.Method >= weighted {
			r.rows = float64(m) / inverse[s.Summary]
		}
		switch {
		case !s.Summary.tail() || r.rows == 0:
		case m > 1 && ref.shifting() && j.reference.Method >= severing:
			j.sever(ref, f, out.index, shift, &r, false)
		default:
			r.rise, r.end = j.explained(ref, f, out.index, s.Summary, now, false)
		}
		if s.Follow != nil && r.t > 0 && m == 1 && !math.IsNaN(shift.now[Location]) {
			extra := s.Unit * max(0, inverse[s.Summary]-s.Inverse)
			r.rise, r.end = s.Follow.interval(shift.now[Location], now, extra), s.Follow.DF
		}
		if s.Carried && r.t > 0 && m == 1 {
			if past, _ := j.past(&r, j.level/r.tests); past {
				r.t *= 1 - min(1, j.carried(ref, f, shift)/(now-at.expected))
			}
		}
		if m > 1 && s.Summary == Scale && r.t > 0 && j.reference.Method >= hurling {
			j.located(ref, f, shift, &r)
		}
		if s.Summary == Location {
			shift.located = r
		}
		if shift.large(s.Summary) && math.Abs(now-at.expected) >= effectHistory*s.excursion(m) {
			r.effect = j.blocks(ref, f, out.index, r, shift)
		}
		rivals = enter(rivals, r)
	}
	for i := range rivals {
		r := &rivals[i]
		p := 1.0 // whatever it is times tests, unless t is past where that is 1
		if past, known := j.past(r, 1/r.tests); past {
			if known < 0 {
				known = r.pvalue()
			}
			p = min(1, known*r.tests)
		}
		if r.effect && j.reference.Method >= reaching {
			p = min(p, j.blocking()) // as blocks found, also of a tail whose values no move reaches
		}
		if out.spread == nil || r.effect && !out.effect || r.effect == out.effect && p < out.p {
			s := r.spread.Summary
			out.summary, out.t, out.p, out.effect, out.spread, out.df, out.parts = s, r.t, p, r.effect, r.spread, r.df, r.tests
			out.now, out.expected = s.natural(r.now), s.natural(r.expected)
		}
	}
}

// blocks reports whether a shift past its floor is so unlikely that it may block: since method 5
// of what the values of a number move also with no more degrees of freedom than a phase has of
// its own, and not by a tail that a move of the whole feature brought about which could not
// block were it past its floor. Since method 6 such a move must also reach as far as the values,
// and since method 7 what is out of reach of any move and of sampling blocks without either, and
// neither a tail that a factor explains nor a distance that the location does blocks unless the
// location alarms.
func (j *judge) blocks(ref *FeatureReference, f *frame, i int, r rival, shift *moved) bool {
	if j.reference.Method < sharpened || f.class != numeric || r.spread.Summary == Nulls {
		past, _ := j.past(&r, j.blocking()/r.tests)
		return past
	}
	switch {
	case r.least > 0:
		j.sever(ref, f, i, shift, &r, true)
	case r.end > 0 && r.spread.Summary.tail() && j.reference.Method >= reaching:
		r.rise, r.end = j.explained(ref, f, i, r.spread.Summary, r.now, true)
	}
	if j.reference.Method >= hurling && (borne(r.spread.Summary, shift) || j.multiplied(f, i, r.spread.Summary, shift)) && !j.relocated(shift) {
		return false
	}
	if j.reference.Method >= hurling && (j.flung(f, i, &r, shift) || j.stands(f, i, &r, shift)) {
		return true
	}
	if !j.surely(r) {
		return false
	}
	carried := r.spread.Summary.tail() && j.slid(ref, f, i, r.spread.Summary, shift)
	return !carried || shift.located.spread != nil && j.surely(shift.located)
}

// relocated reports whether the location alarms.
func (j *judge) relocated(shift *moved) bool {
	if shift.located.spread == nil {
		return false
	}
	past, _ := j.past(&shift.located, j.level/shift.located.tests)
	return past
}

// surely reports whether a shift is unlikely enough to block, with no more degrees of
// freedom than a phase has of its own.
func (j *judge) surely(r rival) bool {
	r.df = r.spread.own(r.df)
	past, _ := j.past(&r, j.blocking()/r.tests)
	return past
}

// rival is a summary that may be the worst of its feature.
type rival struct {
	spread        *Spread
	t             float64
	df            int
	effect        bool
	now, expected float64 // transformed
	tests         float64 // what its p-value is multiplied by
	rows          float64 // of a tail, or rare nulls, that rise: the windows' rows; 0 for others
	rise          float64 // Student's statistic of the move that would explain it, or of scale when the location is known,
	end           int     // with its degrees of freedom; 0: none would
	least         float64 // of a tail that rises in several windows: the least p-value of the rise, see severally; 0 for others
}

// pvalue returns the probability of so strong a statistic.
func (r *rival) pvalue() float64 {
	p := 0.0
	if r.rows > 0 && r.spread.Rare != nil {
		p = min(1, r.spread.sides(r.t)*r.spread.Rare.atLeast(r.spread.Summary.natural(r.now), r.rows))
	} else {
		p = r.spread.tailOf(r.t, r.df)
	}
	if r.end > 0 {
		p = max(p, min(1, r.spread.sides(r.t)*studentTail(r.rise, float64(r.end))))
	}
	return max(p, min(1, r.spread.sides(r.t)*r.least))
}

// past reports whether r's p-value is at most p, and what it is if that had to be worked
// out; else -1.
func (j *judge) past(r *rival, p float64) (is bool, pvalue float64) {
	if r.rows == 0 || r.spread.Rare == nil {
		if r.strength() < j.quantile(r.spread, r.df, p, r.t) {
			return false, -1
		}
	} else if r.t < 1 { // not worth the law
		return false, -1
	}
	if r.rows == 0 && r.end == 0 && r.least == 0 {
		return true, -1
	}
	pvalue = r.pvalue()
	return pvalue <= p, pvalue
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
		if o.spread.Heavy == nil && r.spread.Heavy == nil && o.end == 0 && r.end == 0 && o.rows == 0 && r.rows == 0 && o.least == 0 && r.least == 0 && o.tests == r.tests && o.effect == r.effect && o.df == r.df && o.spread.sides(o.t) == r.spread.sides(r.t) && summarySpecs[o.spread.Summary].oneSided == summarySpecs[r.spread.Summary].oneSided {
			if r.strength() > o.strength() {
				*o = r
			}
			return rivals
		}
	}
	return append(rivals, r)
}
