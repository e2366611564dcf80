package rules

import "time"

// DefaultAlertsPerWeek is the alert budget of a project that states none: false
// alarms, counted as incidents, in a week.
const DefaultAlertsPerWeek = 1.0

// Bounds of a level: below the least, the tail of Student's law is a matter of
// faith; above the most, an alarm says nothing.
const (
	minLevel = 1e-7
	maxLevel = 0.01
)

// Level returns the rate of false alarms per feature and window that a budget of
// alertsPerWeek leaves for one feature, if features are judged in every window of
// length window: under the global null, where nothing has changed anywhere, the runs of a
// week then alarm that often together. It is between 1e-7 and 0.01; a budget that
// is not positive counts as DefaultAlertsPerWeek. features counts the project's
// features that are judged in such windows.
func Level(alertsPerWeek float64, window time.Duration, features int) float64 {
	if !(alertsPerWeek > 0) {
		alertsPerWeek = DefaultAlertsPerWeek
	}
	const week = 7 * 24 * time.Hour
	if window <= 0 || features < 1 {
		return maxLevel
	}
	runs := float64(week) / float64(window)
	return max(minLevel, min(maxLevel, alertsPerWeek/runs/float64(features)))
}

// Check is one line of `rules check`.
type Check struct {
	Rule  string  `json:"rule"`
	View  string  `json:"view"`
	Level float64 `json:"level"`
	// Reachable is false where history is too short to judge at Level.
	Reachable bool `json:"reachable"`
	// SmallestShift is the smallest shift of a feature's location that the rule
	// sees half of the time, in standard deviations between windows; 0 if the
	// rule's method is not calibrated on history.
	SmallestShift float64 `json:"smallest_shift_sd"`
	// ReachableLevel is the level at which a shift of MaxShift can be seen.
	ReachableLevel float64 `json:"reachable_level"`
}

// MaxShift is the shift, in standard deviations between windows, that history must let a
// rule see for its level to count as reachable.
const MaxShift = 8.0

// CheckRule returns what a rule can do in a view with windows of history at level.
// smallest returns the smallest shift that calibration on that many windows can
// see at a level; package drift provides it.
func CheckRule(r *Rule, view string, windows int, level float64, smallest func(windows int, level float64) float64) Check {
	c := Check{Rule: r.Name, View: view, Level: level, Reachable: true, ReachableLevel: level}
	if r.Method != Calibrated && (r.Method != Volume || r.Threshold > 0) {
		return c
	}
	c.SmallestShift = smallest(windows, level)
	c.Reachable = c.SmallestShift > 0 && c.SmallestShift <= MaxShift
	for !c.Reachable && c.ReachableLevel < maxLevel {
		c.ReachableLevel = min(maxLevel, c.ReachableLevel*1.25)
		if shift := smallest(windows, c.ReachableLevel); shift > 0 && shift <= MaxShift {
			return c
		}
	}
	return c
}

// Applies reports whether r reads anything of view.
func (r *Rule) Applies(view string) bool { return match(r.View, view) }
