package serving

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/feature"
	"sluice/internal/auth"
)

func TestMaterialize(t *testing.T) {
	const refusal = `"{\"module\": \"feast.errors\", \"class\": \"FeastProviderNotImplementedError\", \"message\": \"nothing is materialized: `
	for name, tc := range map[string]struct {
		path, body string
		status     int
		want       string
	}{
		"in order":                {"/materialize", `{"start_ts":"2026-11-22T00:00:00","end_ts":"2026-11-23T00:00:00","feature_views":["drivers"]}`, 422, refusal},
		"says which file to push": {"/materialize", `{"start_ts":"2026-11-22","end_ts":"2026-11-23","feature_views":["drivers"]}`, 422, "sluice push drivers FILE --seal --wait"},
		"in the background":       {"/materialize?async=true", `{"start_ts":"2026-11-22","end_ts":"2026-11-23"}`, 422, refusal},
		"any time":                {"/materialize", `{"disable_event_timestamp":true}`, 422, refusal},
		"incremental":             {"/materialize-incremental", `{"end_ts":"2026-11-23T00:00:00Z"}`, 422, refusal},
		"all nulls":               {"/materialize-incremental", `{"end_ts":"2026-11-23T00:00:00Z","feature_views":null,"version":null,"disable_event_timestamp":null}`, 422, refusal},
		"no such view":            {"/materialize", `{"start_ts":"2026-11-22","end_ts":"2026-11-23","feature_views":["driver"]}`, 404, `\"FeatureViewNotFoundException\", \"message\": \"view \\\"driver\\\" is not defined (did you mean drivers?)`},
		"no end":                  {"/materialize-incremental", `{"feature_views":["drivers"]}`, 422, `"loc":["body","end_ts"],"msg":"end_ts is missing`},
		"no start":                {"/materialize", `{"end_ts":"2026-11-23"}`, 422, `"loc":["body","start_ts"]`},
		"start after end":         {"/materialize", `{"start_ts":"2026-11-24","end_ts":"2026-11-23"}`, 422, `is not before`},
		"no time":                 {"/materialize", `{"start_ts":"soon","end_ts":"2026-11-23"}`, 422, `\"soon\" is no time`},
		"a number as time":        {"/materialize", `{"start_ts":1,"end_ts":"2026-11-23"}`, 422, `start_ts is a number`},
		"views in a string":       {"/materialize", `{"feature_views":"drivers"}`, 422, `feature_views is a string`},
		"a number as view":        {"/materialize", `{"feature_views":[1]}`, 422, `item 0 is a number`},
		"a word as switch":        {"/materialize", `{"disable_event_timestamp":"yes"}`, 422, `disable_event_timestamp is a string`},
		"a list":                  {"/materialize", `[]`, 422, `the body is a list`},
		"no JSON":                 {"/materialize", `{`, 422, `the body is no JSON`},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := newFixture(t).post(t, tc.path, tc.body)
			if status != tc.status || !strings.Contains(got, tc.want) {
				t.Errorf("%s %s = %d %s, want %d with %s", tc.path, tc.body, status, got, tc.status, tc.want)
			}
		})
	}
}

// TestMaterialized asks about a view whose windows became what the case says, a minute
// each from noon on; the last is the newest.
func TestMaterialized(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const (
		both  = `{"start_ts":"2026-11-23T12:00:00Z","end_ts":"2026-11-23T13:00:00Z","feature_views":["drivers"]}`
		all   = `{"start_ts":"2026-11-23T12:00:00Z","end_ts":"2026-11-23T13:00:00Z"}`
		since = `{"end_ts":"2026-11-23T13:00:00Z","feature_views":["drivers"]}`
	)
	for name, tc := range map[string]struct {
		states     string // v visible, s staged, - no version yet, r rejected, h held, b rolled back, x expired
		path, body string
		status     int
		want       string
	}{
		"all are read":             {"vv", "/materialize", both, 200, "null"},
		"of any view":              {"vv", "/materialize", all, 200, "null"},
		"in the background":        {"vv", "/materialize?async=true", all, 202, `{"feature_views":["drivers"],"status":"accepted"}`},
		"one is open":              {"vs", "/materialize", both, 409, `"error":"window 2026-11-23T12:01:00Z to 2026-11-23T12:02:00Z of view drivers is not judged yet`},
		"says until when":          {"vs", "/materialize", both, 409, "end_ts of 2026-11-23T12:01:00Z leaves it out"},
		"no version yet":           {"v-", "/materialize", both, 409, `"feature_views":["drivers"]`},
		"an open one will be":      {"vs", "/materialize?async=true", both, 202, `accepted`},
		"one is rejected":          {"rv", "/materialize", both, 409, "version 1 is rejected (`sluice explain vd_1` says why"},
		"rejected, and background": {"rv", "/materialize?async=1", both, 409, "version 1 is rejected"},
		"one is held":              {"vh", "/materialize", both, 409, "version 2 is held"},
		"one is rolled back":       {"bv", "/materialize", both, 409, "version 1 is rolled back"},
		"up to the newest":         {"rxbv", "/materialize-incremental", since, 200, "null"},
		"behind the newest":        {"rvr", "/materialize-incremental", since, 409, "version 3 is rejected"},
		"none was ever published":  {"rr", "/materialize-incremental", since, 409, "version 1 is rejected"},
		"nothing was written":      {"", "/materialize", both, 422, "view drivers has no rows of that time"},
		"nothing, of any":          {"", "/materialize-incremental", `{"end_ts":"2026-11-23T13:00:00Z"}`, 422, "no view has rows of that time"},
		"a word as switch":         {"v", "/materialize?async=perhaps", both, 422, `"loc":["body","async"]`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(_ *Config, d *Deps) {
				d.Windows = func(_ context.Context, view *feature.View, from, to time.Time, open bool) (windows []WindowFate, err error) {
					if incremental := strings.Contains(tc.path, "incremental"); from.IsZero() != incremental || !to.Equal(noon.Add(time.Hour)) || open != strings.Contains(tc.path, "async") {
						t.Errorf("asked for windows from %s to %s, open ones too: %v", from, to, open)
					}
					if view.Name != "drivers" {
						return nil, nil
					}
					for i, letter := range tc.states {
						state := map[rune]feature.State{'v': feature.StateVisible, 's': feature.StateStaged, 'r': feature.StateRejected, 'h': feature.StateHeld, 'b': feature.StateRolledBack, 'x': feature.StateExpired}[letter]
						start := noon.Add(time.Duration(i) * time.Minute)
						windows = append(windows, WindowFate{Window: feature.Window{Start: start, End: start.Add(time.Minute)}, Version: feature.Version(i + 1), Verdict: fmt.Sprintf("vd_%d", i+1), State: state})
					}
					return windows, nil
				}
			})
			if status, got := f.post(t, tc.path, tc.body); status != tc.status || !strings.Contains(got, tc.want) {
				t.Errorf("%s %s with windows %s = %d %s, want %d with %s", tc.path, tc.body, tc.states, status, got, tc.status, tc.want)
			}
		})
	}
}

// TestMaterializedIsRead publishes a moment before: who is told that all is published reads
// it from then on.
func TestMaterializedIsRead(t *testing.T) {
	var f *fixture
	f = newFixture(t, func(_ *Config, d *Deps) {
		d.Windows = func(_ context.Context, view *feature.View, _, _ time.Time, _ bool) ([]WindowFate, error) {
			f.registry.vectors[view.ID] = feature.Vector{Generation: 9, Floor: 1}
			return []WindowFate{{Version: 1, State: feature.StateVisible}}, nil
		}
	})
	if status, got := f.post(t, "/materialize", `{"disable_event_timestamp":true,"feature_views":["users","users"]}`); status != 200 {
		t.Fatalf("%d %s", status, got)
	}
	if _, got := f.post(t, "/api/v1/views/users/rows", readA); !strings.Contains(got, `"generation":9`) {
		t.Errorf("read after it = %s, want generation 9", got)
	}
}

// TestMaterializeWaits has the log not read in time, and not answer.
func TestMaterializeWaits(t *testing.T) {
	for code, want := range map[feature.Code]int{feature.CodeConflict: 409, feature.CodeUnavailable: 503} {
		f := newFixture(t, func(_ *Config, d *Deps) {
			d.Windows = func(context.Context, *feature.View, time.Time, time.Time, bool) ([]WindowFate, error) {
				return nil, &feature.Error{Code: code, Message: "not read"}
			}
		})
		if status, got := f.post(t, "/materialize", `{"disable_event_timestamp":true}`); status != want || !strings.Contains(got, "not read") {
			t.Errorf("with %s = %d %s, want %d", code, status, got, want)
		}
	}
}

func TestPushSourceUnknown(t *testing.T) {
	const body = `{"push_source_name":"driver","df":{"driver_id":[1],"event_time":["2026-11-23"]}}`
	status, got := newFixture(t).post(t, "/push", body)
	if want := `\"PushSourceNotFoundException\", \"message\": \"view \\\"driver\\\" is not defined (did you mean drivers?)`; status != 422 || !strings.Contains(got, want) {
		t.Errorf("push = %d %s, want 422 with %s", status, got, want)
	}
}

// TestFeastRefusal wants refusals of a token in the shape that Feast's SDK raises as
// its own error of permissions.
func TestFeastRefusal(t *testing.T) {
	f := newFixture(t)
	f.deps.Authorize = func(token string, need auth.Role) (string, error) {
		if token == "" {
			return "", &feature.Error{Code: feature.CodeUnauthenticated, Message: "who is it?"}
		}
		return "", &feature.Error{Code: feature.CodeForbidden, Message: "not for a reader"}
	}
	for token, want := range map[string]int{"": 401, "reader": 403} {
		request := httptest.NewRequest(http.MethodPost, "/push", strings.NewReader("{}"))
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		answer := httptest.NewRecorder()
		f.HTTP().ServeHTTP(answer, request)
		if got := answer.Body.String(); answer.Code != want || !strings.Contains(got, `\"class\": \"FeastPermissionError\"`) || (answer.Header().Get("WWW-Authenticate") != "") != (want == 401) {
			t.Errorf("token %q = %d %s %v, want %d and FeastPermissionError", token, answer.Code, got, answer.Header(), want)
		}
	}
}

// TestFeastRefusalGRPC wants the same of the methods whose errors the SDK takes apart.
func TestFeastRefusalGRPC(t *testing.T) {
	deny := func(string, auth.Role) (string, error) {
		return "", &feature.Error{Code: feature.CodeForbidden, Message: "not for you"}
	}
	info := &grpc.UnaryServerInfo{FullMethod: feastRegistry + "RegistryServer/ListEntities"}
	_, err := AuthorizeUnary(deny)(t.Context(), nil, info, nil)
	if want := `{"module": "feast.errors", "class": "FeastPermissionError", "message": "not for you"}`; status.Code(err) != codes.PermissionDenied || status.Convert(err).Message() != want {
		t.Errorf("%s without a right = %v, want PermissionDenied with %s", info.FullMethod, err, want)
	}
}
