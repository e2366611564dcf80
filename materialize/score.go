package materialize

import (
	"maps"
	"slices"

	"sluice/feature"
	"sluice/rules"
)

// score shows how much of a view moved in the window that v is on, and of the services
// that name its features.
func (g *Gate) score(view *feature.View, v *rules.Verdict) {
	services := g.deps.Definitions().Readers()
	impact := rules.ViewImpact(view, services, v, rules.ReadRates{})
	if !impact.Measured {
		return
	}
	g.scored.Lock()
	defer g.scored.Unlock()
	g.scores[view.Name] = rules.ScoredView{Impact: impact}
	g.metrics.score.WithLabelValues(view.Name).Set(impact.Score / 100)
	impacts := g.impacts()
	for i := range services {
		s := &services[i]
		if of := rules.ServiceImpact(s, impacts); of.Measured {
			g.metrics.service.WithLabelValues(s.Name).Set(of.Score / 100)
		}
	}
}

func (g *Gate) impacts() []rules.ScoredView {
	var all []rules.ScoredView
	for _, name := range slices.Sorted(maps.Keys(g.scores)) {
		all = append(all, g.scores[name])
	}
	return all
}

// forgetScores forgets those of views and services that are no longer defined.
func (g *Gate) forgetScores(defs *feature.Definitions) {
	g.scored.Lock()
	defer g.scored.Unlock()
	maps.DeleteFunc(g.scores, func(name string, _ rules.ScoredView) bool { return defs.View(name) == nil })
	for name := range g.serviced {
		if defs.Service(name) == nil {
			g.metrics.service.DeleteLabelValues(name)
			delete(g.serviced, name)
		}
	}
	for i := range defs.Services {
		g.serviced[defs.Services[i].Name] = true
	}
}
