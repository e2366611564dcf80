package drift

import (
	"slices"
	"strings"
	"testing"

	"sluice/feature"
)

const testLevel = 1e-3

// On stable windows at most 3 of 1,000 feature-windows may alarm, and none may block.
func TestFalseAlarms(t *testing.T) {
	alarms, effects, n := map[string]int{}, 0, map[string]int{}
	for _, seed := range []uint64{101, 202, 303} {
		l := learn(t, familyStream(seed, 1000, 3), 28)
		for i := range 20 {
			for _, s := range l.score(t, testLevel, l.window(28+i, nil)) {
				family := s.Feature[:max(0, strings.LastIndex(s.Feature, "_"))]
				n[family]++
				if s.Severity > 1 {
					alarms[family]++
					t.Logf("seed %d window %d: %s", seed, i, s.Text)
				}
				if s.Effect {
					effects++
				}
			}
		}
	}
	total, all := 0, 0
	for family := range n {
		total, all = total+alarms[family], all+n[family]
	}
	if rate := 1000 * float64(total) / float64(all); rate > 3 {
		t.Errorf("%d of %d stable feature-windows alarm: %.1f per 1,000, want at most 3 (%v)", total, all, rate, alarms)
	}
	if effects > 0 {
		t.Errorf("%d stable feature-windows would block, want 0", effects)
	}
}

// The p-values of stable windows are no smaller than they say: at a level of 5 %
// at most that share alarms before the run is adjusted.
func TestLevelIsKept(t *testing.T) {
	alarms, n := 0, 0
	for _, seed := range []uint64{7, 8} {
		s := newStream(seed, 1000, []feature.Feature{{Name: "x", Type: feature.Float64}}, func(r *randSource, v []feature.Value) {
			v[0] = feature.Float64Value(r.NormFloat64())
		})
		l := learn(t, s, 28)
		for i := range 150 {
			for _, s := range l.score(t, 0.05, l.window(28+i, nil)) {
				if s.Feature == "x" {
					n++
					if s.Severity > 1 {
						alarms++
					}
				}
			}
		}
	}
	if share := float64(alarms) / float64(n); share > 0.08 {
		t.Errorf("%d of %d windows alarm at level .05: %.3f", alarms, n, share)
	}
}

func TestPower(t *testing.T) {
	add := func(d float64) func(learned, feature.Value) feature.Value {
		return func(_ learned, v feature.Value) feature.Value { return feature.Float64Value(v.Float() + d) }
	}
	swap := func(share float64, to feature.Value) func(learned, feature.Value) feature.Value {
		return func(l learned, v feature.Value) feature.Value {
			if l.rng.Float64() < share {
				return to
			}
			return v
		}
	}
	for name, tc := range map[string]struct {
		family string
		change func(learned, feature.Value) feature.Value
		power  float64
		blocks float64
	}{
		"times 100":            {"normal", func(_ learned, v feature.Value) feature.Value { return feature.Float64Value(100 * v.Float()) }, 1, 1},
		"times 100, lognormal": {"lognormal", func(_ learned, v feature.Value) feature.Value { return feature.Float64Value(100 * v.Float()) }, 1, 1},
		"0.5 sigma":            {"normal", add(1), 1, 1},
		"0.25 sigma":           {"normal", add(0.5), 0.85, 0},
		"nulls 1 to 20 %":      {"few_nulls", swap(0.19, feature.Null), 1, 1},
		"nulls 1 to 5 %":       {"few_nulls", swap(0.04, feature.Null), 0.95, 0},
		"new category 4 %":     {"five_values", swap(0.04, feature.StringValue("new")), 1, 0.9},
		"outliers 2 %":         {"normal", swap(0.02, feature.Float64Value(40)), 0.8, 0.6},
		"constant":             {"normal", func(learned, feature.Value) feature.Value { return feature.Float64Value(10) }, 1, 1},
		"a flag turns":         {"flag", func(_ learned, v feature.Value) feature.Value { return feature.BoolValue(!v.Bool()) }, 1, 1},
		"all zero":             {"zero_inflated", func(learned, feature.Value) feature.Value { return feature.Float64Value(0) }, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			caught, blocked, n := 0.0, 0.0, 0.0
			for _, seed := range []uint64{11, 12} {
				family := families[slices.IndexFunc(families, func(f family) bool { return f.name == tc.family })]
				l := learn(t, oneFeature(seed, 1000, family.typ, family.draw), 28)
				for i := range 6 {
					w := l.window(28+i, func(v []feature.Value) { v[0] = tc.change(l, v[0]) })
					s := find(t, l.score(t, testLevel, w), "x")
					n++
					if s.Severity > 1 {
						caught++
					}
					if s.Effect {
						blocked++
					}
				}
			}
			if caught/n < tc.power || blocked/n < tc.blocks {
				t.Errorf("caught %.2f, blocked %.2f of %v windows, want %.2f and %.2f", caught/n, blocked/n, n, tc.power, tc.blocks)
			}
		})
	}
}

// find returns the score of that feature, and fails the test if there is none.
func find(t testing.TB, scores []feature.Score, name string) feature.Score {
	t.Helper()
	for _, s := range scores {
		if s.Feature == name {
			return s
		}
	}
	t.Fatalf("no score of %q among %d", name, len(scores))
	return feature.Score{}
}
