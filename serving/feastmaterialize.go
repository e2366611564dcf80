package serving

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/push"
	"sluice/serving/refusal"
)

// materializePatterns are the doors of Feast's materialize, and whether they are the
// incremental one.
var materializePatterns = map[string]bool{"POST /materialize": false, "POST /materialize-incremental": true}

// materialize answers POST /materialize and /materialize-incremental. Nothing is loaded by
// it: rows are staged when they are written and become visible once their window is judged.
// What Feast promises with its answer can be said all the same: 200 once all that was
// written of that time before the request is read by those who ask, 409 if some of it is
// not, which says why, and with ?async=true 202 also if it will be. Where nothing was
// written the caller is told how rows get in. None of these is tried again by Feast's SDK.
func (s *Server) materialize(incremental bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		b := buffers.Get().(*buffer)
		defer b.release()
		b.w, b.r, b.limit = w, r, s.config.MaxBody
		m, err := s.materialized(r.Context(), b, incremental)
		s.observe(methodPushHTTP, begun, err)
		switch {
		case err != nil:
			tellAgain(w.Header(), err)
			writeFeastError(w, httpError(err))
		case m.background:
			writeJSON(w, http.StatusAccepted, map[string]any{"status": "accepted", "feature_views": m.views})
		default:
			writeJSON(w, http.StatusOK, nil)
		}
	}
}

// materialized returns what was asked for if it is so, with the views that it is so of.
func (s *Server) materialized(ctx context.Context, b *buffer, incremental bool) (*materializeRequest, error) {
	if err := s.door.charge(ctx); err != nil {
		return nil, err
	}
	body, err := b.Body()
	if err != nil {
		return nil, err
	}
	m, err := parseMaterialize(body, incremental)
	if err != nil {
		return nil, err
	}
	if m.background, err = switchOf(b.r, "async"); err != nil {
		return nil, err
	}
	ctx, cancel, err := withTimeout(ctx, b)
	if cancel != nil {
		defer cancel()
	}
	if err != nil {
		return nil, err
	}
	return m, s.settle(ctx, m)
}

// switchOf reads a switch of the query; false if it is not there.
func switchOf(r *http.Request, name string) (bool, error) {
	switch text := r.URL.Query().Get(name); text {
	case "", "false", "False", "0":
		return false, nil
	case "true", "True", "1":
		return true, nil
	default:
		return false, refusal.At(name, refusal.Invalid("use true or false", "%s: %s", name, refusal.Quoted(text)))
	}
}

// settle looks at each view that m names, or at all. Of those that are not named one
// without rows does not matter, as with Feast, unless none has any.
func (s *Server) settle(ctx context.Context, m *materializeRequest) error {
	snap, _, err := s.take()
	if err != nil {
		return err
	}
	named, asked := len(m.views) > 0, m.views
	if !named {
		asked = slices.Sorted(maps.Keys(snap.catalog.byName))
	}
	views := make([]*view, len(asked))
	for i, name := range asked {
		if views[i], err = snap.catalog.view(name); err != nil {
			return refusal.At("feature_views", err)
		}
	}
	m.views = make([]string, 0, len(asked))
	for _, v := range views {
		if slices.Contains(m.views, v.Name) {
			continue
		}
		written, err := s.settled(ctx, m, &v.View)
		switch {
		case err != nil:
			return err
		case written:
			m.views = append(m.views, v.Name)
		case named:
			return m.refusal(v.Name)
		}
	}
	if len(m.views) == 0 {
		return m.refusal("")
	}
	if err := s.Refresh(ctx); err != nil {
		return fmt.Errorf("have reads show what is published: %w", err)
	}
	return nil
}

// settled reports whether a view has rows of the time that m asks for; the error is a
// notOnline if some of them are not read by those who ask.
func (s *Server) settled(ctx context.Context, m *materializeRequest, v *feature.View) (written bool, err error) {
	if s.deps.Windows == nil {
		return false, nil
	}
	windows, err := s.deps.Windows(ctx, v, m.from, m.to, m.background)
	var late *feature.Error
	switch {
	case errors.As(err, &late) && late.Code == feature.CodeConflict:
		return false, &notOnline{v.Name, late}
	case err != nil:
		return false, fmt.Errorf("look at the windows of view %s: %w", v.Name, err)
	}
	if m.incremental {
		newest := 0
		for i, w := range windows {
			if w.State == feature.StateVisible {
				newest = i
			}
		}
		windows = windows[newest:]
	}
	for _, w := range windows {
		switch {
		case w.State == feature.StateVisible, !w.judged() && m.background:
		case !w.judged():
			return false, notYet(v, w)
		default:
			return false, blocked(v, w)
		}
	}
	return len(windows) > 0, nil
}

// notOnline says of which view some rows are not read. Its form is that of Feast's server
// for a materialization that another one stands in the way of.
type notOnline struct {
	view  string
	cause *feature.Error
}

// Error returns the cause.
func (n *notOnline) Error() string { return n.cause.Error() }

// Unwrap returns it as the error of the contract.
func (n *notOnline) Unwrap() error { return n.cause }

func notYet(v *feature.View, w WindowFate) error {
	return &notOnline{v.Name, refusal.Of(feature.CodeConflict, "`sluice windows "+v.Name+"` names what holds it open; end_ts of "+stamp(w.Start)+" leaves it out, ?async=true does not wait for it, and a file that was pushed with --seal closes it",
		"window %s to %s of view %s is not judged yet, and its rows are not read before", stamp(w.Start), stamp(w.End), v.Name)}
}

func blocked(v *feature.View, w WindowFate) error {
	why := "`sluice versions " + v.Name + "` says why"
	if w.Verdict != "" {
		why = "`sluice explain " + w.Verdict + "` says why"
	}
	return &notOnline{v.Name, refusal.Of(feature.CodeConflict, why+"; reads go on with the versions before it",
		"window %s to %s of view %s is not published: version %d is %s", stamp(w.Start), stamp(w.End), v.Name, w.Version, strings.ReplaceAll(string(w.State), "_", " "))}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// materializeRequest is what a materialization was asked for.
type materializeRequest struct {
	views       []string // none: all
	start, end  string
	from, to    time.Time
	anyTime     bool // disable_event_timestamp
	incremental bool
	background  bool
}

// refusal says that nothing was written, to the view if it is one, and what to do.
func (m *materializeRequest) refusal(view string) error {
	of := "no view has rows of that time"
	if view != "" {
		of = "view " + view + " has no rows of that time"
	} else {
		view = "VIEW"
	}
	return feastError{"FeastProviderNotImplementedError", http.StatusUnprocessableEntity, refusal.Invalid(
		"send the rows: `sluice push "+view+" FILE --seal --wait` loads a file, POST /push or /write-to-online-store rows, and the view's topic a stream; docs/feast.md says more",
		"nothing is materialized: %s, and the server loads none from a batch source: rows reach the online store when they are written, and are read once their window is judged", of,
	)}
}

// parseMaterialize reads the body; incremental wants no start_ts.
func parseMaterialize(body []byte, incremental bool) (*materializeRequest, error) {
	if !jsonform.WellFormed(body) {
		return nil, refusal.At("body", jsonform.Malformed(body, "send JSON in UTF-8"))
	}
	if body = jsonform.Trimmed(body); body[0] != '{' {
		return nil, refusal.At("body", refusal.Invalid("send an object", "the body is %s", jsonform.Kind(body)))
	}
	m := &materializeRequest{incremental: incremental}
	for key, value := range jsonform.Members(body) {
		if err := m.member(jsonform.Text(key), value); err != nil {
			return nil, err
		}
	}
	return m, m.check()
}

func (m *materializeRequest) member(name string, value []byte) error {
	wrong := func(want string) error {
		return refusal.At(name, refusal.Invalid("send "+want, "%s is %s", name, jsonform.Kind(value)))
	}
	null := value[0] == 'n'
	switch name {
	case "start_ts", "end_ts":
		if value[0] != '"' && !null {
			return wrong("a time in RFC 3339")
		}
		to := map[string]*string{"start_ts": &m.start, "end_ts": &m.end}[name]
		if *to = ""; !null {
			*to = jsonform.Text(value)
		}
	case "feature_views":
		if m.views = nil; null {
			return nil
		}
		if value[0] != '[' {
			return wrong("a list of names of views")
		}
		for i, item := range jsonform.Elements(value) {
			if item[0] != '"' {
				return refusal.At(name, refusal.Invalid("send names of views", "%s: item %d is %s", name, i, jsonform.Kind(item)))
			}
			m.views = append(m.views, jsonform.Text(item))
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
func (m *materializeRequest) check() (err error) {
	m.to = endOfTime
	if m.anyTime && !m.incremental {
		return nil
	}
	if m.to, err = momentNamed("end_ts", m.end); err != nil || m.incremental {
		return err
	}
	if m.from, err = momentNamed("start_ts", m.start); err != nil {
		return err
	}
	if !m.from.Before(m.to) {
		return refusal.At("start_ts", refusal.Invalid("give a start before the end", "start_ts %s is not before end_ts %s", refusal.Quoted(m.start), refusal.Quoted(m.end)))
	}
	return nil
}

// endOfTime is later than any event.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func momentNamed(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, refusal.At(name, refusal.Invalid("give a time in RFC 3339", "%s is missing", name))
	}
	moment, err := push.MomentOf(text)
	if err != nil {
		return time.Time{}, refusal.At(name, refusal.Invalid("give a time in RFC 3339", "%s: %v", name, err))
	}
	return moment, nil
}
