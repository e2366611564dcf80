package tap

import (
	"time"

	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const namespace = "sluice"

// metrics are the tap's. Topics, partitions and views come from definitions.
type metrics struct {
	writes      *prometheus.CounterVec
	rows        *prometheus.CounterVec
	backfilled  *prometheus.CounterVec
	offline     *prometheus.CounterVec
	invalid     *prometheus.CounterVec
	lag         *prometheus.GaugeVec
	behind      *prometheus.GaugeVec
	waiting     *prometheus.CounterVec
	checkpoints prometheus.Histogram
	errors      *prometheus.CounterVec
	partitions  prometheus.Gauge
	held        *prometheus.GaugeVec
	unread      *prometheus.GaugeVec
	panics      prometheus.Counter
	foreign     prometheus.Counter
}

// newMetrics registers the tap's metrics with reg; nil registers nothing.
func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	return &metrics{
		writes: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "tap", Name: "writes_total",
			Help: "Feature writes read, by topic, partition and result (accepted, quarantined, dead_lettered, duplicate). Records read again after a restart count again; the accounting does not.",
		}, []string{"topic", "partition", "result"}),
		rows: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "rows_observed_total",
			Help: "Accepted writes, by view and source (topic).",
		}, []string{"view", "source"}),
		backfilled: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "rows_backfilled_total",
			Help: "Of the accepted writes, those of declared backfills, which no window is judged by. Labels: view, source (topic).",
		}, []string{"view", "source"}),
		offline: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "tap", Name: "offline_rows_total",
			Help: "Rows of accepted writes that were left out of the online store because it is nearly full, by view. The log has them. Those read again after a restart count again.",
		}, []string{"view"}),
		invalid: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "invalid_values_total",
			Help: "Writes that a view did not take, by view (empty: none could be told) and kind (the error codes of the contract).",
		}, []string{"view", "kind"}),
		lag: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "tap", Name: "lag_seconds",
			Help: "Age of the oldest record that this process has still to read, over its partitions of a topic; 0 if it has read all. Labels: topic.",
		}, []string{"topic"}),
		behind: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "tap", Name: "lag_records",
			Help: "Records that this process has still to read, over its partitions of a topic. Labels: topic.",
		}, []string{"topic"}),
		waiting: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "tap", Name: "backpressure_seconds_total",
			Help: "Seconds in which partitions of a topic were not read, because rows were being staged or a checkpoint committed. Labels: topic.",
		}, []string{"topic"}),
		checkpoints: auto.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "tap", Name: "checkpoint_duration_seconds",
			Help:                            "Time to stage rows and commit a checkpoint.",
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}),
		errors: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "tap", Name: "errors_total",
			Help: "Times that a partition's state was dropped and read again from the log, by reason (fenced, transaction, registry, store, log, topic, profiles, progress, other).",
		}, []string{"reason"}),
		panics: auto.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "tap", Name: "panics_total",
			Help: "Records that made the tap panic while they were read or checked, and became dead letters. Each is a bug of Sluice.",
		}),
		partitions: auto.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "tap", Name: "partitions",
			Help: "Partitions of topics of writes that this process reads.",
		}),
		held: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "tap", Name: "held_partitions",
			Help: "Partitions of a topic that this process owns and does not read, because their progress is gone from the profiles topic. Labels: topic.",
		}, []string{"topic"}),
		unread: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "tap", Name: "unread_records",
			Help: "Records of a topic that the log has deleted before they were read, since this process started, with the marks of transactions among them. Labels: topic.",
		}, []string{"topic"}),
		foreign: auto.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "tap", Name: "foreign_records_total",
			Help: "Records on the profiles topic that no tap wrote; they are passed over. Those that the topic still holds count again after a restart.",
		}),
	}
}

// results are the counters of one partition.
type results struct {
	accepted, quarantined, dead, duplicate prometheus.Counter
	waiting                                prometheus.Counter // seconds
}

func (m *metrics) results(at source) results {
	c := func(result string) prometheus.Counter {
		return m.writes.WithLabelValues(at.topic, strconv.Itoa(int(at.partition)), result)
	}
	return results{c("accepted"), c(Quarantined), c(DeadLettered), c("duplicate"), m.waiting.WithLabelValues(at.topic)}
}

// forget deletes the series of a view that is no longer defined.
func (m *metrics) forget(view string) {
	m.rows.DeletePartialMatch(prometheus.Labels{"view": view})
	m.backfilled.DeletePartialMatch(prometheus.Labels{"view": view})
	m.invalid.DeletePartialMatch(prometheus.Labels{"view": view})
	m.offline.DeletePartialMatch(prometheus.Labels{"view": view})
}
