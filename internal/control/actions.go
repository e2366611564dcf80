package control

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sluice/feature"
	"sluice/materialize"
)

// actionRequest is what a person asks.
type actionRequest struct {
	Version      feature.Version `json:"version"`
	By           string          `json:"by"` // where there is no token
	Reason       string          `json:"reason"`
	IfGeneration *uint64         `json:"if_generation"`
	AsNormal     bool            `json:"as_normal"` // approve: the window also enters the baseline
}

var (
	actionNames   = []string{"approve", "reject", "rollback", "freeze", "thaw", "false_alarm"}
	baselineNames = []string{"set", "accept", "revert"}
)

// maxReason is the longest reason in bytes.
const maxReason = 4096

// action reads a request to act on the view of the path.
func (a *API) action(r *http.Request) (materialize.Action, error) {
	v, err := a.find(r)
	if err != nil {
		return materialize.Action{}, err
	}
	var req actionRequest
	if err := decode(r, maxBody, &req); err != nil {
		return materialize.Action{}, err
	}
	if len(req.Reason) > maxReason || len(req.By) > maxReason {
		return materialize.Action{}, invalid("say it shorter", "reason and by: at most %d bytes are kept", maxReason)
	}
	return materialize.Action{
		View: v, Version: req.Version, By: by(r, req.By), Reason: strings.TrimSpace(req.Reason),
		IfGeneration: req.IfGeneration, AsNormal: req.AsNormal,
	}, nil
}

// named checks the last part of the path against the names there are.
func named(kind, name string, known []string) error {
	if slices.Contains(known, name) {
		return nil
	}
	hint := fmt.Sprintf("use one of %v", known)
	if near := feature.Nearest(name, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	return notFound(kind, name, hint)
}

// needsVersion says that an action which is about a version names none.
func needsVersion(act materialize.Action, name string) error {
	if act.Version > 0 {
		return nil
	}
	return invalid("`sluice versions "+act.View.Name+"` lists them", "%s %s: no version is named", name, act.View.Name)
}

func (a *API) act(r *http.Request) (any, error) {
	name := r.PathValue("action")
	if err := named("action", name, actionNames); err != nil {
		return nil, err
	}
	act, err := a.action(r)
	if err != nil {
		return nil, err
	}
	if name != "freeze" && name != "thaw" {
		if err := needsVersion(act, name); err != nil {
			return nil, err
		}
	}
	result, err := a.deps.Actions.Act(r.Context(), name, act)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, act.View.Name, err)
	}
	return result, nil
}

func (a *API) baseline(r *http.Request) (any, error) {
	v, err := a.find(r)
	if err != nil {
		return nil, err
	}
	status, err := a.deps.Actions.Baseline(r.Context(), v)
	if err != nil {
		return nil, fmt.Errorf("read baseline of %s: %w", v.Name, err)
	}
	return status, nil
}

// baselines lists the decisions about a view's baseline.
func (a *API) baselines(r *http.Request) (any, error) {
	v, err := a.find(r)
	if err != nil {
		return nil, err
	}
	list, err := a.deps.Actions.Baselines(r.Context(), v)
	if err != nil {
		return nil, fmt.Errorf("list baselines of %s: %w", v.Name, err)
	}
	return listOf(list, ""), nil
}

// rebase pins a view's baseline, starts it anew, or takes back the last such decision,
// and answers with the one then in force.
func (a *API) rebase(r *http.Request) (any, error) {
	what := r.PathValue("what")
	if err := named("baseline", what, baselineNames); err != nil {
		return nil, err
	}
	act, err := a.action(r)
	if err != nil {
		return nil, err
	}
	change := a.deps.Actions.RevertBaseline
	switch what {
	case "set":
		change = a.deps.Actions.SetBaseline
	case "accept":
		change = a.deps.Actions.AcceptBaseline
	}
	if what != "revert" {
		if err := needsVersion(act, "baseline "+what); err != nil {
			return nil, err
		}
	}
	if _, err := change(r.Context(), act); err != nil {
		return nil, fmt.Errorf("baseline %s %s: %w", what, act.View.Name, err)
	}
	return a.baseline(r)
}
