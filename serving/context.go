package serving

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
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

// contextFromColumns takes the values of p's context out of the columns of entities:
// Feast's own clients send them there.
func (r *wireRequest) contextFromColumns(p *plan) {
	if len(p.context) == 0 {
		return
	}
	keys := r.columns[:0]
	for _, c := range r.columns {
		if p.contextOf(string(c.name)) >= 0 {
			r.context = append(r.context, c)
		} else {
			keys = append(keys, c)
		}
	}
	r.columns = keys
}

// bindContextWire reads the context of a serialized request. Strict refuses names that
// no view of it declares.
func (q *query) bindContextWire(columns []wireColumn, strict bool) error {
	if len(q.plan.context) == 0 && !(strict && len(columns) > 0) {
		return nil
	}
	q.startContext()
	have, given := make([]bool, len(q.plan.context)), wireNames(columns)
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
		if err := q.bindContextColumn(at, c.list); err != nil {
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
		number, value, rest, err := cutField(b)
		if err != nil || number != 1 {
			return errUnusual
		}
		v, err := contextFromWire(c.typ, value)
		if errors.Is(err, errUnusual) {
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

// contextFromWire reads a serialized feast.types.Value as one of type t. What the
// protobuf runtime has to look at first is errUnusual.
func contextFromWire(t feature.Type, b []byte) (feature.Value, error) {
	if len(b) == 0 {
		return feature.Null, nil
	}
	number, _, n := protowire.ConsumeTag(b)
	switch {
	case n < 0:
		return feature.Null, errUnusual
	case number == kindNull:
		return feature.Null, nil
	}
	v, err := feature.DecodeValue(b)
	if err != nil {
		if kindNames[number] == "" && kindNames[number-10] == "" {
			return feature.Null, fmt.Errorf("a value of kind %d where %s is declared", number, t)
		}
		return feature.Null, errUnusual
	}
	return converted(t, v)
}

// converted returns v as a value of type t: integers go into any number that holds them
// exactly, a float64 into a float32 only if it is one; nothing else is converted.
func converted(t feature.Type, v feature.Value) (feature.Value, error) {
	if t.IsList() && v.Type().IsList() {
		list := make([]feature.Value, len(v.List()))
		for i, e := range v.List() {
			var err error
			if list[i], err = converted(t.Elem(), e); err != nil {
				return feature.Null, fmt.Errorf("element %d: %w", i, err)
			}
		}
		return feature.ListValue(t.Elem(), list), nil
	}
	mismatch := func() error { return fmt.Errorf("%s where %s is declared", v.Type(), t) }
	if v.Type().IsList() {
		return feature.Null, mismatch()
	}
	integer := v.Type() == feature.Int32 || v.Type() == feature.Int64 || v.Type() == feature.Timestamp && t == feature.Timestamp
	switch t {
	case feature.String, feature.Bytes:
		switch {
		case v.Type() != t:
			return feature.Null, mismatch()
		case t == feature.String && !utf8.ValidString(v.Text()):
			return feature.Null, errUnusual
		case len(v.Text()) > jsonform.MaxText:
			return feature.Null, jsonform.TooLong(len(v.Text()))
		}
		return v, nil
	case feature.Bool:
		if v.Type() == t {
			return v, nil
		}
	case feature.Int32, feature.Int64, feature.Timestamp:
		if integer {
			return integerAs(t, v.Int())
		}
	case feature.Float32, feature.Float64:
		if integer && v.Type() != feature.Timestamp || v.Type().Float() {
			return floatAs(t, v, integer)
		}
	}
	return feature.Null, mismatch()
}

func integerAs(t feature.Type, n int64) (feature.Value, error) {
	switch {
	case t == feature.Int32 && n != int64(int32(n)):
		return feature.Null, fmt.Errorf("%d is outside int32", n)
	case t == feature.Int32:
		return feature.Int32Value(int32(n)), nil
	case t == feature.Int64:
		return feature.Int64Value(n), nil
	case n < jsonform.MinSecond || n > jsonform.MaxSecond:
		return feature.Null, fmt.Errorf("%d seconds are outside the years 1 to 9999; are they milliseconds?", n)
	}
	return feature.UnixSecondsValue(n), nil
}

func floatAs(t feature.Type, v feature.Value, integer bool) (feature.Value, error) {
	f := v.Float()
	if n := v.Int(); integer && (n > 1<<53 || n < -1<<53) {
		return feature.Null, fmt.Errorf("%d is not exact as %s", n, t)
	}
	if t == feature.Float64 {
		return feature.Float64Value(f), nil
	}
	if f == f && float64(float32(f)) != f {
		return feature.Null, fmt.Errorf("%v is no float32", f)
	}
	return feature.Float32Value(float32(f)), nil
}
