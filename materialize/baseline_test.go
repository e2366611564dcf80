package materialize

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// layouts returns the digests of the view's layouts, and where each takes effect.
func (w *world) layouts() []feature.LayoutRow {
	w.t.Helper()
	rows, err := w.registry.Layouts(w.t.Context(), w.view.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// over counts the windows of history over the layout.
func (w *world) over(digest string) (n int) {
	for _, row := range w.history() {
		if row.Layout == digest {
			n++
		}
	}
	return n
}

func TestLayoutsArePinnedAndHistoryRebuilt(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 50, 10)
	if len(w.layouts()) != 0 {
		t.Fatal("a layout is pinned from 50 rows")
	}
	w.put(2, 10, 10) // opens before the layout is known
	w.run(1, 300, 10)
	pinned := w.layouts()
	if len(pinned) != 1 || w.over(pinned[0].Digest) != 2 {
		t.Fatalf("layouts %d, %d windows of history over the first; want 1 and both windows", len(pinned), w.over(pinned[0].Digest))
	}
	if want := w.window(2).End; !pinned[0].From.Equal(want) {
		t.Errorf("the layout applies from %s on, want %s: the first window that nobody has opened", pinned[0].From, want)
	}
	if e := w.seen[len(w.seen)-1]; e.Layout.Digest() != pinned[0].Digest || len(e.History) != 1 || e.Baseline.Rows != 50 {
		t.Errorf("the window was judged over %q by %d windows of history", e.Layout.Digest(), len(e.History))
	}
	for n := 3; n < 10; n++ {
		if n == 8 {
			w.judge = func(Evidence) (Opinion, error) { return verdict(rules.Fail), nil }
		}
		w.run(n, 300, 10)
	}
	pinned = w.layouts()
	if len(pinned) != 2 {
		t.Fatalf("%d layouts after 8 windows of history, want 2", len(pinned))
	}
	if got, all := w.over(pinned[1].Digest), len(w.history()); got != all || all != 8 {
		t.Errorf("%d of %d windows of history are over the second layout, want all 8", got, all)
	}
	w.restart()
	w.seen = nil
	w.run(10, 300, 10)
	if e := w.seen[0]; len(e.History) != 8 || e.Layout.Digest() != pinned[1].Digest {
		t.Errorf("after a restart judged by %d windows over %s", len(e.History), e.Layout.Digest())
	}
}

// TestLayoutLeavesTheCandidateOut pins the second layout while a window that fails
// is judged: its values move no edge.
func TestLayoutLeavesTheCandidateOut(t *testing.T) {
	digests := map[string]bool{}
	for _, centre := range []float64{10, 1e6} {
		w := newWorld(t, paymentsView())
		for n := range 8 {
			w.run(n, 300, 10)
		}
		w.states(rules.Fail)
		w.run(8, 300, centre)
		layouts := w.layouts()
		if len(layouts) != 2 {
			t.Fatalf("%d layouts, want 2", len(layouts))
		}
		digests[layouts[1].Digest] = true
	}
	if len(digests) != 1 {
		t.Errorf("the second layout depends on the window judged: %v", digests)
	}
}

func TestRebuildLeavesOutWhatTheLogLost(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 8 {
		w.run(n, 300, 10)
	}
	w.log.expired = true
	w.run(8, 300, 10)
	if got := len(w.layouts()); got != 1 {
		t.Errorf("%d layouts: one was pinned from a window that the log lost", got)
	}
	w.log.expired = false
	if info := w.run(9, 300, 10); info.State != feature.StateVisible || len(w.layouts()) != 2 {
		t.Errorf("the next window is %s, with %d layouts", info.State, len(w.layouts()))
	}
}

func TestAcceptBaseline(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 3 {
		w.run(n, 300, 10)
	}
	first := w.layouts()[0].Digest
	w.states(rules.Fail)
	shifted := w.run(3, 300, 500)
	between := w.run(4, 300, 500) // judged, and passed
	act := Action{View: w.view, Version: shifted.Version, By: "alice", Reason: "new price list"}
	if _, err := w.actions.AcceptBaseline(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	layouts := w.layouts()
	if len(layouts) != 2 || layouts[1].Digest == first {
		t.Fatalf("layouts %d, want a second one", len(layouts))
	}
	status, err := w.actions.Baseline(t.Context(), w.view)
	if err != nil || status.Kind != "accepted" || status.Windows != 2 || status.Layout != layouts[1].Digest || !status.From.Equal(w.window(3).Start) || status.By != "alice" {
		t.Errorf("baseline %+v, %v; want 2 windows from the accepted one on", status, err)
	}
	if got := w.version(shifted.Version); got.State != feature.StateRejected {
		t.Errorf("the accepted version is %s, want rejected as before", got.State)
	}
	w.seen = nil
	w.run(5, 300, 500)
	e := w.seen[0]
	if len(e.History) != 2 || e.History[1].Window != between.Window || e.Layout.Digest() != layouts[1].Digest || e.Baseline.Rows != 600 {
		t.Errorf("judged by %d windows over %s", len(e.History), e.Layout.Digest())
	}
	if got := w.over(layouts[1].Digest); got != 3 {
		t.Errorf("%d windows over the accepted layout, want 3", got)
	}
	w.log.expired = true
	if _, err := w.actions.AcceptBaseline(t.Context(), act); err == nil {
		t.Error("a version past the log's retention was accepted")
	}
}

// TestAcceptBaselineBetween accepts while a window is judged: that is judged again
// by the new baseline.
func TestAcceptBaselineBetween(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 3 {
		w.run(n, 300, 10)
	}
	accepting := false
	w.judge = func(e Evidence) (Opinion, error) {
		if e.Kind == "window" && !accepting {
			accepting = true
			if _, err := w.actions.AcceptBaseline(t.Context(), Action{View: w.view, Version: 3, By: "alice", Reason: "x"}); err != nil {
				t.Error(err)
			}
		}
		return verdict(rules.Pass), nil
	}
	w.put(3, 300, 10)
	w.close(3, 0, 1)
	if _, err := w.gate.turn(t.Context(), w.view, w.gate.seat(w.view)); err == nil {
		t.Fatal("a window was decided by a baseline that was no longer in force")
	}
	w.seen = nil
	w.decide()
	if e := w.seen[0]; len(e.History) != 1 {
		t.Errorf("judged by %d windows of history, want the accepted one", len(e.History))
	}
}

func TestPinnedBaselineDoesNotMove(t *testing.T) {
	for name, pin := range map[string]func(*testing.T, *world){
		"by a person": func(t *testing.T, w *world) {
			if _, err := w.actions.SetBaseline(t.Context(), Action{View: w.view, Version: 2, By: "alice", Reason: "x"}); err != nil {
				t.Fatal(err)
			}
		},
		"by definition": func(_ *testing.T, w *world) {
			w.view.Baseline = feature.Baseline{From: "pinned", Version: 2, Windows: 100}
			w.restart()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, paymentsView())
			w.run(0, 300, 10)
			w.run(1, 300, 10)
			pin(t, w)
			for n := 2; n < 5; n++ {
				w.run(n, 300, 10)
			}
			e := w.seen[len(w.seen)-1]
			for i := len(w.seen) - 1; e.Kind != "window"; i-- {
				e = w.seen[i]
			}
			if len(e.History) != 2 {
				t.Errorf("judged by %d windows, want the 2 up to the pinned one", len(e.History))
			}
		})
	}
}

// TestBaselineSetBeforeAccepted: history cannot end before it begins.
func TestBaselineSetBeforeAccepted(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 3 {
		w.run(n, 300, 10)
	}
	w.states(rules.Fail)
	shifted := w.run(3, 300, 500)
	after := w.run(4, 300, 500)
	pin := func(version feature.Version) error {
		_, err := w.actions.SetBaseline(t.Context(), Action{View: w.view, Version: version, By: "alice", Reason: "x"})
		return err
	}
	if _, err := w.actions.AcceptBaseline(t.Context(), Action{View: w.view, Version: shifted.Version, By: "alice", Reason: "new price list"}); err != nil {
		t.Fatal(err)
	}
	want := &feature.Error{Code: feature.CodeConflict}
	if err := pin(2); !errors.Is(err, want) || !strings.Contains(err.Error(), "accepted with version 4") {
		t.Errorf("pinning a version before the accepted baseline: %v, want conflict and the version accepted", err)
	}
	if status, err := w.actions.Baseline(t.Context(), w.view); err != nil || status.Kind != "accepted" || status.Windows != 2 {
		t.Errorf("baseline after the refusal %+v, %v; want it as it was", status, err)
	}
	if err := pin(after.Version); err != nil {
		t.Fatal(err)
	}
	if err := pin(2); !errors.Is(err, want) {
		t.Errorf("pinning it once a later one is pinned: %v, want conflict: no window of it is over the layout in force", err)
	}
	if status, err := w.actions.Baseline(t.Context(), w.view); err != nil || status.Kind != "pinned" || status.Windows != 2 {
		t.Errorf("baseline %+v, %v; want 2 windows up to the pinned one", status, err)
	}
}

// TestAuditRowsOfTwoProcesses act at one moment of a clock that stands still.
func TestAuditRowsOfTwoProcesses(t *testing.T) {
	view := paymentsView()
	one, other := newDesk(view, feature.Vector{}, nil, memory{}, nil, day0), newDesk(view, feature.Vector{}, nil, memory{}, nil, day0)
	if a, b := auditID(one, 0), auditID(other, 0); a == b {
		t.Errorf("two processes name their audit rows %s", a)
	}
}

// TestRevertAccept takes an accepted baseline back: layout and windows of before are in
// force again, profiled over it, and those that passed under the accepted one are not
// among them.
func TestRevertAccept(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 10 {
		w.run(n, 300, 10)
	}
	before := w.layouts()[1].Digest
	status := func() BaselineStatus {
		t.Helper()
		s, err := w.actions.Baseline(t.Context(), w.view)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	was := status()
	act := Action{View: w.view, Version: 9, By: "alice", Reason: "new price list"}
	if _, err := w.actions.AcceptBaseline(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	for n := 10; n < 20; n++ {
		w.run(n, 300, 500) // a second layout of the accepted history among them
	}
	if s := status(); s.Kind != "accepted" || s.Windows != 12 || len(w.layouts()) != 4 {
		t.Fatalf("accepted baseline %+v with %d layouts", s, len(w.layouts()))
	}
	if _, err := w.actions.RevertBaseline(t.Context(), Action{View: w.view, By: "bob"}); !errors.Is(err, &feature.Error{Code: feature.CodeInvalidArgument}) {
		t.Errorf("a revert without a reason: %v", err)
	}
	if _, err := w.actions.RevertBaseline(t.Context(), Action{View: w.view, By: "bob", Reason: "a mistake"}); err != nil {
		t.Fatal(err)
	}
	if s := status(); s.Kind != "trailing" || s.Layout != before || s.Windows != was.Windows || !s.From.Equal(was.From) || !s.To.Equal(was.To) {
		t.Errorf("baseline after the revert %+v, want that of before, %+v", s, was)
	}
	w.seen = nil
	w.run(20, 300, 10)
	e := w.seen[0]
	if len(e.History) != 10 || e.Layout.Digest() != before || e.Baseline.Rows != 3000 || !e.Fitted.Equal(w.layouts()[1].From) {
		t.Errorf("judged by %d windows over %s, fitted to %s", len(e.History), e.Layout.Digest(), e.Fitted)
	}
	if got := len(w.layouts()); got != 5 {
		t.Errorf("%d layouts, want the former one listed once more and no other", got)
	}
	if _, err := w.actions.RevertBaseline(t.Context(), Action{View: w.view, By: "bob", Reason: "again"}); !errors.Is(err, &feature.Error{Code: feature.CodeConflict}) {
		t.Errorf("a revert with nothing in force: %v, want conflict", err)
	}
	list, err := w.actions.Baselines(t.Context(), w.view)
	if err != nil || len(list) != 2 || list[0].State != "taken_back" || list[0].By != "alice" || list[1].Undoes != 1 || list[1].By != "bob" || list[1].Reason != "a mistake" {
		t.Errorf("decisions %+v, %v", list, err)
	}
	rows, _, err := w.registry.AuditLog(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, row := range rows {
		found = found || row.Action == "baseline_revert" && row.By == "bob" && strings.Contains(string(row.After), before)
	}
	if !found {
		t.Error("no audit row of the revert with the layout then in force")
	}
	// The same version may be accepted again, and its layout is then in force again.
	if _, err := w.actions.AcceptBaseline(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	if s := status(); s.Kind != "accepted" || s.Windows != 3 {
		t.Errorf("accepted again: %+v, want the window, the one after it, and that of after the revert", s)
	}
}

// TestRevertsGoBackOneByOne takes back a decision after another.
func TestRevertsGoBackOneByOne(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 12 {
		w.run(n, 300, 10)
	}
	for _, d := range []struct {
		do      func(context.Context, Action) (Result, error)
		version feature.Version
	}{{w.actions.SetBaseline, 10}, {w.actions.AcceptBaseline, 9}, {w.actions.SetBaseline, 11}} {
		if _, err := d.do(t.Context(), Action{View: w.view, Version: d.version, By: "alice", Reason: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []BaselineStatus{{Kind: "pinned", Windows: 3}, {Kind: "accepted", Windows: 4}, {Kind: "pinned", Windows: 10}, {Kind: "trailing", Windows: 12}} {
		s, err := w.actions.Baseline(t.Context(), w.view)
		if err != nil || s.Kind != want.Kind || s.Windows != want.Windows {
			t.Errorf("baseline %+v, %v; want %s of %d windows", s, err, want.Kind, want.Windows)
		}
		if want.Kind == "trailing" {
			break
		}
		if _, err := w.actions.RevertBaseline(t.Context(), Action{View: w.view, By: "bob", Reason: "back"}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRevertWithoutLog leaves out what the log no longer holds, and says how much.
func TestRevertWithoutLog(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 12 {
		w.run(n, 300, 10)
	}
	if _, err := w.actions.AcceptBaseline(t.Context(), Action{View: w.view, Version: 9, By: "alice", Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	w.log.expired = true
	if _, err := w.actions.RevertBaseline(t.Context(), Action{View: w.view, By: "bob", Reason: "back"}); err != nil {
		t.Fatal(err)
	}
	s, err := w.actions.Baseline(t.Context(), w.view)
	if err != nil || s.Kind != "trailing" || s.Windows != 8 {
		t.Errorf("baseline %+v, %v; want the 8 windows that were not profiled anew", s, err)
	}
}

// TestOccasionIsNoHistory leaves windows of declared occasions out of history, also those
// that entered it before they were declared, and windows written long afterwards.
func TestOccasionIsNoHistory(t *testing.T) {
	w := newWorld(t, paymentsView())
	occasion := func(n int) feature.Occasion {
		return feature.Occasion{Name: "sale", From: w.window(n).Start.Format(time.RFC3339), To: w.window(n).End.Format(time.RFC3339)}
	}
	w.view.Calendar = []feature.Occasion{occasion(0)}
	w.run(0, 300, 10)
	if len(w.layouts()) != 0 || len(w.history()) != 0 {
		t.Fatal("a window of a declared occasion made a layout or is history")
	}
	w.view.Calendar = nil
	w.restart()
	for n := 1; n < 4; n++ {
		w.run(n, 300, 10)
	}
	w.view.Calendar = []feature.Occasion{occasion(2)}
	w.restart()
	w.seen = nil
	w.run(4, 300, 10)
	if got := len(w.seen[0].History); got != 2 {
		t.Errorf("judged by %d windows, want 2: one was declared since", got)
	}
	for n := 20; n < 22; n++ {
		w.run(n, 300, 10)
	}
	before := len(w.history())
	info := w.run(8, 300, 10)
	if len(w.history()) != before {
		t.Errorf("window 8, written after window 21 was judged, is history")
	}
	if info.State != feature.StateVisible {
		t.Errorf("its version is %s, want visible", info.State)
	}
}
