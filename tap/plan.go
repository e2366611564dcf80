package tap

import (
	"fmt"

	"sluice/feature"
)

// The columns and fields that a record may hold beside join keys and features.
const (
	fieldView      = "view"
	fieldKey       = "key"
	fieldEventTime = "event_time"
	fieldValues    = "values"
	fieldOp        = "op"
	fieldEventID   = "event_id"
)

type role uint8

const (
	roleIgnored role = iota
	roleKey
	roleFeature
	roleEventTime
	roleOp
	roleEventID
)

// target says what a column is read as. A column may have several.
type target struct {
	role role
	at   int // position among the view's entities or features
}

// column is one column of a plan.
type column struct {
	at      int // position in the plan, for finding duplicates
	targets []target
}

// plan reads the columns of one object.
type plan struct {
	columns map[string]column
	// unknown makes the problem of a column that the plan does not know; nil
	// passes such columns over.
	unknown func(name string) *rejection
}

func (p *plan) add(name string, t target) {
	c, ok := p.columns[name]
	if !ok {
		c.at = len(p.columns)
	}
	c.targets = append(c.targets, t)
	p.columns[name] = c
}

func (p *plan) addNew(name string, r role) {
	if _, taken := p.columns[name]; !taken {
		p.add(name, target{role: r})
	}
}

// decoder reads the records of one view. It is immutable and shared; what a read
// needs is in a reading.
type decoder struct {
	view   *feature.View
	flat   plan // a record of the view's own topic
	strict plan // the same, for a record that names its view in a header
	key    plan // the object key of a record of the default topic
	values plan // its object values
}

func newDecoder(view *feature.View) *decoder {
	d := &decoder{view: view}
	for _, p := range []*plan{&d.flat, &d.strict, &d.key, &d.values} {
		p.columns = map[string]column{}
	}
	mapped := func(name string) string {
		if c := view.Source.Map[name]; c != "" {
			return c
		}
		return name
	}
	for i, e := range view.Entities {
		d.key.add(e.Name, target{roleKey, i})
		d.flat.add(mapped(e.Name), target{roleKey, i})
	}
	for i, f := range view.Features {
		d.values.add(f.Name, target{roleFeature, i})
		d.flat.add(mapped(f.Name), target{roleFeature, i})
	}
	eventTime := view.Source.EventTime
	if eventTime == "" {
		eventTime = fieldEventTime
	}
	d.flat.add(eventTime, target{role: roleEventTime})
	d.flat.addNew(fieldOp, roleOp)
	d.flat.addNew(fieldEventID, roleEventID)
	d.strict.columns = d.flat.columns
	d.key.unknown = d.unknown(feature.CodeInvalidArgument, "join key", entityNames(view))
	d.values.unknown = d.unknown(feature.CodeUnknownFeature, "feature", featureNames(view))
	d.strict.unknown = d.unknown(feature.CodeUnknownFeature, "column", featureNames(view))
	return d
}

func entityNames(view *feature.View) (names []string) {
	for _, e := range view.Entities {
		names = append(names, e.Name)
	}
	return names
}

func featureNames(view *feature.View) (names []string) {
	for _, f := range view.Features {
		names = append(names, f.Name)
	}
	return names
}

func (d *decoder) unknown(code feature.Code, what string, known []string) func(string) *rejection {
	return func(name string) *rejection {
		hint := "add it to the definition or leave it out"
		if near := feature.Nearest(name, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return dead(code, d.view.Name, "", "%s %q is not defined; %s", what, cut(name), hint)
	}
}
