package definition

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"sluice/feature"
)

func planViews(old, next *feature.Definitions) []Change {
	before, after := viewIndex(old), viewIndex(next)
	var changes []Change
	for _, name := range names(before, after) {
		c := Change{Kind: "view", Name: name, Fields: []string{}}
		a, b := before[name], after[name]
		switch {
		case a == nil:
			c.Op = OpAdd
		case b == nil:
			c.Op, c.Breaking = OpRemove, true
		default:
			c.Op = OpChange
			if c.Fields, c.Breaking = compareViews(a, b); len(c.Fields) == 0 {
				continue
			}
		}
		c.Affects = affected(old, next, name, c.Fields)
		changes = append(changes, c)
	}
	return changes
}

func viewIndex(defs *feature.Definitions) map[string]*feature.View {
	m := make(map[string]*feature.View, len(defs.Views))
	for i := range defs.Views {
		v := bare(defs.Views[i])
		m[v.Name] = &v
	}
	return m
}

// compareViews lists what differs between two forms of a view. Breaking are: a
// feature, stored or computed, that goes or changes its type, a computed one that needs
// more of requests than it did, other join keys, another source (what
// producers send must change with it), another window size (versions and history
// are cut by it).
func compareViews(a, b *feature.View) (fields []string, breaking bool) {
	note := func(differs, breaks bool, field string) {
		if differs {
			fields = append(fields, field)
			breaking = breaking || breaks
		}
	}
	note(!slices.Equal(a.Entities, b.Entities), true, "entities")
	featureFields, featureBreaks := compareFeatures(a, b)
	fields, breaking = append(fields, featureFields...), breaking || featureBreaks
	computedFields, computedBreaks := compareComputed(a, b)
	fields, breaking = append(fields, computedFields...), breaking || computedBreaks
	note(!slices.Equal(a.Slices, b.Slices), false, "slices")
	fields = append(fields, compareExpectations(a.Expect, b.Expect)...)
	note(a.Owner != b.Owner, false, "owner")
	note(a.Description != b.Description, false, "description")
	note(a.Compliance != b.Compliance, false, "compliance")
	note(!equal(a.Tags, b.Tags), false, "tags")
	note(a.OnlineStore() != b.OnlineStore(), true, "online")
	note(a.Group != b.Group, true, "group")
	note(a.Source.Topic != b.Source.Topic, true, "source.topic")
	note(a.Source.Format != b.Source.Format, true, "source.format")
	note(a.Source.EventTime != b.Source.EventTime, true, "source.event_time")
	note(!equal(a.Source.Map, b.Source.Map), true, "source.map")
	note(a.TTL != b.TTL, false, "ttl")
	note(a.Window.Size != b.Window.Size, true, "window.size")
	note(a.Window.Lateness != b.Window.Lateness, false, "window.lateness")
	note(a.Window.Idle != b.Window.Idle, false, "window.idle")
	note(a.Publish.Mode != b.Publish.Mode, false, "publish.mode")
	note(a.Publish.ProbationWindows != b.Publish.ProbationWindows, false, "publish.probation.windows")
	note(a.Publish.ProbationFail != b.Publish.ProbationFail, false, "publish.probation.fail")
	note(a.Publish.Hold != b.Publish.Hold, false, "publish.hold")
	note(a.Publish.MaxRollbacksPerHour != b.Publish.MaxRollbacksPerHour, false, "publish.max_rollbacks_per_hour")
	note(a.Publish.OnStaleRollback != b.Publish.OnStaleRollback, false, "publish.on_stale_rollback")
	note(a.Freshness != b.Freshness, false, "freshness")
	note(!equal(a.Baseline, b.Baseline), false, "baseline")
	note(!slices.EqualFunc(a.Calendar, b.Calendar, equal), false, "calendar")
	return fields, breaking
}

// compareFeatures lists features that come, go or change. Only a change of their
// order among themselves is listed as features.
func compareFeatures(a, b *feature.View) (fields []string, breaking bool) {
	for i := range a.Features {
		f := &a.Features[i]
		at := b.FeatureAt(f.Name)
		if at < 0 {
			fields, breaking = append(fields, "features."+f.Name), true
			continue
		}
		g := &b.Features[at]
		if f.Type != g.Type {
			fields, breaking = append(fields, "features."+f.Name+".type"), true
		}
		if f.Unit != g.Unit {
			fields = append(fields, "features."+f.Name+".unit")
		}
		if f.Description != g.Description {
			fields = append(fields, "features."+f.Name+".description")
		}
		if f.Weight() != g.Weight() {
			fields = append(fields, "features."+f.Name+".importance")
		}
		if f.TTL != g.TTL {
			fields = append(fields, "features."+f.Name+".ttl")
		}
		if !bytes.Equal(f.Default, g.Default) {
			fields = append(fields, "features."+f.Name+".default")
		}
		if cmp.Or(f.NotFinite, feature.NotFinitePass) != cmp.Or(g.NotFinite, feature.NotFinitePass) {
			fields = append(fields, "features."+f.Name+".not_finite")
		}
		if !equal(f.Expect, g.Expect) {
			fields = append(fields, "features."+f.Name+".expect")
		}
	}
	for i := range b.Features {
		if a.FeatureAt(b.Features[i].Name) < 0 {
			fields = append(fields, "features."+b.Features[i].Name)
		}
	}
	if len(fields) == 0 && !slices.Equal(featureNames(a), featureNames(b)) {
		fields = []string{"features"}
	}
	return fields, breaking
}

// compareExpectations names the view's own expectations that come, go or change. Only
// a change of their order among themselves is listed as expect.
func compareExpectations(a, b []feature.Expectation) (fields []string) {
	find := func(in []feature.Expectation, name string) *feature.Expectation {
		if i := slices.IndexFunc(in, func(e feature.Expectation) bool { return e.Name == name }); i >= 0 {
			return &in[i]
		}
		return nil
	}
	for i := range a {
		if other := find(b, a[i].Name); other == nil || !equal(a[i], *other) {
			fields = append(fields, "expect."+a[i].Name)
		}
	}
	for i := range b {
		if find(a, b[i].Name) == nil {
			fields = append(fields, "expect."+b[i].Name)
		}
	}
	if len(fields) == 0 && !equal(a, b) && len(a)+len(b) > 0 {
		fields = []string{"expect"}
	}
	return fields
}

// affected returns the services, of either side, that read what changes: those
// of the features in fields if only features change, else all of the view's.
func affected(old, next *feature.Definitions, view string, fields []string) []string {
	whole := len(fields) == 0 || slices.ContainsFunc(fields, func(f string) bool { return !named(f) })
	if !whole {
		fields = slices.Concat(fields, readersOf(old.View(view), fields), readersOf(next.View(view), fields))
	}
	found := map[string]bool{}
	for _, s := range slices.Concat(old.Services, next.Services) {
		for _, ref := range s.Features {
			of, name, _ := strings.Cut(ref, ":")
			if of == view && (whole || touches(fields, name)) {
				found[s.Name] = true
			}
		}
	}
	return sorted(found)
}

// touches reports whether a feature, or one that a path leads into, is among fields.
func touches(fields []string, name string) bool {
	name, _, _ = strings.Cut(name, ".")
	return slices.ContainsFunc(fields, func(f string) bool {
		_, rest, _ := strings.Cut(f, ".")
		return rest == name || strings.HasPrefix(rest, name+".")
	})
}
