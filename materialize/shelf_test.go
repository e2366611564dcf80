package materialize

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/rules"
)

// frozenFor freezes a view after its first window, and judges so many windows more.
// Each has the key "every" and one of its own.
func frozenFor(t *testing.T, windows int) *world {
	t.Helper()
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.act("freeze", 0)
	for n := 1; n <= windows; n++ {
		w.putKeys(n, []string{"every", fmt.Sprintf("only%d", n)}, func(int) float64 { return float64(n) })
		w.close(n, 0, 1)
		w.decide()
	}
	return w
}

// ticks lets the gate watch, and waits for what it does beside that.
func (w *world) ticks(n int) {
	w.t.Helper()
	for range n {
		if err := w.gate.watchAll(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.gate.aside.Wait()
	}
}

// TestFrozenViewKeepsFewRows judges ten windows of a frozen view: an entity that is in
// all of them keeps no more records than a list may show, and after the thaw readers
// see every row.
func TestFrozenViewKeepsFewRows(t *testing.T) {
	const windows = 10
	w := frozenFor(t, windows)
	w.sweep()
	if n := w.chain("every"); n > feature.MaxVisible {
		t.Errorf("the key of all windows keeps %d records, want at most %d", n, feature.MaxVisible)
	}
	last := w.version(windows + 1)
	if last.State != feature.StateExpired || !strings.Contains(last.Reason, "passed, and rests in the log: the view is frozen and keeps 4 versions already") {
		t.Errorf("the last version is %s: %q", last.State, last.Reason)
	}
	if text := w.events()[len(w.events())-1].Alert.Text; !strings.Contains(text, "passed and rests in the log: the view is frozen and keeps 4 versions already. It is published once `sluice thaw payments` is done.") {
		t.Errorf("people are told %q", text)
	}
	if v := w.vector(); !slices.Equal(v.Visible, []feature.Version{1}) {
		t.Errorf("visible %v, want what was visible before the freeze", v.Visible)
	}
	w.act("thaw", 0)
	w.restart()
	w.ticks(windows)
	for n := windows + 1; n < windows+6; n++ { // windows to make room
		w.run(n, 300, 10)
		w.ticks(windows)
	}
	for n := 1; n <= windows; n++ {
		if r, ok := w.get(fmt.Sprintf("only%d", n)); !ok || r.Version == 0 {
			t.Errorf("window %d: its row is not visible", n)
		}
	}
	joined := w.versionsOf(feature.KindApproved)
	if len(joined) != 1 || joined[0].State != feature.StateVisible || joined[0].DecidedBy != "gate" || joined[0].Reason != "passed, and there was no room for its rows until now" || joined[0].Rows != 2*7 || len(joined[0].Parts()) != 7 {
		t.Errorf("versions from the log %+v, want one of seven windows, visible, by the gate", joined)
	}
}

// TestShelfIsReadBack loses the rows of a version that joins windows, with a server of
// the row store: they are staged again, all of them.
func TestShelfIsReadBack(t *testing.T) {
	w := frozenFor(t, 8)
	identity := "a"
	deps := w.deps()
	deps.Shards = func(context.Context, *feature.View) (string, error) { return identity, nil }
	w.gate = New(DefaultConfig(), deps)
	w.act("thaw", 0)
	w.ticks(2)
	joined := w.versionsOf(feature.KindApproved)
	if len(joined) != 1 {
		t.Fatalf("versions from the log %+v, want one", joined)
	}
	w.run(9, 300, 10) // notes the servers
	if _, err := w.rows.Drop(t.Context(), w.view.ID, joined[0].Version); err != nil {
		t.Fatal(err)
	}
	identity = "b"
	if err := w.gate.mendAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 8; n++ {
		if _, ok := w.get(fmt.Sprintf("only%d", n)); !ok {
			t.Errorf("window %d: its row is not visible", n)
		}
	}
}

// TestShelfOfAnExpiredLog thaws when the log no longer holds the rows: people are told,
// and nothing is tried for ever.
func TestShelfOfAnExpiredLog(t *testing.T) {
	w := frozenFor(t, 5)
	w.log.expired = true
	w.act("thaw", 0)
	w.forget()
	w.ticks(8)
	if _, ok := w.get("only5"); ok {
		t.Error("a row is visible that neither store nor log has")
	}
	lost := slices.DeleteFunc(w.events(), func(e feature.Notice) bool { return !strings.Contains(e.Alert.Text, "the log no longer holds them") })
	if len(lost) != 2 {
		t.Errorf("people were told of %d versions, want of 5 and 6: %+v", len(lost), w.events())
	}
}

// TestShelfIsForPeopleToo rejects one version on the shelf and approves another, before
// the view is thawed or after it.
func TestShelfIsForPeopleToo(t *testing.T) {
	w := frozenFor(t, 6)
	w.act("reject", 6)
	if code := w.code("approve", Action{Version: 7}); code != feature.CodeFrozen {
		t.Errorf("approve while frozen: %s, want frozen", code)
	}
	w.act("thaw", 0)
	w.act("approve", 7)
	w.ticks(8)
	if _, ok := w.get("only5"); ok {
		t.Error("the rejected version shows")
	}
	if _, ok := w.get("only6"); !ok {
		t.Error("the approved version does not show")
	}
	if all := w.versionsOf(feature.KindApproved); len(all) != 2 {
		t.Errorf("%d versions were staged from the log, want those of 5 and 7: %+v", len(all), all)
	}
}

// TestRejectedOnTheShelf: a version that a person rejects on the shelf leaves history, as
// one does that is rejected while it waits, and says why it does not come.
func TestRejectedOnTheShelf(t *testing.T) {
	w := frozenFor(t, 6)
	before := len(w.history())
	w.act("reject", 6)
	if rows := w.history(); len(rows) != before-1 || slices.ContainsFunc(rows, func(r feature.HistoryRow) bool { return r.Version == 6 }) {
		t.Errorf("history %d windows of %d, want it without that of version 6", len(rows), before)
	}
	if info := w.version(6); info.Reason != "because" || info.DecidedBy != "alice" {
		t.Errorf("version 6, by %s: %q; want what the person said", info.DecidedBy, info.Reason)
	}
	if code := w.code("reject", Action{Version: 6}); code != feature.CodeConflict {
		t.Errorf("reject again: %q, want conflict", code)
	}
}

// TestRolledBackFromTheShelf: windows whose rows were published from the log leave history
// when the version that joined them is rolled back, by a person or by the gate.
func TestRolledBackFromTheShelf(t *testing.T) {
	for name, back := range map[string]func(w *world, joined feature.Version){
		"person": func(w *world, joined feature.Version) {
			w.act("rollback", joined)
			w.run(7, 300, 10)
		},
		"gate": func(w *world, joined feature.Version) {
			w.judge = func(e Evidence) (Opinion, error) {
				if e.Kind != "probation" {
					return verdict(rules.Pass), nil
				}
				bad := verdict(rules.Fail)
				bad.Verdict.Onset = w.window(4).Start
				return bad, nil
			}
			w.run(7, 300, 10)
			w.close(8, 0, 1)
			w.decide()
			w.run(9, 300, 10)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := frozenFor(t, 6) // versions 5, 6 and 7 are on the shelf
			w.act("thaw", 0)
			w.put(8, 300, 10) // is open, so that nothing after it is certified
			w.ticks(8)
			joined := w.versionsOf(feature.KindApproved)
			if len(joined) != 1 || joined[0].State != feature.StateVisible || len(joined[0].Parts()) != 3 {
				t.Fatalf("versions from the log %+v, want one of three windows, visible", joined)
			}
			back(w, joined[0].Version)
			if info := w.version(joined[0].Version); info.State != feature.StateRolledBack {
				t.Fatalf("it is %s, want rolled back", info.State)
			}
			for _, row := range w.history() {
				if row.Version >= 5 && row.Version <= 7 {
					t.Errorf("the window of version %d is history, and its rows were rolled back", row.Version)
				}
			}
			for _, e := range w.gate.seat(w.view).book.entries {
				if e.version >= 5 && e.version <= 7 {
					t.Errorf("the gate compares with the window of version %d", e.version)
				}
			}
		})
	}
}

// TestPublishedFromTheShelf: a version whose rows were published with others says so, and
// is not published once more.
func TestPublishedFromTheShelf(t *testing.T) {
	w := frozenFor(t, 6)
	w.act("thaw", 0)
	w.ticks(8)
	for version := feature.Version(5); version <= 7; version++ {
		if got, want := w.version(version).Reason, "its rows are published from the log, as version 8"; got != want {
			t.Errorf("version %d says %q, want %q", version, got, want)
		}
		if code := w.code("approve", Action{Version: version}); code != feature.CodeConflict {
			t.Errorf("approve version %d: %q, want conflict: its rows are published", version, code)
		}
	}
	if all := w.versionsOf(feature.KindApproved); len(all) != 1 {
		t.Errorf("%d versions from the log, want one", len(all))
	}
}

// TestShelfOfALogThatExpiresByHalves: a version of which the log holds one partition alone
// does not show by halves beside those that it holds whole.
func TestShelfOfALogThatExpiresByHalves(t *testing.T) {
	w := frozenFor(t, 6)
	window := 0
	w.log.cut = func(rows int) error {
		if rows == 0 {
			window++
		}
		if window == 2 && rows > 0 {
			return feature.ErrExpired
		}
		return nil
	}
	w.act("thaw", 0)
	w.ticks(1)
	if _, ok := w.get("only4"); ok {
		t.Error("a window shows beside one that is there by halves")
	}
	w.log.cut = nil
	w.ticks(2)
	for n, want := range map[int]bool{4: true, 5: false, 6: true} {
		if _, ok := w.get(fmt.Sprintf("only%d", n)); ok != want {
			t.Errorf("window %d shows: %t, want %t", n, ok, want)
		}
	}
	joined := w.versionsOf(feature.KindApproved)
	chains, err := w.rows.Read(t.Context(), w.view.ID, []feature.Key{"every"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := w.vector().Resolve(chains[0]); !ok || r.Version != joined[len(joined)-1].Version || len(joined) != 2 {
		t.Errorf("a reader gets %+v of %d versions from the log", r, len(joined))
	}
	if info := w.version(6); info.Reason != "there was no room for its rows, and the log no longer holds them" {
		t.Errorf("version 6 says %q", info.Reason)
	}
}

// TestShelfOpeningWithoutAnswer: the answer to an opening for rows from the log is lost. They
// are published in the version that it opened, and none is left open.
func TestShelfOpeningWithoutAnswer(t *testing.T) {
	w := frozenFor(t, 6)
	w.act("thaw", 0)
	lost := 0
	w.gate.deps.Registry = &deaf{Registry: w.registry, lost: func() { lost++ }}
	for n := 7; n < 10; n++ { // windows to make room
		w.ticks(2)
		w.putKeys(n, []string{"every"}, func(int) float64 { return float64(n) })
		w.close(n, 0, 1)
		w.decide()
	}
	all := w.versionsOf(feature.KindApproved)
	if lost == 0 || len(all) != lost {
		t.Fatalf("%d versions from the log, and %d answers were lost; want as many, and one at least", len(all), lost)
	}
	for _, info := range all {
		if info.State != feature.StateVisible || info.Step == feature.StepOpen {
			t.Errorf("version %d from the log is %s %s: %s", info.Version, info.Step, info.State, info.Reason)
		}
	}
	if _, ok := w.get("only6"); !ok {
		t.Error("the row of the last window on the shelf does not show")
	}
}

func (w *world) versionsOf(kind feature.Kind) []feature.VersionInfo {
	w.t.Helper()
	all, err := w.registry.Versions(w.t.Context(), w.view.ID, 0, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(info feature.VersionInfo) bool { return info.Kind != kind })
}
