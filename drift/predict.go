package drift

import "math"

// prediction is where the mean of a summary over the current windows should lie.
type prediction struct {
	expected float64
	variance float64 // of the difference to it
	df       int     // degrees of freedom of variance
}

// predict returns what history says of the mean of m windows in the current phases.
func (j *judge) predict(s *Spread, m int) prediction {
	if m > 1 && j.reference.Method >= severing {
		expected, _, wide := s.expected(j.phases)
		return prediction{expected: expected, variance: (s.together(m) + s.SD*s.SD*s.shared(j.phases)) * wide, df: s.pooled(j.phases)}
	}
	p := s.predict(j.phases, m)
	p.df = j.freedom(s)
	return p
}

// predict is what methods before severing say of windows of those phases, and all of a single one.
func (s *Spread) predict(phaseOf func(season string) []int, m int) prediction {
	expected, inverse, wide := s.expected(phaseOf)
	return prediction{expected: expected, variance: (s.joint(m) + s.SD*s.SD*inverse) * wide, df: s.DF}
}

// together returns the variance of the mean of m windows in a row, more than that of so many
// independent ones where neighbours are alike. History says twice how many times, either of them loosely:
// by how its own means of m windows varied, of which few are independent, and by how like each window is to the
// next one, if what likeness there is further on follows from that. The mean of both counts, and at least once; methods
// before severing took the first alone (see joint), which by chance is too large in a third of all features.
func (s *Spread) together(m int) float64 {
	if m <= 1 || len(s.Moving) < 2 {
		return s.SD * s.SD / float64(m)
	}
	first := s.Moving[0] * s.Moving[0]
	one := max(s.SD*s.SD, first) / float64(m) // SD may be mostly that of sampling: see lean
	if !(first > 0) {
		return one
	}
	return one * max(1, (s.observed(m)/one+autoregressive(s.likeness(), m))/2)
}

// observed returns the variance that means of m windows in a row had. Of more windows than Moving
// knows it falls on as it did from half as many to that.
func (s *Spread) observed(m int) float64 {
	known := min(m, len(s.Moving))
	variance := s.Moving[known-1] * s.Moving[known-1]
	half := s.Moving[max(1, known/2)-1]
	if m == known || known < maxProbation || !(half > 0) {
		return variance
	}
	growth := min(2, max(1, 2*variance/(half*half))) // 1 of independent windows, 2 of those that are all the same
	return variance * math.Pow(float64(known)/float64(m), 1-math.Log2(growth))
}

// likeness returns the correlation of windows with the next one. About the mean of all windows it
// is less by 1/N where there is none; phases have means of their own.
func (s *Spread) likeness() float64 {
	r := 2*s.Moving[1]*s.Moving[1]/(s.Moving[0]*s.Moving[0]) - 1
	if n := float64(s.N); len(s.Phases) == 0 && n > 3 {
		r = (n*r + 1) / (n - 3)
	}
	return min(mostLike, max(-mostLike, r))
}

// mostLike bounds the correlation of neighbours, of which history knows little where it is high.
const mostLike = 0.95

// autoregressive returns how many times the variance of the mean of m independent windows that of windows
// is whose correlation is r to the power of their distance.
//
// Source: G. E. P. Box, G. M. Jenkins, Time Series Analysis, 1970, of the autoregressive process of
// order one; the correction of r for its bias is that of F. H. C. Marriott and J. A. Pope, Bias in the
// estimation of autocorrelations, Biometrika 41, 1954.
func autoregressive(r float64, m int) float64 {
	times, power := 1.0, 1.0
	for k := 1; k < m; k++ {
		power *= r
		times += 2 * (1 - float64(k)/float64(m)) * power
	}
	return times
}

// pooled returns the degrees of freedom of the variance of the mean of windows of those phases. A phase
// that is wider than others is known by its own windows, and the others by all, so that windows of many phases are known
// better than those of the widest one.
//
// Source: F. E. Satterthwaite, An approximate distribution of estimates of variance components,
// Biometrics Bulletin 2(6), 1946.
func (s *Spread) pooled(phaseOf func(season string) []int) int {
	if s.Season == "" {
		return s.DF
	}
	of := phaseOf(s.Season)
	whole, rest, least := 0.0, 0.0, s.DF
	for _, phase := range of {
		switch g := findPhase(s.Phases, phase); {
		case g == nil:
			whole++
		case g.Wide <= widerPhase:
			whole += g.Wide
		}
	}
	all := whole
	for i := range s.Phases {
		g, in := &s.Phases[i], 0.0
		if g.Wide <= widerPhase {
			continue
		}
		for _, phase := range of {
			if phase == g.Phase {
				in += g.Wide
			}
		}
		if in > 0 {
			df := phaseShrink + g.N - 1
			all, rest, least = all+in, rest+in*in/float64(df), min(least, df)
		}
	}
	df := all * all / (whole*whole/float64(s.DF) + rest)
	return max(least, min(s.DF, int(df)))
}

// interval returns Student's statistic of the mean of the m new windows in the prediction interval of
// history. inverse is the new windows' mean of 1/n: what they are noisier than history by, for having
// fewer observations, widens the interval, and raises the mean of a distance.
func (s *Spread) interval(now float64, p prediction, m int, inverse float64) float64 {
	expected, variance := p.expected, p.variance
	if extra := inverse - s.Inverse; extra > 0 && s.Inverse > 0 {
		variance += s.Unit * extra / float64(m)
		if s.Summary.distance() {
			expected += math.Log(inverse/s.Inverse) / 2
		}
	}
	return (now - expected) / math.Sqrt(variance)
}
