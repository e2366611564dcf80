package definition

import (
	"fmt"
	"slices"
	"strings"

	"sluice/feature"
)

// precompute puts the views of each service that asks for it into a group of the service's name: the rows of an
// entity then lie in one record, written with each version, and the service reads that one (docs/groups.md says
// why it holds the views' rows and not a choice of their values). A view that no service names, or one that
// declares a group, is as it was.
func (p *parser) precompute() {
	of := map[string]string{} // the service that put a view into its group
	for i := range p.defs.Services {
		s := &p.defs.Services[i]
		if !s.Precompute {
			continue
		}
		views := viewsOf(&p.defs, s)
		if len(views) < 2 || inOneGroup(views) {
			continue // one look-up as it is
		}
		if why := apart(views, of); why != "" {
			key := join("services", s.Name) + ".precompute"
			at := p.locate(key)
			p.problems.add(at.file, at.line, key, "%s", why)
			continue
		}
		for _, v := range views {
			v.Group, of[v.Name] = s.Name, s.Name
		}
	}
}

// viewsOf returns the views that a service reads, each once, without those that are not defined.
func viewsOf(defs *feature.Definitions, s *feature.Service) []*feature.View {
	var out []*feature.View
	for _, ref := range s.Features {
		name, _, _ := strings.Cut(ref, ":")
		if v := defs.View(name); v != nil && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// inOneGroup reports whether views are in the same group.
func inOneGroup(views []*feature.View) bool {
	return views[0].Group != "" && !slices.ContainsFunc(views, func(v *feature.View) bool { return v.Group != views[0].Group })
}

// apart says why the rows of views cannot lie together; empty if they can. of names the service by which a view
// is in its group.
func apart(views []*feature.View, of map[string]string) string {
	if len(views) > feature.MaxGroup {
		return fmt.Sprintf("the service reads %d views, and the rows of %d at most lie together: leave it out, and put the views that are mostly read together into a `group`", len(views), feature.MaxGroup)
	}
	one := views[0]
	for _, v := range views {
		switch {
		case of[v.Name] != "":
			return fmt.Sprintf("the rows of view %s lie with those of service %s, and a row lies in one place: give the views of both one `group` instead", v.Name, of[v.Name])
		case v.Group != "":
			return fmt.Sprintf("view %s is in group %s, and not all views of the service are: give all of them that `group`", v.Name, v.Group)
		case !slices.Equal(v.Entities, one.Entities):
			return fmt.Sprintf("view %s has the join keys %s, and %s has %s: rows that lie together have the same ones in the same order", one.Name, one.JoinKeys(), v.Name, v.JoinKeys())
		case v.OnlineStore() != one.OnlineStore():
			return fmt.Sprintf("view %s is in online store %s, and %s in %s: rows that lie together are in one", one.Name, one.OnlineStore(), v.Name, v.OnlineStore())
		}
	}
	return ""
}
