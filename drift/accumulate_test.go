package drift

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"sluice/feature"
)

// cusum is the two-sided cumulative sum that Accumulate is measured against.
type cusum struct{ allowance, limit, up, down float64 }

// add takes a standardised value, and starts anew where it alarms.
func (c *cusum) add(z float64) (alarm bool) {
	z = max(-4, min(4, z))
	c.up, c.down = max(0, c.up+z-c.allowance), max(0, c.down-z-c.allowance)
	if alarm = max(c.up, c.down) > c.limit; alarm {
		c.up, c.down = 0, 0
	}
	return alarm
}

// standardised returns how far location and scale of a window's feature are from
// those of history, in standard deviations of history.
func (l learned) standardised(i int, w WindowProfile) (z []float64) {
	j := &judge{reference: l.reference, view: l.view, layout: l.layout, current: []WindowProfile{w}, windows: []WindowProfile{w}, baseline: l.baseline, level: testLevel}
	ref := j.find(i)
	f := j.frame(i, ref)
	now, _ := mean(j.reduce(i, &f, j.windows))
	for _, s := range ref.Spreads {
		if s.Summary != Location && s.Summary != Scale {
			continue
		}
		expected, _, _ := s.expected(j.phases)
		z = append(z, (now[s.Summary]-expected)/s.SD)
	}
	return z
}

// sums is a pair of cumulative sums of each feature: location and scale.
type sums map[int][]*cusum

func (all sums) add(l learned, i int, w WindowProfile, allowance, limit float64) (alarm bool) {
	z := l.standardised(i, w)
	if all[i] == nil {
		for range z {
			all[i] = append(all[i], &cusum{allowance: allowance, limit: limit})
		}
	}
	for k := range z {
		alarm = all[i][k].add(z[k]) || alarm
	}
	return alarm
}

// slowLimit is the goal for first alarms per 1,000 stable feature-windows, with room
// for the few seeds of a run.
const slowLimit = 0.5

// Stable streams: how often the accumulator alarms for the first time since it started
// anew, beside a cumulative sum (k = 1, h = 6) of the same numeric windows.
func TestAccumulateFalseAlarms(t *testing.T) {
	for _, g := range regimes {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			n, alarms, blocks, summed := map[string]int{}, map[string]int{}, 0, 0
			for i := range max(1, *calibrationSeeds/2) {
				l := learn(t, regimeStream(g, uint64(7001+131*(i+*calibrationSkip)), *calibrationRows, 3), g.history)
				since, former, recent := map[string]time.Time{}, sums{}, []WindowProfile(nil)
				for k := range 2 * *calibrationWindows {
					recent = append(recent, l.window(g.history+k, nil))
					recent = recent[max(0, len(recent)-Accumulated):]
					for f := range l.view.Features {
						kind, _ := columnKind(l.view.Features[f].Name)
						n[kind]++
						if kind == "numeric" && former.add(l, f, recent[len(recent)-1], 1, 6) {
							summed++
						}
					}
					slow, err := l.reference.Accumulate(l.view, l.layout, recent, l.baseline, testLevel, since)
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range slow {
						kind, _ := columnKind(s.Feature)
						alarms[kind]++
						if s.Effect {
							blocks++
						}
						since[s.Feature] = recent[len(recent)-1].Window.End
					}
				}
			}
			for _, kind := range []string{"numeric", "categorical"} {
				rate := 1000 * float64(alarms[kind]) / float64(n[kind])
				t.Logf("%-6s %-11s %6d feature-windows: %.2f first alarms per 1,000", g.name, kind, n[kind], rate)
				if slack := 3 * math.Sqrt(slowLimit*float64(n[kind])/1000); float64(alarms[kind]) > slowLimit*float64(n[kind])/1000+slack {
					t.Errorf("%s: %d first alarms of %d stable feature-windows, want at most %v of 1,000", kind, alarms[kind], n[kind], slowLimit)
				}
			}
			t.Logf("%-6s %d of the alarms would block", g.name, blocks)
			if blocks > 0 && g.blocks == 0 {
				t.Errorf("%d alarms of stable feature-windows would block", blocks)
			}
			t.Logf("%-6s cumulative sum, numeric: %.2f first alarms per 1,000", g.name, 1000*float64(summed)/float64(n["numeric"]))
		})
	}
}

// Small shifts are found in time, and their onset is close.
func TestAccumulatePower(t *testing.T) {
	for name, tc := range map[string]struct {
		step   func(k int) float64 // in standard deviations, k windows after it began
		median int
		within float64 // share that is found within ten windows
	}{
		"0.1 sigma":           {func(int) float64 { return .1 }, 6, .95},
		"0.02 sigma a window": {func(k int) float64 { return .02 * float64(k+1) }, 8, .95},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const before, after = 8, 30
			var delays, sums1, errors []int
			for i := range 4 * *calibrationSeeds {
				l := learn(t, oneFeature(uint64(511+i), *calibrationRows, families[0].typ, families[0].draw), 28)
				delay, sum := after, after
				former, recent, since := sums{}, []WindowProfile(nil), map[string]time.Time{}
				for k := range before + after {
					recent = append(recent, l.window(28+k, func(v []feature.Value) {
						if k >= before {
							v[0] = feature.Float64Value(v[0].Float() + 2*tc.step(k-before))
						}
					}))
					recent = recent[max(0, len(recent)-Accumulated):]
					if former.add(l, 0, recent[len(recent)-1], 1, 6) && k >= before {
						sum = min(sum, k-before+1)
					}
					slow, err := l.reference.Accumulate(l.view, l.layout, recent, l.baseline, testLevel, since)
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range slow {
						since[s.Feature] = recent[len(recent)-1].Window.End
						if s.Feature == "x" && k >= before && delay == after {
							delay = k - before + 1
							errors = append(errors, max(delay-s.Windows, s.Windows-delay))
						}
					}
				}
				delays, sums1 = append(delays, delay), append(sums1, sum)
			}
			slices.Sort(delays)
			slices.Sort(sums1)
			slices.Sort(errors)
			t.Logf("%-19s %d streams: %s; onset within %d windows in half of them; cumulative sum: %s", name, len(delays), spread(delays), errors[len(errors)/2], spread(sums1))
			if got := delays[len(delays)/2]; got > tc.median {
				t.Errorf("half are found after %d windows, want %d", got, tc.median)
			}
			if got := within10(delays); got < tc.within {
				t.Errorf("%.2f are found within ten windows, want %.2f", got, tc.within)
			}
		})
	}
}

func within10(delays []int) float64 {
	n, _ := slices.BinarySearch(delays, 11)
	return float64(n) / float64(len(delays))
}

func spread(delays []int) string {
	return fmt.Sprintf("median %d, 90 %% %d, greatest %d, within ten windows %.2f", delays[len(delays)/2], delays[len(delays)*9/10], delays[len(delays)-1], within10(delays))
}

// An alarm starts the feature anew: its windows do not count again.
func TestAccumulateStartsAnew(t *testing.T) {
	l := learn(t, oneFeature(3, 1000, families[0].typ, families[0].draw), 28)
	var recent []WindowProfile
	for k := range Accumulated {
		recent = append(recent, l.window(28+k, func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() + 1) }))
	}
	slow, err := l.reference.Accumulate(l.view, l.layout, recent, l.baseline, testLevel, nil)
	if err != nil || len(slow) != 1 || slow[0].Feature != "x" {
		t.Fatalf("Accumulate = %+v, %v, want an alarm of x", slow, err)
	}
	end := recent[len(recent)-1].Window.End
	if slow, err = l.reference.Accumulate(l.view, l.layout, recent, l.baseline, testLevel, map[string]time.Time{"x": end}); err != nil || len(slow) != 0 {
		t.Errorf("Accumulate after an alarm = %+v, %v, want nothing", slow, err)
	}
	if slow, err = l.reference.Accumulate(l.view, l.layout, recent[:1], l.baseline, testLevel, nil); err != nil || len(slow) != 0 {
		t.Errorf("Accumulate of one window = %+v, %v, want nothing", slow, err)
	}
}
