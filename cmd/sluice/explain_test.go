package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/rules"
)

func TestExplain(t *testing.T) {
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	base := rules.Verdict{
		ID: "vd1", Kind: "window", View: "pay", Version: 12, Window: feature.Window{Start: start, End: start.Add(time.Minute)},
		Rows: 100, DecidedAt: start.Add(time.Minute), Layout: "l1", Baseline: "b1", History: 28,
	}
	for name, tc := range map[string]struct {
		change func(*rules.Verdict)
		state  feature.State
		want   []string
	}{
		"publish": {
			func(v *rules.Verdict) { v.State, v.Decision = rules.Pass, "publish" }, feature.StateVisible,
			[]string{"Verdict vd1 of view pay: pass, decision publish.", "Against  28 baseline windows, baseline b1, layout l1", "it became visible to readers", "Now      version 12 is visible", "nothing has to be done\n"},
		},
		"declared day, beside what is pinned": {
			func(v *rules.Verdict) {
				v.State, v.Decision, v.Occasion, v.LeftOut = rules.Warn, "publish", "black_friday", "declared occasion black_friday"
				v.Digests = map[string]string{"pinned": "d"}
				v.Reasons = []rules.Reason{{Rule: "pinned", Feature: "amount", Method: "pinned", Summary: "location", Severity: 1.5, Text: "amount: away"}}
			}, "",
			[]string{"Against  28 baseline windows, baseline b1, the last windows together with the pinned reference, layout l1",
				"Occasion black_friday, declared in the calendar: what compares it with history only warns\n", "History  it does not enter: declared occasion black_friday\n",
				"1. amount: rule pinned, method pinned of location"},
		},
		"warning": {
			func(v *rules.Verdict) { v.State, v.Decision = rules.Warn, "publish" }, "",
			[]string{"a warning never blocks", "`sluice rollback pay --version 12 --reason TEXT`"},
		},
		"reject": {
			func(v *rules.Verdict) {
				v.State, v.Decision = rules.Fail, "reject"
				v.Reasons = []rules.Reason{{Rule: "drift", Feature: "amount", Method: "calibrated", Summary: "location", Statistic: 9.1, Threshold: 4.5, Severity: 2.02, PValue: 1e-9, N: 100, M: 2800, Bound: .001, Slice: "DE", Producer: "till", Text: "amount: mean 10 -> 1000."}}
			}, feature.StateRejected,
			[]string{"1. amount: rule drift, method calibrated of location: statistic 9.1 against threshold 4.5, severity 2.02 (1 is the threshold), p 1e-09, 100 observations against 2800, exact to 0.001, slice DE, producer till. amount: mean 10 -> 1000.\n",
				"mend the producer", "`sluice approve pay --version 12", "`sluice baseline accept pay --version 12"},
		},
		"laid to a producer": {
			func(v *rules.Verdict) {
				v.State, v.Decision = rules.Fail, "reject"
				v.Reasons = []rules.Reason{{Rule: "drift", Feature: "amount", Method: "calibrated", Producer: "pos-7", Schema: "v2",
					Shares:      []feature.Share{{Dimension: "producer", Header: true, Value: "pos-7", Share: .94, Remains: -.01, Rows: 12, RowShare: .12, BaselineShare: .11, Change: feature.ChangeValues}},
					FirstOffset: map[string]int64{"sluice.writes/2": 4711, "sluice.writes/0": 12}}}
			}, feature.StateRejected,
			[]string{", producer pos-7, schema v2.\n      94 %  producer=pos-7: 12 rows, 12 % of them (11 % before), other values; without them 0 % of it remains\n     It begins at offset 12 of sluice.writes/0, offset 4711 of sluice.writes/2.\n"},
		},
		"log is gone": {
			func(v *rules.Verdict) {
				v.State, v.Decision, v.FirstOffsetNote = rules.Fail, "reject", "the log no longer holds the records"
				v.Reasons = []rules.Reason{{Rule: "r", Method: "volume", PValue: 1}}
			}, feature.StateRejected, []string{"(the log no longer holds the records)\n"},
		},
		"rejected, then approved": {
			func(v *rules.Verdict) { v.State, v.Decision = rules.Fail, "reject" }, feature.StateVisible, []string{"a person has decided since"},
		},
		"of the view": {
			func(v *rules.Verdict) {
				v.State, v.Decision, v.Reasons = rules.Fail, "reject", []rules.Reason{{Rule: "r", Method: "volume", PValue: 1}}
			}, "", []string{"1. the view as a whole: rule r, method volume: statistic 0 against threshold 0, severity 0 (1 is the threshold), 0 observations against 0.\n"},
		},
		"rollback": {
			func(v *rules.Verdict) {
				v.Kind, v.State, v.Decision, v.RolledBack = "probation", rules.Fail, "rollback", []feature.Version{11, 12}
			}, feature.StateRolledBack, []string{"visible versions in probation", "versions 11 12 were taken out"},
		},
		"too few rows": {
			func(v *rules.Verdict) {
				v.State, v.Decision, v.TooFew, v.Versions = rules.Inconclusive, "hold", true, []feature.Version{11, 12}
			}, feature.StateHeld, []string{"together with versions 11 12", "it is judged together with the next window", "`sluice reject pay --version 12"},
		},
		"held, ended since": {
			func(v *rules.Verdict) { v.State, v.Decision = rules.Inconclusive, "hold" }, feature.StateExpired, []string{"nothing: it is expired by now"},
		},
		"held": {func(v *rules.Verdict) { v.State, v.Decision = rules.Error, "hold" }, "", []string{"ends by itself after publish.hold windows", "`sluice thaw pay`"}},
		"freshness": {
			func(v *rules.Verdict) { v.Kind, v.State, v.Decision, v.Version = "freshness", rules.Warn, "notify", 0 }, "", []string{"the age of", "people were told", "`sluice windows pay`"},
		},
		"cold": {
			func(v *rules.Verdict) { v.Uncalibrated, v.Decision = true, "none" }, "", []string{"uncalibrated: too few baseline windows", "nothing was changed", "`sluice verdict verify vd1`"},
		},
		"no baseline": {
			func(v *rules.Verdict) { v.Layout, v.Baseline, v.History = "", "", 0 }, "", []string{"no baseline yet: only expectations were checked"},
		},
		"hostile text": {
			func(v *rules.Verdict) {
				v.Reasons = []rules.Reason{{Feature: "amount", Text: "\x1b[2Jgone"}}
			}, "", []string{`\x1b[2Jgone`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := base
			tc.change(&v)
			var out bytes.Buffer
			if err := explain(&out, &v, tc.state, ""); err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("explain: no %q in\n%s", want, out.String())
				}
			}
		})
	}
}
