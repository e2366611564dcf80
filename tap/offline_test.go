package tap

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
)

// offlineAt returns what the first partition has of the window at start.
func (r *rig) offlineAt(start time.Time) (rows uint64, offline, there bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.parts[WindowKey{"delays", start.UnixNano(), "sluice.writes", 0}]
	return p.Rows, p.Offline, ok
}

// stagedAt counts the rows that the store has of the window at start.
func (r *rig) stagedAt(start time.Time) uint64 {
	r.Helper()
	info, err := r.registry.VersionOf(r.ctx, r.view("delays").ID, start)
	if err != nil {
		r.Fatal(err)
	}
	rows, _, err := r.rows.Stat(r.ctx, r.view("delays").ID, info.Version)
	if err != nil {
		r.Fatal(err)
	}
	return rows
}

// A tap whose store is nearly full goes on reading, counting and closing windows, and says
// of which it left rows out; that outlives taps that stop and taps that die. Windows that
// open once there is room are staged whole.
func TestOffline(t *testing.T) {
	for name, over := range map[string]func(r *rig, run *running){
		"one tap":            nil,
		"the tap stops":      (*rig).end,
		"the tap is crashed": (*rig).crash,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, delays())
			r.cfg.StageRows = 10
			var full atomic.Bool
			deps := func() Deps {
				d := r.deps()
				d.Offline = func(view *feature.View) error {
					if full.Load() {
						return fmt.Errorf("%s is at 91 %%", view.OnlineStore())
					}
					return nil
				}
				return d
			}
			first := deps()
			run := r.startWith(first)
			const each = 25
			writes := func(from time.Time, ids string) {
				var some []Out
				for i := range each {
					some = append(some, withID(write(fmt.Sprint("c", i), from.Add(time.Duration(i)*time.Second), float64(i), 1), fmt.Sprint(ids, i)))
				}
				r.send("sluice.writes", some...)
			}
			writes(day, "a")
			r.drain()
			if n := r.stagedAt(day); n != each {
				t.Fatalf("%d rows are staged while there is room, want %d", n, each)
			}
			full.Store(true)
			writes(day.Add(time.Minute), "b") // the same keys, in the window that is open
			r.drain()
			if n, offline, _ := r.offlineAt(day); n != 2*each || !offline {
				t.Fatalf("the window has %d rows, offline %t; want %d and that it is", n, offline, 2*each)
			}
			if got := counter(first.Registerer.(*prometheus.Registry), "sluice_tap_offline_rows_total"); got < each {
				t.Errorf("%v rows are counted as left out, want %d", got, each)
			}
			if over != nil {
				over(r, run)
				r.startWith(deps())
			}
			full.Store(false)
			writes(day.Add(2*time.Minute), "c") // in a window that lacks rows already
			writes(day.Add(5*time.Minute), "d")
			r.watermark("delays", day.Add(6*time.Minute))
			r.wait("the next window has its rows", func() bool {
				p, ok := r.parts[WindowKey{"delays", day.Add(5 * time.Minute).UnixNano(), "sluice.writes", 0}]
				return ok && p.Rows == each
			})
			counts := r.drain()
			if counts.Accepted != 4*each || counts.Received != 4*each {
				t.Errorf("counts = %+v, want %d accepted", counts, 4*each)
			}
			if n, offline, _ := r.offlineAt(day); n != 3*each || !offline {
				t.Errorf("the window has %d rows, offline %t; want %d and that it is", n, offline, 3*each)
			}
			if n, offline, _ := r.offlineAt(day.Add(5 * time.Minute)); n != each || offline || r.stagedAt(day.Add(5*time.Minute)) != each {
				t.Errorf("the next window has %d rows, offline %t, %d staged; want %d, all staged", n, offline, r.stagedAt(day.Add(5*time.Minute)), each)
			}
			if profile, rows := r.merged("delays", day); profile.Total() != rows {
				t.Errorf("the profile has %d rows of %d", profile.Total(), rows)
			}
			fromLog := 0
			view := r.view("delays")
			err := NewReader(r.cfg, r.log, testKey, r.registry).Rows(r.ctx, view, 1, view.Window.Of(day), r.spans("delays", day), func(rows []feature.Row) error {
				fromLog += len(rows)
				return nil
			})
			if err != nil || fromLog != 3*each {
				t.Errorf("the log gives %d rows of the window (%v), want %d", fromLog, err, 3*each)
			}
		})
	}
}

// A tap that dies between leaving rows out and its checkpoint stages them after all if
// there is room by then: nothing says that they are missing.
func TestOfflineNotSaved(t *testing.T) {
	r := newRig(t, 1, delays())
	r.cfg.Checkpoint = time.Hour // none but at the end
	r.cfg.StageRows = 1
	var full atomic.Bool
	var asked atomic.Int64
	d := r.deps()
	d.Offline = func(*feature.View) error {
		if !full.Load() {
			return nil
		}
		asked.Add(1)
		return errors.New("nearly full")
	}
	run := r.startWith(d)
	r.send("sluice.writes", write("a", day, 1, 1)) // the first watermark is saved at once
	r.drain()
	full.Store(true)
	r.send("sluice.writes", write("b", day.Add(time.Second), 1, 1), write("c", day.Add(2*time.Second), 1, 1))
	eventually(r, func() error {
		if asked.Load() == 0 {
			return errors.New("the tap has not asked yet")
		}
		return nil
	})
	r.crash(run)
	r.cfg.Checkpoint = 20 * time.Millisecond
	r.start()
	r.drain()
	if n, offline, there := r.offlineAt(day); n != 3 || offline || !there || r.stagedAt(day) != 3 {
		t.Errorf("the window has %d rows, offline %t, %d staged; want 3, all staged", n, offline, r.stagedAt(day))
	}
}

// counter is the sum over a counter's series.
func counter(reg *prometheus.Registry, name string) (sum float64) {
	families, err := reg.Gather()
	if err != nil {
		return -1
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
