package materialize

import (
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
	"sluice/rules"
)

// What nobody asks for weighs a tenth in the metrics, as it does in the API.
func TestScoreMetricsKnowReads(t *testing.T) {
	view := paymentsView()
	view.Features = append(view.Features, feature.Feature{ID: 2, Name: "note", Type: feature.String})
	w := newWorld(t, view)
	w.clock.set = true // reads are counted by it
	w.judge = func(Evidence) (Opinion, error) {
		o := verdict(rules.Pass)
		o.Verdict.Reasons, o.Verdict.Scores = nil, []feature.Score{{Feature: "amount", Severity: 3}, {Feature: "note", Severity: 0}}
		return o, nil
	}
	w.run(0, 10, 10)
	score := func() float64 { return testutil.ToFloat64(w.gate.metrics.score.WithLabelValues(w.view.Name)) }
	if got, want := score(), .9/2; math.Abs(got-want) > 1e-12 {
		t.Errorf("score before anybody read %v, want %v", got, want)
	}
	now, _ := w.clock.Now()
	hour := feature.WindowSpec{Size: feature.ReadershipSpan}.Of(now)
	if err := w.registry.PutReadership(t.Context(), []feature.Readership{{View: w.view.ID, Window: hour, Process: "p", First: hour.Start,
		Reads: []feature.FeatureReads{{Rows: 100}, {Feature: 1, Rows: 100}}}}); err != nil {
		t.Fatal(err)
	}
	w.run(1, 10, 10)
	if got, want := score(), .9/1.1; math.Abs(got-want) > 1e-12 {
		t.Errorf("score %v where amount alone is read, want %v", got, want)
	}
}

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
