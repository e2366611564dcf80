package materialize

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/feature"
	"sluice/rules"
)

var day0 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func gatedView() *feature.View {
	return &feature.View{ID: 1, Name: "payments", Window: feature.WindowSpec{Size: time.Hour},
		Publish: feature.Publish{Mode: feature.Gated, ProbationWindows: 3, ProbationFail: 2, Hold: 3, MaxRollbacksPerHour: 3, OnStaleRollback: "serve"}}
}

// ledger is a registry in memory, for one view: it applies what a desk commits.
type ledger struct {
	view     *feature.View
	vector   feature.Vector
	versions map[feature.Version]feature.VersionInfo
	memory   []byte
	alerts   []feature.Alert
	audit    []feature.Audit
	now      time.Time
}

func newLedger(view *feature.View) *ledger {
	return &ledger{view: view, versions: map[feature.Version]feature.VersionInfo{}, now: day0}
}

// open allocates the version of the next window, sealed and ready to be judged.
func (l *ledger) open() feature.VersionInfo {
	n := feature.Version(len(l.versions) + 1)
	start := day0.Add(time.Duration(n) * time.Hour)
	info := feature.VersionInfo{Version: n, Kind: feature.KindWindow, Window: feature.Window{Start: start, End: start.Add(time.Hour)}, Step: feature.StepSealed, State: feature.StateStaged}
	if l.view.Publish.Mode == feature.Optimistic {
		if next, ok := l.vector.With(n); ok && !l.vector.Frozen {
			l.vector, info.State = next, feature.StateVisible
			l.vector.Generation++
		}
	}
	l.versions[n] = info
	return info
}

func (l *ledger) desk(t interface{ Fatal(...any) }) *Desk {
	m, err := decodeMemory(l.memory)
	if err != nil {
		t.Fatal(err)
	}
	var versions []feature.VersionInfo
	for _, info := range l.versions {
		if info.Version >= l.vector.Floor {
			versions = append(versions, info)
		}
	}
	var open []feature.Alert
	for _, a := range l.alerts {
		if a.ResolvedAt == nil {
			open = append(open, a)
		}
	}
	return newDesk(l.view, l.vector, versions, m, open, l.now)
}

func (l *ledger) apply(c feature.Commit) {
	if c.Vector != nil {
		l.vector = *c.Vector
		l.vector.Generation = c.IfGeneration + 1
	}
	for _, info := range c.Versions {
		l.versions[info.Version] = info
	}
	if c.Memory != nil {
		l.memory = c.Memory
	}
	for _, a := range c.Alerts {
		a.ID = string(rune('a' + len(l.alerts)))
		l.alerts = append(l.alerts, a)
	}
	l.audit = append(l.audit, c.Audit...)
}

// judged opens a window and decides it with a verdict of that state.
func (l *ledger) judged(t interface{ Fatal(...any) }, state rules.State, versions ...feature.Version) (feature.Version, *rules.Verdict) {
	info := l.open()
	d := l.desk(t)
	v := &rules.Verdict{ID: "v", State: state, Reasons: []rules.Reason{{Text: "because"}}}
	d.Judged(v, append(versions, info.Version))
	d.Settle()
	d.Tell(v, info.Version)
	l.apply(d.Commit())
	return info.Version, v
}

// probed opens a window, which passes, and decides probation with it.
func (l *ledger) probed(t interface{ Fatal(...any) }, state rules.State, onset time.Time) (feature.Version, *rules.Verdict) {
	info := l.open()
	d := l.desk(t)
	v := &rules.Verdict{ID: "v", Kind: "window", State: rules.Pass}
	d.Judged(v, []feature.Version{info.Version})
	p := &rules.Verdict{ID: "p", Kind: "probation", State: state, Reasons: []rules.Reason{{Text: "slow drift"}}}
	d.Probation(p, onset)
	d.Settle()
	d.Tell(v, info.Version)
	d.Tell(p, info.Version)
	l.apply(d.Commit())
	return info.Version, p
}

func TestDecisions(t *testing.T) {
	for name, tc := range map[string]struct {
		mode     feature.Mode
		frozen   bool
		state    rules.State
		decision string
		left     feature.State
		alert    string
	}{
		"gated pass":                {feature.Gated, false, rules.Pass, "publish", feature.StateVisible, ""},
		"gated warn":                {feature.Gated, false, rules.Warn, "publish", feature.StateVisible, "warn"},
		"gated fail":                {feature.Gated, false, rules.Fail, "reject", feature.StateRejected, "fail"},
		"gated inconclusive":        {feature.Gated, false, rules.Inconclusive, "hold", feature.StateHeld, "hold"},
		"gated error":               {feature.Gated, false, rules.Error, "hold", feature.StateHeld, "hold"},
		"gated frozen pass":         {feature.Gated, true, rules.Pass, "hold", feature.StateHeld, "hold"},
		"optimistic pass":           {feature.Optimistic, false, rules.Pass, "publish", feature.StateVisible, ""},
		"optimistic fail":           {feature.Optimistic, false, rules.Fail, "rollback", feature.StateRolledBack, "rollback"},
		"optimistic inconclusive":   {feature.Optimistic, false, rules.Inconclusive, "none", feature.StateVisible, ""},
		"optimistic frozen, unseen": {feature.Optimistic, true, rules.Fail, "hold", feature.StateHeld, "hold"},
	} {
		t.Run(name, func(t *testing.T) {
			view := gatedView()
			view.Publish.Mode = tc.mode
			l := newLedger(view)
			l.vector.Frozen = tc.frozen
			version, v := l.judged(t, tc.state)
			if v.Decision != tc.decision || l.versions[version].State != tc.left {
				t.Errorf("verdict %s: decision %s, version %s; want %s, %s", tc.state, v.Decision, l.versions[version].State, tc.decision, tc.left)
			}
			if slices.Contains(l.vector.Visible, version) != (tc.left == feature.StateVisible) {
				t.Errorf("verdict %s: visible %v with the version %s", tc.state, l.vector.Visible, tc.left)
			}
			kinds := []string{}
			for _, a := range l.alerts {
				kinds = append(kinds, a.Kind)
			}
			if tc.alert == "" && len(kinds) > 0 || tc.alert != "" && !slices.Equal(kinds, []string{tc.alert}) {
				t.Errorf("alerts %v, want %q", kinds, tc.alert)
			}
		})
	}
}

func TestCertifyAfterProbation(t *testing.T) {
	l := newLedger(gatedView())
	for range 4 {
		l.judged(t, rules.Pass)
	}
	if l.vector.Floor != 1 || !slices.Equal(l.vector.Visible, []feature.Version{2, 3, 4}) || l.versions[1].Step != feature.StepCertified {
		t.Errorf("after 4 passes floor %d, visible %v, step %s; want 1, [2 3 4], certified", l.vector.Floor, l.vector.Visible, l.versions[1].Step)
	}
}

func TestHoldExpires(t *testing.T) {
	l := newLedger(gatedView())
	held, _ := l.judged(t, rules.Inconclusive)
	for range 2 {
		l.judged(t, rules.Pass)
		if got := l.versions[held].State; got != feature.StateHeld {
			t.Fatalf("held version is %s before its budget ended", got)
		}
	}
	l.judged(t, rules.Pass)
	if got := l.versions[held].State; got != feature.StateExpired {
		t.Errorf("after 3 windows the held version is %s, want expired", got)
	}
}

func TestFrozenSuspendsExpiryAndThawPublishes(t *testing.T) {
	l := newLedger(gatedView())
	l.vector.Frozen = true
	for range 6 {
		l.judged(t, rules.Pass)
	}
	d := l.desk(t)
	d.frozen = false
	d.note("thaw", 0, "")
	d.Settle()
	l.apply(d.Commit())
	for version, info := range l.versions {
		want := feature.StateVisible
		if version > feature.MaxVisible {
			want = feature.StateExpired
		}
		if info.State != want {
			t.Errorf("after the thaw version %d is %s, want %s", version, info.State, want)
		}
	}
	if next := d.next(); l.vector.Floor != 3 || !slices.Equal(l.vector.Visible, []feature.Version{4}) || !slices.Equal(next, []feature.Version{5, 6}) {
		t.Errorf("after the thaw floor %d, visible %v, next off the shelf %v; want 3, 4, and the newest two", l.vector.Floor, l.vector.Visible, next)
	}
}

func TestProbationRollsBackSinceOnset(t *testing.T) {
	l := newLedger(gatedView())
	for range 3 {
		l.judged(t, rules.Pass)
	}
	onset := l.versions[2].Window.Start
	for i, want := range []string{"none", "rollback"} {
		if _, v := l.probed(t, rules.Fail, onset); v.Decision != want {
			t.Fatalf("failure %d of probation: decision %s, want %s", i+1, v.Decision, want)
		}
	}
	if l.vector.Floor != 5 || !slices.Equal(l.vector.Dead, []feature.Version{2, 3, 4, 5}) || l.versions[1].Step != feature.StepCertified {
		t.Errorf("vector %+v, version 1 %s; want version 1 certified and 2 to 5 dead", l.vector, l.versions[1].Step)
	}
}

func TestProbationSparesWhatAPersonApproved(t *testing.T) {
	l := newLedger(gatedView())
	version, _ := l.judged(t, rules.Pass)
	info := l.versions[version]
	info.DecidedBy = "alice"
	l.versions[version] = info
	for range 2 {
		l.probed(t, rules.Fail, info.Window.Start)
	}
	if !slices.Contains(l.vector.Visible, version) || len(l.vector.Visible) != 1 {
		t.Errorf("visible %v, want the approved version %d in it", l.vector.Visible, version)
	}
}

func TestTooManyRollbacksFreeze(t *testing.T) {
	view := gatedView()
	view.Publish.Mode = feature.Optimistic
	l := newLedger(view)
	for i := range 4 {
		l.judged(t, rules.Fail)
		if l.vector.Frozen != (i == 3) {
			t.Fatalf("after rollback %d frozen is %v", i+1, l.vector.Frozen)
		}
	}
}

func TestStaleRollback(t *testing.T) {
	for policy, want := range map[string]struct {
		visible, frozen, refuse bool
	}{
		"serve":  {false, false, false},
		"freeze": {true, true, false},
		"refuse": {false, false, true},
	} {
		t.Run(policy, func(t *testing.T) {
			view := gatedView()
			view.Publish.Mode, view.Publish.OnStaleRollback, view.Freshness.Critical = feature.Optimistic, policy, time.Minute
			l := newLedger(view)
			l.now = day0.Add(100 * time.Hour)
			version, _ := l.judged(t, rules.Fail)
			if got := slices.Contains(l.vector.Visible, version); got != want.visible || l.vector.Frozen != want.frozen || l.vector.Refuse != want.refuse {
				t.Errorf("visible %v, frozen %v, refuse %v; want %+v", got, l.vector.Frozen, l.vector.Refuse, want)
			}
		})
	}
}

func TestRecoveryEndsIncidents(t *testing.T) {
	l := newLedger(gatedView())
	l.judged(t, rules.Fail)
	info := l.open()
	d := l.desk(t)
	v := &rules.Verdict{ID: "v", State: rules.Pass}
	d.Judged(v, []feature.Version{info.Version})
	d.Settle()
	d.Tell(v, info.Version)
	c := d.Commit()
	if len(c.Resolve) != 1 || len(c.Alerts) != 1 || c.Alerts[0].Kind != "recovered" {
		t.Errorf("resolve %v, alerts %+v; want one of each, recovered", c.Resolve, c.Alerts)
	}
}

// TestDeskKeepsItsPromises runs random histories of verdicts, rollbacks, freezes
// and thaws, and holds the vector against what every version's state says.
func TestDeskKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view := gatedView()
		if rapid.Bool().Draw(t, "optimistic") {
			view.Publish.Mode = feature.Optimistic
		}
		l := newLedger(view)
		states := []rules.State{rules.Pass, rules.Pass, rules.Pass, rules.Warn, rules.Fail, rules.Inconclusive, rules.Error}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"judge", "judge", "judge", "judge", "probation", "rollback", "freeze", "thaw"}).Draw(t, "step") {
			case "judge":
				l.judged(t, rapid.SampledFrom(states).Draw(t, "state"))
			case "probation":
				if len(l.vector.Visible) > 0 {
					l.probed(t, rules.Fail, l.versions[l.vector.Visible[0]].Window.Start)
				}
			case "rollback":
				d := l.desk(t)
				if len(d.visible) > 0 {
					d.end(d.visible[len(d.visible)-1], feature.StateRolledBack, "")
				}
				d.Settle()
				l.apply(d.Commit())
			case "freeze", "thaw":
				l.vector.Frozen = rapid.Bool().Draw(t, "frozen")
			}
			l.check(t)
		}
	})
}

// check holds the invariants of design section 6 that a vector alone can show.
func (l *ledger) check(t *rapid.T) {
	if len(l.vector.Visible) > feature.MaxVisible {
		t.Fatalf("%d versions listed: %v", len(l.vector.Visible), l.vector.Visible)
	}
	kept := 0
	for version, info := range l.versions {
		if version > l.vector.Floor && info.Step == feature.StepDecided && !info.State.Dead() {
			kept++
		}
		sees := l.vector.Sees(version)
		if sees != (info.State == feature.StateVisible) {
			t.Fatalf("version %d is %s (%s) and the vector %+v shows it: %v", version, info.State, info.Step, l.vector, sees)
		}
		if version <= l.vector.Floor && !info.State.Dead() && info.Step != feature.StepCertified {
			t.Fatalf("floor %d passed version %d, which is %s, %s", l.vector.Floor, version, info.Step, info.State)
		}
	}
	if kept > feature.MaxVisible+1 {
		t.Fatalf("%d judged versions above the floor keep their rows: %+v", kept, l.versions)
	}
}
