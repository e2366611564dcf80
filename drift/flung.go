package drift

import "math"

// flung reports whether a tail that alarms is out of reach of everything that windows are known to
// do: values lie where no move of the whole feature takes them, and there are more of them than
// sampling gives to a window whose share is the largest that history had, whatever the law.
//
// A wrong unit in a small window shows in a third of its rows where history had one or none. Student's
// law of the root of so few wants more than there can be, with the degrees of freedom of a phase above
// all, and where history's counts vary a little more than Poisson's there is no other.
func (j *judge) flung(f *frame, i int, r *rival, shift *moved) bool {
	s := r.spread.Summary
	if f.placed || !s.tail() {
		return false
	}
	now, most := s.natural(r.now), s.natural(r.expected+r.spread.excursion(len(j.windows)))
	if now <= most || !shift.beyondSampling(s, now, most) {
		return false
	}
	if past, _ := j.past(r, j.level/r.tests); !past {
		return false
	}
	for _, end := range []Summary{LowEdge, HighEdge} {
		if s != Extremes && end.lowSide() != s.lowSide() {
			continue
		}
		if cut := f.cuts.of(s, end); cut >= 0 && cut < len(f.edges) && j.overshoots(end, i, f.edges[cut], f.moveTo(end, cut, now)) {
			return true
		}
	}
	return false
}

// stands reports whether a fall of scale that alarms is that of a feature with one value in all rows,
// which sampling gives to no window with history's share of that value, whatever the law. A scale
// falls no further than to nothing, so that few degrees of freedom, which a phase has, would keep
// some histories from ever blocking it.
func (j *judge) stands(f *frame, i int, r *rival, shift *moved) bool {
	if f.placed || r.spread.Summary != Scale || r.t >= 0 {
		return false
	}
	if past, _ := j.past(r, j.level/r.tests); !past {
		return false
	}
	value := math.NaN()
	for w := range j.windows {
		c := columnOf(j.windows[w].Profile, j.view, i)
		if c == nil || c.N == 0 || c.Min != c.Max || c.Min != value && w > 0 {
			return false
		}
		value = c.Min
	}
	at := j.layout.Feature(j.view.Features[i].ID)
	if at == nil {
		return false
	}
	bin := at.Bin(value)
	return bin >= 0 && bin < len(f.pooled) && shift.beyondSampling(Scale, 1, float64(f.pooled[bin])/f.n)
}
