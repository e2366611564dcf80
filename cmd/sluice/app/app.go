package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"sluice/internal/admin"
	"sluice/materialize"
	"sluice/quality/sketch"
	"sluice/serving"
	"sluice/tap"
)

// Options say how a process runs, besides its configuration.
type Options struct {
	Target  string // all | tap | gate | serve
	Clock   string // wall | manual
	Version string // of the program
	Log     *slog.Logger
	Out     io.Writer // where the addresses are printed once the process listens; nil: nowhere
	NoSync  bool      // do not wait for the disk: demos only
	Tap     *tap.Config
	HashKey *sketch.HashKey // of an installation that is made now; nil: a random one, as is right for data that is not public
	// ReadDeadline is how long one read of rows on a server may take; 0: its default.
	ReadDeadline time.Duration
	Metrics      metricsRegistry // nil: one of its own
}

// App is one process of the platform.
type App struct {
	cfg     Config
	opts    Options
	parts   *parts
	modules []module
	serving *serving.Server
	gate    *materialize.Gate
	actions *materialize.Actions
	board   *materialize.Board
	tap     *tap.Tap
	tracer  *tracer
	health  *admin.Health
	metrics metricsRegistry
	http    net.Listener
	grpc    net.Listener
	admin   net.Listener
	leaving leaving
	room    *room
	sweeps  sync.Mutex // held while rows are swept, or those of a store are restored

	backtesting chan struct{} // holds one while a backtest runs
}

// metricsRegistry takes metrics in and gives them out.
type metricsRegistry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// module works until its context ends and then returns nil.
type module struct {
	name string
	run  func(context.Context) error
}

// New opens what the configuration names and builds the modules. Close it, or Run
// it, which closes it.
func New(ctx context.Context, cfg Config, opts Options) (*App, error) {
	opts.Log = discard(opts.Log)
	if err := errors.Join(cfg.Validate(), cfg.ValidateTarget(opts.Target)); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, opts: opts, health: &admin.Health{}, metrics: opts.Metrics, backtesting: make(chan struct{}, 1)}
	if a.metrics == nil {
		a.metrics = prometheus.NewRegistry()
	}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	admin.ReadBuild(opts.Version).Export(a.metrics)
	var err error
	opts.Metrics = a.metrics
	if a.parts, err = open(ctx, cfg, opts); err != nil {
		return nil, err
	}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Addrs are where a process listens.
type Addrs struct {
	HTTP, GRPC string // GRPC is empty where nothing is served
	Kafka      []string
}

// Addrs returns where the process listens.
func (a *App) Addrs() Addrs {
	addrs := Addrs{HTTP: a.http.Addr().String(), Kafka: a.parts.brokers}
	if a.grpc != nil {
		addrs.GRPC = a.grpc.Addr().String()
	}
	return addrs
}

// Run runs the modules until ctx ends, and a server for a while longer (serve.drain),
// then closes everything. A module that returns before is a failure of the process.
func (a *App) Run(ctx context.Context) error {
	if a.opts.Out != nil {
		addrs := a.Addrs()
		if _, err := fmt.Fprintf(a.opts.Out, "sluice %s: http %s, grpc %s, kafka %v, data %s\n", a.opts.Target, addrs.HTTP, addrs.GRPC, addrs.Kafka, a.cfg.Data); err != nil {
			return errors.Join(fmt.Errorf("print addresses: %w", err), a.Close())
		}
	}
	ctx, stop := a.outlast(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range a.modules {
		group.Go(func() error {
			err := m.run(ctx)
			if err == nil && ctx.Err() == nil {
				err = errors.New("stopped early")
			}
			if err != nil {
				return fmt.Errorf("module %s: %w", m.name, err)
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), a.Close())
}

// Close closes what New opened; a second call does nothing.
func (a *App) Close() error {
	var errs []error
	for _, l := range []net.Listener{a.http, a.grpc, a.admin} {
		if l == nil {
			continue
		}
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, a.parts.Close())...)
}

// Ready returns nil once every module can work.
func (a *App) Ready() error {
	var errs []error
	for _, p := range a.health.NotReady() {
		errs = append(errs, fmt.Errorf("%s: %s", p.Name, p.Reason))
	}
	return errors.Join(errs...)
}

// Run is what the command of that name does.
func Run(ctx context.Context, cfg Config, opts Options) error {
	defer collects(opts.Target)()
	a, err := New(ctx, cfg, opts)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}
