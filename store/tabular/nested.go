package tabular

import (
	"math"
	"strconv"

	"sluice/feature"
)

// listed is what came of the lists of a column so far.
type listed struct {
	of       elementKinds
	lengths  []float64
	filled   uint64 // of them, those with an element that is not null
	elements *gathered
}

// list takes a list. Once one of them has elements that no list type holds, none is kept
// by its elements.
func (c *gathered) list(value []byte) error {
	if c.objects != nil {
		c.object(string(value), 1)
		return nil
	}
	l := &c.lists
	if l.elements == nil {
		l.elements = &gathered{name: c.name, special: map[string]uint64{}}
	}
	n, filled := 0, false
	err := Each(value, func(element []byte) error {
		n, filled = n+1, filled || element[0] != 'n'
		if l.of.nested {
			return nil
		}
		if err := l.of.add(c.name, element); err != nil || l.of.nested {
			return err
		}
		return l.elements.add(element)
	})
	if err != nil {
		return err
	}
	if _, ok := l.of.kinds(); !ok {
		c.object(string(value), 1)
		return nil
	}
	if l.lengths = append(l.lengths, float64(n)); filled {
		l.filled++
	}
	return nil
}

// object takes a value that makes the column one of json, and n of them at once. Of lists
// that came before only their paths are still known, and these are all that is asked of them.
func (c *gathered) object(text string, n uint64) {
	if c.objects == nil {
		c.objects = map[string]uint64{}
		if filled := c.lists.filled; filled > 0 {
			c.objects["[0]"] += filled
		}
		if bare := uint64(len(c.lists.lengths)) - c.lists.filled; bare > 0 {
			c.objects["[]"] += bare
		}
		c.lists = listed{}
	}
	c.objects[text] += n
}

// nested decides what a column is that holds lists or objects; false if it holds neither.
func (c *gathered) nested(v *Values) bool {
	if c.lists.lengths == nil && c.objects == nil {
		return false
	}
	undefined := uint64(0)
	for text, n := range c.special {
		if f, _ := strconv.ParseFloat(specialName(text), 64); math.IsNaN(f) {
			undefined += n
		}
	}
	v.Nulls, v.NaN = v.Nulls+undefined, undefined
	others := len(c.numbers) > 0 || c.texts != nil || uint64(len(c.lists.lengths)) < v.Rows-v.Nulls
	if kinds, ok := c.lists.of.kinds(); ok && c.objects == nil && !others {
		elements := uint64(0)
		for _, n := range c.lists.lengths {
			elements += uint64(n)
		}
		v.Type, v.Numbers, v.Elements = feature.ListOf(kinds.Type()), c.lists.lengths, c.lists.elements.values(elements)
		return true
	}
	c.object("", 0) // of lists among others
	delete(c.objects, "")
	v.Type, v.Documents = feature.JSON, c.objects
	return true
}
