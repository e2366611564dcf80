package materialize

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

func (w *world) watch(after time.Duration) {
	w.t.Helper()
	w.clock = manualClock{day0.Add(after), true}
	if err := w.gate.watchAll(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) openAlerts() []string {
	w.t.Helper()
	alerts, err := w.registry.OpenAlerts(w.t.Context(), w.view.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	kinds := []string{}
	for _, a := range alerts {
		kinds = append(kinds, a.Kind)
	}
	return kinds
}

func TestFreshnessIsToldOncePerChange(t *testing.T) {
	view := paymentsView()
	view.Freshness = feature.Freshness{Warn: time.Hour, Page: 2 * time.Hour, Critical: 3 * time.Hour}
	w := newWorld(t, view)
	w.watch(10 * time.Hour)
	if got := w.kinds(); len(got) != 0 {
		t.Fatalf("told %q of a view that never served anything", got)
	}
	w.run(0, 300, 10)
	w.run(1, 300, 10) // until day0 + 2h
	for _, step := range []struct {
		after time.Duration
		told  int // so far
		open  []string
	}{
		{3 * time.Hour, 0, []string{}},
		{3*time.Hour + time.Second, 1, []string{"stale"}},
		{3*time.Hour + 2*time.Second, 1, []string{"stale"}},
		{4*time.Hour + time.Minute, 2, []string{"stale"}},
		{9 * time.Hour, 3, []string{"stale"}},
	} {
		w.watch(step.after)
		w.watch(step.after)
		if got := w.kinds(); len(got) != step.told || !slices.Equal(w.openAlerts(), step.open) {
			t.Errorf("at %s told %q, open %q; want %d events, %q", step.after, got, w.openAlerts(), step.told, step.open)
		}
	}
	w.restart()
	w.watch(9 * time.Hour)
	w.run(8, 300, 10)
	w.watch(9*time.Hour + time.Minute)
	if got, want := w.kinds(), []string{"stale", "stale", "stale", "resolved stale"}; !slices.Equal(got, want) || len(w.openAlerts()) != 0 {
		t.Errorf("told %q, open %q; want %q and none", got, w.openAlerts(), want)
	}
	if last := w.events()[len(w.events())-1]; !strings.Contains(last.Alert.Text, "fresh again") {
		t.Errorf("told %q, want that it is fresh again", last.Alert.Text)
	}
	var kinds []string
	for _, v := range w.verdicts() {
		if v.Kind == "freshness" {
			kinds = append(kinds, v.State+" "+v.Decision)
		}
	}
	if want := []string{"warn notify", "warn notify", "warn notify", "pass notify"}; !slices.Equal(kinds, want) {
		t.Errorf("freshness verdicts %q, want %q", kinds, want)
	}
}

func TestUnsetClockIsNotAsked(t *testing.T) {
	view := paymentsView()
	view.Freshness = feature.Freshness{Warn: time.Hour}
	w := newWorld(t, view)
	w.put(1, 10, 1)
	w.run(0, 300, 10)
	w.clock = manualClock{day0.Add(1000 * time.Hour), false}
	if err := w.gate.watchAll(t.Context()); err != nil || len(w.kinds()) != 0 {
		t.Errorf("with an unset clock told %q, %v", w.kinds(), err)
	}
}

func TestOverdueWindowIsReported(t *testing.T) {
	view := paymentsView()
	view.Window.Lateness, view.Window.Idle = time.Minute, time.Minute
	w := newWorld(t, view)
	w.put(0, 300, 10)
	w.progress(0, feature.ViewProgress{Watermark: w.window(0).End.Add(time.Minute)})
	w.progress(1, feature.ViewProgress{Watermark: w.window(0).Start})
	w.watch(2 * time.Hour)
	if got := w.kinds(); len(got) != 0 {
		t.Fatalf("told %q before a window length has passed", got)
	}
	for range 2 {
		w.watch(2*time.Hour + 2*time.Minute)
	}
	if got := w.kinds(); !slices.Equal(got, []string{"blind"}) || !strings.Contains(w.events()[0].Alert.Text, topic+"/1") || strings.Contains(w.events()[0].Alert.Text, topic+"/0") {
		t.Fatalf("told %q: %+v; want the partition that holds the window open", got, w.events())
	}
	w.restart()
	w.watch(2*time.Hour + 3*time.Minute)
	w.progress(1, feature.ViewProgress{Idle: true})
	w.decide()
	w.watch(2*time.Hour + 4*time.Minute)
	if got := w.kinds(); !slices.Equal(got, []string{"blind", "resolved blind"}) || len(w.openAlerts()) != 0 {
		t.Errorf("told %q, open %q; want the end of it", got, w.openAlerts())
	}
}

// TestWatchWithoutAnswer: the registry has taken what the gate says of freshness, and of
// windows that do not close, and the answer is lost: people are told once, and there is one
// alert.
func TestWatchWithoutAnswer(t *testing.T) {
	for name, after := range map[string]bool{"took effect": true, "did not": false} {
		t.Run(name, func(t *testing.T) {
			view := paymentsView()
			view.Window.Lateness, view.Window.Idle = time.Minute, time.Minute
			view.Freshness = feature.Freshness{Warn: time.Hour}
			w := newWorld(t, view)
			for n := range 2 { // the second stays open
				w.put(n, 300, 10)
				for p := range int32(2) {
					w.progress(p, feature.ViewProgress{Watermark: w.window(0).End.Add(time.Minute)})
				}
				w.decide()
			}
			lost := map[string]int{}
			w.gate.deps.Registry = &crashing{w.registry, func(c feature.Commit) bool {
				for _, a := range c.Alerts {
					lost[a.Kind]++
				}
				return slices.ContainsFunc(c.Alerts, func(a feature.Alert) bool { return lost[a.Kind] == 1 })
			}, after}
			for range 4 {
				w.watch(5 * time.Hour)
			}
			for _, got := range [][]string{w.kinds(), w.openAlerts()} {
				slices.Sort(got)
				if !slices.Equal(got, []string{"blind", "stale"}) {
					t.Errorf("people were told %q, and open are %q; want one of each", w.kinds(), w.openAlerts())
				}
			}
		})
	}
}

func TestFencedGateStopsWatching(t *testing.T) {
	view := paymentsView()
	view.Freshness = feature.Freshness{Warn: time.Hour}
	w := newWorld(t, view)
	w.run(0, 300, 10)
	old := w.gate
	w.restart()
	w.clock = manualClock{day0.Add(100 * time.Hour), true}
	if err := old.watchAll(t.Context()); !errors.Is(err, feature.ErrFenced) {
		t.Errorf("a fenced gate watches on: %v, want ErrFenced", err)
	}
}
