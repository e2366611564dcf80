package quality

import (
	"math"
	"reflect"
	"testing"

	"sluice/feature"
	"sluice/quality/sketch"
)

// profileOf returns a profile of n rows, of which the first nulls are null in
// every feature, with that many refused writes.
func profileOf(view *feature.View, n, nulls, refused, whole int) *sketch.Profile {
	p := sketch.NewProfile(view, sketch.Unbinned(view), sketch.HashKey{})
	for i := range n {
		w := &feature.Write{View: view, Offset: int64(i), Values: make([]feature.Value, len(view.Features))}
		for j := range w.Values {
			if i >= nulls {
				w.Values[j] = feature.Float64Value(float64(i))
			}
		}
		p.Add(w)
	}
	for range refused {
		p.Refuse(0)
	}
	for range whole {
		p.Refuse(-1)
	}
	return p
}

func TestExpectations(t *testing.T) {
	expect := func(statistic, threshold, severity float64, n uint64, text string) feature.Score {
		return feature.Score{Feature: "a", Method: "expect", Statistic: statistic, Threshold: threshold, Severity: severity, PValue: 1, N: n, Effect: true, Text: text}
	}
	nulls := func(statistic, threshold, severity float64, n uint64, text string) feature.Score {
		s := expect(statistic, threshold, severity, n, text)
		s.Method = "nulls"
		return s
	}
	short := func(s feature.Score) feature.Score { s.Short = "no rows"; return s }
	whole := func(s feature.Score) feature.Score { s.Feature = ""; return s }
	for name, tc := range map[string]struct {
		expect                     feature.Expect
		rows, null, refused, whole int
		want                       []feature.Score
	}{
		"nothing expected": {feature.Expect{}, 100, 50, 0, 0, nil},
		"none refused": {feature.Expect{Min: new(0.0)}, 100, 0, 0, 0,
			[]feature.Score{expect(0, .01, 0, 100, "a: 0 of 100 writes refused (0 %), allowed 1 %")}},
		"default bound": {feature.Expect{Min: new(0.0)}, 96, 0, 4, 0,
			[]feature.Score{expect(.04, .01, 4, 100, "a: 4 of 100 writes refused (4 %), allowed 1 %")}},
		"at the bound": {feature.Expect{Bad: new(.25)}, 75, 0, 25, 0,
			[]feature.Score{expect(.25, .25, 1, 100, "a: 25 of 100 writes refused (25 %), allowed 25 %")}},
		"bound 0, one refused": {feature.Expect{Min: new(0.0), Bad: new(0.0)}, 99, 0, 1, 0,
			[]feature.Score{expect(.01, 0, 1.01, 100, "a: 1 of 100 writes refused (1 %), allowed 0 %")}},
		"bound 0, none refused": {feature.Expect{Bad: new(0.0)}, 10, 0, 0, 0,
			[]feature.Score{expect(0, 0, 0, 10, "a: 0 of 10 writes refused (0 %), allowed 0 %")}},
		"refused though nothing is expected now": {feature.Expect{}, 50, 0, 50, 0,
			[]feature.Score{expect(.5, .01, 50, 100, "a: 50 of 100 writes refused (50 %), allowed 1 %")}},
		"nulls": {feature.Expect{Nulls: new(.125)}, 100, 25, 0, 0,
			[]feature.Score{nulls(.25, .125, 2, 100, "a: 25 of 100 rows null (25 %), allowed 12.5 %")}},
		"refused rows are not among the nulls": {feature.Expect{Nulls: new(.5)}, 100, 25, 300, 0, []feature.Score{
			expect(.75, .01, 75, 400, "a: 300 of 400 writes refused (75 %), allowed 1 %"),
			nulls(.25, .5, .5, 100, "a: 25 of 100 rows null (25 %), allowed 50 %")}},
		"no rows": {feature.Expect{Nulls: new(.5), Bad: new(.5)}, 0, 0, 0, 0, []feature.Score{
			short(expect(0, .5, 0, 0, "a: 0 of 0 writes refused (0 %), allowed 50 %")),
			short(nulls(0, .5, 0, 0, "a: 0 of 0 rows null (0 %), allowed 50 %"))}},
		"refused as a whole": {feature.Expect{}, 96, 0, 0, 4,
			[]feature.Score{whole(expect(.04, .01, 4, 100, "row: 4 of 100 writes refused (4 %), allowed 1 %"))}},
	} {
		t.Run(name, func(t *testing.T) {
			view := one(feature.Float64, tc.expect)
			got := Expectations(view, profileOf(view, tc.rows, tc.null, tc.refused, tc.whole), 1)
			if len(got) != len(tc.want) {
				t.Fatalf("Expectations = %+v, want %+v", got, tc.want)
			}
			for i := range got {
				if math.Abs(got[i].Severity-tc.want[i].Severity) < 1e-12 {
					got[i].Severity = tc.want[i].Severity
				}
				if !reflect.DeepEqual(got[i], tc.want[i]) {
					t.Errorf("score %d = %+v, want %+v", i, got[i], tc.want[i])
				}
			}
		})
	}
}

// Late writes count among the writes, and a feature that the profile lacks has no
// score.
func TestExpectationsOfOtherDefinition(t *testing.T) {
	view := one(feature.Float64, feature.Expect{Bad: new(.5)})
	p := profileOf(view, 50, 0, 25, 0)
	for range 25 {
		p.AddLate(&feature.Write{View: view})
	}
	wide := viewOf(view.Features[0], feature.Feature{Type: feature.Float64, Expect: feature.Expect{Nulls: new(0.0)}})
	got := Expectations(wide, p, 1)
	if len(got) != 1 || got[0].Statistic != .25 || got[0].N != 100 {
		t.Errorf("Expectations = %+v, want one score of 0.25 over 100 writes", got)
	}
}
