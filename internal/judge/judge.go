package judge

import (
	"fmt"
	"slices"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality"
	"sluice/quality/sketch"
	"sluice/rules"
)

// Judge returns the verdict on c. It is pure: the same case gives the same
// verdict, byte for byte. What names the verdict and what follows from it (ID, Decision,
// RolledBack, DecidedAt) is left to the gate.
//
// Evidence is measured in this order: expectations (of windows alone: the others were
// held to them before they were published); then, with at least
// drift.MinWindows windows of history, the calibrated detector, volume and the
// Isolation Forest, else the uncalibrated cold start; and the plain two-sample
// statistics that rules may set thresholds on. Of a window, shifts follow that only it and
// the windows before it show together: they warn, and never fail it; and drifts away from what
// is pinned beside a history that moves along. What was served is held to the
// calibrated detector alone, without volume, which is that of the readers. A window of a
// declared backfill is held to expectations alone.
func Judge(c *Case) (rules.Verdict, error) {
	v, _, err := Examine(c)
	return v, err
}

// Examine is Judge that also returns what the rules read.
func Examine(c *Case) (rules.Verdict, rules.Record, error) {
	var record rules.Record
	v, err := c.examine(&record)
	if err != nil {
		return rules.Verdict{}, rules.Record{}, fmt.Errorf("judge %s: %w", c.View.Name, err)
	}
	return v, record, nil
}

func (c *Case) examine(record *rules.Record) (rules.Verdict, error) {
	if err := c.check(); err != nil {
		return rules.Verdict{}, err
	}
	merged, err := c.merged()
	if err != nil {
		return rules.Verdict{}, err
	}
	scores, err := c.scores(merged)
	if err != nil {
		return rules.Verdict{}, err
	}
	scores = c.excuse(scores)
	v := rules.Judge(c.Rules, &c.View, scores, c.Memory)
	slow, err := c.accumulate(&v)
	if err != nil {
		return rules.Verdict{}, err
	}
	away, err := c.away(&v)
	if err != nil {
		return rules.Verdict{}, err
	}
	if slow = append(slow, away...); len(slow) > 0 {
		scores = append(scores, c.excuse(slow)...)
		v = rules.Judge(c.Rules, &c.View, scores, c.Memory)
	}
	v.Occasion = c.Occasion
	record.Versions, record.Level, record.Scores = c.Versions, c.Level, scores
	if v, record.Since, err = c.since(v); err != nil {
		return rules.Verdict{}, err
	}
	if c.steady() {
		rules.Steady(v.Reasons)
	}
	c.attribute(&v, merged)
	v.Kind, v.Project, v.View, v.Window = c.Kind, c.View.Project, c.View.Name, c.Window
	v.Versions = append(v.Versions, c.Versions...)
	if len(c.Versions) > 0 {
		v.Version = c.Versions[len(c.Versions)-1]
	}
	v.Backfilled = merged.Backfilled
	v.Rows, v.Layout, v.History, v.Level = merged.Total(), c.Layout.Digest(), c.History, c.Level
	v.Uncalibrated = v.Uncalibrated || !c.calibrated()
	if v.Digests, err = c.digests(merged); err != nil {
		return rules.Verdict{}, err
	}
	v.Baseline = v.Digests["baseline"]
	return v, nil
}

// merged returns the merge of the current windows.
func (c *Case) merged() (*sketch.Profile, error) {
	if len(c.Current) == 1 {
		return c.Current[0].Profile, nil
	}
	all := sketch.NewProfile(&c.View, c.Layout, sketch.HashKey{})
	for _, w := range c.Current {
		if err := all.Merge(w.Profile); err != nil {
			return nil, fmt.Errorf("window %s: %w", w.Window.Start, err)
		}
	}
	return all, nil
}

// since looks for a shift that began after the first of the windows on probation, if
// the mean of them all, in which those from before it hide it, does not fail. It returns
// the verdict on that shift, with its onset, if that fails, and else v; and the scores of
// such shifts, where they were looked for.
func (c *Case) since(v rules.Verdict) (rules.Verdict, []feature.Score, error) {
	// The mean of two windows is what v is on.
	if c.Kind != KindProbation || v.State == rules.Fail || len(c.Current) < 3 || !c.calibrated() {
		return v, nil, nil
	}
	shifts, err := c.Reference.Accumulate(&c.View, c.Layout, c.Current, c.Baseline, c.Level, nil)
	if err != nil {
		return v, nil, err
	}
	var scores []feature.Score
	var clearest drift.Slow
	for _, s := range shifts {
		scores = append(scores, s.Score)
		if s.Effect && (!clearest.Effect || s.PValue < clearest.PValue) {
			clearest = s
		}
	}
	slow := rules.Judge(c.Rules, &c.View, scores, c.Memory)
	if slow.State != rules.Fail || clearest.Onset.IsZero() {
		return v, scores, nil
	}
	slow.Onset, slow.Occasion = clearest.Onset, c.Occasion
	return slow, scores, nil
}

// scores measures everything that rules may read.
func (c *Case) scores(merged *sketch.Profile) ([]feature.Score, error) {
	var scores []feature.Score
	if c.Kind != KindProbation && c.Kind != KindServed {
		scores = quality.Expectations(&c.View, merged, len(c.Current))
	}
	if c.Baseline == nil || c.Baseline.Profiled() == 0 || merged.Backfill() {
		return scores, nil
	}
	if c.Kind == KindServed {
		return c.served()
	}
	drifted, err := c.drift(merged)
	if err != nil {
		return nil, err
	}
	return append(scores, drifted...), nil
}

// drift compares the current windows with history.
func (c *Case) drift(merged *sketch.Profile) ([]feature.Score, error) {
	if c.calibrated() {
		return c.calibrate(merged)
	}
	typical := float64(c.Baseline.Profiled()) / float64(max(1, c.History))
	if short := drift.TooFew(c.Current, typical); short != "" {
		return []feature.Score{c.short(merged, short)}, nil
	}
	return c.plain(merged, typical, drift.ColdStart(&c.View, c.Layout, merged, c.Baseline, c.Level, c.Reference.Passed(c.Window.Start), c.Reference.Opens())), nil
}

// served compares what readers were given with what they were given before.
func (c *Case) served() ([]feature.Score, error) {
	if !c.calibrated() {
		return nil, nil
	}
	scores, err := c.Reference.Score(&c.View, c.Layout, c.Current, c.Baseline, c.Level)
	return slices.DeleteFunc(scores, func(s feature.Score) bool { return s.Method == drift.MethodVolume }), err
}

// calibrate judges by the windows of history.
func (c *Case) calibrate(merged *sketch.Profile) ([]feature.Score, error) {
	scores, err := c.Reference.Score(&c.View, c.Layout, c.Current, c.Baseline, c.Level)
	if err != nil || len(scores) == 1 && scores[0].Short != "" {
		return scores, err
	}
	if c.Forest != nil {
		joint, err := c.Forest.Score(&c.View, c.Layout, c.Current, c.Level)
		if err != nil {
			return nil, err
		}
		scores = append(scores, joint...)
	}
	return c.plain(merged, c.Reference.MedianRows, scores), nil
}

// plain appends the statistics that only rules with a threshold read.
func (c *Case) plain(merged *sketch.Profile, typical float64, scores []feature.Score) []feature.Score {
	if ratio, ok := drift.VolumeRatio(&c.View, merged.Profiled()/uint64(len(c.Current)), typical); ok {
		scores = append(scores, ratio)
	}
	return append(scores, drift.Statistics(&c.View, c.Layout, merged, c.Baseline)...)
}

func (c *Case) short(merged *sketch.Profile, why string) feature.Score {
	return feature.Score{Method: drift.MethodCalibrated, PValue: 1, N: merged.Profiled(), M: c.Baseline.Profiled(), Short: why, Uncalibrated: true}
}
