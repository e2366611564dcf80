package serving

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) log() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// TestSample compares sampled rows with what the store holds: all features of the row,
// whatever was asked for.
func TestSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		f := newFixture(t, func(c *Config, d *Deps) { d.Served = l.served })
		f.write(t, "drivers", 1, ago(time.Minute), driver(7), values...)
		f.write(t, "drivers", 1, ago(25*time.Hour), driver(8), values...)
		f.running(t)
		for range 10 {
			f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":6},{"driver_id":7}],"features":["rate"]}`)
			f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":8}],"features":["rate"],"policy":"null"}`)
			f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":8}],"features":["rate"],"policy":"refuse"}`)
		}
		time.Sleep(2 * time.Second)
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.rows) != 10 {
			t.Fatalf("%d rows are sampled, want the 10 that were returned", len(l.rows))
		}
		v := f.registry.defs.View("drivers")
		key, err := feature.NewKey(v, driver(7))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range l.rows {
			if r.View != 1 || r.Version != 1 || r.Key != key || !r.EventTime.Equal(ago(time.Minute)) || !r.At.Equal(start) || !bytes.Equal(r.Values, feature.AppendRow(nil, v, values)) {
				t.Fatalf("sampled %+v, want the row of driver 7", r)
			}
		}
	})
}

// TestSampleRate reads at several rates: no second gives more than the limit, steady
// reads give about the limit, and every position of a request has its share.
func TestSampleRate(t *testing.T) {
	const limit, seconds = 50, 60
	for name, tc := range map[string]struct {
		rows  int           // of a request
		every time.Duration // between two requests
		least float64       // sampled in a second, on average
		most  float64
	}{
		"fewer than the limit": {3, 100 * time.Millisecond, 29, 31},
		"single rows":          {1, time.Millisecond, 42, 50},
		"in step":              {100, 10 * time.Millisecond, 42, 50},
		"large requests":       {1000, time.Second, 30, 50},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sampler{}
				s.tick(limit, time.Second)
				positions, total, elapsed := make([]int, 10), 0, time.Duration(0)
				for range seconds {
					inSecond := 0
					for end := elapsed + time.Second; elapsed < end; elapsed += tc.every {
						s.offer(tc.rows, func(at int) {
							if at < 0 || at >= tc.rows {
								t.Fatalf("row %d of %d is chosen", at, tc.rows)
							}
							inSecond++
							positions[10*at/tc.rows]++
						})
					}
					if total += inSecond; inSecond > limit {
						t.Errorf("%d rows in a second, want at most %d", inSecond, limit)
					}
					s.tick(limit, time.Second)
				}
				if mean := float64(total) / seconds; mean < tc.least || mean > tc.most {
					t.Errorf("%.1f rows in a second, want %.0f to %.0f", mean, tc.least, tc.most)
				}
				if tc.rows < 100 {
					return
				}
				for tenth, n := range positions {
					if share := float64(n) / float64(total); share < 0.05 || share > 0.16 {
						t.Errorf("tenth %d of the requests has a share of %.2f of the sample, want about 0.1: %v", tenth, share, positions)
					}
				}
			})
		})
	}
}

// TestSampleBurst reads from many goroutines at once: the limit holds, and nothing is
// numbered twice.
func TestSampleBurst(t *testing.T) {
	s := &sampler{}
	s.tick(500, time.Second)
	var mu sync.Mutex
	chosen := 0
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10_000 {
				s.offer(3, func(int) {
					mu.Lock()
					defer mu.Unlock()
					chosen++
				})
			}
		})
	}
	group.Wait()
	if chosen != 500 || s.seen.Load() != 240_000 {
		t.Errorf("%d of %d rows are chosen, want 500 of 240000", chosen, s.seen.Load())
	}
}

// TestSampleSlow lets the one who takes samples stop, and then refuse them: reads go
// on, what does not fit is dropped, and the counters say so.
func TestSampleSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan error)
		var taken atomic.Int64
		f := newFixture(t, func(c *Config, d *Deps) {
			c.SampleRate = 1000
			d.Served = func(_ context.Context, rows []feature.ServedRow) error {
				taken.Add(int64(len(rows)))
				return <-release
			}
		})
		for i := range 1000 {
			f.write(t, "users", 1, ago(0), user(fmt.Sprint(i)), float(1))
		}
		f.running(t)
		keys := make([]string, 1000)
		for i := range keys {
			keys[i] = fmt.Sprintf(`{"user_id":"%d"}`, i)
		}
		body := `{"keys":[` + strings.Join(keys, ",") + `]}`
		read := func() {
			f.post(t, "/api/v1/views/users/rows", body)
			time.Sleep(1100 * time.Millisecond)
		}
		read()
		if n := taken.Load(); n != sampleBatch {
			t.Fatalf("the first batch has %d rows, want %d", n, sampleBatch)
		}
		// A reader that does not tick gets no more either: the bound is that of one second.
		f.post(t, "/api/v1/views/users/rows", body)
		release <- nil
		synctest.Wait()
		release <- errors.New("not now")
		synctest.Wait()
		for range 2 {
			release <- nil
			synctest.Wait()
		}
		close(release)
		time.Sleep(3 * time.Second)
		count := func(r report) int { return int(testutil.ToFloat64(f.metrics.reports[r])) }
		sampled, failed, dropped, took := count(reportSampled), count(reportSampleFailed), count(reportSampleDropped), int(taken.Load())
		if failed == 0 || sampled+failed != took || took != 1000 || dropped != 0 {
			t.Errorf("%d sampled, %d failed, %d dropped, of %d taken, want some failed, and the 1000 of one second taken", sampled, failed, dropped, took)
		}
	})
}

// TestSampleFull fills what waits.
func TestSampleFull(t *testing.T) {
	l := &ledger{}
	f := newFixture(t, func(c *Config, d *Deps) { c.SampleRate, d.Served = 1000, l.served })
	f.write(t, "users", 1, ago(0), user("a"), float(1))
	watch := f.lease.current.Load().catalog.byName["users"].watch
	for range 2 * sampleBuffer {
		watch.sampler.tick(1000, time.Second)
		watch.sampler.gap.Store(1)
		f.post(t, "/api/v1/views/users/rows", readA)
	}
	dropped := int(testutil.ToFloat64(f.metrics.reports[reportSampleDropped]))
	if len(f.report.samples) != sampleBuffer || dropped == 0 || dropped > sampleBuffer {
		t.Errorf("%d rows wait and %d are dropped, want %d and some", len(f.report.samples), dropped, sampleBuffer)
	}
}
