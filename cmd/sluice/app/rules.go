package app

import (
	"context"
	"fmt"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/control"
	"sluice/internal/court"
	"sluice/internal/judge"
	"sluice/rules"
)

// checkRules says what every rule can reach on every view that it reads.
func (a *App) checkRules(ctx context.Context, defs *feature.Definitions, list []rules.Rule) ([]control.RuleCheck, error) {
	items := []control.RuleCheck{}
	for i := range defs.Views {
		view := &defs.Views[i]
		past, err := a.pastOf(ctx, view)
		if err != nil {
			return nil, err
		}
		level := court.BudgetLevel(defs, view.Project)
		for k := range list {
			if rule := &list[k]; rule.Applies(view) {
				c := past.check(view, rule, level)
				c.Selects, c.Overruled = rule.Features(view), rules.Overruled(list, rule, view)
				c.AlertsPerWeek = c.ReachableLevel * court.Comparisons(defs, view.Project)
				items = append(items, c)
			}
		}
	}
	return items, nil
}

// past is what a view's windows are compared with now.
type past struct {
	windows   int
	reference *judge.Case // of the newest window judged by history; nil before there is one
}

// newest is how many of the newest versions are looked at for one that was judged by
// history.
const newest = 16

// pastOf reads what a view's windows are compared with; nothing of a view that is not in
// force.
func (a *App) pastOf(ctx context.Context, view *feature.View) (past, error) {
	if view.ID == 0 {
		return past{}, nil
	}
	status, err := a.actions.Baseline(ctx, view)
	if err != nil {
		return past{}, err
	}
	p := past{windows: status.Windows}
	vector, err := a.parts.registry.Vector(ctx, view.ID)
	if err != nil {
		return p, err
	}
	versions, err := a.parts.registry.Versions(ctx, view.ID, max(vector.Floor, newest)-newest, 0)
	if err != nil {
		return p, err
	}
	for i := len(versions) - 1; i >= 0 && p.reference == nil; i-- {
		if versions[i].Verdict == "" || versions[i].Kind != feature.KindWindow {
			continue
		}
		if p.reference, err = a.calibrated(ctx, versions[i].Verdict); err != nil {
			return p, fmt.Errorf("verdict %s: %w", versions[i].Verdict, err)
		}
	}
	return p, nil
}

// calibrated returns the case of a verdict that was judged by history; nil of another.
func (a *App) calibrated(ctx context.Context, id string) (*judge.Case, error) {
	row, err := a.parts.registry.Verdict(ctx, id)
	if err != nil || len(row.Case) == 0 {
		return nil, err
	}
	c, err := judge.DecodeCase(row.Case, func(digest string) ([]byte, error) { return a.parts.registry.Blob(ctx, digest) })
	if err != nil || c.Reference == nil || c.Baseline == nil || !c.Reference.Calibrated() {
		return nil, err
	}
	return c, nil
}

// check says what a rule can reach.
func (p *past) check(view *feature.View, rule *rules.Rule, level float64) control.RuleCheck {
	c := rules.CheckRule(rule, view.Name, p.windows, level, drift.SmallestShift)
	out := control.RuleCheck{Rule: c.Rule, View: c.View, Level: c.Level, Reachable: c.Reachable, SmallestShiftSD: c.SmallestShift,
		ReachableLevel: c.ReachableLevel, Method: rule.Method, Mode: rule.Mode, Windows: p.windows}
	if p.reference == nil {
		return out
	}
	out.Rows = p.reference.Reference.MedianRows
	for _, s := range p.sees(view, rule, c.ReachableLevel) {
		if rule.Covers(view, s.Feature) {
			out.Features = append(out.Features, control.Sensitivity(s))
		}
	}
	return out
}

// sees returns the smallest changes that a rule tells: of one with a threshold those that reach it, of a calibrated
// one those that history lets it see.
func (p *past) sees(view *feature.View, rule *rules.Rule, level float64) []drift.Sensitivity {
	switch c := p.reference; {
	case rule.Method == rules.Calibrated:
		return c.Reference.Sensitivity(view, c.Baseline, level)
	case rule.Threshold > 0:
		return drift.Plainly(view, c.Layout, c.Baseline, rule.Method, rule.Threshold)
	}
	return nil
}
