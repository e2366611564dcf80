package judge

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// Slow is what shifts that only several windows show are found with. The windows are
// without their samples.
type Slow struct {
	Recent []drift.WindowProfile // that passed before the one judged, rising
	// Reference and Baseline are of the history before Recent; nil if that is the case's own.
	Reference *drift.Reference
	Baseline  *sketch.Profile
}

// settling is by how many windows the history that recent windows are compared with
// grows at a time, so that references are built and stored seldom.
const settling = 4

// slow returns what accumulates for e; nil if nothing can.
func (b *Builder) slow(e Evidence, c *Case) (*Slow, error) {
	if e.Kind != KindWindow || len(e.Current) != 1 {
		return nil, nil
	}
	recent, s := e.Recent, c.after(e.Recent)
	if s == nil {
		return nil, nil
	}
	recent = recent[max(0, len(recent)-len(s.Recent)):]
	n, _ := slices.BinarySearchFunc(e.History, recent[0].Window.Start, func(w drift.WindowProfile, t time.Time) int { return w.Window.Start.Compare(t) })
	if n == len(e.History) {
		return s, nil
	}
	if n = before(e, n); n < drift.MinWindows {
		return nil, nil
	}
	known, err := b.settled(e, e.History[:n])
	if err != nil || known == nil {
		return nil, err
	}
	s.Reference, s.Baseline = known.reference, known.baseline
	return s, nil
}

// after returns what accumulates over recent, windows that passed after the case's
// history; nil if nothing can.
func (c *Case) after(recent []drift.WindowProfile) *Slow {
	recent = recent[max(0, len(recent)-drift.Accumulated+1):]
	if len(recent) == 0 || !c.calibrated() || c.Reference.Borrowed {
		return nil
	}
	s := &Slow{}
	for _, w := range recent {
		s.Recent = append(s.Recent, bare(w))
	}
	return s
}

// Next returns the case of another window of the same view, held against the same
// history, after which recent, rising, passed and m was remembered.
func (c *Case) Next(w drift.WindowProfile, version feature.Version, recent []drift.WindowProfile, m Memory) *Case {
	next := *c
	next.Window, next.Versions, next.Current = w.Window, []feature.Version{version}, []drift.WindowProfile{w}
	next.Memory, next.Since, next.Slow, next.Pinned = m.Rules, m.Since, c.after(recent), nil // history is pinned already
	return &next
}

// before returns how many of the first n windows of history lie before the last
// multiple of settling windows.
func before(e Evidence, n int) int {
	span := settling * int64(e.View.Window.Size)
	if span <= 0 || n == 0 {
		return n
	}
	last := e.History[n-1].Window.Start.UnixNano()
	for i := range n {
		if e.History[i].Window.Start.UnixNano() >= last-last%span {
			return i
		}
	}
	return n
}

// settled is the reference of a history that recent windows are compared with.
type settled struct {
	key       uint64
	reference *drift.Reference
	baseline  *sketch.Profile
}

// settled returns the reference of history; nil if it calibrates nothing. The last one
// is remembered.
func (b *Builder) settled(e Evidence, history []drift.WindowProfile) (*settled, error) {
	key := keyOf(e, history, len(history))
	if b.last != nil && b.last.key == key {
		return b.last, nil
	}
	merged := sketch.NewProfile(e.View, e.Layout, sketch.HashKey{})
	windows := make([]drift.WindowProfile, len(history))
	for i, w := range history {
		windows[i] = bare(w)
		if err := merged.Merge(windows[i].Profile); err != nil {
			return nil, err
		}
	}
	r, err := b.slowSamples.BuildReference(e.View, e.Layout, windows)
	if err != nil || !r.Calibrated() {
		return nil, err
	}
	b.last = &settled{key: key, reference: r, baseline: merged}
	return b.last, nil
}

// bare is w without its row sample, which nothing that accumulates reads.
func bare(w drift.WindowProfile) drift.WindowProfile {
	w.Profile = w.Profile.Bare()
	return w
}

// accumulate returns the scores of shifts that only the last windows together show, of
// features that v does not alarm on by itself.
func (c *Case) accumulate(v *rules.Verdict) ([]feature.Score, error) {
	if c.Slow == nil || v.TooFew || c.Current[0].Profile.Profiled() == 0 || c.Current[0].Profile.Backfill() {
		return nil, nil
	}
	reference, baseline := c.Slow.Reference, c.Slow.Baseline
	if reference == nil {
		reference, baseline = c.Reference, c.Baseline
	}
	recent := append(slices.Clone(c.Slow.Recent), bare(c.Current[0]))
	found, err := reference.Accumulate(&c.View, c.Layout, recent, baseline, c.Level, c.Since)
	if err != nil {
		return nil, err
	}
	var scores []feature.Score
	for _, s := range found {
		if alarmed(v, s.Feature) {
			continue
		}
		score := s.Score
		score.Accumulated, score.Onset, score.Effect = true, s.Onset, false
		score.Text = fmt.Sprintf("%s, over %d windows", cmp.Or(s.Text, s.Feature+" drifts"), s.Windows)
		scores = append(scores, score)
	}
	return scores, nil
}

// alarmed reports whether v says of a feature, or with an empty name of the view, that
// something is wrong.
func alarmed(v *rules.Verdict, name string) bool {
	return slices.ContainsFunc(v.Reasons, func(r rules.Reason) bool {
		return r.Feature == name && r.Outcome != rules.Pending && r.Outcome != rules.Observed
	})
}
