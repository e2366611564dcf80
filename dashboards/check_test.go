package dashboards

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

// register fills an inventory with the catalog, but for what change leaves out
// (false) or registers in another way.
func register(t *testing.T, change func(m *Metric) bool) *Inventory {
	t.Helper()
	inv := NewInventory()
	for _, m := range Catalog {
		if change(&m) {
			inv.MustRegister(collector(m))
		}
	}
	return inv
}

func collector(m Metric) prometheus.Collector {
	labels := names(m.Labels)
	switch m.Type {
	case Counter:
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, labels)
	case Gauge:
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, labels)
	case Histogram:
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, NativeHistogramBucketFactor: 1.1}, labels)
	}
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name, Help: m.Help}, labels)
}

func TestCheck(t *testing.T) {
	one := func(name string, change func(m *Metric)) func(m *Metric) bool {
		return func(m *Metric) bool {
			if m.Name == name {
				change(m)
			}
			return true
		}
	}
	for name, tc := range map[string]struct {
		change func(m *Metric) bool
		sample func(inv *Inventory)
		want   string // the only problem; empty: none
	}{
		"everything, without a series": {change: func(*Metric) bool { return true }},
		"no source":                    {change: func(m *Metric) bool { return m.Name != "sluice_gate_blocked" }, want: "sluice_gate_blocked: is in the catalog and has no source in gate"},
		"another name": {
			change: func(*Metric) bool { return true },
			sample: func(inv *Inventory) {
				inv.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_new_total"}), prometheus.NewGauge(prometheus.GaugeOpts{Name: "go_other"}))
			},
			want: "sluice_new_total: is exported and not in the catalog",
		},
		"a label more": {
			change: one("sluice_gate_blocked", func(m *Metric) { m.Labels = []Label{view, feat} }),
			want:   "sluice_gate_blocked: has labels [feature view], the catalog says [view]",
		},
		"a constant label": {
			change: func(m *Metric) bool { return m.Name != "sluice_gate_blocked" },
			sample: func(inv *Inventory) {
				inv.MustRegister(prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_gate_blocked", ConstLabels: prometheus.Labels{"zone": "a"}}, []string{"view"}))
			},
			want: "sluice_gate_blocked: has labels [view zone], the catalog says [view]",
		},
		"a value that is ruled out": {
			change: func(m *Metric) bool { return m.Name != "sluice_rollbacks_total" },
			sample: func(inv *Inventory) {
				c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_rollbacks_total"}, []string{"view", "trigger"})
				c.WithLabelValues("payments", "auto").Inc()
				inv.MustRegister(c)
			},
			want: `sluice_rollbacks_total: label trigger has value "auto", the catalog says verdict, person`,
		},
		"another type": {
			change: func(m *Metric) bool { return m.Name != "sluice_tap_lag_seconds" },
			sample: func(inv *Inventory) {
				c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_tap_lag_seconds"}, []string{"topic"})
				c.WithLabelValues("a").Inc()
				inv.MustRegister(c)
			},
			want: "sluice_tap_lag_seconds: is a counter, the catalog says gauge",
		},
		"a classic histogram": {
			change: func(m *Metric) bool { return m.Name != "sluice_window_close_delay_seconds" },
			sample: func(inv *Inventory) {
				c := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_window_close_delay_seconds"}, []string{"window"})
				c.WithLabelValues("base").Observe(1)
				inv.MustRegister(c)
			},
			want: "sluice_window_close_delay_seconds: is a classic histogram, the catalog says native histogram",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inv := register(t, tc.change)
			if tc.sample != nil {
				tc.sample(inv)
			}
			gathered, err := inv.Gather()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range Check(gathered) {
				got = append(got, p.String())
			}
			if strings.Join(got, "\n") != tc.want {
				t.Errorf("Check gave %q, want %q", got, tc.want)
			}
		})
	}
}

// gatherOne returns the catalog with one series per metric.
func gatherOne(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	reg := prometheus.NewRegistry()
	for _, m := range Catalog {
		c := collector(m)
		reg.MustRegister(c)
		values := make([]string, len(m.Labels))
		switch c := c.(type) {
		case *prometheus.CounterVec:
			c.WithLabelValues(values...).Inc()
		case *prometheus.GaugeVec:
			c.WithLabelValues(values...).Set(1)
		case *prometheus.HistogramVec:
			c.WithLabelValues(values...).Observe(1)
		}
	}
	gathered, err := reg.Gather()
	if err != nil || len(gathered) != len(Catalog) {
		t.Fatalf("gathered %d metrics (%v), want %d", len(gathered), err, len(Catalog))
	}
	return gathered
}

func TestCatalog(t *testing.T) {
	if n := total(); n > MaxSeries {
		t.Errorf("the catalog has up to %d series, want at most %d", n, MaxSeries)
	}
	var seen []string
	for _, m := range Catalog {
		if slices.Contains(seen, m.Name) || m.Help == "" || m.Module == "" {
			t.Errorf("metric %s: twice, or without help or module", m.Name)
		}
		seen = append(seen, m.Name)
		for _, l := range m.Labels {
			if l.count() == 0 || len(l.Values) == 0 && l.Help == "" {
				t.Errorf("metric %s: label %s has neither values nor a help, or no count", m.Name, l.Name)
			}
		}
	}
	gathered := gatherOne(t)
	problems, err := promlint.NewWithMetricFamilies(gathered).Lint()
	if err != nil || len(problems) != 0 {
		t.Errorf("Prometheus's lint of the names gave %v, %v", problems, err)
	}
}
