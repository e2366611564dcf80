package materialize

import (
	"sync"

	"sluice/feature"
	"sluice/rules"
)

// maxFeatureSeries is how many features have a series of their own: more would be too much
// to scrape. The rest of a view's share one, otherFeatures; the API has each.
const (
	maxFeatureSeries = 10_000
	otherFeatures    = "other"
)

// featureSeries is which features have a series of their own, by view: those that were
// judged first. It is safe for concurrent use.
type featureSeries struct {
	mu    sync.Mutex
	views map[string]map[string]bool
	n     int
}

// admit reports whether a feature has a series of its own.
func (s *featureSeries) admit(view, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.views[view][name]:
		return true
	case s.n >= maxFeatureSeries:
		return false
	}
	if s.views == nil {
		s.views = map[string]map[string]bool{}
	}
	if s.views[view] == nil {
		s.views[view] = map[string]bool{}
	}
	s.views[view][name] = true
	s.n++
	return true
}

// forget makes the room of a view that is gone free.
func (s *featureSeries) forget(view string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n -= len(s.views[view])
	delete(s.views, view)
}

// severities shows how far each feature of a window moved; of those without a series of
// their own, the one that moved most.
func (m *metrics) severities(view *feature.View, v *rules.Verdict) {
	rest, most := false, 0.0
	for _, f := range view.Features {
		severity := worst(v, f.Name)
		if m.shown.admit(view.Name, f.Name) {
			m.feature.WithLabelValues(view.Name, f.Name).Set(severity)
			continue
		}
		rest, most = true, max(most, severity)
	}
	if rest {
		m.feature.WithLabelValues(view.Name, otherFeatures).Set(most)
	}
}
