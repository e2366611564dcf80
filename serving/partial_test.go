package serving

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
)

// broken is a store that does not give the rows of some keys.
type broken struct {
	Rows
	lost  string // part of the keys; empty: none
	copy  bool   // a replica has the rows of those keys
	whole error  // what every read fails with
}

// errPart is the error of a part of the keys.
type errPart struct{ missing, lagging []int }

func (e errPart) Error() string {
	return fmt.Sprintf("shard 127.0.0.1:1: no answer for %d keys, a replica's for %d", len(e.missing), len(e.lagging))
}
func (e errPart) Missing() []int { return e.missing }
func (e errPart) Lagging() []int { return e.lagging }

func (b *broken) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	if b.whole != nil {
		return nil, b.whole
	}
	chains, err := b.Rows.Read(ctx, view, keys, dst)
	var part errPart
	for i, key := range keys {
		switch {
		case b.lost == "" || !strings.Contains(string(key), b.lost):
		case b.copy && len(chains[i]) > 0:
			part.lagging = append(part.lagging, i)
		default:
			part.missing = append(part.missing, i)
			chains[i] = nil
		}
	}
	if err == nil && len(part.missing)+len(part.lagging) > 0 {
		err = fmt.Errorf("read %d keys: %w", len(keys), part)
	}
	return chains, err
}

// brokenFixture has users "well" and "hurt", in version 1.
func brokenFixture(t *testing.T, kept int) (*fixture, *broken) {
	t.Helper()
	b := &broken{}
	f := newFixture(t, func(c *Config, d *Deps) {
		b.Rows, d.Rows, c.KeptRows = d.Rows, b, kept
	})
	f.write(t, "users", 1, ago(time.Minute), user("well"), float(1))
	f.write(t, "users", 1, ago(time.Minute), user("hurt"), float(2))
	return f, b
}

const (
	readWell = `{"keys":[{"user_id":"well"}],"features":["f00"],"policy":"POLICY"}`
	readHurt = `{"keys":[{"user_id":"hurt"}],"features":["f00"],"policy":"POLICY"}`
	readBoth = `{"keys":[{"user_id":"well"},{"user_id":"hurt"},{"user_id":"new"}],"features":["f00"],"policy":"POLICY"}`
)

// TestPartial reads with a store that lost a shard, or all, under every policy, and
// with rows kept from an earlier read, or of a replica, or without.
func TestPartial(t *testing.T) {
	const (
		well     = `{"key":{"user_id":"well"},"values":{"f00":1.0},"statuses":{"f00":"PRESENT"},"event_times":{"f00":"2026-11-23T11:59:00Z"}}`
		kept     = `{"key":{"user_id":"hurt"},"values":{"f00":2.0},"statuses":{"f00":"PRESENT"},"event_times":{"f00":"2026-11-23T11:59:00Z"}}`
		withheld = `{"key":{"user_id":"hurt"},"values":{"f00":null},"statuses":{"f00":"OUTSIDE_MAX_AGE"},"event_times":{"f00":"2026-11-23T11:59:00Z"}}`
		unread   = `{"key":{"user_id":"hurt"},"values":{"f00":null},"statuses":{"f00":"UNAVAILABLE"},"event_times":{"f00":null}}`
		absent   = `{"key":{"user_id":"new"},"values":{"f00":null},"statuses":{"f00":"NOT_FOUND"},"event_times":{"f00":null}}`
		fresh    = `"stale":false,"fallback":""`
		short    = `"stale":false,"fallback":"store"`
		stale    = `"stale":true,"fallback":"store"`
	)
	const copied = -1
	all := errors.New("no shard answers")
	for name, tc := range map[string]struct {
		lost   string
		whole  error
		kept   int // copied: none, but a replica has them
		body   string
		policy string
		status int
		want   []string
	}{
		"healthy key":                 {"hurt", nil, 0, readWell, "serve", 200, []string{well, fresh}},
		"healthy key, refuse":         {"hurt", nil, 0, readWell, "refuse", 200, []string{well, fresh}},
		"both":                        {"hurt", nil, 0, readBoth, "serve", 200, []string{well, unread, absent, short}},
		"both, flag":                  {"hurt", nil, 0, readBoth, "flag", 200, []string{well, unread, absent, short}},
		"both, null":                  {"hurt", nil, 0, readBoth, "null", 200, []string{well, unread, absent, short}},
		"both, refuse":                {"hurt", nil, 0, readBoth, "refuse", 503, []string{`"unavailable"`, "view users: 1 of 3 rows cannot be read"}},
		"hurt key alone":              {"hurt", nil, 0, readHurt, "serve", 503, []string{`"unavailable"`, "the rows of view users cannot be read"}},
		"all lost":                    {"", all, 0, readBoth, "serve", 503, []string{`"unavailable"`}},
		"both, kept":                  {"hurt", nil, 100, readBoth, "serve", 200, []string{well, kept, absent, stale}},
		"both, kept, null":            {"hurt", nil, 100, readBoth, "null", 200, []string{well, withheld, absent, stale}},
		"both, kept, refuse":          {"hurt", nil, 100, readBoth, "refuse", 503, []string{`"unavailable"`, "1 of 3 rows cannot be read"}},
		"hurt key alone, kept":        {"hurt", nil, 100, readHurt, "flag", 200, []string{kept, stale}},
		"hurt key alone, kept, null":  {"hurt", nil, 100, readHurt, "null", 200, []string{withheld, stale}},
		"all lost, kept":              {"", all, 100, readHurt, "serve", 200, []string{kept, stale}},
		"all lost, kept, one unknown": {"", all, 100, `{"keys":[{"user_id":"hurt"},{"user_id":"new"}],"features":["f00"],"policy":"POLICY"}`, "serve", 200, []string{kept, `"UNAVAILABLE"`, stale}},
		"both, copied":                {"hurt", nil, copied, readBoth, "serve", 200, []string{well, kept, absent, stale}},
		"both, copied, null":          {"hurt", nil, copied, readBoth, "null", 200, []string{well, withheld, absent, stale}},
		"both, copied, refuse":        {"hurt", nil, copied, readBoth, "refuse", 503, []string{`"unavailable"`, "1 of 3 rows cannot be read"}},
		"hurt key alone, copied":      {"hurt", nil, copied, readHurt, "flag", 200, []string{kept, stale}},
		"nothing lost, kept":          {"", nil, 100, readHurt, "refuse", 200, []string{kept, fresh}},
	} {
		t.Run(name, func(t *testing.T) {
			f, b := brokenFixture(t, max(0, tc.kept))
			b.copy = tc.kept == copied
			if status, got := f.post(t, "/api/v1/views/users/rows", strings.Replace(readBoth, "POLICY", "serve", 1)); status != 200 {
				t.Fatalf("before the fault: %d %s", status, got)
			}
			b.lost, b.whole = tc.lost, tc.whole
			for range 2 { // what a fault leaves behind must not reach the next request
				status, got := f.post(t, "/api/v1/views/users/rows", strings.Replace(tc.body, "POLICY", tc.policy, 1))
				if status != tc.status {
					t.Errorf("status = %d, want %d", status, tc.status)
				}
				for _, want := range tc.want {
					if !strings.Contains(got, want) {
						t.Errorf("got %s, want %s in it", got, want)
					}
				}
			}
			served := testutil.ToFloat64(f.metrics.view("users").kept)
			if want := 2 * strings.Count(strings.Join(tc.want, ""), stale); tc.policy != "refuse" && int(served) != want {
				t.Errorf("%g kept rows are counted, want %d", served, want)
			}
			b.lost, b.whole = "", nil
			status, got := f.post(t, "/api/v1/views/users/rows", strings.Replace(readBoth, "POLICY", "refuse", 1))
			if status != 200 || !strings.Contains(got, well+","+kept+","+absent) || !strings.Contains(got, fresh) {
				t.Errorf("after the fault: %d %s", status, got)
			}
		})
	}
}

// TestPartialForms wants a row that could not be read told from one that does not
// exist in every form of reply.
func TestPartialForms(t *testing.T) {
	f, b := brokenFixture(t, 0)
	b.lost = "hurt"
	conn := f.dial(t)
	keys := columnsOf{"user_id": texts("well", "hurt", "new")}

	var feast feastserving.GetOnlineFeaturesResponse
	if err := conn.Invoke(t.Context(), feastserving.ServingService_GetOnlineFeatures_FullMethodName, feastRequest(keys, "users:f00"), &feast); err != nil {
		t.Fatal(err)
	}
	sameText(t, &feast, `metadata { feature_names { val: "user_id" val: "f00" } }
		results { values { string_val: "well" } values { string_val: "hurt" } values { string_val: "new" } statuses: PRESENT statuses: PRESENT statuses: PRESENT event_timestamps {} event_timestamps {} event_timestamps {} }
		results { values { double_val: 1 } values {} values {} statuses: PRESENT statuses: INVALID statuses: NOT_FOUND event_timestamps { seconds: 1795435140 } event_timestamps {} event_timestamps {} }`)

	own, err := sluicev1.NewFeatureServiceClient(conn).GetFeatures(t.Context(), ownRequest(keys, sluicev1.Policy_POLICY_SERVE, "users:f00"))
	if err != nil {
		t.Fatal(err)
	}
	own.Views[0].Provenance.AgeSeconds = 0
	sameText(t, own, `views { view: "users" event_times: 1795435140000000000 event_times: 0 event_times: 0
		columns { feature: "f00" values { double_val: 1 } values {} values {} statuses: PRESENT statuses: UNAVAILABLE statuses: NOT_FOUND }
		provenance { version: 1 generation: 3 fallback: "store" } }`)

	status, got := f.post(t, "/get-online-features", `{"features":["users:f00"],"entities":{"user_id":["well","hurt","new"]}}`)
	if status != 200 || !strings.Contains(got, `{"values":[1.0,null,null],"statuses":["PRESENT","INVALID","NOT_FOUND"],"event_timestamps":["2026-11-23T11:59:00Z","1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]}`) {
		t.Errorf("Feast's JSON = %d %s", status, got)
	}
}

// TestPartialViews reads two views of which one is lost.
func TestPartialViews(t *testing.T) {
	f, b := brokenFixture(t, 0)
	f.write(t, "drivers", 1, ago(time.Minute), driver(7), values...)
	b.lost = "hurt"
	in, err := proto.Marshal(ownRequest(columnsOf{"user_id": texts("hurt"), "driver_id": longs(7)}, 0, "users:f00", "drivers:rate"))
	if err != nil {
		t.Fatal(err)
	}
	buffer, err := f.readWire(t.Context(), in, true)
	if err != nil {
		t.Fatal(err)
	}
	defer buffer.Free()
	var reply sluicev1.GetFeaturesResponse
	if err := proto.Unmarshal(buffer.ReadOnlyData(), &reply); err != nil {
		t.Fatal(err)
	}
	lost, there := reply.Views[0], reply.Views[1]
	if lost.Columns[0].Statuses[0] != sluicev1.Status_UNAVAILABLE || lost.Provenance.Fallback != "store" ||
		there.Columns[0].Statuses[0] != sluicev1.Status_PRESENT || there.Provenance.Fallback != "" {
		t.Errorf("got %v, want users unavailable and drivers as ever", &reply)
	}
}

// TestPartialLease loses the registry and a shard.
func TestPartialLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, b := brokenFixture(t, 0)
		b.lost = "hurt"
		time.Sleep(2 * time.Second)
		if status, got := f.post(t, "/api/v1/views/users/rows", strings.Replace(readBoth, "POLICY", "serve", 1)); status != 200 || !strings.Contains(got, `"stale":true,"fallback":"lease,store"`) {
			t.Errorf("%d %s, want both reasons", status, got)
		}
	})
}

// TestPartialDeadline wants a caller's own deadline told from a lost shard.
func TestPartialDeadline(t *testing.T) {
	f, b := brokenFixture(t, 100)
	b.whole = context.DeadlineExceeded
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, err := proto.Marshal(ownRequest(columnsOf{"user_id": texts("well")}, 0, "users:f00"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.readWire(ctx, in, true); !errors.Is(err, context.Canceled) {
		t.Errorf("read of a caller who left = %v, want %v", err, context.Canceled)
	}
}
