package drift

import (
	"math"
	"slices"
)

// falseDiscoveries is the share of false alarms among the alarms of a run that
// Benjamini-Hochberg holds.
const falseDiscoveries = 0.05

// adjust fills in the p-values after Benjamini-Hochberg: a finding with p <=
// level still alarms unless its false discovery rate over the run is above
// falseDiscoveries.
func adjust(findings []finding, level float64) {
	order := make([]int, len(findings))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case findings[a].p < findings[b].p:
			return -1
		case findings[a].p > findings[b].p:
			return 1
		}
		return 0
	})
	q, m := 1.0, float64(len(order))
	for rank := len(order); rank > 0; rank-- {
		f := &findings[order[rank-1]]
		q = min(q, f.p*m/float64(rank))
		f.adjusted = min(1, max(f.p, q*level/falseDiscoveries))
	}
}

// tail is a tail probability of Student's law.
type tail struct {
	p  float64
	df int
}

// weight returns the share of a feature's level that a summary has, against others.
// Location and scale, which most faults move, have more of it.
func (j *judge) weight(s Summary, f *frame) float64 {
	method := j.reference.Method
	switch {
	case method >= severing && j.slow && f.class == numeric && !f.placed:
		return slowWeights[s]
	case method >= reaching && f.class == numeric && !f.placed:
		return scaleWeights[s]
	case method >= sharpened && f.class == numeric && !f.placed:
		return sharpWeights[s]
	case method >= guarded && f.class == numeric:
		return numericWeights[s]
	case method >= surging && f.class == categorical:
		return categoricalWeights[s]
	case method >= guarded:
		return 1
	case method >= weighted && (s == Location || s == Scale):
		return mainWeight
	}
	return 1
}

// numericWeights are those of numbers in methods 3 and 4, and of times. A change of scale at a thousand rows
// takes most of a level to see; what a distance shows, location, scale or tails show better.
var numericWeights = func() (w [summaries]float64) {
	for s := range w {
		w[s] = 1
	}
	w[Location], w[Scale] = 5, 10
	w[KSDistance], w[TVDistance], w[HellingerDistance] = 0.3, 0.3, 0.3
	return w
}()

// sharpWeights are those of numbers in method 5: a little for each of the tails and
// extremes, more for both extremes together and the deviation, which show outliers, and
// most for scale.
var sharpWeights = func() (w [summaries]float64) {
	for s := range w {
		w[s] = 1
	}
	w[Location], w[Scale] = 9.5, 22
	w[LowTail], w[HighTail], w[LowExtreme], w[HighExtreme] = 0.7, 0.7, 0.8, 0.8
	w[Extremes], w[Deviation], w[Nulls] = 2, 2, 2.5
	w[KSDistance], w[TVDistance], w[HellingerDistance] = 0.5, 0.5, 0.5
	return w
}()

// scaleWeights are those of numbers since method 6: two thirds of the level are of scale, of
// which a change by 1.14 takes that much of it to be seen in a thousand rows.
var scaleWeights = func() (w [summaries]float64) {
	w = sharpWeights
	w[Location], w[Scale] = 10, 45
	w[Extremes], w[Deviation], w[Nulls] = 3, 3, 3
	return w
}()

// slowWeights are those of numbers in several windows that add up, since method 8: what comes slowly moves
// the location, and a scale that changes by 1.14 is seen in four windows with little of the level.
var slowWeights = func() (w [summaries]float64) {
	w = scaleWeights
	w[Location], w[Scale] = 45, 10
	return w
}()

// categoricalWeights are those of categories since method 4. One new value among many shows
// in the surge alone, and many new ones, each of them rare, in the unseen values.
var categoricalWeights = func() (w [summaries]float64) {
	for s := range w {
		w[s] = 1
	}
	w[Surge], w[Unseen] = 8, 4
	return w
}()

// blockRatio is how many times less likely than the level what blocks must be: a warning
// that is wrong costs a look, a block a window.
const blockRatio = 100

// blocking returns the p-value up to which a feature may block.
func (j *judge) blocking() float64 {
	if j.reference.Method >= weighted {
		return j.level / blockRatio
	}
	return j.level
}

// clips returns how near to 0 and 1 ranks come in normal scores.
func (r *Reference) clips() clips {
	switch {
	case r.Method >= reaching:
		return clips{mainClip, farClip}
	case r.Method >= sharpened:
		return clips{mainClip, wideClip}
	case r.Method >= weighted:
		return clips{mainClip, mainClip}
	}
	return clips{scoreClip, scoreClip}
}

// mainWeight is the weight of location and scale in method 2.
const mainWeight = 4

// quantile returns the t of a p-value under the law of s, on the side of now.
func (j *judge) quantile(s *Spread, df int, p, now float64) float64 {
	t := j.quantiles.of(tail{p / s.sides(now), df})
	if s.Heavy != nil && now > 0 {
		t = max(t, s.Heavy.quantile(p))
	}
	return t
}

// freedom returns the degrees of freedom that windows of the current phases are judged
// with.
func (j *judge) freedom(s *Spread) int {
	if j.reference.Method < weighted {
		return s.DF
	}
	return s.freedom(j.phases)
}

// severity maps a p-value to a scale on which level is 1 and smaller p is more.
func severity(p, level float64) float64 {
	return math.Log(max(p, leastP)) / math.Log(level)
}
