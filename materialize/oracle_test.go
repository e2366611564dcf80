package materialize

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/feature"
	"sluice/rules"
	rowmemory "sluice/store/memory"
)

// oracle keeps every row that was ever staged, and what ever became of a version.
type oracle struct {
	*world
	rt      *rapid.T
	all     map[feature.Key][]feature.Record
	listed  map[feature.Version]bool
	leases  []lease // rising by until; the last is in force
	now     time.Time
	windows int
	open    []int // windows written and not closed
}

// lease is a vector and when it stopped being in force.
type lease struct {
	vector feature.Vector
	until  time.Time
}

var oracleKeys = []string{"a", "b", "c", "d", "e"}

// TestReadersSeeWhatTheOracleSees runs random histories of windows, verdicts,
// actions, sweeps and restarts. A reader with any vector that was in force within
// the last lease gets what one with every row ever written would get; never a row
// of a version that was not listed.
func TestReadersSeeWhatTheOracleSees(t *testing.T) {
	reg := openRegistry(t)
	id := feature.ViewID(0)
	rapid.Check(t, func(rt *rapid.T) {
		id++
		view := paymentsView()
		view.ID, view.Name = id, fmt.Sprintf("view_%d", id)
		view.Publish.ProbationWindows = rapid.IntRange(1, 3).Draw(rt, "probation")
		view.Publish.ProbationFail = rapid.IntRange(1, view.Publish.ProbationWindows).Draw(rt, "fail")
		view.Publish.Hold = rapid.IntRange(1, 3).Draw(rt, "hold")
		if rapid.Bool().Draw(rt, "optimistic") {
			view.Publish.Mode = feature.Optimistic
		}
		w := &world{t: t, registry: reg, rows: &rowmemory.Store{}, log: &memoryLog{parts: map[int32][]logged{}}, clock: manualClock{now: day0}}
		w.defs = &feature.Definitions{Views: []feature.View{*view}}
		w.view = &w.defs.Views[0]
		w.restart()
		o := &oracle{world: w, rt: rt, all: map[feature.Key][]feature.Record{}, listed: map[feature.Version]bool{}, now: time.Unix(1000, 0)}
		w.judge = o.draw
		o.leases = []lease{{}}
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			o.step()
			o.observe()
			o.check()
		}
	})
}

func (o *oracle) draw(e Evidence) (Opinion, error) {
	states := []rules.State{rules.Pass, rules.Pass, rules.Pass, rules.Warn, rules.Fail, rules.Inconclusive, rules.Error}
	v := verdict(rapid.SampledFrom(states).Draw(o.rt, e.Kind))
	v.Verdict.TooFew = v.Verdict.State == rules.Inconclusive
	return v, nil
}

func (o *oracle) step() {
	o.now = o.now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(o.rt, "ms")) * time.Millisecond)
	switch rapid.SampledFrom([]string{"write", "write", "judge", "judge", "judge", "sweep", "sweep", "act", "restart"}).Draw(o.rt, "step") {
	case "write":
		o.write()
	case "judge":
		if len(o.open) == 0 {
			o.write()
		}
		n := o.open[0]
		o.open = o.open[1:]
		o.close(n, 0, 1)
		o.decideOne()
	case "sweep":
		if err := o.gate.sweep(o.t.Context(), o.view, o.now); err != nil {
			o.rt.Fatal(err)
		}
	case "act":
		o.someAction()
	case "restart":
		o.restart()
	}
}

// decideOne decides what is complete and looks at every vector on the way.
func (o *oracle) decideOne() {
	for {
		decided, err := o.gate.turn(o.t.Context(), o.view, o.gate.seat(o.view))
		if err != nil {
			o.rt.Fatal(err)
		}
		if !decided {
			return
		}
		o.observe()
	}
}

// write writes a window of some of the keys; event times of different windows
// overlap, as late rows do.
func (o *oracle) write() {
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom(oracleKeys), 1, 4, rapid.ID).Draw(o.rt, "keys")
	n := o.windows
	o.windows++
	o.open = append(o.open, n)
	version := o.putKeys(n, keys, func(i int) float64 { return float64(100*n + i) })
	for p := range int32(2) {
		err := o.log.rows(p, o.window(n), version, func(rows []feature.Row) error {
			o.keep(rows)
			return nil
		})
		if err != nil {
			o.rt.Fatal(err)
		}
	}
}

func (o *oracle) keep(rows []feature.Row) {
	for _, r := range rows {
		o.all[r.Key] = append(o.all[r.Key], r.Record)
	}
}

func (o *oracle) someAction() {
	versions, err := o.registry.Versions(o.t.Context(), o.view.ID, 0, 0)
	if err != nil {
		o.rt.Fatal(err)
	}
	if len(versions) == 0 {
		return
	}
	info := rapid.SampledFrom(versions).Draw(o.rt, "version")
	name := rapid.SampledFrom([]string{"approve", "approve", "reject", "rollback", "rollback", "freeze", "thaw", "thaw"}).Draw(o.rt, "action")
	before := len(versions)
	_, err = o.actions.Act(o.t.Context(), name, Action{View: o.view, Version: info.Version, By: "alice", Reason: "x"})
	var e *feature.Error
	if err != nil && !errors.As(err, &e) {
		o.rt.Fatalf("%s version %d: %v", name, info.Version, err)
	}
	if versions, err = o.registry.Versions(o.t.Context(), o.view.ID, 0, 0); err != nil {
		o.rt.Fatal(err)
	}
	for _, fresh := range versions[before:] {
		for p := range int32(2) {
			err := o.log.rows(p, fresh.Window, fresh.Version, func(rows []feature.Row) error {
				o.keep(rows)
				return nil
			})
			if err != nil {
				o.rt.Fatal(err)
			}
		}
	}
}

// observe notes the vector in force and what it lists.
func (o *oracle) observe() {
	v := o.vector()
	last := &o.leases[len(o.leases)-1]
	if v.Generation != last.vector.Generation {
		last.until = o.now
		o.leases = append(o.leases, lease{vector: v})
	}
	for _, version := range v.Visible {
		o.listed[version] = true
	}
}

// check reads every key with every vector of the last lease.
func (o *oracle) check() {
	o.checkVersions()
	var keys []feature.Key
	for _, k := range oracleKeys {
		keys = append(keys, feature.Key(k))
	}
	chains, err := o.rows.Read(o.t.Context(), o.view.ID, keys, nil)
	if err != nil {
		o.rt.Fatal(err)
	}
	for i, l := range slices.Backward(o.leases) {
		if i < len(o.leases)-1 && o.now.Sub(l.until) > o.gate.cfg.Lease {
			break
		}
		for i, key := range keys {
			got, ok := l.vector.Resolve(chains[i])
			want, wanted := l.vector.Resolve(o.all[key])
			if ok != wanted || got.Version != want.Version || !bytes.Equal(got.Row, want.Row) {
				o.rt.Fatalf("key %s with %+v: %+v, %v; want %+v, %v", key, l.vector, got, ok, want, wanted)
			}
			if ok && !o.listed[got.Version] {
				o.rt.Fatalf("key %s: a row of version %d, which was never listed", key, got.Version)
			}
		}
	}
}

func (o *oracle) checkVersions() {
	v := o.vector()
	versions, err := o.registry.Versions(o.t.Context(), o.view.ID, 0, 0)
	if err != nil {
		o.rt.Fatal(err)
	}
	if len(v.Visible) > feature.MaxVisible {
		o.rt.Fatalf("vector %+v", v)
	}
	for _, info := range versions {
		if v.Sees(info.Version) != (info.State == feature.StateVisible) {
			o.rt.Fatalf("version %d is %s %s, vector %+v", info.Version, info.Step, info.State, v)
		}
		if info.State == feature.StateVisible && info.PublishedAt.IsZero() {
			o.rt.Fatalf("version %d is visible and was never published", info.Version)
		}
		o.listed[info.Version] = o.listed[info.Version] || v.Sees(info.Version) // what waited may be listed and certified at once
	}
	if n := len(versions); n > 0 && !v.Frozen && o.stuck(v, versions) {
		o.rt.Fatalf("floor %d waits for version %d, which nothing moves: %+v", v.Floor, v.Floor+1, versions[v.Floor])
	}
}

// stuck reports whether the version above the floor has outlasted every budget.
func (o *oracle) stuck(v feature.Vector, versions []feature.VersionInfo) bool {
	if int(v.Floor) >= len(versions) {
		return false
	}
	first := versions[v.Floor]
	raw, err := o.registry.Memory(o.t.Context(), o.view.ID)
	if err != nil {
		o.rt.Fatal(err)
	}
	m, err := decodeMemory(raw)
	if err != nil {
		o.rt.Fatal(err)
	}
	if slices.Contains(m.Waiting, first.Version) {
		return false // it passed, and is listed when there is room or its probation is over
	}
	p := o.view.Publish
	return first.Step == feature.StepDecided && (first.State.Dead() || first.JudgedSince >= p.ProbationWindows || first.State == feature.StateHeld && first.HeldFor >= p.Hold)
}
