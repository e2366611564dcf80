package suite

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/feature"
)

// reading is a suite on its way into a view.
type reading struct {
	out    Result
	order  []*column
	byName map[string]*column // by the suite's name
	taken  map[string]bool    // names of features
}

// column is one of the suite's columns.
type column struct {
	feature feature.Feature
	name    string // of the feature
	type_   feature.Type
	sure    bool     // the suite says the type
	bad     *float64 // largest share that an expectation lets pass
}

func newReading(view string) *reading {
	return &reading{out: Result{View: feature.View{Name: view}}, byName: map[string]*column{}, taken: map[string]bool{"key": true, "op": true, "event_id": true, "event_time": true}}
}

var notName = regexp.MustCompile(`[^a-z0-9_]+`)

// named returns the column of that name; why says why there can be none.
func (r *reading) named(name string) (c *column, why string) {
	if c := r.byName[name]; c != nil {
		return c, ""
	}
	ours := name
	if !feature.ValidName(name) {
		ours = strings.Trim(notName.ReplaceAllString(strings.ToLower(name), "_"), "_")
	}
	switch {
	case name == "":
		return nil, "it names no column"
	case !feature.ValidName(ours):
		return nil, "no name of a feature can be made of its column's"
	case r.taken[ours]:
		return nil, fmt.Sprintf("%s has a meaning of its own in records, or is another column's name: rename the column", ours)
	case len(r.order) == 2000:
		return nil, "a view takes 2000 features"
	}
	r.taken[ours] = true
	c = &column{name: ours, feature: feature.Feature{Name: ours}}
	if ours != name {
		if r.out.View.Source.Map == nil {
			r.out.View.Source.Map = map[string]string{}
		}
		r.out.View.Source.Map[ours] = name
	}
	r.byName[name], r.order = c, append(r.order, c)
	return c, ""
}

func (r *reading) column(a *arguments, do func(c *column) string) string {
	c, why := r.named(a.Column)
	if why != "" {
		return why
	}
	return do(c)
}

func (c *column) expect() *feature.Expect { return &c.feature.Expect }

// of says what type the column has, or must have if what is known already does not go
// with it.
func (c *column) of(t feature.Type, sure bool) string {
	switch {
	case c.type_ == 0 || sure && !c.sure && c.type_.Numeric() == t.Numeric():
		c.type_, c.sure = t, sure
	case sure && c.sure && c.type_ != t, c.type_.Numeric() != t.Numeric():
		return fmt.Sprintf("the column is a %s by what stands before", c.type_)
	}
	return ""
}

// tolerate notes the share of values that may break an expectation: 0 if it does not say.
func (c *column) tolerate(a *arguments) {
	share := 0.0
	if a.Mostly != nil {
		share = rest(*a.Mostly)
	}
	if c.bad == nil || *c.bad < share {
		c.bad = &share
	}
}

// row adds an expression over the row.
func (r *reading) row(name, expr string, a *arguments) string {
	r.own(feature.Expectation{Name: name, Expr: expr}, a)
	return ""
}

// own adds an expectation of the view, under a name that is free.
func (r *reading) own(e feature.Expectation, a *arguments) {
	name := e.Name[:min(len(e.Name), 56)]
	for e.Name = name; slices.ContainsFunc(r.out.View.Expect, func(o feature.Expectation) bool { return o.Name == e.Name }); {
		e.Name = fmt.Sprintf("%s_%d", name, len(r.out.View.Expect))
	}
	if e.Rows == nil {
		share := 0.0
		if a.Mostly != nil {
			share = rest(*a.Mostly)
		}
		e.Bad = &share
	}
	r.out.View.Expect = append(r.out.View.Expect, e)
}

// done fills in types and shares.
func (r *reading) done() Result {
	for _, c := range r.order {
		if !c.sure {
			r.out.Guessed = append(r.out.Guessed, c.name)
		}
		if c.feature.Type = c.type_; c.type_ == 0 {
			c.feature.Type = feature.String
		}
		c.feature.Expect.Bad = c.bad
		r.out.View.Features = append(r.out.View.Features, c.feature)
	}
	return r.out
}
