package materialize

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Config says how the gate works.
type Config struct {
	Retry time.Duration `yaml:"retry"` // pause after a decision that could not be taken
	Lease time.Duration `yaml:"lease"` // how long a reader may hold an old vector; rows are swept after twice that
	Sweep time.Duration `yaml:"sweep"` // pause between two sweeps
	Watch time.Duration `yaml:"watch"` // pause between two looks at freshness and overdue windows
}

// DefaultConfig returns the configuration that the reference page documents.
func DefaultConfig() Config {
	return Config{Retry: time.Second, Lease: time.Second, Sweep: 2 * time.Second, Watch: time.Second}
}

// Deps is what a Gate works with. All of it is shared and outlives the gate.
type Deps struct {
	Registry    Registry
	Rows        Rows
	Log         Log
	Judge       JudgeFunc
	Board       *Board
	Definitions func() *feature.Definitions // the definitions in force
	HashKey     sketch.HashKey
	Clock       Clock
	Notify      NotifyFunc
	Owner       string // with Epoch: this gate's fencing token
	Epoch       uint64
	Logger      *slog.Logger
	Registerer  prometheus.Registerer
}

// Gate judges every complete window once, and makes the verdict so. All of it but
// staging belongs to the goroutine of Run.
type Gate struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	log     *slog.Logger

	books  map[feature.ViewID]*Book
	sweeps map[feature.ViewID]*sweeping
	looks  map[feature.ViewID]look
	tidied map[feature.ViewID]bool
	later  map[feature.ViewID]time.Time // when a decision that could not be taken is tried again
	named  map[string]bool              // views with series of metrics

	// staging is held for reading while an approval of this process stages rows
	// into a version that is open.
	staging sync.RWMutex
}

// New returns a gate; Run starts it.
func New(cfg Config, deps Deps) *Gate {
	return &Gate{
		cfg: cfg, deps: deps, metrics: newMetrics(deps.Registerer), log: deps.Logger,
		books: map[feature.ViewID]*Book{}, sweeps: map[feature.ViewID]*sweeping{}, looks: map[feature.ViewID]look{},
		tidied: map[feature.ViewID]bool{}, later: map[feature.ViewID]time.Time{}, named: map[string]bool{},
	}
}

// Run decides windows until ctx ends. It returns feature.ErrFenced if another
// gate has taken over.
func (g *Gate) Run(ctx context.Context) error {
	sweep, watch := time.NewTicker(g.cfg.Sweep), time.NewTicker(g.cfg.Watch)
	defer sweep.Stop()
	defer watch.Stop()
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
			err = g.watchAll(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// round decides the next complete window of every view, so that no view with many
// of them keeps the others waiting. again tells when to go on without news: at
// once if there may be more, or after a pause if a decision could not be taken.
func (g *Gate) round(ctx context.Context) (again <-chan time.Time, err error) {
	wait := time.Duration(-1)
	defs := g.deps.Definitions()
	for i := range defs.Views {
		view := &defs.Views[i]
		if left := time.Until(g.later[view.ID]); left > 0 {
			wait = sooner(wait, left)
			continue
		}
		decided, err := g.turn(ctx, view)
		switch {
		case ctx.Err() != nil:
			return nil, nil
		case errors.Is(err, feature.ErrFenced):
			return nil, err
		case err != nil:
			wait = sooner(wait, g.postpone(view, err))
		case decided:
			wait = 0
		}
	}
	if wait < 0 {
		return nil, nil
	}
	return time.After(wait), nil
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
	g.later[view.ID] = time.Now().Add(g.cfg.Retry)
	g.metrics.errors.WithLabelValues(view.Name).Inc()
	g.log.Error("window not decided, trying again", "view", view.Name, "err", err)
	return g.cfg.Retry
}

// turn decides the view's next complete window; false if there is none.
func (g *Gate) turn(ctx context.Context, view *feature.View) (decided bool, err error) {
	if err := g.tidy(ctx, view); err != nil {
		return false, err
	}
	due, ok := g.deps.Board.next(view)
	if !ok {
		return false, nil
	}
	start := time.Now()
	if err := g.decide(ctx, view, due); err != nil {
		delete(g.books, view.ID)
		return false, fmt.Errorf("window %s: %w", due.window.Start.Format(time.RFC3339), err)
	}
	g.metrics.decide.Observe(time.Since(start).Seconds())
	if err := g.deps.Log.Forget(ctx, g.deps.Board.Judged(view.Name, due.window.Start)); err != nil {
		g.log.Warn("partials of a judged window not deleted", "view", view.Name, "err", err)
	}
	return true, nil
}

// book returns the view's book as of a desk, reading it if the one in memory is
// older or of another definition.
func (g *Gate) book(ctx context.Context, desk *Desk) (*Book, error) {
	b := g.books[desk.view.ID]
	if b != nil && b.mark == desk.memory.Book && (b.view == desk.view || reflect.DeepEqual(b.view, desk.view)) {
		b.view = desk.view
		return b, nil
	}
	b, err := readBook(ctx, g.deps.Registry, desk.view, g.deps.HashKey)
	if err != nil {
		return nil, err
	}
	b.mark = desk.memory.Book
	g.books[desk.view.ID] = b
	return b, nil
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
