package app

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/judge"
	"sluice/quality/sketch"
	"sluice/rules"
)

// What `rules check` says that rules see of a feature, by method: those with a threshold see a change that reaches it.
func TestRulesSee(t *testing.T) {
	view := &feature.View{ID: 1, Name: "payments", Window: feature.WindowSpec{Size: time.Hour}, Features: []feature.Feature{{ID: 1, Name: "amount", Type: feature.Float64, Unit: "EUR"}}}
	rng := rand.New(rand.NewPCG(3, 1))
	profile := func(n int, layout *sketch.Layout) *sketch.Profile {
		p := sketch.NewProfile(view, layout, sketch.HashKey{})
		for i := range 2000 {
			p.Add(&feature.Write{View: view, Topic: "t", Offset: int64(n*2000 + i), EventID: fmt.Sprint(n, i), Values: []feature.Value{feature.Float64Value(100 + 10*rng.NormFloat64())}})
		}
		return p
	}
	layout, err := sketch.BuildLayout(view, profile(0, sketch.Unbinned(view)))
	if err != nil {
		t.Fatal(err)
	}
	baseline := sketch.NewProfile(view, layout, sketch.HashKey{})
	var history []drift.WindowProfile
	for n := range 10 {
		p := profile(n, layout)
		if err := baseline.Merge(p); err != nil {
			t.Fatal(err)
		}
		history = append(history, drift.WindowProfile{Window: view.Window.Of(time.Unix(int64(n)*3600, 0)), Profile: p})
	}
	reference, err := drift.BuildReference(view, layout, history)
	if err != nil {
		t.Fatal(err)
	}
	p := past{windows: len(history), reference: &judge.Case{Layout: layout, Baseline: baseline, Reference: reference}}
	for _, tc := range []struct {
		method    string
		threshold float64
		shift     [2]float64 // in the feature's unit, from and to
		nulls     float64
		none      bool
	}{
		{method: rules.Calibrated, shift: [2]float64{.5, 4}},
		{method: rules.KS, threshold: .1, shift: [2]float64{2.2, 2.8}},
		{method: rules.PSI, threshold: .2, shift: [2]float64{4, 5}},
		{method: rules.Nulls, threshold: .05, nulls: .05},
		{method: rules.ChiSquare, threshold: 20, none: true},
		{method: rules.Expect, none: true},
	} {
		seen := p.check(view, &rules.Rule{Name: "r", View: "*", Feature: "*", Method: tc.method, Threshold: tc.threshold, Mode: rules.Notify}, .001).Features
		if tc.none {
			if len(seen) != 0 {
				t.Errorf("%s: %+v, want nothing", tc.method, seen)
			}
			continue
		}
		if len(seen) != 1 || seen[0].Shift < tc.shift[0] || seen[0].Shift > tc.shift[1] || tc.nulls > 0 && seen[0].Nulls != tc.nulls {
			t.Errorf("%s %v: %+v, want a shift of %v EUR and nulls of %v", tc.method, tc.threshold, seen, tc.shift, tc.nulls)
		}
	}
}
