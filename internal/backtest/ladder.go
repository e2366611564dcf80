package backtest

import (
	"fmt"
	"slices"

	"sluice/rules"
)

// What a rule must have behind it before it may climb.
const (
	leastDays    = 14
	leastWindows = 100
)

// Rung is what speaks for and against a higher mode of one rule. Counts are of the windows
// of views that the rule reads.
type Rung struct {
	Rule       string     `json:"rule"`
	Mode       rules.Mode `json:"mode"`
	Next       rules.Mode `json:"next"` // empty at the top
	CanClimb   bool       `json:"can_climb"`
	Why        string     `json:"why"`
	Days       float64    `json:"days"`        // of evidence
	Windows    int        `json:"windows"`     // judged in them
	Fired      int        `json:"fired"`       // windows in which it alarmed
	WouldWarn  int        `json:"would_warn"`  // of those, in which it would have warned and not more if it were enforced
	WouldBlock int        `json:"would_block"` // would have failed the window
	Confirmed  int        `json:"confirmed"`   // alarms on windows that were rejected or rolled back, and that nobody approved
	False      int        `json:"false"`       // alarms on windows that a person approved or marked as false alarm
	Unknown    int        `json:"unknown"`     // alarms on windows that nobody settled
	Missed     int        `json:"missed"`      // faults that it did not alarm on
}

// Raised returns rules as they would be at the top of the ladder. The report of a
// backtest of them is what Ladder reads.
func Raised(list []rules.Rule) []rules.Rule {
	out := slices.Clone(list)
	for i := range out {
		out[i].Mode = rules.Enforce
	}
	return out
}

// Ladder says of every rule whether it may climb. A rule may climb to warn if its alarms
// that nobody confirmed stay within alertsPerWeek, and from warn to enforce if it would not
// have blocked a window that nobody found wrong; both after 14 days and 100 windows.
func Ladder(list []rules.Rule, r *Report, alertsPerWeek float64) []Rung {
	out := []Rung{}
	for i := range list {
		rung := Rung{Rule: list[i].Name, Mode: list[i].Mode, Next: next(list[i].Mode)}
		for k := range r.Items {
			if line := &r.Items[k]; line.Rule == rung.Rule {
				rung.fill(line, alertsPerWeek)
			}
		}
		out = append(out, rung)
	}
	return out
}

func next(m rules.Mode) rules.Mode {
	switch m {
	case rules.Observe:
		return rules.Notify
	case rules.Notify:
		return rules.Enforce
	}
	return ""
}

// fill takes over what the rule did at the top of the ladder, and decides.
func (g *Rung) fill(line *Line, alertsPerWeek float64) {
	g.Days, g.Windows = line.Days, line.Windows
	g.Fired, g.WouldWarn, g.WouldBlock = line.Fired, line.Warned, line.Blocked
	g.Confirmed, g.False, g.Unknown, g.Missed = line.Fired-line.False-line.Unknown, line.False, line.Unknown, line.Missed
	unconfirmed := float64(line.False+line.Unknown) / max(line.Days, 1) * 7
	switch {
	case g.Next == "":
		g.Why = "it is at the top"
	case line.Days < leastDays || line.Windows < leastWindows:
		g.Why = fmt.Sprintf("%.1f days and %d windows of evidence; want %d and %d", line.Days, line.Windows, leastDays, leastWindows)
	case g.Next == rules.Notify && unconfirmed > alertsPerWeek:
		g.Why = fmt.Sprintf("%.1f alarms a week that nobody confirmed; the project allows %g", unconfirmed, alertsPerWeek)
	case g.Next == rules.Enforce && line.BlockedFalse+line.BlockedUnknown > 0:
		g.Why = fmt.Sprintf("it would have blocked %d windows that nobody found wrong", line.BlockedFalse+line.BlockedUnknown)
	case g.Next == rules.Notify:
		g.CanClimb, g.Why = true, fmt.Sprintf("%.1f alarms a week that nobody confirmed; the project allows %g", unconfirmed, alertsPerWeek)
	case line.Blocked == 0:
		g.CanClimb, g.Why = true, "it would have blocked nothing"
	default:
		g.CanClimb, g.Why = true, fmt.Sprintf("it would have blocked %d windows, all of them faults", line.Blocked)
	}
}
