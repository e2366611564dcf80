package materialize

import (
	"fmt"
	"slices"
	"time"

	"sluice/feature"
)

// Settle ends holds that outlasted their budget, moves the floor, lists what
// waits, and keeps the list within its bound. It comes after everything that
// decides and before Tell and Commit.
func (d *Desk) Settle() {
	d.expire()
	d.raise()
	d.publishWaiting()
	d.bound()
	d.shelve()
	d.listOpen()
	d.tidyOffline()
}

// expire ends holds that outlasted their budget. A frozen view's are not counted.
func (d *Desk) expire() {
	if d.frozen {
		return
	}
	for _, version := range d.rising() {
		info := d.versions[version]
		if info.State != feature.StateHeld || slices.Contains(d.memory.Waiting, version) || info.HeldFor < d.view.Publish.Hold {
			continue
		}
		info = d.touch(version)
		info.State, info.Reason = feature.StateExpired, fmt.Sprintf("held for %d windows without a decision", info.HeldFor)
		info.DecidedBy, info.DecidedAt = byGate, d.now
		d.memory.drop(version)
		d.note("expire", version, info.Reason)
		d.alert("hold", version, info.Verdict, fmt.Sprintf("%s version %d expired: %s. Approve it to publish its rows from the log.", d.view.Name, version, info.Reason))
	}
}

// raise moves the floor past versions that are dead, or have stood their
// probation. While the view is frozen nothing is certified, so that a person may
// still take it out.
func (d *Desk) raise() {
	for {
		info := d.versions[d.floor+1]
		if info == nil || info.Step == feature.StepOpen || info.Step == feature.StepSealed {
			return
		}
		switch {
		case info.State.Dead():
			d.dead = append(d.dead, info.Version)
		case info.State == feature.StateVisible && d.proven(info) && !d.frozen:
			d.touch(info.Version).Step = feature.StepCertified
			if info.Window.End.After(d.memory.Served) {
				d.memory.Served = info.Window.End
			}
		default:
			return
		}
		d.floor = info.Version
		d.visible = slices.DeleteFunc(d.visible, func(x feature.Version) bool { return x <= d.floor })
	}
}

// proven reports whether enough windows were judged since the version passed.
func (d *Desk) proven(info *feature.VersionInfo) bool {
	return info.JudgedSince >= d.view.Publish.ProbationWindows
}

// publishWaiting lists versions that passed and waited for room or for a thaw, in
// their order. One that holds the floor and has stood its probation needs no room:
// the floor passes it.
func (d *Desk) publishWaiting() {
	for !d.frozen && len(d.memory.Waiting) > 0 {
		version := d.memory.Waiting[0]
		info := d.versions[version]
		if info == nil || info.State != feature.StateHeld && info.State != feature.StateStaged {
			d.memory.drop(version)
			continue
		}
		if d.rest(version, true) {
			continue
		}
		if len(d.visible) >= feature.MaxVisible && (version != d.floor+1 || !d.proven(info)) {
			return
		}
		d.memory.drop(version)
		d.list(version)
		info.DecidedBy, info.DecidedAt, info.Reason = byGate, d.now, "passed, and waited for room in the list or for the view to thaw"
		d.note("publish", version, info.Reason)
		d.recover(version, info.Verdict)
		d.raise()
	}
}

// listOpen lists open versions of an optimistic view that found no room, or a frozen
// view, when they were opened, in their order, as long as there is room.
func (d *Desk) listOpen() {
	if d.frozen || d.view.Publish.Mode != feature.Optimistic {
		return
	}
	for _, version := range d.rising() {
		info := d.versions[version]
		if info.Kind != feature.KindWindow || info.Step != feature.StepOpen || info.State != feature.StateStaged {
			continue
		}
		if len(d.visible) >= feature.MaxVisible {
			return
		}
		d.list(version)
		info.Reason = ""
		d.note("list", version, "there is room for the open version now")
	}
}

// bound makes the newest of what this decision published wait if the list is full:
// it stays staged, and no hold budget runs for it.
func (d *Desk) bound() {
	for len(d.visible) > feature.MaxVisible {
		last := d.newestUnlisted()
		info := d.touch(last)
		info.State, info.PublishedAt = feature.StateStaged, time.Time{}
		info.Reason = fmt.Sprintf("waits: %d versions are listed above the floor", feature.MaxVisible)
		d.unlist(last)
		d.memory.wait(last)
	}
}

// waits reports whether a version passed and waits for room in the list.
func (d *Desk) waits(info *feature.VersionInfo) bool {
	return info.State == feature.StateStaged && slices.Contains(d.memory.Waiting, info.Version)
}

// newestUnlisted returns the newest version that this decision made visible.
func (d *Desk) newestUnlisted() feature.Version {
	for _, version := range slices.Backward(d.visible) {
		if !slices.Contains(d.before.Visible, version) {
			return version
		}
	}
	return d.visible[len(d.visible)-1]
}

// freeze stops all decisions of the view until a person thaws it.
func (d *Desk) freeze(reason string) {
	if d.frozen {
		return
	}
	d.frozen = true
	d.note("freeze", 0, reason)
	d.alert("frozen", 0, "", fmt.Sprintf("%s is frozen: %s. Look at `sluice versions %s`, then `sluice thaw %s --reason …`.", d.view.Name, reason, d.view.Name, d.view.Name))
}
