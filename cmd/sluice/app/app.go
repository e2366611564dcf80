package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"sluice/feature"
	"sluice/internal/admin"
	"sluice/internal/auth"
	"sluice/internal/control"
	"sluice/internal/notify"
	"sluice/materialize"
	"sluice/serving"
	"sluice/tap"
)

// Options say how a process runs, besides its configuration.
type Options struct {
	Target  string // all; the others need servers that this release does not speak to
	Clock   string // wall | manual
	Version string // of the program
	Log     *slog.Logger
	Out     io.Writer // where the addresses are printed once the process listens; nil: nowhere
	NoSync  bool      // do not wait for the disk: demos only
	Tap     *tap.Config
	Metrics metricsRegistry // nil: one of its own
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
	health  *admin.Health
	metrics metricsRegistry
	http    net.Listener
	grpc    net.Listener
	admin   net.Listener
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
	if len(cfg.Redis.Addrs) > 0 || cfg.Registry.Postgres != "" {
		return nil, errors.New("redis.addrs, registry.postgres: this release keeps rows and registry embedded: leave them empty")
	}
	a := &App{cfg: cfg, opts: opts, health: &admin.Health{}, metrics: opts.Metrics}
	if a.metrics == nil {
		a.metrics = prometheus.NewRegistry()
	}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	admin.ReadBuild(opts.Version).Export(a.metrics)
	var err error
	if a.parts, err = open(ctx, cfg, opts); err != nil {
		return nil, err
	}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// build makes the modules and opens the listeners.
func (a *App) build(ctx context.Context) error {
	tokens, err := auth.Load(a.cfg.Auth.TokensFile)
	if err != nil {
		return err
	}
	notifier := notify.New(notify.Config{Token: notify.Secret(a.slackToken()), Channel: a.cfg.Slack.Channel, BaseURL: "http://" + a.cfg.Listen.HTTP}, a.opts.Log, a.metrics)
	a.add("notify", notifier.Run)
	a.add("catalog", a.parts.catalog.Run)
	if err := a.buildGate(ctx, notifier); err != nil {
		return err
	}
	if err := a.buildTap(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	admin.Register(mux, a.health, a.metrics, a.opts.Log)
	if err := a.buildServing(mux, tokens); err != nil {
		return err
	}
	if err := a.buildControl(mux, tokens); err != nil {
		return err
	}
	a.add("retention", a.retain)
	return a.listen(mux)
}

func (a *App) slackToken() string {
	if a.cfg.Slack.Channel == "" {
		return ""
	}
	return os.Getenv(a.cfg.Slack.TokenEnv)
}

func (a *App) add(name string, run func(context.Context) error) {
	a.modules = append(a.modules, module{name, run})
}

// owner is what the gate of an installation is fenced as.
const owner = "gate"

func (a *App) buildGate(ctx context.Context, notifier *notify.Notifier) error {
	epoch, err := a.parts.registry.Acquire(ctx, owner)
	if err != nil {
		return fmt.Errorf("become the gate: %w", err)
	}
	a.board = materialize.NewBoard(a.cfg.Kafka.Writes, a.parts.topics.Partitions)
	reader := tap.NewReader(a.tapConfig(), a.parts.log, a.parts.key)
	deps := materialize.Deps{
		Registry: a.parts.registry, Rows: a.parts.rows, Log: reader, Judge: newJudges(a.parts.catalog).Judge, Board: a.board,
		Definitions: a.parts.catalog.Definitions, HashKey: a.parts.key, Clock: a.parts.clock,
		Notify: tell(ctx, notifier), Owner: owner, Epoch: epoch, Logger: a.opts.Log, Registerer: a.metrics,
	}
	a.gate = materialize.New(materialize.DefaultConfig(), deps)
	a.add("board", follow(a.parts.log, a.board))
	a.add("gate", a.gate.Run)
	a.health.Add("board", a.board.Ready)
	a.actions = materialize.NewActions(deps, a.gate)
	return nil
}

// tell hands the gate's events to the notifier.
func tell(ctx context.Context, n *notify.Notifier) materialize.NotifyFunc {
	return func(e materialize.Event) {
		n.Notify(context.WithoutCancel(ctx), notify.Event{Kind: notify.Kind(e.Alert.Kind), View: e.Alert.View, Version: e.Alert.Version, Verdict: e.Alert.Verdict,
			Window: e.Window, Text: e.Alert.Text, Reasons: e.Reasons, ServedVersion: e.Served, Resolved: e.Resolved})
	}
}

func (a *App) tapConfig() tap.Config {
	cfg := tap.DefaultConfig()
	if a.opts.Tap != nil {
		cfg = *a.opts.Tap
	}
	cfg.Group = a.cfg.Kafka.Group
	return cfg
}

func (a *App) buildTap() error {
	c := a.parts.catalog
	t, err := tap.New(a.tapConfig(), a.parts.log, tap.Deps{
		Definitions: func() (*feature.Definitions, uint64) { return c.Definitions(), c.Generation() },
		Refresh:     c.Refresh, Versions: a.parts.registry, Rows: a.parts.rows, Layouts: c.Layout, HashKey: a.parts.key,
		Clock: a.parts.clock, Registerer: a.metrics, Logger: a.opts.Log,
	})
	if err != nil {
		return err
	}
	a.add("tap", t.Run)
	a.health.Add("tap", t.Ready)
	return nil
}

func (a *App) buildServing(mux *http.ServeMux, tokens *auth.Tokens) error {
	r := a.parts.registry
	s, err := serving.New(serving.DefaultConfig(), serving.Deps{
		Rows: a.parts.rows, Source: r, Version: r.Version, Push: appender{a.parts.log, a.parts.topics}.Push,
		Authorize: tokens.Authorize, Now: a.parts.clock.age, Registerer: a.metrics, Log: a.opts.Log,
	})
	if err != nil {
		return err
	}
	a.serving = s
	s.Register(mux)
	a.add("serving", s.Run)
	a.health.Add("serving", s.Ready)
	return nil
}

func (a *App) buildControl(mux *http.ServeMux, tokens *auth.Tokens) error {
	p := a.parts
	api, err := control.New(control.Deps{
		Registry: p.registry, Actions: a.actions, Board: a.board, Clock: p.clock, Log: appender{p.log, p.topics},
		DeadLetters: deadLetters(p.log), Verify: a.verify, History: a.history, CheckRules: a.checkRules, CheckView: checkView,
		Applied: a.applied, Learning: a.learning, Authorize: tokens.Authorize, DefaultTopic: a.cfg.Kafka.Writes,
		Target: a.opts.Target, Version: a.opts.Version, Checks: a.checks(), Logger: a.opts.Log,
	})
	if err != nil {
		return err
	}
	api.Register(mux)
	return nil
}

// applied makes what new definitions need before anybody is told that they are in
// force.
func (a *App) applied(ctx context.Context, defs *feature.Definitions) error {
	if err := a.parts.topics.Ensure(ctx, defs); err != nil {
		return err
	}
	return a.parts.catalog.Refresh(ctx)
}

// listen opens the listeners and adds what serves them.
func (a *App) listen(mux *http.ServeMux) error {
	var err error
	if a.http, err = net.Listen("tcp", a.cfg.Listen.HTTP); err != nil {
		return fmt.Errorf("listen.http: %w", err)
	}
	if a.grpc, err = net.Listen("tcp", a.cfg.Listen.GRPC); err != nil {
		return fmt.Errorf("listen.grpc: %w", err)
	}
	limits := serving.DefaultConfig()
	limits.MaxBody = control.MaxWrites // the reads have a lower limit of their own
	server := serving.NewHTTPServer(limits, mux)
	a.add("http", func(ctx context.Context) error { return serveHTTP(ctx, server, a.http) })
	a.add("grpc", func(ctx context.Context) error { return serveGRPC(ctx, a.serving.NewGRPC(), a.grpc) })
	if a.cfg.Listen.Admin == "" {
		return nil
	}
	if a.admin, err = net.Listen("tcp", a.cfg.Listen.Admin); err != nil {
		return fmt.Errorf("listen.admin: %w", err)
	}
	a.add("admin", func(ctx context.Context) error {
		return admin.Serve(ctx, a.admin, admin.Handler(a.health, a.metrics, a.opts.Log), drain)
	})
	return nil
}

// Addrs are where a process listens.
type Addrs struct {
	HTTP, GRPC string
	Kafka      []string
}

// Addrs returns where the process listens.
func (a *App) Addrs() Addrs {
	return Addrs{HTTP: a.http.Addr().String(), GRPC: a.grpc.Addr().String(), Kafka: a.parts.brokers}
}

// Run runs the modules until ctx ends, then closes everything. A module that
// returns before is a failure of the process.
func (a *App) Run(ctx context.Context) error {
	if a.opts.Out != nil {
		addrs := a.Addrs()
		if _, err := fmt.Fprintf(a.opts.Out, "sluice %s: http %s, grpc %s, kafka %v, data %s\n", a.opts.Target, addrs.HTTP, addrs.GRPC, addrs.Kafka, a.cfg.Data); err != nil {
			return errors.Join(fmt.Errorf("print addresses: %w", err), a.Close())
		}
	}
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
	a, err := New(ctx, cfg, opts)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// retention of history: whole profiles of base windows, then their summaries.
// Profiles that serve as baseline stay.
const (
	keepProfiles  = 2 * 24 * time.Hour
	keepSummaries = 90 * 24 * time.Hour
	retainEvery   = time.Minute
)

// retain removes history that no baseline needs, by the platform's clock.
func (a *App) retain(ctx context.Context) error {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, set := a.parts.clock.Now()
		if !set {
			continue
		}
		defs := a.parts.catalog.Definitions()
		for i := range defs.Views {
			if err := a.prune(ctx, &defs.Views[i], now); err != nil && ctx.Err() == nil {
				a.opts.Log.Warn("retention", "view", defs.Views[i].Name, "err", err)
			}
		}
	}
}

func (a *App) prune(ctx context.Context, view *feature.View, now time.Time) error {
	rows, err := a.parts.registry.History(ctx, view.ID, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	profiles := now.Add(-keepProfiles)
	if keep := len(rows) - view.Baseline.Windows; keep < len(rows) {
		oldest := rows[max(0, keep)].Window.End
		profiles = slices.MinFunc([]time.Time{profiles, oldest.Add(-time.Nanosecond)}, time.Time.Compare)
	}
	summaries := slices.MinFunc([]time.Time{profiles, now.Add(-keepSummaries)}, time.Time.Compare)
	_, _, err = a.parts.registry.Prune(ctx, view.ID, profiles, summaries)
	return err
}
