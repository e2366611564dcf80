package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/comparison"
	"sluice/internal/control"
	"sluice/internal/judge"
	"sluice/quality"
	"sluice/rules"
)

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
	if len(row.Case) == 0 { // nobody could judge, and the reason says why
		return nil, &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("verdict %s of state %s rests on no evidence that could be judged again", id, stored.State),
			Hint: "`sluice explain " + id + "` says why there is none"}
	}
	c, err := a.caseOf(ctx, row)
	if err != nil {
		return nil, fmt.Errorf("verdict %s: %w", id, err)
	}
	return judge.Verify(stored, c), nil
}

// caseOf returns what a verdict rests on.
func (a *App) caseOf(ctx context.Context, row feature.VerdictRow) (*judge.Case, error) {
	return judge.DecodeCase(row.Case, func(digest string) ([]byte, error) { return a.parts.registry.Blob(ctx, digest) })
}

// statistics returns the JSON of what the counts say that a verdict rests on; nil if it
// rests on none.
func (a *App) statistics(ctx context.Context, row feature.VerdictRow) ([]byte, error) {
	if len(row.Case) == 0 {
		return nil, nil
	}
	c, err := a.caseOf(ctx, row)
	if err != nil {
		return nil, err
	}
	compared, err := c.Compared()
	if err != nil {
		return nil, err
	}
	return json.Marshal(comparison.OfCounts(compared))
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

// judgedSummaries summarises the profile that a verdict was computed from; empty for one
// that rests on none.
func (a *App) judgedSummaries(ctx context.Context, view *feature.View, id string) (map[string]judge.Summary, error) {
	row, err := a.parts.registry.Verdict(ctx, id)
	if err != nil || len(row.Case) == 0 {
		return nil, err
	}
	c, err := a.caseOf(ctx, row)
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

// checkView finds what only the reader of writes can, expressions that do not compile,
// and an online store that this server does not have.
func (a *App) checkView(view *feature.View) error {
	_, err := quality.NewChecker(view)
	return errors.Join(err, a.cfg.hasOnline(view))
}

// heldPartitions returns which partitions the tap of this process does not read.
func (a *App) heldPartitions() error {
	if a.tap == nil {
		return nil
	}
	return a.tap.Held()
}

// checks are what the status of a server looks at.
func (a *App) checks() []control.Check {
	p := a.parts
	return append([]control.Check{
		{Name: "ready", Run: func(context.Context) error { return a.Ready() }},
		{Name: "registry", Run: func(ctx context.Context) error { _, err := p.registry.Vectors(ctx); return err }},
		{Name: "progress", Run: func(context.Context) error { return a.heldPartitions() }},
		{Name: "log", Run: func(ctx context.Context) error { _, err := p.log.Partitions(ctx, p.topics.writes); return err }},
	}, p.rowChecks()...)
}
