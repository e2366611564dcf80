package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	"sluice/feature"
	"sluice/internal/admin"
	"sluice/internal/auth"
	"sluice/internal/control"
	"sluice/internal/court"
	"sluice/materialize"
	"sluice/serving"
	"sluice/tap"
)

// runs reports whether this process runs the modules of a target.
func (a *App) runs(target string) bool { return a.opts.Target == "all" || a.opts.Target == target }

// build makes the modules of the target and opens the listeners.
func (a *App) build(ctx context.Context) error {
	tokens, err := auth.Load(a.cfg.Auth.TokensFile)
	if err != nil {
		return err
	}
	a.add("catalog", a.parts.catalog.Run)
	a.add("clock", a.parts.clock.Run)
	a.add("topics", a.parts.topics.Run)
	a.add("online stores", a.parts.rows.Run)
	a.room = newRoom(a.parts.rows, a.metrics)
	if a.runs("gate") || a.runs("serve") {
		if err := a.buildDecisions(ctx); err != nil {
			return err
		}
	}
	if a.runs("tap") {
		if err := a.buildTap(); err != nil {
			return err
		}
	}
	mux := http.NewServeMux()
	admin.Register(mux, a.health, a.metrics, a.opts.Log)
	if a.runs("serve") {
		if err := a.buildServing(mux, tokens); err != nil {
			return err
		}
	}
	if err := a.buildControl(mux, tokens); err != nil {
		return err
	}
	return a.listen(mux)
}

func (a *App) add(name string, run func(context.Context) error) {
	a.modules = append(a.modules, module{name, run})
}

// buildDecisions makes what decides by itself, in the gate, and for people, where
// the API is served; both see the windows that are not judged yet.
func (a *App) buildDecisions(ctx context.Context) error {
	a.board = materialize.NewBoard(a.cfg.Kafka.Writes, a.parts.topics.Partitions)
	a.add("board", follow(a.parts.log, a.board))
	a.health.Add("board", a.board.Ready)
	deps := materialize.Deps{
		Registry: a.parts.registry, Rows: a.parts.rows, Shards: a.parts.identity(a.cfg), Sweeps: &a.sweeps, Room: a.room.forVersion, Offline: a.room.offline, Log: tap.NewReader(a.tapConfig(), a.parts.log, a.parts.key, a.parts.registry),
		Dataset: datasets{a.parts.key}.read, Judge: court.New(a.parts.catalog.InForce).Judge, Board: a.board, Recount: a.parts.topics.Recount, Ends: a.parts.topics.Ends, Definitions: a.parts.catalog.Definitions, Readership: a.parts.registry.Readership, HashKey: a.parts.key,
		Clock: a.parts.clock, Owner: owner, Logger: a.opts.Log, Registerer: a.metrics,
	}
	a.tracer = newTracer(a)
	if !a.runs("gate") {
		a.actions = materialize.NewActions(deps, nil)
		return nil
	}
	a.gate = materialize.New(a.gateConfig(deps), deps)
	a.actions = materialize.NewActions(deps, a.gate)
	a.add("retention", a.retain)
	a.add("origins", newOriginator(a).Run)
	if a.opts.Target == "all" {
		return a.takeOver(ctx)
	}
	lookAfter, notifier := a.lookAfter(), a.notifier()
	e := newElection(a.parts.registry, a.gate, func(ctx context.Context) {
		var group sync.WaitGroup
		group.Go(func() { lookAfter(ctx) })
		group.Go(func() { tell(ctx, notifier, a.opts.Log) })
		group.Wait()
	}, a.opts.Log)
	a.add("gate", e.Run)
	return nil
}

// gateConfig lets the gate read rows of each window back where servers hold them. An
// embedded store is the process's own: it holds what it took, or the process died and
// the tap stages again from its checkpoint.
func (a *App) gateConfig(deps materialize.Deps) materialize.Config {
	cfg := materialize.DefaultConfig()
	cfg.DeadShare, cfg.DeadLeast = a.cfg.Gate.DeadShare, a.cfg.Gate.DeadLeast
	if deps.Shards == nil {
		cfg.AuditRows = 0
	}
	return cfg
}

func (a *App) slackToken() string {
	if a.cfg.Slack.Channel == "" {
		return ""
	}
	return os.Getenv(a.cfg.Slack.TokenEnv)
}

// takeOver makes the process the gate at once: nobody else can be, or the gate
// that was is to go.
func (a *App) takeOver(ctx context.Context) error {
	epoch, err := a.parts.registry.Acquire(ctx, owner)
	if err != nil {
		return fmt.Errorf("become the gate: %w", err)
	}
	a.gate.Lead(epoch)
	a.add("gate", a.gate.Run)
	a.add("notify", a.notifier().Run)
	beside := a.lookAfter()
	a.add("online stores' servers", func(ctx context.Context) error { beside(ctx); return nil })
	return nil
}

// lookAfter returns what the process of the gate does for the servers of the online stores:
// it has those replaced that are lost, and stages the rows again that they lose.
func (a *App) lookAfter() func(context.Context) {
	if !a.cfg.servers() {
		return a.parts.rows.Guard
	}
	r := newRefiller(a.parts, a.tapConfig(), a.opts.Log, &a.sweeps, a.metrics)
	return func(ctx context.Context) {
		var group sync.WaitGroup
		group.Go(func() { r.Run(ctx) })
		a.parts.rows.Guard(ctx)
		group.Wait()
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
		Definitions: c.InForce,
		Past:        a.parts.registry, Refresh: c.Refresh, Versions: a.parts.registry, Begun: begun{a.parts.registry, c, a.parts.topics}, Owners: a.parts.registry, Rows: a.parts.rows, Offline: a.room.offline, Layouts: c.Layout, HashKey: a.parts.key,
		Clock: a.parts.clock, ClockByHand: a.parts.clock.manual, CatchUp: a.parts.clock.catchUp(), Registerer: a.metrics, Logger: a.opts.Log,
	})
	if err != nil {
		return err
	}
	a.tap = t
	a.add("tap", t.Run)
	a.health.Add("tap", t.Ready)
	return nil
}

func (a *App) buildServing(mux *http.ServeMux, tokens *auth.Tokens) error {
	process := processName()
	r, sampler := a.parts.registry, a.buildSampler(process)
	cfg, err := a.cfg.Serve.serving()
	if err != nil {
		return err
	}
	cfg.Feast = serving.FeastConfig(a.cfg.Feast)
	s, err := serving.New(cfg, serving.Deps{
		Rows: a.parts.rows, Source: r, Version: r.Version, Push: appender{a.parts.log, a.parts.topics, a.room}.Push, Ahead: ahead{a.parts.clock, a.tapConfig().Ahead}.check,
		Exposed: a.exposed(process), Readers: a.buildReaders(process), Served: sampler.Take, Windows: fates{r, a.board, a.parts.topics.Ends}.Windows,
		Authorize: tokens.Authorize, Project: tokens.Project, Now: a.parts.clock.age, Leaving: a.leaving.ready, Registerer: a.metrics, Log: a.opts.Log,
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

// buildControl makes the control API where features are served; elsewhere only the
// clock can be asked for and moved.
func (a *App) buildControl(mux *http.ServeMux, tokens *auth.Tokens) error {
	p := a.parts
	if !a.runs("serve") {
		control.RegisterClock(mux, p.clock, tokens.Authorize, a.opts.Log)
		return nil
	}
	api, err := control.New(control.Deps{
		Registry: p.registry, Actions: a.actions, Board: a.board, Clock: p.clock, Log: appender{p.log, p.topics, a.room},
		Letters: letters{p.log}, Verify: a.verify, Statistics: a.statistics, History: a.history, CheckRules: a.checkRules, Backtest: a.backtest, CheckView: a.checkView,
		Trace:   a.tracer.Trace,
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
	if err := a.parts.catalog.Refresh(ctx); err != nil {
		return err
	}
	return a.serving.Refresh(ctx)
}

// listen opens the listeners and adds what serves them.
func (a *App) listen(mux *http.ServeMux) error {
	return errors.Join(a.listenHTTP(mux), a.listenGRPC(), a.listenAdmin())
}

func (a *App) listenAdmin() (err error) {
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
