package serving

import (
	"net/http"
	"time"

	"sluice/feature"
)

// materialize answers POST /materialize and /materialize-incremental. There is no
// offline store behind a view to load rows from: what is pushed is staged when it
// arrives and becomes visible once its window is judged. So a request that is in
// order is told what to do instead, and one that is not is told what is wrong.
// Neither status is one that a client tries again.
func (s *Server) materialize(body, dst []byte, incremental bool) ([]byte, error) {
	request, err := parseMaterialize(body, incremental)
	if err != nil {
		return dst, err
	}
	snap, _, err := s.take()
	if err != nil {
		return dst, err
	}
	for _, name := range request.views {
		if _, err := snap.catalog.view(name); err != nil {
			return dst, at("feature_views", err)
		}
	}
	return dst, feastError{"FeastProviderNotImplementedError", http.StatusUnprocessableEntity, request.refusal()}
}

// materializeRequest is what a materialization was asked for.
type materializeRequest struct {
	views      []string // none: all
	start, end string
	anyTime    bool // disable_event_timestamp
}

// refusal says why nothing is materialized, and what to do.
func (m *materializeRequest) refusal() *feature.Error {
	view := "VIEW"
	if len(m.views) == 1 {
		view = m.views[0]
	}
	return invalid(
		"send the rows: `sluice push "+view+" FILE --seal --wait` loads a file, POST /push or /write-to-online-store rows, and the view's topic a stream; docs/feast.md says more",
		"nothing is materialized: rows reach the online store when they are written, and are read once their window is judged",
	)
}

// parseMaterialize reads the body; incremental wants no start_ts.
func parseMaterialize(body []byte, incremental bool) (*materializeRequest, error) {
	if !wellFormed(body) {
		return nil, at("body", notJSON(body, "send JSON in UTF-8"))
	}
	if body = trimmed(body); body[0] != '{' {
		return nil, at("body", invalid("send an object", "the body is %s", jsonKind(body)))
	}
	m := &materializeRequest{}
	for key, value := range members(body) {
		if err := m.member(jsonText(key), value); err != nil {
			return nil, err
		}
	}
	return m, m.check(incremental)
}

func (m *materializeRequest) member(name string, value []byte) error {
	wrong := func(want string) error {
		return at(name, invalid("send "+want, "%s is %s", name, jsonKind(value)))
	}
	null := value[0] == 'n'
	switch name {
	case "start_ts", "end_ts":
		if value[0] != '"' && !null {
			return wrong("a time in RFC 3339")
		}
		to := map[string]*string{"start_ts": &m.start, "end_ts": &m.end}[name]
		if *to = ""; !null {
			*to = jsonText(value)
		}
	case "feature_views":
		if m.views = nil; null {
			return nil
		}
		if value[0] != '[' {
			return wrong("a list of names of views")
		}
		for i, item := range elements(value) {
			if item[0] != '"' {
				return at(name, invalid("send names of views", "%s: item %d is %s", name, i, jsonKind(item)))
			}
			m.views = append(m.views, jsonText(item))
		}
	case "disable_event_timestamp":
		if value[0] != 't' && value[0] != 'f' && !null {
			return wrong("true or false")
		}
		m.anyTime = value[0] == 't'
	}
	return nil
}

// check wants the times that the request needs, the start before the end.
func (m *materializeRequest) check(incremental bool) error {
	if m.anyTime && !incremental {
		return nil
	}
	end, err := momentNamed("end_ts", m.end)
	if err != nil || incremental {
		return err
	}
	start, err := momentNamed("start_ts", m.start)
	if err != nil {
		return err
	}
	if !start.Before(end) {
		return at("start_ts", invalid("give a start before the end", "start_ts %s is not before end_ts %s", quoted(m.start), quoted(m.end)))
	}
	return nil
}

func momentNamed(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, at(name, invalid("give a time in RFC 3339", "%s is missing", name))
	}
	moment, err := momentOf(text)
	if err != nil {
		return time.Time{}, at(name, invalid("give a time in RFC 3339", "%s: %v", name, err))
	}
	return moment, nil
}
