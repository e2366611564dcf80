package drift

import "math"

// lead lets location speak for an alarm that scale raises by falling, where it alarms as
// well and the values vary no less than before in their own unit.
//
// Normal scores end at the ends of history. So when all values leave it, as those of a
// wrong unit do, they have the same score: their location moved, and their scale fell,
// although they are further apart than ever. The p-value stays that of the feature.
func (j *judge) lead(f *finding) {
	if j.reference.Method < guarded || f.index < 0 || f.clock != nil || f.summary != Scale || f.t >= 0 || j.narrower(f) {
		return
	}
	ref := j.find(f.index)
	fr := j.frame(f.index, ref)
	now, inverse := mean(j.reduce(f.index, &fr, j.windows))
	for k := range ref.Spreads {
		s := &ref.Spreads[k]
		if s.Summary != Location || math.IsNaN(now[Location]) {
			continue
		}
		at := j.predict(s, len(j.windows))
		r := rival{spread: s, t: s.interval(now[Location], at, len(j.windows), inverse[Location]), df: at.df}
		if past, _ := j.past(&r, j.level/f.parts); past {
			f.summary, f.t, f.spread, f.df, f.now, f.expected = Location, r.t, s, r.df, now[Location], at.expected
		}
	}
}

// narrower reports whether the values of a feature vary less than those of history in
// their own unit, or cannot be told to vary.
func (j *judge) narrower(f *finding) bool {
	now, err := j.merged()
	if err != nil {
		return true
	}
	b, c := columnOf(j.baseline, j.view, f.index), columnOf(now, j.view, f.index)
	if b == nil || c == nil {
		return true
	}
	return c.Clipped == 0 && !(c.SD() >= b.SD())
}
