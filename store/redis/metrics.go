package redis

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics count reads that a primary did not answer, or not in time. The stores of a
// process share them.
type Metrics struct {
	won, lost, behind, neither, refused prometheus.Counter
	exact, stale                        prometheus.Counter
	opened                              prometheus.Counter
}

// NewMetrics registers the metrics of stores with reg; nil registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	hedges := auto.NewCounterVec(prometheus.CounterOpts{
		Namespace: "sluice", Subsystem: "rows", Name: "hedges_total",
		Help: "Reads of a shard whose answer was late, by what asking a replica as well came to (won: its answer was given, lost: the primary's came first, behind: it could not be shown to be complete, neither: none came in time, refused: not asked, the budget was spent).",
	}, []string{"result"})
	stoodIn := auto.NewCounterVec(prometheus.CounterOpts{
		Namespace: "sluice", Subsystem: "rows", Name: "replica_total",
		Help: "Rows that a replica gave in place of its primary, by proof (exact: it has all that readers may see, behind: it may lack what was written last, so they are flagged stale).",
	}, []string{"proof"})
	return &Metrics{
		won: hedges.WithLabelValues("won"), lost: hedges.WithLabelValues("lost"),
		behind: hedges.WithLabelValues("behind"), neither: hedges.WithLabelValues("neither"), refused: hedges.WithLabelValues("refused"),
		exact: stoodIn.WithLabelValues("exact"), stale: stoodIn.WithLabelValues("behind"),
		opened: auto.NewCounter(prometheus.CounterOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "breaker_opened_total",
			Help: "Times that a shard did not answer for so long that reads no longer wait for it.",
		}),
	}
}
