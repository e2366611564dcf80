package materialize

import (
	"errors"
	"sync"
	"testing"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// Two views whose windows are complete are judged at the same time, and a view
// that cannot be decided keeps no other waiting.
func TestViewsAreDecidedSideBySide(t *testing.T) {
	w := newWorld(t, paymentsView())
	first := *w.view
	second := first
	second.ID, second.Name = 2, "refunds"
	w.defs = &feature.Definitions{Views: []feature.View{first, second}}
	var both sync.WaitGroup
	both.Add(2)
	met := make(chan struct{})
	go func() { both.Wait(); close(met) }()
	broken := errors.New("broken")
	w.judge = func(e Evidence) (Opinion, error) {
		both.Done()
		select {
		case <-met:
		case <-time.After(20 * time.Second):
			t.Error("the other view is not judged meanwhile")
		}
		if e.View.ID == second.ID {
			return Opinion{}, broken
		}
		return verdict(rules.Pass), nil
	}
	versions := map[feature.ViewID]feature.Version{}
	for n := range w.defs.Views {
		w.view = &w.defs.Views[n]
		versions[w.view.ID] = w.put(n, 10, 1)
	}
	w.close(1, 0, 1)
	if again, err := w.gate.round(t.Context()); err != nil || again == nil {
		t.Fatalf("round = %v, %v", again, err)
	}
	for id, want := range map[feature.ViewID]feature.State{1: feature.StateVisible, 2: feature.StateHeld} {
		w.view = &w.defs.Views[id-1]
		if got := w.version(versions[id]); got.State != want {
			t.Errorf("view %d: version %d is %s, want %s", id, got.Version, got.State, want)
		}
	}
}
