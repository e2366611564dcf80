package rules

import "time"

// DefaultAlertsPerWeek is the alert budget of a project that states none: false
// alarms, counted as incidents, in a week.
const DefaultAlertsPerWeek = 1.0

// Bounds of a level: below the least, the tail of Student's law is a matter of
// faith; above the most, which is
// the level that false alarms and power are measured at, an alarm of one feature says little.
const (
	minLevel = 1e-7
	maxLevel = 0.001
	// loosest is the level that a history too short for any better one is judged at.
	loosest = 0.01
)

// whole is how many comparisons of a window are about the view as a whole: its rows, and
// rows whose values do not go together.
const whole = 2

// Comparisons returns how many comparisons are made in a week of a view with windows of
// that length: one for each feature and two for the view in every window. It is 0 where
// nothing is judged.
func Comparisons(window time.Duration, features int) float64 {
	const week = 7 * 24 * time.Hour
	if window <= 0 || features < 1 {
		return 0
	}
	return float64(week) / float64(window) * float64(features+whole)
}

// Level returns the rate of false alarms per comparison that a budget of alertsPerWeek
// leaves where so many comparisons are made in a week: under the global null, where nothing
// has changed anywhere, they then alarm at most that often in all, and as incidents, in which
// alarms of one window are one, less. It is between 1e-7 and 0.001; a budget that is not
// positive counts as DefaultAlertsPerWeek.
func Level(alertsPerWeek, comparisons float64) float64 {
	if !(alertsPerWeek > 0) {
		alertsPerWeek = DefaultAlertsPerWeek
	}
	if !(comparisons > 0) {
		return maxLevel
	}
	return max(minLevel, min(maxLevel, alertsPerWeek/comparisons))
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
	c.ReachableLevel, c.Reachable = ReachableLevel(windows, level, smallest)
	c.SmallestShift = smallest(windows, c.ReachableLevel)
	return c
}

// ReachableLevel returns the lowest level from level on at which windows of history let a
// shift of MaxShift be seen, and whether that is level itself. Without any such level
// below 0.01 it is that. smallest is as for CheckRule.
func ReachableLevel(windows int, level float64, smallest func(windows int, level float64) float64) (reachable float64, itself bool) {
	sees := func(level float64) bool {
		shift := smallest(windows, level)
		return shift > 0 && shift <= MaxShift
	}
	if sees(level) {
		return level, true
	}
	for reachable = level; reachable < loosest; {
		if reachable = min(loosest, reachable*1.25); sees(reachable) {
			break
		}
	}
	return reachable, false
}
