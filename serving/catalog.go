package serving

import (
	"maps"
	"slices"
	"time"

	"sluice/feature"
	"sluice/internal/admission"
	"sluice/serving/readership"
	"sluice/serving/refusal"
)

// catalog is one generation of the definitions, compiled. It is immutable, but
// for the plans that requests add.
type catalog struct {
	generation uint64
	views      []*view
	byName     map[string]*view
	services   map[string][]string // its features, as view:feature
	priorities map[string]admission.Priority
	plans      planCache
	report     *readership.Reporter // counts who reads what
}

// view is a compiled view.
type view struct {
	feature.View
	index    int   // in catalog.views and snapshot.served
	critical int64 // nanoseconds; 0: never
	names    []string
	byName   map[string]int // feature name to position
	computed computedSet
	metrics  *viewMetrics
	watch    *readership.Watch
}

func newCatalog(defs feature.Definitions, generation uint64, metrics *metrics, report *readership.Reporter) *catalog {
	c := &catalog{
		generation: generation, report: report,
		byName:     make(map[string]*view, len(defs.Views)),
		services:   make(map[string][]string, len(defs.Services)),
		priorities: make(map[string]admission.Priority, len(defs.Services)),
	}
	for i := range defs.Views {
		v := newView(defs.Views[i], len(c.views))
		v.metrics, v.watch = metrics.view(v.Name), report.Watch(v.ID)
		c.views, c.byName[v.Name] = append(c.views, v), v
	}
	for _, s := range defs.Services {
		c.services[s.Name] = s.Features
		// A word that this version does not know is the default.
		c.priorities[s.Name], _ = admission.ParsePriority(s.Priority)
	}
	return c
}

func newView(def feature.View, index int) *view {
	v := &view{
		View: def, index: index,
		critical: int64(def.Freshness.Critical),
		byName:   make(map[string]int, len(def.Features)),
	}
	for i, f := range def.Features {
		v.names, v.byName[f.Name] = append(v.names, f.Name), i
	}
	v.computed.of(&v.View)
	return v
}

// view returns the view of that name; the error is unknown_view.
func (c *catalog) view(name string) (*view, error) {
	if v, ok := c.byName[name]; ok {
		return v, nil
	}
	return nil, refusal.Unknown(feature.CodeUnknownView, "view", name, slices.Sorted(maps.Keys(c.byName)))
}

// service returns the features of the service of that name; the error is
// unknown_service.
func (c *catalog) service(name string) ([]string, error) {
	if refs, ok := c.services[name]; ok {
		return refs, nil
	}
	return nil, refusal.Unknown(feature.CodeUnknownService, "service", name, slices.Sorted(maps.Keys(c.services)))
}

// feature returns the position of a feature of v; the error is unknown_feature.
func (v *view) feature(name string) (int, error) {
	if i, ok := v.byName[name]; ok {
		return i, nil
	}
	return 0, refusal.Unknown(feature.CodeUnknownFeature, "feature", v.Name+":"+name, prefixed(v.Name+":", slices.Concat(v.names, v.computed.names)))
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = prefix + name
	}
	return out
}

// age returns how long before now t was, both in Unix nanoseconds; never negative.
func age(now, t int64) int64 { return max(0, now-t) }

func seconds(nanos int64) float64 { return time.Duration(nanos).Seconds() }
