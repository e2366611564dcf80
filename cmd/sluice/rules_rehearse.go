package main

import (
	"errors"
	"fmt"
	"strings"

	"sluice/internal/rehearsal"
)

type rulesTestCmd struct {
	Files       []string `arg:"" name:"file" help:"Files of tests."`
	Definitions string   `short:"f" name:"definitions" help:"Definitions, in place of those that the files name." placeholder:"DIR"`
	Format      string   `enum:"table,json" default:"table" help:"Output format: table or json." placeholder:"table|json"`
}

// Help shows what a file of tests is like.
func (*rulesTestCmd) Help() string {
	return `Every test is windows of one view in a row, on a gate that knows nothing before: its judges, layouts, probation and holds are those of the platform. Rows are made up by series, from the test's seed, the same each time: normal: [mean, sd], lognormal: [mu, sigma], uniform: [low, high], poisson: mean, shares: {DE: 0.6, NL: 0.4}, constant or cycle; each with nulls (a share), and numbers with times and plus. A window may also have values (its rows) or a file. What a window expects may be state, decision, reasons (each must be there: rule, feature, method, summary, outcome), not (none may be there) and rolled_back. Exit code 1: a test failed.

  definitions: ../payments       # relative to this file; or -f DIR
  rules: rules.yaml              # in place of those of the definitions
  tests:
    - name: cents in place of euros are blocked
      view: payments
      rows: 500
      seed: 12
      series: {amount: {lognormal: [3.5, 0.8], nulls: 0.01}, country: {shares: {DE: 0.7, NL: 0.3}}}
      history: 20                # windows that must be published first
      windows:
        - series: {amount: {lognormal: [3.5, 0.8], times: 100}}
          expect: {state: fail, decision: reject, reasons: [{rule: drift, feature: amount, outcome: fail}]}

Examples:
  sluice rules test examples/rules/payments_test.yaml
  sluice rules test -f features/ tests/*.yaml --format json`
}

// errTests reports tests that failed; what failed is shown already.
var errTests = errors.New("tests failed")

func (c *rulesTestCmd) Run(e *env) error {
	var all []rehearsal.Outcome
	for _, name := range c.Files {
		script, err := rehearsal.Load(name, c.Definitions)
		if err != nil {
			return err
		}
		found, err := script.Run(e.ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, found...)
		if c.Format == "table" {
			c.show(e, name, found)
		}
	}
	failed := 0
	for i := range all {
		if !all[i].OK {
			failed++
		}
	}
	if c.Format == "json" {
		if err := printJSON(e.stdout, map[string]any{"items": all, "failed": failed}); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of %d", errTests, failed, len(all))
	}
	return nil
}

// show writes what became of a file's tests: of those that failed what was expected (-)
// and what came (+).
func (*rulesTestCmd) show(e *env, name string, found []rehearsal.Outcome) {
	fmt.Fprintln(e.stdout, name)
	for _, o := range found {
		word := "ok    "
		if !o.OK {
			word = "FAILED"
		}
		fmt.Fprintf(e.stdout, "  %s  %s (%d windows)\n", word, o.Test, o.Windows)
		for _, f := range o.Failures {
			fmt.Fprintf(e.stdout, "          %s\n", f.Window)
			for _, line := range f.Want {
				fmt.Fprintf(e.stdout, "          - %s\n", line)
			}
			for _, line := range f.Got {
				fmt.Fprintf(e.stdout, "          + %s\n", strings.ReplaceAll(line, "\n", " "))
			}
		}
	}
}
