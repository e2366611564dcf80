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

// critical returns the t, without its sign, at which a summary that is one of so many
// alarms by itself on the side of now.
func (j *judge) critical(s *Spread, tests int, now float64) float64 {
	return j.quantile(s, j.level/float64(tests), now)
}

// quantile returns the t of a p-value under the law of s, on the side of now.
func (j *judge) quantile(s *Spread, p, now float64) float64 {
	at := tail{p, s.DF}
	if !summarySpecs[s.Summary].oneSided {
		at.p /= 2
	}
	t, ok := j.quantiles[at]
	if !ok {
		t = studentQuantile(at.p, float64(at.df))
		j.quantiles[at] = t
	}
	if s.Heavy != nil && now > 0 {
		t = max(t, s.Heavy.quantile(p))
	}
	return t
}

// severity maps a p-value to a scale on which level is 1 and smaller p is more.
func severity(p, level float64) float64 {
	return math.Log(max(p, leastP)) / math.Log(level)
}
