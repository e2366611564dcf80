package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"sluice/internal/backtest"
)

type rulesBacktestCmd struct {
	connection
	File string `short:"f" help:"Try this rules file instead of the rules in force." placeholder:"FILE"`
	Days int    `default:"90" help:"How far to look back, 1 to 90." placeholder:"90"`
}

// Help shows examples, and what is counted.
func (*rulesBacktestCmd) Help() string {
	return `The rules are applied to what rules read when each verdict was made, up to the newest window: for the rules that were in force it gives the verdicts that there are. FIRED are windows in which a rule alarmed; BLOCKED those that it would have failed; UNDONE verdicts of probation, on windows already published, that it would have failed. Faults are versions that were rejected or rolled back and that nobody approved or marked as false alarm since: CAUGHT and MISSED are of those. FALSE are alarms on versions that were approved or marked (sluice false-alarm), UNKNOWN on those that nobody settled.

The scores stay those of the level that each run had, and history what it was.

Examples:
  sluice rules backtest
  sluice rules backtest -f rules.yaml --days 30 --format json`
}

func (c *rulesBacktestCmd) Run(e *env) error {
	request := map[string]any{"days": c.Days}
	if c.File != "" {
		text, err := os.ReadFile(c.File)
		if err != nil {
			return fmt.Errorf("read rules: %w", err)
		}
		request["rules"] = string(text)
	}
	var raw json.RawMessage
	if err := c.do(e.ctx, http.MethodPost, "/api/v1/rules/backtest", time.Minute, request, &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	var r backtest.Report
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("answer about rules: %w", err)
	}
	if r.Windows == 0 {
		_, err := fmt.Fprintln(e.stdout, "No window was judged in that time.")
		return err
	}
	fmt.Fprintf(e.stdout, "%d windows from %s to %s; %d faults, %d cleared. The state of %d verdicts would have been another.\n\n",
		r.Windows, r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), r.Faults, r.Cleared, r.Differ)
	var rows [][]string
	line := func(name string, l *backtest.Line) {
		row := []string{name, dash(string(l.Mode))}
		for _, n := range []int{l.Windows, l.Fired, l.Warned, l.Blocked, l.Undone, l.Caught, l.Missed, l.False, l.Unknown} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	for i := range r.Items {
		line(r.Items[i].Rule, &r.Items[i])
	}
	line("all", &r.Total)
	if err := table(e.stdout, "RULE MODE WINDOWS FIRED WARNED BLOCKED UNDONE CAUGHT MISSED FALSE UNKNOWN", rows); err != nil {
		return err
	}
	return c.differences(e, &r)
}

// mostShown bounds the verdicts of a table.
const mostShown = 20

// differences lists verdicts whose state would have been another.
func (*rulesBacktestCmd) differences(e *env, r *backtest.Report) error {
	var rows [][]string
	for _, v := range r.Verdicts {
		if v.Was != v.Would && len(rows) < mostShown {
			rows = append(rows, []string{v.Verdict, v.View, v.Kind, v.Window.Start.Format(time.RFC3339), string(v.Was), string(v.Would), fmt.Sprintf("%.3g", v.Severity), dash(strings.Join(v.Rules, ","))})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(e.stdout)
	return table(e.stdout, "VERDICT VIEW KIND WINDOW WAS WOULD SEVERITY RULES", rows)
}

type rulesLadderCmd struct {
	connection
	Days int `default:"28" help:"How far to look back, 1 to 90." placeholder:"28"`
}

// Help shows an example, and when a rule may climb.
func (*rulesLadderCmd) Help() string {
	return `A rule begins at observe (it is recorded), then warns, then is enforced. It may climb to warn if its alarms that nobody confirmed stay within the project's alerts_per_week, and to enforce if it would not have blocked a window that nobody found wrong; both after 14 days and 100 windows. WARN and BLOCK say in how many windows it would have warned, or failed the window, if it were enforced; CONFIRMED are alarms on versions that were rejected or rolled back and that nobody approved since. Climb by changing the rule's mode and applying it.

Examples:
  sluice rules ladder
  sluice rules ladder --days 60 --format json`
}

func (c *rulesLadderCmd) Run(e *env) error {
	var raw struct {
		Items json.RawMessage `json:"items"`
	}
	if err := c.do(e.ctx, http.MethodGet, "/api/v1/rules/ladder?days="+strconv.Itoa(c.Days), time.Minute, nil, &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	var items []backtest.Rung
	if err := json.Unmarshal(raw.Items, &items); err != nil {
		return fmt.Errorf("answer about rules: %w", err)
	}
	var rows [][]string
	for _, g := range items {
		climb := "no"
		if g.CanClimb {
			climb = "to " + string(g.Next)
		}
		row := []string{g.Rule, string(g.Mode), climb}
		for _, n := range []int{g.Windows, g.Fired, g.WouldWarn, g.WouldBlock, g.Confirmed, g.False, g.Unknown, g.Missed} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, append(row, g.Why))
	}
	return table(e.stdout, "RULE MODE CLIMB WINDOWS FIRED WARN BLOCK CONFIRMED FALSE UNKNOWN MISSED WHY", rows)
}

// dash shows an empty cell.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
