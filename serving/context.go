package serving

import (
	"errors"
	"fmt"
	"slices"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
	"sluice/serving/wireform"
)

// contextValue is a value that a request brings for the computed features of a plan.
type contextValue struct {
	name   string
	typ    feature.Type
	reader string // view:feature that needs it, the first
}

// contextOf returns the position of the context value of that name; -1 if there is none.
func (p *plan) contextOf(name string) int {
	return slices.IndexFunc(p.context, func(c contextValue) bool { return c.name == name })
}

// hintContext says how a request brings context values, at the doors of its form.
const (
	hintOwnContext   = `send "context": {"%s": value} beside the keys, or a list of such objects, one a row`
	hintFeastContext = `send "request_context": {"%s": [value, ...]}, or a column of that name among the entities`
)

// checkContext returns the error of the first context value that is missing. given are
// all names that the request brings.
func (q *query) checkContext(have []bool, given []string, hint string) error {
	for i, ok := range have {
		if ok {
			continue
		}
		c := q.plan.context[i]
		hint := fmt.Sprintf(hint, c.name)
		for _, name := range given {
			if feature.Nearest(name, []string{c.name}) != "" && q.plan.contextOf(name) < 0 {
				hint = fmt.Sprintf("%s is given: did you mean %s?", refusal.Quoted(name), c.name)
			}
		}
		return refusal.Invalid(hint, "context value %s (%s) is missing; %s is computed with it", c.name, c.typ, c.reader)
	}
	return nil
}

// knownContext reports whether name is a context value of a view of the plan, whether
// or not what is asked for needs it.
func (p *plan) knownContext(name string) bool {
	return slices.ContainsFunc(p.parts, func(part part) bool { return part.view.Context[name] != 0 })
}

// unknownContext is the error of a name that is no context value of what is read.
func (p *plan) unknownContext(name string) error {
	var known []string
	for _, part := range p.parts {
		for n := range part.view.Context {
			known = append(known, n)
		}
	}
	slices.Sort(known)
	hint := "leave it out; the views that are read declare no context"
	if near := feature.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	} else if len(known) > 0 {
		hint = "the views that are read declare " + refusal.SomeOf(slices.Compact(known))
	}
	return refusal.Invalid(hint, "context value %s is not declared", refusal.Quoted(name))
}

// contextProblem says what is wrong with a context value.
func contextProblem(name string, row int, err error) error {
	return refusal.Of(feature.CodeType, "send context values in the types that the view declares", "context value %s, row %d: %v", name, row, err)
}

// startContext makes room for the values of the plan's context.
func (q *query) startContext() {
	q.context = q.context[:0]
	for range q.plan.context {
		q.context = append(q.context, nil)
	}
}

// bindContext reads the member context of the platform's own requests: an object of
// values for all rows, or a list of objects, one a row.
func (q *query) bindContext(raw []byte) error {
	q.startContext()
	if len(raw) > 0 {
		raw = jsonform.Trimmed(raw)
	}
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return q.checkContext(make([]bool, len(q.plan.context)), nil, hintOwnContext)
	case raw[0] == '{':
		return q.bindContextObject(raw, 0)
	case raw[0] != '[':
		return refusal.Invalid(`send an object {"name":value}, or a list of one a row`, "context is %s", jsonform.Kind(raw))
	}
	rows := 0
	for row, item := range jsonform.Elements(raw) {
		if item[0] != '{' {
			return refusal.Invalid(`send {"name":value}`, "context of row %d is %s, not an object", row, jsonform.Kind(item))
		}
		if rows++; rows > q.rows {
			break
		}
		if err := q.bindContextObject(item, row); err != nil {
			return err
		}
	}
	if rows != q.rows {
		return refusal.Invalid("give one object a row, or one object for all", "context has %s objects, keys has %d", countText(rows, q.rows), q.rows)
	}
	return nil
}

// countText writes how many there are, where counting stops after most.
func countText(n, most int) string {
	if n > most {
		return fmt.Sprintf("more than %d", most)
	}
	return fmt.Sprint(n)
}

// bindContextObject appends the values of one object; row is for messages.
func (q *query) bindContextObject(object []byte, row int) error {
	have := make([]bool, len(q.plan.context))
	var given []string
	for key, value := range jsonform.Members(object) {
		name := jsonform.Text(key)
		given = append(given, name)
		at := q.plan.contextOf(name)
		switch {
		case at < 0 && !q.plan.knownContext(name):
			return q.plan.unknownContext(name)
		case at < 0:
			continue
		case have[at]:
			return refusal.Invalid("give it once", "context value %s is given twice", name)
		}
		v, err := jsonform.ValueOf(q.plan.context[at].typ, value)
		if err != nil {
			return contextProblem(name, row, err)
		}
		have[at], q.context[at] = true, append(q.context[at], v)
	}
	return q.checkContext(have, given, hintOwnContext)
}

// jsonColumn is a list of values of the plan's context at that position.
type jsonColumn struct {
	at   int
	list []byte
}

// bindContextJSON reads the request_context of Feast's requests, an object of lists with
// one value a row or one for all; beside are columns that came among the entities. Names
// that nothing asked for needs are passed over, as Feast's servers do.
func (q *query) bindContextJSON(object []byte, beside []jsonColumn) error {
	if len(q.plan.context) == 0 {
		return nil
	}
	q.startContext()
	have := make([]bool, len(q.plan.context))
	var given []string
	columns := beside
	if object != nil {
		for key, value := range jsonform.Members(object) {
			given = append(given, jsonform.Text(key))
			if at := q.plan.contextOf(jsonform.Text(key)); at >= 0 {
				columns = append(columns, jsonColumn{at, value})
			}
		}
	}
	for _, c := range columns {
		name := q.plan.context[c.at].name
		if have[c.at] {
			return refusal.Invalid("give it once", "context value %s is given twice", name)
		}
		have[c.at] = true
		if c.list[0] != '[' {
			return refusal.Invalid("give one value a row, or one for all", "context value %s is %s, not a list", name, jsonform.Kind(c.list))
		}
		for row, item := range jsonform.Elements(c.list) {
			if row >= q.rows {
				return q.contextCount(name, row+1)
			}
			v, err := jsonform.ValueOf(q.plan.context[c.at].typ, item)
			if err != nil {
				return contextProblem(name, row, err)
			}
			q.context[c.at] = append(q.context[c.at], v)
		}
		if n := len(q.context[c.at]); n != 1 && n != q.rows {
			return q.contextCount(name, n)
		}
	}
	return q.checkContext(have, given, hintFeastContext)
}

// contextCount is the error of a list of n values, counted up to one more than rows.
func (q *query) contextCount(name string, n int) error {
	return refusal.Invalid("give one value a row, or one for all", "context value %s has %s values for %d rows", name, countText(n, q.rows), q.rows)
}

// contextFromColumns takes the values of q's plan's context out of the columns of entities:
// Feast's own clients send them there.
func (q *query) contextFromColumns() {
	if len(q.plan.context) == 0 {
		return
	}
	r := &q.wire
	keys := r.Columns[:0]
	for _, c := range r.Columns {
		if q.plan.contextOf(string(c.Name)) >= 0 {
			r.Context = append(r.Context, c)
		} else {
			keys = append(keys, c)
		}
	}
	r.Columns = keys
}

// bindContextWire reads the context of a serialized request. Strict refuses names that
// no view of it declares.
func (q *query) bindContextWire(columns []wireform.Column, strict bool) error {
	if len(q.plan.context) == 0 && !(strict && len(columns) > 0) {
		return nil
	}
	q.startContext()
	have, given := make([]bool, len(q.plan.context)), wireform.Names(columns)
	for i, c := range columns {
		name := given[i]
		at := q.plan.contextOf(name)
		switch {
		case at < 0 && strict && !q.plan.knownContext(name):
			return q.plan.unknownContext(name)
		case at < 0:
			continue
		case have[at]:
			return refusal.Invalid("give it once", "context value %s is given twice", name)
		}
		have[at] = true
		if err := q.bindContextColumn(at, c.List); err != nil {
			return err
		}
	}
	hint := hintFeastContext
	if strict {
		hint = `send context {"%s": one value a row, or one for all}`
	}
	return q.checkContext(have, given, hint)
}

func (q *query) bindContextColumn(at int, list []byte) error {
	c := q.plan.context[at]
	for b := list; len(b) > 0; {
		row := len(q.context[at])
		if row >= q.rows {
			return q.contextCount(c.name, row+1)
		}
		number, value, rest, err := wireform.CutField(b)
		if err != nil || number != 1 {
			return wireform.ErrUnusual
		}
		v, err := wireform.ValueOf(c.typ, value)
		if errors.Is(err, wireform.ErrUnusual) {
			return err
		}
		if err != nil {
			return contextProblem(c.name, row, err)
		}
		q.context[at], b = append(q.context[at], v), rest
	}
	if n := len(q.context[at]); n != 1 && n != q.rows {
		return q.contextCount(c.name, n)
	}
	return nil
}
