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
	cellRows       = 30       // of a window of a view
	cellKeys       = cellRows // each row is of a key of its own, so that none hides that another is lost
	cellPartitions = 2
)

// cellPlan is what is to become of a view's windows.
type cellPlan struct {
	name    string
	failing int     // the window that is rejected
	holding int     // the window that is held, and expires
	above   float64 // what its amounts are above, so that they are no other view's
}

// cellPlans are the view of a cell, and the one beside it in a group.
var cellPlans = []cellPlan{{"payments", 3, 5, 0}, {"devices", 4, 2, 1e6}}

// cellView is a view with its plan.
type cellView struct {
	*feature.View
	cellPlan
}

// cellRowStore is the row store of a site, and how the application reaches it.
type cellRowStore interface {
	// behind is the store behind a trap; audit is the step of a read, or empty.
	behind(t *trap, audit string) materialize.Rows
	shards(t *trap) materialize.ShardsFunc // nil if it is no server
	Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error)
	io.Closer
}

// openGroup opens the row store of a site whose views are in a group, from a text that
// names it. Stores on disk have no groups: tests with real services set it.
var openGroup func(ctx context.Context, where string, views []cellView) (cellRowStore, error)

// diskRows is the row store of a site on disk.
type diskRows struct{ *embedded.Store }

func (d diskRows) behind(t *trap, audit string) materialize.Rows {
	return trappedRows{t, d.Store, audit}
}

func (d diskRows) shards(*trap) materialize.ShardsFunc { return nil }

// site is the data of a platform in one folder, with the parts that outlive the
// application: log, registry and row store, each behind a trap.
type site struct {
	dir      string
	trap     *trap
	deaths   int        // how often a process of the site was killed
	bare     bool       // the gate reads no rows back, so that it cannot make good what the tap loses
	mu       sync.Mutex // of broker
	broker   *tap.Broker
	addr     string
	registry *registry.Registry
	rows     cellRowStore
	views    []cellView
	defs     *feature.Definitions
}

// openSite opens what is in a folder; where names the store of views that are in a group,
// and is empty for one view, whose rows are in the folder.
func openSite(ctx context.Context, dir, where string, t *trap) (s *site, err error) {
	s = &site{dir: dir, trap: t, addr: "127.0.0.1:0"}
	t.fail = s.fail
	if err = s.startBroker(); err != nil {
		return s, err
	}
	if s.registry, err = registry.OpenSQLite(ctx, filepath.Join(dir, "registry.db"), registry.Options{Sync: true}); err != nil {
		return s, err
	}
	defs, generation, err := s.registry.Definitions(ctx)
	if err == nil && generation == 0 {
		defs, _, err = s.registry.SaveDefinitions(ctx, 0, cellDefinitions(where != ""), feature.Audit{})
	}
	if err != nil {
		return s, err
	}
	s.defs = &defs
	for i := range defs.Views {
		s.views = append(s.views, cellView{&defs.Views[i], cellPlans[i]})
	}
	if where != "" {
		s.rows, err = openGroup(ctx, where, s.views)
		return s, err
	}
	disk, err := embedded.Open(embedded.Options{Path: filepath.Join(dir, "rows"), Sync: true})
	s.rows = diskRows{disk}
	return s, err
}

func cellDefinitions(group bool) feature.Definitions {
	defs := feature.Definitions{Project: "sim", Entities: []feature.Entity{{Name: "id", Type: feature.String}}}
	for _, plan := range cellPlans {
		view := feature.View{
			Project: "sim", Name: plan.name, Entities: defs.Entities,
			Features: []feature.Feature{{Name: "amount", Type: feature.Float64}},
			Window:   feature.WindowSpec{Size: windowSize},
			Publish:  feature.Publish{Mode: feature.Gated, ProbationWindows: 1, ProbationFail: 1, Hold: 1, OnStaleRollback: "serve"},
			Baseline: feature.Baseline{From: "trailing", Windows: 100},
		}
		if !group {
			return feature.Definitions{Project: defs.Project, Entities: defs.Entities, Views: []feature.View{view}}
		}
		view.Group = groupName
		defs.Views = append(defs.Views, view)
	}
	return defs
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
	for _, run := range []func(context.Context) error{t.Run, gate.Run, p.server.Run, p.follow, p.tell} {
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
		Definitions: func() (*feature.Definitions, uint64) { return p.defs, 1 }, Versions: registry, Begun: p.registry, Owners: p.registry, Rows: p.rows.behind(p.trap, ""),
		HashKey: hashKey, Clock: clock, Logger: logger,
	})
	if err != nil {
		return nil, nil, err
	}
	p.board = materialize.NewBoard(topics(), func(string) int { return cellPartitions })
	gcfg := materialize.DefaultConfig()
	gcfg.Retry, gcfg.Sweep = 50*time.Millisecond, 100*time.Millisecond
	shards := p.rows.shards(p.trap)
	if p.bare {
		gcfg.AuditRows, shards = 0, nil
	}
	gate := materialize.New(gcfg, materialize.Deps{
		Registry: registry, Rows: p.rows.behind(p.trap, "audit"), Shards: shards, Log: tap.NewReader(cfg, p.log, hashKey, p.registry), Judge: p.judge, Board: p.board,
		Definitions: func() *feature.Definitions { return p.defs }, HashKey: hashKey, Clock: clock, Owner: "gate", Epoch: epoch, Logger: logger,
	})
	p.server, err = serving.New(serving.DefaultConfig(), serving.Deps{Rows: p.rows.behind(p.trap, ""), Source: registry})
	return t, gate, err
}

func topics() string { return tap.DefaultTopics().Writes }

// judge passes every window of a view but two.
func (p *platform) judge(e materialize.Evidence) (materialize.Opinion, error) {
	state := rules.Pass
	if plan := p.views[e.View.ID-1].cellPlan; e.Kind == "window" {
		switch {
		case e.Window.Start.Equal(cellWindow(plan.failing).Start):
			state = rules.Fail
		case e.Window.Start.Equal(cellWindow(plan.holding).Start):
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
