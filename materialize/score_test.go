package materialize

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
	"sluice/rules"
)

// The score of a view and of its services is shown once a window was judged, and is
// gone with them.
func TestScoreMetrics(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.defs.Services = []feature.Service{{Name: "fraud", Features: []string{w.view.Name + ":amount"}}, {Name: "idle", Features: []string{"others:x"}}}
	w.judge = func(Evidence) (Opinion, error) {
		o := verdict(rules.Pass)
		o.Verdict.Reasons, o.Verdict.Scores = nil, []feature.Score{{Feature: "amount", Severity: 3}}
		return o, nil
	}
	w.run(0, 10, 10)
	m := w.gate.metrics
	if got := testutil.ToFloat64(m.score.WithLabelValues(w.view.Name)); got != .9 {
		t.Errorf("score of the view %v, want .9", got)
	}
	if got := testutil.ToFloat64(m.service.WithLabelValues("fraud")); got != .9 || testutil.CollectAndCount(m.service) != 1 {
		t.Errorf("score of the service %v of %d, want .9 of fraud alone", got, testutil.CollectAndCount(m.service))
	}
	w.gate.forgetOthers(w.defs)
	w.gate.forgetOthers(&feature.Definitions{})
	if n := testutil.CollectAndCount(m.score) + testutil.CollectAndCount(m.service); n != 0 {
		t.Errorf("%d series of what is gone", n)
	}
}
