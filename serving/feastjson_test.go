package serving

import (
	"strings"
	"testing"
	"time"
)

func TestGetOnlineFeaturesHTTP(t *testing.T) {
	f := newFixture(t)
	f.write(t, "drivers", 1, ago(time.Minute+500*time.Millisecond), driver(7), values...)
	f.write(t, "drivers", 1, ago(25*time.Hour), driver(8), values[:1]...)
	f.write(t, "users", 1, ago(time.Hour), user("u7"), float(-0.228), float(5))
	for name, tc := range map[string]struct{ body, want string }{
		"refs, as the remote client writes them": {
			`{"features": ["users:f01", "users:f00"], "entities": {"user_id": ["u7", "nobody"]}, "full_feature_names": false, "include_feature_view_version_metadata": false}`,
			`{"results":[{"values":["u7","nobody"],"statuses":["PRESENT","PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]},` +
				`{"values":[5.0,null],"statuses":["PRESENT","NOT_FOUND"],"event_timestamps":["2026-11-23T11:00:00Z","1970-01-01T00:00:00Z"]},` +
				`{"values":[-0.228,null],"statuses":["PRESENT","NOT_FOUND"],"event_timestamps":["2026-11-23T11:00:00Z","1970-01-01T00:00:00Z"]}],` +
				`"metadata":{"feature_names":["user_id","f01","f00"]}}`,
		},
		"full names, two views, a null": {
			`{"features":["users:f02","pairs:f00"],"entities":{"user_id":["u7"],"driver_id":[7]},"full_feature_names":true}`,
			`{"results":[{"values":["u7"],"statuses":["PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z"]},` +
				`{"values":[7],"statuses":["PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z"]},` +
				`{"values":[null],"statuses":["NULL_VALUE"],"event_timestamps":["2026-11-23T11:00:00Z"]},` +
				`{"values":[null],"statuses":["NOT_FOUND"],"event_timestamps":["1970-01-01T00:00:00Z"]}],` +
				`"metadata":{"feature_names":["user_id","driver_id","users__f02","pairs__f00"]}}`,
		},
		"service": {
			`{"feature_service":"model","features":null,"entities":{"user_id":["u7"],"driver_id":[7]}}`,
			`{"results":[{"values":["u7"],"statuses":["PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z"]},` +
				`{"values":[7],"statuses":["PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z"]},` +
				`{"values":[5.0],"statuses":["PRESENT"],"event_timestamps":["2026-11-23T11:00:00Z"]},` +
				`{"values":[-4611686018427387904],"statuses":["PRESENT"],"event_timestamps":["2026-11-23T11:58:59.500Z"]}],` +
				`"metadata":{"feature_names":["user_id","driver_id","f01","trips"]}}`,
		},
		"outside max age, the value still sent": {
			`{"features":["drivers:rate"],"entities":{"driver_id":[8]}}`,
			`{"results":[{"values":[8],"statuses":["PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z"]},` +
				`{"values":[5.0],"statuses":["OUTSIDE_MAX_AGE"],"event_timestamps":["2026-11-22T11:00:00Z"]}],` +
				`"metadata":{"feature_names":["driver_id","rate"]}}`,
		},
		"the same entity twice": {
			`{"features":["users:f01"],"entities":{"user_id":["u7","u7"]}}`,
			`{"results":[{"values":["u7","u7"],"statuses":["PRESENT","PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]},` +
				`{"values":[5.0,5.0],"statuses":["PRESENT","PRESENT"],"event_timestamps":["2026-11-23T11:00:00Z","2026-11-23T11:00:00Z"]}],` +
				`"metadata":{"feature_names":["user_id","f01"]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // compiled, then kept
				status, got := f.post(t, "/get-online-features?status=true", tc.body)
				if status != 200 || got != tc.want {
					t.Fatalf("POST %s\n= %d %s\nwant 200 %s", tc.body, status, got, tc.want)
				}
			}
		})
	}
}

func TestFeastJSONTypes(t *testing.T) {
	f := newFixture(t)
	f.write(t, "drivers", 1, ago(time.Minute), driver(7), values...)
	var refs []string
	for _, x := range types {
		refs = append(refs, `"drivers:`+x.Name+`"`)
	}
	_, got := f.post(t, "/get-online-features", `{"features":[`+strings.Join(refs, ",")+`],"entities":{"driver_id":[7]}}`)
	want := []string{
		`5.0`, `0.9486494064331055`, `-4611686018427387904`, `-3`, `"a\u003c\"ü"`, `"AP8="`, `true`, `1795435200`, `"{\"a\":[1,2]}"`, `["x",""]`, `[1.0,-0.5]`,
	}
	for i, x := range types {
		if w := `{"values":[` + want[i] + `],`; !strings.Contains(got, w) {
			t.Errorf("%s: want %s in %s", x.Name, w, got)
		}
	}
}

func TestFeastErrors(t *testing.T) {
	f := newFixture(t, func(c *Config, _ *Deps) { c.MaxEntities, c.MaxFeatures, c.MaxBody = 3, 4, 400 })
	detail := func(code, where, msg string) string {
		loc := `"body"`
		if where != "" {
			loc += `,"` + where + `"`
		}
		return `{"detail":[{"input":null,"loc":[` + loc + `],"msg":"` + msg + `","type":"` + code + `"}]}`
	}
	exception := func(class, message string) string {
		return `"{\"module\": \"feast.errors\", \"class\": \"` + class + `\", \"message\": \"` + message + `\"}"`
	}
	const types = "send join keys in the type that the view declares; nothing is converted from text"
	for name, tc := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"no JSON":         {`{"features":`, 422, detail("invalid_argument", "", "the body is no JSON: it ends too early (send JSON in UTF-8)")},
		"no UTF-8":        {"{\"feature_service\":\"\xff\"}", 422, detail("invalid_argument", "", "the body is no JSON: it is no UTF-8 at byte 20 (send JSON in UTF-8)")},
		"empty":           {``, 422, detail("invalid_argument", "", "the body is empty (send JSON in UTF-8)")},
		"a list":          {` [1]`, 422, detail("invalid_argument", "", `the body is a list, not an object (send {\"features\":[...],\"entities\":{...}})`)},
		"no features":     {`{"entities":{"user_id":["a"]}}`, 422, detail("invalid_argument", "features", "neither features nor feature_service is given (give features or feature_service)")},
		"both":            {`{"features":[],"feature_service":"m","entities":{}}`, 422, detail("invalid_argument", "features", "features and feature_service are both given (give one of the two)")},
		"no entities":     {`{"features":["users:f00"]}`, 422, detail("invalid_argument", "entities", `entities is missing (give {\"join_key\":[...]})`)},
		"features empty":  {`{"features":[],"entities":{}}`, 422, detail("invalid_argument", "features", "the list of features is empty (name at least one feature as view:feature)")},
		"features number": {`{"features":[1],"entities":{}}`, 422, detail("invalid_argument", "features", "feature 0 is a number (write features as view:feature)")},
		"ref w/o view":    {`{"features":["f00"],"entities":{}}`, 422, detail("invalid_argument", "features", `feature \"f00\" names no view (write features as view:feature)`)},
		"feature twice":   {`{"features":["users:f00","users:f00"],"entities":{}}`, 422, detail("invalid_argument", "features", "two columns would be named f00 (name each feature once)")},
		"names collide":   {`{"features":["users:f00","pairs:f00"],"entities":{}}`, 422, detail("invalid_argument", "features", "two columns would be named f00 (set full_feature_names to tell features of several views apart)")},
		"unknown view":    {`{"features":["user:f00"],"entities":{}}`, 404, exception("FeatureViewNotFoundException", `view \\\"user\\\" is not defined (did you mean users?)`)},
		"unknown feature": {`{"features":["users:f0"],"entities":{}}`, 404, exception("FeastObjectNotFoundException", `feature \\\"users:f0\\\" is not defined (did you mean users:f00?)`)},
		"unknown service": {`{"feature_service":"modle","entities":{}}`, 404, exception("FeatureServiceNotFoundException", `service \\\"modle\\\" is not defined (did you mean model?)`)},
		"hostile name":    {`{"features":["<!channel>\u0000:x"],"entities":{}}`, 404, exception("FeatureViewNotFoundException", `view \\\"\\u003c!channel\\u003e\\\\x00\\\" is not defined (defined are drivers, flags, pairs, users)`)},
		"a wildcard":      {`{"features":["users:*"],"entities":{}}`, 404, exception("FeastObjectNotFoundException", `feature \\\"users:*\\\" is not defined (did you mean users:f00?)`)},
		"missing key":     {`{"features":["users:f00"],"entities":{}}`, 422, detail("invalid_argument", "entities", "join key user_id is missing (the join keys are user_id)")},
		"unknown key":     {`{"features":["users:f00"],"entities":{"user_id":["a"],"x":[1]}}`, 422, detail("invalid_argument", "entities", `\"x\" is no join key of what is asked for (the join keys are user_id)`)},
		"no rows":         {`{"features":["users:f00"],"entities":{"user_id":[]}}`, 422, detail("invalid_argument", "entities", "join key user_id has no values (give at least one)")},
		"no list":         {`{"features":["users:f00"],"entities":{"user_id":"a"}}`, 422, detail("invalid_argument", "entities", "join key user_id is a string, not a list (give one value a row)")},
		"unequal":         {`{"features":["pairs:f00"],"entities":{"user_id":["a"],"driver_id":[1,2]}}`, 422, detail("invalid_argument", "entities", "join key user_id has 1 values, driver_id has 2 (give one value a row)")},
		"text for number": {`{"features":["drivers:rate"],"entities":{"driver_id":["5"]}}`, 422, detail("type", "entities", "join key driver_id, row 0: a string where int64 is declared ("+types+")")},
		"float for int":   {`{"features":["drivers:rate"],"entities":{"driver_id":[5,5.0]}}`, 422, detail("type", "entities", "join key driver_id, row 1: 5.0 where int64 is declared; write it without point or exponent ("+types+")")},
		"overflow":        {`{"features":["drivers:rate"],"entities":{"driver_id":[9223372036854775808]}}`, 422, detail("type", "entities", "join key driver_id, row 0: 9223372036854775808 is outside int64 ("+types+")")},
		"null key":        {`{"features":["drivers:rate"],"entities":{"driver_id":[null]}}`, 422, detail("type", "entities", "join key driver_id, row 0: null; a join key has a value ("+types+")")},
		"nested key":      {`{"features":["drivers:rate"],"entities":{"driver_id":[[1]]}}`, 422, detail("type", "entities", "join key driver_id, row 0: a list where int64 is declared ("+types+")")},
		"too many rows":   {`{"features":["users:f00"],"entities":{"user_id":["a","b","c","d"]}}`, 413, detail("limit", "entities", "more than the limit of 3 entities (split the request; serve.max_entities sets the limit)")},
		"too many features": {`{"features":["users:f00","users:f01","users:f02","users:f03","users:f04"],"entities":{}}`, 413,
			detail("limit", "features", "5 features are more than the limit of 4 (split the request; serve.max_features sets the limit)")},
		"too long": {`{"features":["` + strings.Repeat("x", 400) + `"]}`, 413, detail("too_large", "", "the body is longer than the limit of 400 bytes (split the request; serve.max_body sets the limit)")},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := f.post(t, "/get-online-features", tc.body)
			if status != tc.status || got != tc.want {
				t.Errorf("POST %s\n= %d %s\nwant %d %s", tc.body, status, got, tc.status, tc.want)
			}
		})
	}
}
