package dashboards

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	l := newLinter()
	l.board(Overview())
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	l.rules(files["rules.yaml"])
	for _, p := range l.problems {
		t.Error(p)
	}
	for _, m := range Catalog {
		if !l.used[m.Name] {
			t.Errorf("metric %s is read by no panel and no rule", m.Name)
		}
	}
	for name := range l.recorded {
		if !l.used[name] {
			t.Errorf("recorded series %s is read by no panel and no alert", name)
		}
	}
}

// TestRunbookQueries lints the queries that the runbook tells people to run.
func TestRunbookQueries(t *testing.T) {
	body, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	l, queries := newLinter(), 0
	for i, block := range strings.Split(string(body), "```") {
		for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
			if i%2 == 0 || strings.HasPrefix(line, "sluice ") || strings.HasPrefix(line, "curl ") || strings.HasPrefix(line, "up{") {
				continue
			}
			queries++
			l.expr("runbook", line)
		}
	}
	for _, p := range l.problems {
		t.Error(p)
	}
	if queries < len(Alerts()) {
		t.Errorf("found %d queries, want at least one an alert", queries)
	}
}

// TestLintFinds plants one fault at a time, so that a lint that finds nothing
// is known to look.
func TestLintFinds(t *testing.T) {
	board := func(change func(*Panel)) func(*linter) {
		return func(l *linter) {
			d := Overview()
			change(&d.Panels[slices.IndexFunc(d.Panels, func(p Panel) bool { return p.Title == "Rows observed" })])
			l.board(d)
		}
	}
	expr := func(text string) func(*linter) {
		return board(func(p *Panel) { p.Targets[0].Expr = text })
	}
	rule := func(text string) func(*linter) {
		return func(l *linter) {
			l.rules([]byte("groups: [{name: g, rules: [{alert: A, expr: '" + text + "'}]}]"))
		}
	}
	for name, tc := range map[string]struct {
		plant func(*linter)
		want  string
	}{
		"no expression":         {expr("sum by ("), "parse error"},
		"misspelt metric":       {expr(`sum by (view) (rate(sluice_row_observed_total[$__rate_interval]))`), "not in the catalog"},
		"label of another":      {expr(`sum by (view) (rate(sluice_rows_observed_total{topic="a"}[$__rate_interval]))`), "has no label topic"},
		"value that never is":   {expr(`sum(rate(sluice_tap_writes_total{result="deadlettered"}[$__rate_interval]))`), "never is"},
		"groups by nothing":     {expr(`sum by (topic) (rate(sluice_rows_observed_total[$__rate_interval]))`), "groups by topic"},
		"fixed range":           {expr(`sum by (view) (rate(sluice_rows_observed_total[5m]))`), "range is fixed"},
		"rate of a gauge":       {expr(`rate(sluice_tap_lag_seconds[$__rate_interval])`), "is a gauge"},
		"counter without range": {expr(`sum by (view) (sluice_rows_observed_total)`), "is a counter"},
		"unknown variable":      {expr(`sum by (view) (rate(sluice_rows_observed_total{view=~"$views"}[$__rate_interval]))`), "variable $views"},
		"legend of another":     {board(func(p *Panel) { p.Targets[0].LegendFormat = "{{topic}}" }), "legend names topic"},
		"panels overlap":        {board(func(p *Panel) { p.GridPos.Y-- }), "overlaps"},
		"off the grid":          {board(func(p *Panel) { p.GridPos.X = 23 }), "outside the grid"},
		"same id":               {board(func(p *Panel) { p.ID = 1 }), "has the id of"},
		"rule is no expression": {rule("sluice_gate_blocked >"), "parse error"},
		"rule of no metric":     {rule("sluice_gate_shut > 0"), "not in the catalog"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLinter()
			tc.plant(l)
			if !strings.Contains(strings.Join(l.problems, "\n"), tc.want) {
				t.Errorf("problems %q, want one with %q", l.problems, tc.want)
			}
		})
	}
}
