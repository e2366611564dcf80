package drift

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// pinnedLimit is the most first alarms that 1,000 stable feature-windows may show
// against a pinned reference, with room for the few seeds of a run.
const pinnedLimit = 0.5

// Stable streams stay quiet against a pinned reference.
func TestPinnedFalseAlarms(t *testing.T) {
	for _, g := range regimes {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			n, alarms := map[string]int{}, map[string]int{}
			for i := range *calibrationSeeds {
				l := learn(t, regimeStream(g, uint64(9001+113*i), *calibrationRows, 1), g.history)
				recent, since := slices.Clone(l.history[g.history-PinnedWindows:]), map[string]time.Time{}
				for k := range 2 * *calibrationWindows {
					recent = append(recent[1:], l.window(g.history+k, nil))
					found, err := l.reference.Pinned(l.view, l.layout, recent, l.baseline, testLevel, since)
					if err != nil {
						t.Fatal(err)
					}
					for f := range l.view.Features {
						kind, _ := columnKind(l.view.Features[f].Name)
						n[kind]++
					}
					for _, s := range found {
						if s.Method != MethodPinned {
							t.Fatalf("method %q", s.Method)
						}
						kind, _ := columnKind(s.Feature)
						alarms[kind]++
						since[s.Feature] = recent[len(recent)-1].Window.End
					}
				}
			}
			for _, kind := range []string{"numeric", "categorical"} {
				t.Logf("%-6s %-11s %6d feature-windows: %.2f first alarms per 1,000", g.name, kind, n[kind], 1000*float64(alarms[kind])/float64(n[kind]))
				if most := pinnedLimit * float64(n[kind]) / 1000; float64(alarms[kind]) > most+3*math.Sqrt(most) {
					t.Errorf("%s: %d first alarms of %d stable feature-windows, want at most %v of 1,000", kind, alarms[kind], n[kind], pinnedLimit)
				}
			}
		})
	}
}

// ramp is what became of a stream that drifts by an equal step with every window: in
// which window it was first told of, by each of three ways to look; never is none.
type ramp struct{ alone, adding, pinned int }

const never = math.MaxInt

// drifting judges a stream of one feature as the gate does: against the last windows
// that it judged, by each window and by several; and against its first ones, pinned.
func drifting(t *testing.T, seed uint64, wobble, step float64, history, windows int) ramp {
	t.Helper()
	move := 0.0
	l := learn(t, oneFeature(seed, *calibrationRows, families[0].typ, families[0].draw), history)
	trailing := slices.Clone(l.history)
	out, since := ramp{never, never, never}, map[string]time.Time{}
	for k := range windows {
		noise := wobble * l.rng.NormFloat64()
		move = step*float64(k+1) + noise
		w := l.window(history+k, func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() + 2*move) })
		if alarms(now(t, l, trailing).score(t, testLevel, w)) {
			out.alone = min(out.alone, k+1)
		}
		recent := append(slices.Clone(trailing[len(trailing)-Accumulated+1:]), w)
		before := now(t, l, trailing[:len(trailing)-Accumulated+1])
		slow, err := before.reference.Accumulate(l.view, l.layout, recent, before.baseline, testLevel, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(slow) > 0 {
			out.adding = min(out.adding, k+1)
		}
		found, err := l.reference.Pinned(l.view, l.layout, recent, l.baseline, testLevel, since)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 && out.pinned == never {
			out.pinned = k + 1
		}
		trailing = append(trailing[1:], w)
	}
	return out
}

// now returns what is learned of the windows of history as they are now.
func now(t *testing.T, l learned, history []WindowProfile) learned {
	t.Helper()
	l.history, l.baseline = history, sketch.NewProfile(l.view, l.layout, l.key)
	for _, w := range history {
		if err := l.baseline.Merge(w.Profile); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if l.reference, err = BuildReference(l.view, l.layout, history); err != nil {
		t.Fatal(err)
	}
	return l
}

func alarms(scores []feature.Score) bool {
	return slices.ContainsFunc(scores, func(s feature.Score) bool { return s.Feature != "" && s.PValue <= testLevel })
}

// A slow drift shows against the pinned reference, whatever the trailing one says of it.
func TestPinnedRamp(t *testing.T) {
	for name, tc := range map[string]struct {
		wobble, step float64
		windows      int
		within       int // half of the streams are found by then
	}{
		"0.02 sd a window":              {0, .02, 24, 12},
		"0.002 sd a window":             {0, .002, 60, 48},
		"0.02 sd a window, wobble .03":  {.03, .02, 24, 14},
		"0.002 sd a window, wobble .03": {.03, .002, 80, 64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var alone, adding, pinned []int
			for i := range *calibrationSeeds {
				r := drifting(t, uint64(3001+17*i), tc.wobble, tc.step, 28, tc.windows)
				alone, adding, pinned = append(alone, r.alone), append(adding, r.adding), append(pinned, r.pinned)
			}
			t.Logf("%-30s over %d windows: each alone %s; adding up %s; pinned %s", name, tc.windows, delays(alone), delays(adding), delays(pinned))
			slices.Sort(pinned)
			if median := pinned[len(pinned)/2]; median > tc.within {
				t.Errorf("half of the streams were found after %d windows, want %d", median, tc.within)
			}
		})
	}
}

// delays puts into words when streams were found.
func delays(all []int) string {
	all = slices.Clone(all)
	slices.Sort(all)
	found, _ := slices.BinarySearch(all, never)
	at := func(i int) string {
		if all[i] == never {
			return "never"
		}
		return strconv.Itoa(all[i])
	}
	return fmt.Sprintf("%d of %d found, median %s, 90 %% %s", found, len(all), at(len(all)/2), at(len(all)*9/10))
}
