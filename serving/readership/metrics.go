package readership

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// result is what became of something that is handed on.
type result uint8

const (
	sampled        result = iota // rows
	sampleDropped                // rows: too many were waiting
	sampleFailed                 // rows: refused
	exposureFailed               // reports, which are made again
	readersFailed                // likewise
	resultsOf
)

var resultNames = [resultsOf]string{"sampled", "sample_dropped", "sample_failed", "exposure_failed", "readers_failed"}

// results counts them.
type results [resultsOf]prometheus.Counter

// newResults registers the counters with reg; nil registers nothing.
func newResults(reg prometheus.Registerer) *results {
	handed := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Namespace: "sluice", Subsystem: "serve", Name: "reports_total",
		Help: "Sampled rows by what became of them (sampled, sample_dropped, sample_failed), and reports of reads by version (exposure_failed) and by feature (readers_failed) that failed.",
	}, []string{"result"})
	r := &results{}
	for i, name := range resultNames {
		r[i] = handed.WithLabelValues(name)
	}
	return r
}
