package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/control"
	"sluice/internal/judge"
	"sluice/materialize"
	"sluice/quality"
	"sluice/quality/sketch"
	"sluice/rules"
)

// level is the rate of false alarms per feature and window at which the default
// detector warns. Blocking needs an effect besides (design, section 5).
const level = 0.001

// judges turns the gate's evidence into verdicts. It is safe for concurrent use;
// one view's are made one after another.
type judges struct {
	catalog *catalog

	mu         sync.Mutex
	views      map[feature.ViewID]*viewJudge
	generation uint64
	rules      []rules.Rule
}

type viewJudge struct {
	mu      sync.Mutex
	builder *judge.Builder
}

func newJudges(c *catalog) *judges {
	return &judges{catalog: c, views: map[feature.ViewID]*viewJudge{}}
}

// of returns the judge of a view.
func (j *judges) of(view feature.ViewID) *viewJudge {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := j.views[view]
	if v == nil {
		v = &viewJudge{builder: judge.NewBuilder()}
		j.views[view] = v
	}
	return v
}

// inForce returns the rules of the definitions in force; the default ones where
// they name none.
func (j *judges) inForce() ([]rules.Rule, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	current := j.catalog.current.Load()
	if j.rules != nil && j.generation == current.generation {
		return j.rules, nil
	}
	list, err := rulesOf(&current.defs)
	if err != nil {
		return nil, err
	}
	j.rules, j.generation = list, current.generation
	return list, nil
}

func rulesOf(defs *feature.Definitions) ([]rules.Rule, error) {
	if defs.Rules == "" {
		return rules.Default(), nil
	}
	list, err := rules.Parse(defs.Rules)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return list, nil
}

// Judge is a materialize.JudgeFunc.
func (j *judges) Judge(e materialize.Evidence) (materialize.Opinion, error) {
	of := j.of(e.View.ID)
	of.mu.Lock()
	defer of.mu.Unlock()
	evidence, err := j.evidence(e)
	if err != nil {
		return materialize.Opinion{}, err
	}
	c, err := of.builder.Case(evidence)
	if err != nil {
		return materialize.Opinion{}, err
	}
	v, err := judge.Judge(c)
	if err != nil {
		return materialize.Opinion{}, err
	}
	opinion := materialize.Opinion{Verdict: v, Alarms: e.Alarms, Spread: e.Spread}
	if opinion.Case, opinion.Blobs, err = c.Encode(); err != nil {
		return opinion, err
	}
	if e.Kind != judge.KindWindow {
		return opinion, nil
	}
	if opinion.Alarms, err = json.Marshal(evidence.Memory.Next(evidence.Rules, &v)); err != nil {
		return opinion, err
	}
	if c.Reference != nil && c.Reference.Calibrated() && !c.Reference.Borrowed {
		if opinion.Spread, err = json.Marshal(c.Reference); err != nil {
			return opinion, err
		}
	}
	opinion.Summary, err = judge.Summaries(e.View, e.Current[0].Profile, &v)
	return opinion, err
}

// evidence adds to the gate's evidence what only the judge knows to read.
func (j *judges) evidence(e materialize.Evidence) (judge.Evidence, error) {
	list, err := j.inForce()
	if err != nil {
		return judge.Evidence{}, err
	}
	out := judge.Evidence{Kind: e.Kind, View: e.View, Window: e.Window, Versions: e.Versions, Layout: e.Layout,
		Current: windowProfiles(e.Current), History: fitted(windowProfiles(e.History), e.Layout), Baseline: e.Baseline, Rules: list, Level: level}
	if len(e.Alarms) > 0 {
		if err := json.Unmarshal(e.Alarms, &out.Memory); err != nil {
			return out, fmt.Errorf("alarms of %s: %w", e.View.Name, err)
		}
	}
	if len(e.Spread) > 0 && len(e.History) < drift.MinWindows { // else history has a spread of its own
		out.Old = &drift.Reference{}
		if err := json.Unmarshal(e.Spread, out.Old); err != nil {
			return out, fmt.Errorf("spread of %s: %w", e.View.Name, err)
		}
	}
	return out, nil
}

func windowProfiles(in []materialize.WindowProfile) []drift.WindowProfile {
	out := make([]drift.WindowProfile, len(in))
	for i, w := range in {
		out[i] = drift.WindowProfile{Window: w.Window, Profile: w.Profile}
	}
	return out
}

// fitted marks the windows of history that the layout was built from: those up to the
// first that it applies to.
func fitted(history []drift.WindowProfile, layout *sketch.Layout) []drift.WindowProfile {
	for i := range history {
		history[i].Fitted = !layout.From.IsZero() && !history[i].Window.Start.After(layout.From)
	}
	return history
}

// verify recomputes a stored verdict and returns what differs.
func (a *App) verify(ctx context.Context, id string) ([]string, error) {
	row, err := a.parts.registry.Verdict(ctx, id)
	if err != nil {
		return nil, err
	}
	var stored rules.Verdict
	if err := json.Unmarshal(row.Body, &stored); err != nil {
		return nil, fmt.Errorf("verdict %s: %w", id, err)
	}
	if stored.Kind == "freshness" {
		return verifyFreshness(&stored), nil
	}
	c, err := judge.DecodeCase(row.Case, func(digest string) ([]byte, error) { return a.parts.registry.Blob(ctx, digest) })
	if err != nil {
		return nil, fmt.Errorf("verdict %s: %w", id, err)
	}
	return judge.Verify(stored, c), nil
}

// verifyFreshness holds the age that a freshness verdict names against its window
// and threshold.
func verifyFreshness(v *rules.Verdict) (differences []string) {
	age := v.Window.End.Sub(v.Window.Start).Round(time.Second).Seconds()
	for _, r := range v.Reasons {
		if r.Statistic != age || r.Severity != age/r.Threshold {
			differences = append(differences, fmt.Sprintf("age: stored %v s, severity %v; recomputed %v s, %v", r.Statistic, r.Severity, age, age/r.Threshold))
		}
	}
	if (len(v.Reasons) > 0) != (v.State == rules.Warn) {
		differences = append(differences, fmt.Sprintf("state: stored %s with %d reasons", v.State, len(v.Reasons)))
	}
	return differences
}

// history returns what is known of a feature in the judged windows that start in
// [from, to): from the summary that is kept of windows of history, else from the
// verdict's case.
func (a *App) history(ctx context.Context, view *feature.View, name string, from, to time.Time) ([]control.HistoryItem, error) {
	kept, err := a.keptSummaries(ctx, view, from, to)
	if err != nil {
		return nil, err
	}
	versions, err := a.parts.registry.Versions(ctx, view.ID, 0, 0)
	if err != nil {
		return nil, err
	}
	items := []control.HistoryItem{}
	for _, info := range versions {
		start := info.Window.Start
		if info.Verdict == "" || info.Kind != feature.KindWindow || start.Before(from) || !to.IsZero() && !start.Before(to) {
			continue
		}
		summaries, ok := kept[start.UnixNano()]
		if !ok {
			if summaries, err = a.judgedSummaries(ctx, view, info.Verdict); err != nil {
				return nil, err
			}
		}
		if s, ok := summaries[name]; ok {
			items = append(items, historyItem(info.Window, s))
		}
	}
	return items, nil
}

func historyItem(w feature.Window, s judge.Summary) control.HistoryItem {
	item := control.HistoryItem{Window: w, N: s.N, Nulls: s.Nulls, Quantiles: s.Quantiles, Severity: s.Severity, Method: s.Method, Statistic: s.Statistic, Threshold: s.Threshold}
	if len(s.Quantiles) > 0 {
		item.Mean, item.SD = &s.Mean, &s.SD
	}
	return item
}

func (a *App) keptSummaries(ctx context.Context, view *feature.View, from, to time.Time) (map[int64]map[string]judge.Summary, error) {
	rows, err := a.parts.registry.History(ctx, view.ID, from, to)
	if err != nil {
		return nil, err
	}
	all := map[int64]map[string]judge.Summary{}
	for _, row := range rows {
		if len(row.Summary) == 0 {
			continue
		}
		var of map[string]judge.Summary
		if err := json.Unmarshal(row.Summary, &of); err != nil {
			return nil, fmt.Errorf("summary of %s at %s: %w", view.Name, row.Window.Start.Format(time.RFC3339), err)
		}
		all[row.Window.Start.UnixNano()] = of
	}
	return all, nil
}

// judgedSummaries summarises the profile that a verdict was computed from.
func (a *App) judgedSummaries(ctx context.Context, view *feature.View, id string) (map[string]judge.Summary, error) {
	row, err := a.parts.registry.Verdict(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := judge.DecodeCase(row.Case, func(digest string) ([]byte, error) { return a.parts.registry.Blob(ctx, digest) })
	if err != nil || len(c.Current) == 0 {
		return nil, errors.Join(fmt.Errorf("case of verdict %s", id), err)
	}
	var v rules.Verdict
	if err := json.Unmarshal(row.Body, &v); err != nil {
		return nil, fmt.Errorf("verdict %s: %w", id, err)
	}
	text, err := judge.Summaries(view, c.Current[len(c.Current)-1].Profile, &v)
	if err != nil {
		return nil, err
	}
	var out map[string]judge.Summary
	return out, json.Unmarshal(text, &out)
}

// learning reports whether a view has too little history to block by it.
func (a *App) learning(ctx context.Context, view *feature.View) (bool, error) {
	status, err := a.actions.Baseline(ctx, view)
	return status.Windows < drift.MinWindows, err
}

// checkRules says what every rule can reach on every view that it reads.
func (a *App) checkRules(ctx context.Context, defs *feature.Definitions, list []rules.Rule) ([]control.RuleCheck, error) {
	items := []control.RuleCheck{}
	for i := range defs.Views {
		view := &defs.Views[i]
		windows := 0
		if view.ID != 0 {
			status, err := a.actions.Baseline(ctx, view)
			if err != nil {
				return nil, err
			}
			windows = status.Windows
		}
		for k := range list {
			if !list[k].Applies(view.Name) {
				continue
			}
			c := rules.CheckRule(&list[k], view.Name, windows, level, drift.SmallestShift)
			items = append(items, control.RuleCheck{Rule: c.Rule, View: c.View, Level: c.Level, Reachable: c.Reachable, SmallestShiftSD: c.SmallestShift})
		}
	}
	return items, nil
}

// checkView finds what only the reader of writes can: expressions that do not
// compile.
func checkView(view *feature.View) error {
	_, err := quality.NewChecker(view)
	return err
}

// checks are what the status of a server looks at.
func (a *App) checks() []control.Check {
	p := a.parts
	return []control.Check{
		{Name: "ready", Run: func(context.Context) error { return a.Ready() }},
		{Name: "registry", Run: func(ctx context.Context) error { _, err := p.registry.Vectors(ctx); return err }},
		{Name: "log", Run: func(ctx context.Context) error { _, err := p.log.Partitions(ctx, p.topics.writes); return err }},
		{Name: "rows", Run: func(ctx context.Context) error { _, err := p.rows.Read(ctx, 0, []feature.Key{""}, nil); return err }},
	}
}
