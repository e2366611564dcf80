package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// While an online store is nearly full taps leave rows of the stream out of it and say so
// in the profiles of the windows. Such a window is judged as all are: the verdict needs no
// rows. Its version must not show, since some of its rows are in the log alone. If there is
// room when it is judged, and they are not too many, it gets them then, and is one like
// others. Else, if it passes, it goes on the shelf: it is dead, later windows are judged,
// and once there is room its rows are published from the log. One that is held stays so; it
// goes on the shelf when it would be published, and a person who approves it has its rows
// staged first.

// The reasons of versions on the shelf some of whose rows were left out.
const (
	restsOffline  = "rests in the log: its online store is nearly full, and its rows are published once there is room"
	passedOffline = passedPrefix + restsOffline
)

// lacksRows is added to the reason of a version that is held.
const lacksRows = "; some of its rows are in the log alone, since its online store was nearly full"

// anyOffline reports whether taps left rows of a window out of the online store.
func anyOffline(partials []sketch.Partial) bool {
	return slices.ContainsFunc(partials, func(p sketch.Partial) bool { return p.Offline })
}

// online reports whether the online store of a view takes rows that taps left out.
func (d *Deps) online(view *feature.View) bool { return d.Offline == nil || d.Offline(view) == nil }

// completeRows is how many rows a window may have that gets them when it is judged: other
// views wait meanwhile. What has more gets them beside that, from the shelf.
const completeRows = 100_000

// complete stages the rows that taps left out of a version's window, and reads all of them
// back; while there is no room, if they are many, or if the log no longer holds them, the
// version stays as it is.
func (g *Gate) complete(ctx context.Context, c *candidate) error {
	view := c.desk.view
	if c.broken != nil || c.info.Rows > completeRows || !g.deps.online(view) {
		return nil
	}
	a := &auditing{gate: g, candidate: c, has: holds}
	switch err := a.restage(ctx); {
	case errors.Is(err, feature.ErrExpired):
		return nil
	case err != nil:
		return fmt.Errorf("stage what was left out of version %d: %w", c.info.Version, err)
	}
	if err := g.unmoved(ctx, c); err != nil {
		return fmt.Errorf("stage what was left out of version %d: %w", c.info.Version, err)
	}
	c.offline = false
	g.log.Info("rows that were left out of a window are staged from the log", "view", view.Name, "window", c.info.Window.Start, "version", c.info.Version, "rows", c.info.Rows)
	return nil
}

// offline reports whether rows of a version that was judged are in the log alone.
func (d *Desk) offline(version feature.Version) bool {
	return slices.Contains(d.memory.Offline, version)
}

// noteOffline notes that rows of a version are in the log alone.
func (d *Desk) noteOffline(version feature.Version) {
	if !d.offline(version) {
		d.memory.Offline = append(d.memory.Offline, version)
	}
}

// resting counts the versions on the shelf whose rows were left out.
func (d *Desk) resting() (n int) {
	for _, version := range d.memory.Shelf {
		if d.offline(version) {
			n++
		}
	}
	return n
}

// hide takes a version out of sight that shows while it is open, as those of an optimistic
// view do, and turns out to lack rows when it is judged; false: it is none. One that would
// stay rests in the log. It comes back as another version: what was taken out never shows
// again under its own.
func (d *Desk) hide(v *rules.Verdict, version feature.Version) bool {
	if !d.offline(version) || !d.listed(version) || v.Decision == "rollback" {
		return false
	}
	d.unlist(version)
	if v.State != rules.Fail {
		return d.rest(version, v.State == rules.Pass || v.State == rules.Warn)
	}
	d.end(version, feature.StateExpired, why(v)+lacksRows)
	d.note("expire", version, d.versions[version].Reason)
	return true
}

// rest puts a version on the shelf if rows of it are in the log alone; false: they are
// not, and it may be shown.
func (d *Desk) rest(version feature.Version, passed bool) bool {
	if !d.offline(version) {
		return false
	}
	info := d.touch(version)
	d.memory.drop(version)
	d.memory.shelve(version)
	d.keepFrom(info.Window)
	info.State, info.DecidedBy, info.DecidedAt, info.Reason = feature.StateExpired, byGate, d.now, restsOffline
	if passed {
		info.Reason = passedOffline
	}
	d.note("expire", version, info.Reason)
	return true
}

// keepFrom has what may hide rows of a window that come later kept unfolded: versions of
// that time or later. Once the rows are in the store, Fold of Rows keeps a deletion that
// hides them.
func (d *Desk) keepFrom(w feature.Window) {
	for version, info := range d.versions {
		if from := d.memory.Unfolded; !info.Window.Start.Before(w.Start) && (from == 0 || version < from) {
			d.memory.Unfolded = version
		}
	}
}

// tidyOffline forgets versions that are no longer kept from showing for want of rows, and
// what was kept unfolded for them.
func (d *Desk) tidyOffline() {
	d.memory.Offline = slices.DeleteFunc(d.memory.Offline, func(version feature.Version) bool {
		info := d.versions[version]
		return !d.shelved(version) && (info == nil || info.State.Dead())
	})
	if d.resting() == 0 {
		d.memory.Unfolded = 0
	}
}

// foldable returns up to which version records of a view may be folded; false: what was
// read is of two moments.
func (g *Gate) foldable(ctx context.Context, view *feature.View, vector feature.Vector) (floor feature.Version, ok bool, err error) {
	raw, err := g.deps.Registry.Memory(ctx, view.ID)
	if err != nil {
		return 0, false, fmt.Errorf("read memory: %w", err)
	}
	if floor, err = Foldable(raw, vector.Floor); err != nil {
		return 0, false, err
	}
	now, err := g.deps.Registry.Vector(ctx, view.ID) // rises with whatever changes the memory
	if err != nil {
		return 0, false, fmt.Errorf("read vector: %w", err)
	}
	return floor, now.Generation == vector.Generation, nil
}

// Foldable returns up to which version the records of a view may be folded whose floor and
// memory are those: a deletion that is folded away hides nothing, and rows that rest in the
// log, and come to the store later, may be hidden by one that is certified.
func Foldable(memory []byte, floor feature.Version) (feature.Version, error) {
	m, err := decodeMemory(memory)
	if err != nil {
		return 0, err
	}
	if from := m.Unfolded; from > 0 {
		floor = min(floor, from-1)
	}
	return floor, nil
}
