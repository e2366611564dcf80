package drift

import (
	"slices"

	"sluice/quality/sketch"
)

// openShare is the share of rows with values that no other window has from which on a feature's values are taken
// to have no end: texts that are unique, names, a long tail. It is a quarter of the rise of unseen values that blocks.
const openShare = effectUnseen / 4

// open reports whether the windows that the layout was built from say that others will have values which it does
// not know, though they have none themselves: each of them has, in so many of its rows at least, values that none
// of the other windows of history has. What they are unlike others in then says nothing until enough others are there.
func (b *builder) open(i int) bool {
	columns, fitted := make([]*sketch.Column, len(b.history)), false
	for w := range b.history {
		columns[w] = columnOf(b.history[w].Profile, b.view, i)
		fitted = fitted || b.history[w].Fitted
	}
	if !fitted {
		return false
	}
	own, rows := 0.0, 0.0
	for w, values := range sketch.Singular(columns) {
		if c := columns[w]; b.history[w].Fitted && c != nil {
			own, rows = own+values, rows+float64(c.N)
		}
	}
	return rows > 0 && own/rows >= openShare
}

// endlessShare is the share of rows that bring a value of their own from which on those of a few windows say little
// of what else there is: half of the distance from which on a cold start alarms.
const endlessShare = coldDistance / 2

// Opens reports whether a cold start allows for features that have ever new values: since method 8.
func (r *Reference) Opens() bool { return r != nil && r.Method >= severing }

// endless reports whether so many of a column's rows have values of their own that most of those to come are not
// among them. Both the windows of before and those that are judged must be so: values that have come to an end are told of.
func endless(c *sketch.Column) bool {
	return c != nil && c.N > 0 && c.Distinct() > endlessShare*float64(c.N)
}

// known returns the bins of both columns, with values that nobody saw among the rare ones where the feature is open.
func (p *pair) known() (b, c []uint64) {
	if !p.open || p.other < 0 || p.unseen < 0 || p.b.bins == nil || p.c.bins == nil {
		return p.b.bins, p.c.bins
	}
	b, c = slices.Clone(p.b.bins), slices.Clone(p.c.bins)
	for _, bins := range [...][]uint64{b, c} {
		bins[p.other] += bins[p.unseen]
		bins[p.unseen] = 0
	}
	return b, c
}
