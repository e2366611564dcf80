package serving

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/serving/refusal"
)

// fuzzFixture is a server whose views hold a few rows.
func fuzzFixture(t testing.TB) *fixture {
	f := computedFixture(t, func(c *Config, _ *Deps) { c.MaxEntities, c.MaxFeatures = 20, 30 })
	f.write(t, "users", 1, ago(time.Hour), user("a"), float(1), float(math.NaN()))
	f.write(t, "drivers", 1, ago(25*time.Hour), driver(1), values...)
	f.write(t, "pairs", 1, ago(time.Minute), []feature.Value{feature.Int64Value(1), feature.StringValue("a")}, float(1))
	return f
}

// FuzzWireRead answers any bytes: with a reply that the runtime reads and whose
// columns are all as long, or an error that is the client's.
func FuzzWireRead(f *testing.F) {
	for _, m := range []proto.Message{
		feastRequest(columnsOf{"user_id": texts("a", "")}, "users:f00", "users:f01"),
		feastRequest(columnsOf{"driver_id": longs(1, -1), "user_id": texts("a", "b")}, "pairs:f00", "drivers:tags"),
		ownRequest(columnsOf{"user_id": texts("a")}, sluicev1.Policy_POLICY_NULL, "users:*"),
		ownRequest(columnsOf{"driver_id": longs(1)}, sluicev1.Policy_POLICY_FLAG, "drivers:*"),
		&sluicev1.GetFeaturesRequest{What: &sluicev1.GetFeaturesRequest_Service{Service: "model"}, Keys: columnsOf{"user_id": texts("a"), "driver_id": longs(1)}},
		&sluicev1.GetFeaturesRequest{What: ownRequest(nil, 0, "accounts:share", "accounts:abroad", "accounts:big").What, Keys: columnsOf{"user_id": texts("new", "old")}, Context: columnsOf{"count": longs(0, 3), "merchant": texts("b"), "amount": doubles(1)}},
		&feastserving.GetOnlineFeaturesRequest{Kind: feastRequest(nil, "accounts:excess", "accounts:city").Kind, Entities: columnsOf{"user_id": texts("new"), "amount": longs(2)}},
		&feastserving.GetOnlineFeaturesRequest{Kind: feastRequest(nil, "accounts:excess", "accounts:city").Kind, Entities: columnsOf{"user_id": texts("new")}, RequestContext: columnsOf{"amount": texts("x")}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
		f.Add(b, false)
	}
	s := fuzzFixture(f)
	f.Fuzz(func(t *testing.T, b []byte, own bool) {
		// The snapshot's lease is on the real clock, which a fuzz run outlasts.
		s.renew(t)
		buffer, err := s.readWire(context.Background(), b, own)
		if err != nil {
			if code := refusal.GRPCCode(err); code != codes.InvalidArgument && code != codes.NotFound && code != codes.ResourceExhausted && code != codes.FailedPrecondition {
				t.Fatalf("%x: %v has code %v", b, err, code)
			}
			if err := refusal.GRPC(err); err == nil {
				t.Fatal("no status for an error")
			}
			return
		}
		if own {
			checkOwnReply(t, buffer.ReadOnlyData())
		} else {
			checkFeastReply(t, buffer.ReadOnlyData())
		}
	})
}

func checkFeastReply(t *testing.T, b []byte) {
	var reply feastserving.GetOnlineFeaturesResponse
	if err := proto.Unmarshal(b, &reply); err != nil {
		t.Fatalf("reply %x: %v", b, err)
	}
	if len(reply.Results) != len(reply.Metadata.FeatureNames.Val) {
		t.Fatalf("%d columns, %d names", len(reply.Results), len(reply.Metadata.FeatureNames.Val))
	}
	rows := len(reply.Results[0].Values)
	for _, c := range reply.Results {
		if len(c.Values) != rows || len(c.Statuses) != rows || len(c.EventTimestamps) != rows || rows == 0 {
			t.Fatalf("%d values, %d statuses, %d times of %d rows", len(c.Values), len(c.Statuses), len(c.EventTimestamps), rows)
		}
	}
	if len(reply.ProtoReflect().GetUnknown()) != 0 {
		t.Fatal("unknown fields in the reply")
	}
}

func checkOwnReply(t *testing.T, b []byte) {
	var reply sluicev1.GetFeaturesResponse
	if err := proto.Unmarshal(b, &reply); err != nil {
		t.Fatalf("reply %x: %v", b, err)
	}
	for _, v := range reply.Views {
		for _, c := range v.Columns {
			if len(c.Values) != len(v.EventTimes) || len(c.Statuses) != len(v.EventTimes) || len(c.Values) == 0 {
				t.Fatalf("%d values, %d statuses of %d rows", len(c.Values), len(c.Statuses), len(v.EventTimes))
			}
		}
		if v.Provenance == nil || len(v.Columns) == 0 {
			t.Fatalf("view %s without columns or provenance", v.View)
		}
	}
}

// FuzzHTTP posts any body to every endpoint: the answer is JSON, and what is
// wrong with a body is a 4xx that no client retries.
func FuzzHTTP(f *testing.F) {
	paths := []string{"/get-online-features", "/push", "/write-to-online-store", "/api/v1/views/users/rows", "/api/v1/views/drivers/rows", "/api/v1/views/accounts/rows"}
	for _, seed := range []string{
		`{"features":["users:f01","users:f00"],"entities":{"user_id":["a","b"]},"full_feature_names":true}`,
		`{"feature_service":"model","entities":{"user_id":["a"],"driver_id":[1]}}`,
		`{"push_source_name":"users","feature_view_name":"users","df":{"user_id":["a"],"f00":[1.5],"at":["2026-11-23T12:00:00Z"]},"to":"online"}`,
		`{"keys":[{"user_id":"a"}],"features":["f00"],"policy":"null"}`,
		`{"keys":[{"driver_id":1}],"policy":"flag"}`,
		`{"keys":[{"user_id":"new"},{"user_id":"old"}],"features":["excess","share","city","usual"],"context":[{"amount":1,"count":0},{"amount":null,"count":2}]}`,
		`{"keys":[{"user_id":"new"}],"features":["abroad"],"context":{"merchant":"DE"},"policy":"null"}`,
		`{"features":["accounts:big","accounts:log_amount"],"entities":{"user_id":["new"],"amount":[1e3]},"request_context":{"count":[1]}}`,
	} {
		for i := range paths {
			f.Add(seed, uint8(i))
		}
	}
	s := fuzzFixture(f)
	handler := s.HTTP()
	f.Fuzz(func(t *testing.T, body string, which uint8) {
		s.renew(t)
		s.pushed, s.keys = nil, nil
		path := paths[int(which)%len(paths)]
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
		// A policy may refuse what is old; that is no mistake.
		mistake := w.Code >= 400 && w.Code < 500 && w.Code != http.StatusTooManyRequests
		if w.Code != 200 && !mistake && !(w.Code == 503 && strings.Contains(body, "refuse")) {
			t.Fatalf("%s %q = %d %s", path, body, w.Code, w.Body)
		}
		if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %q answers %q, which is no JSON", path, body, w.Body)
		}
		for _, record := range s.pushed {
			if !json.Valid([]byte(record)) {
				t.Fatalf("%s %q pushes %q, which is no JSON", path, body, record)
			}
		}
	})
}
