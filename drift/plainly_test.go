package drift

import (
	"math"
	"testing"

	"sluice/feature"
)

// A change of the size that is told has the statistic at its threshold, in a window without sampling error.
func TestPlainly(t *testing.T) {
	l := learn(t, oneFeature(4, 20_000, feature.Float64, normal), 12)
	for _, tc := range []struct {
		method    string
		threshold float64
		shift     float64 // of a normal law, in standard deviations; 0: none
	}{
		{MethodKS, .1, 2 * normalQuantile(.55)},
		{MethodKS, .3, 2 * normalQuantile(.65)},
		{MethodTVD, .1, 2 * normalQuantile(.55)},
		{MethodPSI, .1, math.Sqrt(.1)},
		{MethodPSI, .2, math.Sqrt(.2)},
		{MethodKS, 1.5, 0},
		{MethodChiSquare, .01, 0},
		{MethodKS, 0, 0},
	} {
		seen := Plainly(l.view, l.layout, l.baseline, tc.method, tc.threshold)
		if tc.shift == 0 {
			if len(seen) != 0 {
				t.Errorf("%s %v: %+v, want nothing", tc.method, tc.threshold, seen)
			}
			continue
		}
		if len(seen) != 1 || seen[0].Feature != "x" || math.Abs(seen[0].ShiftSD-tc.shift) > .04*tc.shift {
			t.Errorf("%s %v: %+v, want a shift of %.3f", tc.method, tc.threshold, seen, tc.shift)
			continue
		}
		moved := l.window(20, func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() + seen[0].Shift) })
		for _, s := range Statistics(l.view, l.layout, moved.Profile, l.baseline) {
			if s.Method == tc.method && math.Abs(s.Statistic-tc.threshold) > .12*tc.threshold+.01 {
				t.Errorf("%s of a window moved by %v is %.4f, want about %v", tc.method, seen[0].Shift, s.Statistic, tc.threshold)
			}
		}
	}
	if seen := Plainly(l.view, l.layout, l.baseline, MethodNulls, .05); len(seen) != 1 || math.Abs(seen[0].Nulls-.05) > 1e-12 {
		t.Errorf("nulls: %+v, want a rise by .05", seen)
	}
	c := learn(t, oneFeature(5, 1000, feature.String, families[5].draw), 12)
	if seen := Plainly(c.view, c.layout, c.baseline, MethodTVD, .2); len(seen) != 1 || seen[0].Share != .2 || seen[0].Unseen != .2 {
		t.Errorf("tvd of categories: %+v, want shares of .2", seen)
	}
}
