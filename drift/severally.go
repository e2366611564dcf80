package drift

import (
	"math"
	"slices"
)

// mostP is the largest probability that a window without a rise counts with: three standard deviations.
const mostP = 0.99865

// sever lets the rise of a tail in several windows be no less likely than severally says, where it is
// unlikely at all.
func (j *judge) sever(ref *FeatureReference, f *frame, i int, shift *moved, r *rival, reach bool) {
	r.least = 0
	if past, _ := j.past(r, 1/r.tests); past {
		r.least = j.severally(ref, f, i, r.spread, shift, reach)
	}
}

// shifting reports whether an end of the feature has a season.
func (f *FeatureReference) shifting() bool {
	return slices.ContainsFunc(f.Edges, func(e Edge) bool { return e.Season != "" })
}

// severally returns how likely the rise of a tail's share in several windows is, each judged by itself.
// Where the ends of a feature have a season, the mean of the shares says little: one window has nearly all of
// it, whose end lies a little further out than its phase's mean, as that of one in ten does, while that the
// others have nothing there is what their phases have. So each window's share is judged in the law of its own phase, and is no more
// unlikely than the move of the whole feature that would explain it in that window alone (see Edge); the
// mean of the normal scores of these probabilities has what windows vary by, divided among them, and the
// whole error of history's mean, which all of them share. reach is as explained takes it.
//
// Source: the sum of normal scores is that of S. A. Stouffer and others, The American Soldier 1, 1949;
// Student's law in its place allows for the error of the history's standard deviation, which they share too.
func (j *judge) severally(ref *FeatureReference, f *frame, i int, s *Spread, shift *moved, reach bool) float64 {
	sum, m, df := 0.0, 0.0, s.DF
	alone := *j
	for w := range shift.each {
		if !math.IsNaN(shift.each[w].x[s.Summary]) {
			alone.windows = j.windows[w : w+1]
			sum -= normalQuantile(min(mostP, alone.alone(ref, f, i, s, &shift.each[w], reach)))
			m++
		}
	}
	if m == 0 {
		return 1
	}
	share := 1 / m
	inverse := s.shared(j.phases)
	for k := range ref.Edges {
		if e := &ref.Edges[k]; s.Summary == Extremes || e.Summary.lowSide() == s.Summary.lowSide() {
			share = max(share, e.together(int(m))/(e.SD*e.SD))
			inverse, df = max(inverse, e.shared(j.phases)), min(df, e.DF)
		}
	}
	return studentTail(sum/m/math.Sqrt((share+inverse)/(1+inverse)), float64(df))
}

// alone returns the probability of a share like that of a window, or a larger one, in the one window that
// j judges.
func (j *judge) alone(ref *FeatureReference, f *frame, i int, s *Spread, window *reduced, reach bool) float64 {
	x := window.x[s.Summary]
	at := j.predict(s, 1)
	t, p := s.interval(x, at, 1, window.inverse[s.Summary]), 0.0
	if s.Rare != nil {
		p = s.Rare.about(s.Summary.natural(x), 1/window.inverse[s.Summary])
	} else {
		p = studentTail(t, float64(at.df))
	}
	if t > 0 {
		if move, df := j.explained(ref, f, i, s.Summary, x, reach); df > 0 {
			p = max(p, studentTail(move, float64(df)))
		}
	}
	return p
}
