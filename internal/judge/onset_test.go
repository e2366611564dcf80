package judge

import (
	"slices"
	"testing"

	"sluice/feature"
	"sluice/rules"
)

// Probation finds a shift that began after the first of its windows, although the mean of
// them all does not fail, and when; that is recomputed from what is stored.
func TestOnset(t *testing.T) {
	f := newFlights()
	f.pin(t)
	e := f.evidence(t, 24)
	shifted := func(v []feature.Value) { v[0] = feature.Float64Value(1.5 * v[0].Float()) }
	for i, change := range []func([]feature.Value){nil, nil, shifted, shifted} {
		e.Current = append(e.Current, f.window(24+i, 300, change))
	}
	e.Kind = KindProbation
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

// Without a shift there is no onset, nor where all windows have it.
func TestNoOnset(t *testing.T) {
	for name, tc := range map[string]struct {
		times float64
		state rules.State
	}{"no shift": {1, rules.Pass}, "in all windows": {3, rules.Fail}} {
		t.Run(name, func(t *testing.T) {
			f := newFlights()
			f.pin(t)
			e := f.evidence(t, 24)
			for i := range 4 {
				e.Current = append(e.Current, f.window(24+i, 300, func(v []feature.Value) { v[0] = feature.Float64Value(tc.times * v[0].Float()) }))
			}
			e.Kind = KindProbation
			if v, _ := judged(t, e); v.State != tc.state || !v.Onset.IsZero() {
				t.Errorf("state %s, onset %s, want %s and none: %+v", v.State, v.Onset, tc.state, v.Reasons)
			}
		})
	}
}
