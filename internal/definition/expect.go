package definition

import (
	"go.yaml.in/yaml/v3"

	"sluice/feature"
)

// expect reads what a feature expects.
func (d *decoder) expect(e *feature.Expect) setter {
	return func(n *yaml.Node, key string) {
		d.mapping(n, key, map[string]setter{
			"min": d.number(&e.Min), "max": d.number(&e.Max), "in": d.texts(&e.In), "expr": d.text(&e.Expr),
			"pattern": d.text(&e.Pattern), "length": d.length(&e.Length), "token": d.truth(&e.Token),
			"unique": d.truth(&e.Unique), "monotonic": d.truth(&e.Monotonic),
			"mean": d.span(&e.Mean), "quantiles": d.quantiles(&e.Quantiles), "distinct": d.span(&e.Distinct),
			"nulls": d.number(&e.Nulls), "bad": d.number(&e.Bad),
		})
	}
}

// expectation reads one of a view's own.
func (d *decoder) expectation(n *yaml.Node, key string) feature.Expectation {
	var e feature.Expectation
	d.mapping(n, key, map[string]setter{
		"name": d.text(&e.Name), "expr": d.text(&e.Expr), "unique": d.texts(&e.Unique), "monotonic": d.text(&e.Monotonic),
		"completeness": d.number(&e.Completeness), "rows": d.span(&e.Rows), "late": d.number(&e.Late), "bad": d.number(&e.Bad),
	})
	return e
}

func (d *decoder) length(to **feature.Length) setter {
	return func(n *yaml.Node, key string) {
		var l feature.Length
		d.mapping(n, key, map[string]setter{
			"min": func(n *yaml.Node, key string) { l.Min = new(int); d.whole(l.Min)(n, key) },
			"max": func(n *yaml.Node, key string) { l.Max = new(int); d.whole(l.Max)(n, key) },
		})
		*to = &l
	}
}

// span reads a range of numbers.
func (d *decoder) span(to **feature.Range) setter {
	return func(n *yaml.Node, key string) {
		var r feature.Range
		d.mapping(n, key, map[string]setter{"min": d.number(&r.Min), "max": d.number(&r.Max)})
		*to = &r
	}
}

// quantiles reads ranges by rank.
func (d *decoder) quantiles(to *map[string]feature.Range) setter {
	return func(n *yaml.Node, key string) {
		n, ok := d.enter(n, key)
		if !ok {
			return
		}
		if n.Kind != yaml.MappingNode {
			d.problem(n, key, "%s: want an object of ranges by rank, such as {\"0.5\": {min: 1, max: 9}}", shape(n))
			return
		}
		*to = map[string]feature.Range{}
		d.pairs(n, key, func(k, v *yaml.Node, at string) {
			var r *feature.Range
			if d.span(&r)(v, at); r != nil {
				(*to)[k.Value] = *r
			}
		})
	}
}
