package materialize

import (
	"context"
	"maps"
	"slices"

	"sluice/feature"
	"sluice/rules"
)

// score shows how much of a view moved in the window that v is on, and of the services
// that name its features. Features weigh by the reads that are known at the decision: a
// service's views each at their own.
func (g *Gate) score(ctx context.Context, view *feature.View, v *rules.Verdict) {
	services := g.deps.Definitions().Readers()
	reads := g.reads(ctx, view)
	impact := rules.ViewImpact(view, services, v, reads)
	if !impact.Measured {
		return
	}
	g.scored.Lock()
	defer g.scored.Unlock()
	g.scores[view.Name] = rules.ScoredView{Impact: impact, Reads: reads}
	g.metrics.score.WithLabelValues(view.Name).Set(impact.Score / 100)
	impacts := g.impacts()
	for i := range services {
		s := &services[i]
		if of := rules.ServiceImpact(s, impacts); of.Measured {
			g.metrics.service.WithLabelValues(s.Name).Set(of.Score / 100)
		}
	}
}

// reads returns how often a view is read by the platform's clock; nothing while that is
// not set. A decision that is made is shown, whoever reads it.
func (g *Gate) reads(ctx context.Context, view *feature.View) rules.ReadRates {
	now, set := g.deps.Clock.Now()
	if !set || g.deps.Readership == nil {
		return rules.RatesOf(view, nil, now)
	}
	list, err := g.deps.Readership(ctx, view.ID, now.Add(-feature.ReadershipPeriod))
	if err != nil {
		g.log.Warn("score: who reads the view is not known, its features weigh alike", "view", view.Name, "error", err)
	}
	return rules.RatesOf(view, list, now)
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
