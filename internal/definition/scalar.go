package definition

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
)

// scalar returns the text of a scalar that is not null.
func (d *decoder) scalar(n *yaml.Node, key, want string) (*yaml.Node, bool) {
	n, ok := d.enter(n, key)
	if !ok {
		return n, false
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.problem(n, key, "%s: want %s", shape(n), want)
		return n, false
	}
	if !printable(n.Value) {
		d.problem(n, key, "%s holds a control character: leave it out", show(n.Value))
		return n, false
	}
	return n, true
}

// printable reports whether text can be shown and written as YAML again.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || r == 0xFEFF || r == utf8.RuneError || r&0xFFFE == 0xFFFE)
	})
}

func (d *decoder) text(to *string) setter {
	return func(n *yaml.Node, key string) {
		if n, ok := d.scalar(n, key, "a text"); ok {
			if n.Tag != "!!str" {
				d.problem(n, key, "%s is not a text: put it in quotation marks", n.Value)
				return
			}
			*to = n.Value
		}
	}
}

// word reads one of several words; null is the word that it is written as, for policies
// of that name. Which words there are is checked later.
func (d *decoder) word(to *string) setter {
	return func(n *yaml.Node, key string) {
		if n, ok := d.enter(n, key); ok && n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value == "null" {
			*to = n.Value
			return
		}
		d.text(to)(n, key)
	}
}

// texts reads a list of scalars by their text, numbers and bools included. What
// is read is never nil, so that an empty list differs from none.
func (d *decoder) texts(to *[]string) setter {
	return func(n *yaml.Node, key string) {
		*to = []string{}
		d.list(func(n *yaml.Node, key string) {
			if n, ok := d.scalar(n, key, "a text, a number or a bool"); ok {
				*to = append(*to, n.Value)
			}
		})(n, key)
	}
}

// textMap reads an object whose values are scalars.
func (d *decoder) textMap(to *map[string]string) setter {
	return func(n *yaml.Node, key string) {
		n, ok := d.enter(n, key)
		if !ok {
			return
		}
		if n.Kind != yaml.MappingNode {
			d.problem(n, key, "%s: want an object", shape(n))
			return
		}
		*to = map[string]string{}
		d.pairs(n, key, func(k, v *yaml.Node, at string) {
			if v, ok := d.scalar(v, at, "a text"); ok {
				(*to)[k.Value] = v.Value
			}
		})
	}
}

func (d *decoder) duration(to *time.Duration) setter {
	return func(n *yaml.Node, key string) {
		if n, ok := d.scalar(n, key, "a duration such as 5m, 24h or 7d"); ok {
			value, err := ParseDuration(n.Value)
			if err != nil {
				d.problem(n, key, "%v", err)
				return
			}
			*to = value
		}
	}
}

func (d *decoder) whole(to *int) setter {
	return func(n *yaml.Node, key string) {
		if n, ok := d.scalar(n, key, "a whole number"); ok {
			value, err := strconv.Atoi(n.Value)
			if err != nil || n.Tag != "!!int" {
				d.problem(n, key, "%s: want a whole number", show(n.Value))
				return
			}
			*to = value
		}
	}
}

func (d *decoder) truth(to *bool) setter {
	return func(n *yaml.Node, key string) {
		if n, ok := d.scalar(n, key, "true or false"); ok {
			if n.Tag != "!!bool" || n.Decode(to) != nil {
				d.problem(n, key, "%s: want true or false", show(n.Value))
			}
		}
	}
}

// number reads a finite number.
func (d *decoder) number(to **float64) setter {
	return func(n *yaml.Node, key string) {
		if n, ok := d.scalar(n, key, "a number"); ok {
			var value float64
			if n.Tag != "!!int" && n.Tag != "!!float" || n.Decode(&value) != nil || math.IsNaN(value) || math.IsInf(value, 0) {
				d.problem(n, key, "%s: want a number", show(n.Value))
				return
			}
			*to = &value
		}
	}
}

func (d *decoder) typ(to *feature.Type) setter {
	return func(n *yaml.Node, key string) {
		if n, ok := d.scalar(n, key, "a type such as float64"); ok {
			value, err := feature.ParseType(n.Value)
			if err != nil {
				d.problem(n, key, "%v", err)
				return
			}
			*to = value
		}
	}
}
