package probe

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what a probe exports.
type Metrics struct {
	windows *prometheus.CounterVec
	reads   *prometheus.CounterVec
	verdict prometheus.Histogram
}

// NewMetrics registers a probe's metrics with reg; nil registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	m := &Metrics{
		windows: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: "sluice", Subsystem: "probe", Name: "windows_total",
			Help: "Windows that the probe wrote, by kind (good, fault) and outcome (published, blocked, unjudged, unwritten).",
		}, []string{"kind", "outcome"}),
		reads: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: "sluice", Subsystem: "probe", Name: "reads_total",
			Help: "Rows that the probe asked for, by outcome (good, bad, failed).",
		}, []string{"outcome"}),
		verdict: auto.NewHistogram(prometheus.HistogramOpts{
			Namespace: "sluice", Subsystem: "probe", Name: "verdict_duration_seconds",
			Help: "Time from the seal of a window of the probe to its verdict.", NativeHistogramBucketFactor: 1.1,
		}),
	}
	// Series that are there from the start: the first missed fault must be an increase.
	for _, kind := range []string{kindGood, kindFault} {
		for _, o := range []Outcome{Published, Blocked, Unjudged, Unwritten} {
			m.windows.WithLabelValues(kind, string(o))
		}
	}
	for _, outcome := range []string{readGood, readBad, readFailed} {
		m.reads.WithLabelValues(outcome)
	}
	return m
}

const (
	kindGood  = "good"
	kindFault = "fault"

	readGood   = "good"
	readBad    = "bad"
	readFailed = "failed"
)
