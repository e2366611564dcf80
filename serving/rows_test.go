package serving

import (
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

func TestGetRows(t *testing.T) {
	f := newFixture(t)
	f.registry.infos[1] = feature.VersionInfo{Version: 1, Step: feature.StepDecided, Verdict: "v-1", Window: feature.Window{Start: ago(minutes(10)), End: ago(minutes(5))}}
	f.renew(t)
	f.write(t, "drivers", 1, ago(90*time.Second), driver(7), values...)
	f.write(t, "pairs", 1, ago(time.Hour), []feature.Value{feature.Int64Value(1), feature.StringValue("a,b=\"c\"")}, float(1), float(2e-9))
	provenance := `"provenance":{"version":1,"verdict":"v-1","generation":3,"age_seconds":90,"stale":false,"fallback":""}}`
	for name, tc := range map[string]struct{ view, body, want string }{
		"some features": {"drivers", `{"keys":[{"driver_id":7},{"driver_id":8}],"features":["trips","seen"],"policy":"serve"}`,
			`{"view":"drivers","rows":[` +
				`{"key":{"driver_id":7},"values":{"trips":-4611686018427387904,"seen":"2026-11-23T12:00:00Z"},"statuses":{"trips":"PRESENT","seen":"PRESENT"},"event_times":{"trips":"2026-11-23T11:58:30Z","seen":"2026-11-23T11:58:30Z"}},` +
				`{"key":{"driver_id":8},"values":{"trips":null,"seen":null},"statuses":{"trips":"NOT_FOUND","seen":"NOT_FOUND"},"event_times":{"trips":null,"seen":null}}],` + provenance},
		"every feature": {"pairs", `{"keys":[{"user_id":"a,b=\"c\"","driver_id":1}]}`,
			`{"view":"pairs","rows":[{"key":{"driver_id":1,"user_id":"a,b=\"c\""},"values":{"rate":1.0,"f00":2e-09},` +
				`"statuses":{"rate":"PRESENT","f00":"PRESENT"},"event_times":{"rate":"2026-11-23T11:00:00Z","f00":"2026-11-23T11:00:00Z"}}],` +
				strings.Replace(provenance, ":90,", ":3600,", 1)},
		"json nests": {"drivers", `{"keys":[{"driver_id":7}],"features":["meta"]}`,
			`{"view":"drivers","rows":[{"key":{"driver_id":7},"values":{"meta":{"a":[1,2]}},"statuses":{"meta":"PRESENT"},"event_times":{"meta":"2026-11-23T11:58:30Z"}}],` + provenance},
		"nothing found": {"users", `{"keys":[{"user_id":"x"}],"features":["f00"]}`,
			`{"view":"users","rows":[{"key":{"user_id":"x"},"values":{"f00":null},"statuses":{"f00":"NOT_FOUND"},"event_times":{"f00":null}}],` +
				strings.Replace(provenance, ":90,", ":0,", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := f.post(t, "/api/v1/views/"+tc.view+"/rows", tc.body)
			if status != 200 || got != tc.want {
				t.Errorf("%s %s\n= %d %s\nwant 200 %s", tc.view, tc.body, status, got, tc.want)
			}
		})
	}
}

func TestRowsKeyTypes(t *testing.T) {
	f := newFixture(t)
	f.write(t, "flags", 1, ago(time.Minute), []feature.Value{
		feature.BoolValue(true), float(0.5), feature.Float32Value(2), feature.Int32Value(-4), feature.TimestampValue(start), feature.BytesValue([]byte("k")),
	}, float(1))
	for name, tc := range map[string]struct{ key, want string }{
		"as declared":       {`{"b":true,"d":0.5,"f":2,"i":-4,"t":1795435200,"y":"aw=="}`, `"PRESENT"`},
		"time as text":      {`{"b":true,"d":5e-1,"f":2.0,"i":-4,"t":"2026-11-23T13:00:00+01:00","y":"aw=="}`, `"PRESENT"`},
		"another bool":      {`{"b":false,"d":0.5,"f":2,"i":-4,"t":1795435200,"y":"aw=="}`, `"NOT_FOUND"`},
		"NaN":               {`{"b":true,"d":"NaN","f":2,"i":-4,"t":0,"y":""}`, `join key d, row 0: NaN; a join key must equal itself`},
		"not base64":        {`{"b":true,"d":1,"f":2,"i":-4,"t":0,"y":"~"}`, `no base64`},
		"outside int32":     {`{"b":true,"d":1,"f":2,"i":2147483648,"t":0,"y":""}`, `2147483648 is outside int32`},
		"milliseconds":      {`{"b":true,"d":1,"f":2,"i":1,"t":1795435200000,"y":""}`, `are they milliseconds`},
		"number for a bool": {`{"b":1,"d":1,"f":2,"i":1,"t":0,"y":""}`, `a number where bool is declared`},
		"inexact":           {`{"b":true,"d":9007199254740993,"f":2,"i":1,"t":0,"y":""}`, `not exact as float64`},
		"one too few":       {`{"b":true}`, `row 0: join key d is missing`},
		"one too many":      {`{"b":true,"d":1,"f":2,"i":1,"t":0,"y":"","z":1}`, `row 0: \"z\" is no join key`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := f.post(t, "/api/v1/views/flags/rows", `{"keys":[`+tc.key+`]}`); !strings.Contains(got, tc.want) {
				t.Errorf("%s = %s, want %s", tc.key, got, tc.want)
			}
		})
	}
}

func TestRowsErrors(t *testing.T) {
	f := newFixture(t, func(c *Config, _ *Deps) { c.MaxEntities, c.MaxFeatures = 2, 4 })
	const want = `send {\"keys\":[{\"join_key\":value}],\"features\":[\"name\"],\"policy\":\"serve\"}`
	for name, tc := range map[string]struct {
		view, body string
		status     int
		want       string
	}{
		"unknown view":     {"user", `{"keys":[{"user_id":"a"}]}`, 404, `{"error":{"code":"unknown_view","message":"view \"user\" is not defined","hint":"did you mean users?"}}`},
		"unknown feature":  {"users", `{"keys":[{"user_id":"a"}],"features":["f0"]}`, 404, `{"error":{"code":"unknown_feature","message":"feature \"users:f0\" is not defined","hint":"did you mean users:f00?"}}`},
		"wildcard":         {"users", `{"keys":[{"user_id":"a"}],"features":["*"]}`, 404, `{"error":{"code":"unknown_feature","message":"feature \"users:*\" is not defined","hint":"none is defined"}}`},
		"no JSON":          {"users", `{`, 400, `{"error":{"code":"invalid_argument","message":"the body is no JSON: it ends too early","hint":"` + want + `"}}`},
		"keys twice":       {"users", `{"keys":[{"user_id":1}],"keys":[{"user_id":2}]}`, 400, `{"error":{"code":"invalid_argument","message":"the body is no strict JSON: duplicate key \"keys\"","hint":"` + want + `"}}`},
		"join key twice":   {"users", `{"keys":[{"user_id":1,"user_id":2}]}`, 400, `{"error":{"code":"invalid_argument","message":"the body is no strict JSON: duplicate key \"user_id\"","hint":"` + want + `"}}`},
		"half a character": {"users", `{"keys":[{"user_id":1}],"policy":"\ud800"}`, 400, `{"error":{"code":"invalid_argument","message":"the body is no strict JSON: invalid escape, half of a surrogate pair","hint":"` + want + `"}}`},
		"NaN":              {"users", `{"keys":[{"user_id":NaN}]}`, 400, `{"error":{"code":"invalid_argument","message":"the body is no JSON: invalid character 'N' looking for beginning of value, at byte 20","hint":"` + want + `"}}`},
		"a list":           {"users", `[]`, 400, `{"error":{"code":"invalid_argument","message":"the body is of another kind than it should be: \"array\"","hint":"` + want + `"}}`},
		"no number":        {"users", `{"keys":[],"as_of_version":1.5}`, 400, `{"error":{"code":"invalid_argument","message":"member \"as_of_version\" is of another kind than it should be: \"number 1.5\"","hint":"` + want + `"}}`},
		"another case":     {"users", `{"Keys":[{"user_id":"a"}]}`, 400, `{"error":{"code":"invalid_argument","message":"the body is no strict JSON: unknown field \"Keys\": it is written keys","hint":"` + want + `"}}`},
		"unknown member":   {"users", `{"key":[]}`, 400, `{"error":{"code":"invalid_argument","message":"the body cannot be read: \"unknown field \\\"key\\\"\"","hint":"` + want + `"}}`},
		"no keys":          {"users", `{"features":["f00"]}`, 400, `{"error":{"code":"invalid_argument","message":"keys is empty","hint":"give at least one, as {\"join_key\":value}"}}`},
		"null key":         {"users", `{"keys":[null],"features":["f00"]}`, 400, `{"error":{"code":"invalid_argument","message":"row 0: join key user_id is missing","hint":"the join keys are user_id"}}`},
		"feature twice":    {"users", `{"keys":[{"user_id":"a"}],"features":["f00","f00"]}`, 400, `{"error":{"code":"invalid_argument","message":"two columns would be named users:f00","hint":"name each feature once"}}`},
		"unknown policy":   {"users", `{"keys":[{"user_id":"a"}],"policy":"drop"}`, 400, `{"error":{"code":"invalid_argument","message":"policy \"drop\" is not known","hint":"want serve, flag, null, default or refuse"}}`},
		"type":             {"drivers", `{"keys":[{"driver_id":"5"}],"features":["rate"]}`, 400, `{"error":{"code":"type","message":"join key driver_id, row 0: a string where int64 is declared","hint":"send join keys in the type that the view declares; nothing is converted from text"}}`},
		"too many keys":    {"users", `{"keys":[{"user_id":"a"},{"user_id":"b"},{"user_id":"c"}],"features":["f00"]}`, 413, `{"error":{"code":"limit","message":"3 entities are more than the limit of 2","hint":"split the request; serve.max_entities sets the limit"}}`},
		"too many columns": {"users", `{"keys":[{"user_id":"a"}]}`, 413, `{"error":{"code":"limit","message":"5 features are more than the limit of 4","hint":"split the request; serve.max_features sets the limit"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := f.post(t, "/api/v1/views/"+tc.view+"/rows", tc.body)
			if status != tc.status || got != tc.want {
				t.Errorf("%s %s\n= %d %s\nwant %d %s", tc.view, tc.body, status, got, tc.status, tc.want)
			}
		})
	}
}
