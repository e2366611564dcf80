package dashboards

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/template"
)

// TestRules runs the rule unit tests with Prometheus's own engine and template
// expander; `promtool test rules` runs the same file.
func TestRules(t *testing.T) {
	file, tested := RuleTests(), map[string]map[bool]bool{}
	for _, tc := range file.Tests {
		t.Run(tc.Name, func(t *testing.T) {
			run := newRuleRun(t, tc)
			for _, want := range tc.Alerts {
				at, err := model.ParseDuration(want.EvalTime)
				if err != nil {
					t.Fatal(err)
				}
				run.until(t, time.Duration(at))
				if got, want := run.firing(want.Alertname), texts(want.Firing); got != want {
					t.Errorf("at %s:\n got %s\nwant %s", time.Duration(at), got, want)
				}
			}
		})
		for _, a := range tc.Alerts {
			if tested[a.Alertname] == nil {
				tested[a.Alertname] = map[bool]bool{}
			}
			tested[a.Alertname][len(a.Firing) > 0] = true
		}
	}
	for _, name := range Alerts() {
		if !tested[name][true] {
			t.Errorf("alert %s has no test in which it fires", name)
		}
	}
}

// ruleRun evaluates the rules a minute at a time.
type ruleRun struct {
	load   *promqltest.LazyLoader
	next   time.Duration
	active map[string]map[string]time.Time // alert, filled-in text: since when
	rules  map[string]Rule
	now    time.Duration
}

func newRuleRun(t *testing.T, tc RuleTest) *ruleRun {
	t.Helper()
	input := "load 1m\n"
	for _, s := range tc.InputSeries {
		input += "  " + s.Series + " " + s.Values + "\n"
	}
	load, err := promqltest.NewLazyLoader(input, promqltest.LazyLoaderOpts{
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: parser.NewParser(parser.Options{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = load.Close() })
	return &ruleRun{load: load, active: map[string]map[string]time.Time{}, rules: map[string]Rule{}}
}

func (r *ruleRun) until(t *testing.T, end time.Duration) {
	t.Helper()
	for ; r.next <= end; r.next += time.Minute {
		at := time.Unix(0, 0).UTC().Add(r.next)
		r.now = r.next
		r.load.WithSamplesTill(at, func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range Rules().Groups {
				for _, rule := range g.Rules {
					if err := r.eval(rule, at); err != nil {
						t.Fatalf("rule %s%s at %s: %v", rule.Record, rule.Alert, at, err)
					}
				}
			}
		})
	}
}

func (r *ruleRun) query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	q, err := r.load.QueryEngine().NewInstantQuery(ctx, r.load.Storage(), nil, expr, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	return q.Exec(ctx).Vector()
}

func (r *ruleRun) eval(rule Rule, at time.Time) error {
	vector, err := r.query(r.load.Context(), rule.Expr, at)
	if err != nil {
		return err
	}
	if rule.Record != "" {
		return r.record(rule, vector, at)
	}
	r.rules[rule.Alert] = rule
	active := map[string]time.Time{}
	for _, s := range vector {
		text, err := r.fill(rule, s, at)
		if err != nil {
			return err
		}
		key := s.Metric.DropReserved(func(n string) bool { return n == model.MetricNameLabel }).String() + "\x00" + text
		since, ok := r.since(rule.Alert, s)
		if !ok {
			since = at
		}
		active[key] = since
	}
	r.active[rule.Alert] = active
	return nil
}

// since returns when the alert with the sample's labels began, whatever its
// text said then.
func (r *ruleRun) since(alert string, s promql.Sample) (time.Time, bool) {
	id := s.Metric.DropReserved(func(n string) bool { return n == model.MetricNameLabel }).String() + "\x00"
	for key, since := range r.active[alert] {
		if strings.HasPrefix(key, id) {
			return since, true
		}
	}
	return time.Time{}, false
}

// record stores what a recording rule computed, as of its time.
func (r *ruleRun) record(rule Rule, vector promql.Vector, at time.Time) error {
	app := r.load.Storage().Appender(r.load.Context())
	for _, s := range vector {
		ls := labels.NewBuilder(s.Metric).Set(model.MetricNameLabel, rule.Record).Labels()
		if _, err := app.Append(0, ls, at.UnixMilli(), s.F); err != nil {
			return err
		}
	}
	return app.Commit()
}

// fill returns the alert's labels and annotations with their templates filled in.
func (r *ruleRun) fill(rule Rule, s promql.Sample, at time.Time) (string, error) {
	fired := Fired{Labels: s.Metric.Map(), Annotations: map[string]string{}}
	delete(fired.Labels, model.MetricNameLabel)
	data := template.AlertTemplateData(fired.Labels, nil, "", s)
	for key, text := range rule.Annotations {
		text = "{{$labels := .Labels}}{{$value := .Value}}" + text
		filled, err := template.NewTemplateExpander(r.load.Context(), text, rule.Alert, data, model.Time(at.UnixMilli()), r.query, nil, nil).Expand()
		if err != nil {
			return "", err
		}
		fired.Annotations[key] = filled
	}
	for key, value := range rule.Labels {
		fired.Labels[key] = value
	}
	return texts([]Fired{fired}), nil
}

// firing returns the text of the alert's instances that have been active for as
// long as it holds them back.
func (r *ruleRun) firing(alert string) string {
	hold, _ := model.ParseDuration(r.rules[alert].For)
	var out []string
	for key, since := range r.active[alert] {
		if time.Unix(0, 0).Add(r.now).Sub(since) >= time.Duration(hold) {
			_, text, _ := strings.Cut(key, "\x00")
			out = append(out, text)
		}
	}
	return strings.Join(out, "; ")
}

// texts returns fired alerts as one line, for comparison.
func texts(fired []Fired) string {
	var out []string
	for _, f := range fired {
		out = append(out, fmt.Sprint(f.Labels, f.Annotations))
	}
	return strings.Join(out, "; ")
}
