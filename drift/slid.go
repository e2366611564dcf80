package drift

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// slack is how many times the move of a feature what lies beyond a cut may reach for the
// move to be what brought it there.
const slack = 1.5

// slid reports whether what lies beyond the cut of a tail came there because the whole
// feature moved: nothing of it lies further out than its end and its middle moved from where
// windows of these phases have them. Values with a hard bound that a season moves are all
// within it on most days, and many of them beyond it on one, and nothing but the location
// moved. Outliers lie further out than that, and so do the values of one of many producers
// that are in another unit, which leave the middle where it was. Location and distances may
// still block.
func (j *judge) slid(ref *FeatureReference, f *frame, i int, s Summary, shift *moved) bool {
	if f.placed {
		return false
	}
	for k := range ref.Edges {
		e := &ref.Edges[k]
		if s != Extremes && e.Summary.lowSide() != s.lowSide() {
			continue
		}
		cut := f.cuts.of(s, e.Summary)
		if cut < 0 || cut >= len(f.edges) {
			continue
		}
		reach, now := j.reach(f, i, e.Summary, f.edges[cut])
		expected, _, _ := e.expected(j.phases)
		end, middle := now-expected, f.rankOf(shift.now[Location])-f.rankOf(shift.expected[Location])
		if e.Summary == LowEdge {
			end, middle = -end, -middle
		}
		if reach > 0 && reach <= slack*min(end, middle) {
			return true
		}
	}
	return false
}

// rankOf returns the value whose rank in the pooled history has that normal score.
func (f *frame) rankOf(score float64) float64 {
	return f.quantileOf(f.pooled, f.n, distuv.UnitNormal.CDF(score))
}

// reach returns how far beyond the edge the current windows' values reach at an end, and where
// its quantile lies on the average: in an outer bin between the last value and its edge.
func (j *judge) reach(f *frame, i int, end Summary, edge float64) (reach, quantile float64) {
	reach = math.Inf(-1)
	for w := range j.windows {
		c := columnOf(j.windows[w].Profile, j.view, i)
		if c == nil || c.N == 0 {
			return 0, math.NaN()
		}
		bins, n := c.Bins(), float64(c.N)
		rank, most, last, outer := edgeRank, edge-c.Min, c.Min, bins[0]
		if end == HighEdge {
			rank, most, last, outer = 1-edgeRank, c.Max-edge, c.Max, bins[len(bins)-1]
		}
		at := f.quantileOf(bins, n, rank)
		if inner := edgeRank * n / float64(outer); inner < 1 {
			at = last + (at-last)*inner
		}
		reach = max(reach, most)
		quantile += at / float64(len(j.windows))
	}
	return reach, quantile
}
