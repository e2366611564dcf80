package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
)

// chains measures the chains of all keys. Of the windows that were judged and are not
// certified no key has more than one record beside those that may be listed. At rest, when
// everything is swept, no key has more than one record up to the floor, and none of a dead
// version.
func (w *lane) chains(rest bool) {
	all, err := w.rows.Read(w.ctx, w.view.ID, w.keys, nil)
	if err != nil {
		w.fail("read chains: %v", err)
		return
	}
	const most = feature.MaxVisible + 1
	v, versions := w.vector(), w.versions()
	for i, chain := range all {
		below, seen, kept := 0, 0, 0
		for _, r := range chain {
			info := versions[r.Version-1]
			if r.Version <= v.Floor {
				below++
			} else if info.State == feature.StateVisible {
				seen++
			}
			if r.Version > v.Floor && !info.State.Dead() && info.Kind == feature.KindWindow && info.Step == feature.StepDecided {
				kept++
			}
			if rest && info.State.Dead() {
				w.fail("key %s has a row of version %d, which was to be swept: %+v, vector %+v", keyNames[i], r.Version, info, v)
			}
		}
		if kept > most {
			w.fail("key %s has %d records of judged windows above floor %d: %s; %+v; %s", keyNames[i], kept, v.Floor, chainText(chain), v, statesText(versions))
		}
		if w.longest = max(w.longest, len(chain)); seen > feature.MaxVisible || rest && below > 1 && w.memory().Unfolded == 0 {
			w.fail("key %s has %d records up to floor %d and %d visible ones above it", keyNames[i], below, v.Floor, seen)
		}
	}
}

// finish heals everything, closes every window, and checks that nothing is lost,
// doubled or stuck.
func (w *world) finish() {
	w.heal()
	for range 3 { // a frozen view is thawed, one that freezes itself as well
		for _, l := range w.lanes {
			l.carryOut(w.people, request{name: "thaw"}.of(l.view))
			l.close(w.frontier)
		}
		w.settle(5 * time.Second)
	}
	for _, l := range w.lanes {
		l.carryOut(w.people, request{name: "thaw"}.of(l.view))
	}
	w.settle(20 * time.Second)
	if slices.ContainsFunc(w.lanes, (*lane).cutShort) {
		w.settle(21 * time.Minute) // the gate takes it for cut short
		w.settle(20 * time.Second)
	}
	for _, l := range w.lanes {
		if w.failure() == "" {
			l.finished()
		}
	}
}

// cutShort reports whether an approval was not carried out.
func (w *lane) cutShort() bool {
	return slices.ContainsFunc(w.versions(), func(info feature.VersionInfo) bool {
		return info.Step == feature.StepOpen && info.Kind == feature.KindApproved
	})
}

// finished checks a view that is healed and whose windows are closed.
func (w *lane) finished() {
	w.chains(!slices.ContainsFunc(w.streams, func(s *stream) bool { return s.late }))
	v, versions := w.vector(), w.versions()
	for _, info := range versions {
		w.complete(info)
	}
	if shelf := w.memory().Shelf; !v.Frozen && len(v.Visible) < feature.MaxVisible && len(shelf) > 0 {
		w.fail("versions %v passed and rest in the log, and are not published", shelf)
	}
	if !v.Frozen && int(v.Floor) < len(versions) {
		w.unstuck(versions[v.Floor])
	}
}

// remembered is some of what the gate remembers of a view.
type remembered struct {
	Shelf    []feature.Version // whose rows rest in the log
	Unfolded feature.Version   // from which on nothing is folded
}

func (w *lane) memory() (memory remembered) {
	raw, err := w.ledger.Memory(w.ctx, w.view.ID)
	if err == nil && len(raw) > 0 {
		err = json.Unmarshal(raw, &memory)
	}
	if err != nil {
		w.fail("read the gate's memory: %v", err)
	}
	return memory
}

func (r request) of(view *feature.View) request {
	r.View, r.By, r.Reason = view, "alice", "the end"
	return r
}

func (w *world) heal() {
	w.full.Store(false)
	w.tap.set(false)
	w.tap.light(0, false, false)
	w.actor.set(false)
	w.actor.light(0, false, false)
	w.actor.intervene(nil)
	for _, n := range w.gates {
		n.set(false)
		n.light(0, false, false)
		n.intervene(nil)
	}
	for _, n := range w.servers {
		n.set(false)
		n.interrupt(nil)
	}
	w.bury()
	if !w.leads(w.gates[0]) && !w.leads(w.gates[1]) {
		w.lead(w.gates[0])
	}
}

func statesText(versions []feature.VersionInfo) (text string) {
	for _, info := range versions {
		text += fmt.Sprintf("%d %s %s %q, ", info.Version, info.Step, info.State, info.Reason)
	}
	return text
}

// complete holds a version against the log: every record of its window is in the
// store, or was swept with a version that is dead, and was counted once.
func (w *lane) complete(info feature.VersionInfo) {
	if info.Step == feature.StepOpen || info.Step == feature.StepSealed {
		w.fail("version %d of window %s is %s at the end", info.Version, info.Window.Start, info.Step)
		return
	}
	n := w.recordsOf(info)
	if info.Rows != n && !(info.Kind == feature.KindApproved && info.State.Dead()) {
		w.fail("version %d counts %d rows, and its window has %d records: %+v", info.Version, info.Rows, n, info)
	}
	kept := w.oracle.rows(info.Version)
	if lacks := w.lacking[info.Version] && info.State != feature.StateVisible; lacks && kept <= n {
		w.found(info)
	} else if kept != n && !(info.Kind == feature.KindApproved && info.State.Dead()) {
		w.fail("%d rows came to the store for version %d, and its window has %d records", kept, info.Version, n)
	}
	if info.Kind != feature.KindWindow {
		return
	}
	verdicts := 0
	for _, v := range w.ledger.verdicts {
		if v.view == w.view.ID && v.Kind == "window" && v.Version == info.Version {
			verdicts++
		}
	}
	if verdicts != 1 {
		w.fail("version %d has %d verdicts on its window", info.Version, verdicts)
	}
}

// found wants the rows of a version that a tap left out, and that passed, in another
// version, unless a person rejected it.
func (w *lane) found(info feature.VersionInfo) {
	if !w.oracle.shelf[info.Version] || slices.Contains(w.memory().Shelf, info.Version) {
		return
	}
	if w.rejected(info.Version) {
		return
	}
	for _, other := range w.versions() {
		if other.Kind == feature.KindApproved && slices.ContainsFunc(other.Parts(), func(p feature.Part) bool { return p.Window == info.Window }) {
			return
		}
	}
	w.fail("version %d passed, its rows were left out, and they are in no other: %+v; %s", info.Version, info, statesText(w.versions()))
}

// rejected reports whether a person rejected a version.
func (w *lane) rejected(version feature.Version) bool {
	return slices.ContainsFunc(w.ledger.audit, func(a feature.Audit) bool {
		return a.View == w.view.Name && a.Version == version && a.Action == "reject" && a.By != "gate"
	})
}

// unstuck wants the version above the floor to have a reason to wait.
func (w *lane) unstuck(first feature.VersionInfo) {
	p := w.view.Publish
	if first.State.Dead() || first.State == feature.StateVisible && first.JudgedSince >= p.ProbationWindows || first.State == feature.StateHeld && first.HeldFor > p.Hold {
		w.fail("the floor waits for version %d, which nothing moves: %+v", first.Version, first)
	}
}
