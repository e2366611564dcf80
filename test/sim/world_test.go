package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"sluice/feature"
	"sluice/materialize"
	"sluice/rules"
	"sluice/serving"
)

// store is a row store: of package memory, or of package embedded.
type store interface {
	materialize.Rows
	serving.Rows
}

// world is one history's platform.
type world struct {
	ctx      context.Context
	seed     uint64
	ledger   *ledger
	rows     store
	lanes    []*lane
	profiles *profiles
	gates    []*gateNode
	servers  []*serverNode
	tap      *tapPort
	actor    *line // of a process that has no gate
	people   *materialize.Actions
	clock    manual
	defs     *feature.Definitions
	keys     []feature.Key

	lease, grace time.Duration
	full         atomic.Bool // the row store is nearly full: taps leave rows out
	frontier     int         // the newest window that is written to
	written      int
	turn         int // whose server is read from
	reads        int
	missed       int // answers past the lease that lack a row
	returns      int // rows behind a deletion that was folded away
	expired      int // rows that are past their expiry
	longest      int // chain
	loaded       counts

	mu     sync.Mutex
	failed string
	breaks map[string]int // times that a line did not carry a call, or not whole, by step
}

// broke notes that a step did not get through, or its answer did not.
func (w *world) broke(step string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.breaks == nil {
		w.breaks = map[string]int{}
	}
	w.breaks[step]++
}

// manual is the platform's clock, set by hand.
type manual struct {
	mu  sync.Mutex
	now time.Time
}

func (c *manual) Now() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, true
}

// reach moves the clock forward to at.
func (c *manual) reach(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.now) {
		c.now = at
	}
}

// tapPort is what the tap's process reaches.
type tapPort struct {
	registryPort
	rows rowsPort
}

func (t *tapPort) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	return t.rows.Stage(ctx, view, version, rows)
}

var day0 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const windowSize = 10 * time.Minute

// newWorld draws a platform.
func newWorld(ctx context.Context, seed uint64, rows store) *world {
	limits := serving.DefaultConfig()
	w := &world{ctx: ctx, seed: seed, ledger: newLedger(), rows: rows, profiles: newProfiles(), clock: manual{now: day0}, lease: limits.Lease, grace: limits.Grace}
	w.draw()
	var views []feature.View
	for _, l := range w.lanes {
		views = append(views, *l.view)
	}
	defs, _, err := w.ledger.SaveDefinitions(ctx, 0, feature.Definitions{Project: "sim", Entities: views[0].Entities, Views: views}, feature.Audit{})
	if err != nil {
		panic(err) // a fresh ledger takes any definitions
	}
	w.defs = &defs
	for i, l := range w.lanes {
		l.view = &defs.Views[i]
	}
	w.ledger.watch = w.see
	for _, name := range keyNames {
		key, err := feature.NewKey(w.lanes[0].view, []feature.Value{feature.StringValue(name)})
		if err != nil {
			panic(err) // one string for one entity
		}
		w.keys = append(w.keys, key)
	}
	w.arrange()
	w.start()
	return w
}

func drawView(name string, rng *rand.Rand) feature.View {
	v := feature.View{
		Project: "sim", Name: name, Entities: []feature.Entity{{Name: "id", Type: feature.String}},
		Features: []feature.Feature{{Name: "amount", Type: feature.Float64}},
		Window:   feature.WindowSpec{Size: windowSize, Lateness: time.Duration(rng.IntN(2)) * windowSize / 2},
		Publish: feature.Publish{
			Mode: feature.Gated, ProbationWindows: 1 + rng.IntN(3), Hold: 1 + rng.IntN(3), MaxRollbacksPerHour: rng.IntN(4),
			OnStaleRollback: []string{"serve", "freeze", "refuse"}[rng.IntN(3)],
		},
		Baseline: feature.Baseline{From: "trailing", Windows: 100},
	}
	v.Publish.ProbationFail = 1 + rng.IntN(v.Publish.ProbationWindows)
	if rng.IntN(4) == 0 {
		v.Publish.Mode = feature.Optimistic
	}
	if rng.IntN(3) == 0 {
		v.Freshness = feature.Freshness{Warn: 3 * windowSize, Page: 5 * windowSize, Critical: 7 * windowSize}
	}
	return v
}

var errNearlyFull = errors.New("the row store is nearly full")

// offline is what a process hears of how full the row store is.
func (w *world) offline(*feature.View) error {
	if w.full.Load() {
		return errNearlyFull
	}
	return nil
}

// start starts every process.
func (w *world) start() {
	tap := &line{w: w}
	w.tap = &tapPort{tap.registry(), rowsPort{tap}}
	for range 2 {
		n := &gateNode{}
		w.boot(n)
		w.profiles.gates, w.gates = append(w.profiles.gates, n), append(w.gates, n)
		s := &serverNode{}
		w.serve(s)
		w.servers = append(w.servers, s)
	}
	w.restartActor()
	w.lead(w.gates[0])
	synctest.Wait()
}

func (w *world) restartActor() {
	w.actor = &line{w: w}
	w.people = materialize.NewActions(w.deps(w.actor, w.profiles.board()), nil)
}

func (w *world) stop() {
	for _, n := range w.gates {
		w.halt(n)
	}
	for _, n := range w.servers {
		n.stop()
		<-n.done
	}
}

// fail notes the first thing that is wrong.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == "" {
		w.failed = fmt.Sprintf(format, args...)
	}
}

func (w *world) failure() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// judge is a pure function of the versions it judges and the history's seed.
func (w *world) judge(e materialize.Evidence) (materialize.Opinion, error) {
	h := fnv.New64a()
	fmt.Fprint(h, w.seed, e.Kind, e.Versions)
	if e.View.ID > 1 {
		fmt.Fprint(h, e.View.Name)
	}
	states := []rules.State{rules.Pass, rules.Pass, rules.Pass, rules.Warn, rules.Fail, rules.Fail, rules.Inconclusive, rules.Error}
	state := states[h.Sum64()%uint64(len(states))]
	v := rules.Verdict{State: state, Reasons: []rules.Reason{{Method: "sim", Text: "it is " + string(state)}}}
	v.TooFew = state == rules.Inconclusive && h.Sum64()>>32%2 == 0
	if e.Kind == "window" {
		o := w.of(e.View.ID).oracle
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, version := range e.Versions {
			o.judged[version] = append(o.judged[version], string(state))
		}
	}
	return materialize.Opinion{Verdict: v, Alarms: e.Alarms, Spread: e.Spread}, nil
}

func (w *lane) versionAt(start time.Time) feature.VersionInfo {
	info, err := w.ledger.VersionOf(w.ctx, w.view.ID, start)
	if err != nil && !errors.Is(err, feature.ErrNotFound) {
		w.fail("version at %s: %v", start, err)
	}
	return info
}

func (w *lane) versions() []feature.VersionInfo {
	all, err := w.ledger.Versions(w.ctx, w.view.ID, 0, 0)
	if err != nil {
		w.fail("versions: %v", err)
	}
	return all
}

func (w *lane) vector() feature.Vector {
	v, err := w.ledger.Vector(w.ctx, w.view.ID)
	if err != nil {
		w.fail("vector: %v", err)
	}
	return v
}

// logger is where the platform's lines go: nowhere, unless the test is told to show
// them.
func (w *world) logger() *slog.Logger {
	if *showLog {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}
