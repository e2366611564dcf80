package materialize

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"sluice/feature"
	"sluice/rules"
)

func TestLifeOfAVersion(t *testing.T) {
	w := newWorld(t, paymentsView())
	first := w.put(0, 300, 10)
	if _, ok := w.get("7"); ok {
		t.Fatal("rows are visible before their window is judged")
	}
	w.close(0, 0)
	w.decide()
	if step := w.version(first).Step; step != feature.StepOpen {
		t.Fatalf("with one partition behind the version is %s, want open", step)
	}
	w.close(0, 1)
	w.decide()
	info := w.version(first)
	if info.Step != feature.StepDecided || info.State != feature.StateVisible || info.Rows != 300 || info.Digest == "" || len(info.Spans) != 2 || info.DecidedBy != "gate" {
		t.Errorf("judged version %+v", info)
	}
	if r, ok := w.get("7"); !ok || r.Version != first {
		t.Errorf("a reader gets %+v, %v; want a row of version %d", r, ok, first)
	}
	w.states(rules.Fail)
	second := w.run(1, 300, 10)
	if r, _ := w.get("7"); second.State != feature.StateRejected || r.Version != first {
		t.Errorf("failed version %s, a reader gets version %d; want rejected and %d", second.State, r.Version, first)
	}
	for n := 2; n < 5; n++ {
		w.run(n, 300, 10)
	}
	if v := w.vector(); v.Floor != 2 || !slices.Equal(v.Visible, []feature.Version{3, 4, 5}) || !slices.Equal(v.Dead, []feature.Version{2}) {
		t.Errorf("vector %+v, want the floor past version 1, which stood its probation, and the dead 2", v)
	}
	if w.version(first).Step != feature.StepCertified {
		t.Errorf("version %d is %s, want certified", first, w.version(first).Step)
	}
	if got := len(w.log.held[0]) + len(w.log.held[1]); got != 0 {
		t.Errorf("%d partials are left of judged windows", got)
	}
	if got := len(w.history()); got != 4 {
		t.Errorf("%d windows of history, want the 4 that passed", got)
	}
	if got, want := w.kinds(), []string{"fail", "resolved fail"}; !slices.Equal(got, want) {
		t.Errorf("people were told %q, want %q", got, want)
	}
}

func TestVerdictIsStored(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.judge = func(Evidence) (Opinion, error) {
		o := verdict(rules.Warn)
		o.Case, o.Summary = []byte("case"), []byte("{}")
		return o, nil
	}
	version := w.run(0, 250, 1)
	rows := w.verdicts()
	if len(rows) != 1 || rows[0].ID != version.Verdict || string(rows[0].Case) != "case" {
		t.Fatalf("verdicts %+v, want the one of version %+v", rows, version)
	}
	var v rules.Verdict
	if err := json.Unmarshal(rows[0].Body, &v); err != nil {
		t.Fatal(err)
	}
	if v.Decision != "publish" || v.Rows != 250 || !slices.Equal(v.Versions, []feature.Version{1}) || v.Window != w.window(0) {
		t.Errorf("verdict %+v", v)
	}
}

func TestJudgeThatFailsHolds(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.judge = func(Evidence) (Opinion, error) { return Opinion{}, errors.New("no idea") }
	version := w.run(0, 250, 1)
	if rows := w.verdicts(); version.State != feature.StateHeld || rows[0].State != "error" {
		t.Errorf("version %s, verdict %s; want held, error", version.State, rows[0].State)
	}
	if len(w.history()) != 0 {
		t.Error("a window that could not be judged is in history")
	}
}

// TestExpiredWindowHolds has a window that was profiled over an old layout and
// whose records the log has lost: nobody can judge it, and it keeps no other.
func TestExpiredWindowHolds(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.put(1, 10, 1)
	w.run(0, 250, 1)
	w.log.expired = true
	w.close(1, 0, 1)
	w.decide()
	if info := w.version(1); info.State != feature.StateHeld || info.Rows != 10 {
		t.Errorf("version %+v, want held with 10 rows", info)
	}
	if next := w.run(2, 250, 1); next.State != feature.StateVisible {
		t.Errorf("the next window is %s, want visible", next.State)
	}
}

func TestJointVerdict(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Inconclusive, rules.Pass)
	short := w.run(1, 5, 10)
	if short.State != feature.StateHeld {
		t.Fatalf("version with too few rows is %s, want held", short.State)
	}
	next := w.run(2, 300, 10)
	e := w.seen[len(w.seen)-1]
	if e.Kind != "window" || !slices.Equal(e.Versions, []feature.Version{2, 3}) || e.Current[0].Profile.Rows != 305 || e.Window.Start != w.window(1).Start || e.Window.End != w.window(2).End {
		t.Errorf("judged together: versions %v, %d rows, window %v", e.Versions, e.Current[0].Profile.Rows, e.Window)
	}
	if short = w.version(2); short.State != feature.StateVisible || short.Verdict != next.Verdict {
		t.Errorf("after the joint verdict %s version 2 is %+v", next.Verdict, short)
	}
	if v := w.verdicts(); len(v) != 3 || v[2].Version != 3 {
		t.Errorf("verdicts %+v, want one for each decision", v)
	}
}

func TestSealFailsIfAPartitionLeftIdleness(t *testing.T) {
	w := newWorld(t, paymentsView())
	version := w.put(0, 300, 10)
	w.close(0, 0)
	w.progress(1, feature.ViewProgress{Idle: true, Left: 0})
	left, err := w.registry.LeaveIdle(t.Context(), topic, 1, w.view.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.gate.turn(t.Context(), w.view, w.gate.seat(w.view)); !errors.Is(err, feature.ErrConflict) {
		t.Fatalf("deciding a window whose idle partition left: %v, want ErrConflict", err)
	}
	if info := w.version(version); info.Step != feature.StepOpen || len(w.verdicts()) != 0 {
		t.Fatalf("after the refused seal the version is %s", info.Step)
	}
	w.progress(1, feature.ViewProgress{Idle: true, Left: left})
	w.decide()
	if info := w.version(version); info.State != feature.StateVisible {
		t.Errorf("once it is idle again the version is %s, want visible", info.State)
	}
}

// TestOptimisticIsNoEvidenceWhileOpen lists a version from its first row on, and
// looks at what probation of the window before reads.
func TestOptimisticIsNoEvidenceWhileOpen(t *testing.T) {
	view := paymentsView()
	view.Publish.Mode, view.Publish.ProbationWindows = feature.Optimistic, 2
	w := newWorld(t, view)
	for n := range 3 {
		w.run(n, 300, 10)
	}
	open := w.put(4, 300, 99)
	if !w.vector().Sees(open) {
		t.Fatal("an optimistic version is not visible from its first row on")
	}
	w.seen = nil
	w.run(3, 300, 10)
	probations := 0
	for _, e := range w.seen {
		if e.Kind == "probation" {
			probations++
			if slices.Contains(e.Versions, open) {
				t.Errorf("probation read versions %v, and %d is open", e.Versions, open)
			}
		}
	}
	if probations != 1 {
		t.Errorf("%d verdicts of probation, want 1", probations)
	}
}

func TestProbationRollsBackAndExpels(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 3 {
		w.run(n, 300, 10)
	}
	w.judge = func(e Evidence) (Opinion, error) {
		if e.Kind == "probation" {
			return verdict(rules.Fail), nil
		}
		return verdict(rules.Pass), nil
	}
	w.run(3, 300, 10)
	w.run(4, 300, 10)
	v := w.vector()
	var visible []feature.Version
	for n := feature.Version(1); n <= 5; n++ {
		info := w.version(n)
		if v.Sees(n) {
			visible = append(visible, n)
		} else if info.State != feature.StateRolledBack {
			t.Errorf("version %d is %s and not visible", n, info.State)
		}
	}
	var kept []feature.Version
	for _, row := range w.history() {
		kept = append(kept, row.Version)
	}
	if !slices.Equal(visible, []feature.Version{1, 2}) && !slices.Equal(visible, []feature.Version{1}) || !slices.Equal(kept, visible) {
		t.Errorf("visible %v, history %v; want what was certified in both and nothing else", visible, kept)
	}
	if r, ok := w.get("7"); !ok || !slices.Contains(visible, r.Version) {
		t.Errorf("a reader gets %+v, %v", r, ok)
	}
}
