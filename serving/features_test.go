package serving

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
)

func TestGetFeatures(t *testing.T) {
	f := newFixture(t)
	f.write(t, "drivers", 1, ago(90*time.Second), driver(7), values...)
	f.write(t, "users", 1, ago(time.Hour), user("u7"), float(0.5), float(5))
	const drivers = `"drivers":{"version":1,"verdict":"","generation":3,"age_seconds":90,"stale":false,"fallback":""}`
	const users = `"users":{"version":1,"verdict":"","generation":3,"age_seconds":3600,"stale":false,"fallback":""}`
	const both = `{"rows":[{"key":{"user_id":"u7","driver_id":7},"values":{"users:f01":5.0,"drivers:trips":-4611686018427387904},` +
		`"statuses":{"users:f01":"PRESENT","drivers:trips":"PRESENT"},` +
		`"event_times":{"users:f01":"2026-11-23T11:00:00Z","drivers:trips":"2026-11-23T11:58:30Z"}},` +
		`{"key":{"user_id":"u8","driver_id":7},"values":{"users:f01":null,"drivers:trips":-4611686018427387904},` +
		`"statuses":{"users:f01":"NOT_FOUND","drivers:trips":"PRESENT"},` +
		`"event_times":{"users:f01":null,"drivers:trips":"2026-11-23T11:58:30Z"}}],"provenance":{` + users + `,` + drivers + `}}`
	const keys = `"keys":[{"driver_id":7,"user_id":"u7"},{"user_id":"u8","driver_id":7}]`
	const want = `send {\"keys\":[{\"join_key\":value}],\"policy\":\"serve\"}`
	for name, tc := range map[string]struct {
		path, body string
		status     int
		want       string
	}{
		"a service":         {"/api/v1/services/model/rows", `{` + keys + `}`, 200, both},
		"a list":            {"/api/v1/rows", `{` + keys + `,"features":["users:f01","drivers:trips"]}`, 200, both},
		"a policy":          {"/api/v1/services/model/rows", `{` + keys + `,"policy":"flag"}`, 200, both},
		"columns in order":  {"/api/v1/rows", `{"keys":[{"driver_id":7,"user_id":"u7"}],"features":["drivers:grade","users:f00","drivers:city"]}`, 200, `{"rows":[{"key":{"driver_id":7,"user_id":"u7"},"values":{"drivers:grade":-3,"users:f00":0.5,"drivers:city":"a...`},
		"all of a view":     {"/api/v1/rows", `{"keys":[{"user_id":"u7"}],"features":["users:*"]}`, 200, `{"rows":[{"key":{"user_id":"u7"},"values":{"users:f00":0.5,"users:f01":5.0,"users:f02":null,"users:f03":null,"users:f04":null},...`},
		"unknown service":   {"/api/v1/services/modle/rows", `{` + keys + `}`, 404, `{"error":{"code":"unknown_service","message":"service \"modle\" is not defined","hint":"did you mean model?"}}`},
		"two lists":         {"/api/v1/services/model/rows", `{` + keys + `,"features":["users:f01"]}`, 400, `{"error":{"code":"invalid_argument","message":"the body cannot be read: \"unknown field \\\"features\\\"\"","hint":"` + want + `"}}`},
		"no view":           {"/api/v1/rows", `{` + keys + `,"features":["f01"]}`, 400, `{"error":{"code":"invalid_argument","message":"feature \"f01\" names no view","hint":"write features as view:feature"}}`},
		"no features":       {"/api/v1/rows", `{` + keys + `}`, 400, `{"error":{"code":"invalid_argument","message":"the list of features is empty","hint":"name at least one feature as view:feature"}}`},
		"a key too few":     {"/api/v1/services/model/rows", `{"keys":[{"user_id":"u7"}]}`, 400, `{"error":{"code":"invalid_argument","message":"row 0: join key driver_id is missing","hint":"the join keys are user_id, driver_id"}}`},
		"a past of others":  {"/api/v1/services/model/rows", `{` + keys + `,"as_of_versions":{"pairs":1}}`, 400, `{"error":{"code":"invalid_argument","message":"as_of_versions names view \"pairs\", of which nothing is asked for","hint":"name only views that the request reads"}}`},
		"a past that is no": {"/api/v1/services/model/rows", `{` + keys + `,"as_of_versions":{"users":-1}}`, 400, `{"error":{"code":"invalid_argument","message":"member \"as_of_versions...`},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := f.post(t, tc.path, tc.body)
			begin, cut := strings.CutSuffix(tc.want, "...")
			if status != tc.status || cut && !strings.HasPrefix(got, begin) || !cut && got != tc.want {
				t.Errorf("%s %s\n= %d %s\nwant %d %s", tc.path, tc.body, status, got, tc.status, tc.want)
			}
		})
	}
}

// TestServiceAlike reads a service over gRPC and as REST, with a policy of the
// request, and finds the same refusal and the same provenance.
func TestServiceAlike(t *testing.T) {
	f := newFixture(t)
	f.write(t, "drivers", 1, ago(3*time.Hour), driver(7), values...)
	f.write(t, "users", 1, ago(time.Hour), user("u7"), float(0.5), float(5))
	client := sluicev1.NewFeatureServiceClient(f.dial(t))
	request := &sluicev1.GetFeaturesRequest{
		What: &sluicev1.GetFeaturesRequest_Service{Service: "model"}, Keys: columnsOf{"user_id": texts("u7"), "driver_id": longs(7)}, Policy: sluicev1.Policy_POLICY_FLAG,
	}
	reply, err := client.GetFeatures(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if len(reply.Views) != 2 || reply.Views[0].Provenance.Stale || !reply.Views[1].Provenance.Stale {
		t.Errorf("GetFeatures with flag = %v, want users fresh and drivers stale", reply)
	}
	code, body := f.post(t, "/api/v1/services/model/rows", `{"keys":[{"user_id":"u7","driver_id":7}],"policy":"flag"}`)
	if code != 200 || !strings.Contains(body, `"age_seconds":3600,"stale":false`) || !strings.Contains(body, `"age_seconds":10800,"stale":true`) {
		t.Errorf("rows with flag = %d %s, want users fresh and drivers stale", code, body)
	}
	refuse := proto.Clone(request).(*sluicev1.GetFeaturesRequest)
	refuse.Policy = sluicev1.Policy_POLICY_REFUSE
	_, err = client.GetFeatures(t.Context(), refuse)
	code, body = f.post(t, "/api/v1/services/model/rows", `{"keys":[{"user_id":"u7","driver_id":7}],"policy":"refuse"}`)
	const why = "view drivers: its newest row is 3h0m0s old, more than freshness.critical of 2h0m0s"
	if err == nil || !strings.Contains(err.Error(), why) || code != feature.CodeUnavailable.HTTPStatus() && code != 409 && code != 422 || !strings.Contains(body, why) {
		t.Errorf("with refuse: gRPC %v, REST %d %s, want both to say %s", err, code, body, why)
	}
}
