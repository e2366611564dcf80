package materialize

import (
	"sluice/feature"
	"sluice/rules"
)

// slow has the windows on probation judged for a shift that began after the first of
// them: in the mean of them all, windows from before it hide it. It is evidence like
// that of probation, from the onset on, and comes after it. ok is false if there is
// nothing to say.
//
// Longer stretches are no evidence for a rollback: docs/detector.md says why.
func (g *Gate) slow(c *candidate, fresh *entry) (o Opinion, ok bool, err error) {
	if fresh == nil || !c.desk.listed(fresh.version) {
		return o, false, nil
	}
	before := c.onProbation(fresh)
	if len(before) < 2 {
		return o, false, nil // two windows are what probation has judged
	}
	e := Evidence{Kind: "probation", Slow: true, View: c.book.view, Layout: c.book.layout(), Spread: c.desk.memory.Spread, Alarms: c.desk.memory.Alarms}
	for _, x := range append(before, *fresh) {
		e.Versions = append(e.Versions, x.version)
		e.Current = append(e.Current, WindowProfile{x.window, x.profile})
	}
	e.Window = feature.Window{Start: e.Current[0].Window.Start, End: fresh.window.End}
	if e.History, e.Baseline, err = c.book.before(e.Window.Start); err != nil || e.Baseline == nil {
		return o, false, err
	}
	if o = g.opinion(e, nil); o.Verdict.State != rules.Fail || o.Verdict.Onset.IsZero() {
		return o, false, nil
	}
	g.stamp(&o.Verdict, e, c.desk)
	c.desk.Probation(&o.Verdict, o.Verdict.Onset)
	return o, true, nil
}
