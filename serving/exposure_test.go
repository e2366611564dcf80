package serving

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/feature"
)

// ledger records what a server reports.
type ledger struct {
	mu   sync.Mutex
	all  []feature.Exposure
	rows []feature.ServedRow
	err  error

	number uint64 // of the last report that was taken
	lost   bool   // answers are, of reports that are taken
}

func (l *ledger) exposed(_ context.Context, number uint64, reads []feature.Exposure) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil && !l.lost {
		return l.err
	}
	if number > l.number {
		l.number, l.all = number, append(l.all, reads...)
	}
	return l.err
}

func (l *ledger) served(_ context.Context, rows []feature.ServedRow) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.rows = append(l.rows, rows...)
	return nil
}

// reads adds up what was reported of a view, by version.
func (l *ledger) reads(view feature.ViewID) map[feature.Version]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := map[feature.Version]uint64{}
	for _, e := range l.all {
		if e.View == view {
			sum[e.Version] += e.Reads
		}
	}
	return sum
}

// TestExposure wants every row that was returned counted once, under the version that
// it came from, and none that was not.
func TestExposure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		f := newFixture(t, func(_ *Config, d *Deps) {
			d.Exposed = l.exposed
			d.Now = time.Now
		})
		now := time.Now()
		f.registry.vectors[2] = feature.Vector{Generation: 4, Floor: 7, Visible: []feature.Version{8, 9}}
		f.renew(t)
		for version, id := range map[feature.Version]string{3: "old", 7: "floor", 8: "listed", 9: "newest", 10: "hidden"} {
			f.write(t, "users", version, now, user(id), float(1))
		}
		f.write(t, "drivers", 1, now.Add(-25*time.Hour), driver(7), values...)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				for range 50 {
					f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"old"},{"user_id":"floor"},{"user_id":"listed"},{"user_id":"newest"},{"user_id":"newest"},{"user_id":"hidden"},{"user_id":"none"}],"features":["f00"]}`)
					f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["rate"],"policy":"serve"}`)
					f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["rate"],"policy":"null"}`)
					f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["rate"],"policy":"refuse"}`)
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		group.Wait()
		time.Sleep(1500 * time.Millisecond)
		cut := time.Now()
		f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"old"}],"features":["f00"]}`) // reported when Run ends
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		want := map[feature.Version]uint64{3: 1001, 7: 1000, 8: 1000, 9: 2000}
		got := l.reads(2)
		for version, n := range want {
			if got[version] != n {
				t.Errorf("version %d was read %d times, want %d", version, got[version], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("reads by version: %v, want %v", got, want)
		}
		if got := l.reads(1); len(got) != 1 || got[1] != 1000 {
			t.Errorf("reads of drivers: %v, want 1000 of version 1: those withheld or refused do not count", got)
		}
		last := l.all[len(l.all)-1]
		if last.Reads != 1 || last.Last.Before(cut) || cut.Sub(last.First) > time.Second {
			t.Errorf("the last report is %+v, want one read about %v", last, cut)
		}
		if n := len(l.all); n > 7*5+1 {
			t.Errorf("%d entries in about six seconds, want at most five a second", n)
		}
	})
}

// TestExposureKept lets reports fail for a while: nothing is lost, and it is said once.
func TestExposureKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{err: errors.New("no registry")}
		lines := &lines{}
		f := newFixture(t, func(_ *Config, d *Deps) { d.Exposed, d.Log = l.exposed, lines.log() })
		f.write(t, "users", 1, ago(0), user("a"), float(1))
		f.running(t)
		for range 30 {
			f.post(t, "/api/v1/views/users/rows", readA)
			time.Sleep(time.Second)
		}
		l.mu.Lock()
		l.err = nil
		l.mu.Unlock()
		time.Sleep(2 * time.Second)
		if got := l.reads(2); got[1] != 30 || len(l.all) != 2 {
			t.Errorf("reported %v in %d entries, want 30 reads in two, of the report that failed first and of all since", got, len(l.all))
		}
		if text := lines.String(); strings.Count(text, "kept until") != 1 || strings.Count(text, "recorded again") != 1 {
			t.Errorf("the log says %q, want one line when it begins and one when it ends", text)
		}
	})
}

// TestExposureWithoutAnswer loses the answers of reports that are recorded, for a while:
// every read is counted, and none twice.
func TestExposureWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		f := newFixture(t, func(_ *Config, d *Deps) { d.Exposed = l.exposed })
		f.write(t, "users", 1, ago(0), user("a"), float(1))
		f.running(t)
		for n := range 30 {
			l.mu.Lock()
			l.err, l.lost = nil, n%2 == 0
			if n%10 < 5 {
				l.err = errors.New("the answer is lost, or there was none")
			}
			l.mu.Unlock()
			f.post(t, "/api/v1/views/users/rows", readA)
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second)
		if got := l.reads(2); got[1] != 30 {
			t.Errorf("reported %v, want 30 reads", got)
		}
	})
}
