package serving

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/grpc/codes"

	"sluice/serving/refusal"
)

const (
	namespace = "sluice"
	storeName = "online" // label store: where the served version lies
)

// method is a way to read or push.
type method uint8

const (
	methodFeastGRPC method = iota
	methodOwnGRPC
	methodPushGRPC
	methodFeastHTTP
	methodRowsHTTP
	methodPushHTTP
	methodBulkGRPC
	methodBulkHTTP
	methods
)

var methodNames = [methods]string{"feast_grpc", "own_grpc", "push_grpc", "feast_http", "rows_http", "push_http", "bulk_grpc", "bulk_http"}

// outcome is how a request ended.
type outcome uint8

const (
	outcomeOK          outcome = iota
	outcomeInvalid             // the client's mistake, or not allowed
	outcomeRefused             // what is left to show is too old
	outcomeUnavailable         // no snapshot, no store, no log, no time left
	outcomeShed                // too many requests
	outcomes
)

var outcomeNames = [outcomes]string{"ok", "invalid", "refused", "unavailable", "shed"}

// metrics of serving. Series are resolved before they are needed: a request
// looks up no label.
type metrics struct {
	duration *prometheus.HistogramVec
	requests [methods][outcomes]prometheus.Observer
	values   *prometheus.CounterVec
	version  *prometheus.GaugeVec
	lapsed   prometheus.Counter
	kept     *prometheus.CounterVec
	cached   *prometheus.CounterVec
	failures *prometheus.CounterVec // of computed features

	mu    sync.Mutex
	views map[string]*viewMetrics
}

// viewMetrics are the counters of one view, by status.
type viewMetrics struct {
	values [len(statusNames)]prometheus.Counter
	kept   prometheus.Counter
	cached prometheus.Counter
	served atomic.Int64 // the timestamp last exported, Unix nanoseconds
}

// newMetrics registers serving's metrics with reg; nil registers nothing.
func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	m := &metrics{
		duration: auto.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "serve", Name: "request_duration_seconds",
			Help: "Time to answer a request, by method (feast_grpc, own_grpc, push_grpc, feast_http, rows_http, push_http) " +
				"and code (ok, invalid, refused, unavailable, shed).",
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"method", "code"}),
		values: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "serve", Name: "values_total",
			Help: "Values answered, by view and status (PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE, UNAVAILABLE, FAILED).",
		}, []string{"view", "status"}),
		version: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "served_version_timestamp_seconds",
			Help: "End of the newest event-time window that readers see, in Unix seconds, by view and store (online).",
		}, []string{"view", "store"}),
		lapsed: auto.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "serve", Name: "lease_fallbacks_total",
			Help: "Requests answered from a snapshot whose lease had lapsed.",
		}),
		cached: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "serve", Name: "cached_rows_total",
			Help: "Rows answered from the row cache, as the store has them, by view.",
		}, []string{"view"}),
		kept: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "serve", Name: "kept_rows_total",
			Help: "Rows answered from a replica or an earlier read because their shard of the store did not give them, by view.",
		}, []string{"view"}),
		failures: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "serve", Name: "compute_failures_total",
			Help: "Values of computed features that could not be evaluated, by view and reason (division, overflow, cost, size, type, input).",
		}, []string{"view", "reason"}),
		views: map[string]*viewMetrics{},
	}
	for i, method := range methodNames {
		for j, code := range outcomeNames {
			m.requests[i][j] = m.duration.WithLabelValues(method, code)
		}
	}
	return m
}

// view returns the counters of the view of that name.
func (m *metrics) view(name string) *viewMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.views[name]; ok {
		return v
	}
	v := &viewMetrics{kept: m.kept.WithLabelValues(name), cached: m.cached.WithLabelValues(name)}
	for status := statusPresent; int(status) < len(statusNames); status++ {
		v.values[status] = m.values.WithLabelValues(name, statusNames[status])
	}
	m.views[name] = v
	return v
}

// add counts n values by status.
func (v *viewMetrics) add(n [len(statusNames)]int) {
	for status, count := range n {
		if count > 0 {
			v.values[status].Add(float64(count))
		}
	}
}

// serving exports what next shows, and deletes the series of views that last had
// and next has not.
func (m *metrics) serving(last, next *snapshot) {
	for i, v := range next.catalog.views {
		if newest := next.served[i].newest; newest != 0 && v.metrics.served.Swap(newest) != newest {
			m.version.WithLabelValues(v.Name, storeName).Set(float64(newest) / 1e9)
		}
	}
	if last == nil || last.catalog == next.catalog {
		return
	}
	for _, v := range last.catalog.views {
		if next.catalog.byName[v.Name] == nil {
			m.forget(v.Name)
		}
	}
}

func (m *metrics) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.views, name)
	m.values.DeletePartialMatch(prometheus.Labels{"view": name})
	m.version.DeletePartialMatch(prometheus.Labels{"view": name})
	m.kept.DeletePartialMatch(prometheus.Labels{"view": name})
	m.cached.DeletePartialMatch(prometheus.Labels{"view": name})
	m.failures.DeletePartialMatch(prometheus.Labels{"view": name})
}

// observe records a request that began at begun and ended with err.
func (m *metrics) observe(method method, begun time.Time, err error) {
	m.requests[method][outcomeOf(err)].Observe(time.Since(begun).Seconds())
}

func outcomeOf(err error) outcome {
	if err == nil {
		return outcomeOK
	}
	if shed := (*refusal.Shed)(nil); errors.As(err, &shed) {
		return outcomeShed
	}
	switch refusal.GRPCCode(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal:
		return outcomeUnavailable
	case codes.FailedPrecondition:
		return outcomeRefused
	}
	return outcomeInvalid
}
