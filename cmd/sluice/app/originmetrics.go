package app

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// originResult is what became of a look for where a verdict's reasons begin.
type originResult uint8

const (
	originStored originResult = iota
	originLate                // the log could not be read in time, several times over
	originFailed              // it cannot be found, whoever looks
	originError               // of a look at all new verdicts: it could not be made, and is made again
	originResults
)

var originResultNames = [originResults]string{"stored", "late", "failed", "error"}

// originMetrics are those of an originator.
type originMetrics struct {
	results [originResults]prometheus.Counter
	since   atomic.Int64 // when the verdicts that are not dealt with were met, Unix nanoseconds; 0: there are none
}

// newOriginMetrics registers them with reg; nil registers nothing.
func newOriginMetrics(reg prometheus.Registerer) *originMetrics {
	auto, m := promauto.With(reg), &originMetrics{}
	total := auto.NewCounterVec(prometheus.CounterOpts{
		Namespace: "sluice", Subsystem: "origins", Name: "total",
		Help: "Verdicts that failed or warned, by what became of looking in the log for where their reasons begin: it is stored (stored), the log could not be read in time (late), it cannot be found (failed); and looks at what was decided that failed and are made again (error). Labels: result.",
	}, []string{"result"})
	for i, name := range originResultNames {
		m.results[i] = total.WithLabelValues(name)
	}
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "sluice", Subsystem: "origins", Name: "behind_seconds",
		Help: "How long there have been verdicts in whose log nobody has looked yet; 0 if there are none, or another process looks.",
	}, func() float64 {
		if since := m.since.Load(); since != 0 {
			return time.Since(time.Unix(0, since)).Seconds()
		}
		return 0
	})
	return m
}

func (m *originMetrics) count(result originResult) { m.results[result].Inc() }

// behind notes that there is something to be dealt with, unless that is known.
func (m *originMetrics) behind() { m.since.CompareAndSwap(0, time.Now().UnixNano()) }

// caughtUp notes that there is nothing.
func (m *originMetrics) caughtUp() { m.since.Store(0) }
