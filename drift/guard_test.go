package drift

import (
	"math"
	"testing"

	"sluice/feature"
)

// TestGuard wants what sampling may give not to block, whatever else is said of it, and
// what it cannot give to.
func TestGuard(t *testing.T) {
	for name, tc := range map[string]struct {
		summary       Summary
		rows          float64
		now, expected float64 // natural
		want          bool
	}{
		"D .18 in 210 rows":             {KSDistance, 210, .18, .05, false},
		"D .25 in 210 rows":             {KSDistance, 210, .25, .05, true},
		"D .12 in 10,000 rows":          {KSDistance, 10_000, .12, .01, true},
		"three rows of 100 in a tail":   {HighTail, 100, .03, .002, false},
		"a fifth of 100 null":           {Nulls, 100, .2, .01, true},
		"six null of 100, one usual":    {Nulls, 100, .061, .01, false},
		"a category from .3 to .42":     {Share1, 100, .42, .3, false},
		"the same in 10,000 rows":       {Share1, 10_000, .42, .3, true},
		"nulls that history never had":  {Nulls, 100, .2, 0, true},
		"a category that held all rows": {Share1, 1000, .8, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			var inverse [summaries]float64
			m := moved{strict: true, unlikely: -math.Log(1e-7), inverse: &inverse, pooled: 28 * tc.rows, rows: 28 * tc.rows, windows: 1}
			unmeasured(&m.now)
			unmeasured(&m.expected)
			m.now[tc.summary], m.expected[tc.summary] = transform(tc.summary, tc.now), transform(tc.summary, tc.expected)
			inverse[tc.summary] = 1 / tc.rows
			if got := m.large(tc.summary); got != tc.want {
				t.Errorf("%s from %v to %v of %v rows: large = %v, want %v", tc.summary, tc.expected, tc.now, tc.rows, got, tc.want)
			}
		})
	}
}

// TestLead wants a unit that is wrong told as a move, with the sign of the move, and a
// column that became constant as one that varies less.
func TestLead(t *testing.T) {
	for name, tc := range map[string]struct {
		factor, constant float64
		falling          bool
	}{"times 100": {100, 0, false}, "a hundredth": {.01, 0, true}, "constant": {0, 10, true}} {
		t.Run(name, func(t *testing.T) {
			l := learn(t, oneFeature(77, 500, families[0].typ, families[0].draw), 28)
			w := l.window(28, func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float()*tc.factor + tc.constant) })
			s := find(t, l.score(t, testLevel, w), "x")
			if told := s.Summary == "scale" && s.Statistic < 0; !s.Effect || told && !tc.falling || tc.factor == 100 && s.Summary == "location" && s.Statistic <= 0 {
				t.Errorf("%s %.1f, effect %v: %s", s.Summary, s.Statistic, s.Effect, s.Text)
			}
		})
	}
}
