package serving

import (
	"context"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
)

// jsonRequest is a Feast request taken apart but not decoded. Slices share the
// body's memory.
type jsonRequest struct {
	service  string
	features []byte // the list; nil: service names them
	entities []byte // the object of columns
	context  []byte // likewise, request_context; nil: none
	full     bool   // full_feature_names
}

// parse reads the body of POST /get-online-features. Members that it does not
// know are passed over, as Feast's server does; of one given twice the last holds.
func (r *jsonRequest) parse(body []byte) error {
	if !jsonform.WellFormed(body) {
		return refusal.At("body", jsonform.Malformed(body, "send JSON in UTF-8"))
	}
	body = jsonform.Trimmed(body)
	if body[0] != '{' {
		return refusal.At("body", refusal.Invalid(`send {"features":[...],"entities":{...}}`, "the body is %s, not an object", jsonform.Kind(body)))
	}
	for key, value := range jsonform.Members(body) {
		if err := r.member(jsonform.Text(key), value); err != nil {
			return err
		}
	}
	switch {
	case r.features == nil && r.service == "":
		return refusal.At("features", refusal.Invalid("give features or feature_service", "neither features nor feature_service is given"))
	case r.features != nil && r.service != "":
		return refusal.At("features", refusal.Invalid("give one of the two", "features and feature_service are both given"))
	case r.entities == nil:
		return refusal.At("entities", refusal.Invalid(`give {"join_key":[...]}`, "entities is missing"))
	}
	return nil
}

func (r *jsonRequest) member(name string, value []byte) error {
	wrong := func(want string) error {
		return refusal.At(name, refusal.Invalid("send "+want, "%s is %s", name, jsonform.Kind(value)))
	}
	null := value[0] == 'n'
	switch name {
	case "features":
		if r.features = nil; null {
			return nil
		}
		if value[0] != '[' {
			return wrong("a list of strings view:feature")
		}
		r.features = value
	case "feature_service":
		if r.service = ""; null {
			return nil
		}
		if value[0] != '"' {
			return wrong("the name of a service")
		}
		r.service = jsonform.Text(value)
	case "entities":
		if value[0] != '{' {
			return wrong(`an object {"join_key":[...]}`)
		}
		r.entities = value
	case "request_context":
		if r.context = nil; null {
			return nil
		}
		if value[0] != '{' {
			return wrong(`an object {"name":[...]}`)
		}
		r.context = value
	case "full_feature_names":
		if value[0] != 't' && value[0] != 'f' && !null {
			return wrong("true or false")
		}
		r.full = value[0] == 't'
	}
	return nil
}

// refs returns the features of the list.
func (r *jsonRequest) refs() (refs []string, err error) {
	for i, item := range jsonform.Elements(r.features) {
		if item[0] != '"' {
			return nil, refusal.At("features", refusal.Invalid("write features as view:feature", "feature %d is %s", i, jsonform.Kind(item)))
		}
		refs = append(refs, jsonform.Text(item))
	}
	return refs, nil
}

// readFeast reads what a Feast request asks for into q.
func (s *Server) readFeast(ctx context.Context, q *query, body []byte) error {
	var request jsonRequest
	if err := request.parse(body); err != nil {
		return err
	}
	snap, lapsed, err := s.take()
	if err != nil {
		return err
	}
	if q.plan, err = s.jsonPlan(q, snap.catalog, &request); err != nil {
		return refusal.At("features", err)
	}
	beside, err := q.bindJSON(request.entities, s.config.MaxEntities)
	if err != nil {
		return refusal.At("entities", err)
	}
	if err := q.bindContextJSON(request.context, beside); err != nil {
		return refusal.At("request_context", err)
	}
	q.asFeast(s)
	return s.read(ctx, q, snap, lapsed)
}

// jsonPlan returns the plan of request, compiled if it is not kept.
func (s *Server) jsonPlan(q *query, c *catalog, request *jsonRequest) (*plan, error) {
	form := feastForm
	if request.full {
		form = feastFull
	}
	if request.features == nil {
		q.planKey = append(append(q.planKey[:0], planService, byte(form)), request.service...)
	} else {
		q.planKey = append(append(q.planKey[:0], 'j', byte(form)), request.features...)
	}
	if p := c.plans.get(q.planKey); p != nil {
		return p, nil
	}
	var refs []string
	var err error
	if request.features == nil {
		refs, err = c.service(request.service)
	} else {
		refs, err = request.refs()
	}
	if err != nil {
		return nil, err
	}
	return c.plan(q.planKey, refs, form, s.config.MaxFeatures)
}

// bindJSON fills q's join keys from an object of columns, and returns those columns
// that are values of the plan's context: Feast's own clients send them so.
func (q *query) bindJSON(entities []byte, limit int) (beside []jsonColumn, err error) {
	columns := make([][]byte, len(q.plan.joins))
	var names []string
	for key, value := range jsonform.Members(entities) {
		name := jsonform.Text(key)
		if at := q.plan.contextOf(name); at >= 0 {
			beside = append(beside, jsonColumn{at, value})
			continue
		}
		names = append(names, name)
		for i, join := range q.plan.joins {
			if jsonform.Is(key, join.Name) {
				columns[i] = value
			}
		}
	}
	for i, join := range q.plan.joins {
		if columns[i] == nil || len(names) != len(columns) {
			return nil, q.joinProblem(names)
		}
		if columns[i][0] != '[' {
			return nil, refusal.Invalid("give one value a row", "join key %s is %s, not a list", join.Name, jsonform.Kind(columns[i]))
		}
		rows, err := q.bindJSONColumn(join, columns[i], limit)
		if err != nil {
			return nil, err
		}
		if err := q.countRows(i, join.Name, rows, limit); err != nil {
			return nil, err
		}
	}
	return beside, nil
}

// bindJSONColumn appends the values of one join key and returns how many there
// are, counted up to one more than limit.
func (q *query) bindJSONColumn(join feature.Entity, list []byte, limit int) (rows int, err error) {
	for _, item := range jsonform.Elements(list) {
		if rows++; rows > limit {
			return rows, nil
		}
		from := len(q.arena)
		if q.arena, err = jsonform.AppendKey(q.arena, join.Type, item); err != nil {
			return 0, refusal.Key(join.Name, rows-1, err)
		}
		q.keys = append(q.keys, span{from, len(q.arena)})
	}
	return rows, nil
}
