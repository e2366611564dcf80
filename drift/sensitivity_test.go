package drift

import (
	"math/rand/v2"
	"testing"

	"sluice/feature"
)

// TestSensitivity shifts windows by what is said to be seen half of the time, by half of
// that and by half as much again, over several histories.
func TestSensitivity(t *testing.T) {
	const rows, windows, histories = 500, 20, 10
	seen := map[float64]int{}
	for seed := range uint64(histories) {
		s := oneFeature(900+seed, rows, feature.Float64, func(r *randSource) feature.Value {
			if r.Float64() < 0.02 {
				return feature.Null
			}
			return feature.Float64Value(100 + 20*r.NormFloat64())
		})
		l := learn(t, s, 60)
		all := l.reference.Sensitivity(s.view, l.baseline, testLevel)
		if len(all) != 1 || all[0].ShiftSD < 0.1 || all[0].ShiftSD > 0.4 || all[0].Shift < 15*all[0].ShiftSD || all[0].Shift > 25*all[0].ShiftSD || !(all[0].Nulls > 0.01 && all[0].Nulls < 0.1) || !(all[0].Factor > 1) {
			t.Fatalf("Sensitivity = %+v", all)
		}
		for _, times := range []float64{0.5, 1, 1.5} {
			for n := range windows {
				w := s.window(100+n, func(values []feature.Value) {
					if !values[0].IsNull() {
						values[0] = feature.Float64Value(values[0].Float() + times*all[0].Shift)
					}
				})
				if l.score(t, testLevel, w)[1].PValue <= testLevel {
					seen[times]++
				}
			}
		}
	}
	t.Logf("seen of %d: %v", windows*histories, seen)
	for times, bounds := range map[float64][2]float64{0.5: {0, 0.15}, 1: {0.3, 0.75}, 1.5: {0.85, 1}} {
		if share := float64(seen[times]) / (windows * histories); share < bounds[0] || share > bounds[1] {
			t.Errorf("a shift of %v times what is seen half of the time is seen in %.2f, want %v", times, share, bounds)
		}
	}
}

// TestSensitivityOfNulls has as many nulls more as are said to be seen half of the time, by
// half of that and by half as much again: few of them, whose law is that of counts, and many.
func TestSensitivityOfNulls(t *testing.T) {
	const rows, windows, histories = 500, 20, 10
	for name, usual := range map[string]float64{"few": .02, "many": .2} {
		t.Run(name, func(t *testing.T) {
			seen := map[float64]int{}
			for seed := range uint64(histories) {
				s := oneFeature(1900+seed, rows, feature.Float64, func(r *randSource) feature.Value {
					if r.Float64() < usual {
						return feature.Null
					}
					return feature.Float64Value(100 + 20*r.NormFloat64())
				})
				l := learn(t, s, 60)
				all := l.reference.Sensitivity(s.view, l.baseline, testLevel)
				if len(all) != 1 || !(all[0].Nulls > 0) {
					t.Fatalf("Sensitivity = %+v", all)
				}
				rng := rand.New(rand.NewPCG(seed, 7))
				for _, times := range []float64{0.5, 1, 1.5} {
					for n := range windows {
						w := s.window(100+n, func(values []feature.Value) {
							if rng.Float64() < times*all[0].Nulls/(1-usual) {
								values[0] = feature.Null
							}
						})
						if l.score(t, testLevel, w)[1].PValue <= testLevel {
							seen[times]++
						}
					}
				}
			}
			t.Logf("seen of %d: %v", windows*histories, seen)
			for times, bounds := range map[float64][2]float64{0.5: {0, 0.15}, 1: {0.35, 0.7}, 1.5: {0.85, 1}} {
				if share := float64(seen[times]) / (windows * histories); share < bounds[0] || share > bounds[1] {
					t.Errorf("%v times the nulls that are seen half of the time are seen in %.2f, want %v", times, share, bounds)
				}
			}
		})
	}
}

// TestSensitivityOfTwoCategories: no distance is said to be seen that is beyond what two
// categories can be apart.
func TestSensitivityOfTwoCategories(t *testing.T) {
	for seed := range uint64(10) {
		s := oneFeature(2900+seed, 600, feature.Bool, func(r *randSource) feature.Value { return feature.BoolValue(r.Float64() < .2) })
		l := learn(t, s, 40)
		all := l.reference.Sensitivity(s.view, l.baseline, testLevel)
		if len(all) != 1 || all[0].Distance > 1 || !(all[0].Share > .04 && all[0].Share < .12) {
			t.Errorf("Sensitivity = %+v, want a rise of the larger share by about .07 and no distance above 1", all)
		}
	}
}
