package materialize

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
	"sluice/rules"
)

// fullList brings a view to where four versions are listed and none of them is
// certified by the next window: three approved ones and one that passed after them.
func fullList(t *testing.T) *world {
	w := newWorld(t, paymentsView())
	w.run(0, 300, 10)
	w.states(rules.Fail, rules.Fail, rules.Fail)
	for n := 1; n < 4; n++ {
		w.run(n, 300, 50)
	}
	for version := feature.Version(2); version < 5; version++ {
		w.act("approve", version)
	}
	w.run(4, 300, 10)
	if v := w.vector(); !slices.Equal(v.Visible, []feature.Version{5, 6, 7, 8}) {
		t.Fatalf("visible %v, want a full list of 5 to 8", v.Visible)
	}
	return w
}

// TestFullListMakesAPublisherWait publishes a fifth version above the floor: it stays
// staged, says why wherever people look, and comes as soon as there is room.
func TestFullListMakesAPublisherWait(t *testing.T) {
	w := fullList(t)
	metrics := prometheus.NewRegistry()
	deps := w.deps()
	deps.Registerer = metrics
	w.gate = New(DefaultConfig(), deps)
	w.forget()
	info := w.run(5, 300, 10)
	if info.State != feature.StateStaged || info.Step != feature.StepDecided || info.Reason != "waits: 4 versions are listed above the floor" {
		t.Fatalf("the fifth version is %s %s: %q; want decided, staged, and why it waits", info.Step, info.State, info.Reason)
	}
	if v := w.vector(); len(v.Visible) != feature.MaxVisible || v.Sees(info.Version) {
		t.Errorf("vector %+v shows the version that waits", v)
	}
	verdicts := slices.DeleteFunc(w.verdicts(), func(v feature.VerdictRow) bool { return v.Kind != "window" })
	if last := verdicts[len(verdicts)-1]; last.State != "pass" || last.Decision != "hold" {
		t.Errorf("its verdict is %s, %s; want pass, hold", last.State, last.Decision)
	}
	if got := w.kinds(); !slices.Equal(got, []string{"hold"}) || !strings.Contains(w.events()[0].Alert.Text, "version 9 passed and waits: 4 versions are listed above the floor") {
		t.Errorf("people were told %q: %+v", got, w.events())
	}
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(`
# HELP sluice_gate_waiting Versions that passed and wait for room in the list or in the online store, or for a thaw, by view.
# TYPE sluice_gate_waiting gauge
sluice_gate_waiting{view="payments"} 1
`), "sluice_gate_waiting"); err != nil {
		t.Error(err)
	}
	w.sweep()
	if n := w.chain("7"); n > feature.MaxVisible+2 {
		t.Errorf("a chain has %d records: want the floor's, four listed and the one that waits", n)
	}
	if next := w.run(6, 300, 10); next.State != feature.StateVisible {
		t.Errorf("the next window is %s: %s", next.State, next.Reason)
	}
	if info = w.version(9); info.State != feature.StateVisible || info.DecidedBy != "gate" || strings.HasPrefix(info.Reason, "waits") || info.PublishedAt.IsZero() {
		t.Errorf("with room it is %s, published at %s by %s: %s", info.State, info.PublishedAt, info.DecidedBy, info.Reason)
	}
	if got := w.kinds(); !slices.Equal(got, []string{"hold", "resolved hold"}) {
		t.Errorf("people were told %q, want the end of it", got)
	}
}

// TestRollbackMakesRoom publishes what waits when a person takes a listed one out.
func TestRollbackMakesRoom(t *testing.T) {
	w := fullList(t)
	w.run(5, 300, 10)
	if r := w.act("rollback", 6); !slices.Equal(r.Visible, []feature.Version{5, 7, 8, 9}) {
		t.Errorf("visible %v after a rollback, want the version that waited in the place of 6", r.Visible)
	}
	if len(w.openAlerts()) != 0 {
		t.Errorf("open alerts %q after the version was published", w.openAlerts())
	}
}

// TestWaitingVersionIsRejected ends a version that waits, by a person.
func TestWaitingVersionIsRejected(t *testing.T) {
	w := fullList(t)
	w.run(5, 300, 10)
	if code := w.code("approve", Action{Version: 9}); code != feature.CodeLimit {
		t.Errorf("approving a version that waits for room: %s, want limit", code)
	}
	w.act("reject", 9)
	if info := w.version(9); info.State != feature.StateRejected || info.DecidedBy != "alice" {
		t.Errorf("it is %s by %s", info.State, info.DecidedBy)
	}
	w.run(6, 300, 10)
	if v := w.vector(); v.Sees(9) {
		t.Errorf("vector %+v shows the rejected version", v)
	}
}

// TestOpenVersionIsListedOnceThereIsRoom: an optimistic version that opened while
// the list was full is shown before its window closes.
func TestOpenVersionIsListedOnceThereIsRoom(t *testing.T) {
	view := paymentsView()
	view.Publish.Mode, view.Publish.ProbationWindows, view.Publish.ProbationFail = feature.Optimistic, 1, 1
	w := newWorld(t, view)
	for n := range feature.MaxVisible + 1 {
		w.put(n, 300, 10)
	}
	last := feature.Version(feature.MaxVisible + 1)
	if info := w.version(last); info.State != feature.StateStaged || info.Reason != "waits: 4 versions are listed above the floor" {
		t.Fatalf("a version opened with a full list is %s: %q", info.State, info.Reason)
	}
	w.close(0, 0, 1)
	w.decide()
	w.close(1, 0, 1)
	w.decide()
	info := w.version(last)
	if info.State != feature.StateVisible || info.Step != feature.StepOpen || info.Reason != "" || !w.vector().Sees(last) {
		t.Errorf("once the floor has moved it is %s %s (%s), vector %+v; want open and visible", info.Step, info.State, info.Reason, w.vector())
	}
	if info.PublishedAt.Equal(time.Time{}) {
		t.Error("it has no time of publication")
	}
}
