package materialize

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sluice/feature"
	"sluice/rules"
)

const namespace = "sluice"

// metrics are the gate's, on the registerer it was given. Labels come from
// definitions and fixed words, never from data.
type metrics struct {
	verdicts  *prometheus.CounterVec
	decisions *prometheus.CounterVec
	rollbacks *prometheus.CounterVec
	overrides *prometheus.CounterVec
	blocked   *prometheus.GaugeVec
	frozen    *prometheus.GaugeVec
	waiting   *prometheus.GaugeVec
	overdue   *prometheus.GaugeVec
	skew      *prometheus.GaugeVec
	tripped   *prometheus.GaugeVec
	objective *prometheus.GaugeVec
	feature   *prometheus.GaugeVec
	score     *prometheus.GaugeVec
	service   *prometheus.GaugeVec
	shown     featureSeries
	severity  *prometheus.HistogramVec
	close     *prometheus.HistogramVec
	decide    prometheus.Histogram
	leading   prometheus.Gauge
	errors    *prometheus.CounterVec
	swept     *prometheus.CounterVec
	audited   *prometheus.CounterVec
}

// newMetrics registers the gate's metrics with reg; nil registers nothing.
func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return auto.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return auto.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	native := func(name, help string) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}
	}
	return &metrics{
		verdicts:  counter("verdicts_total", "Verdicts, by view, window (base, probation, freshness) and outcome (pass, warn, fail, inconclusive, error).", "view", "window", "outcome"),
		decisions: counter("gate_decisions_total", "Decisions, by view, decision (publish, hold, reject, rollback, none) and reason (the method of the worst reason, or none).", "view", "decision", "reason"),
		rollbacks: counter("rollbacks_total", "Versions taken out after they were visible, by view and trigger (verdict, person).", "view", "trigger"),
		overrides: counter("gate_overrides_total", "Decisions by people: approve, reject, freeze, thaw, baseline, by view.", "view"),
		blocked:   gauge("gate_blocked", "1 while the newest judged window of a view is not visible, by view.", "view"),
		frozen:    gauge("view_frozen", "1 while a view is frozen, by view.", "view"),
		waiting:   gauge("gate_waiting", "Versions that passed and wait for room in the list or in the online store, or for a thaw, by view.", "view"),
		overdue:   gauge("window_overdue", "Windows that should have closed a window length ago and have not, by view.", "view"),
		skew:      gauge("clock_skew_seconds", "How far the clock of a producer is off, the worst of those of a view that wrote within two minutes, by view and direction (ahead, behind); 0 if none is seen to be.", "view", "direction"),
		tripped:   gauge("source_tripped", "1 while too many records of a view's source were dead letters in the time of its newest judged window, by view.", "view"),
		objective: gauge("freshness_objective_seconds", "Age at which a view is reported late (freshness.warn), by view; 0 without.", "view"),
		feature:   gauge("feature_severity_ratio", "Worst severity over the methods in the newest judged window, by view and feature; 1 is the threshold. Features beyond 10,000 share one by view, other.", "view", "feature"),
		score:     gauge("view_score_ratio", "How much of what matters in a view moved in its newest judged window, 0 to 1, by view: see rules.ViewImpact.", "view"),
		service:   gauge("service_score_ratio", "How much of what matters to a service moved in the newest judged windows of its views, 0 to 1, by service: see rules.ServiceImpact.", "service"),
		severity: auto.NewHistogramVec(native("drift_severity_ratio", "Severity of the scores that a verdict shows, by view, test (method) and window (base, probation); 1 is the threshold."),
			[]string{"view", "test", "window"}),
		close:   auto.NewHistogramVec(native("window_close_delay_seconds", "Time from the end of a window plus lateness to its decision, by window (base)."), []string{"window"}),
		decide:  auto.NewHistogram(native("gate_decide_duration_seconds", "Time to judge one complete window and commit the decision.")),
		leading: auto.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "gate_leading", Help: "1 in the process that judges and publishes, 0 in those that stand by."}),
		errors:  counter("gate_errors_total", "Decisions that could not be taken and are tried again, by view.", "view"),
		audited: counter("gate_audited_rows_total", "Rows read back before their window is judged, and those of versions that show or wait after a change of servers, by view and result (there, lost, unread): lost ones were staged again from the log, unread ones are no longer in the log.", "view", "result"),
		swept:   counter("gate_swept_rows_total", "Rows of dead and superseded versions removed from the online store, by view.", "view"),
	}
}

// windowLabel is the window label of a verdict's kind.
func windowLabel(kind string) string {
	if kind == "window" {
		return "base"
	}
	return kind
}

// view shows a view before anything happened to it, so that the first rollback is
// a rise and not a new series.
func (m *metrics) view(view *feature.View) {
	m.objective.WithLabelValues(view.Name).Set(view.Freshness.Warn.Seconds())
	m.overrides.WithLabelValues(view.Name).Add(0)
	for _, result := range []string{"there", "lost", "unread"} {
		m.audited.WithLabelValues(view.Name, result).Add(0)
	}
	for _, trigger := range []string{"verdict", "person"} {
		m.rollbacks.WithLabelValues(view.Name, trigger).Add(0)
	}
}

// verdict counts one verdict and its decision.
func (m *metrics) verdict(view *feature.View, v *rules.Verdict) {
	label := windowLabel(v.Kind)
	m.verdicts.WithLabelValues(view.Name, label, string(v.State)).Inc()
	method := "none"
	if len(v.Reasons) > 0 && v.Reasons[0].Method != "" {
		method = v.Reasons[0].Method
	}
	m.decisions.WithLabelValues(view.Name, v.Decision, method).Inc()
	if n := len(v.RolledBack); n > 0 {
		m.rollbacks.WithLabelValues(view.Name, "verdict").Add(float64(n))
	}
	if v.Kind == "window" {
		m.close.WithLabelValues(label).Observe(max(0, v.DecidedAt.Sub(v.Window.End.Add(view.Window.Lateness)).Seconds()))
		m.severities(view, v)
	}
	for _, r := range v.Reasons {
		m.severity.WithLabelValues(view.Name, r.Method, label).Observe(r.Severity)
	}
}

func worst(v *rules.Verdict, name string) float64 {
	severity := 0.0
	for _, r := range v.Reasons {
		if r.Feature == name {
			severity = max(severity, r.Severity)
		}
	}
	for _, s := range v.Scores {
		if s.Feature == name {
			severity = max(severity, s.Severity)
		}
	}
	return severity
}

// vector shows what a decision left visible.
func (m *metrics) vector(d *Desk) {
	newest := feature.Version(0)
	for version, info := range d.versions {
		if info.Step != feature.StepOpen && info.Step != feature.StepSealed {
			newest = max(newest, version)
		}
	}
	blocked := 0.0
	if info := d.versions[newest]; info != nil && info.State != feature.StateVisible {
		blocked = 1
	}
	m.blocked.WithLabelValues(d.view.Name).Set(blocked)
	m.frozen.WithLabelValues(d.view.Name).Set(bit(d.frozen))
	m.waiting.WithLabelValues(d.view.Name).Set(float64(len(d.memory.Waiting) + len(d.memory.Shelf)))
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// forget deletes the series of a view that is gone.
func (m *metrics) forget(view string) {
	for _, vec := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
		m.verdicts, m.decisions, m.rollbacks, m.overrides, m.blocked, m.frozen, m.waiting, m.overdue, m.skew, m.tripped, m.objective, m.feature, m.score, m.severity, m.errors, m.swept, m.audited,
	} {
		vec.DeletePartialMatch(prometheus.Labels{"view": view})
	}
	m.shown.forget(view)
}
