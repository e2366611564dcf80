package rules

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrRules reports a rules file that cannot be used. Its text names every problem,
// one a line, with its line in the file.
var ErrRules = errors.New("invalid rules")

// Parse reads a rules file and returns its rules, followed by the default ones
// that hold where the file says nothing else; an empty file gives the defaults. A
// default whose method the file sets for every view and feature is left out.
// Absent keys are no tags, owner or type, view "*", feature "*", for {k: 1, n: 1} and mode observe: a new
// rule begins at the foot of the ladder.
//
// The file is read strictly: an unknown key, a value of the wrong kind, a rule
// that Validate refuses and a name used twice are errors. Parse reports all of
// them, joined under ErrRules.
func Parse(text string) ([]Rule, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrRules, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	p := parser{names: map[string]int{}}
	if doc.Kind == yaml.DocumentNode && doc.Content[0].Tag != "!!null" {
		p.document(doc.Content[0])
	}
	if len(p.problems) > 0 {
		return nil, fmt.Errorf("%w:\n%s", ErrRules, strings.Join(p.problems, "\n"))
	}
	return append(p.rules, slices.DeleteFunc(Default(), p.replaced)...), nil
}

// replaced reports whether the file has a rule for all that a default covers.
func (p *parser) replaced(d Rule) bool {
	return slices.ContainsFunc(p.rules, func(r Rule) bool {
		return r.Method == d.Method && r.View == d.View && r.Feature == d.Feature && !r.selective()
	})
}

// parser walks the nodes of a file and collects rules and problems.
type parser struct {
	rules    []Rule
	names    map[string]int // rule name to line
	problems []string
}

func (p *parser) problem(n *yaml.Node, format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf("line %d: ", n.Line)+fmt.Sprintf(format, args...))
}

func (p *parser) document(n *yaml.Node) {
	p.mapping(n, "the file", func(key string, k, v *yaml.Node) bool {
		if key != "rules" {
			return false
		}
		if v.Kind != yaml.SequenceNode && v.Tag != "!!null" {
			p.problem(v, "rules: want a list")
			return true
		}
		for _, item := range v.Content {
			p.rule(item)
		}
		return true
	})
}

// mapping calls fn with every key of a mapping; fn returns false for a key that
// it does not know.
func (p *parser) mapping(n *yaml.Node, what string, fn func(key string, k, v *yaml.Node) bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		p.problem(n, "%s: want keys and values", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case seen[k.Value]:
			p.problem(k, "%s: key %q twice", what, k.Value)
		case !fn(k.Value, k, v):
			p.problem(k, "%s: unknown key %q", what, k.Value)
		}
		seen[k.Value] = true
	}
}

func (p *parser) rule(n *yaml.Node) {
	r := Rule{View: "*", Feature: "*", For: For{1, 1}, Mode: Observe}
	before := len(p.problems)
	p.mapping(n, "rule", func(key string, _, v *yaml.Node) bool {
		switch key {
		case "name":
			p.decode(v, key, &r.Name)
		case "view":
			p.decode(v, key, &r.View)
		case "feature":
			p.decode(v, key, &r.Feature)
		case "tags":
			p.tags(v, &r)
		case "owner":
			p.selector(v, key, &r.Owner)
		case "type":
			p.selector(v, key, &r.Type)
		case "method":
			p.decode(v, key, &r.Method)
		case "threshold":
			p.threshold(v, &r)
		case "for":
			p.frequency(v, &r.For)
		case "mode":
			var mode string
			p.decode(v, key, &mode)
			r.Mode = Mode(mode)
		default:
			return false
		}
		return true
	})
	if len(p.problems) > before && r.Name == "" {
		return
	}
	if err := r.Validate(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			p.problem(n, "rule %q: %s", r.Name, line)
		}
	}
	if line, twice := p.names[r.Name]; twice {
		p.problem(n, "rule %q: the name is used on line %d already", r.Name, line)
	}
	p.names[r.Name] = n.Line
	p.rules = append(p.rules, r)
}

// tags reads the tags that views must have.
func (p *parser) tags(v *yaml.Node, r *Rule) {
	r.Tags = map[string]string{}
	p.mapping(v, "tags", func(key string, _, v *yaml.Node) bool {
		var value string
		p.decode(v, "tags."+key, &value)
		r.Tags[key] = value
		return true
	})
}

// selector reads the owner or type that a rule asks for.
func (p *parser) selector(v *yaml.Node, key string, out *string) {
	if p.decode(v, key, out); *out == "" && v.Kind == yaml.ScalarNode && v.Tag == "!!str" {
		p.problem(v, "%s: empty; leave it out for all", key)
	}
}

func (p *parser) threshold(v *yaml.Node, r *Rule) {
	p.decode(v, "threshold", &r.Threshold)
	if r.Threshold == 0 {
		p.problem(v, "threshold: 0 is not a positive number")
		r.Threshold = math.SmallestNonzeroFloat64 // said once is enough
	}
}

func (p *parser) frequency(v *yaml.Node, f *For) {
	p.mapping(v, "for", func(key string, _, v *yaml.Node) bool {
		switch key {
		case "k":
			p.decode(v, "for.k", &f.K)
		case "n":
			p.decode(v, "for.n", &f.N)
		default:
			return false
		}
		return true
	})
}

// decode reads a scalar of out's type.
func (p *parser) decode(v *yaml.Node, key string, out any) {
	if _, text := out.(*string); v.Kind != yaml.ScalarNode || v.Tag == "!!null" || text && v.Tag != "!!str" {
		p.problem(v, "%s: %q is not %s", key, v.Value, kindOf(out))
		return
	}
	if err := v.Decode(out); err != nil {
		p.problem(v, "%s: %q is not %s", key, v.Value, kindOf(out))
	}
}

func kindOf(out any) string {
	switch out.(type) {
	case *string:
		return "a text"
	case *int:
		return "a whole number"
	}
	return "a number"
}
