package serving

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFeatureTTL reads a row of which features count for different times: rate for
// an hour, trips as long as the view's 24 h, city for two days.
func TestFeatureTTL(t *testing.T) {
	const short, long = time.Hour, 48 * time.Hour
	for name, tc := range map[string]struct {
		age    time.Duration
		policy string
		status int
		want   []string
	}{
		"all count":            {30 * time.Minute, "null", 200, []string{`"rate":5.0`, `"statuses":{"rate":"PRESENT","trips":"PRESENT","city":"PRESENT"}`, `"stale":false`}},
		"the short one is old": {2 * time.Hour, "serve", 200, []string{`"rate":5.0`, `{"rate":"OUTSIDE_MAX_AGE","trips":"PRESENT","city":"PRESENT"}`, `"stale":false`}},
		"flagged":              {2 * time.Hour, "flag", 200, []string{`"rate":5.0`, `{"rate":"OUTSIDE_MAX_AGE","trips":"PRESENT","city":"PRESENT"}`, `"stale":true`}},
		"withheld":             {2 * time.Hour, "null", 200, []string{`{"rate":null,"trips":`, `{"rate":"OUTSIDE_MAX_AGE","trips":"PRESENT","city":"PRESENT"}`, `"stale":true`}},
		"refused":              {2 * time.Hour, "refuse", 503, []string{"older than the ttl of 1h0m0s"}},
		"the view's is past":   {25 * time.Hour, "null", 200, []string{`{"rate":null,"trips":null,"city":"a`, `{"rate":"OUTSIDE_MAX_AGE","trips":"OUTSIDE_MAX_AGE","city":"PRESENT"}`}},
		"none counts":          {50 * time.Hour, "null", 200, []string{`{"rate":null,"trips":null,"city":null}`, `{"rate":"OUTSIDE_MAX_AGE","trips":"OUTSIDE_MAX_AGE","city":"OUTSIDE_MAX_AGE"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			v := &f.registry.defs.Views[0]
			v.Features = slices.Clone(v.Features)
			v.Features[v.FeatureAt("rate")].TTL, v.Features[v.FeatureAt("city")].TTL = short, long
			v.Freshness.Critical = 0
			f.registry.generation++
			f.renew(t)
			f.write(t, "drivers", 1, ago(tc.age), driver(7), values...)
			status, got := f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["rate","trips","city"],"policy":"`+tc.policy+`"}`)
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

// TestFeatureTTLOfFeast wants the same statuses of Feast's endpoint.
func TestFeatureTTLOfFeast(t *testing.T) {
	f := newFixture(t)
	v := &f.registry.defs.Views[0]
	v.Features = slices.Clone(v.Features)
	v.Features[v.FeatureAt("rate")].TTL = time.Hour
	f.registry.generation++
	f.renew(t)
	f.write(t, "drivers", 1, ago(2*time.Hour), driver(7), values...)
	_, got := f.post(t, "/get-online-features", `{"features":["drivers:rate","drivers:trips"],"entities":{"driver_id":[7]}}`)
	for _, want := range []string{`{"values":[5.0],"statuses":["OUTSIDE_MAX_AGE"]`, `"statuses":["PRESENT"]`} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s in %s", want, got)
		}
	}
}
