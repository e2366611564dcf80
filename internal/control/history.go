package control

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// history lists a feature's summaries of the windows that start in [from, to).
func (a *API) history(r *http.Request) (any, error) {
	v, err := a.find(r)
	if err != nil {
		return nil, err
	}
	name := r.PathValue("feature")
	if err := findFeature(v, name); err != nil {
		return nil, err
	}
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	var from, to, after time.Time
	for key, at := range map[string]*time.Time{"from": &from, "to": &to, "after": &after} {
		if *at, err = timeOf(r, key); err != nil {
			return nil, err
		}
	}
	if to.IsZero() {
		to = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if to.Before(from) {
		return nil, invalid("swap them", "from %s is after to %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	items, err := a.deps.History(r.Context(), v, name, from, to)
	if err != nil {
		return nil, fmt.Errorf("read history of %s:%s: %w", v.Name, name, err)
	}
	items = slices.DeleteFunc(items, func(h HistoryItem) bool { return !after.IsZero() && !h.Window.Start.After(after) })
	for i := range items {
		if items[i].Quantiles == nil {
			items[i].Quantiles = map[string]float64{}
		}
	}
	next := ""
	if len(items) > limit {
		items = items[:limit]
		next = items[limit-1].Window.Start.UTC().Format(time.RFC3339Nano)
	}
	return listOf(items, next), nil
}
