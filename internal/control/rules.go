package control

import (
	"fmt"
	"net/http"
	"strconv"

	"sluice/feature"
	"sluice/internal/backtest"
	"sluice/internal/definition"
	"sluice/rules"
)

// Days that a backtest may look back: records are kept for as long.
const (
	maxDays     = 90
	ladderDays  = 28
	defaultDays = maxDays
)

// rulesRequest asks about rules.
type rulesRequest struct {
	Rules string `json:"rules"` // text of a rules file; empty: the rules in force
	Days  *int   `json:"days"`  // to look back; absent: the default
}

// rulesOf reads the definitions in force, with the rules of the request in place of
// theirs if it has any.
func (a *API) rulesOf(r *http.Request, req *rulesRequest) (feature.Definitions, []rules.Rule, error) {
	defs, _, err := a.deps.Registry.Definitions(r.Context())
	if err != nil {
		return defs, nil, fmt.Errorf("read definitions: %w", err)
	}
	if req.Rules != "" {
		defs.Rules = req.Rules
		if err := definition.Validate(&defs); err != nil {
			return defs, nil, invalid("mend every line", "%v", err)
		}
	}
	parsed, err := rules.Parse(defs.Rules)
	if err != nil {
		return defs, nil, invalid("mend the rules file and apply it", "rules: %v", err)
	}
	return defs, parsed, nil
}

// checkRules says what the rules in force can reach, or those of the request.
func (a *API) checkRules(r *http.Request) (any, error) {
	var req struct {
		Rules string `json:"rules"`
	}
	if err := decode(r, maxBody, &req); err != nil {
		return nil, err
	}
	defs, parsed, err := a.rulesOf(r, &rulesRequest{Rules: req.Rules})
	if err != nil {
		return nil, err
	}
	items, err := a.deps.CheckRules(r.Context(), &defs, parsed)
	if err != nil {
		return nil, fmt.Errorf("check rules: %w", err)
	}
	warnings := rules.Idle(parsed, defs.Views)
	if warnings == nil {
		warnings = []string{}
	}
	return struct {
		list[RuleCheck]
		Warnings []string `json:"warnings"` // rules that judge nothing, and why
	}{listOf(items, ""), warnings}, nil
}

// backtest says what rules would have done in the past.
func (a *API) backtest(r *http.Request) (any, error) {
	var req rulesRequest
	if err := decode(r, maxBody, &req); err != nil {
		return nil, err
	}
	days, err := daysOf(req.Days, defaultDays)
	if err != nil {
		return nil, err
	}
	defs, parsed, err := a.rulesOf(r, &req)
	if err != nil {
		return nil, err
	}
	report, err := a.deps.Backtest(r.Context(), &defs, parsed, days)
	if err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	return report, nil
}

// ladder says what speaks for and against a higher mode of the rules in force.
func (a *API) ladder(r *http.Request) (any, error) {
	var asked *int
	if text := r.URL.Query().Get("days"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, invalid("use a whole number", "days: %.40q", text)
		}
		asked = &n
	}
	days, err := daysOf(asked, ladderDays)
	if err != nil {
		return nil, err
	}
	defs, parsed, err := a.rulesOf(r, &rulesRequest{})
	if err != nil {
		return nil, err
	}
	report, err := a.deps.Backtest(r.Context(), &defs, backtest.Raised(parsed), days)
	if err != nil {
		return nil, fmt.Errorf("ladder: %w", err)
	}
	budget := defs.AlertsPerWeek
	if budget == 0 {
		budget = rules.DefaultAlertsPerWeek
	}
	return listOf(backtest.Ladder(parsed, &report, budget), ""), nil
}

// daysOf returns the days that are asked for, or those of a request that does not say.
func daysOf(days *int, absent int) (int, error) {
	if days == nil {
		return absent, nil
	}
	if *days < 1 || *days > maxDays {
		return 0, invalid("records are kept for so long", "days: %d; want 1 to %d", *days, maxDays)
	}
	return *days, nil
}
