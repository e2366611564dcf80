package notify

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	sent    *prometheus.CounterVec
	waiting prometheus.Gauge
}

// newMetrics registers the notifier's metrics with reg; nil registers nothing.
// Every series exists from the start, so that the first failure is seen.
func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	m := &metrics{
		sent: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: "sluice", Name: "alerts_sent_total",
			Help: "Messages about incidents, by channel_kind (slack, log) and outcome (sent, coalesced with another, failed and tried again, dropped as too old).",
		}, []string{"channel_kind", "outcome"}),
		waiting: auto.NewGauge(prometheus.GaugeOpts{
			Namespace: "sluice", Name: "alerts_waiting",
			Help: "Events that people are to be told and were not told yet, as the gate that leads last saw them, 1,000 at most; 0 elsewhere.",
		}),
	}
	for _, kind := range []string{"slack", "log"} {
		for _, outcome := range []string{"sent", "coalesced", "failed", "dropped"} {
			m.sent.WithLabelValues(kind, outcome)
		}
	}
	return m
}

func (m *metrics) count(kind, outcome string, n int) {
	m.sent.WithLabelValues(kind, outcome).Add(float64(n))
}
