package definition

import (
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
)

// DefaultProject names the project of definitions that do not.
const DefaultProject = "default"

// Parse merges the files into one set of definitions, applies the defaults and
// validates the result. Files that another one names with `rules:` are kept as
// text. The error is Problems: everything that is wrong, at once. Ids are 0.
func Parse(files []File) (feature.Definitions, error) {
	p := parser{places: map[string]place{}, entities: map[string]feature.Type{}, seen: map[string]place{}}
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int { return compareNames(a.Name, b.Name) })
	for i := range files {
		files[i].Name = path.Clean(files[i].Name)
	}
	named := rulesNames(files)
	for i, f := range files {
		switch {
		case i > 0 && files[i-1].Name == f.Name:
			p.problems.add(f.Name, 0, "", "given twice: keep one")
		case !slices.Contains(named, f.Name):
			p.file(f)
		}
	}
	p.rules(files)
	p.finish()
	p.precompute()
	p.validate()
	if len(p.problems) == 0 {
		readers(&p.defs)
	}
	return p.defs, p.problems.err()
}

func compareNames(a, b string) int {
	switch a, b = path.Clean(a), path.Clean(b); {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// parser collects the definitions of several files.
type parser struct {
	defs     feature.Definitions
	problems Problems
	places   map[string]place
	entities map[string]feature.Type // types of the entities that the project declares
	seen     map[string]place        // what may be declared once: views, services, entities
	rulesAt  place
}

func (p *parser) file(f File) {
	docs, line, err := documents(f.Text)
	if err != nil {
		p.problems.add(f.Name, line, "", "%v", err)
		return
	}
	d := &decoder{file: f.Name, problems: &p.problems, places: p.places}
	for _, doc := range docs {
		if doc.Kind == yaml.ScalarNode && doc.Tag == "!!null" {
			continue
		}
		d.mapping(doc, "", map[string]setter{
			"project":         p.project(d),
			"alerts_per_week": p.budget(d),
			"entities":        d.list(p.entity(d)),
			"views":           d.list(p.view(d)),
			"services":        d.list(p.service(d)),
			"rules":           p.rulesName(d),
			"calendar":        d.calendar(&p.defs.Calendar),
		})
	}
}

func (p *parser) project(d *decoder) setter {
	return func(n *yaml.Node, key string) {
		var name string
		d.text(&name)(n, key)
		if p.defs.Project != "" && name != "" && name != p.defs.Project {
			d.problem(n, key, "%s, but another file says %s: one folder is one project", show(name), show(p.defs.Project))
			return
		}
		p.defs.Project = name
	}
}

// budget reads the alert budget, which one file gives.
func (p *parser) budget(d *decoder) setter {
	return func(n *yaml.Node, key string) {
		var budget *float64
		d.number(&budget)(n, key)
		if budget == nil || !p.once(d, n, key, "budget") {
			return
		}
		if validateBudget(*budget, &p.problems, place{d.file, n.Line}) {
			p.defs.AlertsPerWeek = *budget
		}
	}
}

func (p *parser) entity(d *decoder) setter {
	return func(n *yaml.Node, key string) {
		e := d.joinKey(n, key)
		if e.Name == "" || !p.once(d, n, key, "entity") {
			return
		}
		if e.Type == 0 {
			e.Type = feature.String
		}
		p.entities[e.Name] = e.Type
		p.defs.Entities = append(p.defs.Entities, e)
	}
}

// joinKey reads an entity: its name, or an object with name and type.
func (d *decoder) joinKey(n *yaml.Node, key string) feature.Entity {
	var e feature.Entity
	if n.Kind == yaml.ScalarNode {
		d.text(&e.Name)(n, key)
		return e
	}
	d.mapping(n, key, map[string]setter{"name": d.text(&e.Name), "type": d.typ(&e.Type)})
	if e.Name == "" {
		d.problem(n, key, "an entity needs a name")
	}
	return e
}

func (p *parser) service(d *decoder) setter {
	return func(n *yaml.Node, key string) {
		var s feature.Service
		d.mapping(n, key, map[string]setter{"name": d.text(&s.Name), "features": d.texts(&s.Features), "priority": d.text(&s.Priority), "precompute": d.truth(&s.Precompute)})
		if s.Name == "" {
			d.problem(n, key, "a service needs a name")
			return
		}
		if p.once(d, n, key, "service") {
			p.defs.Services = append(p.defs.Services, s)
		}
	}
}

// once reports whether key is declared for the first time, and says so if not.
func (p *parser) once(d *decoder, n *yaml.Node, key, kind string) bool {
	if first, twice := p.seen[key]; twice {
		d.problem(n, key, "the %s is declared twice, first at %s:%d: keep one", kind, escape(first.file), first.line)
		return false
	}
	p.seen[key] = place{d.file, n.Line}
	return true
}

// finish fills in what needs all files: the project, and the types of join keys.
func (p *parser) finish() {
	if p.defs.Project == "" {
		p.defs.Project = DefaultProject
	}
	for i := range p.defs.Views {
		v := &p.defs.Views[i]
		v.Project = p.defs.Project
		for _, o := range p.defs.Calendar {
			o.Project = true
			v.Calendar = append(v.Calendar, o)
		}
		for j := range v.Entities {
			p.resolve(v, &v.Entities[j])
		}
	}
}

// resolve gives a join key its type: its own, else the one that the project
// declares, else string; the first use of an undeclared one declares it.
func (p *parser) resolve(v *feature.View, e *feature.Entity) {
	declared, ok := p.entities[e.Name]
	switch {
	case !ok:
		if e.Type == 0 {
			e.Type = feature.String
		}
		if e.Name != "" {
			p.entities[e.Name] = e.Type
			p.defs.Entities = append(p.defs.Entities, *e)
		}
	case e.Type == 0:
		e.Type = declared
	case e.Type != declared:
		key := join(join(join("views", v.Name), "entities"), e.Name)
		at := p.places[key]
		p.problems.add(at.file, at.line, key, "type %s, but %s elsewhere: an entity has one type", e.Type, declared)
	}
}

// validate adds what Validate finds, with places, but for keys that have a
// problem already.
func (p *parser) validate() {
	known := make(map[string]bool, len(p.problems))
	for _, q := range p.problems {
		known[q.Key] = true
	}
	var found Problems
	validate(&p.defs, &found)
	for _, q := range found {
		if !covered(known, q.Key) {
			at := p.locate(q.Key)
			if q.Line > 0 {
				at.line = q.Line // within the rules file
			}
			p.problems.add(at.file, at.line, q.Key, "%s", q.Text)
		}
	}
}

// covered reports whether key or what it is a part of has a problem already.
func covered(known map[string]bool, key string) bool {
	for ; key != ""; key = parent(key) {
		if known[key] {
			return true
		}
	}
	return false
}

// locate returns where key was given, or else the nearest thing around it.
func (p *parser) locate(key string) place {
	for ; key != ""; key = parent(key) {
		if at, ok := p.places[key]; ok {
			return at
		}
	}
	return place{}
}

// parent returns the path without its last part.
func parent(key string) string {
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] == '.' || key[i] == '[' {
			return key[:i]
		}
	}
	return ""
}
