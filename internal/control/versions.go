package control

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"sluice/feature"
)

// byName returns pointers to the views, by name.
func byName(views []feature.View) []*feature.View {
	sorted := make([]*feature.View, len(views))
	for i := range views {
		sorted[i] = &views[i]
	}
	slices.SortFunc(sorted, func(a, b *feature.View) int { return cmp.Compare(a.Name, b.Name) })
	return sorted
}

type versionsAnswer struct {
	View       string            `json:"view"`
	Generation uint64            `json:"generation"`
	Floor      feature.Version   `json:"floor"`
	Visible    []feature.Version `json:"visible"`
	Frozen     bool              `json:"frozen"`
	list[feature.VersionInfo]
}

// versions lists a view's versions with the vector that says which are visible.
func (a *API) versions(r *http.Request) (any, error) {
	v, err := a.find(r)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	after, err := numberOf(r, "after")
	if err != nil {
		return nil, err
	}
	vector, err := a.deps.Registry.Vector(r.Context(), v.ID)
	if err != nil {
		return nil, fmt.Errorf("read vector of %s: %w", v.Name, err)
	}
	items, err := a.deps.Registry.Versions(r.Context(), v.ID, feature.Version(after), limit+1)
	if err != nil {
		return nil, fmt.Errorf("list versions of %s: %w", v.Name, err)
	}
	next := ""
	if len(items) > limit {
		items = items[:limit]
		next = strconv.FormatUint(uint64(items[limit-1].Version), 10)
	}
	visible := vector.Visible
	if visible == nil {
		visible = []feature.Version{}
	}
	return versionsAnswer{v.Name, vector.Generation, vector.Floor, visible, vector.Frozen, listOf(items, next)}, nil
}
