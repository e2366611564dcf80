package control

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"

	"sluice/internal/auth"
)

// API answers the control API.
type API struct{ deps Deps }

// Route is one endpoint: its pattern as http.ServeMux reads it, the role that it
// needs, and what it answers.
type Route struct {
	Method  string
	Path    string
	Need    auth.Role
	handler func(r *http.Request) (any, error)
	Help    string
}

// New returns the API over deps. The error names every dependency that is missing.
func New(deps Deps) (*API, error) {
	var missing []error
	for name, dep := range map[string]any{
		"registry": deps.Registry, "actions": deps.Actions, "board": deps.Board, "clock": deps.Clock, "log": deps.Log,
		"dead letters": deps.Letters, "verify": deps.Verify, "statistics": deps.Statistics, "history": deps.History, "check rules": deps.CheckRules, "backtest": deps.Backtest,
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
		{get, "/api/v1/status", reader, a.status, "What runs, and whether its parts work."},
		{get, "/api/v1/views", reader, a.views, "Views with their state."},
		{get, "/api/v1/views/{view}", reader, a.view, "One view, with its score and what that is made of."},
		{get, "/api/v1/services", reader, a.services, "Feature services with their scores."},
		{get, "/api/v1/services/{service}", reader, a.service, "One service, with its score and what that is made of."},
		{post, "/api/v1/views/{view}/writes", writer, a.writes, "Append JSON lines to the view's topic as they stand."},
		{post, "/api/v1/views/{view}/watermark", writer, a.watermark, "Tell every partition that the view's event time has reached `watermark`."},
		{get, "/api/v1/views/{view}/versions", reader, a.versions, "Versions, and which are visible."},
		{get, "/api/v1/views/{view}/windows", reader, a.windows, "Windows and how far they are. `start=` chooses one, `wait=` waits until one is judged."},
		{get, "/api/v1/views/{view}/verdicts", reader, a.verdicts, "Verdicts in the order of decision. `wait=` waits for one behind `after=`."},
		{get, "/api/v1/views/{view}/features/{feature}/history", reader, a.history, "Summaries of the windows that start in [`from=`, `to=`)."},
		{get, "/api/v1/views/{view}/baseline", reader, a.baseline, "What windows are compared with."},
		{get, "/api/v1/views/{view}/baseline/history", reader, a.baselines, "Decisions about the baseline: who, why, when, and which are in force."},
		{post, "/api/v1/views/{view}/baseline/{what}", operator, a.rebase, "`set` or `accept` a baseline at a version, or `revert` the last such decision."},
		{post, "/api/v1/views/{view}/actions/{action}", operator, a.act, "`approve`, `reject`, `rollback`, `freeze`, `thaw` or `false_alarm`."},
		{get, "/api/v1/verdicts/{id}", reader, a.verdict, "One verdict."},
		{post, "/api/v1/verdicts/{id}/verify", reader, a.verify, "Recompute a verdict and compare."},
		{get, "/api/v1/accounting", reader, a.accounting, "What became of the records of every partition."},
		{get, "/api/v1/audit", reader, a.audit, "Who did what and why."},
		{get, "/api/v1/alerts", reader, a.alerts, "What a person should know."},
		{get, "/api/v1/deadletters", reader, a.deadLetters, "Records that were not accepted. `view=`, `kind=`, `reason=` and `since=` choose among them."},
		{get, "/api/v1/deadletters/{topic}/{partition}/{offset}", reader, a.deadLetter, "One of them, and where it was sent again."},
		{post, "/api/v1/deadletters/replay", operator, a.replayLetters, "Send `records`, or what `select` chooses, again to their topic; with `dry_run` only say which."},
		{get, "/api/v1/clock", reader, a.clock, "The platform's time, and whether it is set."},
		{post, "/api/v1/clock", operator, a.setClock, "Move a manual clock to `now`."},
		{post, "/api/v1/plan", reader, a.plan, "What definitions would change, and whom it affects."},
		{post, "/api/v1/apply", operator, a.apply, "Put definitions in force. Removing views needs `allow_remove`."},
		{get, "/api/v1/rules/check", reader, a.checkRules, "What the rules in force can reach."},
		{post, "/api/v1/rules/check", reader, a.checkRules, "What the `rules` of the request can reach."},
		{post, "/api/v1/rules/backtest", reader, a.backtest, "What the `rules` of the request, or those in force, would have done in the last `days`."},
		{get, "/api/v1/rules/ladder", reader, a.ladder, "What speaks for and against a higher mode of each rule in force, from the last `days=`."},
	}
}

// Register adds every endpoint to mux, and an answer for every path that mux does
// not know. More specific patterns of others stay theirs.
func (a *API) Register(mux *http.ServeMux) {
	a.register(mux, a.Routes())
}

func (a *API) register(mux *http.ServeMux, routes []Route) {
	for _, route := range routes {
		mux.Handle(route.Method+" "+route.Path, auth.Require(a.deps.Authorize, route.Need, a.serve(route.handler)))
	}
	nothing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.unrouted(mux, w, r) })
	mux.Handle("/api/v1/", auth.Require(a.deps.Authorize, auth.Reader, nothing))
	mux.Handle("/", nothing)
}
