package feast

import (
	"fmt"
	"slices"
	"strings"

	feastcore "sluice/api/feast/core"
	feasttypes "sluice/api/feast/types"
	"sluice/feature"
)

// Note is something of a registry that is not as it was: left out, or changed.
type Note struct {
	Kind string `json:"kind"` // entity, view, feature, service, ...
	Name string `json:"name"`
	Why  string `json:"why"`
}

// String returns the note as a line.
func (n Note) String() string { return n.Kind + " " + n.Name + ": " + n.Why }

// Result is what an import made.
type Result struct {
	Project string // in Feast
	Defs    feature.Definitions
	LeftOut []Note
	Changed []Note
}

// Import makes definitions of a project; an empty name is the only one. Views keep
// their names, so that clients find them; what Sluice cannot name or hold is left out,
// and a service that would lack one of its features is left out whole. The error is
// ErrProject.
func Import(r *feastcore.Registry, project string) (*Result, error) {
	project, err := choose(r, project)
	if err != nil {
		return nil, err
	}
	in := &importer{
		Result: Result{Project: project, Defs: feature.Definitions{Project: project}},
		joins:  map[string]join{}, types: map[string]feature.Type{}, taken: map[string]bool{},
	}
	if !feature.ValidName(project) {
		in.Defs.Project = asName(project)
		in.changed("project", project, "is "+in.Defs.Project+" here, since names are of lower-case letters, digits and _; Feast's clients use that name with the remote registry")
	}
	in.entities(r)
	in.views(r)
	in.services(r)
	in.rest(r)
	slices.SortFunc(in.Defs.Entities, func(a, b feature.Entity) int { return strings.Compare(a.Name, b.Name) })
	return &in.Result, nil
}

// asName makes a valid name of any.
func asName(text string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, text)
	if out = "p" + out; feature.ValidName(out[1:]) {
		return out[1:]
	}
	return out[:min(len(out), 63)]
}

// importer is the state of one import.
type importer struct {
	Result
	joins map[string]join         // Feast's entities by name
	types map[string]feature.Type // of the join keys that views use
	taken map[string]bool         // names of views
}

// join is what a Feast entity stands for.
type join struct {
	key string
	typ feasttypes.ValueType_Enum // INVALID: the views say
}

func (in *importer) leftOut(kind, name, why string, args ...any) {
	in.LeftOut = append(in.LeftOut, Note{kind, shown(name), fmt.Sprintf(why, args...)})
}

func (in *importer) changed(kind, name, why string) {
	in.Changed = append(in.Changed, Note{kind, shown(name), why})
}

// shown is a name as a note shows it: as it is, or quoted and cut.
func shown(name string) string {
	if len(name) <= 128 && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return name
	}
	return fmt.Sprintf("%.128q", name)
}

const badName = "a name here is a lower-case letter and up to 62 lower-case letters, digits and _"

// entities remembers the join keys. They are declared with the views that use them.
func (in *importer) entities(r *feastcore.Registry) {
	for _, e := range r.GetEntities() {
		spec := e.GetSpec()
		if spec.GetProject() != in.Project {
			continue
		}
		key := spec.GetJoinKey()
		if key == "" {
			key = spec.GetName()
		}
		in.joins[spec.GetName()] = join{key, spec.GetValueType()}
		in.undescribed("entity", spec.GetName(), spec.GetDescription(), spec.GetOwner(), spec.GetTags())
		if key != spec.GetName() && spec.GetName() != dummyEntity {
			in.changed("entity", spec.GetName(), "is called by its join key, "+shown(key)+", as requests name it")
		}
	}
}

// services imports the services whose features are all there.
func (in *importer) services(r *feastcore.Registry) {
	seen := map[string]bool{}
	for _, s := range r.GetFeatureServices() {
		spec := s.GetSpec()
		if spec.GetProject() != in.Project {
			continue
		}
		refs, why := in.service(spec)
		if why == "" {
			why = olderVersion(r, spec)
		}
		if why == "" && seen[spec.GetName()] {
			why = "the registry has two of the name"
		}
		if why != "" {
			in.leftOut("service", spec.GetName(), "%s", why)
			continue
		}
		seen[spec.GetName()] = true
		in.Defs.Services = append(in.Defs.Services, feature.Service{Name: spec.GetName(), Features: refs})
		in.precomputed(spec)
		in.serviceRest(spec)
		for _, p := range spec.GetFeatures() {
			if alias := p.GetFeatureViewNameAlias(); alias != "" && alias != p.GetFeatureViewName() {
				in.changed("service", spec.GetName(), "names view "+p.GetFeatureViewName()+" "+shown(alias)+"; its full feature names begin with "+p.GetFeatureViewName()+"__ here")
			}
		}
	}
}

// olderVersion says which view a service reads in another version than the registry's current
// one, which is what is imported; empty if none.
func olderVersion(r *feastcore.Registry, spec *feastcore.FeatureServiceSpec) string {
	current := map[string]int32{}
	for _, v := range r.GetFeatureViews() {
		if v.GetSpec().GetProject() == spec.GetProject() {
			current[v.GetSpec().GetName()] = v.GetMeta().GetCurrentVersionNumber()
		}
	}
	for _, p := range spec.GetFeatures() {
		if now := current[p.GetFeatureViewName()]; p.VersionTag != nil && p.GetVersionTag() != now {
			return fmt.Sprintf("it reads version %d of view %s, of which the current one, %d, is imported", p.GetVersionTag(), p.GetFeatureViewName(), now)
		}
	}
	return ""
}

// service returns a service's features, or why it cannot be.
func (in *importer) service(spec *feastcore.FeatureServiceSpec) (refs []string, why string) {
	if !feature.ValidName(spec.GetName()) {
		return nil, badName
	}
	for _, p := range spec.GetFeatures() {
		v := in.Defs.View(p.GetFeatureViewName())
		switch {
		case v == nil:
			return nil, "view " + shown(p.GetFeatureViewName()) + ", which it reads, is left out"
		case len(p.GetJoinKeyMap()) > 0:
			return nil, "it reads view " + v.Name + " by other join keys (a join key map): read that view by its own keys"
		}
		for _, f := range p.GetFeatureColumns() {
			ref := v.Name + ":" + f.GetName()
			if v.FeatureAt(f.GetName()) < 0 {
				return nil, "feature " + shown(ref) + ", which it reads, is left out"
			}
			if slices.Contains(refs, ref) {
				return nil, "it reads " + ref + " twice"
			}
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil, "it reads no features"
	}
	return refs, ""
}
