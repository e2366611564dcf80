package serving

import (
	"context"
	"encoding/json"
	"strconv"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
)

// featuresRequest is the body of POST /api/v1/rows, and without features that of
// POST /api/v1/services/{service}/rows.
type featuresRequest struct {
	Keys     []map[string]json.RawMessage `json:"keys"`     // an object a row, with the join keys of all views
	Features []string                     `json:"features"` // view:feature; view:* is every feature of the view
	Policy   string                       `json:"policy"`
	Context  json.RawMessage              `json:"context"`        // for computed features: an object for all rows, or a list of one a row
	AsOf     pastVersions                 `json:"as_of_versions"` // by view
}

// serviceRequest is featuresRequest where the features are the service's.
type serviceRequest struct {
	Keys    []map[string]json.RawMessage `json:"keys"`
	Policy  string                       `json:"policy"`
	Context json.RawMessage              `json:"context"`
	AsOf    pastVersions                 `json:"as_of_versions"`
}

const (
	wantFeatures = `send {"keys":[{"join_key":value}],"features":["view:feature"],"policy":"serve"}`
	wantService  = `send {"keys":[{"join_key":value}],"policy":"serve"}`
)

// parseFeatures reads the body of a read of a service, or of a list of features if
// service is empty.
func parseFeatures(service string, body []byte) (request featuresRequest, err error) {
	if service == "" {
		return request, decodeBody(body, &request, featuresMembers, wantFeatures)
	}
	var of serviceRequest
	err = decodeBody(body, &of, serviceMembers, wantService)
	return featuresRequest{Keys: of.Keys, Policy: of.Policy, Context: of.Context, AsOf: of.AsOf}, err
}

// getFeatures answers a read by key of several views at once.
func (s *Server) getFeatures(ctx context.Context, in asked, body, dst []byte) ([]byte, error) {
	service := in.PathValue("service")
	request, err := parseFeatures(service, body)
	if err != nil {
		return dst, err
	}
	q := newQuery()
	defer q.release()
	if q.priority, err = loweredHTTP(in); err != nil {
		return dst, err
	}
	snap, lapsed, err := s.take()
	if err != nil {
		return dst, err
	}
	if err := s.bindFeatures(q, snap.catalog, service, &request, s.config.MaxEntities); err != nil {
		return dst, err
	}
	if err := s.read(ctx, q, snap, lapsed); err != nil {
		return dst, err
	}
	return append(q.appendFeatures(append(dst, '{')), '}'), nil
}

// bindFeatures makes q of a request: its plan and its keys, at most limit of them.
func (s *Server) bindFeatures(q *query, c *catalog, service string, request *featuresRequest, limit int) (err error) {
	if q.policy, err = parsePolicy(request.Policy); err != nil {
		return err
	}
	q.past = request.AsOf
	if q.plan, err = s.featuresPlan(q, c, service, request.Features); err != nil {
		return err
	}
	if err := q.past.check(q.plan); err != nil {
		return err
	}
	if err := q.bindRows(request.Keys, limit); err != nil {
		return err
	}
	return q.bindContext(request.Context)
}

// featuresPlan returns the plan of a service, or of a list of features if service is
// empty. That of a service is the one that gRPC uses.
func (s *Server) featuresPlan(q *query, c *catalog, service string, names []string) (*plan, error) {
	if service != "" {
		q.planKey = append(append(q.planKey[:0], planService, byte(ownForm)), service...)
	} else {
		if len(names) > s.config.MaxFeatures {
			return nil, refusal.OverLimit("features", len(names), s.config.MaxFeatures, "serve.max_features")
		}
		q.planKey = append(q.planKey[:0], 'l')
		for _, name := range names {
			q.planKey = append(strconv.AppendInt(append(q.planKey, ' '), int64(len(name)), 10), ':')
			q.planKey = append(q.planKey, name...)
		}
	}
	if p := c.plans.get(q.planKey); p != nil {
		return p, nil
	}
	if service != "" {
		var err error
		if names, err = c.service(service); err != nil {
			return nil, err
		}
	}
	return c.plan(q.planKey, names, ownForm, s.config.MaxFeatures)
}

// appendFeatures appends the members of the answer: rows, whose columns are named
// view:feature in the order of the request, and the provenance of each view.
func (q *query) appendFeatures(dst []byte) []byte {
	dst = append(dst, `"rows":[`...)
	for row := range q.rows {
		dst = q.appendKey(append(jsonform.Comma(dst, row), '{'), row)
		dst = append(dst, `,"values":{`...)
		for i, c := range q.plan.columns {
			a := q.answers[c.part]
			dst = append(jsonform.AppendString(jsonform.Comma(dst, i), c.name), ':')
			dst = jsonform.Append(dst, a.cell(row, c.slot), a.part.features[c.slot].Type, jsonform.Own)
		}
		dst = append(dst, `},"statuses":{`...)
		for i, c := range q.plan.columns {
			a := q.answers[c.part]
			dst = append(jsonform.AppendString(jsonform.Comma(dst, i), c.name), `:"`...)
			dst = append(append(dst, statusNames[a.state(row, c.slot).of(len(a.cell(row, c.slot)) == 0)]...), '"')
		}
		dst = append(dst, `},"event_times":{`...)
		for i, c := range q.plan.columns {
			dst = append(jsonform.AppendString(jsonform.Comma(dst, i), c.name), ':')
			if r := q.answers[c.part].rows[row]; r.state.hasTime() {
				dst = jsonform.AppendTime(dst, r.eventTime)
			} else {
				dst = append(dst, "null"...)
			}
		}
		dst = append(dst, `}}`...)
	}
	dst = append(dst, `],"provenance":{`...)
	for i, a := range q.answers {
		dst = append(jsonform.AppendString(jsonform.Comma(dst, i), a.part.view.Name), ':')
		dst = a.provenance.appendJSON(dst)
	}
	return append(dst, '}')
}

// appendKey appends the join keys of a row as the member key.
func (q *query) appendKey(dst []byte, row int) []byte {
	dst = append(dst, `"key":{`...)
	for i, join := range q.plan.joins {
		dst = append(jsonform.AppendString(jsonform.Comma(dst, i), join.Name), ':')
		dst = jsonform.Append(dst, q.key(i, row), join.Type, jsonform.Own)
	}
	return append(dst, '}')
}

// cell returns the serialized value of a slot in a row; empty for null.
func (a *partAnswer) cell(row, slot int) []byte { return a.cells[row*len(a.part.features)+slot] }

func versionText(v feature.Version) string { return strconv.FormatUint(uint64(v), 10) }
