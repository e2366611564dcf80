package serving

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
)

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	f := newFixture(t, func(_ *Config, d *Deps) { d.Registerer = registry })
	f.registry.infos[2] = feature.VersionInfo{Version: 2, Step: feature.StepDecided, Window: feature.Window{End: start}}
	f.registry.vectors[2] = feature.Vector{Generation: 4, Floor: 1, Visible: []feature.Version{2}}
	f.renew(t)
	f.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
	f.write(t, "drivers", 1, ago(25*time.Hour), driver(7), values...)
	f.post(t, "/get-online-features", `{"features":["users:f00","users:f01"],"entities":{"user_id":["a","b"]}}`)
	f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["rate"],"policy":"null"}`)
	f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["rate"],"policy":"refuse"}`)
	f.post(t, "/push", `{}`)
	const want = `
# HELP sluice_serve_values_total Values answered, by view and status (PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE, UNAVAILABLE, FAILED).
# TYPE sluice_serve_values_total counter
sluice_serve_values_total{status="FAILED",view="drivers"} 0
sluice_serve_values_total{status="FAILED",view="flags"} 0
sluice_serve_values_total{status="FAILED",view="pairs"} 0
sluice_serve_values_total{status="FAILED",view="users"} 0
sluice_serve_values_total{status="NOT_FOUND",view="drivers"} 0
sluice_serve_values_total{status="NOT_FOUND",view="flags"} 0
sluice_serve_values_total{status="NOT_FOUND",view="pairs"} 0
sluice_serve_values_total{status="NOT_FOUND",view="users"} 2
sluice_serve_values_total{status="NULL_VALUE",view="drivers"} 0
sluice_serve_values_total{status="NULL_VALUE",view="flags"} 0
sluice_serve_values_total{status="NULL_VALUE",view="pairs"} 0
sluice_serve_values_total{status="NULL_VALUE",view="users"} 1
sluice_serve_values_total{status="OUTSIDE_MAX_AGE",view="drivers"} 1
sluice_serve_values_total{status="OUTSIDE_MAX_AGE",view="flags"} 0
sluice_serve_values_total{status="OUTSIDE_MAX_AGE",view="pairs"} 0
sluice_serve_values_total{status="OUTSIDE_MAX_AGE",view="users"} 0
sluice_serve_values_total{status="PRESENT",view="drivers"} 0
sluice_serve_values_total{status="PRESENT",view="flags"} 0
sluice_serve_values_total{status="PRESENT",view="pairs"} 0
sluice_serve_values_total{status="PRESENT",view="users"} 1
sluice_serve_values_total{status="UNAVAILABLE",view="drivers"} 0
sluice_serve_values_total{status="UNAVAILABLE",view="flags"} 0
sluice_serve_values_total{status="UNAVAILABLE",view="pairs"} 0
sluice_serve_values_total{status="UNAVAILABLE",view="users"} 0
# HELP sluice_served_version_timestamp_seconds End of the newest event-time window that readers see, in Unix seconds, by view and store (online).
# TYPE sluice_served_version_timestamp_seconds gauge
sluice_served_version_timestamp_seconds{store="online",view="users"} 1.7954352e+09
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "sluice_serve_values_total", "sluice_served_version_timestamp_seconds"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(registry, "sluice_serve_request_duration_seconds"); err != nil || n != int(methods)*int(outcomes) || n > 40 {
		t.Errorf("%d series of request durations (%v), want %d, at most 40", n, err, int(methods)*int(outcomes))
	}
	counts := requestCounts(t, registry)
	for key, want := range map[string]uint64{"feast_http ok": 1, "rows_http ok": 1, "rows_http refused": 1, "push_http invalid": 1, "rows_http unavailable": 0} {
		if counts[key] != want {
			t.Errorf("requests %s = %d, want %d", key, counts[key], want)
		}
	}

	f.registry.defs.Views = slices.Clone(f.registry.defs.Views[:1])
	f.registry.generation++
	f.renew(t)
	if n, err := testutil.GatherAndCount(registry, "sluice_serve_values_total", "sluice_served_version_timestamp_seconds"); err != nil || n != 6 {
		t.Errorf("%d series left (%v), want the 6 of the view that is left", n, err)
	}
}

// requestCounts returns the number of requests by "method code".
func requestCounts(t *testing.T, g prometheus.Gatherer) map[string]uint64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, family := range families {
		if family.GetName() != "sluice_serve_request_duration_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			counts[labels["method"]+" "+labels["code"]] = m.GetHistogram().GetSampleCount()
		}
	}
	return counts
}
