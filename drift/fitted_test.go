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

// TestFittedWindowsDoNotFlatter builds a layout from the first windows of a feature
// with a long tail of rare values, and counts alarms of later windows, half of which
// have six per cent more values that nobody has seen. History must not take the few of
// its first windows for usual: it would be so wide that nothing is seen.
func TestFittedWindowsDoNotFlatter(t *testing.T) {
	view := &feature.View{ID: 1, Name: "shops", Window: feature.WindowSpec{Size: time.Hour}, Features: []feature.Feature{{ID: 1, Name: "shop", Type: feature.String}}}
	faulty := func(n int) bool { return n >= 28 && n%2 == 0 }
	rng := rand.New(rand.NewPCG(8, 1))
	start := func(n int) time.Time { return time.Unix(int64(n)*3600, 0).UTC() }
	rows := make([][]string, 128)
	for n := range rows {
		for i := range 500 {
			text := fmt.Sprint(int(math.Pow(1-rng.Float64(), -2)))
			if faulty(n) && i < 30 {
				text = fmt.Sprintf("new %d %d", n, i)
			}
			rows[n] = append(rows[n], text)
		}
	}
	window := func(n int, layout *sketch.Layout) *sketch.Profile {
		p := sketch.NewProfile(view, layout, sketch.HashKey{})
		for i, text := range rows[n] {
			p.Add(&feature.Write{View: view, EventTime: start(n), Topic: "t", Offset: int64(n*1000 + i), EventID: fmt.Sprint(n*1000 + i), Values: []feature.Value{feature.StringValue(text)}})
		}
		return p
	}
	var samples []*sketch.Profile
	for n := range MinWindows {
		samples = append(samples, window(n, sketch.Unbinned(view)))
	}
	layout, err := sketch.BuildLayout(view, samples...)
	if err != nil {
		t.Fatal(err)
	}
	alarms := func(marked bool) (quiet, found int) {
		baseline := sketch.NewProfile(view, layout, sketch.HashKey{})
		var history []WindowProfile
		for n := range 28 {
			p := window(n, layout)
			if err := baseline.Merge(p); err != nil {
				t.Fatal(err)
			}
			history = append(history, WindowProfile{Window: view.Window.Of(start(n)), Profile: p, Fitted: marked && n < MinWindows})
		}
		r, err := BuildReference(view, layout, history)
		if err != nil {
			t.Fatal(err)
		}
		for i := 28; i < len(rows); i++ {
			scores, err := r.Score(view, layout, []WindowProfile{{Window: view.Window.Of(start(i)), Profile: window(i, layout)}}, baseline, 0.01)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range scores {
				switch {
				case s.Method != MethodCalibrated || s.PValue > 0.01:
				case faulty(i):
					found++
				default:
					quiet++
				}
			}
		}
		return quiet, found
	}
	quiet, found := alarms(true)
	_, lost := alarms(false)
	t.Logf("at level 0.01 alarm %d of 50 windows like history and %d of 50 that are not; %d if the first windows count like others", quiet, found, lost)
	if quiet > 3 || found < 25 || found < lost+10 {
		t.Errorf("%d false alarms, %d of 50 found, %d before", quiet, found, lost)
	}
}
