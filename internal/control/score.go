package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sluice/feature"
	"sluice/rules"
)

// serviceItem is a feature service with how much of what it reads moved.
type serviceItem struct {
	Project  string   `json:"project"`
	Name     string   `json:"name"`
	Features []string `json:"features"`
	rules.Impact
}

// services lists the services in force by name.
func (a *API) services(r *http.Request) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	defs, _, err := a.deps.Registry.Definitions(r.Context())
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	after, next := r.URL.Query().Get("after"), ""
	known := map[string]rules.ScoredView{}
	items := []serviceItem{}
	for _, s := range servicesByName(defs.Services) {
		if s.Name <= after {
			continue
		}
		if len(items) == limit {
			next = items[limit-1].Name
			break
		}
		item, err := a.serviceImpact(r.Context(), &defs, s, known)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return listOf(items, next), nil
}

// service describes one service.
func (a *API) service(r *http.Request) (any, error) {
	defs, _, err := a.deps.Registry.Definitions(r.Context())
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	name := r.PathValue("service")
	s := defs.Service(name)
	if s == nil {
		var known []string
		for i := range defs.Services {
			known = append(known, defs.Services[i].Name)
		}
		hint := "`sluice score` lists those there are"
		if near := feature.Nearest(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		return nil, &feature.Error{Code: feature.CodeUnknownService, Message: "there is no service " + clip(name), Hint: hint}
	}
	return a.serviceImpact(r.Context(), &defs, s, map[string]rules.ScoredView{})
}

func servicesByName(all []feature.Service) []*feature.Service {
	var list []*feature.Service
	for i := range all {
		list = append(list, &all[i])
	}
	slices.SortFunc(list, func(a, b *feature.Service) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// serviceImpact scores a service; known holds the scores of views that were read before.
func (a *API) serviceImpact(ctx context.Context, defs *feature.Definitions, s *feature.Service, known map[string]rules.ScoredView) (serviceItem, error) {
	item := serviceItem{Project: defs.Project, Name: s.Name, Features: s.Features}
	var views []rules.ScoredView
	readers := defs.Readers()
	s = &readers[slices.IndexFunc(readers, func(r feature.Service) bool { return r.Name == s.Name })]
	for i := range defs.Views {
		v := &defs.Views[i]
		if !s.Reads(v.Name, "") {
			continue
		}
		scored, read := known[v.Name]
		if !read {
			vector, err := a.deps.Registry.Vector(ctx, v.ID)
			if err != nil {
				return item, fmt.Errorf("read vector of %s: %w", v.Name, err)
			}
			if scored, err = a.impact(ctx, defs, v, vector); err != nil {
				return item, err
			}
			known[v.Name] = scored
		}
		views = append(views, scored)
	}
	item.Impact = rules.ServiceImpact(s, views)
	return item, nil
}

// impact scores a view by the verdict on its newest judged window, and by who reads it.
func (a *API) impact(ctx context.Context, defs *feature.Definitions, v *feature.View, vector feature.Vector) (scored rules.ScoredView, err error) {
	latest, err := a.latest(ctx, v, vector)
	if err != nil {
		return scored, fmt.Errorf("read the newest verdict of %s: %w", v.Name, err)
	}
	if scored.Reads, err = a.reads(ctx, v); err != nil {
		return scored, fmt.Errorf("read who reads %s: %w", v.Name, err)
	}
	scored.Impact = rules.ViewImpact(v, defs.Readers(), latest, scored.Reads)
	return scored, nil
}

// reads returns how often a view is read by the platform's clock; not known while that is
// not set.
func (a *API) reads(ctx context.Context, v *feature.View) (rules.ReadRates, error) {
	now, set := a.deps.Clock.Now()
	if !set {
		return rules.RatesOf(v, nil, now), nil
	}
	list, err := a.deps.Registry.Readership(ctx, v.ID, now.Add(-feature.ReadershipPeriod))
	return rules.RatesOf(v, list, now), err
}

// latest returns the verdict on the newest judged window of a view; an empty one if
// none was judged.
func (a *API) latest(ctx context.Context, v *feature.View, vector feature.Vector) (*rules.Verdict, error) {
	versions, err := a.deps.Registry.Versions(ctx, v.ID, max(vector.Floor, 1)-1, 0)
	if err != nil {
		return nil, err
	}
	for _, info := range slices.Backward(versions) {
		if info.Verdict == "" || info.Kind == feature.KindApproved {
			continue
		}
		row, err := a.deps.Registry.Verdict(ctx, info.Verdict)
		if errors.Is(err, feature.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if row.Kind != "window" { // it was taken out by another verdict
			continue
		}
		var verdict rules.Verdict
		if err := json.Unmarshal(row.Body, &verdict); err != nil {
			return nil, fmt.Errorf("verdict %s: %w", row.ID, err)
		}
		return &verdict, nil
	}
	return &rules.Verdict{}, nil
}
