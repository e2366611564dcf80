package materialize

import (
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// Judged applies a window's verdict to the versions it speaks of, newest last,
// and sets its decision. The other versions have one more judged window behind
// them.
func (d *Desk) Judged(v *rules.Verdict, versions []feature.Version) {
	d.age(versions)
	d.well(v)
	d.memory.judged(d.view.Publish.ProbationWindows)
	shown := slices.DeleteFunc(slices.Clone(versions), func(x feature.Version) bool { return !d.listed(x) })
	v.Decision = d.decision(v.State, len(shown) > 0)
	if d.poison != "" && (v.State == rules.Pass || v.State == rules.Warn) {
		v.Held = d.poison
	}
	if v.Decision == "rollback" && d.spared(shown) {
		v.Decision = "hold"
	}
	for _, version := range versions {
		d.settle(v, version)
	}
	if v.Decision == "rollback" {
		d.rollBack(v, shown)
	}
}

// decision is the design's table for a candidate; shown is whether readers see it
// already, as they do in an optimistic view. What passed of a source that is not to be
// trusted is like what could not be judged.
func (d *Desk) decision(state rules.State, shown bool) string {
	switch {
	case d.frozen:
		return "hold"
	case (state == rules.Pass || state == rules.Warn) && d.poison == "":
		return "publish"
	case state == rules.Fail && shown:
		return "rollback"
	case state == rules.Fail:
		return "reject"
	case shown:
		return "none"
	}
	return "hold"
}

// age counts one more judged window for every version that was decided before:
// for held ones since they were held, judged again or not, for others since they
// became visible or passed.
func (d *Desk) age(judged []feature.Version) {
	for version, info := range d.versions {
		if info.Step != feature.StepDecided {
			continue
		}
		waiting := slices.Contains(d.memory.Waiting, version)
		switch {
		case info.State == feature.StateHeld && !waiting:
			if !d.frozen {
				d.touch(version).HeldFor++
			}
			if slices.Contains(d.memory.Poisoned, version) && !slices.Contains(judged, version) {
				d.touch(version).JudgedSince++ // it passed
			}
		case slices.Contains(judged, version):
		case info.State == feature.StateVisible || waiting:
			d.touch(version).JudgedSince++
		}
	}
}

// settle writes a decision into one version.
func (d *Desk) settle(v *rules.Verdict, version feature.Version) {
	info := d.touch(version)
	d.memory.drop(version)
	info.Step, info.Verdict, info.DecidedBy, info.DecidedAt, info.Reason = feature.StepDecided, v.ID, d.by, d.now, why(v)
	switch {
	case d.hide(v, version):
	case v.Decision == "publish" && d.rest(version, true):
	case v.Decision == "publish":
		d.list(version)
	case d.listed(version):
		info.State = feature.StateVisible
		if v.Held != "" {
			info.Reason = v.Held
		}
	case v.Decision == "reject" || v.Decision == "rollback":
		info.State = feature.StateRejected
	default:
		d.hold(v, info)
		if d.offline(version) && info.State == feature.StateHeld {
			info.Reason += lacksRows
		}
	}
}

// hold keeps a version out of sight until there is more to say.
func (d *Desk) hold(v *rules.Verdict, info *feature.VersionInfo) {
	if info.State != feature.StateHeld {
		info.State, info.HeldFor = feature.StateHeld, 0
	}
	switch {
	case v.Held != "":
		d.memory.Poisoned = append(d.memory.Poisoned, info.Version)
		info.Reason = "held: " + v.Held
	case (v.State == rules.Pass || v.State == rules.Warn) && d.rest(info.Version, true):
	case v.State == rules.Pass || v.State == rules.Warn:
		d.memory.wait(info.Version)
		info.Reason = waitsFrozen
	case v.TooFew:
		d.memory.Short = append(d.memory.Short, info.Version)
	}
}

// spared reports whether the view's policy keeps versions although a verdict
// speaks against them: without them only values past their critical age would be
// left. It then freezes the view.
func (d *Desk) spared(versions []feature.Version) bool {
	if d.view.Publish.OnStaleRollback != "freeze" || !d.staleWithout(versions) {
		return false
	}
	d.freeze("a rollback would leave only values past their critical age")
	return true
}

// rollBack takes versions that are visible out because of a verdict, and names
// them in it. What remains may be too old: then the view's policy may be to refuse
// reads.
func (d *Desk) rollBack(v *rules.Verdict, versions []feature.Version) {
	if d.view.Publish.OnStaleRollback == "refuse" && d.staleWithout(versions) {
		d.refuse = true
	}
	for _, version := range versions {
		d.end(version, feature.StateRolledBack, why(v)).Verdict = v.ID
		v.RolledBack = append(v.RolledBack, version)
	}
	v.Decision = "rollback"
	if limit := d.view.Publish.MaxRollbacksPerHour; d.memory.rolledBack(d.now) > limit && limit > 0 {
		d.freeze(fmt.Sprintf("more than %d rollbacks within an hour", limit))
	}
}

// staleWithout reports whether readers would be left with values past the view's
// critical age if versions went.
func (d *Desk) staleWithout(versions []feature.Version) bool {
	critical := d.view.Freshness.Critical
	return critical > 0 && d.now.Sub(d.served(versions)) > critical
}

// Probation applies the verdict on the merged versions in probation: after
// enough failures every version goes that is visible since the onset, was judged,
// and was not approved by a person. It comes after Judged.
func (d *Desk) Probation(v *rules.Verdict, onset time.Time) {
	v.Decision = "none"
	failed, since := d.memory.probation(outcome{Failed: v.State == rules.Fail, Onset: onset})
	if d.frozen || v.State != rules.Fail || failed < d.view.Publish.ProbationFail {
		return
	}
	var suspects []feature.Version
	for _, version := range d.visible {
		if info := d.versions[version]; info != nil && info.Step == feature.StepDecided && !byPerson(info) && !info.Window.Start.Before(since) {
			suspects = append(suspects, version)
		}
	}
	if len(suspects) == 0 {
		return
	}
	d.memory.Probation = nil
	if d.spared(suspects) {
		v.Decision = "hold"
		return
	}
	d.rollBack(v, suspects)
}

// byPerson reports whether a person decided on the version; such a version is
// never rolled back by itself.
func byPerson(info *feature.VersionInfo) bool {
	return info.DecidedBy != byGate && info.DecidedBy != ""
}

// why is the verdict in one sentence: its worst reason.
func why(v *rules.Verdict) string {
	if len(v.Reasons) == 0 {
		return string(v.State)
	}
	return v.Reasons[0].Text
}
