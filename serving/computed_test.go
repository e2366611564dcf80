package serving

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/expression"
	"sluice/feature"
)

// accounts is a view with computed features.
var accounts = feature.View{
	ID: 9, Name: "accounts", Entities: []feature.Entity{{Name: "user_id", Type: feature.String}}, TTL: 24 * time.Hour,
	Features: []feature.Feature{
		{ID: 1, Name: "mean", Type: feature.Float64}, {ID: 2, Name: "n", Type: feature.Int64, TTL: time.Hour},
		{ID: 3, Name: "country", Type: feature.String}, {ID: 4, Name: "profile", Type: feature.JSON},
	},
	Context: map[string]feature.Type{"amount": feature.Float64, "merchant": feature.String, "count": feature.Int64},
	Computed: []feature.Computed{
		{Name: "excess", Type: feature.Float64, Expr: "amount - mean"},
		{Name: "big", Type: feature.Bool, Expr: "excess > 100.0"},
		{Name: "abroad", Type: feature.Bool, Expr: "country != merchant"},
		{Name: "usual", Type: feature.Float64, Expr: "coalesce(mean, 10.0)"},
		{Name: "share", Type: feature.Int64, Expr: "n / count"},
		{Name: "log_amount", Type: feature.Float64, Expr: "math.log(amount)"},
		{Name: "city", Type: feature.String, Expr: "string(profile.city)"},
	},
}

// computedFixture serves accounts: old is past the ttl of n, older past that of all.
func computedFixture(t testing.TB, change ...func(*Config, *Deps)) *fixture {
	f := newFixture(t, change...)
	f.registry.defs.Views = append(f.registry.defs.Views, accounts)
	f.registry.defs.Services = append(f.registry.defs.Services, feature.Service{Name: "fraud", Features: []string{"accounts:excess", "users:f00", "accounts:mean"}})
	f.registry.generation++
	f.registry.vectors[9] = feature.Vector{Generation: 3, Floor: 1}
	f.renew(t)
	row := []feature.Value{float(40), feature.Int64Value(6), feature.StringValue("DE"), feature.JSONValue(`{"city":"Ulm"}`)}
	f.write(t, "accounts", 1, ago(time.Minute), user("new"), row...)
	f.write(t, "accounts", 1, ago(2*time.Hour), user("old"), row...)
	f.write(t, "accounts", 1, ago(25*time.Hour), user("older"), row...)
	f.write(t, "accounts", 1, ago(time.Minute), user("empty"))
	f.write(t, "users", 1, ago(time.Minute), user("new"), float(7))
	return f
}

// TestComputedDoors asks for the same at every door, with the context in every form.
func TestComputedDoors(t *testing.T) {
	f := computedFixture(t, func(c *Config, _ *Deps) { c.MaxEntities = 2 })
	const refs = `"features":["accounts:excess","accounts:big"]`
	for name, tc := range map[string]struct{ path, body, want string }{
		"view, one for all": {"/api/v1/views/accounts/rows", `{"keys":[{"user_id":"new"},{"user_id":"x"}],"features":["excess"],"context":{"amount":140.5}}`,
			`{"view":"accounts","rows":[{"key":{"user_id":"new"},"values":{"excess":100.5},"statuses":{"excess":"PRESENT"},"event_times":{"excess":"2026-11-23T11:59:00Z"}},{"key":{"user_id":"x"},"values":{"excess":null},"statuses":{"excess":"NOT_FOUND"},"event_times":{"excess":null}}],"provenance":{"version":1,`},
		"features, one a row": {"/api/v1/rows", `{"keys":[{"user_id":"new"},{"user_id":"new"}],` + refs + `,"context":[{"amount":41},{"amount":141}]}`,
			`{"rows":[{"key":{"user_id":"new"},"values":{"accounts:excess":1.0,"accounts:big":false},"statuses":{"accounts:excess":"PRESENT","accounts:big":"PRESENT"},"event_times":{"accounts:excess":"2026-11-23T11:59:00Z","accounts:big":"2026-11-23T11:59:00Z"}},{"key":{"user_id":"new"},"values":{"accounts:excess":101.0,"accounts:big":true},`},
		"service": {"/api/v1/services/fraud/rows", `{"keys":[{"user_id":"new"}],"context":{"amount":41,"merchant":"FR"}}`,
			`{"rows":[{"key":{"user_id":"new"},"values":{"accounts:excess":1.0,"users:f00":7.0,"accounts:mean":40.0},`},
		"stream": {"/api/v1/rows/stream", `{"keys":[{"user_id":"new"},{"user_id":"new"},{"user_id":"new"}],"features":["accounts:excess"],"context":[{"amount":41},{"amount":42},{"amount":43}]}`,
			`"accounts:excess":2.0},"statuses":{"accounts:excess":"PRESENT"},"event_times":{"accounts:excess":"2026-11-23T11:59:00Z"}}],"provenance":{"accounts":{"version":1,"verdict":"","generation":3,"age_seconds":60,"stale":false,"fallback":""}}}` + "\n" + `{"first":2,"rows":[{"key":{"user_id":"new"},"values":{"accounts:excess":3.0}`},
		"feast": {"/get-online-features", `{` + refs + `,"entities":{"user_id":["new","x"]},"request_context":{"amount":[141,1],"unknown":[1]},"full_feature_names":true}`,
			`{"results":[{"values":["new","x"],"statuses":["PRESENT","PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]},{"values":[101.0,null],"statuses":["PRESENT","NOT_FOUND"],"event_timestamps":["2026-11-23T11:59:00Z","1970-01-01T00:00:00Z"]},{"values":[true,null],"statuses":["PRESENT","NOT_FOUND"],"event_timestamps":["2026-11-23T11:59:00Z","1970-01-01T00:00:00Z"]}],"metadata":{"feature_names":["user_id","accounts__excess","accounts__big"]}}`},
		"feast, among the entities": {"/get-online-features", `{` + refs + `,"entities":{"user_id":["new"],"amount":[41.5]}}`,
			`{"results":[{"values":["new"],"statuses":["PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z"]},{"values":[1.5],"statuses":["PRESENT"],`},
		"feast, service":      {"/get-online-features", `{"feature_service":"fraud","entities":{"user_id":["new"],"amount":[41.5]}}`, `{"values":[1.5],"statuses":["PRESENT"],"event_timestamps":["2026-11-23T11:59:00Z"]},{"values":[7.0]`},
		"without context":     {"/api/v1/rows", `{"keys":[{"user_id":"new"}],"features":["accounts:usual","accounts:*"]}`, `"values":{"accounts:usual":40.0,"accounts:mean":40.0,"accounts:n":6,"accounts:country":"DE","accounts:profile":{"city":"Ulm"}}`},
		"of a path and whole": {"/api/v1/rows", `{"keys":[{"user_id":"new"}],"features":["accounts:city","accounts:profile.city","accounts:profile"]}`, `"values":{"accounts:city":"Ulm","accounts:profile.city":"Ulm","accounts:profile":{"city":"Ulm"}}`},
		"of a path alone":     {"/api/v1/rows", `{"keys":[{"user_id":"new"}],"features":["accounts:profile.city","accounts:city"]}`, `"values":{"accounts:profile.city":"Ulm","accounts:city":"Ulm"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if code, got := f.post(t, tc.path, tc.body); code != 200 || !strings.Contains(got, tc.want) {
				t.Errorf("%s %s = %d\n%s\nwant\n%s", tc.path, tc.body, code, got, tc.want)
			}
		})
	}
}

func doubles(v ...float64) *feasttypes.RepeatedValue {
	out := &feasttypes.RepeatedValue{}
	for _, d := range v {
		out.Val = append(out.Val, &feasttypes.Value{Val: &feasttypes.Value_DoubleVal{DoubleVal: d}})
	}
	return out
}

func TestComputedGRPC(t *testing.T) {
	f := computedFixture(t, func(c *Config, _ *Deps) { c.MaxEntities = 2 })
	conn := f.dial(t)
	own, feast := sluicev1.NewFeatureServiceClient(conn), feastserving.NewServingServiceClient(conn)
	request := ownRequest(columnsOf{"user_id": texts("new", "x")}, sluicev1.Policy_POLICY_SERVE, "accounts:mean", "accounts:excess")
	request.Context = columnsOf{"amount": longs(42)}
	got, err := own.GetFeatures(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	got.Views[0].Provenance = nil
	sameText(t, got, `views { view: "accounts" event_times: 1795435140000000000 event_times: 0
		columns { feature: "mean" values { double_val: 40 } values {} statuses: PRESENT statuses: NOT_FOUND }
		columns { feature: "excess" values { double_val: 2 } values {} statuses: PRESENT statuses: NOT_FOUND } }`)
	request.Keys = columnsOf{"user_id": texts("new", "new", "new")}
	request.Context = columnsOf{"amount": doubles(41, 42, 43)}
	stream, err := own.StreamFeatures(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var seen []float64
	for {
		part, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range part.Rows.Views[0].Columns[1].Values {
			seen = append(seen, v.GetDoubleVal())
		}
	}
	if fmt.Sprint(seen) != "[1 2 3]" {
		t.Errorf("streamed %v, want 1 2 3", seen)
	}
	for name, q := range map[string]*feastserving.GetOnlineFeaturesRequest{
		"request_context":    {RequestContext: columnsOf{"amount": doubles(41.5, 1), "other": texts("a")}},
		"among the entities": {Entities: columnsOf{"amount": doubles(41.5, 1)}},
		"one for all":        {RequestContext: columnsOf{"amount": doubles(41.5)}},
	} {
		q.Kind = feastRequest(nil, "accounts:excess", "accounts:share").Kind
		q.Entities = columnsOf{"user_id": texts("new", "x"), "amount": q.Entities["amount"]}
		if q.RequestContext == nil {
			q.RequestContext = columnsOf{}
		} else {
			delete(q.Entities, "amount")
		}
		q.RequestContext["count"] = longs(0)
		got, err := feast.GetOnlineFeatures(t.Context(), q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameText(t, got, `metadata { feature_names { val: "user_id" val: "excess" val: "share" } }
			results { values { string_val: "new" } values { string_val: "x" } statuses: PRESENT statuses: PRESENT event_timestamps {} event_timestamps {} }
			results { values { double_val: 1.5 } values {} statuses: PRESENT statuses: NOT_FOUND event_timestamps { seconds: 1795435140 } event_timestamps {} }
			results { values {} values {} statuses: INVALID statuses: NOT_FOUND event_timestamps { seconds: 1795435140 } event_timestamps {} }`)
	}
}

// TestComputedStates holds values and statuses against the rows they are made of.
func TestComputedStates(t *testing.T) {
	const named = `"features":["excess","abroad","usual","share","log_amount","city"],"context":{"amount":1,"merchant":"DE","count":2}`
	reg := prometheus.NewRegistry()
	b := &broken{}
	f := computedFixture(t, func(_ *Config, d *Deps) { b.Rows, d.Rows, d.Registerer = d.Rows, b, reg })
	for name, tc := range map[string]struct{ user, policy, context, values, statuses string }{
		"there":         {"new", "serve", named, `-39.0,false,40.0,3,0.0,"Ulm"`, "PRESENT PRESENT PRESENT PRESENT PRESENT PRESENT"},
		"null":          {"empty", "serve", named, `null,null,10.0,null,0.0,null`, "NULL_VALUE NULL_VALUE PRESENT NULL_VALUE PRESENT NULL_VALUE"},
		"nobody":        {"x", "serve", named, `null,null,10.0,null,0.0,null`, "NOT_FOUND NOT_FOUND PRESENT NOT_FOUND PRESENT NOT_FOUND"},
		"one late":      {"old", "serve", named, `-39.0,false,40.0,3,0.0,"Ulm"`, "PRESENT PRESENT PRESENT OUTSIDE_MAX_AGE PRESENT PRESENT"},
		"withheld":      {"old", "null", named, `-39.0,false,40.0,null,0.0,"Ulm"`, "PRESENT PRESENT PRESENT OUTSIDE_MAX_AGE PRESENT PRESENT"},
		"all late":      {"older", "flag", named, `-39.0,false,40.0,3,0.0,"Ulm"`, "OUTSIDE_MAX_AGE OUTSIDE_MAX_AGE OUTSIDE_MAX_AGE OUTSIDE_MAX_AGE PRESENT OUTSIDE_MAX_AGE"},
		"none left":     {"older", "null", named, `null,null,null,null,0.0,null`, "OUTSIDE_MAX_AGE OUTSIDE_MAX_AGE OUTSIDE_MAX_AGE OUTSIDE_MAX_AGE PRESENT OUTSIDE_MAX_AGE"},
		"failed":        {"new", "serve", strings.Replace(named, `"count":2`, `"count":0`, 1), `-39.0,false,40.0,null,0.0,"Ulm"`, "PRESENT PRESENT PRESENT FAILED PRESENT PRESENT"},
		"given as null": {"new", "serve", strings.Replace(named, `"amount":1`, `"amount":null`, 1), `null,false,40.0,3,null,"Ulm"`, "NULL_VALUE PRESENT PRESENT PRESENT NULL_VALUE PRESENT"},
		"not a number":  {"new", "serve", strings.Replace(named, `"amount":1`, `"amount":"NaN"`, 1), `"NaN",false,40.0,3,"NaN","Ulm"`, "PRESENT PRESENT PRESENT PRESENT PRESENT PRESENT"},
	} {
		t.Run(name, func(t *testing.T) {
			code, got := f.post(t, "/api/v1/views/accounts/rows", fmt.Sprintf(`{"keys":[{"user_id":%q}],"policy":%q,%s}`, tc.user, tc.policy, tc.context))
			if values, statuses := cellsOf(t, got); code != 200 || values != tc.values || statuses != tc.statuses {
				t.Errorf("%d %s\nvalues %s, want %s\nstatuses %s, want %s", code, got, values, tc.values, statuses, tc.statuses)
			}
		})
	}
	if n := testutil.ToFloat64(f.metrics.failures.WithLabelValues("accounts", "division")); n != 1 {
		t.Errorf("%v failures counted, want 1", n)
	}
	b.lost = "new"
	code, got := f.post(t, "/api/v1/views/accounts/rows", `{"keys":[{"user_id":"new"},{"user_id":"old"}],`+named+`}`)
	if values, statuses := cellsOf(t, got); code != 200 || values != `null,null,null,null,0.0,null` || statuses != "UNAVAILABLE UNAVAILABLE UNAVAILABLE UNAVAILABLE PRESENT UNAVAILABLE" {
		t.Errorf("of a row that is not read: %d %s %s", code, values, statuses)
	}
	if code, got := f.post(t, "/api/v1/views/accounts/rows", `{"keys":[{"user_id":"older"}],"policy":"refuse","features":["excess"],"context":{"amount":1}}`); code != 503 || !strings.Contains(got, "1 of 1 rows are older than the ttl") {
		t.Errorf("policy refuse = %d %s", code, got)
	}
}

// cellsOf returns the values and the statuses of the first row of an answer.
func cellsOf(t *testing.T, answer string) (values, statuses string) {
	t.Helper()
	between := func(from, to string) string {
		_, rest, _ := strings.Cut(answer, from)
		text, _, _ := strings.Cut(rest, to)
		return text
	}
	cut := func(text string) (out []string) {
		for part := range strings.SplitSeq(text, ",") {
			_, v, _ := strings.Cut(part, ":")
			out = append(out, v)
		}
		return out
	}
	return strings.Join(cut(between(`"values":{`, "}")), ","), strings.ReplaceAll(strings.Join(cut(between(`"statuses":{`, "}")), " "), `"`, "")
}

func TestContextMistakes(t *testing.T) {
	f := computedFixture(t)
	own := func(context string) (string, string) {
		return "/api/v1/views/accounts/rows", `{"keys":[{"user_id":"new"},{"user_id":"x"}],"features":["excess"]` + context + `}`
	}
	feast := func(rest string) (string, string) {
		return "/get-online-features", `{"features":["accounts:excess"],` + rest + `}`
	}
	for name, tc := range map[string]struct {
		door func(string) (string, string)
		rest string
		want string
	}{
		"missing":            {own, ``, `"code":"invalid_argument","message":"context value amount (float64) is missing; accounts:excess is computed with it","hint":"send \"context\": {\"amount\": value}`},
		"empty":              {own, `,"context":{}`, `context value amount (float64) is missing`},
		"null":               {own, `,"context":null`, `context value amount (float64) is missing`},
		"missing in a row":   {own, `,"context":[{"amount":1},{}]`, `context value amount (float64) is missing`},
		"misspelt":           {own, `,"context":{"amuont":1}`, `context value \"amuont\" is not declared","hint":"did you mean amount?`},
		"of no view":         {own, `,"context":{"amount":1,"weather":1}`, `context value \"weather\" is not declared","hint":"the views that are read declare amount, count, merchant`},
		"wrong type":         {own, `,"context":{"amount":"12"}`, `"code":"type","message":"context value amount, row 0: the string \"12\" where float64 is declared`},
		"wrong type in row":  {own, `,"context":[{"amount":1},{"amount":true}]`, `context value amount, row 1: a bool where float64 is declared`},
		"twice":              {own, `,"context":{"amount":1,"amount":2}`, `context value amount is given twice`},
		"no object":          {own, `,"context":5`, `context is a number`},
		"list of no objects": {own, `,"context":[1,2]`, `context of row 0 is a number, not an object`},
		"too few":            {own, `,"context":[{"amount":1}]`, `context has 1 objects, keys has 2`},
		"too many":           {own, `,"context":[{"amount":1},{"amount":1},{"amount":1},{"amount":1}]`, `context has more than 2 objects, keys has 2`},
		"feast, missing":     {feast, `"entities":{"user_id":["new"]}`, `send \"request_context\": {\"amount\": [value, ...]}`},
		"feast, misspelt":    {feast, `"entities":{"user_id":["new"]},"request_context":{"amuont":[1]}`, `did you mean amount?`},
		"feast, no list":     {feast, `"entities":{"user_id":["new"]},"request_context":{"amount":1}`, `context value amount is a number, not a list`},
		"feast, no object":   {feast, `"entities":{"user_id":["new"]},"request_context":[1]`, `request_context is a list`},
		"feast, too many":    {feast, `"entities":{"user_id":["new"]},"request_context":{"amount":[1,2]}`, `context value amount has more than 1 values for 1 rows`},
		"feast, none":        {feast, `"entities":{"user_id":["new"]},"request_context":{"amount":[]}`, `context value amount has 0 values for 1 rows`},
		"feast, in both":     {feast, `"entities":{"user_id":["new"],"amount":[1]},"request_context":{"amount":[1]}`, `context value amount is given twice`},
		"feast, wrong type":  {feast, `"entities":{"user_id":["new"],"amount":["x"]}`, `context value amount, row 0`},
	} {
		t.Run(name, func(t *testing.T) {
			path, body := tc.door(tc.rest)
			if code, got := f.post(t, path, body); code < 400 || code >= 500 || code == 429 || !strings.Contains(got, tc.want) {
				t.Errorf("%s = %d %s, want a 4xx with %s", body, code, got, tc.want)
			}
		})
	}
	if code, got := f.post(t, "/api/v1/rows", `{"keys":[{"user_id":"new"}],"features":["accounts:exces"]}`); code != 404 || !strings.Contains(got, "did you mean accounts:excess?") {
		t.Errorf("a misspelt computed feature = %d %s", code, got)
	}
	client := sluicev1.NewFeatureServiceClient(f.dial(t))
	for context, want := range map[*columnsOf]string{
		{}:                         "context value amount (float64) is missing",
		{"amuont": longs(1)}:       "did you mean amount?",
		{"amount": texts("1")}:     "string where float64 is declared",
		{"amount": longs(1, 2, 3)}: "context value amount has more than 2 values for 2 rows",
		{"amount": longs(1 << 60)}: "is not exact as float64",
		{"amount": {Val: []*feasttypes.Value{{Val: &feasttypes.Value_MapVal{MapVal: &feasttypes.Map{}}}}}}: "a value of kind 20 where float64 is declared",
	} {
		request := ownRequest(columnsOf{"user_id": texts("new", "x")}, sluicev1.Policy_POLICY_SERVE, "accounts:excess")
		request.Context = *context
		if _, err := client.GetFeatures(t.Context(), request); err == nil || !strings.Contains(err.Error(), "InvalidArgument") || !strings.Contains(err.Error(), want) {
			t.Errorf("context %v gave %v, want InvalidArgument with %q", *context, err, want)
		}
	}
}

// TestServedIsComputed holds what is served, over random rows, to what the expressions
// give for the values that were written: the reading of files uses the same Set.
func TestServedIsComputed(t *testing.T) {
	f := computedFixture(t)
	set, err := expression.Compile(&accounts)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	number := func() float64 {
		return []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 5e-324, rng.NormFloat64() * 100}[rng.IntN(8)]
	}
	whole := func() int64 { return []int64{0, 1, -1, math.MaxInt64, math.MinInt64, rng.Int64N(100)}[rng.IntN(6)] }
	maybe := func(v feature.Value) feature.Value {
		if rng.IntN(6) == 0 {
			return feature.Null
		}
		return v
	}
	words := []string{"", "DE", "FR", "ü<"}
	for i := range 500 {
		name := fmt.Sprintf("r%d", i)
		values := []feature.Value{maybe(float(number())), maybe(feature.Int64Value(whole())), maybe(feature.StringValue(words[rng.IntN(4)])),
			maybe(feature.JSONValue([]string{`{"city":"Ulm"}`, `{}`, `{"city":null}`, `{"city":5}`, `[1]`, `"x"`, `null`}[rng.IntN(7)]))}
		f.write(t, "accounts", 1, ago(time.Minute), user(name), values...)
		row := set.NewRow()
		for at, v := range values {
			row.SetFeature(at, v)
		}
		context := map[string]feature.Value{"amount": maybe(float(number())), "merchant": maybe(feature.StringValue(words[rng.IntN(4)])), "count": maybe(feature.Int64Value(whole()))}
		request := ownRequest(columnsOf{"user_id": texts(name)}, sluicev1.Policy_POLICY_SERVE)
		request.Context = columnsOf{}
		for at, name := range set.Context() {
			row.SetContext(at, context[name])
			request.Context[name] = &feasttypes.RepeatedValue{Val: []*feasttypes.Value{wireOf(t, context[name])}}
		}
		var refs []string
		for _, c := range accounts.Computed {
			refs = append(refs, "accounts:"+c.Name)
		}
		request.What = ownRequest(nil, 0, refs...).What
		got, err := f.get(request)
		if err != nil {
			t.Fatal(err)
		}
		for at, c := range got.Views[0].Columns {
			want, failure := row.Compute(at)
			status := sluicev1.Status_PRESENT
			switch {
			case failure != nil:
				status = sluicev1.Status_FAILED
			case want.IsNull():
				status = sluicev1.Status_NULL_VALUE
			}
			if served := valueOfWire(t, c.Values[0]); !served.Equal(want) || c.Statuses[0] != status {
				t.Fatalf("%s of %v and %v is served as %v %s, computed as %v (%v)", c.Feature, values, context, served, c.Statuses[0], want, failure)
			}
		}
	}
}

// TestComputedEnds wants a request that gave up to compute nothing more.
func TestComputedEnds(t *testing.T) {
	f := computedFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.deps.Rows = cancelling{f.deps.Rows, cancel}
	request := ownRequest(columnsOf{"user_id": texts("new")}, sluicev1.Policy_POLICY_SERVE, "accounts:usual")
	if _, err := f.getIn(ctx, request); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("a request that was given up = %v, want that it was cancelled", err)
	}
}

// cancelling is a store whose reader leaves as soon as it was answered.
type cancelling struct {
	Rows
	cancel func()
}

func (c cancelling) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	defer c.cancel()
	return c.Rows.Read(ctx, view, keys, dst)
}

func (f *fixture) get(request *sluicev1.GetFeaturesRequest) (*sluicev1.GetFeaturesResponse, error) {
	return f.getIn(context.Background(), request)
}

// getIn answers a request without a transport.
func (f *fixture) getIn(ctx context.Context, request *sluicev1.GetFeaturesRequest) (*sluicev1.GetFeaturesResponse, error) {
	in, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	buffer, err := f.readWire(ctx, in, true)
	if err != nil {
		return nil, err
	}
	reply := &sluicev1.GetFeaturesResponse{}
	return reply, proto.Unmarshal(buffer.ReadOnlyData(), reply)
}

func wireOf(t *testing.T, v feature.Value) *feasttypes.Value {
	t.Helper()
	out := &feasttypes.Value{}
	if err := proto.Unmarshal(feature.AppendValue(nil, v), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func valueOfWire(t *testing.T, v *feasttypes.Value) feature.Value {
	t.Helper()
	b, err := proto.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := feature.DecodeValue(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
