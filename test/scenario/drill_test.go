package scenario

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Each commit runs one drill; `make battery` asks for more.
var drills = flag.Int("battery.drills", 1, "rollback drills: poisoned versions that are published under load")

const (
	drillReaders = 4                     // at each door and view
	drillPause   = 20 * time.Millisecond // of a reader between two reads
	drillReads   = 150                   // fewer of a drill at a door and view make it void
	drillHistory = 14                    // windows before the first drill
	drillDetect  = 60 * time.Second      // from the first read of a poisoned row until the decision
	drillGone    = time.Second           // from the decision until no read shows it
	drillFailed  = 200                   // at most one read in so many may fail: a busy machine lets a shard's answer come late
)

// Of two views with the same writes one lists a version once it has passed, the other
// one from its first row on.
var drillViews = []string{"gated", "eager"}

const drillDefinitions = `
project: bank
entities:
  - {name: account, type: string}
views:
  - name: gated
    entities: [account]
    features: [{name: amount, type: float64}, {name: country, type: string}]
    window: {size: 1h, lateness: 0s}
    publish: {max_rollbacks_per_hour: 1000}
  - name: eager
    entities: [account]
    features: [{name: amount, type: float64}, {name: country, type: string}]
    window: {size: 1h, lateness: 0s}
    publish: {mode: optimistic, max_rollbacks_per_hour: 1000}
`

// poisons are what goes wrong at a source, one after another.
var poisons = []struct {
	name   string
	poison func(rows []write)
}{
	{"cents for euros", func(rows []write) { scale(rows, 100) }},
	{"no amount in half of the rows", func(rows []write) {
		for i := range rows {
			if i%2 == 0 {
				delete(rows[i].Values, "amount")
			}
		}
	}},
	{"one country for all", func(rows []write) {
		for i := range rows {
			rows[i].Values["country"] = "XX"
		}
	}},
	{"thousands for euros", func(rows []write) { scale(rows, .001) }},
}

func scale(rows []write, by float64) {
	for i := range rows {
		rows[i].Values["amount"] = rows[i].Values["amount"].(float64) * by
	}
}

// drill is a site on which poisoned versions are published under load.
type drill struct {
	*site
	readers  []*drillReader
	stop     context.CancelFunc
	done     sync.WaitGroup
	detected []time.Duration // from the first read of a poisoned row
	decided  []time.Duration // from the end of its window
	gone     []time.Duration // from the decision; 0 if the last read was before it
	exposed  int64           // reads that saw one
}

// drillReader reads one view at one door all the time.
type drillReader struct {
	view  string
	door  *door
	n     int             // of the door
	watch atomic.Int64    // the window that is watched
	reads [2]atomic.Int64 // answered, failed
	seen  atomic.Int64    // reads that saw the window

	mu          sync.Mutex
	first, last time.Time // when such reads began
	problem     error     // of the first that failed
}

// drilled runs so many drills on a site.
func (s *site) drilled(count int) {
	s.t.Helper()
	s.defineAs(drillDefinitions)
	d := &drill{site: s}
	ctx, cancel := context.WithCancel(s.t.Context())
	d.stop = cancel
	s.t.Cleanup(func() { cancel(); d.done.Wait() })
	for i := range drillHistory {
		d.good(i)
	}
	for n, at := range s.doors {
		for _, view := range drillViews {
			for range drillReaders {
				r := &drillReader{view: view, door: at, n: n}
				r.watch.Store(-1)
				d.readers = append(d.readers, r)
				d.done.Go(func() { r.run(ctx) })
			}
		}
	}
	for n := range count {
		d.one(n, drillHistory+3*n)
	}
	d.stop()
	d.done.Wait()
	for _, list := range [][]time.Duration{d.detected, d.decided, d.gone} {
		slices.Sort(list)
	}
	s.t.Logf("%d drills; from the first read of a poisoned row to the decision: median %v, worst %v; from the last write of the window: %v, %v; from the decision to the last read of one: %v, %v; %d reads saw one, of %s",
		count, middle(d.detected), worst(d.detected), middle(d.decided), worst(d.decided), middle(d.gone), worst(d.gone), d.exposed, d.total())
}

func middle(of []time.Duration) time.Duration { return of[len(of)/2].Round(time.Millisecond) }
func worst(of []time.Duration) time.Duration  { return of[len(of)-1].Round(time.Millisecond) }

// total says how many reads were answered and failed, and fails the test if they were
// too many: what is blocked must not keep the rest from being served.
func (d *drill) total() string {
	d.t.Helper()
	var answered, failed int64
	var problem error
	for _, r := range d.readers {
		answered, failed, problem = answered+r.reads[0].Load(), failed+r.reads[1].Load(), cmp.Or(problem, r.problem)
	}
	if failed*drillFailed > answered {
		d.errorf("%d of %d reads failed, such as: %v", failed, answered+failed, problem)
	}
	return fmt.Sprintf("%d, and %d failed", answered, failed)
}

// one lets window i go wrong, and the two after it right again.
func (d *drill) one(n, i int) {
	t := d.t
	t.Helper()
	before := make([]int64, len(d.readers))
	for k, r := range d.readers {
		before[k] = r.reads[0].Load()
		r.look(i)
	}
	p := poisons[n%len(poisons)]
	rows := payments(i, 1)
	p.poison(rows)
	half := len(rows) / 2
	for _, view := range drillViews {
		// What only this window has comes first: whoever reads it sees the poison.
		d.must(d.append(view, slices.Concat(rows[len(rows)-1:], rows[:half])))
	}
	d.until("every reader of the eager view sees the poison", settled, func() error {
		for _, r := range d.readers {
			if r.view == "eager" && r.seen.Load() == 0 {
				return fmt.Errorf("door %d does not yet", r.n)
			}
		}
		return nil
	})
	for _, view := range drillViews {
		d.must(d.append(view, rows[half:len(rows)-1]))
		d.must(d.close(view, i))
	}
	closed := time.Now()
	decisions := map[string]time.Time{}
	for view, want := range map[string]string{"gated": "reject", "eager": "rollback"} {
		v := d.verdict(view, i)
		decisions[view] = time.Now()
		if v.Decision != want {
			d.fatalf("drill %d, %s: %s of view %s, want %s: %+v", n, p.name, v.Decision, view, want, v.Reasons)
		}
	}
	d.until("readers look on", settled, func() error {
		if over := time.Since(decisions["eager"]); over < drillGone+lease {
			return fmt.Errorf("%v after the decision", over)
		}
		for k, r := range d.readers {
			if got := r.reads[0].Load() - before[k]; got < drillReads/drillReaders {
				return fmt.Errorf("%d reads of %s at door %d", got, r.view, r.n)
			}
		}
		return nil
	})
	d.judge(n, p.name, closed, decisions)
	d.good(i + 1)
	d.good(i + 2)
	d.exposure(n, i)
}

// judge holds what the readers saw of a drill against the promise.
func (d *drill) judge(n int, name string, closed time.Time, decisions map[string]time.Time) {
	d.t.Helper()
	var began, ended time.Time
	for _, r := range d.readers {
		seen, first, last := r.sight()
		if r.view == "gated" {
			if seen > 0 {
				d.errorf("drill %d, %s: %d reads at door %d saw a version that was not published", n, name, seen, r.n)
			}
			continue
		}
		d.exposed += seen
		if began.IsZero() || first.Before(began) {
			began = first
		}
		if last.After(ended) {
			ended = last
		}
	}
	at := decisions["eager"]
	detected, gone := at.Sub(began), max(0, ended.Sub(at))
	d.detected, d.decided, d.gone = append(d.detected, detected), append(d.decided, at.Sub(closed)), append(d.gone, gone)
	if detected > drillDetect {
		d.errorf("drill %d, %s: detected after %v, want at most %v", n, name, detected, drillDetect)
	}
	if gone > drillGone {
		d.errorf("drill %d, %s: a reader saw it %v after the decision, want at most %v", n, name, gone, drillGone)
	}
}

// exposure wants the platform's own count of who saw the version, which is of rows.
func (d *drill) exposure(n, i int) {
	d.t.Helper()
	d.until("exposure is recorded", waitLease, func() error {
		var list struct {
			Items []struct {
				State  string
				Reads  int64
				Window struct{ Start time.Time }
			}
		}
		if err := d.get("/api/v1/views/eager/versions?limit=500", &list); err != nil {
			return err
		}
		for _, v := range list.Items {
			if v.Window.Start.Equal(windowStart(i)) {
				if v.State != "rolled_back" || v.Reads == 0 {
					return fmt.Errorf("drill %d: version %+v, want it rolled back, and reads of it", n, v)
				}
				return nil
			}
		}
		return fmt.Errorf("window %d has no version", i)
	})
}

// good pushes a window that must be published in both views.
func (d *drill) good(i int) {
	d.t.Helper()
	for _, view := range drillViews {
		d.must(d.append(view, payments(i, 1)))
		d.must(d.close(view, i))
	}
	for view, want := range map[string][]string{"gated": {"publish"}, "eager": {"publish", "none"}} {
		if v := d.verdict(view, i); !slices.Contains(want, v.Decision) {
			d.fatalf("window %d of view %s: %s, %s, want %s: %+v", i, view, v.State, v.Decision, strings.Join(want, " or "), v.Reasons)
		}
	}
}

func (d *drill) must(err error) {
	d.t.Helper()
	if err != nil {
		d.fatalf("%v", err)
	}
}

func (d *drill) append(view string, rows []write) error {
	for i := range rows {
		rows[i].View = view
	}
	return d.post("/api/v1/views/"+view+"/writes", lines(rows), nil)
}

func (d *drill) close(view string, i int) error {
	return d.post("/api/v1/views/"+view+"/watermark", map[string]any{"watermark": windowStart(i + 1)}, nil)
}

// verdict waits for the one on window i.
func (d *drill) verdict(view string, i int) (v verdict) {
	d.t.Helper()
	d.until(fmt.Sprintf("window %d of view %s is judged", i, view), settled, func() error {
		var list struct{ Items []window }
		path := "/api/v1/views/" + view + "/windows?wait=30s&start=" + url.QueryEscape(windowStart(i).Format(time.RFC3339))
		if err := d.get(path, &list); err != nil {
			return err
		}
		if len(list.Items) != 1 || list.Items[0].State != "judged" {
			return fmt.Errorf("%+v", list.Items)
		}
		return d.get("/api/v1/verdicts/"+list.Items[0].Verdict, &v)
	})
	return v
}

// look makes the reader watch another window.
func (r *drillReader) look(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first, r.last = time.Time{}, time.Time{}
	r.seen.Store(0)
	r.watch.Store(int64(i))
}

// sight returns how many reads saw the window, and when the first and the last of
// them began.
func (r *drillReader) sight() (seen int64, first, last time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen.Load(), r.first, r.last
}

func (r *drillReader) run(ctx context.Context) {
	tick := time.NewTicker(drillPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.read(int(r.watch.Load()))
		}
	}
}

// read asks for accounts of all windows and for the one that only window i has.
func (r *drillReader) read(i int) {
	names := []string{only(i)}
	for k := range 20 {
		names = append(names, fmt.Sprintf("a%03d", k))
	}
	keys := make([]map[string]any, len(names))
	for k, name := range names {
		keys[k] = map[string]any{"account": name}
	}
	var answer served
	began := time.Now()
	err := send(http.MethodPost, *r.door.Load()+"/api/v1/views/"+r.view+"/rows", map[string]any{"keys": keys}, &answer)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.reads[1].Add(1)
		if r.problem == nil {
			r.problem = err
		}
		return
	}
	r.reads[0].Add(1)
	if int(r.watch.Load()) != i || !slices.ContainsFunc(answer.Rows, func(x row) bool { return x.in() == i }) {
		return
	}
	if r.seen.Add(1) == 1 {
		r.first = began
	}
	r.last = began
}

// TestDrill publishes poisoned versions under load. The view that lists versions once
// they have passed never shows one; the other one shows it until its window is judged,
// and a lease after the decision at the latest nobody sees it any more.
func TestDrill(t *testing.T) {
	s := newServer(t)
	s.start()
	s.drilled(*drills)
}
