package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// crowded is a world whose online store may be nearly full: then the rows of the second
// partition are left out, as a tap does that hears of it first.
type crowded struct {
	*world
	full atomic.Bool
}

var errNearlyFull = errors.New("nearly full")

func newCrowded(t *testing.T, view *feature.View) *crowded {
	t.Helper()
	c := &crowded{world: newWorld(t, view)}
	c.reborn()
	return c
}

// reborn starts another gate.
func (c *crowded) reborn() {
	c.t.Helper()
	c.restart()
	deps := c.deps()
	deps.Offline = func(*feature.View) error {
		if c.full.Load() {
			return errNearlyFull
		}
		return nil
	}
	c.gate = New(DefaultConfig(), deps)
	c.actions = NewActions(deps, c.gate)
}

// write writes rows of the nth window under keys, without closing it; those of the second
// partition are left out while the store is nearly full. An empty value is a deletion.
func (c *crowded) write(n int, keys ...string) feature.Version {
	c.t.Helper()
	win := c.window(n)
	info, err := c.registry.OpenVersion(c.t.Context(), c.view, win, c.clock.now)
	if err != nil {
		c.t.Fatal(err)
	}
	for i, key := range keys {
		name, gone := strings.CutPrefix(key, "-")
		w := feature.Write{View: c.view, Key: feature.Key(name), EventTime: win.Start.Add(time.Duration(i) * time.Second), Topic: topic,
			Delete: gone, Values: []feature.Value{feature.Float64Value(float64(n))}}
		c.log.append(c.view, int32(i%2), win, c.layout(win.Start), info.Version, w)
	}
	for p := range int32(2) {
		if p == 1 && c.full.Load() {
			c.leaveOut(win)
			continue
		}
		if err := c.log.rows(p, win, info.Version, func(rows []feature.Row) error {
			_, err := c.rows.Stage(c.t.Context(), c.view.ID, info.Version, rows)
			return err
		}); err != nil {
			c.t.Fatal(err)
		}
	}
	return info.Version
}

// leaveOut has the second partition say that it left rows of a window out.
func (c *crowded) leaveOut(win feature.Window) {
	for _, h := range c.log.held[1] {
		if h.window == win {
			whole := h.partial
			h.partial = func() sketch.Partial {
				p := whole()
				p.Offline = true
				return p
			}
		}
	}
}

// judged writes, closes and decides the nth window.
func (c *crowded) judged(n int, keys ...string) feature.VersionInfo {
	c.t.Helper()
	version := c.write(n, keys...)
	c.close(n, 0, 1)
	c.decide()
	return c.version(version)
}

func key(n int, p string) string { return fmt.Sprintf("w%d%s", n, p) }

func (c *crowded) sees(want bool, keys ...string) {
	c.t.Helper()
	for _, k := range keys {
		if _, ok := c.get(k); ok != want {
			c.t.Errorf("key %s is visible: %t, want %t", k, ok, want)
		}
	}
}

// TestOfflineWindowsAreJudgedAndPublishedLater: windows whose rows were left out are judged
// in their turn, show nothing, hold no later one up, and are all published, once each, when
// there is room; also by another gate.
func TestOfflineWindowsAreJudgedAndPublishedLater(t *testing.T) {
	c := newCrowded(t, paymentsView())
	c.judged(0, key(0, "a"), key(0, "b"))
	c.forget()
	c.full.Store(true)
	for n := 1; n <= 6; n++ {
		info := c.judged(n, key(n, "a"), key(n, "b"))
		if info.State != feature.StateExpired || info.Step != feature.StepDecided || info.Reason != passedOffline || info.Rows != 2 {
			t.Fatalf("window %d: version is %s %s with %d rows: %q", n, info.Step, info.State, info.Rows, info.Reason)
		}
		c.sees(false, key(n, "a"), key(n, "b"))
	}
	passed := slices.DeleteFunc(c.verdicts(), func(v feature.VerdictRow) bool { return v.Kind != "window" || v.State != "pass" })
	if len(passed) != 7 || passed[6].Decision != "hold" || len(c.history()) != 7 {
		t.Errorf("%d windows passed, the last is to %s, and %d are history; want 7, hold and 7", len(passed), passed[len(passed)-1].Decision, len(c.history()))
	}
	if got := c.kinds(); !slices.Equal(got, []string{"hold"}) {
		t.Errorf("people were told %q, want once that windows wait", got)
	}
	c.sweep()
	c.ticks(3)
	c.sees(false, key(1, "a"), key(6, "b"))
	c.reborn()
	c.ticks(3)
	c.sees(false, key(1, "a"), key(6, "b"))
	c.full.Store(false)
	c.reborn()
	c.ticks(3)
	for n := range 7 {
		c.sees(true, key(n, "a"), key(n, "b"))
	}
	joined := c.versionsOf(feature.KindApproved)
	if len(joined) != 1 || joined[0].State != feature.StateVisible || joined[0].Rows != 12 || len(joined[0].Parts()) != 6 || joined[0].DecidedBy != byGate {
		t.Errorf("versions from the log: %+v, want one of six windows with 12 rows", joined)
	}
	if got := c.kinds(); !slices.Equal(got, []string{"hold", "resolved hold"}) {
		t.Errorf("people were told %q, want the end of it", got)
	}
	if next := c.judged(7, key(7, "a"), key(7, "b")); next.State != feature.StateVisible {
		t.Errorf("the next window is %s: %s", next.State, next.Reason)
	}
	c.sweep()
	if n := c.chain(key(1, "a")); n != 1 {
		t.Errorf("a key of a window that was published from the log has %d records, want one", n)
	}
}

// TestOfflineWindowWithRoomAtItsVerdict: if there is room when a window is judged, it gets
// what was left out and is published as itself.
func TestOfflineWindowWithRoomAtItsVerdict(t *testing.T) {
	c := newCrowded(t, paymentsView())
	c.judged(0, "a", "b")
	c.full.Store(true)
	version := c.write(1, key(1, "a"), key(1, "b"))
	c.close(1, 0, 1)
	if open := c.board.Open(c.view); len(open) != 1 || !strings.Contains(open[0].Reason, "in the log alone") {
		t.Errorf("open windows %+v, want one that says that rows were left out", open)
	}
	c.full.Store(false)
	c.decide()
	if info := c.version(version); info.State != feature.StateVisible || info.Rows != 2 {
		t.Errorf("it is %s: %s", info.State, info.Reason)
	}
	c.sees(true, key(1, "a"), key(1, "b"))
	if all := c.versionsOf(feature.KindApproved); len(all) > 0 {
		t.Errorf("versions from the log: %+v, want none", all)
	}
}

// TestOfflineWindowOfManyRows: a window with many rows gets them beside the gate's other
// work, so that no view waits for it.
func TestOfflineWindowOfManyRows(t *testing.T) {
	c := newCrowded(t, paymentsView())
	c.judged(0, "a", "b")
	c.full.Store(true)
	version := c.write(1, key(1, "a"), key(1, "b"))
	h := c.log.held[0][len(c.log.held[0])-1]
	few := h.partial
	h.partial = func() sketch.Partial {
		p := few()
		p.Rows = completeRows
		return p
	}
	c.close(1, 0, 1)
	c.full.Store(false)
	c.decide()
	if info := c.version(version); info.State != feature.StateExpired || info.Reason != passedOffline {
		t.Errorf("it is %s: %s", info.State, info.Reason)
	}
	c.ticks(2)
	c.sees(true, key(1, "a"), key(1, "b"))
}

// TestOfflineWindowOfAnExpiredLog: what the log no longer holds never shows by halves, and
// people are told.
func TestOfflineWindowOfAnExpiredLog(t *testing.T) {
	for name, judgedFull := range map[string]bool{"room at the verdict": false, "no room": true} {
		t.Run(name, func(t *testing.T) {
			c := newCrowded(t, paymentsView())
			c.judged(0, "a", "b")
			c.full.Store(true)
			version := c.write(1, key(1, "a"), key(1, "b"))
			c.close(1, 0, 1)
			c.full.Store(judgedFull)
			c.log.expired = true
			c.decide()
			c.full.Store(false)
			c.forget()
			c.ticks(3)
			c.sees(false, key(1, "a"), key(1, "b"))
			if info := c.version(version); info.State != feature.StateExpired {
				t.Errorf("it is %s: %s", info.State, info.Reason)
			}
			if len(c.events()) == 0 || !strings.Contains(c.events()[0].Alert.Text, "the log no longer holds them") {
				t.Errorf("people were told %+v", c.events())
			}
			if next := c.judged(2, key(2, "a"), key(2, "b")); next.State != feature.StateVisible {
				t.Errorf("the next window is %s: %s", next.State, next.Reason)
			}
		})
	}
}

// TestOfflineVerdicts: windows that do not pass are rejected or held as all are; a held one
// shows once it is approved, with all its rows, or is judged with the next and passes.
func TestOfflineVerdicts(t *testing.T) {
	c := newCrowded(t, paymentsView())
	c.states(rules.Pass, rules.Fail, rules.Error, rules.Inconclusive, rules.Pass)
	c.judged(0, "a", "b")
	c.full.Store(true)
	if info := c.judged(1, key(1, "a"), key(1, "b")); info.State != feature.StateRejected {
		t.Errorf("the failed one is %s: %s", info.State, info.Reason)
	}
	held := c.judged(2, key(2, "a"), key(2, "b"))
	short := c.judged(3, key(3, "a"), key(3, "b"))
	for _, info := range []feature.VersionInfo{held, short} {
		if info.State != feature.StateHeld || !strings.HasSuffix(info.Reason, lacksRows) {
			t.Errorf("version %d is %s: %q, want that it is held and lacks rows", info.Version, info.State, info.Reason)
		}
	}
	c.act("approve", held.Version)
	c.sees(true, key(2, "a"), key(2, "b"))
	c.full.Store(false)
	c.judged(4, key(4, "a"), key(4, "b"))
	if info := c.version(short.Version); info.State != feature.StateExpired || info.Reason != passedOffline {
		t.Errorf("the one that passed with the next is %s: %q", info.State, info.Reason)
	}
	c.sees(false, key(1, "a"), key(3, "a"), key(3, "b"))
	c.ticks(2)
	c.sees(true, key(3, "a"), key(3, "b"), key(4, "a"))
	c.sees(false, key(1, "a"), key(1, "b"))
}

// TestApproveOfflineExpired: a held version whose rows the log no longer holds is not
// published by halves.
func TestApproveOfflineExpired(t *testing.T) {
	c := newCrowded(t, paymentsView())
	c.states(rules.Pass, rules.Error)
	c.judged(0, "a", "b")
	c.full.Store(true)
	held := c.judged(1, key(1, "a"), key(1, "b"))
	c.log.expired = true
	if code := c.code("approve", Action{Version: held.Version}); code != feature.CodeExpired {
		t.Errorf("approve: %s, want expired", code)
	}
	c.sees(false, key(1, "a"), key(1, "b"))
}

// TestOfflineOptimistic: a version that shows while it is open is taken out of sight when
// its window is judged and lacks rows, whatever the verdict, and comes back whole if it
// would have stayed.
func TestOfflineOptimistic(t *testing.T) {
	for state, decision := range map[rules.State]string{rules.Pass: "hold", rules.Fail: "rollback", rules.Inconclusive: "hold"} {
		t.Run(string(state), func(t *testing.T) {
			view := paymentsView()
			view.Publish.Mode = feature.Optimistic
			c := newCrowded(t, view)
			c.states(rules.Pass, state)
			c.judged(0, "a", "b")
			c.full.Store(true)
			version := c.write(1, key(1, "a"), key(1, "b"))
			c.sees(true, key(1, "a"))
			c.sees(false, key(1, "b"))
			c.close(1, 0, 1)
			c.decide()
			c.sees(false, key(1, "a"), key(1, "b"))
			if v := c.verdicts(); v[len(v)-1].Decision != decision {
				t.Errorf("decision %s, want %s", v[len(v)-1].Decision, decision)
			}
			if info := c.version(version); !info.State.Dead() {
				t.Errorf("it is %s: %s", info.State, info.Reason)
			}
			c.full.Store(false)
			c.ticks(2)
			c.sees(state != rules.Fail, key(1, "a"), key(1, "b"))
		})
	}
}

// TestOfflineOptimisticFrozen: of a view that was frozen while its version was open a
// failed window is not published from the log.
func TestOfflineOptimisticFrozen(t *testing.T) {
	view := paymentsView()
	view.Publish.Mode = feature.Optimistic
	c := newCrowded(t, view)
	c.states(rules.Pass, rules.Fail)
	c.judged(0, "a", "b")
	c.full.Store(true)
	version := c.write(1, key(1, "a"), key(1, "b"))
	c.act("freeze", 0)
	c.close(1, 0, 1)
	c.decide()
	if info := c.version(version); info.State != feature.StateExpired || !strings.HasSuffix(info.Reason, lacksRows) {
		t.Errorf("it is %s: %s", info.State, info.Reason)
	}
	c.full.Store(false)
	c.act("thaw", 0)
	c.ticks(2)
	c.sees(false, key(1, "a"), key(1, "b"))
	c.act("approve", version)
	c.sees(true, key(1, "a"), key(1, "b"))
}

// TestOfflineFrozen: a frozen view whose windows are offline publishes them after the thaw,
// those of before it went offline too.
func TestOfflineFrozen(t *testing.T) {
	c := newCrowded(t, paymentsView())
	c.judged(0, "a", "b")
	c.act("freeze", 0)
	c.judged(1, key(1, "a"), key(1, "b"))
	c.full.Store(true)
	c.judged(2, key(2, "a"), key(2, "b"))
	c.full.Store(false)
	c.ticks(2)
	c.sees(false, key(1, "a"), key(2, "a"))
	c.act("thaw", 0)
	c.ticks(2)
	c.sees(true, key(1, "a"), key(1, "b"), key(2, "a"), key(2, "b"))
}

// TestOfflineDeletions: a deletion in a window that was published before the rows that it
// deletes came from the log hides them, also once it is certified and swept.
func TestOfflineDeletions(t *testing.T) {
	view := paymentsView()
	view.Publish.ProbationWindows, view.Publish.ProbationFail = 1, 1
	c := newCrowded(t, view)
	c.judged(0, "a", "b")
	c.full.Store(true)
	c.judged(1, key(1, "a"), key(1, "b"))
	c.full.Store(false)
	for n := 2; n < 6; n++ { // the gate judges before it gets to the shelf
		keys := []string{key(n, "c"), key(n, "d")}
		if n == 2 {
			keys = []string{"-" + key(1, "a"), "-" + key(1, "b")}
		}
		c.judged(n, keys...)
		c.sweep()
	}
	if v := c.vector(); v.Floor < 4 {
		t.Fatalf("the floor is %d: no deletion is certified", v.Floor)
	}
	c.write(6, key(6, "a")) // is open when the rows come, so that their version is not certified at once
	for n := 6; n < 10; n++ {
		c.ticks(1)
		c.sweep()
		c.sees(false, key(1, "a"), key(1, "b"))
		c.judged(n, key(n, "a"), key(n, "b"))
		c.sweep()
		c.sees(false, key(1, "a"), key(1, "b"))
	}
	if joined := c.versionsOf(feature.KindApproved); len(joined) != 1 || joined[0].Step != feature.StepSwept {
		t.Errorf("versions from the log: %+v, want one, certified and swept", joined)
	}
	if n := c.chain(key(1, "a")); n != 0 {
		t.Errorf("the deleted key keeps %d records once all is certified", n)
	}
}

// TestOfflineAfterTheSurvey: a late window goes to rest in the log while what a sweep has
// listed waits for readers. A deletion that is listed hides its rows once they are published.
func TestOfflineAfterTheSurvey(t *testing.T) {
	view := paymentsView()
	view.Publish.ProbationWindows, view.Publish.ProbationFail = 1, 1
	c := newCrowded(t, view)
	c.judged(0, "a", "b")
	deleting := c.judged(2, "-"+key(1, "a"), "-"+key(1, "b"))
	c.judged(3, key(3, "a"), key(3, "b"))
	start := time.Unix(1000, 0)
	sweep := func(after time.Duration) {
		t.Helper()
		if err := c.gate.sweep(t.Context(), c.view, start.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	sweep(0)
	if s := c.gate.seat(c.view).sweep; s.floor != deleting.Version {
		t.Fatalf("the sweep has listed what is up to version %d, want up to the deletion in %d", s.floor, deleting.Version)
	}
	c.full.Store(true)
	if late := c.judged(1, key(1, "a"), key(1, "b")); late.Reason != passedOffline {
		t.Fatalf("the late window's version is %s: %s", late.State, late.Reason)
	}
	sweep(2 * time.Second)
	if step := c.version(deleting.Version).Step; step != feature.StepCertified {
		t.Errorf("the version with the deletion is %s, want it kept", step)
	}
	if step := c.version(1).Step; step != feature.StepSwept {
		t.Errorf("version 1 is %s, want it swept all the same", step)
	}
	c.full.Store(false)
	for n := 4; n < 8; n++ {
		c.ticks(1)
		c.sees(false, key(1, "a"), key(1, "b"))
		c.judged(n, key(n, "a"), key(n, "b"))
		c.sweep()
		c.sees(false, key(1, "a"), key(1, "b"))
	}
	if joined := c.versionsOf(feature.KindApproved); len(joined) != 1 || joined[0].State != feature.StateVisible {
		t.Errorf("versions from the log: %+v, want one, published", joined)
	}
}

// TestOfflineShelfStopsWhereTheStoreIsFull: while rows come from the log the store may
// fill up again; what is there then is published, and the rest later.
func TestOfflineShelfStopsWhereTheStoreIsFull(t *testing.T) {
	c := newCrowded(t, paymentsView())
	c.judged(0, "a", "b")
	c.full.Store(true)
	for n := 1; n <= 3; n++ {
		c.judged(n, key(n, "a"), key(n, "b"))
	}
	c.full.Store(false)
	c.log.cut = func(int) error { c.full.Store(true); return nil }
	c.ticks(1)
	c.sees(true, key(1, "a"), key(1, "b"))
	c.sees(false, key(2, "a"), key(2, "b"), key(3, "a"))
	c.log.cut = nil
	c.full.Store(false)
	c.ticks(2)
	c.sees(true, key(2, "a"), key(2, "b"), key(3, "a"), key(3, "b"))
	if n := len(c.versionsOf(feature.KindApproved)); n != 2 {
		t.Errorf("%d versions from the log, want two", n)
	}
}

// TestOfflineStagingFails: a store that breaks off while it gets what was left out shows
// nothing by halves, and gets it again.
func TestOfflineStagingFails(t *testing.T) {
	c := newCrowded(t, paymentsView())
	c.judged(0, "a", "b")
	c.full.Store(true)
	version := c.write(1, key(1, "a"), key(1, "b"))
	c.close(1, 0, 1)
	c.full.Store(false)
	c.log.cut = func(rows int) error {
		if rows > 0 {
			return context.DeadlineExceeded
		}
		return nil
	}
	if _, err := c.gate.turn(t.Context(), c.view, c.gate.seat(c.view)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("turn = %v, want that staging broke off", err)
	}
	c.sees(false, key(1, "a"), key(1, "b"))
	c.log.cut = nil
	c.reborn()
	c.decide()
	if info := c.version(version); info.State != feature.StateVisible {
		t.Errorf("it is %s: %s", info.State, info.Reason)
	}
	c.sees(true, key(1, "a"), key(1, "b"))
}
