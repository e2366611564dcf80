package materialize

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// Config says how the gate works.
type Config struct {
	Retry time.Duration `yaml:"retry"` // pause after a decision that could not be taken
	Lease time.Duration `yaml:"lease"` // how long a reader may hold an old vector; rows are swept after twice that
	Sweep time.Duration `yaml:"sweep"` // pause between two sweeps
	// AuditRows is how many rows of a window are read back before it is judged, if
	// nothing speaks against the store; else all of them are.
	AuditRows int `yaml:"audit_rows"`

	// DeadShare is the share of a source's records of one minute above which, if at least
	// DeadLeast of them are dead letters, windows of that time are held.
	DeadShare float64 `yaml:"dead_share"`
	DeadLeast int     `yaml:"dead_least"`

	Watch time.Duration `yaml:"watch"` // pause between two looks at freshness, overdue windows and what was served

	// ServedGrace is how long processes have to store what they sampled of a window
	// that is over.
	ServedGrace time.Duration `yaml:"served_grace"`
}

// DefaultConfig returns the configuration that the reference page documents.
func DefaultConfig() Config {
	return Config{Retry: time.Second, Lease: time.Second, Sweep: 2 * time.Second, Watch: time.Second, AuditRows: 2000, DeadShare: 0.05, DeadLeast: 10, ServedGrace: 5 * time.Second}
}

// Deps is what a Gate works with. All of it is shared and outlives the gate.
type Deps struct {
	Registry    Registry
	Rows        Rows
	Shards      ShardsFunc // nil: the servers that hold the rows never change
	Room        RoomFunc   // nil: there is always room for another version
	Offline     RoomFunc   // nil: there is always room for rows of the stream
	Sweeps      Sweeps     // nil: rows are swept whenever they can be
	Log         Log
	Judge       JudgeFunc
	Dataset     DatasetFunc // nil: no view may have a data set as baseline
	Board       *Board
	Recount     RecountFunc                 // nil: topics never grow
	Ends        EndsFunc                    // nil: partitions that are idle have nothing unread
	Definitions func() *feature.Definitions // the definitions in force
	Readership  ReadershipFunc              // nil: nobody counts reads, and scores know none
	HashKey     sketch.HashKey
	Clock       Clock
	Owner       string // with Epoch: this gate's fencing token
	Epoch       uint64
	Logger      *slog.Logger
	Registerer  prometheus.Registerer
}

// Gate judges every complete window once, and makes the verdict so. All of it but
// staging belongs to the goroutine of Run; during a round, the seat of a view
// belongs to the view's own goroutine.
type Gate struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	log     *slog.Logger

	seats map[feature.ViewID]*seat
	named map[string]bool // views with series of metrics

	scored   sync.Mutex
	scores   map[string]rules.ScoredView // by view, of the windows that this process judged
	serviced map[string]bool             // services with series of metrics

	// staging is held for reading while an approval of this process stages rows
	// into a version that is open.
	staging    sync.RWMutex
	unanswered unanswered
	aside      sync.WaitGroup // what goes on beside rounds
}

// New returns a gate; Run starts it.
func New(cfg Config, deps Deps) *Gate {
	return &Gate{
		cfg: cfg, deps: deps, metrics: newMetrics(deps.Registerer), log: deps.Logger,
		seats: map[feature.ViewID]*seat{}, named: map[string]bool{}, scores: map[string]rules.ScoredView{}, serviced: map[string]bool{},
	}
}

// Lead makes g the gate of an epoch, before a Run: it forgets what it kept of the
// views, which another gate may have changed meanwhile.
func (g *Gate) Lead(epoch uint64) {
	g.deps.Epoch = epoch
	clear(g.seats)
}

// Run decides windows until ctx ends. It returns feature.ErrFenced if another
// gate has taken over; it may run again after Lead.
func (g *Gate) Run(ctx context.Context) error {
	g.metrics.leading.Set(1)
	defer g.metrics.leading.Set(0)
	sweep, watch := time.NewTicker(g.cfg.Sweep), time.NewTicker(g.cfg.Watch)
	defer sweep.Stop()
	defer watch.Stop()
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel() // first: what goes on beside may take its time
		g.aside.Wait()
	}()
	for {
		changed := g.deps.Board.Changed()
		again, err := g.round(ctx)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-again:
		case <-sweep.C:
			err = g.sweepAll(ctx)
		case <-watch.C:
			if err = g.watchAll(ctx); err == nil {
				err = g.mendAll(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
}

// round decides the next complete window of every view, views side by side, so
// that none with many of them keeps the others waiting. again tells when to go on
// without news: at once if there may be more, or after a pause if a decision could
// not be taken.
func (g *Gate) round(ctx context.Context) (again <-chan time.Time, err error) {
	wait := time.Duration(-1)
	for _, t := range g.turns(ctx, g.deps.Definitions()) {
		switch {
		case ctx.Err() != nil:
			return nil, nil
		case errors.Is(t.err, feature.ErrFenced):
			return nil, t.err
		case t.err != nil:
			wait = sooner(wait, g.postpone(t.view, t.err))
		case t.left > 0:
			wait = sooner(wait, t.left)
		case t.decided:
			wait = 0
		}
	}
	if wait < 0 {
		return nil, nil
	}
	return time.After(wait), nil
}

// turned is what became of a view's turn.
type turned struct {
	view    *feature.View
	left    time.Duration // pause that is left; the view had no turn
	decided bool
	err     error
}

// turns gives every view that does not pause a turn, as many at once as there are
// processors, and at least two: part of a turn is waiting for the registry.
func (g *Gate) turns(ctx context.Context, defs *feature.Definitions) []turned {
	all := make([]turned, len(defs.Views))
	slots := make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	var running sync.WaitGroup
	for i := range defs.Views {
		t, s := &all[i], g.seat(&defs.Views[i])
		t.view = &defs.Views[i]
		if t.left = time.Until(s.later); t.left > 0 {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			t.decided, t.err = g.turn(ctx, t.view, s)
			<-slots
		})
	}
	running.Wait()
	return all
}

func sooner(wait, other time.Duration) time.Duration {
	if wait < 0 {
		return other
	}
	return min(wait, other)
}

// postpone notes why a view's decision could not be taken, and returns the pause
// before it is tried again: a short one, or none if there is news, where somebody
// else changed something meanwhile.
func (g *Gate) postpone(view *feature.View, err error) time.Duration {
	if errors.Is(err, feature.ErrConflict) {
		g.log.Info("view changed meanwhile, deciding again", "view", view.Name, "err", err)
		return g.cfg.Retry / 20
	}
	g.seat(view).later = time.Now().Add(g.cfg.Retry)
	g.metrics.errors.WithLabelValues(view.Name).Inc()
	g.log.Error("window not decided, trying again", "view", view.Name, "err", err)
	return g.cfg.Retry
}

// turn decides the view's next complete window; false if there is none.
func (g *Gate) turn(ctx context.Context, view *feature.View, s *seat) (decided bool, err error) {
	if err := g.tidy(ctx, view, s); err != nil {
		return false, err
	}
	due, ok, err := g.due(ctx, view)
	if err != nil || !ok {
		return false, err
	}
	start := time.Now()
	if err := g.decide(ctx, view, s, due); err != nil {
		s.book = nil
		return false, fmt.Errorf("window %s: %w", due.window.Start.Format(time.RFC3339), err)
	}
	g.metrics.decide.Observe(time.Since(start).Seconds())
	if err := g.deps.Log.Forget(ctx, g.deps.Board.Judged(view.Name, due.window.Start)); err != nil {
		g.log.Warn("partials of a judged window not deleted", "view", view.Name, "err", err)
	}
	return true, nil
}

// due returns the view's next window if all partitions are past it, those as well that
// were added since they were counted last: a producer that knows one writes there.
func (g *Gate) due(ctx context.Context, view *feature.View) (complete, bool, error) {
	due, ok := g.deps.Board.next(view)
	if !ok || g.deps.Recount == nil {
		return due, ok, nil
	}
	if err := g.deps.Recount(ctx, view); err != nil {
		return complete{}, false, fmt.Errorf("count the partitions of %s: %w", g.deps.Board.topic(view), err)
	}
	due, ok = g.deps.Board.next(view)
	if !ok || len(due.idle) == 0 || g.deps.Ends == nil {
		return due, ok, nil
	}
	return g.awaited(ctx, view, due)
}

// awaited returns a window that is complete but for what nobody may have read yet: a
// partition that was idle when its tap died gets writes all the same, and says nothing
// of them. So what it held when the window was first seen to be complete has to be read.
func (g *Gate) awaited(ctx context.Context, view *feature.View, due complete) (complete, bool, error) {
	if !g.deps.Board.awaits(view, due.window) {
		ends, err := g.deps.Ends(ctx, view)
		if err != nil {
			return complete{}, false, fmt.Errorf("ends of %s: %w", g.deps.Board.topic(view), err)
		}
		g.deps.Board.await(view, due.window, ends)
	}
	due, ok := g.deps.Board.next(view)
	return due, ok, nil
}

// commit applies a desk's decision as this gate.
func (g *Gate) commit(ctx context.Context, c feature.Commit) error {
	c.Owner, c.Epoch = g.deps.Owner, g.deps.Epoch
	_, err := g.deps.Registry.Apply(ctx, c)
	return err
}

func (g *Gate) now() time.Time {
	now, _ := g.deps.Clock.Now()
	return now.UTC()
}

func (g *Gate) desk(ctx context.Context, view *feature.View) (*Desk, error) {
	return readDesk(ctx, g.deps.Registry, view, g.now())
}

// readDesk reads the state that a decision on view is taken from.
func readDesk(ctx context.Context, r Records, view *feature.View, now time.Time) (*Desk, error) {
	vector, err := r.Vector(ctx, view.ID)
	if err != nil {
		return nil, fmt.Errorf("read vector of %s: %w", view.Name, err)
	}
	from := vector.Floor
	if from > 0 {
		from-- // the floor's own version may be the one judged last
	}
	versions, err := r.Versions(ctx, view.ID, from, 0)
	if err != nil {
		return nil, fmt.Errorf("read versions of %s: %w", view.Name, err)
	}
	raw, err := r.Memory(ctx, view.ID)
	if err != nil {
		return nil, fmt.Errorf("read memory of %s: %w", view.Name, err)
	}
	memory, err := decodeMemory(raw)
	if err != nil {
		return nil, fmt.Errorf("memory of %s: %w", view.Name, err)
	}
	open, err := r.OpenAlerts(ctx, view.Name)
	if err != nil {
		return nil, fmt.Errorf("read alerts of %s: %w", view.Name, err)
	}
	return newDesk(view, vector, versions, memory, open, now), nil
}
