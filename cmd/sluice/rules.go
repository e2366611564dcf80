package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"

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
	return "A rule is reachable on a view if history is long enough for its level.\n\nExamples:\n  sluice rules check\n  sluice rules check -f rules.yaml --format json"
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
		Items json.RawMessage `json:"items"`
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
	var rows [][]string
	for _, r := range items {
		rows = append(rows, []string{r.Rule, r.View, fmt.Sprintf("%.3g", r.Level), strconv.FormatBool(r.Reachable), fmt.Sprintf("%.3g", r.SmallestShiftSD)})
	}
	return table(e.stdout, "RULE VIEW LEVEL REACHABLE SMALLEST_SHIFT_SD", rows)
}
