package materialize

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
	"sluice/rules"
)

// Features beyond the first ten thousand share a series of their view, which shows the one
// that moved most; those of a view that is gone make room.
func TestFeatureSeries(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry())
	wide := func(name string, n int) *feature.View {
		view := &feature.View{Name: name}
		for i := range n {
			view.Features = append(view.Features, feature.Feature{Name: fmt.Sprintf("f%d", i)})
		}
		return view
	}
	moved := &rules.Verdict{Reasons: []rules.Reason{{Feature: "f7", Severity: 3}, {Feature: "f9", Severity: 2}}}
	first, second := wide("first", maxFeatureSeries-8), wide("second", 20)
	m.severities(first, moved)
	m.severities(second, moved)
	m.severities(second, moved) // the same have theirs again
	if n := testutil.CollectAndCount(m.feature); n != maxFeatureSeries+1 {
		t.Errorf("%d series, want %d and one of the rest", n, maxFeatureSeries)
	}
	for name, want := range map[string]float64{"f7": 3, otherFeatures: 2} {
		if got := testutil.ToFloat64(m.feature.WithLabelValues("second", name)); got != want {
			t.Errorf("severity of %s is %g, want %g", name, got, want)
		}
	}
	m.forget("first")
	m.severities(wide("third", 100), moved)
	if n := testutil.CollectAndCount(m.feature); n != 8+1+100 {
		t.Errorf("%d series once the first view is gone, want 109", n)
	}
}
