package materialize

import (
	"context"
	"errors"
	"testing"

	"sluice/feature"
)

// TestGrownTopic adds a partition that has rows of a window which all others are past:
// the window waits for it.
func TestGrownTopic(t *testing.T) {
	w := newWorld(t, paymentsView())
	partitions := 2
	w.board.partitions = func(string) int { return partitions }
	recounts := 0
	w.gate.deps.Recount = func(_ context.Context, view *feature.View) error {
		partitions, recounts = 3, recounts+1
		return nil
	}
	version := w.put(0, 10, 1)
	w.close(0, 0, 1)
	w.decide()
	if got := w.version(version); got.Step != feature.StepOpen || recounts != 1 {
		t.Fatalf("version %d is at step %s after %d counts, want open after 1: partition 2 has not passed the window", version, got.Step, recounts)
	}
	past := map[string]feature.ViewProgress{w.view.Name: {Watermark: w.window(0).End}}
	w.board.Update(feature.Progress{Topic: topic, Partition: 2, Epoch: 1, Views: past}, nil)
	w.decide()
	if got := w.version(version); got.State != feature.StateVisible {
		t.Errorf("version %d is %s once all partitions are past it, want visible", version, got.State)
	}
}

// TestUncountedTopic: while nobody can say how many partitions there are, no window is
// closed.
func TestUncountedTopic(t *testing.T) {
	w := newWorld(t, paymentsView())
	broken := errors.New("broken")
	w.gate.deps.Recount = func(context.Context, *feature.View) error { return broken }
	version := w.put(0, 10, 1)
	w.close(0, 0, 1)
	if decided, err := w.gate.turn(t.Context(), w.view, w.gate.seat(w.view)); decided || !errors.Is(err, broken) {
		t.Errorf("turn = %t, %v, want the error", decided, err)
	}
	if got := w.version(version); got.Step != feature.StepOpen {
		t.Errorf("version %d is at step %s, want open", version, got.Step)
	}
}

// TestIdleWithUnread: a partition is idle, and its tap is gone. A window does not close
// over writes that it has got since, however long nobody reads them, and does at once
// when they were read.
func TestIdleWithUnread(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.board.partitions = func(string) int { return 2 }
	end, asked := int64(7), 0
	w.gate.deps.Recount = func(context.Context, *feature.View) error { return nil }
	w.gate.deps.Ends = func(context.Context, *feature.View) (map[int32]int64, error) {
		asked++
		return map[int32]int64{0: 1000, 1: end}, nil // partition 0 is not idle: its end does not matter
	}
	idle := func(offset int64) {
		views := map[string]feature.ViewProgress{w.view.Name: {Idle: true}}
		w.board.Update(feature.Progress{Topic: topic, Partition: 1, Epoch: 1, Offset: offset, Views: views}, nil)
	}
	idle(5)
	version := w.put(0, 10, 1)
	w.close(0, 0)
	w.decide()
	if got := w.version(version); got.Step != feature.StepOpen {
		t.Fatalf("version %d is at step %s, want open: two records of partition 1 were not read", version, got.Step)
	}
	if late := w.board.Overdue(w.view, w.window(9).End); len(late[w.window(0).Start]) != 1 {
		t.Errorf("overdue: %v, want the window with partition 1", late)
	}
	end = 100 // of writes since, nobody knows what window they are for
	idle(7)
	w.decide()
	if got := w.version(version); got.State != feature.StateVisible || asked != 1 {
		t.Errorf("version %d is %s after %d questions, want visible after 1", version, got.State, asked)
	}
}
