package court

import (
	"sluice/drift"
	"sluice/feature"
	"sluice/rules"
)

// BudgetLevel returns the rate of false alarms per comparison that the alert budget of a
// project leaves, whatever history there is: see rules.Level. The budget of another
// project than that of defs, such as a probe's, is the default one.
func BudgetLevel(defs *feature.Definitions, project string) float64 {
	budget := rules.DefaultAlertsPerWeek
	if project == defs.Project && defs.AlertsPerWeek > 0 {
		budget = defs.AlertsPerWeek
	}
	return rules.Level(budget, Comparisons(defs, project))
}

// Comparisons returns how many comparisons the judges make in a week in the windows of
// a project's views.
func Comparisons(defs *feature.Definitions, project string) float64 {
	sum := 0.0
	for i := range defs.Views {
		if v := &defs.Views[i]; v.Project == project {
			sum += rules.Comparisons(v.Window.Size, len(v.Features))
		}
	}
	return sum
}

// Level returns the level of a run: that of the budget, or, while history is too short
// to see anything at that one, the lowest at which a shift of rules.MaxShift is seen.
// Before history has drift.MinWindows windows it calibrates nothing, and the budget's
// level stands.
func Level(budget float64, windows int) float64 {
	if windows < drift.MinWindows {
		return budget
	}
	level, _ := rules.ReachableLevel(windows, budget, drift.SmallestShift)
	return level
}
