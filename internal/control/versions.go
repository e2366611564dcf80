package control

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

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
	Online     string            `json:"online"` // the online store that the rows are in
	list[versionItem]
}

// versionItem is a version with how often readers saw it.
type versionItem struct {
	feature.VersionInfo
	Reads     uint64     `json:"reads"`      // rows of it that were returned
	FirstRead *time.Time `json:"first_read"` // null if never, or never by a clock that was set
	LastRead  *time.Time `json:"last_read"`
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
	seen, err := a.withReads(r.Context(), v, items)
	if err != nil {
		return nil, err
	}
	visible := vector.Visible
	if visible == nil {
		visible = []feature.Version{}
	}
	return versionsAnswer{v.Name, vector.Generation, vector.Floor, visible, vector.Frozen, v.OnlineStore(), listOf(seen, next)}, nil
}

// withReads adds to versions, which rise, how often readers saw them.
func (a *API) withReads(ctx context.Context, v *feature.View, infos []feature.VersionInfo) ([]versionItem, error) {
	if len(infos) == 0 {
		return nil, nil
	}
	exposure, err := a.deps.Registry.Exposure(ctx, v.ID, infos[0].Version, infos[len(infos)-1].Version)
	if err != nil {
		return nil, fmt.Errorf("read exposure of %s: %w", v.Name, err)
	}
	by := map[feature.Version]feature.VersionReads{}
	for _, e := range exposure {
		by[e.Version] = e
	}
	items := make([]versionItem, len(infos))
	for i, info := range infos {
		e := by[info.Version]
		items[i] = versionItem{info, e.Reads, orNull(e.First), orNull(e.Last)}
	}
	return items, nil
}

// orNull returns nil for the zero time.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
