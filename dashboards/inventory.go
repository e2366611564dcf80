package dashboards

import (
	"regexp"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Inventory is a registry that also remembers what was registered with it, so
// that Gather shows vectors that have no series yet. It is for tests that call
// Check; it is safe for concurrent use.
type Inventory struct {
	*prometheus.Registry
	mu    sync.Mutex
	descs map[string][]string // metric name to its label names
}

// NewInventory returns an empty inventory.
func NewInventory() *Inventory {
	return &Inventory{Registry: prometheus.NewRegistry(), descs: map[string][]string{}}
}

// Register registers c and notes its metrics.
func (i *Inventory) Register(c prometheus.Collector) error {
	if err := i.Registry.Register(c); err != nil {
		return err
	}
	ch := make(chan *prometheus.Desc)
	go func() { c.Describe(ch); close(ch) }()
	i.mu.Lock()
	defer i.mu.Unlock()
	for d := range ch {
		if name, labels, ok := describe(d); ok {
			i.descs[name] = labels
		}
	}
	return nil
}

// MustRegister registers every collector and panics on the first error.
func (i *Inventory) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := i.Register(c); err != nil {
			panic(err)
		}
	}
}

// Gather returns what the registry gathers, and for every registered metric
// without series an untyped family with one series of empty label values.
func (i *Inventory) Gather() ([]*dto.MetricFamily, error) {
	families, err := i.Registry.Gather()
	i.mu.Lock()
	defer i.mu.Unlock()
	seen := map[string]bool{}
	for _, f := range families {
		seen[f.GetName()] = true
	}
	for name, labels := range i.descs {
		if seen[name] {
			continue
		}
		series := &dto.Metric{}
		for _, l := range labels {
			series.Label = append(series.Label, &dto.LabelPair{Name: &l, Value: new(string)})
		}
		families = append(families, &dto.MetricFamily{Name: &name, Type: dto.MetricType_UNTYPED.Enum(), Metric: []*dto.Metric{series}})
	}
	return families, err
}

// A Desc shows its name and labels only in its text form.
var descText = regexp.MustCompile(`fqName: "([^"]*)".*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

// describe returns the name and all label names of a metric; false if its text
// form has changed.
func describe(d *prometheus.Desc) (name string, labels []string, ok bool) {
	m := descText.FindStringSubmatch(d.String())
	if m == nil {
		return "", nil, false
	}
	for _, l := range strings.Split(m[2], ",") {
		if key, _, ok := strings.Cut(l, "="); ok {
			labels = append(labels, strings.TrimSpace(key))
		}
	}
	for _, l := range strings.Split(m[3], ",") {
		if l = strings.TrimSpace(l); l != "" {
			labels = append(labels, l)
		}
	}
	return m[1], labels, true
}
