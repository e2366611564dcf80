package replay

import (
	"reflect"
	"testing"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/judge"
	"sluice/rules"
)

// A replay says of every window what the gate says that is given the same history,
// pinned, the windows that passed since, and what it remembered: alarms of one window,
// what adds up over several, and onsets.
func TestReplayIsTheGate(t *testing.T) {
	f := newFolder(t, 21)
	for n := range 70 {
		change, shift := field(3, "XX", 1000), 0.0
		switch {
		case n == 46:
			change = field(0, "", 3)
		case n >= 50:
			shift = .15
		}
		f.window(n, 300, shift, change)
	}
	const baseline = 40
	r, err := New(f.dir, Options{Baseline: baseline, Level: 0.001}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []Window
	if err := r.Run(t.Context(), func(Setup) error { return nil }, func(w Window) error { all = append(all, w); return nil }); err != nil {
		t.Fatal(err)
	}
	var recent []drift.WindowProfile
	var m judge.Memory
	slow, blocked := 0, 0
	builder := judge.NewBuilder()
	for i, got := range all {
		n := baseline + i
		p, _, err := r.profile(t.Context(), n, r.layout)
		if err != nil {
			t.Fatal(err)
		}
		now := drift.WindowProfile{Window: r.calendar.window(n), Profile: p}
		c, err := builder.Case(judge.Evidence{Kind: judge.KindWindow, View: r.view, Window: now.Window, Versions: []feature.Version{feature.Version(n + 1)}, Layout: r.layout,
			Current: []drift.WindowProfile{now}, History: r.history, Recent: recent, Baseline: r.template.Baseline, Rules: rules.Default(), Memory: m, Level: 0.001})
		if err != nil {
			t.Fatal(err)
		}
		v, err := judge.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		m = c.Remember(&v)
		if v.State == rules.Pass || v.State == rules.Warn {
			recent = append(recent, now)
		} else {
			blocked++
		}
		for _, l := range got.Lines {
			if want := r.line(got.Name, l.Feature, &v); !reflect.DeepEqual(l, want) {
				t.Errorf("%s: replay %+v, gate %+v", got.Name, l, want)
			}
			if l.Accumulated {
				slow++
			}
		}
		if got.State != v.State {
			t.Errorf("%s: replay %s, gate %s", got.Name, got.State, v.State)
		}
	}
	if slow == 0 || blocked == 0 {
		t.Errorf("%d alarms that add up and %d blocked windows: the test shows nothing", slow, blocked)
	}
}
