package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/serving/refusal"
	"sluice/serving/wireform"
)

// countedRows counts reads, and fails from the one that fails on.
type countedRows struct {
	Rows
	mu           sync.Mutex // views are read at once
	reads, fails int
}

func (c *countedRows) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	c.mu.Lock()
	c.reads++
	gone := c.fails > 0 && c.reads >= c.fails
	c.mu.Unlock()
	if gone {
		return dst, errors.New("the store is gone")
	}
	return c.Rows.Read(ctx, view, keys, dst)
}

// bulkFixture serves parts of three rows; user u0 to u9 are there, each with its number.
func bulkFixture(t *testing.T) (*fixture, *countedRows) {
	t.Helper()
	counted := &countedRows{}
	f := newFixture(t, func(c *Config, d *Deps) {
		c.MaxEntities, c.MaxBulk = 3, 10
		counted.Rows = d.Rows
		d.Rows = counted
	})
	for i := range 10 {
		f.write(t, "users", 1, ago(time.Hour), user(fmt.Sprintf("u%d", i)), float(float64(i)))
	}
	return f, counted
}

func users(n int) (names []string, keys string) {
	var b strings.Builder
	for i := range n {
		names = append(names, fmt.Sprintf("u%d", i))
		fmt.Fprintf(&b, `%s{"user_id":"u%d"}`, map[bool]string{true: ","}[i > 0], i)
	}
	return names, b.String()
}

func TestStreamFeatures(t *testing.T) {
	f, _ := bulkFixture(t)
	client := sluicev1.NewFeatureServiceClient(f.dial(t))
	names, _ := users(8)
	stream, err := client.StreamFeatures(t.Context(), ownRequest(columnsOf{"user_id": texts(names...)}, sluicev1.Policy_POLICY_SERVE, "users:f00"))
	if err != nil {
		t.Fatal(err)
	}
	var firsts []uint64
	var got []float64
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		firsts = append(firsts, part.First)
		for _, v := range part.Rows.Views[0].Columns[0].Values {
			got = append(got, v.GetDoubleVal())
		}
		if p := part.Rows.Views[0].Provenance; p.Generation != 3 || p.Version != 1 {
			t.Errorf("provenance of the part from %d = %v, want version 1 of generation 3", part.First, p)
		}
	}
	if fmt.Sprint(firsts, got) != "[0 3 6] [0 1 2 3 4 5 6 7]" {
		t.Errorf("parts from %v with %v, want [0 3 6] with 0 to 7", firsts, got)
	}
	names, _ = users(9)
	for name, tc := range map[string]struct {
		request *sluicev1.GetFeaturesRequest
		code    codes.Code
		want    string
	}{
		"too many":     {ownRequest(columnsOf{"user_id": texts(append(names, "x", "y")...)}, 0, "users:f00"), codes.ResourceExhausted, "serve.max_bulk sets the limit"},
		"unknown view": {ownRequest(columnsOf{"user_id": texts("u1")}, 0, "user:f00"), codes.NotFound, "did you mean users?"},
	} {
		stream, err := client.StreamFeatures(t.Context(), tc.request)
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != tc.code || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s: %s", name, err, tc.code, tc.want)
		}
	}
}

// TestBulkOver takes a limit for one of rows by what it is, not by its words.
func TestBulkOver(t *testing.T) {
	q := &query{plan: &plan{}}
	rows := q.bindRows(make([]map[string]json.RawMessage, 3), 2)
	columns := q.countRows(0, "user_id", 3, 2)
	const hint = "split the request; serve.max_bulk sets the limit"
	for name, tc := range map[string]struct {
		err           error
		message, hint string
	}{
		"rows":                {rows, "3 entities are more than the limit of 2", hint},
		"columns":             {columns, "more than the limit of 2 entities", hint},
		"wrapped":             {fmt.Errorf("row 1: %w", columns), "more than the limit of 2 entities", hint},
		"features":            {refusal.OverLimit("features", 3, 2, "serve.max_features"), "3 features are more than the limit of 2", "split the request; serve.max_features sets the limit"},
		"the words, no limit": {refusal.OverLimit("entities", 3, 2, "serve.max_entities"), "3 entities are more than the limit of 2", "split the request; serve.max_entities sets the limit"},
	} {
		var known *feature.Error
		if got := bulkOver(tc.err); !errors.As(got, &known) || known.Code != feature.CodeLimit || known.Message != tc.message || known.Hint != tc.hint {
			t.Errorf("%s: bulkOver(%v) = %v, want %s (%s)", name, tc.err, got, tc.message, tc.hint)
		}
	}
	if bulkOver(wireform.ErrUnusual) != wireform.ErrUnusual {
		t.Error("another error is changed")
	}
}

func TestStreamRows(t *testing.T) {
	f, counted := bulkFixture(t)
	_, keys := users(7)
	code, got := f.post(t, "/api/v1/rows/stream", `{"keys":[`+keys+`],"features":["users:f00"]}`)
	lines := strings.Split(got, "\n")
	const provenance = `"provenance":{"users":{"version":1,"verdict":"","generation":3,"age_seconds":3600,"stale":false,"fallback":""}}}`
	if code != 200 || len(lines) != 3 || !strings.HasPrefix(lines[0], `{"first":0,"rows":[{"key":{"user_id":"u0"},"values":{"users:f00":0.0},`) ||
		!strings.HasSuffix(lines[1], provenance) || !strings.HasPrefix(lines[2], `{"first":6,"rows":[{"key":{"user_id":"u6"},"values":{"users:f00":6.0},`) {
		t.Errorf("7 rows = %d %s, want three parts", code, got)
	}
	counted.fails = counted.reads + 2
	code, got = f.post(t, "/api/v1/rows/stream", `{"keys":[`+keys+`],"features":["users:f00"]}`)
	lines = strings.Split(got, "\n")
	if want := `{"error":{"code":"unavailable","message":"the rows of view users cannot be read","hint":"try again; if it stays, see the server's log"}}`; code != 200 || len(lines) != 2 || lines[1] != want {
		t.Errorf("a store that fails at the second part = %d %s, want one part and then %s", code, got, want)
	}
	counted.fails = 0
	f.write(t, "drivers", 1, ago(time.Hour), driver(7), values...)
	both := strings.ReplaceAll(keys, "}", `,"driver_id":7}`)
	code, got = f.post(t, "/api/v1/services/model/rows/stream", `{"keys":[`+both+`],"policy":"flag"}`)
	lines = strings.Split(got, "\n")
	if code != 200 || len(lines) != 3 || !strings.HasPrefix(lines[1], `{"first":3,"rows":[{"key":{"user_id":"u3","driver_id":7},"values":{"users:f01":null,"drivers:trips":-4611686018427387904},`) ||
		!strings.Contains(lines[2], `"provenance":{"users":{`) || !strings.Contains(lines[2], `,"drivers":{"version":1,`) {
		t.Errorf("7 rows of a service = %d %s, want three parts of both views", code, got)
	}
	if code, got = f.post(t, "/api/v1/services/modle/rows/stream", `{"keys":[`+both+`]}`); code != 404 || !strings.Contains(got, "did you mean model?") {
		t.Errorf("an unknown service = %d %s, want 404 with the nearest", code, got)
	}
	if code, got = f.post(t, "/api/v1/rows/stream", `{"keys":[`+keys+`],"features":["users:f00"]}`, "Sluice-Priority", "urgent"); code != 400 || !strings.Contains(got, "sheddable") {
		t.Errorf("a priority that is none = %d %s, want 400", code, got)
	}
	_, keys = users(11)
	if code, got = f.post(t, "/api/v1/rows/stream", `{"keys":[`+keys+`],"features":["users:f00"]}`); code != 413 || !strings.Contains(got, "serve.max_bulk sets the limit") {
		t.Errorf("11 rows = %d %s, want 413 naming max_bulk", code, got)
	}
}

// TestBulkParts reads part after part by hand: each is of one generation, none is read
// before the one before it was sent, and definitions may change but not what was asked.
func TestBulkParts(t *testing.T) {
	f, counted := bulkFixture(t)
	_, keys := users(9)
	start := func() *bulk {
		t.Helper()
		request, err := parseFeatures("", []byte(`{"keys":[`+keys+`],"features":["users:f00"]}`))
		if err != nil {
			t.Fatal(err)
		}
		snap, _, err := f.take()
		if err != nil {
			t.Fatal(err)
		}
		b := &bulk{server: f.Server, whole: &query{}, catalog: snap.catalog}
		b.plan = func(c *catalog) (*plan, error) { return f.featuresPlan(b.whole, c, "", request.Features) }
		if err := f.bindFeatures(b.whole, snap.catalog, "", &request, f.limitBulk()); err != nil {
			t.Fatal(err)
		}
		return b
	}
	define := func(change func(*feature.View)) {
		f.registry.generation++
		defs := definitions()
		change(defs.View("users"))
		f.registry.defs = defs
		if err := f.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	parts, before, generations := 0, counted.reads, []uint64{}
	err := start().each(t.Context(), func(_ int, part *query) error {
		if parts++; counted.reads-before != parts {
			t.Errorf("%d parts are read when the %dth is sent", counted.reads-before, parts)
		}
		generations = append(generations, part.answers[0].provenance.Generation)
		f.registry.vectors[2] = feature.Vector{Generation: uint64(10 + parts), Floor: 1}
		define(func(v *feature.View) { v.Description = fmt.Sprint(parts) })
		return nil
	})
	if err != nil || fmt.Sprint(generations) != "[3 11 12]" {
		t.Errorf("parts of generations %v, %v, want [3 11 12]", generations, err)
	}
	err = start().each(t.Context(), func(int, *query) error {
		define(func(v *feature.View) { v.Features[0].Type = feature.Int64 })
		return nil
	})
	if want := (&feature.Error{Code: feature.CodeConflict}); !errors.Is(err, want) {
		t.Errorf("a feature of another type meanwhile = %v, want conflict", err)
	}
	define(func(*feature.View) {})
	ctx, cancel := context.WithCancel(t.Context())
	parts = 0
	err = start().each(ctx, func(int, *query) error {
		parts++
		cancel()
		return nil
	})
	if parts != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("a reader that left after the first part got %d, %v", parts, err)
	}
}
