package sketch

import (
	"fmt"
	"slices"
)

// Merge adds the writes of o, which stays as it is. Merging is commutative and
// associative, to the byte.
//
// Columns are matched by feature id, so the parts of a window in which the view's
// definition changed still merge: where a part lacks a feature, its rows count as
// null, as an absent value does. The error is ErrLayout if the layouts or the types of
// a feature differ, and ErrKey if the hash keys do; p is then unchanged.
func (p *Profile) Merge(o *Profile) error {
	if p.layout.digest != o.layout.digest {
		return fmt.Errorf("merge profile over layout %q into one over %q: %w", o.layout.digest, p.layout.digest, ErrLayout)
	}
	if p.hash.print != 0 && o.hash.print != 0 && p.hash.print != o.hash.print {
		return fmt.Errorf("merge profile: %w", ErrKey)
	}
	if err := p.sameTypes(o); err != nil {
		return err
	}
	if p.hash.print == 0 && o.hash.print != 0 {
		p.hash, p.ready = hasher{print: o.hash.print}, false
	}
	places := p.match(o)
	for i := range o.Columns {
		at := i
		if places != nil {
			at = places[i]
		}
		p.Columns[at].merge(&o.Columns[i])
	}
	p.mergeSample(o, places)
	p.mergeBreakdown(o)
	p.Rows += o.Rows
	p.Deletes += o.Deletes
	p.Late += o.Late
	p.Backfilled += o.Backfilled
	p.RefusedWhole += o.RefusedWhole
	for _, r := range o.Named {
		p.refuseNamed(r.Name, r.N)
	}
	p.mergeWatches(o)
	return nil
}

// sameTypes returns ErrLayout if a feature is of another type in o.
func (p *Profile) sameTypes(o *Profile) error {
	for i := range o.Columns {
		c := &o.Columns[i]
		at := i
		if at >= len(p.Columns) || p.Columns[at].ID != c.ID {
			at = slices.IndexFunc(p.Columns, func(other Column) bool { return other.ID == c.ID })
		}
		if at >= 0 && p.Columns[at].Type != c.Type {
			return fmt.Errorf("merge profile: feature %d is %s, and %s in the other one: %w", c.ID, p.Columns[at].Type, c.Type, ErrLayout)
		}
	}
	return nil
}

// match returns where in p the columns of o are; nil if all are where they are in
// o. Columns that only one side has are filled with nulls for the other's rows.
func (p *Profile) match(o *Profile) []int {
	if slices.EqualFunc(p.Columns, o.Columns, func(a, b Column) bool { return a.ID == b.ID }) {
		return nil
	}
	before, places := len(p.Columns), make([]int, len(o.Columns))
	missing := make([]bool, before)
	for i := range missing {
		missing[i] = true
	}
	for i := range o.Columns {
		id := o.Columns[i].ID
		at := slices.IndexFunc(p.Columns[:before], func(c Column) bool { return c.ID == id })
		if at < 0 {
			at = len(p.Columns)
			c := newColumn(id, o.Columns[i].Type, p.layout)
			c.Nulls = p.Profiled()
			p.Columns = append(p.Columns, c)
		} else {
			missing[at] = false
		}
		places[i] = at
	}
	for i, absent := range missing {
		if absent {
			p.Columns[i].Nulls += o.Profiled()
		}
	}
	p.widenSample(before)
	return places
}

// widenSample gives the sampled rows of before columns a null for each new one.
func (p *Profile) widenSample(before int) {
	if before == len(p.Columns) {
		return
	}
	same := make([]int, before)
	for i := range same {
		same[i] = i
	}
	for i := range p.Sample {
		p.Sample[i] = p.Sample[i].arrange(same, len(p.Columns))
	}
	p.view, p.other = nil, nil
	p.aged = p.hasAges()
}
