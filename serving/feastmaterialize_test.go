package serving

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
