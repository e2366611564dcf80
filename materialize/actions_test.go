package materialize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/rules"
)

// code is the contract's code of an action's error.
func (w *world) code(name string, act Action) feature.Code {
	w.t.Helper()
	act.View, act.Reason = w.view, "because"
	_, err := w.actions.Act(w.t.Context(), name, act)
	var e *feature.Error
	if err == nil || !errors.As(err, &e) {
		w.t.Fatalf("%s version %d: %v, want an error of the contract", name, act.Version, err)
	}
	return e.Code
}

func TestApproveDeadIsStagedAgain(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	dead := w.run(1, 300, 50)
	w.sweep()
	if chains, err := w.rows.Read(t.Context(), w.view.ID, []feature.Key{"7"}, nil); err != nil || len(chains[0]) != 1 {
		t.Fatalf("rows of the rejected version are still there: %+v, %v", chains, err)
	}
	r := w.act("approve", dead.Version)
	info := w.version(3)
	if !slices.Equal(r.Visible, []feature.Version{1, 3}) || info.Kind != feature.KindApproved || info.ApprovedOf != 2 || info.State != feature.StateVisible || info.Rows != 300 || info.Bytes == 0 || info.DecidedBy != "alice" {
		t.Errorf("approve answers %+v, new version %+v", r, info)
	}
	if got, ok := w.get("7"); !ok || got.Version != 3 {
		t.Errorf("a reader gets %+v, %v; want version 3", got, ok)
	}
	if got := w.version(2); got.State != feature.StateRejected {
		t.Errorf("the version approved is %s, want rejected for ever", got.State)
	}
	if code := w.code("approve", Action{Version: 2}); code != feature.CodeConflict {
		t.Errorf("approving it twice: %s, want conflict", code)
	}
	for n := 2; n < 5; n++ {
		w.run(n, 300, 10)
	}
	if info = w.version(3); info.Step != feature.StepCertified || w.vector().Floor != 3 {
		t.Errorf("3 windows later it is %s, floor %d; want certified", info.Step, w.vector().Floor)
	}
	if code := w.code("rollback", Action{Version: 3}); code != feature.CodeCertified {
		t.Errorf("rolling a certified version back: %s", code)
	}
}

// TestApproveCountsAgain approves a version of which the log gives one row less than were
// counted, and one of which it gives all.
func TestApproveCountsAgain(t *testing.T) {
	for lost, want := range map[int]string{0: "", 1: "version=2 as=3 read=299 counted=300"} {
		w := newWorld(t, paymentsView())
		w.run(0, 300, 10)
		w.states(rules.Fail)
		dead := w.run(1, 300, 50)
		for i := range w.log.parts[0] {
			if r := &w.log.parts[0][i]; lost > 0 && r.version == dead.Version {
				r.window, lost = w.window(9), lost-1
			}
		}
		var log bytes.Buffer
		deps := w.deps()
		deps.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w.actions = NewActions(deps, w.gate)
		w.act("approve", dead.Version)
		if got := w.version(dead.Version + 1).Rows; (got == 299) != (want != "") || (got == 300) != (want == "") {
			t.Errorf("version %d lists %d rows, want as many as the log gave", dead.Version+1, got)
		}
		if said := strings.Contains(log.String(), "not as many as were counted"); said != (want != "") || !strings.Contains(log.String(), want) {
			t.Errorf("logged %q, want %q", log.String(), want)
		}
	}
}

// unwilling is a row store that takes no rows.
type unwilling struct{ rowStore }

var errRefused = errors.New("OOM command not allowed")

func (unwilling) Stage(context.Context, feature.ViewID, feature.Version, []feature.Row) (uint64, error) {
	return 0, errRefused
}

// TestApproveRefused approves while the online store takes no rows: people are told that, and
// the log why.
func TestApproveRefused(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	dead := w.run(1, 300, 50)
	deps := w.deps()
	deps.Rows = unwilling{w.rows}
	w.actions = NewActions(deps, w.gate)
	_, err := w.actions.Act(t.Context(), "approve", Action{View: w.view, Version: dead.Version, By: "alice", Reason: "because"})
	var said *feature.Error
	if !errors.As(err, &said) || said.Code != feature.CodeUnavailable || !strings.Contains(said.Message, "online store") || !errors.Is(err, errRefused) || !errors.Is(err, feature.ErrUnavailable) {
		t.Errorf("approve = %v, want it unavailable, for the online store, with its error", err)
	}
	if fresh := w.version(dead.Version + 1); fresh.State != feature.StateExpired {
		t.Errorf("the version opened for it is %s, want it expired", fresh.State)
	}
	w.actions = NewActions(w.deps(), w.gate)
	w.act("approve", dead.Version)
}

// TestApproveNothing approves a version of which the log gives no row.
func TestApproveNothing(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	dead := w.run(1, 300, 50)
	for _, part := range w.log.parts {
		for i := range part {
			if r := &part[i]; r.version == dead.Version {
				r.window = w.window(9)
			}
		}
	}
	before := w.vector()
	_, err := w.actions.Act(t.Context(), "approve", Action{View: w.view, Version: dead.Version, By: "alice", Reason: "because"})
	if !errors.Is(err, &feature.Error{Code: feature.CodeExpired}) || !strings.Contains(err.Error(), "none of the 300 rows") {
		t.Errorf("approve of a version without rows = %v, want it refused", err)
	}
	if now := w.vector(); !slices.Equal(now.Visible, before.Visible) {
		t.Errorf("visible = %v, want %v", now.Visible, before.Visible)
	}
	if fresh := w.version(dead.Version + 1); fresh.State != feature.StateExpired {
		t.Errorf("the version opened for it is %s, want it expired", fresh.State)
	}
}

func TestApproveHeld(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.states(rules.Error)
	w.run(0, 300, 10)
	reads := w.log.reads
	w.act("approve", 1)
	if _, ok := w.get("7"); !ok || w.log.reads != reads {
		t.Errorf("rows of an approved held version: %v, read again %d times", ok, w.log.reads-reads)
	}
	if len(w.history()) != 0 {
		t.Error("an approved window is in history, and nobody called it normal")
	}
}

func TestApproveAsNormalAndItsEnd(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	w.run(1, 300, 50)
	_, err := w.actions.Act(t.Context(), "approve", Action{View: w.view, Version: 2, By: "alice", Reason: "sale", AsNormal: true})
	if err != nil {
		t.Fatal(err)
	}
	if rows := w.history(); len(rows) != 2 || !rows[1].Normal || rows[1].Version != 3 {
		t.Fatalf("history %+v, want the window as normal, of version 3", rows)
	}
	w.run(2, 300, 10)
	if e := w.seen[len(w.seen)-1]; len(e.History) == 0 {
		t.Fatal("nothing was judged")
	}
	w.seen = nil
	w.act("rollback", 3)
	if rows := w.history(); len(rows) != 2 || rows[1].Version != 4 {
		t.Errorf("history after the rollback %+v, want the window gone", rows)
	}
	w.run(3, 300, 10)
	if e := w.seen[0]; len(e.History) != 2 {
		t.Errorf("judged by %d windows of history, want the 2 that are left", len(e.History))
	}
}

func TestApproveFindsTheLogExpired(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	w.run(1, 300, 50)
	w.log.expired = true
	if code := w.code("approve", Action{Version: 2}); code != feature.CodeExpired {
		t.Errorf("approving past the log's retention: %s, want expired", code)
	}
	w.log.expired = false
	for n := 2; n < 5; n++ {
		w.run(n, 300, 10)
	}
	if info := w.version(3); info.State != feature.StateExpired || w.vector().Floor != 3 {
		t.Errorf("the version opened for it is %s, floor %d; want expired and passed by the floor", info.State, w.vector().Floor)
	}
}

// TestCrashDuringApprove leaves an open version, which the next start ends.
func TestCrashDuringApprove(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	w.run(1, 300, 50)
	left, err := w.registry.OpenKind(t.Context(), w.view, feature.VersionInfo{Kind: feature.KindApproved, Window: w.window(1), ApprovedOf: 2})
	if err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.decide()
	if info := w.version(left.Version); info.State != feature.StateExpired || info.Step != feature.StepDecided {
		t.Errorf("left by a crash: %s %s, want expired", info.State, info.Step)
	}
	if code := w.code("approve", Action{Version: left.Version}); code != feature.CodeConflict {
		t.Errorf("approving what the crash left, which has no rows: %q, want conflict", code)
	}
	for n := 2; n < 5; n++ {
		w.run(n, 300, 10)
	}
	if v := w.vector(); v.Floor != 3 {
		t.Errorf("floor %d, want 3: past what the crash left", v.Floor)
	}
}

// deaf is a registry whose answers to openings are lost.
type deaf struct {
	Registry
	lost func() // before the caller goes on
	away bool   // it gives no list of versions
	late bool   // openings are carried out by the next Await, and not before
	due  func() error
}

func (r *deaf) Await(ctx context.Context, view feature.ViewID) error {
	if r.away {
		return feature.ErrUnavailable
	}
	if due := r.due; due != nil {
		r.due = nil
		if err := due(); err != nil {
			return err
		}
	}
	return r.Registry.Await(ctx, view)
}

func (r *deaf) OpenKind(ctx context.Context, view *feature.View, info feature.VersionInfo) (feature.VersionInfo, error) {
	if r.late {
		r.due = func() error {
			_, err := r.Registry.OpenKind(context.WithoutCancel(ctx), view, info)
			return err
		}
		r.lost()
		return feature.VersionInfo{}, feature.ErrUncertain
	}
	if _, err := r.Registry.OpenKind(ctx, view, info); err != nil {
		return feature.VersionInfo{}, err
	}
	r.lost()
	return feature.VersionInfo{}, feature.ErrUncertain
}

func (r *deaf) Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error) {
	if r.away {
		return nil, feature.ErrUnavailable
	}
	return r.Registry.Versions(ctx, view, after, limit)
}

// TestOpeningWithoutAnswer: the registry has opened the version that an approval asked for,
// and its answer is lost. The approval goes on with it, or ends it, and not one of another
// process of the same rows; the floor passes what is over.
func TestOpeningWithoutAnswer(t *testing.T) {
	for name, cancelled := range map[string]bool{"goes on": false, "nobody waits any more": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, paymentsView())
			w.run(0, 300, 10)
			w.states(rules.Fail)
			w.run(1, 300, 50)
			other, err := w.registry.OpenKind(t.Context(), w.view, feature.VersionInfo{Kind: feature.KindApproved, Window: w.window(1), ApprovedOf: 2})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.actions.deps.Registry = &deaf{Registry: w.registry, lost: func() {
				if cancelled {
					cancel()
				}
			}}
			want := feature.StateVisible
			if cancelled {
				want = feature.StateExpired
			}
			_, err = w.actions.Act(ctx, "approve", Action{View: w.view, Version: 2, By: "alice", Reason: "because"})
			if info := w.version(4); cancelled != (err != nil) || info.State != want || info.Step == feature.StepOpen {
				t.Errorf("approve = %v, and its version is %s %s; want it %s", err, info.Step, info.State, want)
			}
			if info := w.version(other.Version); info.Step != feature.StepOpen {
				t.Errorf("the version of another approval is %s: %s", info.Step, info.Reason)
			}
		})
	}
}

// TestOpeningUnderWay: the answer to an opening is lost before the registry has carried it
// out. It is waited for, and used, or ended, by whoever asked or later by the gate.
func TestOpeningUnderWay(t *testing.T) {
	for name, away := range map[string]bool{"goes on": false, "the registry leaves": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, paymentsView())
			w.run(0, 300, 10)
			w.states(rules.Fail)
			w.run(1, 300, 50)
			registry := &deaf{Registry: w.registry, late: true}
			registry.lost = func() { registry.away = away }
			w.actions.deps.Registry, w.gate.deps.Registry = registry, registry
			_, err := w.actions.Act(t.Context(), "approve", Action{View: w.view, Version: 2, By: "alice", Reason: "because"})
			if away != (err != nil) {
				t.Fatalf("approve = %v", err)
			}
			registry.away = false
			if err := w.gate.sweepAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := feature.StateVisible
			if away {
				want = feature.StateExpired
			}
			if info := w.version(3); info.State != want || info.Step == feature.StepOpen {
				t.Errorf("the version that was opened late is %s %s, want it %s", info.Step, info.State, want)
			}
		})
	}
}

// TestOpeningWhileTheRegistryLeaves: the registry does not answer after an opening either.
// The gate ends the version as soon as it does, and not that of another approval.
func TestOpeningWhileTheRegistryLeaves(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	w.run(1, 300, 50)
	if _, err := w.registry.OpenKind(t.Context(), w.view, feature.VersionInfo{Kind: feature.KindApproved, Window: w.window(1), ApprovedOf: 2}); err != nil {
		t.Fatal(err)
	}
	away := &deaf{Registry: w.registry}
	away.lost = func() { away.away = true }
	w.actions.deps.Registry = away
	if _, err := w.actions.Act(t.Context(), "approve", Action{View: w.view, Version: 2, By: "alice", Reason: "because"}); !errors.Is(err, feature.ErrUncertain) {
		t.Fatalf("approve = %v, want that nobody knows", err)
	}
	w.gate.deps.Registry = away
	if err := w.gate.tidyUnanswered(t.Context(), w.view); !errors.Is(err, feature.ErrUnavailable) {
		t.Errorf("while the registry is away: %v", err)
	}
	away.away = false
	if err := w.gate.sweepAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info := w.version(4); info.State != feature.StateExpired || info.Step != feature.StepDecided {
		t.Errorf("what was opened without an answer is %s %s, want it ended", info.Step, info.State)
	}
	if info := w.version(3); info.Step != feature.StepOpen {
		t.Errorf("the version of another approval is %s: %s", info.Step, info.Reason)
	}
}

// TestApprovalNotEnded: the log breaks off and the registry is away, so that the approval
// cannot end its version. The gate does as soon as it can.
func TestApprovalNotEnded(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	w.run(1, 300, 50)
	away := &deaf{Registry: w.registry, lost: func() {}}
	w.actions.deps.Registry = away
	w.log.cut = func(int) error {
		away.away = true
		return errCrash
	}
	if _, err := w.actions.Act(t.Context(), "approve", Action{View: w.view, Version: 2, By: "alice", Reason: "because"}); !errors.Is(err, errCrash) {
		t.Fatalf("approve = %v, want that the log broke off", err)
	}
	if err := w.gate.sweepAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info := w.version(3); info.State != feature.StateExpired || info.Step != feature.StepDecided {
		t.Errorf("what was not ended is %s %s, want it ended", info.Step, info.State)
	}
}

// TestApproveKeepsTidyAway: while an approval of this process stages rows, its open
// version is not taken for one that a crash left.
func TestApproveKeepsTidyAway(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	w.run(1, 300, 50)
	looked := 0
	w.log.cut = func(int) error {
		if looked++; w.gate.staging.TryLock() {
			t.Error("the gate may end versions while an approval stages rows")
			w.gate.staging.Unlock()
		}
		return nil
	}
	w.act("approve", 2)
	if _, err := w.registry.OpenKind(t.Context(), w.view, feature.VersionInfo{Kind: feature.KindApproved, Window: w.window(1), ApprovedOf: 2}); err != nil {
		t.Fatal(err)
	}
	deps := w.deps()
	var gate *Gate
	deps.Registry = &crashing{Registry: w.registry, when: func(feature.Commit) bool {
		if looked++; gate.staging.TryRLock() {
			t.Error("an approval may start while the gate ends versions")
			gate.staging.RUnlock()
		}
		return false
	}}
	gate = New(DefaultConfig(), deps)
	if err := gate.tidy(t.Context(), w.view, gate.seat(w.view)); err != nil || looked < 3 {
		t.Errorf("tidy = %v, looked %d times", err, looked)
	}
}

// TestApproveRacesTheGate loses the race once: rows are staged once, and no open
// version is left behind.
func TestApproveRacesTheGate(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	w.run(1, 300, 50)
	w.put(2, 300, 10)
	w.log.cut = func(done int) error {
		w.log.cut = nil // the gate reads rows as well
		if done == 0 {
			w.close(2, 0, 1)
			w.decide()
		}
		return nil
	}
	w.act("approve", 2)
	if info := w.version(4); info.State != feature.StateVisible || info.ApprovedOf != 2 {
		t.Errorf("approved version %+v, want visible", info)
	}
	versions, err := w.registry.Versions(t.Context(), w.view.ID, 0, 0)
	if err != nil || len(versions) != 4 {
		t.Errorf("%d versions, %v; want one new one", len(versions), err)
	}
}

// TestApprovedIsCertified: rows that show already are not published again, although the
// version that has them is certified and later deletions of them are folded away.
func TestApprovedIsCertified(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail)
	w.run(1, 300, 50)
	w.act("approve", 2)
	for n := 2; w.vector().Floor < 3; n++ {
		w.run(n, 300, 10)
	}
	w.sweep()
	if code := w.code("approve", Action{Version: 2}); code != feature.CodeConflict {
		t.Errorf("approving again what is certified: %q, want conflict", code)
	}
	versions, err := w.registry.Versions(t.Context(), w.view.ID, 0, 0)
	if err != nil || slices.ContainsFunc(versions, func(v feature.VersionInfo) bool { return v.Version > 3 && v.Kind == feature.KindApproved }) {
		t.Errorf("versions %+v, %v: want none opened by the second approval", versions, err)
	}
}

// TestApprovalWithoutAnswer: the registry has taken an approval, and its answer is lost.
// What was published stays, right above the floor, which could pass it, or further up.
func TestApprovalWithoutAnswer(t *testing.T) {
	for _, probation := range []int{1, 2} {
		t.Run(fmt.Sprintf("probation %d", probation), func(t *testing.T) {
			view := paymentsView()
			view.Publish.ProbationWindows = probation
			w := newWorld(t, view)
			w.run(0, 300, 10)
			w.states(rules.Fail)
			w.run(1, 300, 50)
			lost := 0
			w.actions.deps.Registry = &crashing{w.registry, func(feature.Commit) bool { lost++; return lost == 1 }, true}
			if _, err := w.actions.Act(t.Context(), "approve", Action{View: w.view, Version: 2, By: "alice", Reason: "because"}); !errors.Is(err, errCrash) {
				t.Fatalf("the answer was to be lost, got %v", err)
			}
			info, v := w.version(3), w.vector()
			if info.State != feature.StateVisible || info.Rows != 300 || !v.Sees(3) {
				t.Errorf("approved version %+v of vector %+v, want it visible", info, v)
			}
			if code := w.code("approve", Action{Version: 2}); code != feature.CodeConflict {
				t.Errorf("approving it again: %q, want conflict: it is published", code)
			}
		})
	}
}

func TestRollbackByAPerson(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 3 {
		w.run(n, 300, 10)
	}
	w.act("rollback", 2)
	if v := w.vector(); !slices.Equal(v.Visible, []feature.Version{1, 3}) {
		t.Errorf("visible %v after the rollback of 2, want the older and the newer to stay", v.Visible)
	}
	if rows := w.history(); len(rows) != 2 {
		t.Errorf("%d windows of history, want that of the rolled back version out", len(rows))
	}
	before := w.vector()
	if r := w.act("rollback", 2); r.Generation != before.Generation {
		t.Errorf("rolling back again changes generation %d to %d", before.Generation, r.Generation)
	}
	stale := before.Generation - 1
	if code := w.code("rollback", Action{Version: 3, IfGeneration: &stale}); code != feature.CodeConflict {
		t.Errorf("rollback with an old generation: %s, want conflict", code)
	}
}

func TestReject(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.act("freeze", 0)
	w.run(1, 300, 10)
	if rows := w.history(); len(rows) != 2 {
		t.Fatalf("%d windows of history, want 2: both passed", len(rows))
	}
	if code := w.code("approve", Action{Version: 2}); code != feature.CodeFrozen {
		t.Errorf("approve while frozen: %s", code)
	}
	w.act("reject", 2)
	w.act("thaw", 0)
	if info := w.version(2); info.State != feature.StateRejected || len(w.history()) != 1 {
		t.Errorf("rejected version is %s, history has %d windows; want rejected, 1", info.State, len(w.history()))
	}
	if got, want := w.kinds(), []string{"frozen", "hold", "resolved frozen"}; !slices.Equal(got, want) {
		t.Errorf("people were told %q, want %q", got, want)
	}
}

// TestApproveWithoutRoom: while the online store is short of memory no version is opened
// for rows from the log; one whose rows are there needs no room.
func TestApproveWithoutRoom(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail, rules.Error)
	w.run(1, 300, 50)
	held := w.run(2, 300, 10)
	w.sweep()
	full := true
	w.actions.deps.Room = func(*feature.View) error {
		if full {
			return &feature.Error{Code: feature.CodeUnavailable, Message: "short of memory"}
		}
		return nil
	}
	before := w.log.reads
	if code := w.code("approve", Action{Version: 2}); code != feature.CodeUnavailable || w.log.reads != before {
		t.Errorf("approving a dead version: %s and %d reads of the log, want unavailable and none", code, w.log.reads-before)
	}
	if versions, err := w.registry.Versions(t.Context(), w.view.ID, held.Version, 0); err != nil || len(versions) != 0 {
		t.Errorf("versions opened for it: %+v, %v, want none", versions, err)
	}
	w.act("approve", held.Version)
	full = false
	w.act("approve", 2)
}

// A freeze needs no reason, and what people are told ends where the reason would begin.
func TestFreezeWithoutReason(t *testing.T) {
	for reason, want := range map[string]string{"": "payments was frozen by me", "migration": "payments was frozen by me: migration"} {
		w := newWorld(t, paymentsView())
		if _, err := w.actions.Act(t.Context(), "freeze", Action{View: w.view, By: "me", Reason: reason}); err != nil {
			t.Fatal(err)
		}
		if text := w.events()[len(w.events())-1].Alert.Text; text != want {
			t.Errorf("people are told %q, want %q", text, want)
		}
	}
}
