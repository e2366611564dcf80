package control

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"sluice/feature"
	"sluice/internal/auth"
)

type clockAnswer struct {
	Now time.Time `json:"now"`
	Set bool      `json:"set"` // a manual clock that was never set shows the wall, and nothing is judged by it
}

func (a *API) clock(*http.Request) (any, error) {
	now, set := a.deps.Clock.Now()
	return clockAnswer{now.UTC(), set}, nil
}

// setClock moves a manual clock. Who moved it is in the audit log with the move.
func (a *API) setClock(r *http.Request) (any, error) {
	var req struct {
		Now time.Time `json:"now"`
	}
	if err := decode(r, maxBody, &req); err != nil {
		return nil, err
	}
	if req.Now.IsZero() {
		return nil, invalid(`send {"now":"2013-01-01T05:00:00Z"}`, "no time is given")
	}
	if req.Now.Unix() < 0 || req.Now.UTC().Year() >= 2262 { // outside Unix nanoseconds, and no way back
		return nil, invalid("want a time of 1970 to 2261", "set clock to %s", req.Now.Format(time.RFC3339))
	}
	now, err := a.deps.Clock.Set(r.Context(), req.Now.UTC(), feature.Audit{By: by(r, ""), Action: "clock", Reason: "POST /api/v1/clock"})
	if errors.Is(err, feature.ErrConflict) {
		at, _ := a.deps.Clock.Now()
		return nil, &feature.Error{
			Code: feature.CodeConflict, Message: fmt.Sprintf("set clock to %s: it is at %s", req.Now.UTC().Format(time.RFC3339Nano), at.UTC().Format(time.RFC3339Nano)),
			Hint: "the clock never goes back: set a later time",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("set clock: %w", err)
	}
	return clockAnswer{now.UTC(), true}, nil
}

// RegisterClock adds the endpoints of the clock alone, for processes that serve
// nothing else of the API, and an answer for every other path.
func RegisterClock(mux *http.ServeMux, clock Clock, authorize auth.Authorize, log *slog.Logger) {
	a := &API{Deps{Clock: clock, Authorize: authorize, Logger: log}}
	a.register(mux, slices.DeleteFunc(a.Routes(), func(r Route) bool { return r.Path != "/api/v1/clock" }))
}
