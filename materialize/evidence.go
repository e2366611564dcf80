package materialize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// evidence gathers what the judge looks at. Versions that were held for too few
// rows are judged together with this one.
func (g *Gate) evidence(ctx context.Context, c *candidate) (Evidence, error) {
	m := &c.desk.memory
	e := Evidence{Kind: "window", View: c.book.view, Window: c.info.Window, Layout: c.book.layout(), Fitted: c.book.fitted(), Spread: m.Spread, Alarms: m.Alarms}
	joint := c.profile
	for _, version := range m.Short {
		held := c.desk.versions[version]
		if c.broken != nil || held == nil || held.State != feature.StateHeld {
			continue
		}
		former, err := g.deps.Log.Profile(ctx, c.book.view, c.book.layout(), held.Window, held.Spans)
		if errors.Is(err, feature.ErrExpired) {
			continue
		}
		if err != nil {
			return e, fmt.Errorf("profile of held version %d: %w", version, err)
		}
		if err := former.Merge(joint); err != nil {
			return e, fmt.Errorf("join held version %d: %w", version, err)
		}
		joint = former
		e.Versions = append(e.Versions, version)
		if held.Window.Start.Before(e.Window.Start) {
			e.Window.Start = held.Window.Start
		}
	}
	// The window's own version is the last one, which the verdict is on: an earlier
	// window, opened later, has a higher number and a verdict of its own already.
	e.Versions = append(e.Versions, c.info.Version)
	e.Current = []WindowProfile{{e.Window, joint}}
	var err error
	e.Recent, e.Pinned = c.book.latest(e.Window.Start), c.book.reference
	e.History, e.Baseline, err = c.book.before(e.Window.Start)
	return e, err
}

// opinion asks the judge. What cannot be worked out is an error verdict: the gate
// stays closed.
func (g *Gate) opinion(e Evidence, broken error) Opinion {
	var opinion Opinion
	if broken == nil {
		opinion, broken = g.deps.Judge(e)
	}
	if broken == nil {
		return opinion
	}
	g.log.Error("judge", "view", e.View.Name, "window", e.Window.Start.Format(time.RFC3339), "err", broken)
	reason := rules.Reason{PValue: 1, Outcome: rules.Broken, Text: "could not be judged: " + broken.Error()}
	return Opinion{Verdict: rules.Verdict{State: rules.Error, Reasons: []rules.Reason{reason}}, Alarms: e.Alarms, Spread: e.Spread}
}

// stamp fills in what names a verdict. The id follows from what was judged and
// from the state it was judged in.
func (g *Gate) stamp(v *rules.Verdict, e Evidence, desk *Desk) {
	newest := e.Versions[len(e.Versions)-1]
	v.Kind, v.Project, v.View, v.Version, v.Window = e.Kind, e.View.Project, e.View.Name, newest, e.Window
	v.Versions, v.DecidedAt, v.RolledBack = e.Versions, desk.now, []feature.Version{}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %d %s %d", e.View.ID, e.Kind, newest, e.Window.Start.Format(time.RFC3339Nano), desk.before.Generation))
	v.ID = "vd_" + hex.EncodeToString(sum[:10])
	v.Rows = 0
	for _, version := range e.Versions {
		v.Rows += desk.versions[version].Rows
	}
}

// probation judges the merged windows whose versions are visible, can still be
// taken out and were not approved by a person, and applies the verdict. fresh is
// the window judged just now; nil if it is not one of them.
func (g *Gate) probation(c *candidate, fresh *entry) (Opinion, bool, error) {
	if fresh == nil || !c.desk.listed(fresh.version) {
		return Opinion{}, false, nil
	}
	e := Evidence{Kind: "probation", View: c.book.view, Layout: c.book.layout(), Fitted: c.book.fitted(), Spread: c.desk.memory.Spread, Alarms: c.desk.memory.Alarms}
	for _, x := range append(c.onProbation(fresh), *fresh) {
		e.Versions = append(e.Versions, x.version)
		e.Current = append(e.Current, WindowProfile{x.window, x.profile})
	}
	if len(e.Current) < 2 {
		return Opinion{}, false, nil
	}
	e.Window = feature.Window{Start: e.Current[0].Window.Start, End: fresh.window.End}
	var err error
	if e.History, e.Baseline, err = c.book.before(e.Window.Start); err != nil || e.Baseline == nil {
		return Opinion{}, false, err
	}
	opinion := g.opinion(e, nil)
	g.stamp(&opinion.Verdict, e, c.desk)
	onset := e.Window.Start
	if began := opinion.Verdict.Onset; !began.IsZero() {
		onset = began
	}
	c.desk.Probation(&opinion.Verdict, onset)
	return opinion, true, nil
}

// onProbation returns the windows before fresh that are judged again with it, at
// most as many as make up the view's probation: all of them passed before, so one
// that is listed while it is open is not among them.
func (c *candidate) onProbation(fresh *entry) []entry {
	var before []entry
	for _, x := range slices.Concat(c.book.entries, c.book.later) {
		info := c.desk.versions[x.version]
		if info != nil && info.Step == feature.StepDecided && !byPerson(info) && c.desk.listed(x.version) && x.window.Start.Before(fresh.window.Start) {
			before = append(before, x)
		}
	}
	return before[max(0, len(before)-max(0, c.book.view.Publish.ProbationWindows-1)):]
}
