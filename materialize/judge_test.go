package materialize

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/judge"
	"sluice/rules"
)

// realJudge judges as the platform does, with the default rules.
func realJudge(builder *judge.Builder) JudgeFunc {
	return func(e Evidence) (Opinion, error) {
		in := judge.Evidence{Kind: e.Kind, View: e.View, Window: e.Window, Versions: e.Versions, Layout: e.Layout,
			Current: drifts(e.Current), History: drifts(e.History), Recent: drifts(e.Recent), Baseline: e.Baseline, Rules: warnOfPinned(), Level: 0.001}
		if len(e.Alarms) > 0 {
			if err := json.Unmarshal(e.Alarms, &in.Memory); err != nil {
				return Opinion{}, err
			}
		}
		if r := e.Pinned; r != nil {
			var err error
			if in.Pinned, err = judge.NewPinned(r.Reference, r.Baseline, e.Layout, r.Windows, feature.Window{Start: r.From, End: r.To}); err != nil {
				return Opinion{}, err
			}
		}
		c, err := builder.Case(in)
		if err != nil {
			return Opinion{}, err
		}
		o := Opinion{Spread: e.Spread, Alarms: e.Alarms}
		if o.Verdict, err = judge.Judge(c); err != nil {
			return Opinion{}, err
		}
		if e.Kind == judge.KindWindow {
			if o.Alarms, err = json.Marshal(c.Remember(&o.Verdict)); err != nil {
				return Opinion{}, err
			}
			if c.Reference != nil && c.Reference.Calibrated() && !c.Reference.Borrowed {
				if o.Spread, err = json.Marshal(c.Reference); err != nil {
					return Opinion{}, err
				}
			}
		}
		o.Case, o.Blobs, err = c.Encode()
		return o, err
	}
}

func drifts(in []WindowProfile) []drift.WindowProfile {
	var out []drift.WindowProfile
	for _, w := range in {
		out = append(out, drift.WindowProfile{Window: w.Window, Profile: w.Profile})
	}
	return out
}

// TestRealJudge publishes twenty like windows, blocks one that is a hundred times
// as large, joins one of few rows with the next, and recomputes every verdict from
// what the registry keeps.
func TestRealJudge(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.judge = realJudge(judge.NewBuilder())
	rng := rand.New(rand.NewPCG(1, 2))
	run := func(n, rows int, times float64) feature.VersionInfo {
		keys := make([]string, rows)
		for i := range keys {
			keys[i] = string(rune('a'+i%26)) + string(rune('a'+i/26))
		}
		version := w.putKeys(n, keys, func(int) float64 { return times * (10 + rng.NormFloat64()) })
		w.close(n, 0, 1)
		w.decide()
		return w.version(version)
	}
	for n := range 20 {
		if info := run(n, 300, 1); info.State != feature.StateVisible {
			t.Fatalf("window %d like the others is %s: %s", n, info.State, info.Reason)
		}
	}
	if bad := run(20, 300, 100); bad.State != feature.StateRejected {
		t.Errorf("values a hundred times as large: %s (%s), want rejected", bad.State, bad.Reason)
	}
	few := run(21, 4, 1)
	if few.State != feature.StateHeld {
		t.Errorf("a window of 4 rows is %s (%s), want held", few.State, few.Reason)
	}
	next := run(22, 300, 1)
	if few = w.version(few.Version); next.State != feature.StateVisible || few.Verdict != next.Verdict || few.State != feature.StateVisible {
		t.Errorf("judged together: %s and %s, by %s and %s", few.State, next.State, few.Verdict, next.Verdict)
	}
	recompute(t, w)
}

// warnOfPinned returns the default rules, with a warning of what they only record.
func warnOfPinned() []rules.Rule {
	all := rules.Default()
	for i := range all {
		if all[i].Method == rules.Pinned {
			all[i].Mode = rules.Notify
		}
	}
	return all
}
