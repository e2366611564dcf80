package drift

import (
	"math"
	"slices"
)

// translated returns location and scale of the pooled history with all its values moved by
// the same, in the unit of the feature. Within bins values are spread evenly; the outer ones
// are taken to be as dense as their neighbours.
func (f *frame) translated(by float64) (location, scale float64) {
	last, k := 0.0, 0
	below := 0.0 // values before bin k
	at := func(x float64) float64 {
		for k < len(f.edges) && f.edges[k] <= x {
			below += float64(f.pooled[k])
			k++
		}
		held := float64(f.pooled[k])
		low, high := f.extent(k)
		return below + held*max(0, min(1, (x-low)/(high-low)))
	}
	for i := range f.pooled {
		to := f.n
		if i < len(f.edges) {
			to = at(f.edges[i] - by)
		}
		location += (to - last) * f.z[i]
		scale += (to - last) * f.wide[i]
		last = to
	}
	location, scale = location/f.n, scale/f.n
	return location, math.Sqrt(max(0, scale-location*location))
}

// extent returns where the values of a bin are taken to lie.
func (f *frame) extent(k int) (low, high float64) {
	last := len(f.edges)
	switch {
	case k == 0:
		high = f.edges[0]
		return high - f.overhang(0, 1), high
	case k == last:
		low = f.edges[last-1]
		return low, low + f.overhang(last, last-1)
	}
	return f.edges[k-1], f.edges[k]
}

// overhang returns how wide an outer bin is that is as dense as its neighbour.
func (f *frame) overhang(outer, neighbour int) float64 {
	width := f.edges[neighbour] - f.edges[neighbour-1]
	if k := float64(f.pooled[neighbour]); k > 0 {
		return max(math.SmallestNonzeroFloat64, width*float64(f.pooled[outer])/k)
	}
	return width
}

// moves returns location and scale of the pooled history after so many moves, evenly from
// none to the one that takes its median to the rank that a location has.
func (f *frame) moves(location float64, steps int) (locations, scales []float64) {
	far := 1.5 * (f.rankOf(location) - f.rankOf(0))
	for i := range steps + 1 {
		l, s := f.translated(far * float64(i) / float64(steps))
		locations, scales = append(locations, l), append(scales, s)
	}
	return locations, scales
}

// slides reports whether values are spread over bins, so that they can be moved.
func (f *frame) slides() bool {
	return !f.placed && f.wide != nil && len(f.edges) > 2 && math.Abs(f.edges[0]) < farEdge && math.Abs(f.edges[len(f.edges)-1]) < farEdge && !slices.Contains(f.atoms, true)
}

// moveSteps is how many moves scale is followed over.
const moveSteps = 8

// scaleAt returns the scale that the pooled history has once all its values are moved until
// its location is the one given.
func (f *frame) scaleAt(location float64) float64 {
	locations, scales := f.moves(location, moveSteps)
	return along(locations, scales, location)
}

// along returns the linear interpolation of y at x, over xs that rise or fall; at its ends
// that of the end.
func along(xs, ys []float64, x float64) float64 {
	last := len(xs) - 1
	for i := range last {
		low, high := xs[i], xs[i+1]
		if low == high || (x-low)*(x-high) > 0 {
			continue
		}
		return ys[i] + (ys[i+1]-ys[i])*(x-low)/(high-low)
	}
	if math.Abs(x-xs[0]) < math.Abs(x-xs[last]) {
		return ys[0]
	}
	return ys[last]
}

// carrying is how many times the squares about the mean those about what moves give may be: in
// some dozens of windows a small part of them does not show.
const carrying = 1.5

// carries reports whether the scales of history's windows differ little more from those that moves
// of the whole feature to the windows' locations give than from their mean. kept is the share of a move
// that is none of sampling.
//
// Values within hard bounds that move as a whole leave one outer bin and fill the other, so that
// their normal scores spread although the values do not. Where values move by a factor
// instead, moves by the same give other scales than history has, and say nothing.
func (f *frame) carries(locations, scales []float64, kept float64) bool {
	if !f.slides() || !(kept > 0) {
		return false
	}
	low, high := 0.0, 0.0
	for _, l := range locations {
		if !math.IsNaN(l) {
			low, high = min(low, kept*l), max(high, kept*l)
		}
	}
	lowL, lowS := f.moves(low, moveSteps)
	highL, highS := f.moves(high, moveSteps)
	n, sum, squares, left, leftSquares := 0.0, 0.0, 0.0, 0.0, 0.0
	for w, l := range locations {
		if y := scales[w]; !math.IsNaN(l) && !math.IsNaN(y) {
			rest := y
			if l < 0 {
				rest -= along(lowL, lowS, kept*l)
			} else {
				rest -= along(highL, highS, kept*l)
			}
			n, sum, squares, left, leftSquares = n+1, sum+y, squares+y*y, left+rest, leftSquares+rest*rest
		}
	}
	return n > 0 && leftSquares-left*left/n < carrying*(squares-sum*sum/n)
}

// carried returns how much of a rise of scale is what a move of the whole feature to the
// window's location gives.
func (j *judge) carried(ref *FeatureReference, f *frame, shift *moved) float64 {
	return j.carriedTo(ref, f, shift, shift.now[Location])
}

// carriedTo does that of a location.
func (j *judge) carriedTo(ref *FeatureReference, f *frame, shift *moved, location float64) float64 {
	if !f.slides() {
		return 0
	}
	expected := shift.expected[Location]
	now := expected + ref.kept()*(location-expected)
	if math.IsNaN(now) {
		return 0
	}
	return max(0, f.scaleAt(now)-f.scaleAt(expected))
}

// kept returns the share of a window's move that is none of sampling, by the spread of
// locations over history.
func (f *FeatureReference) kept() float64 {
	for i := range f.Spreads {
		if s := &f.Spreads[i]; s.Summary == Location && s.SD > 0 {
			return max(0, 1-s.Unit*s.Inverse/(s.SD*s.SD))
		}
	}
	return 0
}
