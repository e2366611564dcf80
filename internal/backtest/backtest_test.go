package backtest_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/backtest"
	"sluice/internal/definition"
	"sluice/internal/rehearsal"
	"sluice/rules"
)

const views = `
project: bank
views:
  - name: payments
    entities: [account]
    owner: risk-team
    tags: {line: cards}
    features:
      - {name: amount, type: float64, expect: {min: 0, nulls: 0.2}}
      - {name: balance, type: float64}
      - {name: country, type: string}
    window: {size: 1h}
    publish: {probation: {windows: 3, fail: 2}}
    baseline: {windows: 60}
rules: rules.yaml
`

const inForce = `
rules:
  - {name: drift, method: calibrated, mode: enforce}
  - {name: twice, view: payments, feature: amount, method: psi, threshold: 0.1, for: {k: 2, n: 3}, mode: warn}
  - {name: trial, view: payments, feature: country, method: tvd, threshold: 0.06, mode: observe}
  - {name: floats, tags: {line: cards}, owner: "risk-*", type: float64, method: ks, threshold: 0.15, mode: warn}
  - {name: rows, method: volume, threshold: 2.5, mode: enforce}
`

func stage(t testing.TB, text string) *rehearsal.Stage {
	t.Helper()
	defs, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: views}, {Name: "rules.yaml", Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rehearsal.NewStage(t.Context(), defs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// rowsOf makes a window; fault says what is wrong with it.
func rowsOf(rng *rand.Rand, fault string) [][]feature.Value {
	n := 300 + rng.IntN(40)
	switch fault {
	case "few":
		n = 8
	case "half":
		n = 120
	}
	rows := make([][]feature.Value, n)
	for i := range rows {
		amount, balance, country := 50+10*rng.NormFloat64(), 1000+200*rng.NormFloat64(), []string{"DE", "DE", "NL", "FR"}[rng.IntN(4)]
		switch fault {
		case "cents":
			amount *= 100
		case "shift":
			amount += 5
		case "negative":
			amount -= 45
		}
		row := []feature.Value{feature.Float64Value(amount), feature.Float64Value(balance), feature.StringValue(country)}
		if fault == "nulls" && i%3 == 0 {
			row[0] = feature.Null
		}
		if fault == "little" && i%28 == 0 {
			row[1] = feature.Null
		}
		if fault == "country" && i%4 == 0 {
			row[2] = feature.StringValue("ES")
		}
		rows[i] = row
	}
	return rows
}

var faults = map[int]string{
	30: "cents", 36: "shift", 37: "shift", 42: "nulls", 50: "few", 55: "country", 60: "half", 66: "negative", 70: "little", 71: "little", 72: "little", 73: "little", 80: "cents", 81: "cents",
}

// TestIdentical plays windows with faults to a gate, and gives the backtest what the
// registry kept: the rules in force alarm in the same verdicts, with the same severities and the
// same states.
func TestIdentical(t *testing.T) {
	s := stage(t, inForce)
	view := s.Definitions().View("payments")
	rng := rand.New(rand.NewPCG(4, 4))
	live := map[string]rehearsal.Told{}
	states := map[string]int{}
	for n := range 90 {
		told, err := s.Play(t.Context(), view, n, rowsOf(rng, faults[n]))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range told {
			live[v.ID] = v
			states[v.Kind+" "+string(v.State)]++
		}
	}
	t.Log(states)
	for _, want := range []string{"window pass", "window warn", "window fail", "window inconclusive", "probation pass"} {
		if states[want] == 0 {
			t.Errorf("no verdict was %s: the windows test too little", want)
		}
	}
	report := run(t, s, inForce, time.Time{})
	if report.Differ != 0 || report.Windows != 90 {
		t.Errorf("%d of %d verdicts differ", report.Differ, report.Windows)
	}
	listed := map[string]backtest.Verdict{}
	for _, v := range report.Verdicts {
		listed[v.Verdict] = v
	}
	for id, v := range live {
		names, severity := []string{}, 0.0
		for i, r := range v.Reasons {
			if i == 0 {
				severity = r.Severity
			}
			if r.Outcome != rules.Undecided && !contains(names, r.Rule) {
				names = append(names, r.Rule)
			}
		}
		got, there := listed[id]
		if there != (len(v.Reasons) > 0) || there && (got.Severity != severity || !reflect.DeepEqual(got.Rules, names) || got.Would != v.State) {
			t.Errorf("%s of %s: live %s, severity %v by %v; backtest %+v", v.Kind, v.Window.Start, v.State, severity, names, got)
		}
	}
	for _, line := range report.Items {
		if line.Rule == "floats" && (line.Fired == 0 || line.Windows != 90) {
			t.Errorf("the rule that selects by tag, owner and type: %+v", line)
		}
	}
	settled(t, s, report)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// settled checks labels: what the gate rejected is a fault, until a person says it was
// none.
func settled(t *testing.T, s *rehearsal.Stage, report backtest.Report) {
	t.Helper()
	if report.Faults == 0 || report.Total.Caught != report.Faults || report.Total.Missed != 0 || report.Cleared != 0 {
		t.Errorf("faults %d, cleared %d, total %+v", report.Faults, report.Cleared, report.Total)
	}
	if line := report.Items[0]; line.Rule != "drift" || line.Blocked == 0 || line.Caught == 0 || line.False != 0 {
		t.Errorf("drift: %+v", line)
	}
	// Rules that only observe catch as much and block nothing.
	lax := run(t, s, `rules: [{name: drift, method: calibrated, mode: observe}, {name: expect, method: expect}, {name: nulls, method: nulls}, {name: volume, method: volume}, {name: joint, method: iforest}]`, time.Time{})
	if lax.Total.Blocked != 0 || lax.Total.Warned != 0 || lax.Total.Caught == 0 || lax.Differ == 0 {
		t.Errorf("observing: %+v", lax)
	}
	// A rule that reads one feature misses the faults of the others.
	narrow := run(t, s, `rules: [{name: country_only, view: payments, feature: country, method: tvd, threshold: 0.15, mode: enforce}]`, time.Time{})
	if line := narrow.Items[0]; line.Caught == 0 || line.Missed == 0 || line.Caught+line.Missed != narrow.Faults {
		t.Errorf("country alone: %+v of %d faults", line, narrow.Faults)
	}
	// Half of the time: windows before count in memories alone.
	half := run(t, s, inForce, s.Window(s.Definitions().View("payments"), 45).Start)
	if half.Windows != 45 || half.Differ != 0 {
		t.Errorf("the second half: %d windows, %d differ", half.Windows, half.Differ)
	}
	ladder := backtest.Ladder(rulesOf(t, inForce), &report, 1)
	if len(ladder) == 0 || ladder[0].Next != "" || ladder[1].Next != rules.Enforce || ladder[1].CanClimb {
		t.Errorf("ladder after 4 days: %+v", ladder)
	}
}

func rulesOf(t testing.TB, text string) []rules.Rule {
	t.Helper()
	list, err := rules.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// run backtests rules on all that a stage's registry keeps.
func run(t testing.TB, s *rehearsal.Stage, text string, from time.Time) backtest.Report {
	t.Helper()
	b := backtest.New(rulesOf(t, text), from)
	view := s.Definitions().View("payments")
	versions, err := s.Registry().Versions(t.Context(), view.ID, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.View(view, versions)
	rows, err := s.Registry().Records(t.Context(), time.Time{}, time.Time{}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := b.Add(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	return b.Report(s.Window(view, 90).Start)
}

// TestLadder decides from made-up evidence.
func TestLadder(t *testing.T) {
	for name, tc := range map[string]struct {
		mode rules.Mode
		line backtest.Line
		want bool
	}{
		"too few days":               {rules.Observe, backtest.Line{Days: 13, Windows: 400}, false},
		"too few windows":            {rules.Observe, backtest.Line{Days: 30, Windows: 99}, false},
		"quiet enough to warn":       {rules.Observe, backtest.Line{Days: 28, Windows: 600, Fired: 9, Unknown: 4}, true},
		"too loud to warn":           {rules.Observe, backtest.Line{Days: 28, Windows: 600, Fired: 9, Unknown: 3, False: 2}, false},
		"blocks faults alone":        {rules.Notify, backtest.Line{Days: 28, Windows: 600, Fired: 9, Blocked: 5, Unknown: 4}, true},
		"would block a good window":  {rules.Notify, backtest.Line{Days: 28, Windows: 600, Fired: 9, Blocked: 5, BlockedFalse: 1, False: 1}, false},
		"would block what none told": {rules.Notify, backtest.Line{Days: 28, Windows: 600, Fired: 9, Blocked: 5, BlockedUnknown: 1, Unknown: 1}, false},
		"at the top":                 {rules.Enforce, backtest.Line{Days: 28, Windows: 600}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tc.line.Rule = "r"
			got := backtest.Ladder([]rules.Rule{{Name: "r", Mode: tc.mode}}, &backtest.Report{Items: []backtest.Line{tc.line}}, 1)
			if len(got) != 1 || got[0].CanClimb != tc.want || got[0].Why == "" {
				t.Errorf("Ladder = %+v, want can_climb %v", got, tc.want)
			}
		})
	}
}

// BenchmarkBacktest tries rules on 90 days of hourly windows of 20 views of 10 features,
// with their probation: 86,400 verdicts in a registry of SQLite.
func BenchmarkBacktest(b *testing.B) {
	s := stage(b, inForce)
	view := s.Definitions().View("payments")
	const windows, count = 90 * 24, 20
	rng := rand.New(rand.NewPCG(5, 5))
	bytes := 0
	for n := range windows {
		w := s.Window(view, n)
		for v := range count {
			commit := feature.Commit{View: feature.ViewID(100 + v)}
			for _, kind := range []string{"window", "probation"} {
				body, err := recordOf(rng, n)
				if err != nil {
					b.Fatal(err)
				}
				bytes += len(body)
				commit.Verdicts = append(commit.Verdicts, feature.VerdictRow{ID: fmt.Sprint(v, kind, n), Kind: kind, Version: feature.Version(n + 1), Window: w, State: "pass", Decision: "publish", Record: body})
			}
			if _, err := s.Registry().Apply(b.Context(), commit); err != nil {
				b.Fatal(err)
			}
		}
	}
	list := rulesOf(b, inForce)
	from := s.Window(view, 0).Start
	for b.Loop() {
		bt := backtest.New(list, from)
		for v := range count {
			bt.View(&feature.View{ID: feature.ViewID(100 + v), Name: fmt.Sprint("view_", v)}, nil)
		}
		for after := int64(0); ; {
			rows, err := s.Registry().Records(b.Context(), time.Time{}, time.Time{}, after, 2000)
			if err != nil {
				b.Fatal(err)
			}
			for i := range rows {
				if err := bt.Add(&rows[i]); err != nil {
					b.Fatal(err)
				}
				after = rows[i].Seq
			}
			if len(rows) < 2000 {
				break
			}
		}
		report := bt.Report(s.Window(view, windows).Start)
		if _, err := json.Marshal(report); err != nil || report.Windows != windows*count {
			b.Fatalf("%d windows, %v", report.Windows, err)
		}
	}
	b.ReportMetric(float64(bytes)/float64(windows*count*10), "B/feature-window")
}

// recordOf makes the record of a quiet window of ten features, five of them numeric, of
// which one in a hundred alarms.
func recordOf(rng *rand.Rand, n int) ([]byte, error) {
	r := rules.Record{Versions: []feature.Version{feature.Version(n + 1)}, Level: 0.0005}
	for i := range 10 {
		name := fmt.Sprint("feature_", i)
		score := func(method, summary string, statistic float64) *feature.Score {
			r.Scores = append(r.Scores, feature.Score{Feature: name, Method: method, Summary: summary, Statistic: statistic, PValue: 1, Effect: true})
			return &r.Scores[len(r.Scores)-1]
		}
		c := score("calibrated", "location", rng.NormFloat64())
		c.Severity, c.Effect = rng.Float64(), false
		if rng.IntN(1000) == 0 {
			c.Severity = 1.5
		}
		score("nulls", "share", rng.Float64()/100)
		if i%2 == 0 {
			score("ks", "", rng.Float64()/10).Bound = rng.Float64() / 100
		}
		score("psi", "", rng.Float64()/20)
		score("chi_square", "", rng.Float64()*20)
		score("tvd", "", rng.Float64()/20)
	}
	r.Scores = append(r.Scores, feature.Score{Method: "volume", Summary: "volume", Statistic: rng.NormFloat64(), Severity: rng.Float64(), PValue: 1},
		feature.Score{Method: "volume", Summary: "ratio", Statistic: 1 + rng.Float64()/5, PValue: 1, Effect: true})
	return r.MarshalBinary()
}
