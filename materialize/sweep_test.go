package materialize

import (
	"context"
	"testing"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// sweep sweeps all that can be, with time to spare.
func (w *world) sweep() {
	w.t.Helper()
	for i := range 2 {
		if err := w.gate.sweep(w.t.Context(), w.view, time.Unix(int64(60*i), 0)); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) chain(key string) int {
	w.t.Helper()
	chains, err := w.rows.Read(w.t.Context(), w.view.ID, []feature.Key{feature.Key(key)}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(chains[0])
}

// TestSweepWaitsForLeases rolls a version back while a reader may still hold the
// vector that lists it.
func TestSweepWaitsForLeases(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.run(1, 300, 10)
	start := time.Unix(1000, 0)
	sweep := func(after time.Duration) {
		t.Helper()
		if err := w.gate.sweep(t.Context(), w.view, start.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	sweep(0)
	w.act("rollback", 2)
	for _, after := range []time.Duration{0, 1500 * time.Millisecond, 1999 * time.Millisecond} {
		if sweep(after); w.chain("7") != 2 {
			t.Fatalf("%s after the rollback the rows of version 2 are gone", after)
		}
	}
	sweep(2 * time.Second)
	if got := w.chain("7"); got != 1 {
		t.Errorf("two leases after the rollback a chain has %d records, want 1", got)
	}
	if step := w.version(2).Step; step != feature.StepSwept {
		t.Errorf("version 2 is %s, want swept", step)
	}
}

// TestSweepOfABriefVersion publishes and rolls back between two sweeps: a list
// made before both must not cover it.
func TestSweepOfABriefVersion(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.states(rules.Fail)
	w.run(0, 300, 10)
	start := time.Unix(1000, 0)
	if err := w.gate.sweep(t.Context(), w.view, start); err != nil {
		t.Fatal(err)
	}
	w.run(1, 300, 10)
	w.act("rollback", 2)
	if err := w.gate.sweep(t.Context(), w.view, start.Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	if got := w.chain("7"); got != 1 {
		t.Errorf("a chain has %d records, want the one of version 2 alone: version 1 was listed for removal, 2 was not", got)
	}
}

// TestSweepKeepsWhatPeopleNote: what a person notes of a version between the list of what is
// removed and its removal stays noted.
func TestSweepKeepsWhatPeopleNote(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.states(rules.Pass, rules.Fail)
	w.run(0, 300, 10)
	w.run(1, 300, 10)
	start := time.Unix(1000, 0)
	if err := w.gate.sweep(t.Context(), w.view, start); err != nil {
		t.Fatal(err)
	}
	w.act("false_alarm", 2)
	if err := w.gate.sweep(t.Context(), w.view, start.Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	if info := w.version(2); info.Step != feature.StepSwept || !info.FalseAlarm {
		t.Errorf("version 2 is %s, a false alarm: %t; want it swept and noted", info.Step, info.FalseAlarm)
	}
}

func TestFoldKeepsTheNewest(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 6 {
		w.run(n, 300, 10)
	}
	w.sweep()
	if floor := w.vector().Floor; floor != 3 || w.chain("7") != 4 {
		t.Errorf("floor %d, a chain of %d records; want 3 and the newest of them with the 3 above", floor, w.chain("7"))
	}
	if r, ok := w.get("7"); !ok || r.Version != 6 {
		t.Errorf("a reader gets %+v, %v", r, ok)
	}
}

// counting counts what a registry is asked.
type counting struct {
	Registry
	after  []feature.Version // of every list of versions without a limit
	reads  int
	writes int
}

func (r *counting) Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error) {
	if limit == 0 {
		r.after = append(r.after, after)
	}
	r.reads++
	return r.Registry.Versions(ctx, view, after, limit)
}

func (r *counting) Apply(ctx context.Context, c feature.Commit) (feature.Vector, error) {
	r.writes++
	return r.Registry.Apply(ctx, c)
}

func (r *counting) Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error) {
	r.reads++
	return r.Registry.Vector(ctx, view)
}

func (r *counting) Version(ctx context.Context, view feature.ViewID, version feature.Version) (feature.VersionInfo, error) {
	r.reads++
	return r.Registry.Version(ctx, view, version)
}

func (r *counting) VersionOf(ctx context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error) {
	r.reads++
	return r.Registry.VersionOf(ctx, view, start)
}

func (r *counting) Memory(ctx context.Context, view feature.ViewID) ([]byte, error) {
	r.reads++
	return r.Registry.Memory(ctx, view)
}

func (r *counting) OpenAlerts(ctx context.Context, view string) ([]feature.Alert, error) {
	r.reads++
	return r.Registry.OpenAlerts(ctx, view)
}

func (r *counting) History(ctx context.Context, view feature.ViewID, from, to time.Time) ([]feature.HistoryRow, error) {
	r.reads++
	return r.Registry.History(ctx, view, from, to)
}

// TestRegistryIsAskedLittle holds what a window costs the registry, and that
// neither the gate nor a sweep after a restart lists all versions below the floor.
func TestRegistryIsAskedLittle(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 12 {
		w.run(n, 300, 10)
	}
	w.sweep()
	w.restart()
	r := &counting{Registry: w.registry}
	deps := w.deps()
	deps.Registry = r
	w.gate = New(DefaultConfig(), deps)
	w.run(12, 300, 10)
	r.reads, r.writes = 0, 0
	w.run(13, 300, 10)
	if r.reads > 5 || r.writes != 2 {
		t.Errorf("a window takes %d reads and %d writes of the registry, want at most 5 and 2", r.reads, r.writes)
	}
	r.after = nil
	w.sweep()
	if len(r.after) == 0 {
		t.Fatal("the sweep looked at no version")
	}
	for _, after := range r.after {
		if after < 9 {
			t.Errorf("a sweep lists versions from %d on, and up to 9 they are swept", after+1)
		}
	}
	r.reads = 0
	for i := range 5 {
		if err := w.gate.sweep(t.Context(), w.view, time.Unix(int64(1000+60*i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	if r.reads > 8 {
		t.Errorf("5 sweeps with nothing to do read the registry %d times", r.reads)
	}
}
