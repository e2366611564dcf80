package definition

import (
	"go.yaml.in/yaml/v3"

	"sluice/expression"
	"sluice/feature"
)

// context reads the names and types of what requests bring.
func (d *decoder) context(to *map[string]feature.Type) setter {
	return func(n *yaml.Node, key string) {
		n, ok := d.enter(n, key)
		if !ok || n.Tag == "!!null" {
			return
		}
		if n.Kind != yaml.MappingNode {
			d.problem(n, key, "%s: want an object of types by name, such as {amount: float64}", shape(n))
			return
		}
		*to = map[string]feature.Type{}
		d.pairs(n, key, func(k, v *yaml.Node, at string) {
			var t feature.Type
			d.typ(&t)(v, at)
			(*to)[k.Value] = t
		})
	}
}

// readers fills in what the computed features of valid definitions are made of.
func readers(defs *feature.Definitions) {
	for i := range defs.Views {
		v := &defs.Views[i]
		if len(v.Computed) == 0 {
			continue
		}
		set, err := expression.Compile(v)
		if err != nil {
			continue // a problem that validation reports
		}
		for k := range v.Computed {
			for _, at := range set.Features(k) {
				v.Computed[k].Reads = append(v.Computed[k].Reads, v.Features[at].Name)
			}
		}
	}
}

// computed reads a feature that is computed when it is read.
func (d *decoder) computed(n *yaml.Node, key string) feature.Computed {
	var c feature.Computed
	d.mapping(n, key, map[string]setter{
		"name": d.text(&c.Name), "type": d.typ(&c.Type), "expr": d.text(&c.Expr),
		"unit": d.text(&c.Unit), "description": d.text(&c.Description),
		"reads": d.texts(&c.Reads), // a form says so; it follows from expr
	})
	c.Reads = nil
	return c
}
