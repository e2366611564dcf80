package control

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"sluice/feature"
	"sluice/internal/definition"
	"sluice/materialize"
	"sluice/rules"
)

// viewItem is a view with its state. The keys after age_seconds are those of the
// definition's form.
type viewItem struct {
	Project       string                     `json:"project"`
	Mode          feature.Mode               `json:"mode"`
	State         string                     `json:"state"` // learning | serving | frozen
	Generation    uint64                     `json:"generation"`
	ServedVersion feature.Version            `json:"served_version"`
	AgeSeconds    float64                    `json:"age_seconds"`         // of the newest event time by the platform's clock; 0 before the first
	Score         *float64                   `json:"score"`               // of Impact; null before anything was measured
	Impact        *rules.Impact              `json:"impact,omitempty"`    // of one view; left out of lists
	Reads         *rules.ReadRates           `json:"reads,omitempty"`     // likewise
	Producers     []materialize.ProducerSkew `json:"producers,omitempty"` // likewise: who wrote within two minutes, and how far their clocks are off
	definition.ViewForm
}

// views lists the views in force by name.
func (a *API) views(r *http.Request) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	defs, _, err := a.deps.Registry.Definitions(r.Context())
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	after, next := r.URL.Query().Get("after"), ""
	var items []viewItem
	for _, v := range byName(defs.Views) {
		if v.Name <= after {
			continue
		}
		if len(items) == limit {
			next = items[limit-1].Name
			break
		}
		item, err := a.scored(r.Context(), &defs, v)
		if err != nil {
			return nil, err
		}
		item.Impact, item.Reads = nil, nil
		items = append(items, item)
	}
	return listOf(items, next), nil
}

func (a *API) view(r *http.Request) (any, error) {
	defs, _, err := a.deps.Registry.Definitions(r.Context())
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	v, err := findView(&defs, r.PathValue("view"))
	if err != nil {
		return nil, err
	}
	item, err := a.scored(r.Context(), &defs, v)
	if now, set := a.deps.Clock.Now(); set {
		item.Producers = a.deps.Board.Producers(v, now)
	}
	return item, err
}

// scored describes a view as it is now, with its score.
func (a *API) scored(ctx context.Context, defs *feature.Definitions, v *feature.View) (viewItem, error) {
	vector, err := a.deps.Registry.Vector(ctx, v.ID)
	if err != nil {
		return viewItem{}, fmt.Errorf("read vector of %s: %w", v.Name, err)
	}
	item, err := a.state(ctx, v, vector)
	if err != nil {
		return item, err
	}
	scored, err := a.impact(ctx, defs, v, vector)
	if err != nil {
		return item, err
	}
	item.Impact, item.Reads = &scored.Impact, &scored.Reads
	if scored.Measured {
		item.Score = &scored.Score
	}
	return item, nil
}

// state describes a view as it is now.
func (a *API) state(ctx context.Context, v *feature.View, vector feature.Vector) (viewItem, error) {
	item := viewItem{
		Project: v.Project, Mode: v.Publish.Mode, State: "serving", Generation: vector.Generation,
		ServedVersion: vector.Newest(), AgeSeconds: a.age(v), ViewForm: definition.ViewFormOf(v),
	}
	learning, err := a.learning(ctx, v, vector)
	switch {
	case err != nil:
		return viewItem{}, fmt.Errorf("read state of %s: %w", v.Name, err)
	case vector.Frozen:
		item.State = "frozen"
	case learning:
		item.State = "learning"
	}
	return item, nil
}

// learned is how many versions a view has before it is taken to know enough.
const learned = 8

func (a *API) learning(ctx context.Context, v *feature.View, vector feature.Vector) (bool, error) {
	if a.deps.Learning == nil {
		return vector.Newest() < learned, nil
	}
	return a.deps.Learning(ctx, v)
}

// age returns the age of the newest event time in seconds; 0 if there is none, or
// the clock is not set.
func (a *API) age(v *feature.View) float64 {
	now, set := a.deps.Clock.Now()
	newest := a.deps.Board.Newest(v)
	if !set || newest.IsZero() || now.Before(newest) {
		return 0
	}
	return now.Sub(newest).Truncate(time.Millisecond).Seconds()
}
