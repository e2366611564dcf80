package serving

import (
	"slices"
	"sync"

	"sluice/expression"
	"sluice/feature"
	"sluice/serving/refusal"
)

// computedSet is the computed features of a view, compiled when they are first asked
// for under a generation of the definitions.
type computedSet struct {
	names   []string
	compile func() (*expression.Set, error)
	rows    sync.Pool // of *expression.Row
}

// of makes c the set of a view.
func (c *computedSet) of(view *feature.View) {
	for _, f := range view.Computed {
		c.names = append(c.names, f.Name)
	}
	c.compile = sync.OnceValues(func() (*expression.Set, error) { return expression.Compile(view) })
}

// computation is what a part computes.
type computation struct {
	set      *expression.Set
	inputs   []computedInput // features that are read
	context  []computedInput // values of the request; slot is the position in plan.context
	features []computedSlot
}

// computedInput is where an expression's input comes from.
type computedInput struct {
	at   int // position among the view's features, or in the set's context
	slot int
}

// computedSlot is a column that is computed.
type computedSlot struct {
	at, slot int
	inputs   []int // slots of the features that it reads, itself or by way of others
}

// computed adds the column of a computed feature of v.
func (b *planner) computed(v *view, i int) error {
	set, err := v.computed.compile()
	if err != nil {
		// Checked when it was applied: another version of this program may know more.
		return refusal.Of(feature.CodeUnavailable, "ask for other features, or a server of the version that applied the definitions",
			"computed feature %s:%s cannot be compiled by this server: %v", v.Name, v.Computed[i].Name, err)
	}
	c := &v.Computed[i]
	at, err := b.slot(v, &feature.Feature{Name: c.Name, Type: c.Type}, b.columnNamed(v, c.Name))
	if err != nil {
		return err
	}
	p := &b.plan.parts[at]
	if p.computed == nil {
		p.computed = &computation{set: set}
	}
	p.computed.features = append(p.computed.features, computedSlot{at: i, slot: len(p.features) - 1})
	return nil
}

// inputs adds to a part whose columns are complete what its computed ones read.
func (b *planner) inputs(p *part) error {
	c := p.computed
	for k := range c.features {
		one := &c.features[k]
		for _, at := range c.set.Features(one.at) {
			one.inputs = append(one.inputs, p.input(at))
		}
		for _, at := range c.set.Needs(one.at) {
			if slices.ContainsFunc(c.context, func(in computedInput) bool { return in.at == at }) {
				continue
			}
			slot, err := b.context(p, c.set.Context()[at], p.view.Computed[one.at].Name)
			if err != nil {
				return err
			}
			c.context = append(c.context, computedInput{at, slot})
		}
	}
	return nil
}

// input returns the slot of the view's feature at that position, which it adds if no
// column is of it.
func (p *part) input(at int) int {
	if i := slices.IndexFunc(p.computed.inputs, func(in computedInput) bool { return in.at == at }); i >= 0 {
		return p.computed.inputs[i].slot
	}
	f := &p.view.Features[at]
	slot := slices.IndexFunc(p.features, func(other *feature.Feature) bool { return other == f })
	if slot < 0 {
		slot, p.features = len(p.features), append(p.features, f)
	}
	p.computed.inputs = append(p.computed.inputs, computedInput{at, slot})
	return slot
}

// context returns the position in the plan's context of a value that a computed feature
// of p needs.
func (b *planner) context(p *part, name, reader string) (int, error) {
	t := p.view.Context[name]
	reader = p.view.Name + ":" + reader
	at := b.plan.contextOf(name)
	if at < 0 {
		if slices.ContainsFunc(b.plan.joins, func(j feature.Entity) bool { return j.Name == name }) {
			return 0, refusal.Invalid("ask for them in two requests", "%s is a join key of what is asked for, and a value that %s computes with", name, reader)
		}
		b.plan.context = append(b.plan.context, contextValue{name, t, reader})
		return len(b.plan.context) - 1, nil
	}
	if other := b.plan.context[at]; other.typ != t {
		return 0, refusal.Invalid("ask for them in two requests", "the context value %s is %s for %s and %s for %s", name, other.typ, other.reader, t, reader)
	}
	return at, nil
}
