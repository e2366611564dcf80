package dashboards

import (
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// Problem is one difference between the catalog and what a process exports.
type Problem struct {
	Metric string
	Text   string
}

// String returns the metric and what is wrong with it.
func (p Problem) String() string { return p.Metric + ": " + p.Text }

// Check compares the metrics of a live registry with the catalog. It reports
// every exported sluice_ metric that the catalog does not know, has with
// another type or with other labels, or whose label takes a value that the
// catalog rules out; and every metric of the catalog that has no source.
//
// A vector without series is not gathered: gather through Inventory, so that
// it counts as a source all the same. Metrics of other prefixes are passed over.
func Check(gathered []*dto.MetricFamily) []Problem {
	var problems []Problem
	seen := map[string]bool{}
	for _, family := range gathered {
		name := family.GetName()
		if !strings.HasPrefix(name, "sluice_") {
			continue
		}
		seen[name] = true
		m, ok := Lookup(name)
		if !ok {
			problems = append(problems, Problem{name, "is exported and not in the catalog"})
			continue
		}
		for _, text := range differences(m, family) {
			problems = append(problems, Problem{name, text})
		}
	}
	for _, m := range Catalog {
		if !seen[m.Name] {
			problems = append(problems, Problem{m.Name, "is in the catalog and has no source in " + m.Module})
		}
	}
	return problems
}

// differences says, each thing once, where a family departs from its entry.
func differences(m Metric, family *dto.MetricFamily) []string {
	var texts []string
	if got, ok := exportedType(family); ok && got != m.Type {
		texts = append(texts, fmt.Sprintf("is a %s, the catalog says %s", got, m.Type))
	}
	want := names(m.Labels)
	for _, metric := range family.GetMetric() {
		var got []string
		for _, pair := range metric.GetLabel() {
			got = append(got, pair.GetName())
			if l, ok := m.label(pair.GetName()); ok && !l.allows(pair.GetValue()) {
				texts = append(texts, fmt.Sprintf("label %s has value %q, the catalog says %s", l.Name, pair.GetValue(), strings.Join(l.Values, ", ")))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			texts = append(texts, fmt.Sprintf("has labels %v, the catalog says %v", got, want))
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// exportedType returns the catalog's word for a family's type; false if the
// family does not say, as an Inventory's placeholder does not.
func exportedType(family *dto.MetricFamily) (Type, bool) {
	switch family.GetType() {
	case dto.MetricType_COUNTER:
		return Counter, true
	case dto.MetricType_GAUGE:
		return Gauge, true
	case dto.MetricType_HISTOGRAM:
		for _, m := range family.GetMetric() {
			if m.GetHistogram().Schema == nil {
				return "classic histogram", true
			}
		}
		return Histogram, true
	}
	return "", false
}

// allows reports whether the label may take value. The empty value stands for
// a series that does not exist yet.
func (l Label) allows(value string) bool {
	return len(l.Values) == 0 || value == "" || slices.Contains(l.Values, value)
}

// names returns the labels' names in order.
func names(labels []Label) []string {
	var out []string
	for _, l := range labels {
		out = append(out, l.Name)
	}
	slices.Sort(out)
	return out
}
