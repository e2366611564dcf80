package materialize

import (
	"context"
	"errors"
	"slices"
	"testing"

	"sluice/feature"
	"sluice/rules"
)

var errCrash = errors.New("crash")

// crashing is a registry that stops working at a commit, before or after it.
type crashing struct {
	Registry
	when  func(c feature.Commit) bool
	after bool
}

func (r *crashing) Apply(ctx context.Context, c feature.Commit) (feature.Vector, error) {
	if !r.when(c) {
		return r.Registry.Apply(ctx, c)
	}
	if r.after {
		if _, err := r.Registry.Apply(ctx, c); err != nil {
			return feature.Vector{}, err
		}
	}
	return feature.Vector{}, errCrash
}

// TestRestartAtEachStep kills the gate before and after each commit of a window,
// and starts another one: the window is judged once and its rows are visible.
func TestRestartAtEachStep(t *testing.T) {
	for name, when := range map[string]func(feature.Commit) bool{
		"seal":   func(c feature.Commit) bool { return c.Seal != nil },
		"layout": func(c feature.Commit) bool { return len(c.Layouts) > 0 },
		"decide": func(c feature.Commit) bool { return len(c.Verdicts) > 0 },
	} {
		for _, after := range []bool{false, true} {
			side := map[bool]string{false: "before ", true: "after "}[after]
			t.Run(side+name, func(t *testing.T) {
				w := newWorld(t, paymentsView())
				version := w.put(0, 300, 10)
				w.close(0, 0, 1)
				deps := w.deps()
				deps.Registry = &crashing{w.registry, when, after}
				w.gate = New(DefaultConfig(), deps)
				if _, err := w.gate.turn(t.Context(), w.view, w.gate.seat(w.view)); !errors.Is(err, errCrash) {
					t.Fatalf("the gate was to crash, got %v", err)
				}
				w.restart()
				w.decide()
				next := w.run(1, 300, 10)
				if info := w.version(version); info.State != feature.StateVisible || next.State != feature.StateVisible {
					t.Errorf("after the restart versions are %s and %s, want visible", info.State, next.State)
				}
				if v := w.verdicts(); len(v) != 2 {
					t.Errorf("%d verdicts, want each window judged once", len(v))
				}
				if rows := w.history(); len(rows) != 2 || rows[0].Layout == "" || rows[0].Layout != rows[1].Layout {
					t.Errorf("history %d rows, want 2 over one layout", len(rows))
				}
			})
		}
	}
}

// TestDecisionWithoutAnswer: the registry has taken a decision, and its answer is lost. What
// people are to be told of it is there with it, once, whoever decides next: this gate, or
// another after a crash. Of one that did not take effect nothing is, until it is taken.
func TestDecisionWithoutAnswer(t *testing.T) {
	for name, tc := range map[string]struct{ after, crash bool }{
		"took effect": {true, false}, "did not": {false, false}, "took effect, then a crash": {true, true}, "did not, then a crash": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, paymentsView())
			w.run(0, 300, 10)
			w.judge = func(Evidence) (Opinion, error) { return verdict(rules.Fail), nil }
			lost := 0
			w.gate.deps.Registry = &crashing{w.registry, func(c feature.Commit) bool {
				if len(c.Verdicts) > 0 {
					lost++
				}
				return len(c.Verdicts) > 0 && lost == 1
			}, tc.after}
			w.put(1, 300, 50)
			w.close(1, 0, 1)
			if _, err := w.gate.turn(t.Context(), w.view, w.gate.seat(w.view)); !errors.Is(err, errCrash) {
				t.Fatalf("the answer was to be lost, got %v", err)
			}
			if got := w.kinds(); len(got) > 0 != tc.after {
				t.Errorf("people are to be told %q, want what took effect and nothing else", got)
			}
			if tc.crash {
				w.restart()
			}
			w.decide()
			w.decide()
			if got := w.kinds(); !slices.Equal(got, []string{"fail"}) || w.version(2).State != feature.StateRejected {
				t.Errorf("people are to be told %q of version 2, which is %s; want once that it failed", got, w.version(2).State)
			}
		})
	}
}

func TestTwoGates(t *testing.T) {
	w := newWorld(t, paymentsView())
	old, board := w.gate, w.board
	w.put(0, 300, 10)
	w.close(0, 0, 1)
	w.restart()
	if err := old.Run(t.Context()); !errors.Is(err, feature.ErrFenced) {
		t.Fatalf("the former gate ended with %v, want ErrFenced", err)
	}
	if len(w.verdicts()) != 0 {
		t.Fatal("the former gate has judged a window")
	}
	w.decide()
	w.put(1, 300, 10)
	w.close(1, 0, 1)
	for p := range int32(2) {
		board.Update(w.log.progress[p], w.log.partials(p))
	}
	if err := old.Run(t.Context()); !errors.Is(err, feature.ErrFenced) {
		t.Errorf("the former gate ended with %v, want ErrFenced", err)
	}
	w.decide()
	windows := 0
	for _, v := range w.verdicts() {
		if v.Kind == "window" {
			windows++
		}
	}
	if windows != 2 {
		t.Errorf("%d verdicts on 2 windows", windows)
	}
}

// A gate that was fenced leads again with a new epoch: it knows what the other
// decided meanwhile, and forgets windows that the other had forgotten on the log.
func TestGateLeadsAgain(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	old, board := w.gate, w.board
	w.restart()
	w.put(1, 300, 10)
	w.close(1, 0, 1)
	for p := range int32(2) {
		board.Update(w.log.progress[p], w.log.partials(p))
	}
	w.decide()
	for p := range int32(2) {
		if open := board.Open(w.view); len(open) != 1 || open[0].Start != w.window(1).Start {
			t.Errorf("before the partial of partition %d is forgotten: windows %+v, want window 1", p, open)
		}
		board.Forgotten(w.view.Name, w.window(1).Start, topic, p)
	}
	if open := board.Open(w.view); len(open) != 0 {
		t.Errorf("windows %+v, want none once the other gate has judged them", open)
	}
	epoch, err := w.registry.Acquire(t.Context(), "gate")
	if err != nil {
		t.Fatal(err)
	}
	old.Lead(epoch)
	w.gate, w.board = old, board
	if info := w.run(2, 300, 10); info.State != feature.StateVisible {
		t.Errorf("window 2 is %s, want visible", info.State)
	}
	if rows := w.history(); len(rows) != 3 {
		t.Errorf("history of %d windows, want 3", len(rows))
	}
}

// TestRunDecidesUntilItsEnd runs the gate as the platform does; people are to be
// told of the failed window, which is the sign that it was decided.
func TestRunDecidesUntilItsEnd(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.states(rules.Pass, rules.Fail)
	gate := New(DefaultConfig(), w.deps())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- gate.Run(ctx) }()
	for n := range 2 {
		w.put(n, 300, 10)
	}
	w.close(1, 0, 1)
	for changed := w.registry.Changed(); len(w.events()) == 0; changed = w.registry.Changed() {
		<-changed
	}
	if e := w.events()[0]; e.Alert.Kind != "fail" || e.Window != w.window(1) || e.Served != 1 {
		t.Errorf("told %+v, want that window 1 failed and 1 is served", e)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v at its end", err)
	}
}

// TestActionBetween changes the view between what the gate read and its commit.
func TestActionBetween(t *testing.T) {
	for _, action := range []string{"freeze", "reject"} {
		t.Run(action, func(t *testing.T) {
			w := newWorld(t, paymentsView())
			w.run(0, 300, 10)
			w.states(rules.Inconclusive)
			held := w.run(1, 300, 10).Version
			w.put(2, 300, 10)
			w.close(2, 0, 1)
			acted := false
			w.judge = func(Evidence) (Opinion, error) {
				if !acted {
					acted = true
					w.act(action, held)
				}
				return verdict(rules.Pass), nil
			}
			if _, err := w.gate.turn(t.Context(), w.view, w.gate.seat(w.view)); !errors.Is(err, feature.ErrConflict) {
				t.Fatalf("deciding from an old state: %v, want ErrConflict", err)
			}
			w.decide()
			want := map[string]feature.State{"freeze": feature.StateHeld, "reject": feature.StateVisible}[action]
			if got := w.version(3).State; got != want {
				t.Errorf("decided again: %s, want %s", got, want)
			}
			if want := map[string]feature.State{"freeze": feature.StateHeld, "reject": feature.StateRejected}[action]; w.version(held).State != want {
				t.Errorf("the held version is %s, want %s", w.version(held).State, want)
			}
		})
	}
}
