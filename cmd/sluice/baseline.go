package main

import (
	"encoding/json"
	"fmt"

	"sluice/materialize"
)

type baselineCmd struct {
	Set    baselineSetCmd    `cmd:"" help:"Pin history to the windows up to a version's."`
	Accept baselineAcceptCmd `cmd:"" help:"Start history and layout anew at a version's window: the new normal."`
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
	if err := c.needsReason(); err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.post(e.ctx, viewPath(c.View, "baseline", what), c.request(), &raw); err != nil {
		return err
	}
	return printBaseline(e, c.Format, raw)
}

type baselineShowCmd struct {
	connection
	View string `arg:"" help:"View."`
}

// Help shows examples.
func (*baselineShowCmd) Help() string { return "Examples:\n  sluice baseline show carrier_delays" }

func (c *baselineShowCmd) Run(e *env) error {
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
	return table(e.stdout, "VIEW KIND WINDOWS FROM TO LAYOUT BY REASON", [][]string{
		{b.View, b.Kind, number(b.Windows), when(b.From), when(b.To), b.Layout, b.By, b.Reason},
	})
}
