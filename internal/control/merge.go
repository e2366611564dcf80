package control

import (
	"fmt"
	"slices"

	"sluice/feature"
	"sluice/internal/definition"
)

// add puts the views, entities and services of next beside those of old, in place of
// those of the same name. Rules, the project's name and its alert budget stay old's, unless nothing is in
// force. A view of old that belongs to another project is not replaced.
func add(old, next feature.Definitions) (feature.Definitions, error) {
	if old.Project == "" {
		return next, nil
	}
	out := old
	for _, v := range next.Views {
		if there := old.View(v.Name); there != nil && there.Project != v.Project {
			return out, &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("view %s is of project %s, not %s; nothing was changed", v.Name, there.Project, v.Project), Hint: "give the view another name"}
		}
	}
	out.Views = replace(old.Views, next.Views, func(v feature.View) string { return v.Name })
	out.Entities = replace(old.Entities, next.Entities, func(e feature.Entity) string { return e.Name })
	out.Services = replace(old.Services, next.Services, func(s feature.Service) string { return s.Name })
	if err := definition.Validate(&out); err != nil {
		return out, invalid("mend it and send it again; nothing was changed", "%v", err)
	}
	return out, nil
}

// replace returns old with the items of next in place of those of the same name, or
// behind them.
func replace[T any](old, next []T, name func(T) string) []T {
	out := slices.Clone(old)
	for _, n := range next {
		if at := slices.IndexFunc(out, func(o T) bool { return name(o) == name(n) }); at >= 0 {
			out[at] = n
		} else {
			out = append(out, n)
		}
	}
	return out
}
