package materialize

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"sluice/feature"
)

// byGate is who decided when no person did.
const byGate = "gate"

// Desk works out one decision: it is filled with a view's state, told what
// happened, and turned into the commit that makes it so. It does no I/O.
type Desk struct {
	view     *feature.View
	before   feature.Vector
	visible  []feature.Version
	floor    feature.Version
	dead     []feature.Version
	frozen   bool
	refuse   bool
	poison   string // why the source of the window at hand is not to be trusted; empty: it is
	versions map[feature.Version]*feature.VersionInfo
	memory   memory
	former   []byte // memory as it was
	open     []feature.Alert
	now      time.Time
	by       string

	touched  map[feature.Version]bool
	audit    []feature.Audit
	alerts   []feature.Alert
	resolved []feature.Alert      // open ones that end
	admit    []feature.HistoryRow // windows that a person admits to history
	expelled []feature.Version    // that leave history, if they are in it
}

// newDesk takes a view's state: its vector, its versions from the floor on, the
// gate's memory and the alerts that are open.
func newDesk(view *feature.View, vector feature.Vector, versions []feature.VersionInfo, m memory, open []feature.Alert, now time.Time) *Desk {
	d := &Desk{
		view: view, before: vector, visible: slices.Clone(vector.Visible), floor: vector.Floor,
		dead: slices.Clone(vector.Dead), frozen: vector.Frozen, refuse: vector.Refuse,
		versions: map[feature.Version]*feature.VersionInfo{}, memory: m, former: m.encode(), open: open, now: now, by: byGate,
		touched: map[feature.Version]bool{},
	}
	for _, info := range versions {
		d.versions[info.Version] = &info
	}
	return d
}

// put replaces what the desk knows of a version.
func (d *Desk) put(info feature.VersionInfo) { d.versions[info.Version] = &info }

// touch returns a version to change it.
func (d *Desk) touch(version feature.Version) *feature.VersionInfo {
	d.touched[version] = true
	return d.versions[version]
}

func (d *Desk) rising() []feature.Version {
	var all []feature.Version
	for version := range d.versions {
		all = append(all, version)
	}
	slices.Sort(all)
	return all
}

// listed reports whether readers see version by name.
func (d *Desk) listed(version feature.Version) bool { return slices.Contains(d.visible, version) }

// list makes a version visible.
func (d *Desk) list(version feature.Version) {
	info := d.touch(version)
	info.State = feature.StateVisible
	if info.PublishedAt.IsZero() {
		info.PublishedAt = d.now
	}
	if at, found := slices.BinarySearch(d.visible, version); !found && version > d.floor {
		d.visible = slices.Insert(d.visible, at, version)
	}
	d.refuse = false
}

// unlist takes a version out of what readers see.
func (d *Desk) unlist(version feature.Version) {
	d.visible = slices.DeleteFunc(d.visible, func(x feature.Version) bool { return x == version })
}

// end takes a version out for good, and out of history.
func (d *Desk) end(version feature.Version, state feature.State, reason string) *feature.VersionInfo {
	info := d.touch(version)
	info.State, info.DecidedBy, info.DecidedAt, info.Reason = state, d.by, d.now, reason
	d.unlist(version)
	d.memory.drop(version)
	d.expelled = append(d.expelled, version)
	return info
}

// served returns the end of the newest window that readers would see without some
// of the listed versions; zero if nothing was ever visible.
func (d *Desk) served(without []feature.Version) time.Time {
	newest := d.memory.Served
	for _, version := range d.visible {
		if info := d.versions[version]; info != nil && !slices.Contains(without, version) && info.Window.End.After(newest) {
			newest = info.Window.End
		}
	}
	return newest
}

func (d *Desk) note(action string, version feature.Version, reason string) {
	d.audit = append(d.audit, feature.Audit{At: d.now, By: d.by, Action: action, View: d.view.Name, Version: version, Reason: reason})
}

func (d *Desk) alert(kind string, version feature.Version, verdict, text string) {
	d.alerts = append(d.alerts, feature.Alert{At: d.now, Kind: kind, View: d.view.Name, Version: version, Verdict: verdict, Text: text})
}

// moment is an alert that is over as soon as it is told.
func (d *Desk) moment(kind string, version feature.Version, verdict, text string) {
	d.alert(kind, version, verdict, text)
	at := d.now
	d.alerts[len(d.alerts)-1].ResolvedAt = &at
}

// resolve ends the open alerts of the given kinds and reports whether there were
// any.
func (d *Desk) resolve(kinds ...string) bool {
	n := len(d.resolved)
	for _, a := range d.open {
		if slices.Contains(kinds, a.Kind) {
			d.resolved = append(d.resolved, a)
		}
	}
	return len(d.resolved) > n
}

// vector returns what readers will hold.
func (d *Desk) vector() feature.Vector {
	dead := slices.Clone(d.dead)
	slices.Sort(dead)
	return feature.Vector{Generation: d.before.Generation, Floor: d.floor, Visible: d.visible, Dead: slices.Compact(dead), Frozen: d.frozen, Refuse: d.refuse}
}

// Commit returns the decision as one transaction. It comes after Settle. Whatever
// changes the view's versions or the gate's memory raises the generation, so that
// two decisions taken from one state never both stand.
func (d *Desk) Commit() feature.Commit {
	next, memory := d.vector(), d.memory.encode()
	c := feature.Commit{View: d.view.ID, IfGeneration: d.before.Generation, Alerts: d.alerts, Notices: d.notices(), History: d.admit, Now: d.now}
	for _, a := range d.resolved {
		c.Resolve = append(c.Resolve, a.ID)
	}
	if !next.Equal(d.before) || len(d.touched) > 0 || !bytes.Equal(memory, d.former) {
		c.Vector, c.Memory = &next, memory
		if len(d.audit) == 0 {
			d.note("settle", 0, "nothing but the floor or a count moved")
		}
	}
	for _, version := range d.rising() {
		if d.touched[version] {
			c.Versions = append(c.Versions, *d.versions[version])
		}
	}
	before, after := mustJSON(d.before), mustJSON(next)
	for _, a := range d.audit {
		a.Before, a.After = before, after
		c.Audit = append(c.Audit, a)
	}
	return c
}

func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // nouns of numbers, strings and times only
	}
	return b
}
