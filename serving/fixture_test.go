package serving

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"sluice/feature"
	"sluice/internal/h2"
	"sluice/serving/push"
	"sluice/store/memory"
)

// start is what the platform's clock shows in tests.
var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// registry is a source that holds what a test puts there.
type registry struct {
	mu         sync.Mutex
	defs       feature.Definitions
	generation uint64
	vectors    map[feature.ViewID]feature.Vector
	infos      map[feature.Version]feature.VersionInfo
	asked      int // for versions
	err        error
	changed    chan struct{}
}

func (r *registry) Definitions(context.Context) (feature.Definitions, uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.defs, r.generation, r.err
}

func (r *registry) Vectors(context.Context) (map[feature.ViewID]feature.Vector, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.vectors), r.err
}

func (r *registry) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (r *registry) Version(_ context.Context, _ feature.ViewID, version feature.Version) (feature.VersionInfo, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	info, ok := r.infos[version]
	if !ok {
		return info, feature.ErrNotFound
	}
	return info, nil
}

// change does fn and says that something changed.
func (r *registry) change(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
	close(r.changed)
	r.changed = make(chan struct{})
}

// types are the features of view all, one of each type.
var types = []feature.Feature{
	{ID: 1, Name: "rate", Type: feature.Float64}, {ID: 2, Name: "share", Type: feature.Float32},
	{ID: 3, Name: "trips", Type: feature.Int64}, {ID: 4, Name: "grade", Type: feature.Int32},
	{ID: 5, Name: "city", Type: feature.String}, {ID: 6, Name: "raw", Type: feature.Bytes},
	{ID: 7, Name: "active", Type: feature.Bool}, {ID: 8, Name: "seen", Type: feature.Timestamp},
	{ID: 9, Name: "meta", Type: feature.JSON}, {ID: 10, Name: "tags", Type: feature.ListOf(feature.String)},
	{ID: 11, Name: "scores", Type: feature.ListOf(feature.Float64)},
}

// values of the row that the tests write for driver 7, in the order of types.
var values = []feature.Value{
	feature.Float64Value(5), feature.Float32Value(0.9486494), feature.Int64Value(-1 << 62), feature.Int32Value(-3),
	feature.StringValue("a<\"ü"), feature.BytesValue([]byte{0, 255}), feature.BoolValue(true),
	feature.TimestampValue(start), feature.JSONValue(`{"a":[1,2]}`),
	feature.ListValue(feature.String, []feature.Value{feature.StringValue("x"), feature.StringValue("")}),
	feature.ListValue(feature.Float64, []feature.Value{feature.Float64Value(1), feature.Float64Value(-0.5)}),
}

func definitions() feature.Definitions {
	driver, user := feature.Entity{Name: "driver_id", Type: feature.Int64}, feature.Entity{Name: "user_id", Type: feature.String}
	floats := func(first uint32, names ...string) (out []feature.Feature) {
		for i, name := range names {
			out = append(out, feature.Feature{ID: first + uint32(i), Name: name, Type: feature.Float64})
		}
		return out
	}
	return feature.Definitions{
		Project: "test",
		Views: []feature.View{
			{ID: 1, Name: "drivers", Entities: []feature.Entity{driver}, Features: types,
				TTL: 24 * time.Hour, Freshness: feature.Freshness{Critical: 2 * time.Hour}},
			{ID: 2, Name: "users", Entities: []feature.Entity{user}, Features: floats(100, "f00", "f01", "f02", "f03", "f04"),
				Source: feature.Source{Topic: "users", EventTime: "at", Map: map[string]string{"f00": "zero"}}},
			{ID: 3, Name: "pairs", Entities: []feature.Entity{driver, user}, Features: floats(1<<20, "rate", "f00")},
			{ID: 4, Name: "flags", Features: floats(7, "x"), Entities: []feature.Entity{
				{Name: "b", Type: feature.Bool}, {Name: "d", Type: feature.Float64}, {Name: "f", Type: feature.Float32},
				{Name: "i", Type: feature.Int32}, {Name: "t", Type: feature.Timestamp}, {Name: "y", Type: feature.Bytes},
			}},
		},
		Services: []feature.Service{{Name: "model", Features: []string{"users:f01", "drivers:trips"}}},
	}
}

// fixture is a server over a store and a registry in memory.
type fixture struct {
	*Server
	registry *registry
	rows     *memory.Store
	now      time.Time
	pushed   []string // the values of records
	keys     []feature.Key
	pushErr  error
}

// newFixture returns a server with a snapshot. Version 1 of every view is the
// floor; nothing is stored.
func newFixture(t testing.TB, change ...func(*Config, *Deps)) *fixture {
	t.Helper()
	f := &fixture{rows: &memory.Store{}, now: start, registry: &registry{
		defs: definitions(), generation: 1, changed: make(chan struct{}),
		vectors: map[feature.ViewID]feature.Vector{}, infos: map[feature.Version]feature.VersionInfo{},
	}}
	for i := range f.registry.defs.Views {
		f.registry.vectors[f.registry.defs.Views[i].ID] = feature.Vector{Generation: 3, Floor: 1}
	}
	config, deps := DefaultConfig(), Deps{
		Rows: f.rows, Source: f.registry, Version: f.registry.Version, Now: func() time.Time { return f.now },
		Push: func(_ context.Context, _ *feature.View, records []push.Record) error {
			for _, r := range records {
				f.pushed = append(f.pushed, string(r.Value))
				f.keys = append(f.keys, feature.Key(r.Key))
			}
			return f.pushErr
		},
	}
	for _, fn := range change {
		fn(&config, &deps)
	}
	var err error
	if f.Server, err = New(config, deps); err != nil {
		t.Fatal(err)
	}
	f.renew(t)
	return f
}

// renew takes what the registry holds into force.
func (f *fixture) renew(t testing.TB) {
	t.Helper()
	// Not a renewal: that reads definitions again only once in a while.
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// write stages a row of values, in the order of the view's features.
func (f *fixture) write(t testing.TB, view string, version feature.Version, at time.Time, keys []feature.Value, values ...feature.Value) {
	t.Helper()
	v := f.registry.defs.View(view)
	key, err := feature.NewKey(v, keys)
	if err != nil {
		t.Fatal(err)
	}
	record := feature.Record{EventTime: at.UnixNano(), Seq: 1, Row: feature.AppendRow(nil, v, values)}
	if _, err := f.rows.Stage(t.Context(), v.ID, version, []feature.Row{{Key: key, Record: record}}); err != nil {
		t.Fatal(err)
	}
}

func driver(id int64) []feature.Value { return []feature.Value{feature.Int64Value(id)} }
func user(id string) []feature.Value  { return []feature.Value{feature.StringValue(id)} }
func float(v float64) feature.Value   { return feature.Float64Value(v) }
func minutes(n int) time.Duration     { return time.Duration(n) * time.Minute }
func ago(d time.Duration) time.Time   { return start.Add(-d) }

// post sends a body and returns the status and the answer.
func (f *fixture) post(t testing.TB, path, body string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.HTTP().ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, strings.TrimSuffix(string(text), "\n")
}

// dial serves gRPC on loopback until the test ends and returns a client.
func (f *fixture) dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rest := f.NewGRPC()
	server := f.NewDoor(rest, nil)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
		rest.Stop()
		if err := <-done; !errors.Is(err, h2.ErrClosed) {
			t.Error(err)
		}
	})
	return conn
}
