package sim

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"sluice/feature"
	"sluice/materialize"
	"sluice/quality/sketch"
	"sluice/serving"
)

var (
	errCut  = errors.New("the line is cut")
	errDead = errors.New("the process is dead")
)

// line is how one process reaches the others. A fuse breaks it at the n-th call from
// now, or the first of a step, before or after that took effect, once or for good.
type line struct {
	w       *world
	mu      sync.Mutex
	cut     bool
	dead    bool
	fuse    int             // calls until it breaks; 0 is none
	step    string          // those of which alone count; empty: any
	after   bool            // the call that breaks it took effect
	deadly  bool            // the process dies of it
	hit     map[string]bool // steps that it was in the way of since it was cut
	between func()
	reading func()

	confirmed time.Time                 // when vectors were last asked for and given
	shown     map[feature.ViewID]uint64 // and of which generation that of each view was
}

// through makes a call on a line.
func through[T any](l *line, do func() (T, error)) (result T, err error) {
	return stepThrough(l, "", do)
}

// stepThrough makes a call that is of a step of a version's life.
func stepThrough[T any](l *line, step string, do func() (T, error)) (result T, err error) {
	l.mu.Lock()
	between := l.between
	l.between = nil
	broken := l.dead || l.cut
	counts := l.fuse > 0 && (l.step == "" || l.step == step)
	blown := !broken && counts && l.fuse == 1
	if counts {
		l.fuse--
	}
	after := l.after
	if blown && l.deadly {
		l.dead = true
	}
	l.mu.Unlock()
	if step != "" && (blown || broken && l.news(step)) {
		l.w.broke(step)
	}
	switch {
	case broken:
		return result, errCut
	case blown:
		if after {
			_, err = do()
		}
		return result, errors.Join(errDead, err)
	}
	if between != nil {
		between()
	}
	return do()
}

// news reports whether a step is the first time in the way of a line that is cut or dead:
// what is tried again and again is one fault.
func (l *line) news(step string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hit[step] {
		return false
	}
	if l.hit == nil {
		l.hit = map[string]bool{}
	}
	l.hit[step] = true
	return true
}

func (l *line) light(calls int, after, deadly bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fuse, l.step, l.after, l.deadly = calls, "", after, deadly
}

// only makes the fuse, which was lit, wait for the next call of a step.
func (l *line) only(step string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fuse, l.step = 1, step
}

// intervene makes fn happen within the next call.
func (l *line) intervene(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.between = fn
}

// interrupt makes fn happen within the next read of rows.
func (l *line) interrupt(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = fn
}

func (l *line) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.hit = cut, nil
}

func (l *line) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

// gave notes the vectors that a server was given; mu is held.
func (l *line) gave(asked time.Time, all map[feature.ViewID]feature.Vector) {
	l.confirmed, l.shown = asked, make(map[feature.ViewID]uint64, len(all))
	for view, v := range all {
		l.shown[view] = v.Generation
	}
}

// snapshot is when the vectors that a server has were confirmed, and the generation of
// each.
func (l *line) snapshot() (confirmed time.Time, shown map[feature.ViewID]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.confirmed, l.shown
}

// profiles is the model of the profiles topic: compacted, and followed by boards.
type profiles struct {
	mu         sync.Mutex
	partitions map[string]int // by topic
	progress   map[source]feature.Progress
	partials   map[source]map[int64]sketch.Partial
	gates      []*gateNode
}

// source is a partition of a topic of writes.
type source struct {
	topic     string
	partition int32
}

func (t *profiles) publish(p feature.Progress, partials []sketch.Partial) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := source{p.Topic, p.Partition}
	t.progress[of] = p
	if t.partials[of] == nil {
		t.partials[of] = map[int64]sketch.Partial{}
	}
	for _, x := range partials {
		t.partials[of][x.Window.Start.UnixNano()] = x
	}
	for _, g := range t.gates {
		g.board.Update(p, partials)
	}
}

func (t *profiles) forget(partials []sketch.Partial) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range partials {
		delete(t.partials[source{x.Topic, x.Partition}], x.Window.Start.UnixNano())
		for _, g := range t.gates {
			g.board.Forgotten(x.View, x.Window.Start, x.Topic, x.Partition)
		}
	}
}

// board returns one that has read the topic to its end.
func (t *profiles) board() *materialize.Board {
	b := materialize.NewBoard(writes, func(topic string) int { return t.partitions[topic] })
	for p, progress := range t.progress {
		var partials []sketch.Partial
		for _, x := range t.partials[p] {
			partials = append(partials, x)
		}
		b.Update(progress, partials)
	}
	b.CaughtUp()
	return b
}

// gateNode is a process with a gate, which leads, stands by, or believes to lead.
type gateNode struct {
	*line
	board   *materialize.Board
	gate    *materialize.Gate
	actions *materialize.Actions
	epoch   uint64
	stop    context.CancelFunc // nil: not running
	done    chan struct{}
}

func (w *world) deps(l *line, board *materialize.Board) materialize.Deps {
	return materialize.Deps{
		Registry: l.registry(), Rows: rowsPort{l}, Offline: w.offline, Log: logPort{l}, Judge: w.judge, Board: board, HashKey: hashKey, Clock: &w.clock,
		Definitions: func() *feature.Definitions { return w.defs }, Owner: "gate", Logger: w.logger(),
	}
}

// boot starts a gate's process anew, standing by.
func (w *world) boot(n *gateNode) {
	w.profiles.mu.Lock()
	defer w.profiles.mu.Unlock()
	n.line = &line{w: w}
	n.board = w.profiles.board()
	deps := w.deps(n.line, n.board)
	cfg := materialize.DefaultConfig()
	cfg.Sweep = 300 * time.Millisecond // only what the leases ask for keeps rows from being swept
	n.gate = materialize.New(cfg, deps)
	n.actions = materialize.NewActions(deps, n.gate)
}

// lead makes a gate the one in charge; others may not know yet.
func (w *world) lead(n *gateNode) {
	w.halt(n)
	if n.isDead() {
		w.boot(n)
	}
	epoch, err := w.ledger.Acquire(w.ctx, "gate")
	if err != nil {
		w.fail("acquire: %v", err)
		return
	}
	n.gate.Lead(epoch)
	n.epoch = epoch
	ctx, stop := context.WithCancel(w.ctx)
	n.stop, n.done = stop, make(chan struct{})
	go func(gate *materialize.Gate, done chan struct{}) {
		defer close(done)
		if err := gate.Run(ctx); err != nil && !errors.Is(err, feature.ErrFenced) {
			w.fail("gate ended with %v", err)
		}
	}(n.gate, n.done)
}

// halt ends a gate's run.
func (w *world) halt(n *gateNode) {
	if n.stop != nil {
		n.stop()
		<-n.done
		n.stop = nil
	}
}

// leads reports whether a gate runs that nobody has overtaken.
func (w *world) leads(n *gateNode) bool {
	if n.stop == nil || n.isDead() || n.epoch != w.ledger.epoch("gate") {
		return false
	}
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// serverNode is a process that answers reads.
type serverNode struct {
	*line
	server  *serving.Server
	handler http.Handler
	stop    context.CancelFunc
	done    chan struct{}
}

func (w *world) serve(n *serverNode) {
	if n.stop != nil {
		n.kill()
		n.stop()
		<-n.done
	}
	n.line = &line{w: w}
	source := n.registry()
	server, err := serving.New(serving.DefaultConfig(), serving.Deps{Rows: w.readRows(n.line), Source: source, Version: source.Version, Now: w.now})
	if err != nil {
		w.fail("server: %v", err)
		return
	}
	ctx, stop := context.WithCancel(w.ctx)
	n.server, n.handler, n.stop, n.done = server, server.HTTP(), stop, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		if err := server.Run(ctx); err != nil {
			w.fail("server ended with %v", err)
		}
	}(n.done)
}

func newProfiles() *profiles {
	return &profiles{partitions: map[string]int{}, progress: map[source]feature.Progress{}, partials: map[source]map[int64]sketch.Partial{}}
}
