package app

import (
	"context"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/control"
	"sluice/internal/court"
	"sluice/rules"
)

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
		level := court.BudgetLevel(defs, view.Project)
		for k := range list {
			if !list[k].Applies(view.Name) {
				continue
			}
			c := rules.CheckRule(&list[k], view.Name, windows, level, drift.SmallestShift)
			items = append(items, control.RuleCheck{Rule: c.Rule, View: c.View, Level: c.Level, Reachable: c.Reachable, SmallestShiftSD: c.SmallestShift, ReachableLevel: c.ReachableLevel})
		}
	}
	return items, nil
}
