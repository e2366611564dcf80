package materialize

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
	"sluice/rules"
)

// losing is a row store that has lost the rows of some entities, until they are staged
// again.
type losing struct {
	rowStore
	keys  []feature.Key
	stays bool // it loses them again
}

func (s *losing) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	chains, err := s.rowStore.Read(ctx, view, keys, dst)
	for i, key := range keys {
		if slices.Contains(s.keys, key) {
			chains[i] = chains[i][:0]
		}
	}
	return chains, err
}

func (s *losing) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	if !s.stays {
		for _, row := range rows {
			s.keys = slices.DeleteFunc(s.keys, func(key feature.Key) bool { return key == row.Key })
		}
	}
	return s.rowStore.Stage(ctx, view, version, rows)
}

// audited is a world whose row store lost keys once they were staged, and whose servers
// are those that shards names.
func audited(t *testing.T, store *losing, shards ShardsFunc) (*world, *prometheus.Registry) {
	w := newWorld(t, paymentsView())
	store.rowStore, w.rows = w.rows, store
	metrics := prometheus.NewRegistry()
	deps := w.deps()
	deps.Rows, deps.Shards, deps.Registerer = store, shards, metrics
	w.gate = New(DefaultConfig(), deps)
	return w, metrics
}

func counts(t *testing.T, metrics *prometheus.Registry, there, lost, unread string) {
	t.Helper()
	lines := []string{"# HELP sluice_gate_audited_rows_total Rows read back before their window is judged, and those of versions that show or wait after a change of servers, by view and result (there, lost, unread): lost ones were staged again from the log, unread ones are no longer in the log.", "# TYPE sluice_gate_audited_rows_total counter"}
	for result, n := range map[string]string{"there": there, "lost": lost, "unread": unread} {
		if n != "" {
			lines = append(lines, `sluice_gate_audited_rows_total{result="`+result+`",view="payments"} `+n)
		}
	}
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(strings.Join(lines, "\n")+"\n"), "sluice_gate_audited_rows_total"); err != nil {
		t.Error(err)
	}
}

// TestAuditFindsLostRows: a version whose rows are not all there is staged again before
// anybody sees it. Version 1 is read back from partition 1, which has the odd keys.
func TestAuditFindsLostRows(t *testing.T) {
	store := &losing{}
	w, metrics := audited(t, store, nil)
	version := w.put(0, 300, 10)
	store.keys = []feature.Key{"7", "8"} // 8 lies in the other partition
	w.close(0, 0, 1)
	w.decide()
	if info := w.version(version); info.State != feature.StateVisible || len(store.keys) != 0 {
		t.Errorf("version is %s, still lost %q; want it whole and visible", info.State, store.keys)
	}
	counts(t, metrics, "449", "1", "") // 149 of 150, and then all 300
}

// TestAuditKeepsTheGateClosed: a store that does not take the rows again is published
// from never.
func TestAuditKeepsTheGateClosed(t *testing.T) {
	store := &losing{stays: true}
	w, _ := audited(t, store, nil)
	version := w.put(0, 300, 10)
	store.keys = []feature.Key{"7"}
	w.close(0, 0, 1)
	if _, err := w.gate.turn(t.Context(), w.view, w.gate.seat(w.view)); !errors.Is(err, ErrLostRows) {
		t.Errorf("deciding on a version that lost rows: %v, want ErrLostRows", err)
	}
	if info := w.version(version); info.Step != feature.StepSealed || len(w.vector().Visible) != 0 {
		t.Errorf("the version is %s, visible %v; want sealed and nothing visible", info.Step, w.vector().Visible)
	}
	store.keys = nil
	w.decide()
	if info := w.version(version); info.State != feature.StateVisible {
		t.Errorf("once the store has them it is %s", info.State)
	}
}

// TestAuditReadsAllAfterAFailover: versions that were open when a server changed are
// read back whole, in whatever partition rows were lost; later ones by sample again.
func TestAuditReadsAllAfterAFailover(t *testing.T) {
	identity := "a"
	store := &losing{}
	w, metrics := audited(t, store, func(context.Context, *feature.View) (string, error) { return identity, nil })
	w.run(0, 300, 10)
	w.put(1, 300, 10)
	w.put(2, 300, 10)
	counts(t, metrics, "150", "0", "")
	identity, store.keys = "b", []feature.Key{"7", "8"}
	w.close(1, 0, 1)
	w.decide()
	counts(t, metrics, "748", "2", "") // 298 of 300, and then all
	store.keys = []feature.Key{"9", "10"}
	w.close(2, 0, 1)
	w.decide()
	counts(t, metrics, "1346", "4", "")
	w.run(3, 300, 10)
	counts(t, metrics, "1496", "4", "")
	for version := feature.Version(1); version <= 4; version++ {
		if info := w.version(version); info.State != feature.StateVisible {
			t.Errorf("version %d is %s: %s", version, info.State, info.Reason)
		}
	}
}

// TestAuditMeetsAFailover: a server that changes while rows are read back has them read
// back again.
func TestAuditMeetsAFailover(t *testing.T) {
	asked := 0
	w, _ := audited(t, &losing{}, func(context.Context, *feature.View) (string, error) {
		asked++
		return []string{"a", "a", "a", "b"}[min(asked, 4)-1], nil
	})
	w.run(0, 300, 10)
	version := w.put(1, 300, 10)
	w.close(1, 0, 1)
	if _, err := w.gate.turn(t.Context(), w.view, w.gate.seat(w.view)); !errors.Is(err, feature.ErrConflict) {
		t.Fatalf("deciding while a server changed: %v, want ErrConflict", err)
	}
	w.decide()
	if info := w.version(version); info.State != feature.StateVisible {
		t.Errorf("decided again it is %s", info.State)
	}
}

// TestAuditWithoutALog cannot read back: that holds a version only if rows may have
// been lost.
func TestAuditWithoutALog(t *testing.T) {
	identity := "a"
	w, metrics := audited(t, &losing{}, func(context.Context, *feature.View) (string, error) { return identity, nil })
	w.run(0, 300, 10)
	w.run(1, 300, 10)
	w.log.expired = true
	if info := w.run(2, 300, 10); info.State != feature.StateVisible {
		t.Errorf("no server changed, and the version is %s: %s", info.State, info.Reason)
	}
	counts(t, metrics, "300", "0", "300")
	identity = "b"
	if info := w.run(3, 300, 10); info.State != feature.StateHeld || !strings.Contains(info.Reason, "cannot be read back") {
		t.Errorf("a server changed, and the version is %s: %s; want held", info.State, info.Reason)
	}
}

// TestMendsVisibleVersions: rows that a failover loses of versions which readers see
// already are found and staged again, once; a version up to the floor lacks nothing
// where a newer one was folded over it.
func TestMendsVisibleVersions(t *testing.T) {
	identity := "a"
	store := &losing{}
	w, _ := audited(t, store, func(context.Context, *feature.View) (string, error) { return identity, nil })
	mend := func() {
		t.Helper()
		if err := w.gate.mendAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mend()
	for i := range 5 {
		w.run(i, 300, 10)
	}
	generation := w.vector().Generation
	if mend(); w.vector().Generation != generation {
		t.Error("there was something to mend before any server changed")
	}
	identity, store.keys = "b", []feature.Key{"7", "8"}
	if mend(); len(store.keys) != 0 {
		t.Errorf("the rows of %q are still missing", store.keys)
	}
	if got := w.vector().Generation; got != generation+1 {
		t.Errorf("generation %d after %d, want one step", got, generation)
	}
	store.keys = []feature.Key{"9"}
	if mend(); len(store.keys) != 1 {
		t.Error("rows were read back again though no server changed")
	}
	identity = "c"
	w.restart()
	deps := w.deps()
	deps.Rows, deps.Shards = store, func(context.Context, *feature.View) (string, error) { return identity, nil }
	w.gate = New(DefaultConfig(), deps)
	if mend(); len(store.keys) != 0 {
		t.Error("a gate that started after the change did not find the rows missing")
	}
	mend()
}

// TestMendsVersionsThatWait: rows that a failover loses of a version which is held, or waits
// for a thaw, are staged again before it can show.
func TestMendsVersionsThatWait(t *testing.T) {
	for name, prepare := range map[string]func(w *world){
		"held":  func(w *world) { w.states(rules.Error) },
		"waits": func(w *world) { w.act("freeze", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			identity := "a"
			w, _ := audited(t, &losing{}, func(context.Context, *feature.View) (string, error) { return identity, nil })
			w.run(0, 300, 10)
			prepare(w)
			if info := w.run(1, 300, 10); info.State != feature.StateHeld {
				t.Fatalf("version 2 is %s: %s", info.State, info.Reason)
			}
			identity = "b"
			if _, err := w.rows.Drop(t.Context(), w.view.ID, 2); err != nil {
				t.Fatal(err)
			}
			if err := w.gate.mendAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if name == "held" {
				w.act("approve", 2)
			} else {
				w.act("thaw", 0)
			}
			if r, ok := w.get("7"); !ok || r.Version != 2 {
				t.Errorf("a reader gets %+v, %t; want the row of version 2", r, ok)
			}
		})
	}
}

// TestMendsWhatCameMeanwhile: a version that a person publishes while rows are read back
// after a failover is read back as well.
func TestMendsWhatCameMeanwhile(t *testing.T) {
	identity := "a"
	w, _ := audited(t, &losing{}, func(context.Context, *feature.View) (string, error) { return identity, nil })
	w.run(0, 300, 10)
	w.states(rules.Fail)
	w.run(1, 300, 10)
	identity = "b"
	w.gate.deps.Registry = &crashing{Registry: w.registry, when: func(c feature.Commit) bool {
		if !slices.ContainsFunc(c.Audit, func(a feature.Audit) bool { return a.Action == "mend" }) || w.vector().Sees(3) {
			return false
		}
		w.act("approve", 2) // its rows were staged before the servers changed
		if _, err := w.rows.Drop(t.Context(), w.view.ID, 3); err != nil {
			t.Error(err)
		}
		return false
	}}
	for range 2 {
		if err := w.gate.mendAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if r, ok := w.get("7"); !ok || r.Version != 3 {
		t.Errorf("a reader gets %+v, %t; want the row of version 3", r, ok)
	}
}

// TestFromTheLogMeetsAFailover: rows that are staged from the log while a server changes do
// not show, since some may be lost: not those that a person approves, nor those that come
// off the shelf.
func TestFromTheLogMeetsAFailover(t *testing.T) {
	identity := "a"
	shards := func(context.Context, *feature.View) (string, error) { return identity, nil }
	t.Run("approve", func(t *testing.T) {
		w, _ := audited(t, &losing{}, shards)
		w.run(0, 300, 10)
		w.states(rules.Fail)
		w.run(1, 300, 10)
		w.actions.deps.Shards = shards
		w.log.cut = func(int) error { identity += "b"; return nil }
		if code := w.code("approve", Action{Version: 2}); code != feature.CodeUnavailable {
			t.Errorf("approve: %q, want unavailable", code)
		}
		if info := w.version(3); !info.State.Dead() || !slices.Equal(w.vector().Visible, []feature.Version{1}) {
			t.Errorf("version 3 is %s, visible %v; want it dead", info.State, w.vector().Visible)
		}
		w.log.cut = nil
		w.act("approve", 2)
	})
	t.Run("approve what was left out", func(t *testing.T) {
		c := newCrowded(t, paymentsView())
		c.states(rules.Pass, rules.Error)
		c.judged(0, "a", "b")
		c.full.Store(true)
		held := c.judged(1, key(1, "a"), key(1, "b"))
		c.actions.deps.Shards = shards
		c.log.cut = func(int) error { identity += "b"; return nil }
		if code := c.code("approve", Action{Version: held.Version}); code != feature.CodeUnavailable {
			t.Errorf("approve: %q, want unavailable", code)
		}
		c.sees(false, key(1, "a"), key(1, "b"))
		c.log.cut = nil
		c.act("approve", held.Version)
		c.sees(true, key(1, "a"), key(1, "b"))
	})
	t.Run("shelf", func(t *testing.T) {
		w := frozenFor(t, 6)
		w.gate.deps.Shards = shards
		w.act("thaw", 0)
		w.log.cut = func(int) error { identity += "b"; return nil }
		w.ticks(2)
		if _, ok := w.get("only5"); ok {
			t.Error("rows show that may be lost in part")
		}
		w.log.cut, w.gate.seat(w.view).shelfLater = nil, time.Time{}
		w.ticks(2)
		if _, ok := w.get("only5"); !ok {
			t.Error("rows do not show though no server changed")
		}
	})
}

// TestSettled: up to the floor a row may be hidden by a newer one, but not by one that
// readers do not see.
func TestSettled(t *testing.T) {
	d := &Desk{before: feature.Vector{Floor: 5, Dead: []feature.Version{4}}}
	row := feature.Record{Version: 3, EventTime: 100, Seq: 7}
	for name, tc := range map[string]struct {
		chain []feature.Record
		want  bool
	}{
		"there":               {[]feature.Record{row}, true},
		"nothing":             {nil, false},
		"a newer one":         {[]feature.Record{{Version: 5, EventTime: 200}}, true},
		"an older one":        {[]feature.Record{{Version: 5, EventTime: 50}}, false},
		"a newer dead one":    {[]feature.Record{{Version: 4, EventTime: 200}}, false},
		"a newer uncertified": {[]feature.Record{{Version: 6, EventTime: 200}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := d.settled(tc.chain, row); got != tc.want {
				t.Errorf("settled = %v, want %v", got, tc.want)
			}
		})
	}
}
