package serving

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
)

// TestPolicy reads rows within and outside the ttl of 24 h, from a view that is
// within or past its critical age of 2 h, under every policy.
func TestPolicy(t *testing.T) {
	const (
		present  = `"values":{"rate":5.0},"statuses":{"rate":"PRESENT"}`
		expired  = `"values":{"rate":5.0},"statuses":{"rate":"OUTSIDE_MAX_AGE"}`
		withheld = `"values":{"rate":null},"statuses":{"rate":"OUTSIDE_MAX_AGE"}`
		stale    = `"stale":true,"fallback":""`
		fresh    = `"stale":false,"fallback":""`
	)
	for name, tc := range map[string]struct {
		age    time.Duration // of the row
		window time.Duration // since the end of the view's newest window
		policy string
		status int
		want   []string
	}{
		"fresh, serve":      {time.Minute, time.Minute, "serve", 200, []string{present, fresh, `"age_seconds":60,`}},
		"fresh, flag":       {time.Minute, time.Minute, "flag", 200, []string{present, fresh}},
		"fresh, null":       {time.Minute, time.Minute, "null", 200, []string{present, fresh}},
		"fresh, refuse":     {time.Minute, time.Minute, "refuse", 200, []string{present, fresh}},
		"seldom written":    {3 * time.Hour, time.Minute, "refuse", 200, []string{present, fresh, `"age_seconds":10800,`}},
		"at the ttl":        {24 * time.Hour, time.Minute, "refuse", 200, []string{present, fresh}},
		"expired, serve":    {25 * time.Hour, time.Minute, "serve", 200, []string{expired, fresh}},
		"expired, unset":    {25 * time.Hour, time.Minute, "", 200, []string{expired, fresh}},
		"expired, flag":     {25 * time.Hour, time.Minute, "flag", 200, []string{expired, stale}},
		"expired, null":     {25 * time.Hour, time.Minute, "null", 200, []string{withheld, stale}},
		"expired, refuse":   {25 * time.Hour, time.Minute, "refuse", 503, []string{`"unavailable"`, "view drivers: 1 of 1 rows are older than the ttl of 24h0m0s, the oldest 25h0m0s"}},
		"critical, serve":   {3 * time.Hour, 4 * time.Hour, "serve", 200, []string{present, fresh}},
		"critical, flag":    {3 * time.Hour, 4 * time.Hour, "flag", 200, []string{present, stale}},
		"critical, null":    {3 * time.Hour, 4 * time.Hour, "null", 200, []string{withheld, stale}},
		"critical, refuse":  {3 * time.Hour, 4 * time.Hour, "refuse", 503, []string{`"unavailable"`, "view drivers: its newest row is 3h0m0s old, more than freshness.critical of 2h0m0s"}},
		"in the future":     {-time.Hour, time.Minute, "refuse", 200, []string{present, fresh, `"age_seconds":0,`}},
		"fresh, default":    {time.Minute, time.Minute, "default", 200, []string{present, fresh}},
		"expired, default":  {25 * time.Hour, time.Minute, "default", 200, []string{withheld, stale}}, // the feature has none
		"critical, default": {3 * time.Hour, 4 * time.Hour, "default", 200, []string{withheld, stale}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.registry.infos[1] = feature.VersionInfo{Version: 1, Step: feature.StepDecided, Window: feature.Window{End: ago(tc.window)}}
			f.renew(t)
			f.write(t, "drivers", 1, ago(tc.age), driver(7), values...)
			status, got := f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["rate"],"policy":"`+tc.policy+`"}`)
			if status != tc.status {
				t.Errorf("status = %d, want %d", status, tc.status)
			}
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("want %s in %s", want, got)
				}
			}
		})
	}
}

// TestPolicyDefault reads a row whose values are partly too old: what is too old is the
// feature's default, also for a path into it and for what is computed of it, at every door.
func TestPolicyDefault(t *testing.T) {
	f := newFixture(t)
	f.registry.change(func() {
		v := f.registry.defs.View("drivers")
		v.Features = slices.Clone(v.Features)
		for name, text := range map[string]string{
			"rate": `2.5`, "share": `1`, "trips": `-7`, "grade": `9`, "city": `"none"`, "raw": `"AAE="`, "active": `false`,
			"seen": `"2026-01-01T00:00:00Z"`, "meta": `{"a":[5,6]}`, "scores": `[]`,
		} {
			v.Features[v.FeatureAt(name)].Default = json.RawMessage(text)
		}
		v.Features[v.FeatureAt("city")].TTL = 100 * time.Hour
		v.Computed = []feature.Computed{{Name: "twice", Type: feature.Float64, Expr: "rate * 2.0"}}
		f.registry.generation++
		f.registry.infos[1] = feature.VersionInfo{Version: 1, Step: feature.StepDecided, Window: feature.Window{End: ago(time.Minute)}}
	})
	f.renew(t)
	f.write(t, "drivers", 1, ago(25*time.Hour), driver(7), values...)
	const old = `"OUTSIDE_MAX_AGE"`
	ask := `{"keys":[{"driver_id":7},{"driver_id":8}],"features":["rate","share","trips","grade","city","raw","active","seen","meta","meta.a.1","tags","scores","twice"],"policy":"default"}`
	_, got := f.post(t, "/api/v1/views/drivers/rows", ask)
	for _, want := range []string{
		`{"rate":2.5,"share":1.0,"trips":-7,"grade":9,"city":"a\u003c\"ü","raw":"AAE=","active":false,"seen":"2026-01-01T00:00:00Z","meta":{"a":[5,6]},"meta.a.1":6,"tags":null,"scores":[],"twice":5.0}`,
		`"rate":` + old, `"city":"PRESENT"`, `"tags":` + old, `"scores":` + old, `"meta.a.1":` + old, `"twice":` + old, `"rate":null`, `"rate":"NOT_FOUND"`, `"stale":true`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s in %s", want, got)
		}
	}
	if strings.Contains(got, `"rate":5.0`) {
		t.Errorf("an expired value is given: %s", got)
	}
	request := ownRequest(columnsOf{"driver_id": longs(7)}, sluicev1.Policy_POLICY_DEFAULT, "drivers:rate", "drivers:trips")
	reply, err := sluicev1.NewFeatureServiceClient(f.dial(t)).GetFeatures(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	columns := reply.GetViews()[0].GetColumns()
	if v := columns[0].GetValues()[0].GetDoubleVal(); v != 2.5 || columns[1].GetValues()[0].GetInt64Val() != -7 || columns[0].GetStatuses()[0] != sluicev1.Status_OUTSIDE_MAX_AGE {
		t.Errorf("over gRPC: %v, want the defaults", reply)
	}
	if _, got := f.post(t, "/api/v1/views/drivers/rows", strings.Replace(ask, `"default"`, `"null"`, 1)); strings.Contains(got, "2.5") {
		t.Errorf("policy null gives a default: %s", got)
	}
}

// TestClockNotSet wants no ages from a clock that was never set.
func TestClockNotSet(t *testing.T) {
	f := newFixture(t)
	f.now = time.Time{}
	f.write(t, "drivers", 1, ago(1000*time.Hour), driver(7), values...)
	_, got := f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["rate"],"policy":"refuse"}`)
	for _, want := range []string{`"PRESENT"`, `"age_seconds":0,`, `"stale":false`} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s in %s", want, got)
		}
	}
}

func TestVectorRefuses(t *testing.T) {
	f := newFixture(t)
	f.registry.vectors[1] = feature.Vector{Generation: 4, Floor: 1, Refuse: true}
	f.renew(t)
	for path, body := range map[string]string{
		"/api/v1/views/drivers/rows": `{"keys":[{"driver_id":7}]}`,
		"/get-online-features":       `{"features":["drivers:rate"],"entities":{"driver_id":[7]}}`,
	} {
		if status, got := f.post(t, path, body); status != 503 || !strings.Contains(got, "view drivers refuses reads") {
			t.Errorf("%s = %d %s, want 503 and the view", path, status, got)
		}
	}
	if status, got := f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"a"}]}`); status != 200 {
		t.Errorf("another view = %d %s, want 200", status, got)
	}
}

// TestVisibility wants rows of listed versions alone, and the verdict of the
// newest of them.
func TestVisibility(t *testing.T) {
	f := newFixture(t)
	for version := feature.Version(1); version <= 5; version++ {
		f.registry.infos[version] = feature.VersionInfo{Version: version, Step: feature.StepDecided, Verdict: "verdict-" + string('0'+rune(version))}
		f.write(t, "users", version, ago(minutes(10-int(version))), user("a"), float(float64(version)))
	}
	f.write(t, "users", 1, ago(time.Hour), user("old"), float(1))
	for name, tc := range map[string]struct {
		vector feature.Vector
		key    string
		want   []string
	}{
		"nothing visible":     {feature.Vector{}, "a", []string{`"NOT_FOUND"`, `"version":0,"verdict":""`}},
		"the floor":           {feature.Vector{Floor: 3}, "a", []string{`3.0`, `"version":3,"verdict":"verdict-3"`}},
		"a listed one":        {feature.Vector{Floor: 1, Visible: []feature.Version{2, 4}}, "a", []string{`4.0`, `"version":4,"verdict":"verdict-4"`}},
		"a dead floor":        {feature.Vector{Floor: 3, Dead: []feature.Version{3}}, "a", []string{`2.0`, `"version":2,"verdict":"verdict-2"`}},
		"below the floor":     {feature.Vector{Floor: 3, Visible: []feature.Version{5}}, "old", []string{`1.0`, `"version":1,"verdict":"verdict-1"`}},
		"none, the view's":    {feature.Vector{Floor: 3, Visible: []feature.Version{5}}, "none", []string{`"NOT_FOUND"`, `"version":5,"verdict":"verdict-5"`}},
		"staged is invisible": {feature.Vector{Floor: 4}, "a", []string{`4.0`}},
	} {
		t.Run(name, func(t *testing.T) {
			f.registry.vectors[2] = tc.vector
			f.renew(t)
			_, got := f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"`+tc.key+`"}],"features":["f00"]}`)
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("want %s in %s", want, got)
				}
			}
		})
	}
	before := f.registry.asked
	for range 3 {
		f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"old"}],"features":["f00"]}`)
		f.renew(t)
	}
	if f.registry.asked != before {
		t.Errorf("asked %d times for versions that are known", f.registry.asked-before)
	}
}

func TestDeletedRow(t *testing.T) {
	f := newFixture(t)
	f.write(t, "users", 1, ago(time.Hour), user("a"), float(1))
	key, err := feature.NewKey(f.registry.defs.View("users"), user("a"))
	if err != nil {
		t.Fatal(err)
	}
	gone := feature.Record{EventTime: ago(time.Minute).UnixNano(), Deleted: true}
	if _, err := f.rows.Stage(t.Context(), 2, 1, []feature.Row{{Key: key, Record: gone}}); err != nil {
		t.Fatal(err)
	}
	if _, got := f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"a"}],"features":["f00"]}`); !strings.Contains(got, `"NOT_FOUND"`) {
		t.Errorf("deleted row = %s, want NOT_FOUND", got)
	}
}
