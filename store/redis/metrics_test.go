package redis

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestMetricsByStore wants what stores of one process count apart from each other, each
// series from the start, and one without a name counted as the default one.
func TestMetricsByStore(t *testing.T) {
	reg := prometheus.NewRegistry()
	shared := NewMetrics(reg)
	critical, first := Options{Name: "critical", Metrics: shared}.counters(), Options{Metrics: shared}.counters()
	critical.won.Inc()
	critical.opened.Inc()
	first.stale.Add(3)
	Options{Name: "critical"}.counters().won.Inc() // of no registry
	want := `
# HELP sluice_rows_replica_total Rows that a replica gave in place of its primary, by store and proof (exact: it has all that readers may see, behind: it may lack what was written last, so they are flagged stale).
# TYPE sluice_rows_replica_total counter
sluice_rows_replica_total{proof="behind",store="critical"} 0
sluice_rows_replica_total{proof="behind",store="default"} 3
sluice_rows_replica_total{proof="exact",store="critical"} 0
sluice_rows_replica_total{proof="exact",store="default"} 0
# HELP sluice_rows_breaker_opened_total Times that a shard did not answer for so long that reads no longer wait for it, by store.
# TYPE sluice_rows_breaker_opened_total counter
sluice_rows_breaker_opened_total{store="critical"} 1
sluice_rows_breaker_opened_total{store="default"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sluice_rows_replica_total", "sluice_rows_breaker_opened_total"); err != nil {
		t.Error(err)
	}
	for result, n := range map[string][2]float64{"won": {1, 0}, "lost": {}, "behind": {}, "neither": {}, "refused": {}} {
		for i, store := range []string{"critical", "default"} {
			if got := testutil.ToFloat64(shared.hedges.WithLabelValues(store, result)); got != n[i] {
				t.Errorf("hedges of %s, %s: %g, want %g", store, result, got, n[i])
			}
		}
	}
	if n := testutil.CollectAndCount(shared.hedges); n != 10 {
		t.Errorf("%d series of hedges, want 10", n)
	}
}
