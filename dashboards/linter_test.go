package dashboards

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// scrapeLabels are the labels that Prometheus adds to every series.
var scrapeLabels = []string{"job", "instance"}

// linter holds expressions against the catalog and the recorded series.
type linter struct {
	parser   parser.Parser
	recorded map[string][]string // recorded series to its labels
	used     map[string]bool     // metrics that some expression reads
	problems []string
}

func newLinter() *linter {
	l := &linter{parser: parser.NewParser(parser.Options{}), recorded: map[string][]string{}, used: map[string]bool{}}
	for _, r := range recording() {
		l.recorded[r.Record] = by(r.Expr)
	}
	return l
}

// by returns the labels that an expression is grouped by at its first aggregation.
func by(expr string) []string {
	m := regexp.MustCompile(`by \(([^)]*)\)`).FindStringSubmatch(expr)
	if m == nil {
		return nil
	}
	return strings.Split(strings.ReplaceAll(m[1], " ", ""), ",")
}

func (l *linter) problem(where, format string, args ...any) {
	l.problems = append(l.problems, where+": "+fmt.Sprintf(format, args...))
}

// expr checks one expression and returns the labels its series may carry.
func (l *linter) expr(where, expr string) []string {
	parsed, err := l.parser.ParseExpr(expr)
	if err != nil {
		l.problem(where, "%v", err)
		return nil
	}
	known := slices.Clone(scrapeLabels)
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok {
			known = append(known, l.selector(where, v, path)...)
		}
		return nil
	})
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		for _, name := range grouping(node) {
			if !slices.Contains(known, name) {
				l.problem(where, "groups by %s, which no series of it has", name)
			}
		}
		return nil
	})
	return known
}

// grouping returns the labels that an aggregation or a join names.
func grouping(node parser.Node) []string {
	switch n := node.(type) {
	case *parser.AggregateExpr:
		return n.Grouping
	case *parser.BinaryExpr:
		if n.VectorMatching != nil {
			return slices.Concat(n.VectorMatching.MatchingLabels, n.VectorMatching.Include)
		}
	}
	return nil
}

// selector checks one selector and returns the labels of its series.
func (l *linter) selector(where string, v *parser.VectorSelector, path []parser.Node) []string {
	l.used[v.Name] = true
	if recorded, ok := l.recorded[v.Name]; ok {
		return recorded
	}
	metric, ok := Lookup(v.Name)
	if !ok {
		l.problem(where, "metric %s is not in the catalog", v.Name)
		return nil
	}
	for _, m := range v.LabelMatchers {
		if m.Name != model.MetricNameLabel {
			l.matcher(where, metric, m)
		}
	}
	l.rate(where, metric, path)
	return names(metric.Labels)
}

func (l *linter) matcher(where string, metric Metric, m *labels.Matcher) {
	label, ok := metric.label(m.Name)
	if !ok {
		l.problem(where, "metric %s has no label %s", metric.Name, m.Name)
		return
	}
	if len(label.Values) == 0 || strings.Contains(m.Value, "$") {
		return
	}
	for _, word := range strings.Split(m.Value, "|") {
		one, err := labels.NewMatcher(labels.MatchRegexp, m.Name, word)
		if err != nil || !slices.ContainsFunc(label.Values, one.Matches) {
			l.problem(where, "label %s of %s never is %q", m.Name, metric.Name, word)
		}
	}
}

// rate checks that ranges are taken over counters and histograms alone, and
// that these are never read without one, but to see that a series is new.
func (l *linter) rate(where string, metric Metric, path []parser.Node) {
	ranged := slices.ContainsFunc(path, func(n parser.Node) bool { _, ok := n.(*parser.MatrixSelector); return ok })
	news := slices.ContainsFunc(path, func(n parser.Node) bool { b, ok := n.(*parser.BinaryExpr); return ok && b.Op == parser.LUNLESS })
	if ranged == (metric.Type == Gauge) && !(news && metric.Type == Counter) {
		l.problem(where, "%s is a %s; range %t", metric.Name, metric.Type, ranged)
	}
}

var (
	fixedRange = regexp.MustCompile(`\[\d+[smhdwy]`)
	variable   = regexp.MustCompile(`\$\{?(\w+)\}?`)
	legendName = regexp.MustCompile(`\{\{(\w+)\}\}`)
	builtin    = map[string]string{"__rate_interval": "5m", "__range": "1h", "__interval": "1m", "__all": ""}
)

// board checks a whole dashboard.
func (l *linter) board(d Dashboard) {
	vars := map[string]bool{}
	for _, v := range d.Templating.List {
		vars[v.Name] = true
		if v.Type == "query" {
			l.variableQuery("variable "+v.Name, v.Query)
		}
	}
	for _, a := range d.Annotations.List {
		l.query("annotation "+a.Name, a.Expr, a.TitleFormat, vars)
	}
	for i, p := range d.Panels {
		where := fmt.Sprintf("panel %q", p.Title)
		if p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			l.problem(where, "has no query or no description")
		}
		for _, target := range p.Targets {
			l.query(where, target.Expr, target.LegendFormat, vars)
		}
		l.position(where, p, d.Panels[:i])
	}
}

// query checks one expression of a dashboard: its variables, ranges and legend.
func (l *linter) query(where, expr, legend string, vars map[string]bool) {
	if fixedRange.MatchString(expr) {
		l.problem(where, "range is fixed, want [$__rate_interval]: %s", expr)
	}
	resolved := variable.ReplaceAllStringFunc(expr, func(text string) string {
		name := strings.Trim(text, "${}")
		value, ok := builtin[name]
		if !ok && !vars[name] {
			l.problem(where, "variable %s does not exist", text)
		}
		if ok {
			return value
		}
		return text
	})
	known := l.expr(where, resolved)
	for _, m := range legendName.FindAllStringSubmatch(legend, -1) {
		if !slices.Contains(known, m[1]) {
			l.problem(where, "legend names %s, which no series of it has", m[1])
		}
	}
}

// variableQuery checks label_values(metric, label).
func (l *linter) variableQuery(where, query string) {
	m := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(query)
	if m == nil {
		l.problem(where, "is no label_values(metric, label): %s", query)
		return
	}
	metric, ok := Lookup(m[1])
	if _, has := metric.label(m[2]); !ok || !has {
		l.problem(where, "metric %s with label %s is not in the catalog", m[1], m[2])
	}
}

// position checks that a panel lies on the grid, clear of those before it.
func (l *linter) position(where string, p Panel, before []Panel) {
	g := p.GridPos
	if g.X < 0 || g.W <= 0 || g.H <= 0 || g.X+g.W > 24 {
		l.problem(where, "lies outside the grid: %+v", g)
	}
	for _, q := range before {
		o := q.GridPos
		if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
			l.problem(where, "overlaps %q", q.Title)
		}
		if p.ID == q.ID {
			l.problem(where, "has the id of %q", q.Title)
		}
	}
}

// rules checks a rule file with Prometheus's own parser and against the catalog.
func (l *linter) rules(body []byte) {
	groups, errs := rulefmt.Parse(body, false, model.UTF8Validation, l.parser, slog.New(slog.DiscardHandler))
	for _, err := range errs {
		l.problem("rules.yaml", "%v", err)
	}
	if groups == nil {
		return
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			l.expr("rule "+r.Record+r.Alert, r.Expr)
		}
	}
}
