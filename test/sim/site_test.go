package sim

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/feature"
	"sluice/materialize"
	"sluice/rules"
	"sluice/serving"
	"sluice/store/embedded"
	"sluice/store/registry"
	"sluice/tap"
)

const (
	cellWindows    = 9
	cellRows       = 30       // of a window
	cellKeys       = cellRows // each row is of a key of its own, so that none hides that another is lost
	cellPartitions = 2
	failing        = 3 // the window that is rejected
	holding        = 5 // the window that is held, and expires
)

// site is the data of a platform in one folder, with the parts that outlive the
// application: log, registry and row store, each behind a trap.
type site struct {
	dir      string
	trap     *trap
	bare     bool       // the gate reads no rows back, so that it cannot make good what the tap loses
	mu       sync.Mutex // of broker
	broker   *tap.Broker
	addr     string
	registry *registry.Registry
	rows     *embedded.Store
	view     *feature.View
	defs     *feature.Definitions
}

func openSite(ctx context.Context, dir string, t *trap) (s *site, err error) {
	s = &site{dir: dir, trap: t, addr: "127.0.0.1:0"}
	t.fail = s.fail
	if err = s.startBroker(); err != nil {
		return s, err
	}
	if s.registry, err = registry.OpenSQLite(ctx, filepath.Join(dir, "registry.db"), registry.Options{Sync: true}); err != nil {
		return s, err
	}
	if s.rows, err = embedded.Open(embedded.Options{Path: filepath.Join(dir, "rows"), Sync: true}); err != nil {
		return s, err
	}
	defs, generation, err := s.registry.Definitions(ctx)
	if err == nil && generation == 0 {
		view := feature.View{
			Project: "sim", Name: "payments", Entities: []feature.Entity{{Name: "id", Type: feature.String}},
			Features: []feature.Feature{{Name: "amount", Type: feature.Float64}},
			Window:   feature.WindowSpec{Size: windowSize},
			Publish:  feature.Publish{Mode: feature.Gated, ProbationWindows: 1, ProbationFail: 1, Hold: 1, OnStaleRollback: "serve"},
			Baseline: feature.Baseline{From: "trailing", Windows: 100},
		}
		defs, _, err = s.registry.SaveDefinitions(ctx, 0, feature.Definitions{Project: "sim", Entities: view.Entities, Views: []feature.View{view}}, feature.Audit{})
	}
	if err != nil {
		return s, err
	}
	s.defs, s.view = &defs, &defs.Views[0]
	return s, nil
}

func (s *site) startBroker() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker, err = tap.StartBroker(tap.BrokerConfig{Listen: s.addr, Data: filepath.Join(s.dir, "log"), SyncWrites: true})
	if err == nil {
		s.addr = s.broker.Addrs()[0]
	}
	return err
}

// fail is what a trap springs.
func (s *site) fail(part string) {
	switch part {
	case "app":
		die()
	case "log":
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = s.broker.Close()
		time.AfterFunc(outage, func() {
			if err := s.startBroker(); err != nil {
				panic(err)
			}
		})
	}
}

func (s *site) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, c := range []io.Closer{s.registry, s.rows} {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, s.broker.Close())...)
}

// run runs the application until the plan is carried out; a module that gives up
// ends it, and it is started again, as whoever supervises a process does.
func (s *site) run(ctx context.Context, done func(*platform) error) error {
	for {
		p := &platform{site: s}
		err := p.run(ctx, done)
		if err == nil || errors.Is(err, errWrong) || ctx.Err() != nil {
			return err
		}
	}
}

var errWrong = errors.New("wrong")

// platform is one start of the application.
type platform struct {
	*site
	log    *tap.Log
	server *serving.Server
	board  *materialize.Board
}

func (p *platform) run(ctx context.Context, done func(*platform) error) (err error) {
	topics := tap.DefaultTopics()
	topics.Partitions = cellPartitions
	p.mu.Lock()
	addr := p.addr
	p.mu.Unlock()
	if p.log, err = tap.NewLog(tap.LogConfig{Brokers: []string{addr}, Topics: topics}); err != nil {
		return err
	}
	defer p.log.Close()
	if err := p.log.EnsureTopics(ctx); err != nil {
		return err
	}
	t, gate, err := p.build(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{t.Run, gate.Run, p.server.Run, p.follow} {
		group.Go(func() error { return run(ctx) })
	}
	group.Go(func() error { return p.watch(ctx) })
	group.Go(func() error {
		err := done(p)
		stop()
		return err
	})
	return group.Wait()
}

func (p *platform) build(ctx context.Context) (*tap.Tap, *materialize.Gate, error) {
	logger := slog.New(slog.DiscardHandler)
	registry, clock := trappedRegistry{p.trap, p.registry}, &manual{now: day0.Add(cellWindows * windowSize)}
	epoch, err := p.registry.Acquire(ctx, "gate")
	if err != nil {
		return nil, nil, err
	}
	cfg := tap.DefaultConfig()
	cfg.Checkpoint, cfg.Poll = 20*time.Millisecond, 5*time.Millisecond // rows are staged at checkpoints alone
	t, err := tap.New(cfg, p.log, tap.Deps{
		Definitions: func() (*feature.Definitions, uint64) { return p.defs, 1 }, Versions: registry, Rows: trappedRows{p.trap, p.rows, ""},
		HashKey: hashKey, Clock: clock, Logger: logger,
	})
	if err != nil {
		return nil, nil, err
	}
	p.board = materialize.NewBoard(topics(), func(string) int { return cellPartitions })
	gcfg := materialize.DefaultConfig()
	gcfg.Retry, gcfg.Sweep = 50*time.Millisecond, 100*time.Millisecond
	if p.bare {
		gcfg.AuditRows = 0
	}
	gate := materialize.New(gcfg, materialize.Deps{
		Registry: registry, Rows: trappedRows{p.trap, p.rows, "audit"}, Log: tap.NewReader(cfg, p.log, hashKey), Judge: p.judge, Board: p.board,
		Definitions: func() *feature.Definitions { return p.defs }, HashKey: hashKey, Clock: clock, Owner: "gate", Epoch: epoch, Logger: logger,
	})
	p.server, err = serving.New(serving.DefaultConfig(), serving.Deps{Rows: trappedRows{p.trap, p.rows, ""}, Source: registry})
	return t, gate, err
}

func topics() string { return tap.DefaultTopics().Writes }

// judge passes every window but two.
func (p *platform) judge(e materialize.Evidence) (materialize.Opinion, error) {
	state := rules.Pass
	if e.Kind == "window" {
		switch {
		case e.Window.Start.Equal(cellWindow(failing).Start):
			state = rules.Fail
		case e.Window.Start.Equal(cellWindow(holding).Start):
			state = rules.Inconclusive
		}
	}
	return at(p.trap, "audit", "", func() (materialize.Opinion, error) {
		v := rules.Verdict{State: state, Reasons: []rules.Reason{{Method: "sim", Text: "it is " + string(state)}}}
		return materialize.Opinion{Verdict: v, Alarms: e.Alarms, Spread: e.Spread}, nil
	})
}

func cellWindow(n int) feature.Window {
	return feature.WindowSpec{Size: windowSize}.Starting(day0.Add(time.Duration(n) * windowSize))
}

func (p *platform) follow(ctx context.Context) error {
	caught := false
	return p.log.Follow(ctx, func(u tap.Update) error {
		for _, w := range u.Tombstones {
			p.board.Forgotten(w.View, time.Unix(0, w.Start), w.Topic, w.Partition)
		}
		if u.Progress != nil {
			p.board.Update(*u.Progress, u.Partials)
		}
		if u.Caught && !caught {
			caught = true
			p.board.CaughtUp()
		}
		return nil
	})
}
