package materialize

import (
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// reads is what the gate remembers of what a view's readers were given.
type reads struct {
	Until    time.Time      `json:"until"`              // start of the newest window that was judged
	From     time.Time      `json:"from"`               // windows before it are no history
	Failed   []time.Time    `json:"failed,omitempty"`   // windows since From that are none either, rising
	Run      int            `json:"run,omitempty"`      // judged windows that failed without a break and without a rollback
	Outcomes []servedResult `json:"outcomes,omitempty"` // of the last windows judged, newest last
}

// servedResult is what came of one window, and the versions that readers saw in it.
type servedResult struct {
	Failed   bool              `json:"failed"`
	Versions []feature.Version `json:"versions,omitempty"`
}

// servedK is the fewest windows that must fail before versions are taken out by what
// was served: reads change from one window to the next.
const servedK = 2

// admits reports whether a window may be history.
func (r *reads) admits(start time.Time) bool {
	return !start.Before(r.From) && !slices.ContainsFunc(r.Failed, start.Equal)
}

// judged notes a window's outcome, and returns how many of the last ones failed and
// which versions were seen in every one of those.
func (r *reads) judged(v *rules.Verdict, windows int) (failed int, seen []feature.Version) {
	r.Until = v.Window.Start
	r.Outcomes = append(slices.Clone(r.Outcomes), servedResult{v.State == rules.Fail, v.Versions})
	r.Outcomes = r.Outcomes[max(0, len(r.Outcomes)-windows):]
	oldest := v.Window.Start.Add(-2 * servedWindows * v.Window.End.Sub(v.Window.Start))
	r.Failed = slices.DeleteFunc(slices.Clone(r.Failed), oldest.After)
	switch v.State {
	case rules.Fail:
		r.Failed = append(r.Failed, v.Window.Start)
		r.Run++
	case rules.Pass, rules.Warn:
		r.Run = 0
	default:
		r.Failed = append(r.Failed, v.Window.Start)
	}
	for _, o := range r.Outcomes {
		if !o.Failed {
			continue
		}
		if failed++; failed == 1 {
			seen = slices.Clone(o.Versions)
		}
		seen = slices.DeleteFunc(seen, func(x feature.Version) bool { return !slices.Contains(o.Versions, x) })
	}
	return failed, seen
}

// settle begins history anew with the windows of a run of failures that nothing could
// be done about, once they are as many as a history needs: what is read is another
// mix of entities than it was. It reports whether it did.
func (r *reads) settle() bool {
	if r.Run < servedLeast {
		return false
	}
	r.From, r.Failed, r.Run = r.Failed[len(r.Failed)-servedLeast], nil, 0
	return true
}

// Served applies the verdict on what readers were given in a window. After enough
// failures every version goes that they saw in all of the windows that failed, that
// can still be taken out, and that was not approved by a person; but none if the rows
// of certified versions moved as well. Otherwise people are told.
func (d *Desk) Served(v *rules.Verdict, settled bool) {
	p := d.view.Publish
	failed, seen := d.memory.Reads.judged(v, max(servedK, p.ProbationWindows))
	v.Decision = "none"
	if v.State != rules.Fail {
		return
	}
	v.Decision = "notify"
	suspects := slices.DeleteFunc(seen, func(x feature.Version) bool { return !d.onProbation(x) })
	if failed < max(servedK, p.ProbationFail) || settled || len(suspects) == 0 {
		return
	}
	d.memory.Reads.Run = 0
	if d.frozen || d.spared(suspects) {
		v.Decision = "hold"
		return
	}
	d.memory.Reads.Outcomes = nil
	d.rollBack(v, suspects)
}

// onProbation reports whether a version may be taken out by itself: it is listed,
// was judged, and was not approved by a person.
func (d *Desk) onProbation(version feature.Version) bool {
	info := d.versions[version]
	return info != nil && d.listed(version) && info.Step == feature.StepDecided && !byPerson(info)
}

// TellServed opens or ends alerts for a verdict on what was served, and writes the
// audit line. It comes after Settle.
func (d *Desk) TellServed(v *rules.Verdict, settled bool) {
	if v.State != rules.Fail {
		if v.State != rules.Inconclusive && v.State != rules.Error && d.resolve("served") {
			d.moment("recovered", v.Version, v.ID, d.view.Name+" serves what it used to again")
		}
		return
	}
	text := fmt.Sprintf("%s, read from %s to %s: %s", d.view.Name, v.Window.Start.Format(time.RFC3339), v.Window.End.Format(time.RFC3339), why(v))
	switch {
	case v.Decision == "rollback":
		d.note("rollback", v.Version, text)
		d.alert("rollback", v.Version, v.ID, fmt.Sprintf("%s; versions %v are rolled back, %s", text, v.RolledBack, seenBy(v.Exposure)))
		d.resolve("served")
		return
	case d.memory.Reads.settle():
		d.note("served_baseline", v.Version, fmt.Sprintf("%d windows in a row failed: what is read is compared with these from now on", servedLeast))
		if d.resolve("served") {
			d.moment("recovered", v.Version, v.ID, d.view.Name+" is compared with what it serves now")
		}
		return
	case settled:
		text += "; rows of certified versions moved as well: other entities are read than before, or the fault is older than what can be rolled back"
	}
	d.note(v.Decision, v.Version, text)
	if !d.isOpen("served") {
		d.alert("served", v.Version, v.ID, text)
	}
}

// isOpen reports whether an alert of that kind is open.
func (d *Desk) isOpen(kind string) bool {
	return slices.ContainsFunc(d.open, func(a feature.Alert) bool { return a.Kind == kind })
}
