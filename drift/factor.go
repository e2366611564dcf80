package drift

import "math"

// multiplied reports whether a tail that rose is what a move of the whole feature by a factor gives,
// where all of history has one sign: its end lies further out by no more, by slack, than the factor
// that its middle moved by, and no value lies further than that takes history's farthest.
//
// Where values are spread over powers of ten, as amounts are, days differ by factors: an end that
// lies a third higher lies there by far more than the middle does, so that no move of all values by
// the same explains it, and Student's law of shares knows nothing of it.
func (j *judge) multiplied(f *frame, i int, s Summary, shift *moved) bool {
	b := columnOf(j.baseline, j.view, i)
	if f.placed || !s.tail() || b == nil || b.N == 0 || !(b.Min*b.Max > 0) {
		return false
	}
	before, after := f.rankOf(shift.expected[Location]), f.rankOf(shift.now[Location])
	for _, end := range []Summary{LowEdge, HighEdge} {
		if s != Extremes && end.lowSide() != s.lowSide() {
			continue
		}
		cut := f.cuts.of(s, end)
		if cut < 0 || cut >= len(f.edges) || !(before*after > 0) {
			continue
		}
		factor := f.factorTo(end, cut, s.natural(shift.now[s]))
		if factor <= slack*farther(end, before, after) && !j.outgrows(end, i, f.edges[cut], factor) {
			return true
		}
	}
	return false
}

// factorTo returns the logarithm of the factor, outwards, by which share of the feature would come
// to lie beyond the cut at an end; infinity if none would bring it there.
func (f *frame) factorTo(end Summary, cut int, share float64) float64 {
	if end == HighEdge {
		share = 1 - share
	}
	edge, at := f.edges[cut], f.quantileOf(f.pooled, f.n, share)
	if !(edge*at > 0) {
		return math.Inf(1)
	}
	return max(0, farther(end, at, edge))
}

// farther returns by the logarithm of which factor a value lies further out at an end than another
// of the same sign.
func farther(end Summary, than, value float64) float64 {
	if (end == HighEdge) == (than > 0) {
		return math.Log(value / than)
	}
	return math.Log(than / value)
}

// outgrows is overshoots of a move by a factor: whether values lie further beyond the edge, by more
// than slack, than it takes the farthest value of history. No factor takes a value to the other
// side of zero.
func (j *judge) outgrows(end Summary, i int, edge, factor float64) bool {
	reach := slack * (factor + max(0, farther(end, edge, outermost(end, columnOf(j.baseline, j.view, i)))))
	for w := range j.windows {
		c := columnOf(j.windows[w].Profile, j.view, i)
		if c == nil || c.N == 0 {
			continue
		}
		if value := outermost(end, c); !(value*edge > 0) || farther(end, edge, value) > reach {
			return true
		}
	}
	return false
}

// borne reports whether a distance from the baseline is no more, by slack, than what the move of
// location gives: its square less that of what is usual, beside the distance of two normal laws of
// which one is moved. A distance has no sign, so that of windows whose location varies it is the
// size of what varies, which Student's law of its logarithm takes to be less far than it goes.
func borne(s Summary, shift *moved) bool {
	now, expected := s.natural(shift.now[s]), s.natural(shift.expected[s])
	move := math.Abs(shift.now[Location] - shift.expected[Location])
	given := 0.0
	switch s {
	case KSDistance, TVDistance:
		given = math.Erf(move / (2 * math.Sqrt2))
	case HellingerDistance:
		given = math.Sqrt(-math.Expm1(-move * move / 8))
	default:
		return false
	}
	return now*now-expected*expected <= slack*slack*given*given
}
