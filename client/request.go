package client

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
)

// Policy says what to do with rows that are too old.
type Policy int32

// The policies of a read.
const (
	PolicyServe   = Policy(sluicev1.Policy_POLICY_SERVE)   // give the values, with their status
	PolicyFlag    = Policy(sluicev1.Policy_POLICY_FLAG)    // the same, and mark them stale
	PolicyNull    = Policy(sluicev1.Policy_POLICY_NULL)    // give none
	PolicyDefault = Policy(sluicev1.Policy_POLICY_DEFAULT) // give the feature's default, if its definition has one
	PolicyRefuse  = Policy(sluicev1.Policy_POLICY_REFUSE)  // the read fails with ErrRefused
)

// Request is a read. What is read is one of
//
//   - features of one view: View, and Features by name, or none for all of them;
//   - features of several views: Features as view:feature, or view:*;
//   - a feature service: Service.
//
// The columns of the answer are named as the features are; those of a service are
// view:feature.
type Request struct {
	View     string
	Features []string
	Service  string

	Keys   []Key // every one with the same join keys
	Policy Policy
	AsOf   map[string]uint64 // view to version: read it as if that version were its newest

	// What computed features are made of, by the names that their views declare: Context
	// for all rows, or Contexts one a key. Values are those of keys, floats, and nil.
	Context  map[string]any
	Contexts []map[string]any
}

// question is a request without its keys.
type question struct {
	view     string
	features []string // view:feature
	service  string
	policy   Policy
	asOf     map[string]uint64
	context  []string // names that it brings, sorted; nil: none
	text     string   // the same for equal questions
}

func (r Request) question() (question, error) {
	q := question{view: r.View, service: r.Service, policy: r.Policy, asOf: r.AsOf}
	switch {
	case r.View != "" && r.Service != "", r.Service != "" && len(r.Features) > 0:
		return q, invalid("ask for one of them", "the request names a service and a view or features")
	case r.View == "" && r.Service == "" && len(r.Features) == 0:
		return q, invalid("name a view, features as view:feature, or a service", "the request names nothing to read")
	case r.View != "" && len(r.Features) == 0:
		q.features = []string{r.View + ":*"}
	case r.View != "":
		q.features = each(r.Features, func(f string) string { return r.View + ":" + f })
	default:
		q.features = slices.Clone(r.Features)
	}
	if len(r.Keys) == 0 {
		return q, invalid("give at least one", "the request has no keys")
	}
	if err := r.contexts(&q); err != nil {
		return q, err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%q %q %q %d", q.view, q.features, q.service, q.policy)
	for _, view := range slices.Sorted(maps.Keys(q.asOf)) {
		fmt.Fprintf(&text, " %q=%d", view, q.asOf[view])
	}
	if q.context != nil {
		fmt.Fprintf(&text, " with %q", q.context)
	}
	q.text = text.String()
	return q, nil
}

// contexts names the context of q, and checks its form.
func (r Request) contexts(q *question) error {
	switch {
	case r.Context == nil && r.Contexts == nil:
		return nil
	case r.Context != nil && r.Contexts != nil:
		return invalid("give one of them", "the request has a Context for all rows and Contexts")
	case r.Context != nil:
		q.context = slices.Sorted(maps.Keys(r.Context))
		return nil
	case len(r.Contexts) != len(r.Keys):
		return invalid("give one a key, or Context for all", "%d Contexts of %d keys", len(r.Contexts), len(r.Keys))
	}
	q.context = slices.Sorted(maps.Keys(r.Contexts[0]))
	for i, context := range r.Contexts {
		if names := slices.Sorted(maps.Keys(context)); !slices.Equal(names, q.context) {
			return invalid("give every row the same values", "the context of row %d has %q, that of row 0 has %q", i, names, q.context)
		}
	}
	return nil
}

// contextOf is the context of row i.
func (r Request) contextOf(i int) map[string]any {
	if r.Contexts != nil {
		return r.Contexts[i]
	}
	return r.Context
}

// entity is a key as it is sent.
type entity struct {
	key    Key
	names  []string // sorted
	values []*feasttypes.Value
	text   string // the same for equal keys

	context []*feasttypes.Value // by the names of the question
}

// entities encodes the keys [from, to) of a request, with their context. The error is
// invalid_argument if they do not have the same names, and type if a value is none of a
// key.
func (r Request) entities(q question, from, to int) ([]entity, error) {
	out, err := entities(r.Keys[from:to], from)
	if err != nil || q.context == nil {
		return out, err
	}
	var shared []*feasttypes.Value
	for i := range out {
		if r.Contexts == nil && i > 0 {
			out[i].context = shared
			continue
		}
		context := r.contextOf(from + i)
		for _, name := range q.context {
			value, err := encodeContext(name, context[name])
			if err != nil {
				return nil, fmt.Errorf("row %d: %w", from+i, err)
			}
			out[i].context = append(out[i].context, value)
		}
		shared = out[i].context
	}
	return out, nil
}

// entities encodes keys alone; from is the position of the first.
func entities(keys []Key, from int) ([]entity, error) {
	names := slices.Sorted(maps.Keys(keys[0]))
	if len(names) == 0 {
		return nil, invalid("give the join keys of the view", "row %d has no join keys", from)
	}
	out, values := make([]entity, len(keys)), make([]*feasttypes.Value, len(keys)*len(names))
	for i, key := range keys {
		e := entity{key: key, names: names, values: cut(values, i, len(names))}
		if len(key) != len(names) {
			return nil, uneven(from, from+i, key, names)
		}
		text := make([]byte, 0, 32)
		for j, name := range names {
			raw, ok := key[name]
			if !ok {
				return nil, uneven(from, from+i, key, names)
			}
			value, same, err := encode(name, raw)
			if err != nil {
				return nil, fmt.Errorf("row %d: %w", from+i, err)
			}
			e.values[j] = value
			text = append(append(strconv.AppendQuote(text, name), same...), ' ')
		}
		e.text = string(text)
		out[i] = e
	}
	return out, nil
}

func uneven(from, row int, key Key, names []string) error {
	return invalid("give every row the same join keys", "row %d has the join keys %q, row %d has %q", row, slices.Sorted(maps.Keys(key)), from, names)
}

// message returns the request for some of the keys.
func (q question) message(asked []entity) *sluicev1.GetFeaturesRequest {
	out := &sluicev1.GetFeaturesRequest{Policy: sluicev1.Policy(q.policy), AsOfVersions: q.asOf, Keys: map[string]*feasttypes.RepeatedValue{}}
	if q.service != "" {
		out.What = &sluicev1.GetFeaturesRequest_Service{Service: q.service}
	} else {
		out.What = &sluicev1.GetFeaturesRequest_Features{Features: &sluicev1.FeatureRefs{Val: q.features}}
	}
	for j, name := range asked[0].names {
		column := make([]*feasttypes.Value, len(asked))
		for i, e := range asked {
			column[i] = e.values[j]
		}
		out.Keys[name] = &feasttypes.RepeatedValue{Val: column}
	}
	for j, name := range q.context {
		column := make([]*feasttypes.Value, len(asked))
		for i, e := range asked {
			column[i] = e.context[j]
		}
		if out.Context == nil {
			out.Context = map[string]*feasttypes.RepeatedValue{}
		}
		out.Context[name] = &feasttypes.RepeatedValue{Val: column}
	}
	return out
}

// cut is the part of row i of a slice that holds width values a row.
func cut[T any](of []T, i, width int) []T { return of[i*width : (i+1)*width : (i+1)*width] }

// rows reads an answer, which has a row for each of asked.
func (q question) rows(answer *sluicev1.GetFeaturesResponse, asked []entity) ([]Row, error) {
	s, provenance := &shape{at: map[string]int{}}, []*Provenance{}
	for v, view := range answer.GetViews() {
		s.views = append(s.views, view.GetView())
		provenance = append(provenance, provenanceOf(view.GetProvenance()))
		for _, c := range view.GetColumns() {
			if len(c.GetValues()) != len(asked) || len(c.GetStatuses()) != len(asked) || len(view.GetEventTimes()) != len(asked) {
				return nil, &Error{Code: "internal", Message: fmt.Sprintf("the answer has not %d values of %s:%s", len(asked), view.GetView(), c.GetFeature())}
			}
			name := c.GetFeature()
			if q.view == "" {
				name = view.GetView() + ":" + name
			}
			s.at[name] = len(s.columns)
			s.columns, s.viewOf = append(s.columns, name), append(s.viewOf, v)
		}
	}
	out := make([]Row, len(asked))
	cells, times := make([]cell, len(asked)*len(s.columns)), make([]int64, len(asked)*len(s.views))
	for i, e := range asked {
		row := Row{Key: e.key, shape: s, cells: cut(cells, i, len(s.columns))[:0], times: cut(times, i, len(s.views)), provenance: provenance}
		for v, view := range answer.GetViews() {
			for _, c := range view.GetColumns() {
				row.times[v] = view.GetEventTimes()[i]
				value, err := decode(c.GetValues()[i])
				if err != nil {
					return nil, err
				}
				row.cells = append(row.cells, cell{value, Status(c.GetStatuses()[i])})
			}
		}
		out[i] = row
	}
	return out, nil
}
