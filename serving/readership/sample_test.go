package readership

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
)

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
				s := &Sampler{}
				s.tick(limit, time.Second)
				positions, total, elapsed := make([]int, 10), 0, time.Duration(0)
				for range seconds {
					inSecond := 0
					for end := elapsed + time.Second; elapsed < end; elapsed += tc.every {
						s.Offer(tc.rows, func(at int) {
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
	s := &Sampler{}
	s.tick(500, time.Second)
	var mu sync.Mutex
	chosen := 0
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10_000 {
				s.Offer(3, func(int) {
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

// sampling is a reporter of a view, of which rows are read.
func sampling(served ServedFunc) (r *Reporter, read func(rows int)) {
	r = New(Config{SampleRate: 1000, Served: served, Now: time.Now, Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	watch := r.Watch(2)
	return r, func(rows int) {
		watch.Sampler.Offer(rows, func(int) { r.Sample(feature.ServedRow{View: 2}) })
	}
}

func (r *Reporter) count(of result) int { return int(testutil.ToFloat64(r.results[of])) }

// TestSampleSlow lets the one who takes samples stop, and then refuse them: reads go
// on, what does not fit is dropped, and the counters say so.
func TestSampleSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan error)
		var taken atomic.Int64
		r, read := sampling(func(_ context.Context, rows []feature.ServedRow) error {
			taken.Add(int64(len(rows)))
			return <-release
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.Run(ctx)
		}()
		defer func() {
			cancel()
			<-ended
		}()
		read(1000)
		time.Sleep(1100 * time.Millisecond)
		if n := taken.Load(); n != sampleBatch {
			t.Fatalf("the first batch has %d rows, want %d", n, sampleBatch)
		}
		// A reader that does not tick gets no more either: the bound is that of one second.
		read(1000)
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
		done, failed, dropped, took := r.count(sampled), r.count(sampleFailed), r.count(sampleDropped), int(taken.Load())
		if failed == 0 || done+failed != took || took != 1000 || dropped != 0 {
			t.Errorf("%d sampled, %d failed, %d dropped, of %d taken, want some failed, and the 1000 of one second taken", done, failed, dropped, took)
		}
	})
}

// TestSampleFull fills what waits.
func TestSampleFull(t *testing.T) {
	r, read := sampling(func(context.Context, []feature.ServedRow) error { return nil })
	for range 2 {
		r.tick(time.Second)
		r.Watch(2).Sampler.gap.Store(1)
		read(sampleBuffer)
	}
	if dropped := r.count(sampleDropped); len(r.samples) != sampleBuffer || dropped == 0 || dropped > sampleBuffer {
		t.Errorf("%d rows wait and %d are dropped, want %d and some", len(r.samples), dropped, sampleBuffer)
	}
}
