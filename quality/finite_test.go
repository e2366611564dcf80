package quality

import (
	"math"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/quality/sketch"
)

func TestNotFiniteIsRefused(t *testing.T) {
	view := &feature.View{Name: "v", Features: []feature.Feature{
		{ID: 1, Name: "a", Type: feature.Float64, NotFinite: feature.NotFiniteReject, Expect: feature.Expect{Min: new(0.0)}},
		{ID: 2, Name: "b", Type: feature.ListOf(feature.Float32), NotFinite: feature.NotFiniteReject, Expect: feature.Expect{Length: &feature.Length{Max: new(1)}}},
		{ID: 3, Name: "c", Type: feature.Float64, Expect: feature.Expect{Min: new(0.0)}},
	}}
	checker, err := NewChecker(view)
	if err != nil {
		t.Fatal(err)
	}
	one := feature.Float64Value(1)
	list := feature.ListValue(feature.Float32, []feature.Value{feature.Float32Value(1), feature.Float32Value(float32(math.Inf(-1)))})
	for name, tc := range map[string]struct {
		values    []feature.Value
		blamed    int
		reason    string
		notFinite bool
	}{
		"NaN":                {[]feature.Value{feature.Float64Value(math.NaN()), feature.Null, one}, 0, "a: NaN, which not_finite: reject of its definition refuses; send a number, or null", true},
		"infinite":           {[]feature.Value{feature.Float64Value(math.Inf(1)), feature.Null, one}, 0, "a: Infinity, which", true},
		"in a list too long": {[]feature.Value{one, list, one}, 1, "b: element 1 is -Infinity, which", true},
		"a bound":            {[]feature.Value{feature.Float64Value(-1), feature.Null, one}, 0, "a: -1 is below min 0", false},
		"NaN by a bound":     {[]feature.Value{one, feature.Null, feature.Float64Value(math.NaN())}, 2, "c: NaN is not between", false},
		"nulls":              {[]feature.Value{feature.Null, feature.Null, feature.Null}, -1, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := &feature.Write{View: view, Values: tc.values}
			at, reason, ok := checker.Check(w)
			if at != tc.blamed || ok != (tc.blamed < 0) || !strings.HasPrefix(reason, tc.reason) || checker.NotFinite(w, at) != tc.notFinite {
				t.Errorf("Check = %d, %q, %t, not finite %t; want %d, %q, %t", at, reason, ok, checker.NotFinite(w, at), tc.blamed, tc.reason, tc.notFinite)
			}
		})
	}
}

// Nulls that stand for what is not finite count among the nulls of a window, and among
// those that completeness knows; where such values pass they do not.
func TestNotFiniteAmongNulls(t *testing.T) {
	for policy, want := range map[string]float64{feature.NotFiniteNull: .25, feature.NotFinitePass: .05, "": .05} {
		view := &feature.View{Name: "v", Features: []feature.Feature{
			{ID: 1, Name: "a", Type: feature.Float64, NotFinite: policy, Expect: feature.Expect{Nulls: new(.1)}},
			{ID: 2, Name: "b", Type: feature.Float64, NotFinite: policy},
		}, Expect: []feature.Expectation{{Name: "whole", Completeness: new(.9)}}}
		p := sketch.NewProfile(view, sketch.Unbinned(view), sketch.HashKey{})
		for i := range 100 {
			v := feature.Float64Value(float64(i))
			switch i % 20 {
			case 0, 1:
				v = feature.Float64Value(math.NaN())
			case 2:
				v = feature.Float64Value(math.Inf(1))
			case 3:
				v = feature.Float64Value(math.Inf(-1))
			case 4:
				v = feature.Null
			}
			w := &feature.Write{View: view, Offset: int64(i), Values: []feature.Value{v, v}}
			for k := range w.Values {
				view.Features[k].Admit(&w.Values[k])
			}
			p.Add(w)
		}
		got := map[string]float64{}
		for _, s := range Expectations(view, p, 1) {
			got[s.Method+s.Summary] = s.Statistic
		}
		if got["nulls"] != want || got["expectwhole"] != want {
			t.Errorf("policy %q: nulls %v, missing %v, want %v", policy, got["nulls"], got["expectwhole"], want)
		}
	}
}
