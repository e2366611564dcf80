package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// waitLease is how long a change may take to reach every reader, with room for a
// loaded machine.
const waitLease = 10 * time.Second

// battery pushes window after window and hurts the site meanwhile. Some windows are
// poisoned and must be rejected, some good ones are taken out by a person.
type battery struct {
	*site
	pollers *pollers
	rounds  int                          // windows that are hurt
	strike  func(round int, push func()) // hurts the site and mends it; push begins to push the window
	reads   int64                        // fewer of them at a door make the run void

	window int // that is pushed
	last   int // window that was judged
	bad    []int
	undone []int
}

// settled is how long a window may take once nothing is broken any more: a consumer
// group finds out that a member is dead, a transaction of a dead producer ends, and
// clients connect again.
const settled = 90 * time.Second

// poisoned and undo choose the windows that are poisoned, and those that a person
// takes out once they are published. The first are left alone: nothing is blocked
// before there is something to compare with.
func poisoned(i int) bool { return i >= 13 && i%9 == 4 }

func undo(i int) bool { return i >= 10 && i%9 == 7 }

func (b *battery) run() {
	b.t.Helper()
	for i, round := 0, 0; round < b.rounds || i < 26; i++ {
		if poisoned(i) {
			b.pollers.ban(i, time.Now())
			b.bad = append(b.bad, i)
		}
		if i > 2 && round < b.rounds {
			b.struck(i, round)
			round++
		}
		v := b.finish(i)
		if undo(i) {
			b.takeOut(i, v.Version)
		}
		b.last = i
	}
	b.pollers.hold(b.site, b.reads)
	b.addUp()
}

func factorOf(i int) float64 {
	if poisoned(i) {
		return 100
	}
	return 1
}

// struck pushes window i while the site is hurt.
func (b *battery) struck(i, round int) {
	b.t.Helper()
	b.window = i
	var pushing sync.WaitGroup
	b.strike(round, func() {
		pushing.Go(func() {
			// The site breaks under it: an error is expected, and made good later.
			_ = b.push(i, payments(i, factorOf(i)))
		})
	})
	pushing.Wait()
}

// finish pushes window i, again where it was pushed before, until it is judged.
func (b *battery) finish(i int) (v verdict) {
	b.t.Helper()
	began := time.Now()
	b.until(fmt.Sprintf("window %d is pushed", i), settled, func() error { return b.push(i, payments(i, factorOf(i))) })
	b.until(fmt.Sprintf("window %d is judged", i), settled, func() (err error) {
		v, err = b.judged(i)
		return err
	})
	if want := map[bool]string{true: "reject", false: "publish"}[poisoned(i)]; v.Decision != want {
		b.fatalf("window %d: decision %s, want %s: %+v", i, v.Decision, want, v.Reasons)
	}
	if took := time.Since(began); took > 3*time.Second {
		b.t.Logf("window %d was judged %s after the last push", i, took.Round(100*time.Millisecond))
	}
	return v
}

// takeOut rolls a published version back. Readers must not see it a lease later.
func (b *battery) takeOut(i, number int) {
	b.t.Helper()
	request := map[string]any{"version": number, "by": "tester", "reason": "not after all"}
	b.until(fmt.Sprintf("window %d is rolled back", i), settled, func() error {
		err := b.post("/api/v1/views/payments/actions/rollback", request, nil)
		if err != nil && slices.ContainsFunc(b.versions(), func(x version) bool { return x.Version == number && x.State == "rolled_back" }) {
			return nil // the answer was lost, the action was not
		}
		return err
	})
	b.pollers.ban(i, time.Now().Add(lease+time.Second))
	b.undone = append(b.undone, i)
}

// addUp holds counts, profiles, verdicts and rows against what was pushed.
func (b *battery) addUp() {
	b.t.Helper()
	b.accounted()
	b.exactProfiles()
	b.oneVerdictEach()
	b.exactRows()
	for _, v := range b.versions() {
		want := "visible"
		switch i := int(v.Window.Start.Sub(first) / time.Hour); {
		case slices.Contains(b.bad, i):
			want = "rejected"
		case slices.Contains(b.undone, i):
			want = "rolled_back"
		}
		if v.Rows != *windowRows || v.State != want {
			b.errorf("version %+v, want %d rows and state %s", v, *windowRows, want)
		}
	}
}

// accounted holds the accounting of every partition against its identity, and what
// was accepted against what was pushed.
func (b *battery) accounted() {
	b.t.Helper()
	var accounting struct {
		Items []struct {
			Topic                                            string
			Received, Accepted, Late, Quarantined, Duplicate int
			DeadLettered                                     int `json:"dead_lettered"`
		}
	}
	b.until("accounting", waitLease, func() error { return b.get("/api/v1/accounting", &accounting) })
	accepted, received := 0, 0
	for _, a := range accounting.Items {
		if a.Accepted+a.Quarantined+a.DeadLettered+a.Duplicate != a.Received || a.Quarantined+a.DeadLettered+a.Late > 0 {
			b.errorf("accounting does not balance: %+v", a)
		}
		accepted, received = accepted+a.Accepted, received+a.Received
	}
	if want := (b.last + 1) * *windowRows; accepted != want {
		b.errorf("%d writes accepted, %d were pushed", accepted, want)
	}
	b.t.Logf("windows %d, writes received %d, accepted %d", b.last+1, received, accepted)
}

// historyPage is how many windows one answer lists at most.
const historyPage = 500

// exactProfiles compares the profiled counts of every window with its rows.
func (b *battery) exactProfiles() {
	b.t.Helper()
	counts, listed := map[time.Time]int{}, 0
	for from := 0; from <= b.last; from += historyPage {
		var history struct {
			Items []struct {
				Window struct{ Start time.Time }
				N      int
			}
		}
		path := fmt.Sprintf("/api/v1/views/payments/features/amount/history?limit=%d&from=%s&to=%s", historyPage,
			windowStart(from).Format(time.RFC3339), windowStart(min(from+historyPage, b.last+1)).Format(time.RFC3339))
		if err := b.get(path, &history); err != nil {
			b.fatalf("%v", err)
		}
		listed += len(history.Items)
		for _, h := range history.Items {
			counts[h.Window.Start.UTC()] = h.N
		}
	}
	if listed != b.last+1 {
		b.errorf("history has %d windows, want %d", listed, b.last+1)
	}
	for i := range b.last + 1 {
		if n := counts[windowStart(i)]; n != *windowRows {
			b.errorf("profile of window %s counts %d values, want %d", windowStart(i), n, *windowRows)
		}
	}
}

// oneVerdictEach fails if a window was judged twice, or never.
func (b *battery) oneVerdictEach() {
	b.t.Helper()
	judged, next := map[time.Time]int{}, ""
	for {
		var list struct {
			Items []verdict
			Next  string
		}
		if err := b.get("/api/v1/views/payments/verdicts?limit=500&after="+next, &list); err != nil {
			b.fatalf("%v", err)
		}
		for _, v := range list.Items {
			if v.Kind == "window" {
				judged[v.Window.Start.UTC()]++
			}
		}
		if next = list.Next; next == "" {
			break
		}
	}
	for i := range b.last + 1 {
		if n := judged[windowStart(i)]; n != 1 {
			b.errorf("window %d has %d verdicts, want 1", i, n)
		}
	}
}

// exactRows compares what every door serves of every account with the newest write
// of the windows that are visible: nothing is lost, and nothing came back.
func (b *battery) exactRows() {
	b.t.Helper()
	want := map[string]write{}
	for i := range b.last + 1 {
		for _, w := range payments(i, 1) {
			account := w.Key["account"].(string)
			if old, ok := want[account]; !slices.Contains(b.bad, i) && !slices.Contains(b.undone, i) && (!ok || w.EventTime.After(old.EventTime)) {
				want[account] = w
			}
		}
	}
	for i := range b.last + 1 {
		for _, w := range payments(i, 1) { // accounts of windows that are not visible alone: nothing
			if account := w.Key["account"].(string); want[account].Key == nil {
				want[account] = write{}
			}
		}
	}
	accounts := slices.Sorted(maps.Keys(want))
	for n, d := range b.doors {
		var wrong []string
		began := time.Now()
		err := patiently(b.t.Context(), mended, func() (err error) {
			wrong, err = wrongRows(*d.Load(), accounts, want)
			if err == nil && len(wrong) > 0 {
				err = fmt.Errorf("%d of %d accounts are served wrong:\n%s", len(wrong), len(accounts), strings.Join(wrong[:min(9, len(wrong))], "\n"))
			}
			return err
		})
		if err != nil {
			b.errorf("door %d, after %s: %v", n, mended, err)
		}
		if took := time.Since(began); took > time.Second {
			b.t.Logf("door %d served all rows after %s", n, took.Round(100*time.Millisecond))
		}
	}
}

// mended is how long rows of visible versions may be missing that a server of the row
// store acknowledged and took with it: until its replica has taken over, and the gate
// has read back what readers see.
const mended = 30 * time.Second

// wrongRows says which accounts a door serves otherwise than wanted.
func wrongRows(door string, accounts []string, want map[string]write) (wrong []string, err error) {
	for some := range slices.Chunk(accounts, 500) {
		answer, err := readAt(door, some...)
		if err != nil {
			return nil, err
		}
		for k, r := range answer.Rows {
			if problem := r.differs(want[some[k]]); problem != "" {
				wrong = append(wrong, some[k]+": "+problem)
			}
		}
	}
	return wrong, nil
}

// differs says what is wrong with a row that is to be that of a write, or nothing if
// the write is empty.
func (r row) differs(w write) string {
	if w.Key == nil {
		if r.Statuses["amount"] == "PRESENT" {
			return fmt.Sprintf("served %v, want nothing", r.Values)
		}
		return ""
	}
	at, err := time.Parse(time.RFC3339Nano, r.EventTimes["amount"])
	if err != nil || !at.Equal(w.EventTime) || r.Values["amount"] != w.Values["amount"] || r.Values["country"] != w.Values["country"] {
		return fmt.Sprintf("served %v of %s (%v), want %v of %s", r.Values, r.EventTimes["amount"], r.Statuses, w.Values, w.EventTime.Format(time.RFC3339Nano))
	}
	return ""
}
