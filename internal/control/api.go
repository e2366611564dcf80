package control

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"sluice/feature"
	"sluice/internal/auth"
)

// API answers the control API.
type API struct{ deps Deps }

// Route is one endpoint: its pattern as http.ServeMux reads it, and the role
// that it needs.
type Route struct {
	Method  string
	Path    string
	Need    auth.Role
	handler func(r *http.Request) (any, error)
}

// New returns the API over deps. The error names every dependency that is missing.
func New(deps Deps) (*API, error) {
	var missing []error
	for name, dep := range map[string]any{
		"registry": deps.Registry, "actions": deps.Actions, "board": deps.Board, "clock": deps.Clock, "log": deps.Log,
		"dead letters": deps.DeadLetters, "verify": deps.Verify, "history": deps.History, "check rules": deps.CheckRules,
	} {
		if v := reflect.ValueOf(dep); !v.IsValid() || v.Kind() == reflect.Func && v.IsNil() {
			missing = append(missing, fmt.Errorf("control: %s is missing", name))
		}
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.DefaultTopic == "" {
		missing = append(missing, errors.New("control: default topic is missing"))
	}
	return &API{deps}, errors.Join(missing...)
}

// Routes returns every endpoint.
func (a *API) Routes() []Route {
	const get, post = http.MethodGet, http.MethodPost
	const reader, writer, operator = auth.Reader, auth.Writer, auth.Operator
	return []Route{
		{get, "/api/v1/status", reader, a.status},
		{get, "/api/v1/views", reader, a.views},
		{get, "/api/v1/views/{view}", reader, a.view},
		{post, "/api/v1/views/{view}/writes", writer, a.writes},
		{post, "/api/v1/views/{view}/watermark", writer, a.watermark},
		{get, "/api/v1/views/{view}/versions", reader, a.versions},
		{get, "/api/v1/views/{view}/windows", reader, a.windows},
		{get, "/api/v1/views/{view}/verdicts", reader, a.verdicts},
		{get, "/api/v1/views/{view}/features/{feature}/history", reader, a.history},
		{get, "/api/v1/views/{view}/baseline", reader, a.baseline},
		{post, "/api/v1/views/{view}/baseline/{what}", operator, a.rebase},
		{post, "/api/v1/views/{view}/actions/{action}", operator, a.act},
		{get, "/api/v1/verdicts/{id}", reader, a.verdict},
		{post, "/api/v1/verdicts/{id}/verify", reader, a.verify},
		{get, "/api/v1/accounting", reader, a.accounting},
		{get, "/api/v1/audit", reader, a.audit},
		{get, "/api/v1/alerts", reader, a.alerts},
		{get, "/api/v1/deadletters", reader, a.deadLetters},
		{get, "/api/v1/deadletters/{topic}/{partition}/{offset}", reader, a.deadLetter},
		{get, "/api/v1/clock", reader, a.clock},
		{post, "/api/v1/clock", operator, a.setClock},
		{post, "/api/v1/plan", reader, a.plan},
		{post, "/api/v1/apply", operator, a.apply},
		{get, "/api/v1/rules/check", reader, a.checkRules},
		{post, "/api/v1/rules/check", reader, a.checkRules},
	}
}

// Register adds every endpoint to mux, and an answer for every other path below
// /api/v1/. More specific patterns of others stay theirs.
func (a *API) Register(mux *http.ServeMux) {
	for _, route := range a.Routes() {
		mux.Handle(route.Method+" "+route.Path, auth.Require(a.deps.Authorize, route.Need, a.serve(route.handler)))
	}
	mux.Handle("/api/v1/", auth.Require(a.deps.Authorize, auth.Reader, a.serve(func(r *http.Request) (any, error) {
		return nil, a.unrouted(mux, r)
	})))
}

// unrouted explains a path or method that nothing answers.
func (a *API) unrouted(mux *http.ServeMux, r *http.Request) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		return &statusError{http.StatusMethodNotAllowed, &feature.Error{
			Code: feature.CodeInvalidArgument, Message: fmt.Sprintf("%s is not answered at %s", clip(r.Method), clip(r.URL.Path)),
			Hint: "use " + strings.Join(allowed, " or "),
		}}
	}
	return &statusError{http.StatusNotFound, &feature.Error{
		Code: feature.CodeInvalidArgument, Message: fmt.Sprintf("there is nothing at %s", clip(r.URL.Path)),
		Hint: "the endpoints are listed in the API's reference",
	}}
}
