package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// live judges windows of a text feature one by one, as a gate does from the eighth on: the layout is made of the first
// eight, and a window that would be blocked never becomes history. It returns how many of the others alarm, how many
// would be blocked, and whether the window after the eighth, with 6 % of its rows in a new value, alarms and would be.
func live(t *testing.T, windows, rows int, draw func(r *rand.Rand, window, row int) string) (alarms, blocks int, found, stopped bool) {
	t.Helper()
	view := &feature.View{ID: 1, Name: "shops", Window: feature.WindowSpec{Size: time.Hour}, Features: []feature.Feature{{ID: 1, Name: "shop", Type: feature.String}}}
	start := func(n int) time.Time { return time.Unix(int64(n)*3600, 0).UTC() }
	profile := func(n int, layout *sketch.Layout, fault float64) *sketch.Profile {
		r, p := rand.New(rand.NewPCG(5, uint64(n))), sketch.NewProfile(view, layout, sketch.HashKey{})
		for i := range rows {
			text := draw(r, n, i)
			if float64(i) < fault*float64(rows) {
				text = "a value that nobody has seen"
			}
			p.Add(&feature.Write{View: view, EventTime: start(n), Topic: "t", Offset: int64(n*rows + i), EventID: fmt.Sprint(n, i), Values: []feature.Value{feature.StringValue(text)}})
		}
		return p
	}
	var samples []*sketch.Profile
	for n := range MinWindows {
		samples = append(samples, profile(n, sketch.Unbinned(view), 0))
	}
	layout, err := sketch.BuildLayout(view, samples...)
	if err != nil {
		t.Fatal(err)
	}
	var history []WindowProfile
	for n := range MinWindows {
		history = append(history, WindowProfile{Window: view.Window.Of(start(n)), Profile: profile(n, layout, 0), Fitted: true})
	}
	judge := func(n int, fault float64) (w WindowProfile, alarm, block bool) {
		reference, err := BuildReference(view, layout, history)
		if err != nil {
			t.Fatal(err)
		}
		baseline, err := merge(view, layout, history)
		if err != nil {
			t.Fatal(err)
		}
		w = WindowProfile{Window: view.Window.Of(start(n)), Profile: profile(n, layout, fault)}
		scores, err := reference.Score(view, layout, []WindowProfile{w}, baseline, testLevel)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scores {
			if s.Feature != "" && s.PValue <= testLevel {
				alarm, block = true, block || s.Effect
			}
		}
		return w, alarm, block
	}
	_, found, stopped = judge(MinWindows, .06)
	for n := MinWindows; n < windows; n++ {
		w, alarm, block := judge(n, 0)
		if alarm {
			alarms++
		}
		if block {
			blocks++
			continue
		}
		history = append(history, w)
	}
	return alarms, blocks, found, stopped
}

// Values that have no end are new in every window, also in those after the ones that the layout was made of.
func TestOpenValuesAreNoFault(t *testing.T) {
	for name, draw := range map[string]func(r *rand.Rand, window, row int) string{
		"unique": func(_ *rand.Rand, window, row int) string { return fmt.Sprintf("mail-%d-%d@example.com", window, row) },
		"half unique": func(_ *rand.Rand, window, row int) string {
			return fmt.Sprintf("mail-%d-%d", window*(row%2), row*(row%2))
		},
		"long tail": func(r *rand.Rand, _, _ int) string { return fmt.Sprint(int(math.Pow(1-r.Float64(), -1/.6))) },
	} {
		for _, rows := range []int{200, 1000, 5000} {
			t.Run(fmt.Sprintf("%s, %d rows", name, rows), func(t *testing.T) {
				if alarms, blocks, _, _ := live(t, 40, rows, draw); blocks > 0 || alarms > 1 {
					t.Errorf("of 32 stable windows %d alarm and %d would be blocked, want at most one and none", alarms, blocks)
				}
			})
		}
	}
}

// A cold start does not take ever new values for a change, nor a window of nothing but them where values have an end.
func TestColdStartOfOpenValues(t *testing.T) {
	for name, tc := range map[string]struct {
		draw func(window, row int) string
		want bool
	}{
		"unique":                 {func(window, row int) string { return fmt.Sprint(window, row) }, false},
		"five, then others":      {func(window, row int) string { return fmt.Sprint(window/2, row%5) }, true},
		"unique, then one value": {func(window, row int) string { return fmt.Sprint(window, row*(1-window/2)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			view := &feature.View{ID: 1, Name: "v", Window: feature.WindowSpec{Size: time.Hour}, Features: []feature.Feature{{ID: 1, Name: "x", Type: feature.String}}}
			profile := func(window int, layout *sketch.Layout) *sketch.Profile {
				p := sketch.NewProfile(view, layout, sketch.HashKey{})
				for i := range 1000 {
					p.Add(&feature.Write{View: view, Topic: "t", Offset: int64(window*1000 + i), EventID: fmt.Sprint(window, i), Values: []feature.Value{feature.StringValue(tc.draw(window, i))}})
				}
				return p
			}
			layout, err := sketch.BuildLayout(view, profile(0, sketch.Unbinned(view)))
			if err != nil {
				t.Fatal(err)
			}
			baseline := profile(0, layout)
			if err := baseline.Merge(profile(1, layout)); err != nil {
				t.Fatal(err)
			}
			scores := ColdStart(view, layout, profile(2, layout), baseline, testLevel, 0, true)
			if len(scores) != 1 || scores[0].Severity > 1 != tc.want {
				t.Errorf("scores %+v, want an alarm: %v", scores, tc.want)
			}
		})
	}
}

// Values that have an end are judged from the first window after those.
func TestClosedValuesAreJudgedAtOnce(t *testing.T) {
	for name, values := range map[string]int{"five": 5, "forty": 40} {
		t.Run(name, func(t *testing.T) {
			alarms, blocks, found, stopped := live(t, 40, 1000, func(r *rand.Rand, _, _ int) string { return fmt.Sprint(r.IntN(values)) })
			if alarms > 1 || blocks > 0 || !found || !stopped {
				t.Errorf("of 32 stable windows %d alarm and %d would be blocked, 6 %% in a new value found: %v, would be blocked: %v", alarms, blocks, found, stopped)
			}
		})
	}
}
