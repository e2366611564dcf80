package feast

import (
	"fmt"
	"slices"

	feastcore "sluice/api/feast/core"
	"sluice/feature"
)

// precomputed puts the views of a service whose vectors Feast computes beforehand into a
// group of the service's name: their rows are one read for each entity, and each view still
// shows what its own versions say (docs/groups.md has why it is no vector). It is the only
// time that costs nothing: later the rows are where they are.
func (in *importer) precomputed(spec *feastcore.FeatureServiceSpec) {
	if !spec.GetPrecomputeOnline() {
		return
	}
	var views []*feature.View
	for _, p := range spec.GetFeatures() {
		if v := in.Defs.View(p.GetFeatureViewName()); !slices.Contains(views, v) {
			views = append(views, v)
		}
	}
	if group := views[0].Group; group != "" && !slices.ContainsFunc(views, func(v *feature.View) bool { return v.Group != group }) {
		in.changed("service", spec.GetName(), "has no vectors that are computed beforehand: its views are in group "+group+", which is one read for each entity (docs/groups.md)")
		return
	}
	if why := cannotGroup(views); why != "" {
		in.leftOut("precompute_online", spec.GetName(), "%s", why)
		return
	}
	for _, v := range views {
		v.Group = spec.GetName()
	}
	in.changed("service", spec.GetName(), "has no vectors that are computed beforehand: its views are in a group, which is one read for each entity (docs/groups.md); take `group` out if they are mostly read apart")
}

// cannotGroup says why views are not one read for each entity, or need nothing to be one.
func cannotGroup(views []*feature.View) string {
	switch {
	case len(views) < 2:
		return "it reads one view, which is one read for each entity as it is"
	case len(views) > feature.MaxGroup:
		return fmt.Sprintf("it reads %d views, and a group has %d at most: put some into a `group` (docs/groups.md)", len(views), feature.MaxGroup)
	}
	for _, v := range views {
		if v.Group != "" {
			return fmt.Sprintf("view %s is in group %s, and a view is in one", v.Name, v.Group)
		}
		if first := views[0]; !slices.Equal(v.Entities, first.Entities) {
			return fmt.Sprintf("view %s has the join keys %s, and %s has %s: views that are one read have the same in the same order", first.Name, first.JoinKeys(), v.Name, v.JoinKeys())
		}
	}
	return ""
}
