package materialize

import (
	"slices"
	"testing"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// decided decides an opened window with v.
func (l *ledger) decided(t *testing.T, v *rules.Verdict, versions ...feature.Version) {
	t.Helper()
	d := l.desk(t)
	d.Judged(v, versions)
	d.Settle()
	d.Tell(v, versions[len(versions)-1])
	l.apply(d.Commit())
}

func TestShortVersionsExpireThoughJudgedAgain(t *testing.T) {
	l := newLedger(gatedView())
	var short []feature.Version
	for range 4 {
		short = append(short, l.open().Version)
		l.decided(t, &rules.Verdict{ID: "v", State: rules.Inconclusive, TooFew: true}, short...)
	}
	if got := l.versions[1]; got.State != feature.StateExpired || l.vector.Floor != 1 {
		t.Errorf("a version with too few rows, after 3 windows more: %s, held for %d, floor %d; want expired, floor 1", got.State, got.HeldFor, l.vector.Floor)
	}
	if l.versions[2].State != feature.StateHeld {
		t.Errorf("the next one is %s, want held", l.versions[2].State)
	}
}

func TestJointVerdictOfUnseenAndSeen(t *testing.T) {
	for state, want := range map[rules.State]struct {
		decision     string
		first, other feature.State
	}{
		rules.Pass:         {"publish", feature.StateVisible, feature.StateVisible},
		rules.Fail:         {"rollback", feature.StateRejected, feature.StateRolledBack},
		rules.Inconclusive: {"none", feature.StateHeld, feature.StateVisible},
	} {
		t.Run(string(state), func(t *testing.T) {
			view := gatedView()
			view.Publish.Mode = feature.Optimistic
			l := newLedger(view)
			l.vector.Frozen = true // so that the first is not listed when it opens
			first := l.open().Version
			l.vector.Frozen = false
			l.decided(t, &rules.Verdict{ID: "a", State: rules.Inconclusive, TooFew: true}, first)
			second := l.open().Version
			v := &rules.Verdict{ID: "b", State: state}
			l.decided(t, v, first, second)
			if v.Decision != want.decision || l.versions[first].State != want.first || l.versions[second].State != want.other {
				t.Errorf("joint verdict %s: %s, versions %s and %s; want %+v", state, v.Decision, l.versions[first].State, l.versions[second].State, want)
			}
			for version, info := range l.versions {
				if l.vector.Sees(version) != (info.State == feature.StateVisible) {
					t.Errorf("version %d is %s, vector %+v", version, info.State, l.vector)
				}
			}
			if state == rules.Fail && !slices.Equal(v.RolledBack, []feature.Version{second}) {
				t.Errorf("rolled back %v, want %d alone: %d was never visible", v.RolledBack, second, first)
			}
		})
	}
}

// TestWaitingVersionHoldsNoFloor fills the list with newer, open versions while an
// older one passed and waits: the floor must come past it.
func TestWaitingVersionHoldsNoFloor(t *testing.T) {
	view := gatedView()
	view.Publish.Mode, view.Publish.ProbationWindows = feature.Optimistic, 1
	l := newLedger(view)
	l.vector.Frozen = true
	first := l.open().Version
	l.vector.Frozen = false
	for range feature.MaxVisible {
		l.open()
	}
	l.decided(t, &rules.Verdict{ID: "a", State: rules.Pass}, first)
	if got := l.versions[first]; got.State != feature.StateStaged || got.Reason != "waits: 4 versions are listed above the floor" {
		t.Fatalf("with a full list the version is %s (%s), want staged and why it waits", got.State, got.Reason)
	}
	l.decided(t, &rules.Verdict{ID: "b", State: rules.Pass}, 2)
	l.decided(t, &rules.Verdict{ID: "c", State: rules.Pass}, 3)
	if l.vector.Floor != 2 || l.versions[first].Step != feature.StepCertified {
		t.Errorf("floor %d, first %s %s; want 2 and certified", l.vector.Floor, l.versions[first].State, l.versions[first].Step)
	}
}

func TestWaitingVersionsArePublishedInOrder(t *testing.T) {
	l := newLedger(gatedView())
	l.judged(t, rules.Pass)
	l.judged(t, rules.Pass)
	var joint []feature.Version
	for range 4 {
		joint = append(joint, l.open().Version)
	}
	l.decided(t, &rules.Verdict{ID: "v", State: rules.Pass}, joint...)
	if !slices.Equal(l.vector.Visible, []feature.Version{1, 2, 3, 4}) {
		t.Fatalf("visible %v, want the oldest four", l.vector.Visible)
	}
	m, err := decodeMemory(l.memory)
	if err != nil || !slices.Equal(m.Waiting, []feature.Version{5}) || !slices.Equal(m.Shelf, []feature.Version{6}) {
		t.Errorf("waiting %v, on the shelf %v, %v; want 5 to wait and the rows of 6 to rest in the log", m.Waiting, m.Shelf, err)
	}
}

// TestHoldsGiveWay thaws a view with held versions. Those that were held longest expire,
// so that no more than one version is kept beside those that are listed.
func TestHoldsGiveWay(t *testing.T) {
	l := newLedger(gatedView())
	passing := []feature.Version{l.open().Version, l.open().Version, l.open().Version, l.open().Version}
	held := []feature.Version{l.open().Version, l.open().Version, l.open().Version}
	l.vector.Frozen = true
	for _, version := range held {
		l.decided(t, &rules.Verdict{ID: "h", State: rules.Fail}, version)
	}
	l.vector.Frozen = false
	l.decided(t, &rules.Verdict{ID: "p", State: rules.Pass}, passing...)
	for i, want := range []feature.State{feature.StateExpired, feature.StateExpired, feature.StateHeld} {
		if got := l.versions[held[i]]; got.State != want || want == feature.StateExpired && got.Reason != "the view keeps 5 versions already" {
			t.Errorf("held version %d is %s (%s), want %s", held[i], got.State, got.Reason, want)
		}
	}
	if !slices.Equal(l.vector.Visible, passing) || len(l.alerts) == 0 {
		t.Errorf("visible %v, want %v; %d alerts", l.vector.Visible, passing, len(l.alerts))
	}
}

func TestProbationSparesWhatIsNotJudgedYet(t *testing.T) {
	view := gatedView()
	view.Publish.Mode, view.Publish.ProbationFail = feature.Optimistic, 1
	l := newLedger(view)
	l.judged(t, rules.Pass)
	second, open := l.open(), l.open()
	info := l.versions[open.Version]
	info.Step = feature.StepOpen
	l.versions[open.Version] = info
	d := l.desk(t)
	v := &rules.Verdict{ID: "v", State: rules.Pass}
	d.Judged(v, []feature.Version{second.Version})
	p := &rules.Verdict{ID: "p", Kind: "probation", State: rules.Fail}
	d.Probation(p, day0)
	d.Settle()
	l.apply(d.Commit())
	if !slices.Equal(p.RolledBack, []feature.Version{1, 2}) || !slices.Equal(l.vector.Visible, []feature.Version{open.Version}) {
		t.Errorf("rolled back %v, visible %v; want 1 and 2 out and the open version in", p.RolledBack, l.vector.Visible)
	}
}

// TestProbationLooksAtItsWindowsOnly: two failures with more than
// probation.windows windows between them are not two of the last three, and a
// window that fails is no failure of probation.
func TestProbationLooksAtItsWindowsOnly(t *testing.T) {
	l := newLedger(gatedView())
	l.judged(t, rules.Pass)
	l.probed(t, rules.Fail, day0)
	for range 3 {
		l.judged(t, rules.Fail)
	}
	if _, v := l.probed(t, rules.Fail, day0); v.Decision != "none" {
		t.Errorf("a failure of probation 4 windows after another, with failed windows between: %s, want none", v.Decision)
	}
	if _, v := l.probed(t, rules.Fail, day0); v.Decision != "rollback" {
		t.Errorf("two failures in a row: %s, want rollback", v.Decision)
	}
}

func TestFrozenViewCertifiesNothing(t *testing.T) {
	l := newLedger(gatedView())
	first, _ := l.judged(t, rules.Pass)
	l.vector.Frozen = true
	for range 5 {
		l.judged(t, rules.Pass)
	}
	if l.vector.Floor != 0 || !slices.Equal(l.vector.Visible, []feature.Version{first}) {
		t.Errorf("frozen: floor %d, visible %v; want the version where it was, so that a person may take it out", l.vector.Floor, l.vector.Visible)
	}
}

func TestFrozenViewExpiresNothing(t *testing.T) {
	l := newLedger(gatedView())
	before, _ := l.judged(t, rules.Error)
	l.vector.Frozen = true
	during, _ := l.judged(t, rules.Error)
	for range 6 {
		l.judged(t, rules.Pass)
	}
	for _, version := range []feature.Version{before, during} {
		if got := l.versions[version]; got.State != feature.StateHeld || got.HeldFor != 0 {
			t.Errorf("frozen for 7 windows: version %d is %s, held for %d; want held for 0", version, got.State, got.HeldFor)
		}
	}
	l.vector.Frozen = false
	for range 3 {
		l.judged(t, rules.Fail)
	}
	if got := l.versions[before].State; got != feature.StateExpired {
		t.Errorf("3 windows after the thaw it is %s, want expired", got)
	}
}

func TestKeptSuspectIsNotCertified(t *testing.T) {
	view := gatedView()
	view.Publish.OnStaleRollback, view.Publish.ProbationFail, view.Freshness.Critical = "freeze", 1, time.Minute
	l := newLedger(view)
	for range 3 {
		l.judged(t, rules.Pass)
	}
	l.now = day0.Add(100 * time.Hour)
	_, v := l.probed(t, rules.Fail, day0)
	if v.Decision != "hold" || !l.vector.Frozen || l.vector.Floor != 0 || len(l.vector.Visible) != 4 {
		t.Errorf("decision %s, vector %+v; want hold, frozen, and all four as they were", v.Decision, l.vector)
	}
}

// TestServedOutlastsDeadFloor: what is certified stays served though versions
// above it died and the floor passed them.
func TestServedOutlastsDeadFloor(t *testing.T) {
	view := gatedView()
	view.Publish.Mode, view.Publish.OnStaleRollback, view.Freshness.Critical = feature.Optimistic, "refuse", 100*time.Hour
	l := newLedger(view)
	for range 4 {
		l.judged(t, rules.Pass)
	}
	certified := l.versions[l.vector.Floor].Window.End
	for range 7 {
		l.judged(t, rules.Fail)
	}
	l.vector.Frozen = false
	d := l.desk(t)
	for _, version := range slices.Clone(d.visible) {
		d.end(version, feature.StateRolledBack, "")
	}
	if got := d.served(nil); got.Before(certified) || l.vector.Refuse {
		t.Errorf("served until %s, refuse %v; want at least %s and reads not refused", got, l.vector.Refuse, certified)
	}
}

func TestEventsEndIncidents(t *testing.T) {
	l := newLedger(gatedView())
	l.judged(t, rules.Fail)
	info := l.open()
	d := l.desk(t)
	v := &rules.Verdict{ID: "v", State: rules.Pass}
	d.Judged(v, []feature.Version{info.Version})
	d.Settle()
	d.Tell(v, info.Version)
	events := d.Commit().Notices
	if len(events) != 1 || events[0].Alert.Kind != "fail" || !events[0].Resolved || events[0].Served != info.Version {
		t.Errorf("events %+v, want the end of the incident fail, serving %d", events, info.Version)
	}
}
