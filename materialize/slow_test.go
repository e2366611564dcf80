package materialize

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/judge"
	"sluice/rules"
)

// drifting runs windows of 300 rows, of which those from shifted on are .2 standard
// deviations up, through a gate that is started anew before every window if restart
// says so, and returns the verdicts on them.
func drifting(t *testing.T, baseline feature.Baseline, windows, shifted int, restart bool) (*world, []rules.Verdict) {
	t.Helper()
	view := paymentsView()
	view.Baseline = baseline
	w := newWorld(t, view)
	w.judge = realJudge(judge.NewBuilder())
	rng := rand.New(rand.NewPCG(3, 4))
	keys := make([]string, 300)
	for i := range keys {
		keys[i] = string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	var all []rules.Verdict
	for n := range windows {
		shift := 0.0
		if n >= shifted {
			shift = .2
		}
		version := w.putKeys(n, keys, func(int) float64 { return 10 + shift + rng.NormFloat64() })
		w.close(n, 0, 1)
		if restart {
			w.judge = realJudge(judge.NewBuilder())
			w.restart()
		}
		w.decide()
		row, err := w.registry.Verdict(t.Context(), w.version(version).Verdict)
		if err != nil {
			t.Fatal(err)
		}
		var v rules.Verdict
		if err := json.Unmarshal(row.Body, &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return w, all
}

// accumulated returns the reason of v that several windows gave.
func accumulated(v *rules.Verdict) *rules.Reason {
	for i := range v.Reasons {
		if v.Reasons[i].Accumulated {
			return &v.Reasons[i]
		}
	}
	return nil
}

// A shift that no window shows alone is warned of, with its onset, and what alarmed
// starts anew; against trailing history and against a pinned one; and all verdicts are
// recomputed from what is stored.
func TestSlowLive(t *testing.T) {
	const windows, shifted = 52, 40
	for name, baseline := range map[string]feature.Baseline{"trailing": {From: "trailing", Windows: 100}, "pinned": {From: "pinned", Version: 36}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, all := drifting(t, baseline, windows, shifted, false)
			found := time.Time{}
			for n := range all {
				v := &all[n]
				r := accumulated(v)
				if r == nil {
					continue
				}
				if n < shifted || v.State != rules.Warn || v.Decision != "publish" || r.Outcome != rules.Warned {
					t.Errorf("window %d: %s, %s for %+v", n, v.State, v.Decision, r)
				}
				since := w.window(shifted).Start
				if found.After(since) {
					since = found // what alarmed starts anew behind it
				}
				if off := r.Onset.Sub(since) / w.view.Window.Size; off < -6 || off > 6 {
					t.Errorf("window %d: onset %s, want about %s", n, r.Onset, since)
				}
				if !found.IsZero() && r.Onset.Before(found) {
					t.Errorf("window %d: onset %s, before the end of the window that alarmed, %s", n, r.Onset, found)
				}
				if found.IsZero() && n > shifted+9 {
					t.Errorf("found in window %d, want it within ten of %d", n, shifted)
				}
				found = v.Window.End
			}
			if found.IsZero() {
				t.Error("the shift was never found")
			}
			recompute(t, w)
		})
	}
}

// A gate that is started anew before every window says the same.
func TestSlowSurvivesRestarts(t *testing.T) {
	const windows, shifted = 46, 38
	_, all := drifting(t, feature.Baseline{From: "pinned", Version: 34}, windows, shifted, false)
	_, again := drifting(t, feature.Baseline{From: "pinned", Version: 34}, windows, shifted, true)
	found := false
	for n := range all {
		if !reflect.DeepEqual(all[n].Reasons, again[n].Reasons) || all[n].State != again[n].State || !reflect.DeepEqual(all[n].Digests, again[n].Digests) {
			t.Errorf("window %d: %s %+v by %v, and with restarts %s %+v by %v", n, all[n].State, all[n].Reasons, all[n].Digests, again[n].State, again[n].Reasons, again[n].Digests)
		}
		found = found || accumulated(&all[n]) != nil
	}
	if !found {
		t.Error("nothing accumulated: the test shows nothing")
	}
}

// recompute holds every stored verdict against its case.
func recompute(t *testing.T, w *world) {
	t.Helper()
	for _, row := range w.verdicts() {
		var stored rules.Verdict
		if err := json.Unmarshal(row.Body, &stored); err != nil {
			t.Fatal(err)
		}
		c, err := judge.DecodeCase(row.Case, func(digest string) ([]byte, error) { return w.registry.Blob(t.Context(), digest) })
		if err != nil {
			t.Fatal(err)
		}
		if differ := judge.Verify(stored, c); len(differ) > 0 {
			t.Errorf("verdict %s on version %d recomputed: %v", row.ID, row.Version, differ)
		}
	}
}
