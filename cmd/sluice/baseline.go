package main

import (
	"encoding/json"
	"fmt"

	"sluice/materialize"
)

type baselineCmd struct {
	Set    baselineSetCmd    `cmd:"" help:"Pin history to the windows up to a version's."`
	Accept baselineAcceptCmd `cmd:"" help:"Start history and layout anew at a version's window: the new normal."`
	Revert baselineRevertCmd `cmd:"" help:"Take back the last set or accept that is in force."`
	Show   baselineShowCmd   `cmd:"" help:"Show what windows are compared with."`
}

type baselineSetCmd struct{ actionFlags }

// Help shows examples.
func (*baselineSetCmd) Help() string {
	return "Later windows are judged, but no longer enter history.\n\nExamples:\n  sluice baseline set carrier_delays --version 12 --reason 'the quiet month'"
}

func (c *baselineSetCmd) Run(e *env) error { return c.rebase(e, "set") }

type baselineAcceptCmd struct{ actionFlags }

// Help shows examples.
func (*baselineAcceptCmd) Help() string {
	return "Rejected versions stay rejected.\n\nExamples:\n  sluice baseline accept carrier_delays --version 12 --reason 'summer schedule'"
}

func (c *baselineAcceptCmd) Run(e *env) error { return c.rebase(e, "accept") }

func (c *actionFlags) rebase(e *env, what string) error {
	if err := c.needsVersion(); err != nil {
		return err
	}
	return c.change(e, what)
}

func (c *actionFlags) change(e *env, what string) error {
	if err := c.needsReason(); err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.post(e.ctx, viewPath(c.View, "baseline", what), c.request(), &raw); err != nil {
		return err
	}
	return printBaseline(e, c.Format, raw)
}

type baselineRevertCmd struct {
	connection
	View         string  `arg:"" help:"View."`
	Reason       string  `help:"Why, for the audit log." placeholder:"TEXT"`
	By           string  `help:"Who does it, where the server knows no tokens." env:"USER" placeholder:"NAME"`
	IfGeneration *uint64 `name:"if-generation" help:"Only if the view has this generation." placeholder:"N"`
}

// Help shows examples.
func (*baselineRevertCmd) Help() string {
	return "What stood before stands again, with its layout and windows; they are read from the log where they are gone. Windows that passed\nunder an accepted baseline that is taken back leave history.\n\nExamples:\n  sluice baseline revert carrier_delays --reason 'the new price list was a mistake'"
}

func (c *baselineRevertCmd) Run(e *env) error {
	flags := actionFlags{connection: c.connection, View: c.View, Reason: c.Reason, By: c.By, IfGeneration: c.IfGeneration}
	return flags.change(e, "revert")
}

type baselineShowCmd struct {
	connection
	View    string `arg:"" help:"View."`
	History bool   `help:"List the decisions about the baseline instead: who, why, when."`
}

// Help shows examples.
func (*baselineShowCmd) Help() string {
	return "PINNED is what stands beside a history that follows the windows that pass: the first full one since a decision about the baseline.\nThe last windows are compared with it as well, so that a slow drift shows (method pinned).\n\nExamples:\n  sluice baseline show carrier_delays\n  sluice baseline show carrier_delays --history"
}

func (c *baselineShowCmd) Run(e *env) error {
	if c.History {
		return c.decisions(e)
	}
	var raw json.RawMessage
	if err := c.get(e.ctx, viewPath(c.View, "baseline"), &raw); err != nil {
		return err
	}
	return printBaseline(e, c.Format, raw)
}

func printBaseline(e *env, format string, raw json.RawMessage) error {
	if format == "json" {
		return printJSON(e.stdout, raw)
	}
	var b materialize.BaselineStatus
	if err := json.Unmarshal(raw, &b); err != nil {
		return fmt.Errorf("answer about the baseline: %w", err)
	}
	return table(e.stdout, "VIEW KIND WINDOWS FROM TO LAYOUT BY PINNED REASON", [][]string{
		{b.View, b.Kind, number(b.Windows), when(b.From), when(b.To), b.Layout, b.By, beside(b.Beside), b.Reason},
	})
}

// beside says what stands beside a history that follows the windows that pass.
func beside(b *materialize.BesideStatus) string {
	switch {
	case b == nil:
		return "-" // history itself stands
	case b.Windows == 0:
		return fmt.Sprintf("in %d windows", max(1, b.Missing))
	}
	return fmt.Sprintf("%d windows to %s", b.Windows, when(b.To))
}

// decisions lists who decided what about the baseline, and why.
func (c *baselineShowCmd) decisions(e *env) error {
	var raw json.RawMessage
	if err := c.get(e.ctx, viewPath(c.View, "baseline", "history"), &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	var list struct {
		Items []materialize.BaselineDecision `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("answer about the baselines: %w", err)
	}
	rows := [][]string{}
	for _, d := range list.Items {
		what := d.State
		if d.Undoes > 0 {
			what = fmt.Sprintf("takes back %d", d.Undoes)
		}
		rows = append(rows, []string{number(d.Number), when(d.At), d.Kind, what, number(int(d.Version)), when(d.From), d.By, d.Reason})
	}
	return table(e.stdout, "NUMBER AT KIND STATE VERSION FROM BY REASON", rows)
}
