package rules

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"sluice/feature"
)

// aView is what scores are of.
var aView = &feature.View{Name: "view"}

func rule(method string, mode Mode, threshold float64, k, n int) Rule {
	return Rule{Name: "r", View: "*", Feature: "*", Method: method, Threshold: threshold, For: For{k, n}, Mode: mode}
}

func TestJudge(t *testing.T) {
	strong := feature.Score{Feature: "x", Method: Calibrated, Severity: 3, PValue: 1e-9, Effect: true, Text: "x: moved"}
	weak := feature.Score{Feature: "x", Method: Calibrated, Severity: 3, PValue: 1e-9}
	calm := feature.Score{Feature: "x", Method: Calibrated, Severity: 0.4, PValue: 0.1}
	cold := feature.Score{Feature: "x", Method: Calibrated, Severity: 3, Effect: true, Uncalibrated: true}
	short := feature.Score{Method: Calibrated, PValue: 1, Short: "too few rows"}
	refused := feature.Score{Feature: "x", Method: Expect, Statistic: 0.2, Threshold: 0.01, Severity: 20, Effect: true}
	nulls := feature.Score{Feature: "x", Method: Nulls, Statistic: 0.2, Threshold: 0.1, Severity: 2, Effect: true}
	atLimit := feature.Score{Feature: "x", Method: Nulls, Statistic: 0.1, Threshold: 0.1, Severity: 1, Effect: true}
	ks := feature.Score{Feature: "x", Method: KS, Statistic: 0.09, Bound: 0.02, Effect: true}
	broken := feature.Score{Feature: "x", Method: Calibrated, Severity: math.NaN()}
	for name, tc := range map[string]struct {
		rules   []Rule
		scores  []feature.Score
		state   State
		outcome []Outcome
	}{
		"nothing measured":                    {Default(), nil, Pass, nil},
		"calm":                                {Default(), []feature.Score{calm}, Pass, nil},
		"alarm with effect":                   {Default(), []feature.Score{strong}, Fail, []Outcome{Failed}},
		"alarm without effect":                {Default(), []feature.Score{weak}, Warn, []Outcome{Warned}},
		"uncalibrated never fails":            {Default(), []feature.Score{cold}, Warn, []Outcome{Warned}},
		"a warning rule":                      {[]Rule{rule(Calibrated, Notify, 0, 1, 1)}, []feature.Score{strong}, Warn, []Outcome{Warned}},
		"an observing rule":                   {[]Rule{rule(Calibrated, Observe, 0, 1, 1)}, []feature.Score{strong}, Pass, []Outcome{Observed}},
		"no rule":                             {nil, []feature.Score{strong}, Pass, nil},
		"refused writes":                      {Default(), []feature.Score{refused}, Fail, []Outcome{Failed}},
		"nulls past the bound":                {Default(), []feature.Score{nulls}, Fail, []Outcome{Failed}},
		"nulls at the bound":                  {Default(), []feature.Score{atLimit}, Pass, nil},
		"too few rows":                        {Default(), []feature.Score{short}, Inconclusive, []Outcome{Undecided}},
		"too few rows, rule only warns":       {[]Rule{rule(Calibrated, Notify, 0, 1, 1)}, []feature.Score{short}, Pass, nil},
		"too few rows, nulls":                 {Default(), []feature.Score{short, nulls}, Inconclusive, []Outcome{Undecided, Warned}},
		"too few rows, refused":               {Default(), []feature.Score{short, refused}, Fail, []Outcome{Failed, Undecided}},
		"fixed threshold, below":              {[]Rule{rule(KS, Enforce, 0.12, 1, 1)}, []feature.Score{ks}, Pass, nil},
		"fixed threshold, above":              {[]Rule{rule(KS, Enforce, 0.08, 1, 1)}, []feature.Score{ks}, Fail, []Outcome{Failed}},
		"fixed threshold, straddled":          {[]Rule{rule(KS, Enforce, 0.1, 1, 1)}, []feature.Score{ks}, Inconclusive, []Outcome{Undecided}},
		"fixed threshold, straddled, to warn": {[]Rule{rule(KS, Notify, 0.1, 1, 1)}, []feature.Score{ks}, Pass, nil},
		"not a number":                        {Default(), []feature.Score{broken, strong}, Error, []Outcome{Broken, Failed}},
		"one of two windows":                  {[]Rule{rule(Calibrated, Enforce, 0, 2, 2)}, []feature.Score{strong}, Pass, []Outcome{Pending}},
		"fail before warn":                    {Default(), []feature.Score{weak, nulls}, Fail, []Outcome{Failed, Warned}},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(tc.rules, aView, tc.scores, nil)
			var got []Outcome
			for _, r := range v.Reasons {
				got = append(got, r.Outcome)
				if r.Text == "" {
					t.Errorf("reason %+v has no text", r)
				}
			}
			if v.State != tc.state || !slices.Equal(got, tc.outcome) {
				t.Errorf("Judge = %s %v, want %s %v", v.State, got, tc.state, tc.outcome)
			}
			if _, err := json.Marshal(v); err != nil {
				t.Errorf("the verdict has no JSON form: %v", err)
			}
		})
	}
}

func TestJudgeOrdersReasons(t *testing.T) {
	var scores []feature.Score
	for i := range 400 {
		scores = append(scores, feature.Score{Feature: fmt.Sprintf("f%03d", i), Method: Calibrated, Severity: 2 + float64(i*7%400), Effect: i%2 == 0})
	}
	v := Judge(Default(), aView, scores, nil)
	if len(v.Reasons) != maxReasons || len(v.Scores) != 400 {
		t.Fatalf("%d reasons and %d scores, want %d and 400", len(v.Reasons), len(v.Scores), maxReasons)
	}
	for i := 1; i < len(v.Reasons); i++ {
		a, b := v.Reasons[i-1], v.Reasons[i]
		if gravity[a.Outcome] > gravity[b.Outcome] || a.Outcome == b.Outcome && a.Severity < b.Severity {
			t.Fatalf("reason %d (%s %.0f) before %s %.0f", i, a.Outcome, a.Severity, b.Outcome, b.Severity)
		}
	}
	slices.Reverse(scores)
	if again := Judge(Default(), aView, scores, nil); !reflect.DeepEqual(again.Reasons, v.Reasons) {
		t.Error("reasons depend on the order of scores")
	}
}

func TestScoresKeepTheWorstOfEveryFeature(t *testing.T) {
	v := Judge(Default(), aView, []feature.Score{
		{Feature: "x", Method: Expect, Severity: 0.5}, {Feature: "x", Method: Calibrated, Severity: 0.9}, {Feature: "x", Method: PSI},
		{Feature: "y", Method: Calibrated, Severity: 0.1},
	}, nil)
	if len(v.Scores) != 2 || v.Scores[0].Severity != 0.9 || v.Scores[1].Feature != "y" {
		t.Errorf("scores %+v", v.Scores)
	}
}

func TestKOfN(t *testing.T) {
	rules := []Rule{rule(Calibrated, Enforce, 0, 2, 3)}
	alarm := []feature.Score{{Feature: "x", Method: Calibrated, Severity: 3, Effect: true}}
	calm := []feature.Score{{Feature: "x", Method: Calibrated, Severity: 0.1}}
	var memory Memory
	for i, step := range []struct {
		scores []feature.Score
		want   State
	}{{alarm, Pass}, {calm, Pass}, {alarm, Fail}, {calm, Pass}, {calm, Pass}, {alarm, Pass}, {alarm, Fail}, {alarm, Fail}} {
		v := Judge(rules, aView, step.scores, memory)
		if v.State != step.want {
			t.Errorf("window %d: %s, want %s (memory %v)", i, v.State, step.want, memory)
		}
		text, _ := json.Marshal(memory.Next(rules, &v))
		memory = nil
		if err := json.Unmarshal(text, &memory); err != nil {
			t.Fatal(err)
		}
	}
	for range 70 {
		v := Judge(rules, aView, calm, memory)
		memory = memory.Next(rules, &v)
	}
	if len(memory) != 0 {
		t.Errorf("memory of 70 calm windows: %v", memory)
	}
}

func TestMemoryHoldsRulesThatLookBackOnly(t *testing.T) {
	v := Judge(Default(), aView, []feature.Score{{Feature: "x", Method: Calibrated, Severity: 3, Effect: true}}, nil)
	if next := Memory(nil).Next(Default(), &v); len(next) != 0 {
		t.Errorf("memory of rules for 1 of 1: %v", next)
	}
}

func TestVerdictJSONHasTheContractsFields(t *testing.T) {
	text, _ := json.Marshal(Judge(Default(), aView, []feature.Score{{Feature: "x", Method: Calibrated, Severity: 3}}, nil))
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"id", "kind", "project", "view", "version", "window", "state", "decision", "rolled_back", "rows",
		"decided_at", "uncalibrated", "layout", "baseline", "digests", "reasons"} {
		if _, ok := got[key]; !ok {
			t.Errorf("verdict lacks %q", key)
		}
	}
	reason := got["reasons"].([]any)[0].(map[string]any)
	for _, key := range []string{"rule", "feature", "method", "statistic", "threshold", "severity", "p_value", "n", "m", "bound", "slice", "producer", "text"} {
		if _, ok := reason[key]; !ok {
			t.Errorf("reason lacks %q", key)
		}
	}
}

func TestLevel(t *testing.T) {
	for name, tc := range map[string]struct {
		budget   float64
		window   time.Duration
		features int
		want     float64
	}{
		"one a week, hourly, ten features":   {1, time.Hour, 10, 1.0 / 168 / 12},
		"no budget stated":                   {0, time.Hour, 10, 1.0 / 168 / 12},
		"five minutes":                       {1, 5 * time.Minute, 10, 1.0 / 2016 / 12},
		"a generous budget on daily windows": {7, 24 * time.Hour, 1, maxLevel},
		"very many features":                 {1, time.Minute, 1 << 20, minLevel},
		"nothing is judged":                  {1, time.Hour, 0, maxLevel},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Level(tc.budget, Comparisons(tc.window, tc.features)); math.Abs(got-tc.want) > 1e-12 {
				t.Errorf("Level(%v, Comparisons(%v, %d)) = %v, want %v", tc.budget, tc.window, tc.features, got, tc.want)
			}
		})
	}
}

func TestCheckRule(t *testing.T) {
	smallest := func(windows int, level float64) float64 {
		if windows < 8 {
			return 0
		}
		return -math.Log(level) * 8 / float64(windows)
	}
	r := rule(Calibrated, Enforce, 0, 1, 1)
	if c := CheckRule(&r, "v", 28, 1e-4, smallest); !c.Reachable || c.SmallestShift <= 0 || c.ReachableLevel != 1e-4 {
		t.Errorf("a long history: %+v", c)
	}
	if c := CheckRule(&r, "v", 8, 1e-5, smallest); c.Reachable || !(c.ReachableLevel > 1e-5) || smallest(8, c.ReachableLevel) > MaxShift {
		t.Errorf("a short history: %+v", c)
	}
	if c := CheckRule(&r, "v", 3, 1e-5, smallest); c.Reachable || c.ReachableLevel != loosest {
		t.Errorf("no history: %+v", c)
	}
	psi := rule(PSI, Enforce, 0.2, 1, 1)
	if c := CheckRule(&psi, "v", 0, 1e-5, smallest); !c.Reachable || c.SmallestShift != 0 {
		t.Errorf("a fixed threshold: %+v", c)
	}
}
