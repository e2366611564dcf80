package placement

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const namespace, subsystem = "sluice", "online_store"

// What errors are counted by.
const (
	opRead  = "read"
	opWrite = "write"
)

type metrics struct {
	up     *prometheus.GaugeVec
	reads  *prometheus.CounterVec
	errors *prometheus.CounterVec
}

// newMetrics registers the metrics of online stores with reg; nil registers nothing.
func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	return &metrics{
		up: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "open",
			Help: "1 once the online store has been opened, by store.",
		}, []string{"store"}),
		reads: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "reads_total",
			Help: "Batches of keys of a view that the online store was asked for, by store.",
		}, []string{"store"}),
		errors: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "errors_total",
			Help: "Calls of the online store that failed, in whole or in part, by store and op (read, write).",
		}, []string{"store", "op"}),
	}
}
