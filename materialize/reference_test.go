package materialize

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/internal/judge"
	"sluice/rules"
)

// pinnedWorld is a view that keeps the fewest windows with a reference beside them.
func pinnedWorld(t *testing.T) (*world, func(n int, shift float64) rules.Verdict) {
	t.Helper()
	view := paymentsView()
	view.Baseline = feature.Baseline{From: "trailing", Windows: 28}
	w := newWorld(t, view)
	w.judge = realJudge(judge.NewBuilder())
	rng := rand.New(rand.NewPCG(11, 4))
	keys := make([]string, 300)
	for i := range keys {
		keys[i] = string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	return w, func(n int, shift float64) (v rules.Verdict) {
		t.Helper()
		version := w.putKeys(n, keys, func(int) float64 { return 10 + shift + rng.NormFloat64() })
		w.close(n, 0, 1)
		w.decide()
		row, err := w.registry.Verdict(t.Context(), w.version(version).Verdict)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(row.Body, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// beside returns what the API says of the reference.
func (w *world) beside() BesideStatus {
	w.t.Helper()
	s, err := w.actions.Baseline(w.t.Context(), w.view)
	if err != nil {
		w.t.Fatal(err)
	}
	if s.Beside == nil {
		return BesideStatus{}
	}
	return *s.Beside
}

func pinnedReason(v *rules.Verdict) *rules.Reason {
	for i := range v.Reasons {
		if v.Reasons[i].Method == rules.Pinned {
			return &v.Reasons[i]
		}
	}
	return nil
}

// A drift that takes history along shows against what is pinned beside it, as a warning; whoever
// accepts it starts anew, with a reference of its own, and taking that back brings the former
// one back. Every verdict is recomputed.
func TestSlowDriftShowsAgainstThePinned(t *testing.T) {
	const full, step = 28, .004
	w, run := pinnedWorld(t)
	n := 0
	for ; n < full; n++ {
		if run(n, 0); n == 20 && w.beside() != (BesideStatus{Missing: full - 21}) {
			t.Errorf("after %d windows %+v stands beside them", n+1, w.beside())
		}
	}
	run(n, 0)
	first := w.beside()
	if first.Windows != full || !first.From.Equal(w.window(0).Start) || !first.To.Equal(w.window(full-1).End) {
		t.Fatalf("pinned %+v, want the %d windows before", first, full)
	}
	var v rules.Verdict
	var found *rules.Reason
	for i := 0; i < 60 && found == nil; i++ {
		n++
		v = run(n, step*float64(i+1))
		found = pinnedReason(&v)
		if found == nil && v.State != rules.Pass {
			t.Errorf("window %d against trailing history: %s with %+v, want pass", n, v.State, v.Reasons)
		}
		if i == 20 { // what is known is no more than what is stored
			w.judge = realJudge(judge.NewBuilder())
			w.restart()
		}
	}
	if found == nil {
		t.Fatal("the drift was never found")
	}
	t.Logf("found after %d windows of drift: %s", n-full, found.Text)
	if v.State != rules.Warn || v.Decision != "publish" || found.Outcome != rules.Warned || found.Feature != "amount" || !strings.Contains(found.Text, "28 pinned ones") || v.Digests["pinned"] == "" {
		t.Errorf("%s, %s for %+v, want a warning of amount", v.State, v.Decision, found)
	}
	again := run(n+1, step*float64(n-full))
	if pinnedReason(&again) != nil {
		t.Error("the next window tells of it again")
	}
	n++
	level := step * float64(n-full)
	if _, err := w.actions.AcceptBaseline(t.Context(), Action{View: w.view, Version: v.Version, By: "alice", Reason: "the new normal"}); err != nil {
		t.Fatal(err)
	}
	if got := w.beside(); got.Windows != 0 || got.Missing == 0 {
		t.Errorf("right after it was accepted %+v stands beside", got)
	}
	for range full + 20 {
		n++
		if v := run(n, level); pinnedReason(&v) != nil {
			t.Errorf("window %d, as accepted: %+v", n, pinnedReason(&v))
		}
	}
	second := w.beside()
	if second.Windows != full || !second.From.Equal(v.Window.Start) {
		t.Errorf("pinned since it was accepted: %+v, want %d windows from %s on", second, full, v.Window.Start)
	}
	if _, err := w.actions.RevertBaseline(t.Context(), Action{View: w.view, By: "bob", Reason: "it was a fault"}); err != nil {
		t.Fatal(err)
	}
	if got := w.beside(); got != first {
		t.Errorf("taken back: %+v, want %+v", got, first)
	}
	found = nil
	for i := 0; i < 20 && found == nil; i++ {
		n++
		v = run(n, level)
		found = pinnedReason(&v)
	}
	if found == nil {
		t.Error("against the former reference the drift is not found again")
	}
	kinds := ""
	list, err := w.actions.Baselines(t.Context(), w.view)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		kinds += d.Kind + " " + d.State + ", "
	}
	if kinds != "reference in_force, accepted taken_back, reference replaced, reverted , " {
		t.Errorf("decisions %s", kinds)
	}
	recompute(t, w)
}

// A pinned history is no trailing one: nothing stands beside it.
func TestNothingBesideAPinnedHistory(t *testing.T) {
	w, run := pinnedWorld(t)
	for n := range 30 {
		run(n, 0)
	}
	if w.beside().Windows == 0 {
		t.Fatal("nothing was pinned")
	}
	if _, err := w.actions.SetBaseline(t.Context(), Action{View: w.view, Version: 20, By: "alice", Reason: "a quiet month"}); err != nil {
		t.Fatal(err)
	}
	if got := w.beside(); got != (BesideStatus{}) {
		t.Errorf("beside a pinned history: %+v", got)
	}
	if v := run(30, 0); v.Digests["pinned"] != "" {
		t.Error("a pinned history was judged beside itself")
	}
	recompute(t, w)
}
