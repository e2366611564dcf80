package definition

import (
	"slices"
	"strings"

	"sluice/expression"
	"sluice/feature"
)

// compareComputed lists values of requests and computed features that come, go or
// change. Breaking are those that go or change their type, and a computed feature that
// needs a value of requests which it did not need.
func compareComputed(a, b *feature.View) (fields []string, breaking bool) {
	for _, name := range names(a.Context, b.Context) {
		if before, after := a.Context[name], b.Context[name]; before != after {
			fields, breaking = append(fields, "context."+name), breaking || before != 0 && after != 0
		}
	}
	was, is := needsOf(a), needsOf(b)
	for i := range a.Computed {
		c := &a.Computed[i]
		at := b.ComputedAt(c.Name)
		if at < 0 {
			fields, breaking = append(fields, "computed."+c.Name), true
			continue
		}
		for field, differs := range map[string]bool{"type": c.Type != b.Computed[at].Type, "expr": c.Expr != b.Computed[at].Expr, "unit": c.Unit != b.Computed[at].Unit, "description": c.Description != b.Computed[at].Description} {
			if differs {
				fields, breaking = append(fields, "computed."+c.Name+"."+field), breaking || field == "type"
			}
		}
		breaking = breaking || slices.ContainsFunc(is[c.Name], func(name string) bool { return !slices.Contains(was[c.Name], name) })
	}
	for _, name := range computedNames(b) {
		if a.ComputedAt(name) < 0 {
			fields = append(fields, "computed."+name)
		}
	}
	slices.Sort(fields)
	if len(fields) == 0 && !slices.Equal(computedNames(a), computedNames(b)) {
		fields = []string{"computed"}
	}
	return fields, breaking
}

// needsOf returns the values of requests that each computed feature of v needs.
func needsOf(v *feature.View) map[string][]string {
	set, err := expression.Compile(v)
	if err != nil {
		return nil // not in force, or of another version of the language: nothing is known
	}
	needs := map[string][]string{}
	for i := range v.Computed {
		for _, at := range set.Needs(i) {
			needs[v.Computed[i].Name] = append(needs[v.Computed[i].Name], set.Context()[at])
		}
	}
	return needs
}

// named reports whether a changed field is a feature, stored or computed, or a value of
// requests.
func named(field string) bool {
	return strings.HasPrefix(field, "features.") || strings.HasPrefix(field, "computed.") || strings.HasPrefix(field, "context.")
}

// readersOf returns the fields of the computed features of v that read what changes.
func readersOf(v *feature.View, fields []string) (readers []string) {
	if v == nil || len(v.Computed) == 0 {
		return nil
	}
	set, err := expression.Compile(v)
	if err != nil {
		return nil
	}
	changed := map[string]bool{}
	for _, f := range fields {
		_, name, _ := strings.Cut(f, ".")
		name, _, _ = strings.Cut(name, ".")
		changed[name] = true
	}
	for i := range v.Computed {
		reads := slices.ContainsFunc(set.Features(i), func(at int) bool { return changed[v.Features[at].Name] }) ||
			slices.ContainsFunc(set.Needs(i), func(at int) bool { return changed[set.Context()[at]] })
		for j := range v.Computed {
			reads = reads || changed[v.Computed[j].Name] && set.Reads(i, j)
		}
		if reads {
			readers = append(readers, "computed."+v.Computed[i].Name)
		}
	}
	return readers
}
