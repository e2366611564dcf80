package sim

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing/synctest"
	"time"

	"sluice/feature"
	"sluice/materialize"
)

// step carries out one operation, lets everything come to rest, and checks.
func (w *world) step(o op) {
	rng := rand.New(rand.NewPCG(w.seed, o.n))
	w.do(o.kind, w.lanes[o.n%uint64(len(w.lanes))], rng)
	w.settle(time.Duration(rng.IntN(700)) * time.Millisecond)
}

// settle lets time pass; processes that died meanwhile are gone.
func (w *world) settle(d time.Duration) {
	synctest.Wait()
	w.bury()
	time.Sleep(d)
	synctest.Wait()
	w.bury()
	w.turn++
	w.check(w.servers[w.turn%len(w.servers)], w.asked()...)
	for _, l := range w.lanes {
		l.chains(false)
	}
}

// bury ends the runs of processes whose line died.
func (w *world) bury() {
	for _, n := range w.gates {
		if n.isDead() {
			w.halt(n)
		}
	}
	if w.actor.isDead() {
		w.restartActor()
	}
}

func (w *world) do(kind string, l *lane, rng *rand.Rand) {
	s := l.streams[rng.IntN(len(l.streams))]
	g := w.gates[rng.IntN(len(w.gates))]
	n := w.servers[rng.IntN(len(w.servers))]
	switch kind {
	case "write":
		l.write(rng)
	case "read":
		s.read(1 + rng.IntN(8))
	case "checkpoint":
		s.checkpoint()
	case "close":
		l.close(w.frontier)
	case "wait":
		time.Sleep(time.Duration(rng.IntN(8000)) * time.Millisecond)
	case "rest":
		s.rest()
	case "act":
		l.act(rng)
	case "act between":
		action := l.choose(rng)
		g.intervene(func() { l.carryOut(w.people, action) })
	case "read across":
		l.readAcross(n, rng)
	case "replay":
		l.replay(s, rng)
	case "tap dies", "tap sleeps":
		s.restart(kind == "tap sleeps")
	case "tap line breaks":
		w.tap.light(1+rng.IntN(6), rng.IntN(2) == 0, false)
	case "zombie stages":
		l.zombie(s)
	default:
		w.fault(kind, g, n, rng)
	}
}

// seldom are steps that take few of a gate's calls, each as often as a line breaks there.
var seldom = []string{"seal", "audit", "decide", "certify", "certify", "certify"}

// fault is what happens to the processes of gates and servers.
func (w *world) fault(kind string, g *gateNode, n *serverNode, rng *rand.Rand) {
	switch kind {
	case "gate dies":
		g.kill()
	case "gate line breaks":
		calls := 1 + rng.IntN(25)
		g.light(calls, rng.IntN(2) == 0, rng.IntN(3) > 0)
		if calls <= len(seldom) {
			g.only(seldom[calls-1])
		}
	case "gate line is cut":
		g.set(true)
	case "gate starts":
		for _, g := range w.gates {
			g.set(false)
		}
		if !w.leads(w.gates[0]) && !w.leads(w.gates[1]) {
			w.lead(g)
		}
	case "take over":
		w.lead(g)
	case "server is cut":
		n.set(true)
	case "server is back":
		for _, n := range w.servers {
			n.set(false)
		}
	case "server starts":
		w.serve(n)
	case "actor line breaks":
		w.actor.light(1+rng.IntN(12), rng.IntN(2) == 0, rng.IntN(2) == 0)
	case "store is nearly full", "store has room":
		w.full.Store(kind == "store is nearly full")
	case "power fails":
		for _, l := range w.lanes {
			for _, s := range l.streams {
				s.restart(false)
			}
		}
		for i := range w.gates {
			w.gates[i].kill()
			w.serve(w.servers[i])
		}
		w.restartActor()
	}
}

// write appends records about the newest window, and some about older ones.
func (w *lane) write(rng *rand.Rand) {
	if rng.IntN(3) == 0 {
		w.frontier++
		if w.grouped() && rng.IntN(4) == 0 {
			w.frontier += rng.IntN(30) // nobody writes for hours, and rows expire
		}
		w.reach(day0.Add(time.Duration(w.frontier) * windowSize))
	}
	for range 1 + rng.IntN(6) {
		i := rng.IntN(len(w.keys))
		window := max(0, w.frontier-[]int{0, 0, 0, 0, 1, 1, 2, 5}[rng.IntN(8)])
		at := day0.Add(time.Duration(window)*windowSize + time.Duration(rng.IntN(10))*time.Minute)
		w.written++
		e := &entry{at: at, write: feature.Write{View: w.view, Key: w.keys[i], EventTime: at, Values: []feature.Value{feature.Float64Value(float64(w.written))}}}
		if w.deletes && rng.IntN(6) == 0 {
			e.write.Delete, e.write.Values = true, nil
		}
		w.streams[i%len(w.streams)].append(e)
	}
}

// close writes a watermark at the end of a window to every partition, and lets them
// be read and saved.
func (w *lane) close(n int) {
	at := day0.Add(time.Duration(n+1)*windowSize + w.view.Window.Lateness)
	for _, s := range w.streams {
		s.append(&entry{mark: true, at: at})
		s.read(len(s.log))
		s.checkpoint()
	}
	w.frontier = max(w.frontier, n+1)
}

// request is what a person asks for.
type request struct {
	name string
	materialize.Action
}

var actionNames = []string{"approve", "approve", "approve", "reject", "rollback", "rollback", "rollback", "freeze", "thaw", "thaw", "thaw"}

func (w *lane) choose(rng *rand.Rand) request {
	name := actionNames[rng.IntN(len(actionNames))]
	versions := w.versions()
	var some []feature.Version
	for _, info := range versions {
		fits := map[string]bool{"approve": info.State.Dead() || info.State == feature.StateHeld, "reject": info.State == feature.StateHeld, "rollback": info.State == feature.StateVisible}
		if fits[name] {
			some = append(some, info.Version)
		}
	}
	version := feature.Version(rng.IntN(len(versions) + 2)) // any, or one that is not there
	if len(some) > 0 && rng.IntN(5) > 0 {
		version = some[len(some)-1-rng.IntN(min(3, len(some)))]
	}
	return request{name, materialize.Action{View: w.view, Version: version, By: "alice", Reason: "because", AsNormal: rng.IntN(4) == 0}}
}

// act lets a person ask, through a gate's process or another.
func (w *lane) act(rng *rand.Rand) {
	through := w.people
	if g := w.gates[rng.IntN(2)]; rng.IntN(2) == 0 && !g.isDead() {
		through = g.actions
	}
	w.carryOut(through, w.choose(rng))
}

func (w *lane) carryOut(a *materialize.Actions, r request) {
	w.oracle.mu.Lock()
	before := w.oracle.last
	w.oracle.mu.Unlock()
	first, err := a.Act(w.ctx, r.name, r.Action)
	if !w.known(err) {
		w.fail("%s of version %d: %v", r.name, r.Version, err)
	}
	if err != nil || r.name != "rollback" || first.Generation > before.generation+1 {
		return // or somebody else acted meanwhile
	}
	w.oracle.mu.Lock()
	after := w.oracle.last
	w.oracle.mu.Unlock()
	if first.Audit == "" {
		return // it was out already, and what changed is somebody else's
	}
	if slices.Contains(after.visible, r.Version) {
		w.fail("version %d is visible after its rollback: %v", r.Version, after.visible)
	}
	for _, version := range before.visible {
		if version != r.Version && !slices.Contains(after.visible, version) {
			w.fail("the rollback of version %d took out version %d as well: before %+v, answer %+v, after %+v; %s", r.Version, version, before, first, after, statesText(w.versions()))
		}
	}
	again, err := a.Act(w.ctx, r.name, r.Action)
	if err == nil && (again.Generation != first.Generation || !slices.Equal(again.Visible, first.Visible)) {
		w.fail("the rollback of version %d, asked for twice, gave %+v and then %+v", r.Version, first, again)
	}
}

// known reports whether an action may end so: with a code of the contract, or
// because its line broke.
func (w *world) known(err error) bool {
	var coded *feature.Error
	return err == nil || errors.As(err, &coded) || errors.Is(err, errDead) || errors.Is(err, errCut)
}

// readAcross changes what is visible while a read is under way: its answer is of one
// generation of each view all the same, and those are of one look at the registry.
func (w *lane) readAcross(n *serverNode, rng *rand.Rand) {
	if confirmed, _ := n.snapshot(); time.Since(confirmed) > w.lease {
		return
	}
	r := w.choose(rng)
	n.interrupt(func() {
		w.carryOut(w.people, r)
		if err := n.server.Refresh(w.ctx); err != nil && !errors.Is(err, errCut) && !errors.Is(err, errDead) {
			w.fail("refresh: %v", err)
		}
	})
	w.check(n, w.lanes...)
}

// replay stages a suffix of a partition's records again, where they were: into
// versions above the floor, or any that no key was deleted from.
func (w *lane) replay(s *stream, rng *rand.Rand) {
	if s.state.next == 0 {
		return
	}
	s.late = true
	for i := rng.IntN(s.state.next); i < s.state.next; i++ {
		if e := s.log[i]; e.placed {
			w.stageAgain(w.versionAt(e.start), s.rows(0, []int{i}))
		}
	}
}

// zombie lets a paused process stage what it had, long after its partition has
// another owner.
func (w *lane) zombie(s *stream) {
	for _, late := range s.zombie {
		info, err := w.ledger.Version(w.ctx, w.view.ID, late.version)
		if err != nil {
			w.fail("version %d of a zombie: %v", late.version, err)
			return
		}
		w.stageAgain(info, late.rows)
	}
	s.late, s.zombie = s.late || len(s.zombie) > 0, nil
}

// stageAgain stages rows that were staged before, or will be. Package embedded says
// what callers must keep: a deletion that was folded away hides no earlier row.
func (w *lane) stageAgain(info feature.VersionInfo, rows []feature.Row) {
	if info.Version == 0 || w.deletes && info.Version <= w.vector().Floor {
		return
	}
	for i := range rows {
		rows[i].Record.Version = info.Version
	}
	if _, err := w.tap.Stage(w.ctx, w.view.ID, info.Version, rows); err != nil && !errors.Is(err, errDead) {
		w.fail("stage again: %v", err)
	}
}
