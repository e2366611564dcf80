package materialize

import (
	"fmt"
	"slices"
	"strings"

	"sluice/feature"
	"sluice/rules"
)

// Tell opens or ends alerts for a verdict's decision, and writes the audit line.
// It comes after Settle, which may make a publication wait.
func (d *Desk) Tell(v *rules.Verdict, version feature.Version) {
	info := d.versions[version]
	waits, rests := d.waits(info), d.shelved(version) && d.offline(version)
	if v.Decision == "publish" && (waits || rests) || v.Decision == "none" && rests {
		v.Decision = "hold"
	}
	if v.Decision == "none" && v.Kind == "probation" {
		return
	}
	d.note(v.Decision, version, why(v))
	text := fmt.Sprintf("%s version %d: %s", d.view.Name, version, why(v))
	switch {
	case rests:
		text = fmt.Sprintf("%s version %d %s, as are those of windows after it. Readers keep what they have.", d.view.Name, version, info.Reason)
	case waits:
		text = fmt.Sprintf("%s version %d passed and %s. It is published once the next judged window certifies the oldest of them, or one is rolled back.", d.view.Name, version, info.Reason)
	case v.Decision == "hold" && v.Held != "":
		text = fmt.Sprintf("%s version %d passed and is held: %s. It is published once a later window finds its source well again, and expires after %d windows; `sluice approve %s --version %d --reason …` publishes it now.",
			d.view.Name, version, v.Held, d.view.Publish.Hold, d.view.Name, version)
	case v.Decision == "hold" && (slices.Contains(d.memory.Waiting, version) || d.shelved(version)):
		text = fmt.Sprintf("%s version %d passed and %s. It is published once `sluice thaw %s` is done.", d.view.Name, version, strings.TrimPrefix(info.Reason, passedPrefix), d.view.Name)
	}
	switch v.Decision {
	case "reject":
		d.alert("fail", version, v.ID, text)
	case "rollback":
		d.alert("rollback", version, v.ID, fmt.Sprintf("%s; %s", text, seenBy(v.Exposure)))
	case "hold":
		if !rests || d.resting() == 1 { // people are told once
			d.alert("hold", version, v.ID, text)
		}
	case "publish":
		if v.State == rules.Warn {
			d.moment("warn", version, v.ID, text)
		}
		d.recover(version, v.ID)
	}
}

// recover ends the incidents that a published window ends.
func (d *Desk) recover(version feature.Version, verdict string) {
	if d.resolve("fail", "rollback", "hold") {
		d.moment("recovered", version, verdict, fmt.Sprintf("%s is published again with version %d", d.view.Name, version))
	}
}

// Fresh opens or ends the view's stale alert.
func (d *Desk) Fresh(v *rules.Verdict) {
	d.note("notify", v.Version, why(v))
	ended := d.resolve("stale")
	switch {
	case v.State != rules.Pass:
		d.alert("stale", v.Version, v.ID, fmt.Sprintf("%s: %s", d.view.Name, why(v)))
	case ended:
		d.moment("recovered", v.Version, v.ID, d.view.Name+" is fresh again")
	}
}

// notices are what people are told of a commit: its alerts, and the end of every kind of
// incident that it ends and does not open again. They are stored with the commit, so that
// whoever leads when it stands, or later, tells them: see withVerdicts for what verdicts add.
func (d *Desk) notices() []feature.Notice {
	var all []feature.Notice
	var opened []string
	served, ending := d.vector().Newest(), "the incident is over"
	for _, a := range d.alerts {
		if a.Kind == "recovered" {
			ending = a.Text
			continue
		}
		opened = append(opened, a.Kind)
		all = append(all, feature.Notice{Alert: a, Served: served})
	}
	for _, a := range d.resolved {
		if slices.Contains(opened, a.Kind) {
			continue
		}
		opened = append(opened, a.Kind)
		at := d.now
		a.Text, a.ResolvedAt = ending, &at
		all = append(all, feature.Notice{Alert: a, Served: served, Resolved: true})
	}
	return all
}

func texts(reasons []rules.Reason) []string {
	var all []string
	for _, r := range reasons {
		all = append(all, r.Text)
	}
	return all
}
