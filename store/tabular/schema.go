package tabular

import (
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"sluice/feature"
)

// node is one column of a Parquet schema, leaf or group, as JSON needs it.
type node struct {
	name     string
	key      []byte // `"name":`
	optional bool
	repeated bool
	list     bool // annotated LIST
	object   bool // annotated MAP with text as keys
	def, rep int  // the levels at which a value of it is present
	first    int  // its leaves are columns first to last-1
	last     int
	children []*node
	write    func(dst []byte, v parquet.Value) []byte // leaves
}

const maxDepth = 32

// newNode builds the tree of a column; it fails for a file whose schema is not one.
func newNode(c *parquet.Column, depth int, types map[string]feature.Type) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("columns nested deeper than %d: %w", maxDepth, ErrLimit)
	}
	n := &node{
		name: c.Name(), key: append(appendString(nil, c.Name()), ':'),
		optional: c.Optional(), repeated: c.Repeated(),
		def: c.MaxDefinitionLevel(), rep: c.MaxRepetitionLevel(),
	}
	if c.Leaf() {
		n.first, n.last = c.Index(), c.Index()+1
		n.write = leafWriter(c.Type(), types[n.name])
		return n, nil
	}
	for _, child := range c.Columns() {
		m, err := newNode(child, depth+1, types)
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, m)
	}
	if len(n.children) == 0 {
		return nil, fmt.Errorf("group %.100q without columns: %w", n.name, ErrCorrupt)
	}
	n.first, n.last = n.children[0].first, n.children[len(n.children)-1].last
	n.annotate(c.Type().LogicalType())
	return n, nil
}

// annotate tells lists and maps from other groups.
func (n *node) annotate(logical *format.LogicalType) {
	if logical == nil || len(n.children) != 1 || !n.children[0].repeated {
		return
	}
	switch logical.Value.(type) {
	case *format.ListType:
		n.list = true
	case *format.MapType:
		pair := n.children[0].children
		n.object = len(pair) == 2 && pair[0].children == nil && !pair[0].optional && !pair[0].repeated
	}
}

// append appends the JSON form of n. columns holds, by leaf, the values that
// belong to the enclosing group: at least one each.
func (n *node) append(dst []byte, columns [][]parquet.Value) []byte {
	if n.repeated {
		return n.appendElements(dst, columns, n.appendPresent)
	}
	if n.optional && columns[n.first][0].DefinitionLevel() < n.def {
		return append(dst, "null"...)
	}
	return n.appendPresent(dst, columns)
}

// appendPresent appends a value, list or group that is there.
func (n *node) appendPresent(dst []byte, columns [][]parquet.Value) []byte {
	switch {
	case n.children == nil:
		return n.write(dst, columns[n.first][0])
	case n.list:
		return n.children[0].appendElements(dst, columns, n.children[0].appendElement)
	case n.object:
		return n.children[0].appendPairs(dst, columns)
	}
	dst = append(dst, '{')
	for i, child := range n.children {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = child.append(append(dst, child.key...), columns)
	}
	return append(dst, '}')
}

// appendElement appends one element of a LIST: n is the repeated level between
// the list and its element, which only old writers leave out.
func (n *node) appendElement(dst []byte, columns [][]parquet.Value) []byte {
	if len(n.children) == 1 && n.name != "array" {
		return n.children[0].append(dst, columns)
	}
	return n.appendPresent(dst, columns)
}

// appendElements appends the repetitions of n as an array.
func (n *node) appendElements(dst []byte, columns [][]parquet.Value, element func([]byte, [][]parquet.Value) []byte) []byte {
	dst = append(dst, '[')
	for i, one := range n.split(columns) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(dst, one)
	}
	return append(dst, ']')
}

// appendPairs appends the repetitions of n, pairs of key and value, as an object.
func (n *node) appendPairs(dst []byte, columns [][]parquet.Value) []byte {
	key, value := n.children[0], n.children[1]
	dst = append(dst, '{')
	for i, pair := range n.split(columns) {
		if i > 0 {
			dst = append(dst, ',')
		}
		at := len(dst)
		dst = key.write(dst, pair[key.first][0])
		if dst[at] != '"' {
			dst = appendString(dst[:at], string(dst[at:]))
		}
		dst = value.append(append(dst, ':'), pair)
	}
	return append(dst, '}')
}

// split cuts the values of the leaves below n, which repeats, into its repetitions.
func (n *node) split(columns [][]parquet.Value) [][][]parquet.Value {
	if columns[n.first][0].DefinitionLevel() < n.def {
		return nil
	}
	var all [][][]parquet.Value
	rest := append([][]parquet.Value(nil), columns...)
	for len(rest[n.first]) > 0 {
		one := append([][]parquet.Value(nil), columns...)
		for leaf := n.first; leaf < n.last; leaf++ {
			end := 1
			for end < len(rest[leaf]) && rest[leaf][end].RepetitionLevel() > n.rep {
				end++
			}
			one[leaf], rest[leaf] = rest[leaf][:end], rest[leaf][end:]
		}
		all = append(all, one)
	}
	return all
}
