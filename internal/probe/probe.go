package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Server is the installation that is probed. All methods may be called at once.
type Server interface {
	// Write appends rows to the view.
	Write(ctx context.Context, rows []Row) error
	// Seal tells every partition that the view's event time has reached t.
	Seal(ctx context.Context, t time.Time) error
	// Decision waits at most wait for the window that starts at start to be judged;
	// ErrNotJudged if it is not by then.
	Decision(ctx context.Context, start time.Time, wait time.Duration) (Decision, error)
	// Read returns the rows that readers get for keys; those not found are left out.
	Read(ctx context.Context, keys []string) ([]Row, error)
	// Judged returns how many windows of the view have been judged.
	Judged(ctx context.Context) (int, error)
}

// Decision is a verdict on a window and what was done.
type Decision struct {
	State    string // pass | warn | fail | inconclusive | error
	Decision string // publish | hold | reject | ...
	Verdict  string
}

// ErrNotJudged is that a window has no verdict yet.
var ErrNotJudged = errors.New("not judged yet")

// Config says how a probe works.
type Config struct {
	Window     time.Duration // of the view
	FaultEvery int           // of so many windows one has a planted fault; 0: none has
	Duration   time.Duration // no window begins later; 0: for ever
	ReadEvery  time.Duration // pause between two reads
	Seed       int           // windows of the past that are written first, if the view has none
	Patience   time.Duration // for a verdict
}

// DefaultConfig returns the configuration that the command's reference documents, for
// windows of a size.
func DefaultConfig(window time.Duration) Config {
	return Config{Window: window, FaultEvery: 12, ReadEvery: 200 * time.Millisecond, Seed: 10, Patience: max(30*time.Second, 2*window)}
}

// Probe is one run.
type Probe struct {
	cfg     Config
	server  Server
	metrics *Metrics
	log     *slog.Logger
	tell    func(Window)

	mu     sync.Mutex
	report Report
	since  time.Time // when every key must be found; zero: not yet
}

// New returns a probe. tell, if it is not nil, is called with every window, one call at a
// time, in the order of the verdicts.
func New(cfg Config, server Server, metrics *Metrics, log *slog.Logger, tell func(Window)) *Probe {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Probe{cfg: cfg, server: server, metrics: metrics, log: log, tell: tell}
}

// Run probes until the configured duration is over and every window has its verdict, or
// ctx ends. What it found is in the report; the error is that it could not begin.
func (p *Probe) Run(ctx context.Context) (Report, error) {
	began := time.Now()
	if err := p.learn(ctx); err != nil {
		return p.report, fmt.Errorf("begin to probe: %w", err)
	}
	reading, stop := context.WithCancel(ctx)
	var reader sync.WaitGroup
	reader.Go(func() { p.read(reading) })
	p.write(ctx)
	stop()
	reader.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.Seconds = time.Since(began).Seconds()
	return p.report, nil
}

// learn gives a new view a history: windows that end before now, one after another, as
// they would have been written. Event times may lie in the past as long as nothing later
// was written; a view that has windows already goes on from them.
func (p *Probe) learn(ctx context.Context) error {
	judged, err := p.server.Judged(ctx)
	if err != nil {
		return err
	}
	if judged > 0 {
		p.since = time.Now()
		return nil
	}
	now := windowOf(time.Now(), p.cfg.Window)
	for i := p.cfg.Seed; i > 0; i-- {
		start := now.Add(-time.Duration(i) * p.cfg.Window)
		for round := range rounds {
			if err := p.server.Write(ctx, roundOf(start, p.cfg.Window, round, NoFault)); err != nil {
				return err
			}
		}
		if err := p.server.Seal(ctx, start.Add(p.cfg.Window+Lateness)); err != nil {
			return err
		}
		d, err := p.server.Decision(ctx, start, p.cfg.Patience)
		if err != nil {
			return fmt.Errorf("window %s: %w", start.UTC().Format(time.RFC3339), err)
		}
		p.published(d)
	}
	return nil
}

// grace is how long after the first publication a server may not know it yet.
const grace = 5 * time.Second

// published notes that every key has a value.
func (p *Probe) published(d Decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.Decision == "publish" && p.since.IsZero() {
		p.since = time.Now().Add(grace)
	}
}

// write writes window after window, and waits for the last verdicts.
func (p *Probe) write(ctx context.Context) {
	var judging sync.WaitGroup
	defer judging.Wait()
	start := windowOf(time.Now(), p.cfg.Window).Add(p.cfg.Window)
	end := start.Add(p.cfg.Duration)
	for p.cfg.Duration == 0 || start.Before(end) {
		w := Window{Start: start, Fault: faultOf(start, p.cfg.Window, p.cfg.FaultEvery)}
		err := p.window(ctx, w)
		if ctx.Err() != nil {
			return
		}
		sealed := time.Now()
		if err != nil {
			w.Outcome, w.Error = Unwritten, err.Error()
			p.done(w)
		} else {
			judging.Go(func() { p.judge(ctx, w, sealed) })
		}
		if start = start.Add(p.cfg.Window); start.Before(time.Now().Add(-p.cfg.Window)) {
			start = windowOf(time.Now(), p.cfg.Window).Add(p.cfg.Window) // fell behind
		}
	}
}

// window writes the rows of one window at their time, and seals it.
func (p *Probe) window(ctx context.Context, w Window) error {
	for round := range rounds {
		if err := until(ctx, w.Start.Add(time.Duration(round)*p.cfg.Window/rounds)); err != nil {
			return err
		}
		if err := p.server.Write(ctx, roundOf(w.Start, p.cfg.Window, round, w.Fault)); err != nil {
			return err
		}
	}
	if err := until(ctx, w.Start.Add(p.cfg.Window)); err != nil {
		return err
	}
	return p.server.Seal(ctx, w.Start.Add(p.cfg.Window+Lateness))
}

// windowOf returns the start of the window that holds t: windows start at multiples of
// their size since the Unix epoch.
func windowOf(t time.Time, size time.Duration) time.Time {
	n := t.UnixNano()
	return time.Unix(0, n-n%int64(size)).UTC()
}

// until waits until t.
func until(ctx context.Context, t time.Time) error {
	wait := time.NewTimer(time.Until(t))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retry is the pause before a verdict is asked for again after an error.
const retry = time.Second

// judge waits for a window's verdict.
func (p *Probe) judge(ctx context.Context, w Window, sealed time.Time) {
	for {
		left := p.cfg.Patience - time.Since(sealed)
		d, err := p.server.Decision(ctx, w.Start, max(left, time.Millisecond))
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			w.Outcome, w.State, w.Decision, w.Verdict, w.Seconds = Blocked, d.State, d.Decision, d.Verdict, time.Since(sealed).Seconds()
			if d.Decision == "publish" {
				w.Outcome = Published
			}
			p.published(d)
			p.metrics.verdict.Observe(w.Seconds)
			p.done(w)
			return
		case time.Since(sealed) >= p.cfg.Patience:
			w.Outcome, w.Error = Unjudged, err.Error()
			p.done(w)
			return
		}
		if until(ctx, time.Now().Add(min(retry, max(0, p.cfg.Patience-time.Since(sealed))))) != nil {
			return
		}
	}
}

// done counts a window and tells of it.
func (p *Probe) done(w Window) {
	kind := kindGood
	if w.Fault != NoFault {
		kind = kindFault
	}
	p.metrics.windows.WithLabelValues(kind, string(w.Outcome)).Inc()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.add(w)
	if w.Missed() {
		p.log.Error("a planted fault was not caught", "window", w.Start, "fault", w.Fault, "outcome", w.Outcome, "verdict", w.Verdict, "err", w.Error)
	}
	if p.tell != nil {
		p.tell(w)
	}
}
