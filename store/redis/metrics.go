package redis

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics count reads that a primary did not answer, or not in time, and say how full the
// servers are, by store. The stores of a process share them.
type Metrics struct {
	hedges, stoodIn, opened, failovers *prometheus.CounterVec
	memory, offline, absent            *prometheus.GaugeVec
}

// NewMetrics registers the metrics of stores with reg; nil registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	return &Metrics{
		hedges: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "hedges_total",
			Help: "Reads of a shard whose answer was late, by store and by what asking a replica as well came to (won: its answer was given, lost: the primary's came first, behind: it could not be shown to be complete, neither: none came in time, refused: not asked, the budget was spent).",
		}, []string{"store", "result"}),
		stoodIn: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "replica_total",
			Help: "Rows that a replica gave in place of its primary, by store and proof (exact: it has all that readers may see, behind: it may lack what was written last, so they are flagged stale).",
		}, []string{"store", "proof"}),
		opened: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "breaker_opened_total",
			Help: "Times that a shard did not answer for so long that reads no longer wait for it, by store.",
		}, []string{"store"}),
		memory: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "memory_ratio",
			Help: "Memory that the fullest primary of the store uses, of its limit (maxmemory); 0 if none has a limit.",
		}, []string{"store"}),
		offline: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "offline",
			Help: "1 while rows of the stream stay in the log because a primary of the store uses more of its memory than offline_limit, by store.",
		}, []string{"store"}),
		absent: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "absent_ratio",
			Help: "Share of the store's entities whose rows were lost with a server that came back empty, and are not staged again yet, by store.",
		}, []string{"store"}),
		failovers: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "failovers_total",
			Help: "Primaries of a Cluster that most others held for failing, by store and by what came of asking for an election in their place (elected: the replica that was asked is the primary, lost: it is not, failed: the answer was an error, denied: the user may not ask, unfit: no replica could be asked). After all but the first the Cluster elects by itself.",
		}, []string{"store", "outcome"}),
	}
}

// counters are the metrics of one store.
type counters struct {
	won, lost, behind, neither, refused prometheus.Counter
	exact, stale                        prometheus.Counter
	opened                              prometheus.Counter
	memory, offline, absent             prometheus.Gauge

	elected, defeated, failed, denied, unfit prometheus.Counter // elections that were asked for, or should have been
}

// of returns the metrics of the store of that name; all are there from then on.
func (m *Metrics) of(store string) counters {
	hedge := func(result string) prometheus.Counter { return m.hedges.WithLabelValues(store, result) }
	failover := func(outcome string) prometheus.Counter { return m.failovers.WithLabelValues(store, outcome) }
	return counters{
		won: hedge("won"), lost: hedge("lost"), behind: hedge("behind"), neither: hedge("neither"), refused: hedge("refused"),
		exact: m.stoodIn.WithLabelValues(store, "exact"), stale: m.stoodIn.WithLabelValues(store, "behind"),
		opened: m.opened.WithLabelValues(store), memory: m.memory.WithLabelValues(store), offline: m.offline.WithLabelValues(store), absent: m.absent.WithLabelValues(store),
		elected: failover("elected"), defeated: failover("lost"), failed: failover("failed"), denied: failover("denied"), unfit: failover("unfit"),
	}
}
