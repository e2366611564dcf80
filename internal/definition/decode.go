package definition

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
)

// maxDocuments bounds the YAML documents of one file.
const maxDocuments = 1000

// maxNodes bounds how many YAML nodes one file may expand to, aliases included.
const maxNodes = 500_000

type place struct {
	file string
	line int
}

// decoder walks the nodes of one file. Unlike a decoder into structs it knows
// the line of every key, tells a key that is absent from one that is zero, and
// goes on after a problem.
type decoder struct {
	file     string
	problems *Problems
	places   map[string]place // where each key was given
	nodes    int
}

// setter reads a node into the variable that it was made for; key is its path.
type setter func(n *yaml.Node, key string)

func (d *decoder) problem(n *yaml.Node, key, format string, args ...any) {
	d.problems.add(d.file, n.Line, key, format, args...)
}

// documents parses the YAML documents of a file; on a syntax error line says
// where.
func documents(text string) (docs []*yaml.Node, line int, err error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	if len(text) > MaxFile {
		return nil, 0, fmt.Errorf("%d bytes, more than %d: split it", len(text), MaxFile)
	}
	for {
		if len(docs) > maxDocuments {
			return nil, 0, fmt.Errorf("more than %d documents: split it", maxDocuments)
		}
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, 0, nil
		case err != nil:
			line, text := syntax(err)
			return nil, line, errors.New(text)
		}
		if len(doc.Content) == 1 {
			docs = append(docs, doc.Content[0])
		}
	}
}

var syntaxPattern = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntax takes the line out of the parser's message.
func syntax(err error) (line int, text string) {
	m := syntaxPattern.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(m[1])
	return line, m[2]
}

// mapping reads an object: every key of n must be one of fields, given once.
func (d *decoder) mapping(n *yaml.Node, key string, fields map[string]setter) {
	n, ok := d.enter(n, key)
	if !ok {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, key, "%s: want an object with the keys %s", shape(n), strings.Join(sorted(fields), ", "))
		return
	}
	d.pairs(n, key, func(k, v *yaml.Node, at string) {
		set, known := fields[k.Value]
		if !known {
			d.unknown(k, at, sorted(fields))
			return
		}
		set(v, at)
	})
}

// pairs calls fn with every key and value of a mapping, and reports keys that
// are no text or are given twice.
func (d *decoder) pairs(n *yaml.Node, key string, fn func(k, v *yaml.Node, at string)) {
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			d.problem(k, key, "merge keys and keys that are no text are not read: write the keys out")
			continue
		}
		at := join(key, k.Value)
		if line, twice := seen[k.Value]; twice {
			d.problem(k, at, "given twice, first in line %d: keep one", line)
			continue
		}
		seen[k.Value] = k.Line
		d.places[at] = place{d.file, k.Line}
		fn(k, v, at)
	}
}

// elsewhere says of keys that those who come from other stores look for what stands for them.
var elsewhere = map[string]string{
	"precompute_online": "`precompute: true` of a service lays the rows of its views together, which is one read for an entity (docs/groups.md)",
}

func (d *decoder) unknown(k *yaml.Node, at string, known []string) {
	if what := elsewhere[k.Value]; what != "" {
		d.problem(k, at, "unknown key: %s", what)
		return
	}
	if near := feature.Nearest(k.Value, known); near != "" {
		d.problem(k, at, "unknown key: did you mean %s?", near)
		return
	}
	d.problem(k, at, "unknown key: want one of %s", strings.Join(known, ", "))
}

// list reads a sequence. An element's path is its name, if it is an object or a
// text that has one, else its position.
func (d *decoder) list(each setter) setter {
	return func(n *yaml.Node, key string) {
		n, ok := d.enter(n, key)
		if !ok || n.Tag == "!!null" {
			return
		}
		if n.Kind != yaml.SequenceNode {
			d.problem(n, key, "%s: want a list", shape(n))
			return
		}
		for i, e := range n.Content {
			at := join(key, nameOf(e))
			if nameOf(e) == "" {
				at = fmt.Sprintf("%s[%d]", key, i)
			}
			d.places[at] = place{d.file, e.Line}
			each(e, at)
		}
	}
}

// enter follows an alias and spends from the budgets of nodes and of problems.
func (d *decoder) enter(n *yaml.Node, key string) (*yaml.Node, bool) {
	if len(*d.problems) >= maxProblems {
		return n, false
	}
	d.nodes++
	if d.nodes > maxNodes {
		if d.nodes == maxNodes+1 {
			d.problem(n, key, "the file expands to more than %d values: split it", maxNodes)
		}
		return n, false
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias, true
	}
	return n, true
}

// shape says what a node is, for messages.
func shape(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "an object"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	}
	return show(n.Value)
}

// nameOf returns the name of a list's element, which join quotes if it is no plain
// one; empty if it has none.
func nameOf(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && feature.ValidName(n.Value) {
		return n.Value
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if v := n.Content[i+1]; n.Content[i].Value == "name" && v.Kind == yaml.ScalarNode {
			return v.Value
		}
	}
	return ""
}

// join appends a part to a path; parts that are no plain names are quoted.
func join(key, part string) string {
	if part != "" && !feature.ValidName(part) {
		part = show(part)
	}
	if key == "" || part == "" {
		return key + part
	}
	return key + "." + part
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
