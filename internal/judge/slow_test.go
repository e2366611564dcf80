package judge

import (
	"slices"
	"testing"

	"sluice/drift"
	"sluice/feature"
	"sluice/rules"
)

// A slow case finds a shift that began after the first of its windows, and when; it is
// recomputed from what is stored.
func TestSlowCase(t *testing.T) {
	f := newFlights()
	f.pin(t)
	e := f.evidence(t, 24)
	shifted := func(v []feature.Value) { v[0] = feature.Float64Value(3 * v[0].Float()) }
	for i, change := range []func([]feature.Value){nil, nil, shifted, shifted} {
		e.Current = append(e.Current, f.window(24+i, 300, change))
	}
	e.Kind, e.Slow = KindProbation, true
	v, c := judged(t, e)
	if onset := e.Current[2].Window.Start; v.State != rules.Fail || !v.Onset.Equal(onset) {
		t.Errorf("state %s, onset %s, want fail and %s: %+v", v.State, v.Onset, onset, v.Reasons)
	}
	if !slices.ContainsFunc(v.Reasons, func(r rules.Reason) bool { return r.Feature == "delay" }) {
		t.Errorf("reasons %+v, want one of delay", v.Reasons)
	}
	text, blobs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeCase(text, fetch(blobs))
	if err != nil {
		t.Fatal(err)
	}
	if differences := Verify(v, again); len(differences) > 0 {
		t.Errorf("recomputed: %v", differences)
	}
	v.Onset = v.Onset.Add(f.view.Window.Size)
	if differences := Verify(v, again); len(differences) != 1 {
		t.Errorf("another onset: %v, want one difference", differences)
	}
}

// Without a shift, or without enough history, a slow case has nothing to say.
func TestSlowCaseOfNothing(t *testing.T) {
	for history, want := range map[int]int{24: 0, 3: 0} {
		f := newFlights()
		f.pin(t)
		e := f.evidence(t, history)
		var current []drift.WindowProfile
		for i := range 4 {
			current = append(current, f.window(history+i, 300, nil))
		}
		e.Kind, e.Slow, e.Current = KindProbation, true, current
		if v, _ := judged(t, e); v.State != rules.Pass || len(v.Scores) != want || !v.Onset.IsZero() {
			t.Errorf("%d windows of history: %s, onset %s, %+v", history, v.State, v.Onset, v.Scores)
		}
	}
}
