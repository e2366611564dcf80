package serving

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
	"sluice/feature"
)

func TestPushHTTP(t *testing.T) {
	for name, tc := range map[string]struct {
		path, body, answer string
		want               []string // records
	}{
		"default topic, two rows": {
			"/push",
			`{"push_source_name":"pairs","df":{"driver_id":[1,2],"user_id":["a","b"],"rate":[1,null],"f00":["NaN",0.25],` +
				`"event_timestamp":["2026-11-23T12:00:00.250Z","2026-11-23 14:00:00+01:00"],"created":[null,1]},"allow_registry_cache":true,"to":"online","transform_on_write":true}`,
			``,
			[]string{
				`{"view":"pairs","key":{"driver_id":1,"user_id":"a"},"event_time":"2026-11-23T12:00:00.250Z","values":{"rate":1.0,"f00":"NaN"}}`,
				`{"view":"pairs","key":{"driver_id":2,"user_id":"b"},"event_time":"2026-11-23T13:00:00Z","values":{"rate":null,"f00":0.25}}`,
			},
		},
		"own topic, naive time, as the remote client writes": {
			"/write-to-online-store",
			`{"feature_view_name": "users", "df": {"user_id": ["a"], "f00": [1.5], "event_timestamp": ["2026-11-23T12:00:00.000001"], "created": ["2026-11-23T12:00:00"]}}`,
			`null`,
			[]string{`{"user_id":"a","at":"2026-11-23T12:00:00.000001Z","zero":1.5,"f01":null,"f02":null,"f03":null,"f04":null}`},
		},
		"column as the source names it": {
			"/push",
			`{"push_source_name":"users","df":{"user_id":["a"],"zero":[2.5],"at":["2026-11-23"]},"to":"online_and_offline"}`,
			``,
			[]string{`{"user_id":"a","at":"2026-11-23T00:00:00Z","zero":2.5,"f01":null,"f02":null,"f03":null,"f04":null}`},
		},
		"JSON as text, as Feast sends it": {
			"/push",
			`{"push_source_name":"drivers","df":{"driver_id":[7,8,9],"meta":["{\"a\": [1]}","\"x\"","null"],"event_time":["2026-11-23","2026-11-23","2026-11-23"]}}`,
			``,
			[]string{
				`{"view":"drivers","key":{"driver_id":7},"event_time":"2026-11-23T00:00:00Z","values":{"rate":null,"share":null,"trips":null,"grade":null,"city":null,"raw":null,"active":null,"seen":null,"meta":{"a":[1]},"tags":null,"scores":null}}`,
				`{"view":"drivers","key":{"driver_id":8},"event_time":"2026-11-23T00:00:00Z","values":{"rate":null,"share":null,"trips":null,"grade":null,"city":null,"raw":null,"active":null,"seen":null,"meta":"x","tags":null,"scores":null}}`,
				`{"view":"drivers","key":{"driver_id":9},"event_time":"2026-11-23T00:00:00Z","values":{"rate":null,"share":null,"trips":null,"grade":null,"city":null,"raw":null,"active":null,"seen":null,"meta":null,"tags":null,"scores":null}}`,
			},
		},
		"every type": {
			"/push",
			`{"push_source_name":"drivers","df":{"driver_id":[7],"rate":[5],"share":[0.5],"trips":[-3],"grade":[4],"city":["a\u003c\"ü"],"raw":["AP8="],"active":[true],` +
				`"seen":[1795435200],"meta":[{"a": [1, 2]}],"tags":[["x",""]],"scores":[[1,-0.5]],"event_time":["2026-11-23T12:00:00Z"]}}`,
			``,
			[]string{`{"view":"drivers","key":{"driver_id":7},"event_time":"2026-11-23T12:00:00Z","values":{"rate":5.0,"share":0.5,"trips":-3,"grade":4,` +
				`"city":"a\u003c\"ü","raw":"AP8=","active":true,"seen":"2026-11-23T12:00:00Z","meta":{"a":[1,2]},"tags":["x",""],"scores":[1.0,-0.5]}}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			status, got := f.post(t, tc.path, tc.body)
			if status != 200 || got != tc.answer || !slices.Equal(f.pushed, tc.want) {
				t.Errorf("= %d %s, records\n%s\nwant 200 %s\n%s", status, got, strings.Join(f.pushed, "\n"), tc.answer, strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestPushKey(t *testing.T) {
	f := newFixture(t)
	f.post(t, "/push", `{"push_source_name":"pairs","df":{"user_id":["a"],"driver_id":[1],"event_time":["2026-11-23T12:00:00Z"]}}`)
	want, err := feature.NewKey(f.registry.defs.View("pairs"), []feature.Value{feature.Int64Value(1), feature.StringValue("a")})
	if err != nil || len(f.keys) != 1 || f.keys[0] != want {
		t.Errorf("keys = %q (%v), want %q", f.keys, err, want)
	}
}

func TestPushErrors(t *testing.T) {
	const when = `"event_time":["2026-11-23T12:00:00Z"]`
	for name, tc := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"no JSON":          {`{`, 422, "the body is no JSON"},
		"a list":           {`[]`, 422, "the body is a list"},
		"no view":          {`{"df":{}}`, 422, "push_source_name is missing"},
		"view a number":    {`{"push_source_name":1,"df":{}}`, 422, "push_source_name is a number"},
		"no df":            {`{"push_source_name":"users"}`, 422, "df is no object of columns"},
		"unknown view":     {`{"push_source_name":"user","df":{"a":[1]}}`, 422, "did you mean users?"},
		"offline alone":    {`{"push_source_name":"users","to":"offline","df":{}}`, 422, `a push to \"offline\" is not possible`},
		"no rows":          {`{"push_source_name":"users","df":{}}`, 422, "there are no rows"},
		"empty columns":    {`{"push_source_name":"users","df":{"user_id":[],"event_time":[]}}`, 422, "there are no rows"},
		"scalar column":    {`{"push_source_name":"users","df":{"user_id":"a"}}`, 422, `column \"user_id\" is a string, not a list`},
		"unequal columns":  {`{"push_source_name":"users","df":{"user_id":["a"],"f00":[1,2]}}`, 422, `column \"f00\" has 2 values, \"user_id\" has 1`},
		"column twice":     {`{"push_source_name":"users","df":{"user_id":["a"],"user_id":["b"]}}`, 422, `column \"user_id\" is given twice`},
		"no join key":      {`{"push_source_name":"users","df":{"f00":[1],` + when + `}}`, 422, "join key user_id of view users has no column"},
		"no event time":    {`{"push_source_name":"users","df":{"user_id":["a"]}}`, 422, "view users needs a column of event times"},
		"misspelt feature": {`{"push_source_name":"users","df":{"user_id":["a"],"f0":[1],` + when + `}}`, 404, `column \\\"f0\\\" is not defined (did you mean f00?)`},
		"two names of one": {`{"push_source_name":"users","df":{"user_id":["a"],"f00":[1],"zero":[1],` + when + `}}`, 404, `column \\\"zero\\\" is not defined`},
		"text for float":   {`{"push_source_name":"users","df":{"user_id":["a"],"f01":["5"],` + when + `}}`, 422, `column \"f01\", row 0: the string \"5\" where float64 is declared`},
		"float for int":    {`{"push_source_name":"drivers","df":{"driver_id":[1],"trips":[5.0],` + when + `}}`, 422, `column \"trips\", row 0: 5.0 where int64 is declared`},
		"null key":         {`{"push_source_name":"users","df":{"user_id":[null],` + when + `}}`, 422, `column \"user_id\", row 0: null; a join key has a value`},
		"null in a list":   {`{"push_source_name":"drivers","df":{"driver_id":[1],"scores":[[1,null]],` + when + `}}`, 422, `element 1: null in a list`},
		"long text":        {`{"push_source_name":"drivers","df":{"driver_id":[1],"city":["` + strings.Repeat("x", 65537) + `"],` + when + `}}`, 422, `65537 bytes, more than 65536`},
		"time a number":    {`{"push_source_name":"users","df":{"user_id":["a"],"event_time":[1795435200]}}`, 422, "a number is no event time"},
		"no time":          {`{"push_source_name":"users","df":{"user_id":["a"],"event_time":["soon"]}}`, 422, `\"soon\" is no time`},
		"too early":        {`{"push_source_name":"users","df":{"user_id":["a"],"event_time":["1969-12-31T23:59:59Z"]}}`, 422, "not in the years 1970 to 2261"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			status, got := f.post(t, "/push", tc.body)
			if status != tc.status || !strings.Contains(got, tc.want) || f.pushed != nil {
				t.Errorf("POST %.200s\n= %d %s\nwant %d with %s, nothing pushed (%d were)", tc.body, status, got, tc.status, tc.want, len(f.pushed))
			}
		})
	}
}

func TestPushUnavailable(t *testing.T) {
	const body = `{"push_source_name":"users","df":{"user_id":["a"],"event_time":["2026-11-23T12:00:00Z"]}}`
	var log strings.Builder
	f := newFixture(t, func(_ *Config, d *Deps) { d.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	f.pushErr = errors.New("no leader")
	if status, got := f.post(t, "/push", body); status != 503 || !strings.Contains(got, "the log did not take the rows of view users") || strings.Contains(got, "leader") {
		t.Errorf("the log fails = %d %s, want 503 without its reason", status, got)
	}
	f.post(t, "/push", body)
	if n := strings.Count(log.String(), "no leader"); n != 1 {
		t.Errorf("two failures within a second are logged %d times, want once: %s", n, log.String())
	}
	f.pushErr = &feature.Error{Code: feature.CodeTooLarge, Message: "the record is too large"}
	if status, got := f.post(t, "/push", body); status != 413 || !strings.Contains(got, "the record is too large") {
		t.Errorf("the log refuses = %d %s, want 413 with its reason", status, got)
	}
	f = newFixture(t, func(_ *Config, d *Deps) { d.Push = nil })
	if status, got := f.post(t, "/push", body); status != 503 || !strings.Contains(got, "takes no pushes") {
		t.Errorf("no log = %d %s, want 503", status, got)
	}
}

func TestPushGRPC(t *testing.T) {
	str := func(s string) *feasttypes.Value {
		return &feasttypes.Value{Val: &feasttypes.Value_StringVal{StringVal: s}}
	}
	const rowA = `{"view":"drivers","key":{"driver_id":7},"event_time":"2026-11-23T12:00:00Z","values":{"rate":5.0,"share":0.5,"trips":-3,"grade":4,` +
		`"city":"5","raw":"AP8=","active":true,"seen":"2026-11-23T12:00:00Z","meta":{"a":[1,2]},"tags":["x"],"scores":null}}`
	text := map[string]string{
		"driver_id": "7", "rate": "5", "share": "0.5", "trips": "-3", "grade": "4", "city": "5", "raw": "AP8=", "active": "true",
		"seen": "2026-11-23T12:00:00Z", "meta": `{"a": [1, 2]}`, "tags": `["x"]`, "event_timestamp": "2026-11-23 12:00:00",
	}
	typed := map[string]*feasttypes.Value{
		"driver_id": {Val: &feasttypes.Value_Int32Val{Int32Val: 7}}, "rate": {Val: &feasttypes.Value_FloatVal{FloatVal: 5}},
		"share": {Val: &feasttypes.Value_DoubleVal{DoubleVal: 0.5}}, "trips": {Val: &feasttypes.Value_Int64Val{Int64Val: -3}},
		"grade": {Val: &feasttypes.Value_Int64Val{Int64Val: 4}}, "city": str("5"), "raw": {Val: &feasttypes.Value_BytesVal{BytesVal: []byte{0, 255}}},
		"active": {Val: &feasttypes.Value_BoolVal{BoolVal: true}}, "seen": {Val: &feasttypes.Value_Int64Val{Int64Val: start.Unix()}},
		"meta": {Val: &feasttypes.Value_JsonVal{JsonVal: `{"a": [1, 2]}`}}, "scores": {Val: &feasttypes.Value_NullVal{}},
		"tags":            {Val: &feasttypes.Value_StringListVal{StringListVal: &feasttypes.StringList{Val: []string{"x"}}}},
		"event_timestamp": {Val: &feasttypes.Value_UnixTimestampVal{UnixTimestampVal: start.Unix()}},
	}
	with := func(column string, v *feasttypes.Value) map[string]*feasttypes.Value {
		return map[string]*feasttypes.Value{"driver_id": typed["driver_id"], "event_timestamp": typed["event_timestamp"], column: v}
	}
	textWith := func(column, v string) map[string]string {
		return map[string]string{"driver_id": "7", "event_timestamp": "2026-11-23", column: v}
	}
	f := newFixture(t)
	client := feastserving.NewGrpcFeatureServerClient(f.dial(t))
	for name, tc := range map[string]struct {
		in   *feastserving.PushRequest
		code codes.Code
		want string // the record, or part of the message
	}{
		"text":               {&feastserving.PushRequest{StreamFeatureView: "drivers", Features: text, To: "online"}, codes.OK, rowA},
		"typed":              {&feastserving.PushRequest{StreamFeatureView: "drivers", TypedFeatures: typed}, codes.OK, rowA},
		"both":               {&feastserving.PushRequest{StreamFeatureView: "drivers", Features: text, TypedFeatures: typed}, codes.InvalidArgument, "both given"},
		"neither":            {&feastserving.PushRequest{StreamFeatureView: "drivers"}, codes.InvalidArgument, "join key driver_id"},
		"unknown view":       {&feastserving.PushRequest{StreamFeatureView: "driver", Features: text}, codes.InvalidArgument, "did you mean drivers?"},
		"offline":            {&feastserving.PushRequest{StreamFeatureView: "drivers", Features: text, To: "offline"}, codes.InvalidArgument, "not possible"},
		"text, not a number": {&feastserving.PushRequest{StreamFeatureView: "drivers", Features: textWith("trips", "many")}, codes.InvalidArgument, `"many" where int64 is declared`},
		"text, not JSON":     {&feastserving.PushRequest{StreamFeatureView: "drivers", Features: textWith("meta", "{")}, codes.InvalidArgument, `where json is declared`},
		"text, outside":      {&feastserving.PushRequest{StreamFeatureView: "drivers", Features: textWith("grade", "2147483648")}, codes.InvalidArgument, `"2147483648" where int32`},
		"typed, string":      {&feastserving.PushRequest{StreamFeatureView: "drivers", TypedFeatures: with("trips", str("5"))}, codes.InvalidArgument, "string where int64 is declared"},
		"typed, inexact":     {&feastserving.PushRequest{StreamFeatureView: "drivers", TypedFeatures: with("share", &feasttypes.Value{Val: &feasttypes.Value_DoubleVal{DoubleVal: 0.1}})}, codes.InvalidArgument, "float64 where float32"},
		"typed, other kind":  {&feastserving.PushRequest{StreamFeatureView: "drivers", TypedFeatures: with("city", &feasttypes.Value{Val: &feasttypes.Value_DecimalVal{DecimalVal: "1"}})}, codes.InvalidArgument, "a kind of value that is no feature's"},
		"typed, broken json": {&feastserving.PushRequest{StreamFeatureView: "drivers", TypedFeatures: with("meta", &feasttypes.Value{Val: &feasttypes.Value_JsonVal{JsonVal: "}"}})}, codes.InvalidArgument, "no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			f.pushed = nil
			got, err := client.Push(t.Context(), tc.in)
			if tc.code == codes.OK {
				if err != nil || !got.Status || len(f.pushed) != 1 || f.pushed[0] != tc.want {
					t.Errorf("Push = %v, %v, records %v\nwant %s", got, err, f.pushed, tc.want)
				}
				return
			}
			if status.Code(err) != tc.code || !strings.Contains(err.Error(), tc.want) || f.pushed != nil {
				t.Errorf("Push = %v, want %v with %s; %d records", err, tc.code, tc.want, len(f.pushed))
			}
		})
	}
	f.pushed = nil
	if got, err := client.WriteToOnlineStore(t.Context(), &feastserving.WriteToOnlineStoreRequest{FeatureViewName: "drivers", TypedFeatures: typed}); err != nil || !got.Status || !slices.Equal(f.pushed, []string{rowA}) {
		t.Errorf("WriteToOnlineStore = %v, %v, %v", got, err, f.pushed)
	}
}

// TestPushAhead pushes two rows of which one is too far ahead, at every door.
func TestPushAhead(t *testing.T) {
	f := newFixture(t, func(_ *Config, d *Deps) {
		d.Ahead = func(_ context.Context, at time.Time) error {
			if !at.After(start.Add(5 * time.Minute)) {
				return nil
			}
			return &feature.Error{Code: feature.CodeFuture, Message: "more than 5m0s ahead", Hint: "check the clock"}
		}
	})
	for path, body := range map[string]string{
		"/push":                  `{"push_source_name":"users","df":{"user_id":["a","b"],"at":["2026-11-23T12:00:00Z","WHEN"]},"to":"online"}`,
		"/write-to-online-store": `{"feature_view_name":"users","df":{"user_id":["a","b"],"at":["2026-11-23T12:00:00Z","WHEN"]}}`,
	} {
		f.pushed = nil
		status, got := f.post(t, path, strings.Replace(body, "WHEN", "2026-11-23T12:05:01Z", 1))
		if want := `{"detail":[{"input":null,"loc":["body","df"],"msg":"column \"at\", row 1: more than 5m0s ahead (check the clock)","type":"future"}]}`; status != 422 || got != want || f.pushed != nil {
			t.Errorf("%s = %d %s, %d pushed, want 422 %s and none", path, status, got, len(f.pushed), want)
		}
		if status, got = f.post(t, path, strings.Replace(body, "WHEN", "2026-11-23T12:05:00Z", 1)); status != 200 || len(f.pushed) != 2 {
			t.Errorf("%s at the bound = %d %s, %d pushed, want both rows", path, status, got, len(f.pushed))
		}
	}
	client := feastserving.NewGrpcFeatureServerClient(f.dial(t))
	for when, want := range map[string]codes.Code{"2026-11-23T12:05:00Z": codes.OK, "2026-11-23T12:06:00Z": codes.InvalidArgument} {
		row := map[string]string{"user_id": "a", "at": when}
		_, pushed := client.Push(t.Context(), &feastserving.PushRequest{StreamFeatureView: "users", Features: row})
		_, written := client.WriteToOnlineStore(t.Context(), &feastserving.WriteToOnlineStoreRequest{FeatureViewName: "users", Features: row})
		for _, err := range []error{pushed, written} {
			info, _ := detailsOf(err)
			if status.Code(err) != want || want != codes.OK && (info.GetReason() != "future" || !strings.Contains(err.Error(), "5m0s")) {
				t.Errorf("event time %s over gRPC: %v, want %v that names the bound", when, err, want)
			}
		}
	}
}
