package control

import (
	"context"
	"net/http"
	"time"
)

type checkItem struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"` // what is wrong
}

type statusAnswer struct {
	Version string      `json:"version"`
	Target  string      `json:"target"`
	Clock   clockAnswer `json:"clock"`
	Checks  []checkItem `json:"checks"`
}

// checkTime bounds one check of a status.
const checkTime = 5 * time.Second

// status says what runs and whether its parts work; `sluice doctor` shows it.
func (a *API) status(r *http.Request) (any, error) {
	now, set := a.deps.Clock.Now()
	answer := statusAnswer{Version: a.deps.Version, Target: a.deps.Target, Clock: clockAnswer{now.UTC(), set}, Checks: []checkItem{}}
	for _, c := range a.deps.Checks {
		item := checkItem{Name: c.Name, OK: true}
		ctx, cancel := context.WithTimeout(r.Context(), checkTime)
		if err := c.Run(ctx); err != nil {
			item.OK, item.Text = false, err.Error()
		}
		cancel()
		answer.Checks = append(answer.Checks, item)
	}
	return answer, nil
}
