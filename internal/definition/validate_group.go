package definition

import (
	"slices"

	"sluice/feature"
)

// validateGroups finds views of a group whose rows cannot lie together: those with other
// join keys, or in another online store, than the first of the group that is defined, and
// those that are too many.
func validateGroups(defs *feature.Definitions, found *Problems) {
	first, count := map[string]*feature.View{}, map[string]int{}
	for i := range defs.Views {
		v := &defs.Views[i]
		if v.Group == "" {
			continue
		}
		key := join("views", v.Name) + ".group"
		if count[v.Group]++; count[v.Group] == feature.MaxGroup+1 {
			found.add("", 0, key, "%s has more than %d views, whose records would not fit into one hash of an entity in its compact form (%d records): choose another group for some",
				v.Group, feature.MaxGroup, feature.MaxGroup*feature.LongestChain)
		}
		one := first[v.Group]
		if one == nil {
			first[v.Group] = v
			continue
		}
		if !slices.Equal(one.Entities, v.Entities) {
			found.add("", 0, key, "%s is a group of views with the join keys %s, like %s, and this view has %s: views of a group have the same ones in the same order",
				v.Group, one.JoinKeys(), one.Name, v.JoinKeys())
		}
		if one.OnlineStore() != v.OnlineStore() {
			found.add("", 0, key, "%s is a group of views in online store %s, like %s, and this view is in %s: views of a group are in one", v.Group, one.OnlineStore(), one.Name, v.OnlineStore())
		}
	}
}
