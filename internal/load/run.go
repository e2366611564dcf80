package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Report is what a run measured. Requests are those of the measured time: due in
// it in an open loop, answered in it in a closed one.
type Report struct {
	Clients    int           // connections
	Rate       float64       // offered, a second; 0: a closed loop
	Elapsed    time.Duration // of the measured time
	Latency    *Histogram    // of the requests that were answered
	Failed     uint64        // answered with an error, or whose connection broke
	Unanswered uint64        // not answered within 5 s after the end; in an open loop alone
	Errors     []string      // the first few different ones
}

// Answered returns how many requests were answered without an error.
func (r *Report) Answered() uint64 { return r.Latency.Count() }

// PerSecond returns the requests answered in a second.
func (r *Report) PerSecond() float64 { return float64(r.Answered()) / r.Elapsed.Seconds() }

// lane is a connection.
type lane interface {
	// send writes a request that was due at at, or keeps it until it may be written.
	send(at time.Time) error
	// serve reads answers until the connection ends.
	serve() error
	close() error
}

// runner is one run.
type runner struct {
	config  Config
	latency *Histogram
	blocks  headers

	from, to atomic.Int64 // of the measured time, Unix nanoseconds; 0: not known yet
	out      atomic.Int64 // requests of the measured time that are not answered
	failed   atomic.Uint64
	next     atomic.Uint64 // request to send
	stopped  atomic.Bool

	mu     sync.Mutex
	errors []string
}

// Run connects every client, warms up, measures, and returns what it measured. The
// error is that of a connection that could not be made, or of ctx. A request that
// fails is counted; a connection that breaks sends no more, and if all have, that
// is an error.
func Run(ctx context.Context, config Config) (*Report, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	r := &runner{config: config, latency: &Histogram{}}
	r.blocks = r.headers()
	lanes, err := r.connect(ctx)
	defer func() {
		r.stopped.Store(true)
		for _, l := range lanes {
			_ = l.close() // only told to end
		}
	}()
	if err != nil {
		return nil, err
	}
	var group sync.WaitGroup
	left := atomic.Int64{}
	left.Store(int64(len(lanes)))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, l := range lanes {
		group.Go(func() {
			err := l.serve()
			if r.stopped.Load() {
				return
			}
			r.fail(fmt.Errorf("connection: %w", err))
			if left.Add(-1) == 0 {
				cancel(fmt.Errorf("load: every connection broke, the last with: %w", err))
			}
		})
	}
	report, err := r.measure(ctx, lanes)
	r.stopped.Store(true)
	for _, l := range lanes {
		_ = l.close()
	}
	group.Wait()
	return report, err
}

// connect makes every connection, 128 at a time.
func (r *runner) connect(ctx context.Context) ([]lane, error) {
	var group sync.WaitGroup
	var mu sync.Mutex
	var lanes []lane
	var errs []error
	room := make(chan struct{}, 128)
	for range r.config.Clients {
		room <- struct{}{}
		mu.Lock()
		stop := len(errs) > 0
		mu.Unlock()
		if stop {
			break
		}
		group.Go(func() {
			defer func() { <-room }()
			l, err := r.dial(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			lanes = append(lanes, l)
		})
	}
	group.Wait()
	if len(errs) > 0 {
		return lanes, fmt.Errorf("load: connect to %s: %w", r.config.Address, errs[0])
	}
	return lanes, nil
}

func (r *runner) dial(ctx context.Context) (lane, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if r.config.Protocol == HTTP {
		return r.dialHTTP(ctx)
	}
	return r.dialGRPC(ctx)
}

// measure sends requests for the time of warm-up and measurement.
func (r *runner) measure(ctx context.Context, lanes []lane) (*Report, error) {
	begun := time.Now()
	from := begun.Add(r.config.Warmup)
	to := from.Add(r.config.Duration)
	r.from.Store(from.UnixNano())
	r.to.Store(to.UnixNano())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if r.config.Rate > 0 {
			r.open(ctx, lanes, begun, to)
		} else {
			r.closed(lanes)
		}
	}()
	defer func() { <-sent }()
	if err := r.wait(ctx, from, r.config.Begin); err != nil {
		return nil, err
	}
	if err := r.wait(ctx, to, r.config.End); err != nil {
		return nil, err
	}
	<-sent
	for end := time.Now().Add(patience); r.config.Rate > 0 && r.out.Load() > 0 && time.Now().Before(end); {
		if err := r.wait(ctx, time.Now().Add(10*time.Millisecond), nil); err != nil {
			return nil, err
		}
	}
	r.stopped.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	report := &Report{Clients: len(lanes), Rate: r.config.Rate, Elapsed: to.Sub(from), Latency: r.latency, Failed: r.failed.Load(), Errors: r.errors}
	if r.config.Rate > 0 {
		report.Unanswered = uint64(max(r.out.Load(), 0))
	}
	return report, nil
}

// wait waits until at and then calls fn.
func (r *runner) wait(ctx context.Context, at time.Time, fn func()) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	}
	if fn != nil {
		fn()
	}
	return nil
}

// closed sends the first request of every connection; each answer sends the next.
func (r *runner) closed(lanes []lane) {
	for _, l := range lanes {
		if err := l.send(time.Now()); err != nil {
			r.fail(err)
		}
	}
}

// open sends requests when they are due, the connections in turn.
func (r *runner) open(ctx context.Context, lanes []lane, begun, to time.Time) {
	period := float64(time.Second) / r.config.Rate
	for i := 0; ; i++ {
		due := begun.Add(time.Duration(float64(i) * period))
		if !due.Before(to) {
			return
		}
		for {
			rest := time.Until(due)
			if rest <= 0 {
				break
			}
			pause(max(rest, leastWait))
			if ctx.Err() != nil {
				return
			}
		}
		if r.measured(due) {
			r.out.Add(1)
		}
		if err := lanes[i%len(lanes)].send(due); err != nil {
			r.lost(due, err)
		}
	}
}

// measured reports whether a request that was due, or answered, at t counts.
func (r *runner) measured(t time.Time) bool {
	n := t.UnixNano()
	return n >= r.from.Load() && n < r.to.Load()
}

// answered records the answer to a request that was due at at; err is what is wrong
// with it. It reports whether the connection is to ask again at once.
func (r *runner) answered(at time.Time, err error) (again bool) {
	now := time.Now()
	if r.config.Rate == 0 {
		switch {
		case err != nil:
			if r.measured(now) {
				r.failed.Add(1)
			}
			r.fail(err)
		case r.measured(now):
			r.latency.Add(now.Sub(at))
		}
		return !r.stopped.Load()
	}
	if err != nil {
		r.lost(at, err)
	} else if r.measured(at) && !r.stopped.Load() {
		r.out.Add(-1)
		r.latency.Add(now.Sub(at))
	}
	return false
}

// lost records a request of an open loop that was due at at and has failed.
func (r *runner) lost(at time.Time, err error) {
	if r.measured(at) && !r.stopped.Load() {
		r.out.Add(-1)
		r.failed.Add(1)
	}
	r.fail(err)
}

// fail keeps what went wrong, if it is new.
func (r *runner) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range r.errors {
		if text == err.Error() {
			return
		}
	}
	if len(r.errors) < mostErrors {
		r.errors = append(r.errors, err.Error())
	}
}

// body returns the next request.
func (r *runner) body() []byte {
	return r.config.Requests[r.next.Add(1)%uint64(len(r.config.Requests))]
}

var errBroken = errors.New("the connection is closed")
