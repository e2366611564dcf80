package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
)

// rowsRequest is the body of POST /api/v1/views/{view}/rows.
type rowsRequest struct {
	Keys     []map[string]json.RawMessage `json:"keys"`     // an object of join keys a row
	Features []string                     `json:"features"` // none: every feature of the view
	Policy   string                       `json:"policy"`   // serve | flag | null | default | refuse; empty is serve
	Context  json.RawMessage              `json:"context"`  // for computed features: an object for all rows, or a list of one a row
	AsOf     *feature.Version             `json:"as_of_version"`
}

// parseRows reads the body strictly.
func parseRows(body []byte) (rowsRequest, error) {
	const want = `send {"keys":[{"join_key":value}],"features":["name"],"policy":"serve"}`
	var request rowsRequest
	return request, decodeBody(body, &request, rowsMembers, want)
}

// The members of bodies: encoding/json would take them in any case.
var (
	rowsMembers     = []string{"keys", "features", "policy", "context", "as_of_version"}
	featuresMembers = []string{"keys", "features", "policy", "context", "as_of_versions"}
	serviceMembers  = []string{"keys", "policy", "context", "as_of_versions"}
)

// decodeBody reads a body of members strictly; want says how it should have been written.
func decodeBody(body []byte, to any, members []string, want string) error {
	if !jsonform.WellFormed(body) {
		return jsonform.Malformed(body, want)
	}
	if err := jsonform.Strict(body, want, "context", members); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return misfit(err, want)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return refusal.Invalid(want, "the body holds more than one value")
	}
	return nil
}

// getRows answers a read by key in the contract's form.
func (s *Server) getRows(ctx context.Context, in asked, body, dst []byte) ([]byte, error) {
	request, err := parseRows(body)
	if err != nil {
		return dst, err
	}
	q := newQuery()
	defer q.release()
	if q.policy, err = parsePolicy(request.Policy); err != nil {
		return dst, err
	}
	if q.priority, err = loweredHTTP(in); err != nil {
		return dst, err
	}
	snap, lapsed, err := s.take()
	if err != nil {
		return dst, err
	}
	v, err := snap.catalog.view(in.PathValue("view"))
	if err != nil {
		return dst, err
	}
	if q.plan, err = s.rowsPlan(q, snap.catalog, v, request.Features); err != nil {
		return dst, err
	}
	if request.AsOf != nil {
		q.past = pastVersions{v.Name: *request.AsOf}
	}
	if err := q.bindRows(request.Keys, s.config.MaxEntities); err != nil {
		return dst, err
	}
	if err := q.bindContext(request.Context); err != nil {
		return dst, err
	}
	if err := s.read(ctx, q, snap, lapsed); err != nil {
		return dst, err
	}
	return q.appendRows(dst), nil
}

// rowsPlan returns the plan of features of v, all of them if none are named.
func (s *Server) rowsPlan(q *query, c *catalog, v *view, names []string) (*plan, error) {
	if len(names) > s.config.MaxFeatures {
		return nil, refusal.OverLimit("features", len(names), s.config.MaxFeatures, "serve.max_features")
	}
	if len(names) == 0 {
		names = []string{"*"}
	} else if slices.Contains(names, "*") {
		return nil, refusal.Unknown(feature.CodeUnknownFeature, "feature", v.Name+":*", nil)
	}
	q.planKey = append(append(q.planKey[:0], 'r'), v.Name...)
	for _, name := range names {
		q.planKey = append(strconv.AppendInt(append(q.planKey, ' '), int64(len(name)), 10), ':')
		q.planKey = append(q.planKey, name...)
	}
	if p := c.plans.get(q.planKey); p != nil {
		return p, nil
	}
	return c.plan(q.planKey, prefixed(v.Name+":", names), ownForm, s.config.MaxFeatures)
}

// bindRows fills q's join keys from one object a row.
func (q *query) bindRows(keys []map[string]json.RawMessage, limit int) error {
	if len(keys) == 0 {
		return refusal.Invalid(`give at least one, as {"join_key":value}`, "keys is empty")
	}
	if len(keys) > limit {
		return &refusal.Rows{Limit: refusal.OverLimit("entities", len(keys), limit, "serve.max_entities")}
	}
	q.rows = len(keys)
	for _, join := range q.plan.joins {
		for row, key := range keys {
			raw, ok := key[join.Name]
			if !ok || len(key) != len(q.plan.joins) {
				names := make([]string, 0, len(key))
				for name := range key {
					names = append(names, name)
				}
				slices.Sort(names)
				return inRow(row, q.joinProblem(names))
			}
			from := len(q.arena)
			var err error
			if q.arena, err = jsonform.AppendKey(q.arena, join.Type, raw); err != nil {
				return refusal.Key(join.Name, row, err)
			}
			q.keys = append(q.keys, span{from, len(q.arena)})
		}
	}
	return nil
}

func inRow(row int, err error) error {
	var known *feature.Error
	if errors.As(err, &known) {
		return refusal.Of(known.Code, known.Hint, "row %d: %s", row, known.Message)
	}
	return err
}

// appendRows appends the answer in the contract's form get.
func (q *query) appendRows(dst []byte) []byte {
	a := q.answers[0]
	dst = jsonform.AppendString(append(dst, `{"view":`...), a.part.view.Name)
	dst = append(dst, `,"rows":[`...)
	for row, r := range a.rows {
		dst = a.appendRow(q.appendKey(append(jsonform.Comma(dst, row), '{'), row), row, r)
	}
	dst = append(dst, `],"provenance":`...)
	return append(a.provenance.appendJSON(dst), '}')
}

// appendRow appends the values, statuses and event times of one row.
func (a *partAnswer) appendRow(dst []byte, row int, r rowAnswer) []byte {
	slots := len(a.part.features)
	cells := a.cells[row*slots : (row+1)*slots]
	dst = append(dst, `,"values":{`...)
	for i, f := range a.part.columns() {
		dst = append(jsonform.AppendString(jsonform.Comma(dst, i), f.Name), ':')
		dst = jsonform.Append(dst, cells[i], f.Type, jsonform.Own)
	}
	dst = append(dst, `},"statuses":{`...)
	for i, f := range a.part.columns() {
		dst = append(jsonform.AppendString(jsonform.Comma(dst, i), f.Name), `:"`...)
		dst = append(append(dst, statusNames[a.state(row, i).of(len(cells[i]) == 0)]...), '"')
	}
	dst = append(dst, `},"event_times":{`...)
	for i, f := range a.part.columns() {
		dst = append(jsonform.AppendString(jsonform.Comma(dst, i), f.Name), ':')
		if r.state.hasTime() {
			dst = jsonform.AppendTime(dst, r.eventTime)
		} else {
			dst = append(dst, "null"...)
		}
	}
	return append(dst, `}}`...)
}

func (p *provenance) appendJSON(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, `{"version":`...), uint64(p.Version), 10)
	dst = jsonform.AppendString(append(dst, `,"verdict":`...), p.Verdict)
	dst = strconv.AppendUint(append(dst, `,"generation":`...), p.Generation, 10)
	dst = strconv.AppendFloat(append(dst, `,"age_seconds":`...), p.AgeSeconds, 'f', -1, 64)
	dst = strconv.AppendBool(append(dst, `,"stale":`...), p.Stale)
	dst = jsonform.AppendString(append(dst, `,"fallback":`...), p.Fallback)
	if p.CachedRows > 0 {
		dst = strconv.AppendInt(append(dst, `,"cached_rows":`...), int64(p.CachedRows), 10)
	}
	return append(dst, '}')
}
