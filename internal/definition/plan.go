package definition

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sluice/feature"
)

// Operations of a change.
const (
	OpAdd    = "add"
	OpChange = "change"
	OpRemove = "remove"
)

// Change is one thing that applying definitions would do. Kind is project,
// entity, view, service or rules. Fields names what changes within it, such as
// features.dep_delay.type or window.size; it is empty for an addition and a
// removal. Breaking says that readers or writers of it may fail, or that its
// history starts anew. Affects lists the services that read what changes. Removes
// is only set for a view that is removed.
type Change struct {
	Op       string   `json:"op"`
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	Fields   []string `json:"fields"`
	Breaking bool     `json:"breaking"`
	Affects  []string `json:"affects"`
	Removes  *Removal `json:"removes,omitempty"`
}

// Removal is what goes out of service with a view that is removed. Plan leaves it
// to whoever knows the registry.
type Removal struct {
	Versions      int             `json:"versions"`       // that are not rejected, rolled back or expired
	Rows          uint64          `json:"rows"`           // writes accepted into them
	ServedVersion feature.Version `json:"served_version"` // newest that readers see; 0 if none
}

// RemovesView reports whether c removes a view.
func (c *Change) RemovesView() bool { return c.Op == OpRemove && c.Kind == "view" }

// Changes is the contract's plan: what would change, and the digest of the
// definitions that would be in force.
type Changes struct {
	Changes []Change `json:"changes"`
	Digest  string   `json:"digest"`
}

// Plan compares the definitions in force with next. Ids are left out of the
// comparison. The order is project, entities, views, services, rules, each by
// name. Equal definitions give no change.
func Plan(old, next feature.Definitions) Changes {
	p := Changes{Changes: []Change{}, Digest: Digest(next)}
	if old.Project != next.Project && old.Project != "" {
		p.Changes = append(p.Changes, Change{Op: OpChange, Kind: "project", Name: next.Project, Fields: []string{"project"}, Breaking: true, Affects: []string{}})
	}
	if old.AlertsPerWeek != next.AlertsPerWeek {
		p.Changes = append(p.Changes, Change{Op: OpChange, Kind: "project", Name: next.Project, Fields: []string{"alerts_per_week"}, Affects: []string{}})
	}
	p.Changes = append(p.Changes, planEntities(&old, &next)...)
	p.Changes = append(p.Changes, planViews(&old, &next)...)
	p.Changes = append(p.Changes, planServices(&old, &next)...)
	if old.Rules != next.Rules {
		op := OpChange
		if old.Rules == "" {
			op = OpAdd
		} else if next.Rules == "" {
			op = OpRemove
		}
		p.Changes = append(p.Changes, Change{Op: op, Kind: "rules", Name: "rules", Fields: []string{}, Affects: []string{}})
	}
	return p
}

// Digest identifies definitions by their content, without ids and whatever the
// order of views, entities and services: hex of 16 bytes of SHA-256.
func Digest(defs feature.Definitions) string {
	views := make([]feature.View, len(defs.Views))
	for i, v := range defs.Views {
		views[i] = bare(v)
	}
	slices.SortFunc(views, func(a, b feature.View) int { return strings.Compare(a.Name, b.Name) })
	defs.Views = views
	defs.Entities = slices.SortedFunc(slices.Values(defs.Entities), func(a, b feature.Entity) int { return strings.Compare(a.Name, b.Name) })
	defs.Services = slices.SortedFunc(slices.Values(defs.Services), func(a, b feature.Service) int { return strings.Compare(a.Name, b.Name) })
	body, err := json.Marshal(defs)
	if err != nil {
		return "" // only definitions that Validate refuses: a bound that is no number, a type that is none
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:16])
}

// bare returns the view without ids, and with empty collections as nil.
func bare(v feature.View) feature.View {
	v.ID = 0
	v.Features = slices.Clone(v.Features)
	for i := range v.Features {
		v.Features[i].ID = 0
	}
	if len(v.Slices) == 0 {
		v.Slices = nil
	}
	if len(v.Context) == 0 {
		v.Context = nil
	}
	if len(v.Computed) == 0 {
		v.Computed = nil
	}
	if len(v.Expect) == 0 {
		v.Expect = nil
	}
	if len(v.Tags) == 0 {
		v.Tags = nil
	}
	if len(v.Source.Map) == 0 {
		v.Source.Map = nil
	}
	if len(v.Baseline.Season) == 0 {
		v.Baseline.Season = nil
	}
	return v
}

// names returns the names of both sides, sorted, each once.
func names[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return sorted(all)
}

func planEntities(old, next *feature.Definitions) []Change {
	index := func(defs *feature.Definitions) map[string]feature.Type {
		m := make(map[string]feature.Type, len(defs.Entities))
		for _, e := range defs.Entities {
			m[e.Name] = e.Type
		}
		return m
	}
	before, after := index(old), index(next)
	var changes []Change
	for _, name := range names(before, after) {
		c := Change{Kind: "entity", Name: name, Fields: []string{}, Affects: []string{}}
		switch a, b := before[name], after[name]; {
		case a == b:
			continue
		case a == 0:
			c.Op = OpAdd
		case b == 0:
			c.Op = OpRemove
		default:
			c.Op, c.Fields, c.Breaking = OpChange, []string{"type"}, true
		}
		changes = append(changes, c)
	}
	return changes
}

func planServices(old, next *feature.Definitions) []Change {
	index := func(defs *feature.Definitions) map[string]feature.Service {
		m := make(map[string]feature.Service, len(defs.Services))
		for _, s := range defs.Services {
			m[s.Name] = s
		}
		return m
	}
	before, after := index(old), index(next)
	var changes []Change
	for _, name := range names(before, after) {
		c := Change{Kind: "service", Name: name, Fields: []string{}, Affects: []string{name}}
		a, hadIt := before[name]
		b, hasIt := after[name]
		switch {
		case hadIt && hasIt && slices.Equal(a.Features, b.Features) && a.Priority == b.Priority && a.Precompute == b.Precompute:
			continue
		case !hadIt:
			c.Op = OpAdd
		case !hasIt:
			c.Op, c.Breaking = OpRemove, true
		default:
			c.Op = OpChange
			if !slices.Equal(a.Features, b.Features) {
				c.Fields = append(c.Fields, "features")
			}
			if a.Priority != b.Priority {
				c.Fields = append(c.Fields, "priority")
			}
			if a.Precompute != b.Precompute {
				c.Fields = append(c.Fields, "precompute")
			}
			c.Breaking = slices.ContainsFunc(a.Features, func(f string) bool { return !slices.Contains(b.Features, f) })
		}
		changes = append(changes, c)
	}
	return changes
}

// equal compares collections and what holds pointers by content.
func equal[T any](a, b T) bool { return reflect.DeepEqual(a, b) }
