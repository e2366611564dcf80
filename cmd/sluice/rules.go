package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"sluice/internal/control"
)

type rulesCmd struct {
	Check    rulesCheckCmd    `cmd:"" help:"Say what each rule can reach with the history there is."`
	Test     rulesTestCmd     `cmd:"" help:"Play scripted windows to a gate of its own and compare its verdicts with those expected; no server needed."`
	Backtest rulesBacktestCmd `cmd:"" help:"Say what rules would have done in the past."`
	Ladder   rulesLadderCmd   `cmd:"" help:"Say which rules may climb from observe to warn to enforce, and why."`
}

type rulesCheckCmd struct {
	connection
	File string `short:"f" help:"Check this rules file instead of the rules in force." placeholder:"FILE"`
}

// Help shows examples.
func (*rulesCheckCmd) Help() string {
	return "LEVEL is the rate of false alarms per comparison that alerts_per_week leaves; it is reachable on a view if history is long enough to see a shift of 8 standard deviations between windows at it, and runs are judged at the lowest that is while it is not. SMALLEST_SHIFT_SD is what is seen half of the time, in standard deviations between windows, of rules that history calibrates; ALERTS_PER_WEEK how many false alarms of the whole project a week that makes at most. Below, for calibrated rules and those with a threshold of ks, psi, tvd or nulls, the same for each feature in its own terms: a shift of all values in its unit and in standard deviations between rows, a rise of the share of nulls, a change of spread, a rise of the largest category and of values never seen before, a distance from the baseline. SELECTS names the features that a rule is for, by view, feature, tags, owner and type; where a rule of the same method names a feature more closely, that one judges it, and a table says which. A rule that judges nothing is warned of.\n\nExamples:\n  sluice rules check\n  sluice rules check -f rules.yaml --format json"
}

func (c *rulesCheckCmd) Run(e *env) error {
	request := map[string]string{}
	if c.File != "" {
		text, err := os.ReadFile(c.File)
		if err != nil {
			return fmt.Errorf("read rules: %w", err)
		}
		request["rules"] = string(text)
	}
	var raw struct {
		Items    json.RawMessage `json:"items"`
		Warnings []string        `json:"warnings"`
	}
	if err := c.do(e.ctx, http.MethodPost, "/api/v1/rules/check", 0, request, &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	var items []control.RuleCheck
	if err := json.Unmarshal(raw.Items, &items); err != nil {
		return fmt.Errorf("answer about rules: %w", err)
	}
	if err := showChecks(e, items); err != nil {
		return err
	}
	for _, text := range raw.Warnings {
		fmt.Fprintln(e.stdout, "warning:", text)
	}
	return nil
}

// showChecks writes a line for each rule and view, and of what rules see a line for each
// feature.
func showChecks(e *env, items []control.RuleCheck) error {
	var rows, seen, closer [][]string
	for i := range items {
		r := &items[i]
		level, history := fmt.Sprintf("%.3g", r.Level), "yes"
		if !r.Reachable {
			history = fmt.Sprintf("no: judged at %.2g", r.ReachableLevel)
			if r.SmallestShiftSD == 0 {
				history = "no: too short to calibrate"
			}
		}
		rows = append(rows, []string{r.Rule, r.View, r.Method, string(r.Mode), level, history, strconv.Itoa(r.Windows), amount(r.SmallestShiftSD, ""), fmt.Sprintf("%.2g", r.AlertsPerWeek), few(r.Selects)})
		for _, name := range r.Selects {
			if by := r.Overruled[name]; len(by) > 0 {
				closer = append(closer, []string{r.Rule, r.View, name, strings.Join(by, ", ")})
			}
		}
		for _, s := range r.Features {
			seen = append(seen, []string{r.Rule, r.View, s.Feature, amount(s.Shift, s.Unit), amount(s.ShiftSD, ""), rise(s.Nulls), amount(s.Factor, ""), rise(s.Share), rise(s.Unseen), amount(s.Distance, "")})
		}
	}
	if err := table(e.stdout, "RULE VIEW METHOD MODE LEVEL REACHABLE WINDOWS SMALLEST_SHIFT_SD ALERTS_PER_WEEK SELECTS", rows); err != nil {
		return err
	}
	if len(closer) > 0 {
		fmt.Fprintln(e.stdout, "\nSelected, and judged by a rule that is closer:")
		if err := table(e.stdout, "RULE VIEW FEATURE JUDGED_BY", closer); err != nil {
			return err
		}
	}
	if len(seen) == 0 {
		return nil
	}
	fmt.Fprintln(e.stdout, "\nSmallest change that is seen half of the time, in one window of the usual number of rows:")
	return table(e.stdout, "RULE VIEW FEATURE SHIFT SHIFT_SD NULLS SPREAD CATEGORY UNSEEN DISTANCE", seen)
}

// mostNames bounds the names of a cell.
const mostNames = 4

// few shows the first names of many, and how many more there are.
func few(names []string) string {
	if len(names) == 0 {
		return "the view"
	}
	text := strings.Join(names[:min(len(names), mostNames)], ",")
	if more := len(names) - mostNames; more > 0 {
		text += fmt.Sprintf(" +%d", more)
	}
	return text
}

// amount shows a positive number with its unit.
func amount(v float64, unit string) string {
	if v == 0 {
		return "-"
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", v, unit))
}

// rise shows a rise of a share as points of per cent.
func rise(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("+%.2g%%", 100*v)
}
