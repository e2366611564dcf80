package drift

import (
	"math"

	"sluice/quality/sketch"
)

// edgeRank is the rank of the quantile whose moves say how far a feature's end moves
// from window to window: high enough to be measured in a thousand rows, and low enough
// to go where the end goes.
const edgeRank = 0.025

// Edge is how far one end of a numeric feature moved between the windows of history.
//
// The share beyond a cut is a poor measure of values with a hard bound: if all of them
// move a little, it is nothing on most days and much on a few, far from normal on any
// scale, although nothing but the location moved. Where the end lies, in the feature's
// own unit, is near normal. So a tail's share is never more unusual than the move of the
// whole feature that would explain it: moved by D = cut - Q(share), where Q is the
// quantile function of the pooled history, it would have that share. D is judged in the
// prediction interval of the moves of the end's quantile.
type Edge struct {
	Spread
	Pooled float64 `json:"pooled"` // that quantile of the pooled history
}

// lowSide reports whether s is of the lower end.
func (s Summary) lowSide() bool { return s == LowTail || s == LowExtreme || s == LowEdge }

// quantileOf returns the value of rank r of bins of n values, by linear interpolation
// within its bin; in an outer bin its edge. Not-a-number without values or edges, and
// beyond farEdge.
func (s *shape) quantileOf(bins []uint64, n, r float64) float64 {
	if at := s.quantileAt(bins, n, r); math.Abs(at) <= farEdge {
		return at
	}
	return math.NaN()
}

// farEdge is the size up to which differences of values have squares.
const farEdge = 1e150

func (s *shape) quantileAt(bins []uint64, n, r float64) float64 {
	if len(s.edges) == 0 || n == 0 || len(bins) != len(s.edges)+1 {
		return math.NaN()
	}
	left := r * n
	for i, k := range bins {
		c := float64(k)
		if left >= c && i < len(bins)-1 {
			left -= c
			continue
		}
		switch {
		case i == 0:
			return s.edges[0]
		case i == len(bins)-1:
			return s.edges[i-1]
		}
		return s.edges[i-1] + (s.edges[i]-s.edges[i-1])*min(1, left/max(1, c))
	}
	return s.edges[len(s.edges)-1]
}

// ends writes where the ends of a column lie.
func (f *frame) ends(c *counts, x *[summaries]float64) {
	n := float64(c.n)
	x[LowEdge], x[HighEdge] = f.quantileOf(c.bins, n, edgeRank), f.quantileOf(c.bins, n, 1-edgeRank)
}

// edgesOf returns the edges of a feature from the values of history.
func (b *builder) edgesOf(f *frame) []Edge {
	var out []Edge
	for _, k := range []Summary{LowEdge, HighEdge} {
		rank := edgeRank
		if k == HighEdge {
			rank = 1 - edgeRank
		}
		e := Edge{Pooled: f.quantileOf(f.pooled, f.n, rank)}
		var ok bool
		if e.Spread, ok = newSpread(k, b.values[k], b.phases, b.least, 0, noise{sd: 0, mean: math.Inf(-1)}); ok && e.SD > 0 && !math.IsNaN(e.Pooled) {
			out = append(out, e)
		}
	}
	return out
}

// explained returns Student's statistic of the move of the whole feature that would give
// s the share now, in the direction in which it rises, with its degrees of freedom: the
// smaller of both ends for both extremes. Infinity if no move would, or none is known; where
// reach says so, neither would a move that takes no value as far out as some of the view's i-th
// feature lie.
func (j *judge) explained(ref *FeatureReference, f *frame, i int, s Summary, now float64, reach bool) (t float64, df int) {
	t = math.Inf(1)
	for k := range ref.Edges {
		e := &ref.Edges[k]
		if s != Extremes && e.Summary.lowSide() != s.lowSide() {
			continue
		}
		cut := f.cuts.of(s, e.Summary)
		if cut < 0 || cut >= len(f.edges) {
			continue
		}
		move := f.moveTo(e.Summary, cut, s.natural(now))
		if reach && j.overshoots(e.Summary, i, f.edges[cut], move) {
			continue
		}
		if at, freedom := j.moved(e, move); at < t {
			t, df = at, freedom
		}
	}
	return t, df
}

// of returns the edge at which the tail of s begins at one end; -1 or more than there
// are if it has none.
func (c *Cuts) of(s, end Summary) int {
	switch {
	case s == LowTail:
		return c.Low - 1
	case s == HighTail:
		return c.High - 1
	case end == LowEdge:
		return c.LowExtreme - 1
	}
	return c.HighExtreme - 1
}

// moveTo returns the move of the whole feature by which share would come to lie beyond the cut
// at an end.
func (f *frame) moveTo(end Summary, cut int, share float64) float64 {
	if end == HighEdge {
		share = 1 - share
	}
	return f.edges[cut] - f.quantileOf(f.pooled, f.n, share)
}

// moved returns Student's statistic of a move of an end, outwards, with its degrees of freedom.
func (j *judge) moved(e *Edge, move float64) (t float64, df int) {
	side := -1.0
	if e.Summary == HighEdge {
		side = 1
	}
	m := len(j.windows)
	at := j.predict(&e.Spread, m)
	return side * e.interval(e.Pooled+move, at, m, 0), at.df
}

// overshoots reports whether values of the view's i-th feature lie so far beyond the edge at
// which a tail begins that a move of the whole feature is not what brought it there: further, by
// more than slack, than that move takes the farthest value of history.
func (j *judge) overshoots(end Summary, i int, edge, move float64) bool {
	b := columnOf(j.baseline, j.view, i)
	if b == nil || b.N == 0 {
		return false
	}
	far := math.Inf(-1)
	for w := range j.windows {
		if c := columnOf(j.windows[w].Profile, j.view, i); c != nil && c.N > 0 {
			far = max(far, outwards(end, edge, c))
		}
	}
	if end == LowEdge {
		move = -move
	}
	return far > slack*(max(0, move)+max(0, outwards(end, edge, b)))
}

// outwards returns how far beyond an edge the farthest value of a column lies at an end.
func outwards(end Summary, edge float64, c *sketch.Column) float64 {
	if end == LowEdge {
		return edge - c.Min
	}
	return c.Max - edge
}

// outermost returns the farthest value of a column at an end.
func outermost(end Summary, c *sketch.Column) float64 {
	if end == LowEdge {
		return c.Min
	}
	return c.Max
}
