package materialize

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/judge"
	"sluice/quality/sketch"
	"sluice/rules"
)

// readers are a serving process around a world: entities that are written in turn,
// read at random and sampled.
type readers struct {
	*world
	rng     *rand.Rand
	values  []float64 // what an entity's value lies around
	sampler *Sampler
}

const (
	entities = 1500
	turns    = 5 // windows until an entity is written again
)

// newReaders has the real judge, and a few windows behind it.
func newReaders(t *testing.T, seed uint64) *readers {
	view := paymentsView()
	view.Window.Lateness = 0
	w := newWorld(t, view)
	w.judge = realJudge(judge.NewBuilder())
	w.clock = manualClock{day0, true}
	r := &readers{world: w, rng: rand.New(rand.NewPCG(seed, 7))}
	for range entities {
		r.values = append(r.values, 10+r.rng.NormFloat64())
	}
	r.sampler = r.process("a")
	r.quick()
	return r
}

// quick makes the gate wait for nobody.
func (r *readers) quick() { r.gate.cfg.ServedGrace = 0 }

func (r *readers) process(name string) *Sampler {
	return NewSampler(SamplerDeps{Store: r.registry, HashKey: hashKey, Clock: &r.clock, Process: name, Logger: slog.New(slog.DiscardHandler),
		Definitions: func() *feature.Definitions { return r.defs }, Layout: func(*feature.View) *sketch.Layout { return r.newest() }})
}

func (r *readers) newest() *sketch.Layout {
	rows := r.layouts()
	if len(rows) == 0 {
		return nil
	}
	layout, err := sketch.UnmarshalLayout(rows[len(rows)-1].Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return layout
}

// hour writes and decides the nth window, and then lets readers choose entities while
// the next one passes.
func (r *readers) hour(n int, choose func(i int) bool) feature.VersionInfo {
	r.t.Helper()
	var keys []string
	for i := n % turns; i < entities; i += turns {
		keys = append(keys, fmt.Sprint(i))
	}
	version := r.putKeys(n, keys, func(k int) float64 { return r.values[n%turns+k*turns] + .1*r.rng.NormFloat64() })
	r.clock.now = r.window(n).End
	r.close(n, 0, 1)
	r.decide()
	r.read(choose)
	r.clock.now = r.window(n + 1).End
	r.sampler.flush(r.t.Context(), r.clock.now)
	if err := r.gate.watchAll(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return r.version(version)
}

// read reads entities as a server does, and has them sampled.
func (r *readers) read(choose func(i int) bool) {
	r.t.Helper()
	var keys []feature.Key
	for i := range entities {
		if choose(i) {
			keys = append(keys, feature.Key(fmt.Sprint(i)))
		}
	}
	chains, err := r.rows.Read(r.t.Context(), r.view.ID, keys, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	vector := r.vector()
	var rows []feature.ServedRow
	for i, chain := range chains {
		if record, ok := vector.Resolve(chain); ok {
			rows = append(rows, feature.ServedRow{View: r.view.ID, Key: keys[i], Version: record.Version, EventTime: time.Unix(0, record.EventTime),
				At: r.clock.now.Add(time.Minute), Values: slices.Clone(record.Row)})
		}
	}
	if err := r.sampler.Take(r.t.Context(), rows); err != nil {
		r.t.Fatal(err)
	}
}

// skewed chooses entities with chances that fall from the first to the last, and
// change from one call to the next.
func (r *readers) skewed(i int) bool {
	return r.rng.Float64() < .2+.6*float64(entities-i)/entities*r.rng.Float64()
}

// overwrite changes the rows that a version has in the store.
func (r *readers) overwrite(n int, version feature.Version, times float64) {
	r.t.Helper()
	var rows []feature.Row
	for i := n % turns; i < entities; i += turns {
		rows = append(rows, feature.Row{Key: feature.Key(fmt.Sprint(i)), Record: feature.Record{Version: version, EventTime: r.window(n).End.UnixNano(), Seq: 1 << 40,
			Row: feature.AppendRow(nil, r.view, []feature.Value{feature.Float64Value(times * r.values[i])})}})
	}
	if _, err := r.rows.Stage(r.t.Context(), r.view.ID, version, rows); err != nil {
		r.t.Fatal(err)
	}
}

// verdictsOn returns the verdicts on what was served, recomputed.
func (r *readers) verdictsOn() (all []rules.Verdict) {
	r.t.Helper()
	for _, row := range r.verdicts() {
		if row.Kind != "served" {
			continue
		}
		var v rules.Verdict
		if err := json.Unmarshal(row.Body, &v); err != nil {
			r.t.Fatal(err)
		}
		c, err := judge.DecodeCase(row.Case, func(digest string) ([]byte, error) { return r.registry.Blob(r.t.Context(), digest) })
		if err != nil {
			r.t.Fatal(err)
		}
		if differ := judge.Verify(v, c); len(differ) > 0 {
			r.t.Errorf("verdict %s recomputed: %v", v.ID, differ)
		}
		all = append(all, v)
	}
	return all
}

// TestServedFaultIsRolledBack overwrites rows of a published version in the store: no
// window that is judged shows that, but what readers get does.
func TestServedFaultIsRolledBack(t *testing.T) {
	r := newReaders(t, 1)
	everybody := func(int) bool { return true }
	n := 0
	for ; n < 24; n++ {
		if info := r.hour(n, everybody); info.State != feature.StateVisible {
			t.Fatalf("window %d is %s: %s", n, info.State, info.Reason)
		}
	}
	if got := len(r.verdictsOn()); got < 5 {
		t.Fatalf("%d quiet windows of reads were judged, want at least 5", got)
	}
	fault := r.hour(n, everybody)
	r.overwrite(n, fault.Version, 3)
	r.forget()
	lost := map[string]bool{} // the first answer about each decision is: people are told all the same
	r.gate.deps.Registry = &crashing{r.registry, func(c feature.Commit) bool {
		if len(c.Verdicts) != 1 || c.Verdicts[0].Kind != "served" || lost[c.Verdicts[0].Decision] {
			return false
		}
		lost[c.Verdicts[0].Decision] = true
		return true
	}, true}
	var healthy []feature.Version
	for hours := 1; hours <= 2; hours++ {
		healthy = append(healthy, r.hour(n+hours, everybody).Version)
	}
	last := r.verdictsOn()
	v := last[len(last)-1]
	if v.State != rules.Fail || v.Decision != "rollback" || !slices.Contains(v.RolledBack, fault.Version) || slices.Contains(v.RolledBack, healthy[1]) {
		t.Fatalf("two windows after the fault: %s, %s of %v; want version %d rolled back, and not %d, which came later", v.State, v.Decision, v.RolledBack, fault.Version, healthy[1])
	}
	if v.Reasons[0].Feature != "amount" || v.Reasons[0].Text == "" {
		t.Errorf("its reason is %+v", v.Reasons[0])
	}
	if info := r.version(fault.Version); info.State != feature.StateRolledBack || info.DecidedBy != "gate" || info.Verdict != v.ID || info.Reason == "" {
		t.Errorf("the version is %s by %s: %q", info.State, info.DecidedBy, info.Reason)
	}
	if err := r.gate.watchAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.kinds(); !slices.Equal(got, []string{"served", "rollback", "resolved served"}) || !lost["notify"] || !lost["rollback"] {
		t.Errorf("people were told %q, and answers were lost of %v", got, lost)
	}
	for hours := 3; hours < 6; hours++ {
		r.hour(n+hours, everybody)
	}
	last = r.verdictsOn()
	if v := last[len(last)-1]; v.State != rules.Pass {
		t.Errorf("after the rollback what is read is %s: %s", v.State, why(&v))
	}
}

// TestServedQuiet reads healthy views for 50 windows, each time others and some more
// than others, while values wander: nothing is taken out.
func TestServedQuiet(t *testing.T) {
	judged, failed := 0, 0
	for seed := range uint64(2) {
		r := newReaders(t, 10+seed)
		for n := range 66 {
			wander := .05 * r.rng.NormFloat64()
			for i := range r.values {
				r.values[i] += wander
			}
			if info := r.hour(n, r.skewed); info.State == feature.StateRolledBack {
				t.Errorf("seed %d: version %d is rolled back: %s", seed, info.Version, info.Reason)
			}
		}
		for _, v := range r.verdictsOn() {
			judged++
			if v.Decision == "rollback" {
				t.Errorf("seed %d: served evidence rolled back %v: %s", seed, v.RolledBack, why(&v))
			}
			if v.State == rules.Fail {
				failed++
			}
		}
	}
	if judged < 2*50 {
		t.Errorf("%d windows were judged, want at least 100", judged)
	}
	t.Logf("%d windows of reads judged, %d failed", judged, failed)
}

// TestServedTraffic changes which entities are read: people are told, nothing is
// taken out, and after some windows that is what is compared with.
func TestServedTraffic(t *testing.T) {
	r := newReaders(t, 2)
	for n := range 24 {
		r.hour(n, func(int) bool { return true })
	}
	r.forget()
	upper := func(i int) bool { return r.values[i] > 10 }
	for n := 24; n < 40; n++ {
		if info := r.hour(n, upper); info.State != feature.StateVisible {
			t.Errorf("version %d is %s: %s", info.Version, info.State, info.Reason)
		}
	}
	all := r.verdictsOn()
	failed := 0
	for _, v := range all {
		if v.State == rules.Fail {
			failed++
		}
		if v.Decision == "rollback" {
			t.Errorf("a change of traffic rolled back %v", v.RolledBack)
		}
	}
	if failed != servedLeast || all[len(all)-1].State != rules.Pass {
		t.Errorf("%d windows of other reads failed, the last is %s; want %d, and then a history of their own", failed, all[len(all)-1].State, servedLeast)
	}
	if got := r.kinds(); !slices.Equal(got, []string{"served", "resolved served"}) {
		t.Errorf("people were told %q", got)
	}
}

// TestServedDecisions: what a verdict on reads does, by the state of the versions that
// were read.
func TestServedDecisions(t *testing.T) {
	for name, tc := range map[string]struct {
		fails   int
		settled bool
		change  func(l *ledger)
		want    string
		visible []feature.Version
		told    []string
	}{
		"one window":             {1, false, nil, "notify", []feature.Version{1, 2}, []string{"served"}},
		"two windows":            {2, false, nil, "rollback", []feature.Version{}, []string{"served", "rollback"}},
		"certified rows as well": {3, true, nil, "notify", []feature.Version{1, 2}, []string{"served"}},
		"frozen":                 {3, false, func(l *ledger) { l.vector.Frozen = true }, "hold", []feature.Version{1, 2}, []string{"served"}},
		"approved by a person": {3, false, func(l *ledger) {
			for version := feature.Version(1); version <= 2; version++ {
				info := l.versions[version]
				info.DecidedBy = "alice"
				l.versions[version] = info
			}
		}, "notify", []feature.Version{1, 2}, []string{"served"}},
		"fail asks for more": {2, false, func(l *ledger) { l.view.Publish.ProbationFail = 3 }, "notify", []feature.Version{1, 2}, []string{"served"}},
		"fail of 1 is not enough": {1, false, func(l *ledger) { l.view.Publish.ProbationFail = 1 }, "notify",
			[]feature.Version{1, 2}, []string{"served"}},
		"nothing else is fresh": {2, false, func(l *ledger) {
			l.view.Publish.OnStaleRollback, l.view.Freshness.Critical, l.now = "freeze", time.Minute, day0.Add(100*time.Hour)
		}, "hold", []feature.Version{1, 2}, []string{"served", "frozen"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(gatedView())
			l.judged(t, rules.Pass)
			l.judged(t, rules.Pass)
			if tc.change != nil {
				tc.change(l)
			}
			told := len(l.alerts)
			var v *rules.Verdict
			for n := range tc.fails {
				v = l.wasServed(t, n, rules.Fail, tc.settled, 1, 2)
			}
			kinds := []string{}
			for _, a := range l.alerts[told:] {
				kinds = append(kinds, a.Kind)
			}
			if v.Decision != tc.want || !slices.Equal(l.vector.Visible, tc.visible) || !slices.Equal(kinds, tc.told) {
				t.Errorf("decision %s, visible %v, told %q; want %s, %v, %q", v.Decision, l.vector.Visible, kinds, tc.want, tc.visible, tc.told)
			}
		})
	}
}

// wasServed applies a verdict on the nth window of reads.
func (l *ledger) wasServed(t *testing.T, n int, state rules.State, settled bool, versions ...feature.Version) *rules.Verdict {
	start := day0.Add(time.Duration(n) * time.Hour)
	v := &rules.Verdict{ID: "s", Kind: "served", State: state, Versions: versions, Window: feature.Window{Start: start, End: start.Add(time.Hour)}}
	d := l.desk(t)
	d.Served(v, settled)
	d.Settle()
	d.TellServed(v, settled)
	l.apply(d.Commit())
	return v
}

// TestServedFailuresApart: failures with enough windows between them are forgotten, and
// a version that readers did not see in each of them is not taken out.
func TestServedFailuresApart(t *testing.T) {
	l := newLedger(gatedView())
	l.judged(t, rules.Pass)
	l.judged(t, rules.Pass)
	for n, state := range []rules.State{rules.Fail, rules.Pass, rules.Pass, rules.Fail} {
		if v := l.wasServed(t, n, state, false, 1, 2); v.Decision == "rollback" {
			t.Fatalf("window %d: rollback, though of the last three windows one failed", n)
		}
	}
	if v := l.wasServed(t, 4, rules.Fail, false, 2); !slices.Equal(v.RolledBack, []feature.Version{2}) || !slices.Equal(l.vector.Visible, []feature.Version{1}) {
		t.Errorf("rolled back %v, visible %v; want 2 alone, which was read in both", v.RolledBack, l.vector.Visible)
	}
}

// TestServedByManyProcesses judges what two processes sampled as one window, and does
// not judge it before both had time to say so.
func TestServedByManyProcesses(t *testing.T) {
	r := newReaders(t, 5)
	other := r.process("b")
	for n := range 22 {
		r.hour(n, func(i int) bool { return i%2 == 0 })
	}
	r.gate.cfg.ServedGrace = time.Hour // of the wall
	seen := len(r.verdictsOn())
	r.hour(22, func(i int) bool { return i%2 == 0 })
	if got := len(r.verdictsOn()); got != seen {
		t.Fatalf("%d windows of reads were judged before their time", got-seen)
	}
	var rows []feature.ServedRow
	for i := range 400 {
		rows = append(rows, r.row(fmt.Sprint("b", i), 1, r.window(23).Start, 10))
	}
	r.take(other, rows...)
	other.flush(t.Context(), r.clock.now)
	r.quick()
	if err := r.gate.watchAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := r.verdictsOn()
	if last := all[len(all)-1]; len(all) != seen+1 || last.Rows != entities/2+400 {
		t.Errorf("%d verdicts more, the last on %d entities; want one on those of both processes, %d", len(all)-seen, last.Rows, entities/2+400)
	}
}
