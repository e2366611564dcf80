package notify

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct{ sent *prometheus.CounterVec }

// newMetrics registers the notifier's metrics with reg; nil registers nothing.
// Every series exists from the start, so that the first failure is seen.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{sent: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Namespace: "sluice", Name: "alerts_sent_total",
		Help: "Messages about incidents, by channel_kind (slack, log) and outcome (sent, coalesced, failed, dropped).",
	}, []string{"channel_kind", "outcome"})}
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
