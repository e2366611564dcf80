package quality

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// filled returns a profile over bins of n rows, made by value, each of its own entity.
func filled(t *testing.T, view *feature.View, n int, value func(i int) []feature.Value) *sketch.Profile {
	t.Helper()
	return ordered(t, view, n, n, time.Second, value)
}

// ordered is filled with n rows of so many entities in turn; a negative step goes back.
func ordered(t *testing.T, view *feature.View, n, entities int, step time.Duration, value func(i int) []feature.Value) *sketch.Profile {
	t.Helper()
	first := sketch.NewProfile(view, sketch.Unbinned(view), sketch.HashKey{1})
	rows := make([]*feature.Write, n)
	for i := range rows {
		rows[i] = &feature.Write{View: view, Topic: "t", Offset: int64(i), Key: feature.Key(fmt.Sprint("k", i%entities)),
			EventTime: time.Unix(1e9, 0).Add(time.Duration(i) * step), Values: value(i)}
		first.Add(rows[i])
	}
	layout, err := sketch.BuildLayout(view, first)
	if err != nil {
		t.Fatal(err)
	}
	p := sketch.NewProfile(view, layout, sketch.HashKey{1})
	p.AddBatch(rows)
	return p
}

// scoreOf returns the score of that summary.
func scoreOf(t *testing.T, scores []feature.Score, summary string) feature.Score {
	t.Helper()
	i := slices.IndexFunc(scores, func(s feature.Score) bool { return s.Summary == summary })
	if i < 0 {
		t.Fatalf("no score %q among %+v", summary, scores)
	}
	return scores[i]
}

func floats(i int) []feature.Value { return []feature.Value{feature.Float64Value(float64(i))} }

func TestRanges(t *testing.T) {
	span := func(low, high float64) *feature.Range { return &feature.Range{Min: &low, Max: &high} }
	for name, tc := range map[string]struct {
		expect    feature.Expect
		summary   string
		statistic float64
		text      string
	}{
		"mean within":      {feature.Expect{Mean: span(400, 600)}, "mean", 0, "a: mean is 499.5, within bounds"},
		"mean above":       {feature.Expect{Mean: span(1, 333)}, "mean", .5, "a: mean is 499.5, above max 333"},
		"mean below":       {feature.Expect{Mean: span(999, 2000)}, "mean", .5, "a: mean is 499.5, below min 999"},
		"mean above 0":     {feature.Expect{Mean: span(-1, 0)}, "mean", 499.5, "a: mean is 499.5, above max 0"},
		"median within":    {feature.Expect{Quantiles: map[string]feature.Range{"0.5": *span(450, 550)}}, "quantile 0.5", 0, ""},
		"tail above":       {feature.Expect{Quantiles: map[string]feature.Range{"1": *span(0, 100)}}, "quantile 1", 8.99, "a: quantile 1 is 999, above max 100"},
		"different":        {feature.Expect{Distinct: span(900, 1100)}, "distinct", 0, ""},
		"within error":     {feature.Expect{Distinct: span(1, 950)}, "distinct", 0, ""},
		"too many":         {feature.Expect{Distinct: span(1, 100)}, "distinct", math.NaN(), "above max 100"},
		"one end is given": {feature.Expect{Mean: &feature.Range{Max: new(600.0)}}, "mean", 0, "a: mean is 499.5, within bounds"},
	} {
		t.Run(name, func(t *testing.T) {
			view := one(feature.Float64, tc.expect)
			s := scoreOf(t, Expectations(view, filled(t, view, 1000, floats), 1), tc.summary)
			broken := math.IsNaN(tc.statistic) || tc.statistic > 0
			if !math.IsNaN(tc.statistic) && math.Abs(s.Statistic-tc.statistic) > .01 || (s.Severity > 1) != broken || !strings.Contains(s.Text, tc.text) || s.Method != "expect" {
				t.Errorf("score = %+v, want statistic %v and text %q", s, tc.statistic, tc.text)
			}
		})
	}
	view := one(feature.Float64, feature.Expect{Mean: span(1, 2)})
	if s := scoreOf(t, Expectations(view, profileOf(view, 10, 0, 0, 0), 1), "mean"); s.Short == "" || s.Severity != 0 {
		t.Errorf("mean without bins = %+v, want a short score", s)
	}
}

func TestUnique(t *testing.T) {
	for name, tc := range map[string]struct {
		rows, different int
		bad             *float64
		broken          bool
		text            string
	}{
		"all differ":               {1000, 1000, nil, false, "a: 0 of 1000 rows repeat a value (0 %), allowed 1 %"},
		"few repeat":               {1000, 995, nil, false, "a: 5 of 1000 rows repeat a value (0.5 %), allowed 1 %"},
		"none may":                 {1000, 999, new(0.0), true, "a: 1 of 1000 rows repeat a value (0.1 %), allowed 0 %"},
		"many repeat":              {1000, 500, nil, true, "a: 500 of 1000 rows repeat a value (50 %), allowed 1 %"},
		"more than are remembered": {50_000, 50_000, new(0.0), false, "a: 0 of 2048 rows repeat a value (0 %), allowed 0 %; of 50000 rows, those of 2048 values were looked at"},
		"a sample of many repeats": {50_000, 40_000, nil, true, "those of 2048 values were looked at"},
	} {
		t.Run(name, func(t *testing.T) {
			view := one(feature.Float64, feature.Expect{Unique: true, Bad: tc.bad})
			p := filled(t, view, tc.rows, func(i int) []feature.Value { return floats(i % tc.different) })
			s := scoreOf(t, Expectations(view, p, 1), "unique")
			if (s.Severity > 1) != tc.broken || !strings.Contains(s.Text, tc.text) {
				t.Errorf("score = %+v, want broken %t, text %q", s, tc.broken, tc.text)
			}
		})
	}
}

// A feature may repeat and a combination not; nulls equal nothing.
func TestUniqueTogether(t *testing.T) {
	view := viewOf(feature.Feature{Type: feature.Int64}, feature.Feature{Type: feature.String})
	view.Entities = []feature.Entity{{Name: "u", Type: feature.String}}
	view.Expect = []feature.Expectation{
		{Name: "pair", Unique: []string{"b", "a"}, Bad: new(0.0)}, {Name: "text", Unique: []string{"b"}, Bad: new(0.0)},
		{Name: "account", Unique: []string{"u"}, Bad: new(0.0)},
	}
	p := filled(t, view, 1000, func(i int) []feature.Value {
		if i%10 == 0 {
			return []feature.Value{feature.Int64Value(1), feature.Null}
		}
		return []feature.Value{feature.Int64Value(int64(i)), feature.StringValue(fmt.Sprint(i % 100))}
	})
	scores := Expectations(view, p, 1)
	pair, text, account := scoreOf(t, scores, "pair"), scoreOf(t, scores, "text"), scoreOf(t, scores, "account")
	if pair.Severity != 0 || pair.N != 900 || account.Severity != 0 || account.N != 1000 {
		t.Errorf("pair %+v, account %+v, want both kept over 900 and 1000 rows", pair, account)
	}
	if text.Statistic != .9 || text.Feature != "" || !strings.HasPrefix(text.Text, "expectation text: 810 of 900 rows repeat") {
		t.Errorf("text = %+v, want 810 of 900 repeated", text)
	}
}

func TestMonotonic(t *testing.T) {
	view := one(feature.Float64, feature.Expect{Monotonic: true})
	view.Expect = []feature.Expectation{{Name: "in_order", Monotonic: feature.EventTimeName}}
	at := func(i int) []feature.Value { return floats(i / 7) } // one that stays does not go back
	for name, tc := range map[string]struct {
		rows, entities int
		step           time.Duration
		value          func(i int) []feature.Value
		time, feature  bool // broken
	}{
		"rising":                        {2000, 50, time.Second, at, false, false},
		"event time falls":              {2000, 50, -time.Second, at, true, false},
		"feature falls":                 {2000, 50, time.Second, func(i int) []feature.Value { return floats(-i) }, false, true},
		"one of ten entities falls":     {2000, 10, time.Second, func(i int) []feature.Value { return floats(map[bool]int{true: -i, false: i}[i%10 == 3]) }, false, true},
		"many writes, then a leap back": {40_000, 5, time.Second, func(i int) []feature.Value { return floats(i % 20_000) }, false, true},
		"every entity once":             {2000, 2000, -time.Second, func(i int) []feature.Value { return floats(-i) }, false, false},
		"undefined":                     {2000, 50, time.Second, func(int) []feature.Value { return []feature.Value{feature.Float64Value(math.NaN())} }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			scores := Expectations(view, ordered(t, view, tc.rows, tc.entities, tc.step, tc.value), 1)
			byTime, byFeature := scoreOf(t, scores, "in_order"), scoreOf(t, scores, "monotonic")
			if (byTime.Severity > 1) != tc.time || (byFeature.Severity > 1) != tc.feature {
				t.Errorf("event time %+v, feature %+v, want broken %t, %t", byTime, byFeature, tc.time, tc.feature)
			}
		})
	}
}

func TestOwnExpectations(t *testing.T) {
	view := viewOf(feature.Feature{Type: feature.Float64}, feature.Feature{Type: feature.Float64, Expect: feature.Expect{Nulls: new(1.0)}})
	view.Expect = []feature.Expectation{
		{Name: "paid", Expr: "a > 0"}, {Name: "odd", Expr: "a < 9", Bad: new(.5)}, {Name: "many", Rows: &feature.Range{Min: new(100.0), Max: new(2000.0)}},
		{Name: "soon", Late: new(.1)},
	}
	view.Tags = map[string]string{"tier": "critical"}
	p := profileOf(view, 1000, 1, 0, 3)
	for range 40 {
		p.RefuseBy(&feature.Write{View: view}, 2)
	}
	p.RefuseBy(&feature.Write{View: view}, 3)
	p.RefuseBy(&feature.Write{View: &feature.View{Expect: []feature.Expectation{{Name: "gone", Expr: "a > 1"}}}}, 0)
	for range 100 {
		p.AddLate(nil)
	}
	scores := Expectations(view, p, 1)
	for summary, want := range map[string]string{
		"paid":         "expectation paid: 40 of 1145 writes refused (3.4934 %), allowed 1 %",
		"odd":          "expectation odd: 1 of 1145 writes refused (0.0873 %), allowed 50 %",
		"many":         "expectation many: rows of a window is 1000, within bounds",
		"soon":         "expectation soon: 100 of 1100 writes late (9.0909 %), allowed 10 %",
		"completeness": "expectation completeness: 1 of 1000 values missing (0.1 %), allowed 0.05 %",
	} {
		if s := scoreOf(t, scores, summary); s.Text != want || s.Feature != "" {
			t.Errorf("%s = %+v, want %q", summary, s, want)
		}
	}
	if last := scores[len(scores)-1]; last.Summary != "" || last.Text != "row: 4 of 1145 writes refused (0.3493 %), allowed 1 %" {
		t.Errorf("last score = %+v, want the 4 refused under no name", last)
	}
	if s := scoreOf(t, Expectations(view, p, 20), "many"); s.Severity <= 1 || s.Statistic != .5 {
		t.Errorf("50 rows a window = %+v, want half of min missing", s)
	}
	view.Expect = append(view.Expect, feature.Expectation{Name: "mostly", Completeness: new(.99)})
	if s := scoreOf(t, Expectations(view, p, 1), "mostly"); s.Severity > 1 || math.Abs(s.Threshold-.01) > 1e-12 {
		t.Errorf("completeness of 99 %% = %+v, want it kept", s)
	}
	view.Expect[len(view.Expect)-1].Completeness = new(0.0)
	if slices.ContainsFunc(Expectations(view, p, 1), func(s feature.Score) bool { return s.Summary == "mostly" || s.Summary == "completeness" }) {
		t.Error("a completeness of 0 is measured")
	}
}
