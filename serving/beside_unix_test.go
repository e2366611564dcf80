//go:build unix

package serving

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/test/processor"
)

// uncounted is a metric that nobody keeps.
type uncounted struct{ prometheus.Counter }

func (uncounted) Add(float64)     {}
func (uncounted) Inc()            {}
func (uncounted) Observe(float64) {}

// bare takes metrics, the limiter, provenance's verdicts, counts by version and the sample
// of served rows from a server.
func bare(b *testing.B) *fixture {
	f := benchServer(b, func(c *Config, d *Deps) {
		d.Exposed, d.Served, d.Version = nil, nil, nil
		c.SampleRate, c.Admission.Most = 0, 0
	})
	for i := range f.metrics.requests {
		for j := range f.metrics.requests[i] {
			f.metrics.requests[i][j] = uncounted{}
		}
	}
	snap, _, err := f.take()
	if err != nil {
		b.Fatal(err)
	}
	for _, v := range snap.catalog.views {
		for i := range v.metrics.values {
			v.metrics.values[i] = uncounted{}
		}
	}
	return f
}

// BenchmarkBeside reports what metrics, the limiter, provenance, counts by version and the
// sample of served rows cost together: the processor time of a request of a server that has
// all of them over that of one that has none, asked in turns.
func BenchmarkBeside(b *testing.B) {
	for _, entities := range []int{1, 100} {
		b.Run(fmt.Sprintf("transport=grpc/entities=%d", entities), func(b *testing.B) {
			servers := []*fixture{
				benchServer(b, func(_ *Config, d *Deps) {
					d.Registerer = prometheus.NewRegistry()
					d.Version = func(_ context.Context, _ feature.ViewID, version feature.Version) (feature.VersionInfo, error) {
						return feature.VersionInfo{Version: version, Verdict: "v-1", Step: feature.StepSwept}, nil
					}
				}), bare(b),
			}
			var more [2]func()
			for i, f := range servers {
				more[i] = startLoad(b, fmt.Sprintf("grpc %s %d", f.listen(b, "grpc"), entities))
				more[i]()
			}
			var used [2][]float64 // µs a request, of each turn
			var shares []float64
			for b.Loop() {
				for i := range servers {
					begun := processor.Time()
					more[i]()
					used[i] = append(used[i], float64((processor.Time()-begun).Nanoseconds())/1e3/batch)
				}
				n := len(used[0]) - 1
				shares = append(shares, used[0][n]/used[1][n]-1)
			}
			slices.Sort(shares)
			for i := range used {
				slices.Sort(used[i])
			}
			b.ReportMetric(used[0][len(used[0])/2], "all-µs/req")
			b.ReportMetric(used[1][len(used[1])/2], "bare-µs/req")
			b.ReportMetric(100*shares[len(shares)/2], "cost-%")
			b.ReportMetric(0, "ns/op")
		})
	}
}
