package serving

import (
	"context"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	feastserving "sluice/api/feast/serving"
	"sluice/feature"
	"sluice/serving/push"
)

// TestPushBackfill declares rows of a push to be of long ago, at every door that takes one.
func TestPushBackfill(t *testing.T) {
	const row = `"df":{"user_id":["a","b"],"event_time":["2026-11-23","2026-11-23"]}`
	var pushed []bool
	f := newFixture(t, func(_ *Config, d *Deps) {
		d.Push = func(_ context.Context, _ *feature.View, records []push.Record) error {
			for _, r := range records {
				pushed = append(pushed, r.Backfill)
			}
			return nil
		}
	})
	client := feastserving.NewGrpcFeatureServerClient(f.dial(t))
	cells := map[string]string{"user_id": "a", "event_time": "2026-11-23"}
	for value, want := range map[string][]bool{"": {false, false}, "false": {false, false}, "true": {true, true}, "yes": nil} {
		code, text := 200, "header sluice-backfill is "
		if want == nil {
			code = 422
		}
		for _, path := range []string{"/push", "/write-to-online-store"} {
			pushed = nil
			member := map[string]string{"/push": "push_source_name", "/write-to-online-store": "feature_view_name"}[path]
			status, answer := f.post(t, path, `{"`+member+`":"users",`+row+`}`, headerBackfill, value)
			if status != code || !slices.Equal(pushed, want) || strings.Contains(answer, text) != (want == nil) {
				t.Errorf("POST %s with %q = %d %s, pushed %v, want %d and %v", path, value, status, answer, pushed, code, want)
			}
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), metaBackfill, value)
		for name, call := range map[string]func() error{
			"Push": func() error {
				_, err := client.Push(ctx, &feastserving.PushRequest{StreamFeatureView: "users", Features: cells})
				return err
			},
			"WriteToOnlineStore": func() error {
				_, err := client.WriteToOnlineStore(ctx, &feastserving.WriteToOnlineStoreRequest{FeatureViewName: "users", Features: cells})
				return err
			},
		} {
			pushed = nil
			err := call()
			if want == nil {
				if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), text) || pushed != nil {
					t.Errorf("%s with %q = %v, pushed %v, want InvalidArgument", name, value, err, pushed)
				}
			} else if err != nil || !slices.Equal(pushed, want[:1]) {
				t.Errorf("%s with %q = %v, pushed %v, want %v", name, value, err, pushed, want[:1])
			}
		}
	}
}
