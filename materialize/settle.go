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
		if info == nil || info.State != feature.StateHeld {
			d.memory.drop(version)
			continue
		}
		if len(d.visible) >= feature.MaxVisible && (version != d.floor+1 || !d.proven(info)) {
			return
		}
		d.memory.drop(version)
		d.list(version)
		d.note("publish", version, "waited for room in the list, or for the view to thaw")
		d.raise()
	}
}

// bound makes the newest of what this decision published wait if the list is full.
func (d *Desk) bound() {
	for len(d.visible) > feature.MaxVisible {
		last := d.newestUnlisted()
		info := d.touch(last)
		info.State, info.PublishedAt = feature.StateHeld, time.Time{}
		info.Reason = fmt.Sprintf("waits: %d versions above the floor are visible already", feature.MaxVisible)
		d.visible = slices.DeleteFunc(d.visible, func(x feature.Version) bool { return x == last })
		d.memory.wait(last)
	}
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
