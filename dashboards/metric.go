package dashboards

// Type is a metric's type, in Prometheus's words.
type Type string

const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "native histogram" // exponential buckets, one series; needs scrape_native_histograms
)

// Label is a label of a metric.
type Label struct {
	Name   string
	Values []string // all it may take; empty: they come from configuration
	Most   int      // how many it takes in the reference installation; 0: len(Values)
	Help   string   // what it says, for labels whose values come from configuration
}

// count returns how many values the label takes in the reference installation.
func (l Label) count() int {
	if l.Most > 0 {
		return l.Most
	}
	return len(l.Values)
}

// Metric is one entry of the catalog.
type Metric struct {
	Name   string
	Type   Type
	Module string // who exports it: tap, gate, serving, notify, probe, admin
	Labels []Label
	Help   string // one sentence with the unit; the alert or panel that reads it relies on it
}

// Series returns how many series the metric has at most in the reference
// installation: 200 views of 50 features, 50 topics of 16 partitions. Of a native histogram every label set is one series.
func (m Metric) Series() int {
	n := 1
	for _, l := range m.Labels {
		n *= l.count()
	}
	return n
}

// label returns the label of that name; false if the metric has none.
func (m Metric) label(name string) (Label, bool) {
	for _, l := range m.Labels {
		if l.Name == name {
			return l, true
		}
	}
	return Label{}, false
}

// MaxSeries is how many series the whole catalog may have in the reference
// installation.
const MaxSeries = 50_000

// Lookup returns the metric of that name; false if the catalog has none.
func Lookup(name string) (Metric, bool) {
	for _, m := range Catalog {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}
