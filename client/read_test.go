package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"sluice/client"
)

// TestValues reads every type, and what is not there.
func TestValues(t *testing.T) {
	c := dial(t, client.Config{})
	rows, err := c.Rows(t.Context(), client.Request{View: "payments", Keys: []client.Key{{"user": "u7"}, {"user": "nobody"}, {"user": "u0"}}})
	if err != nil {
		t.Fatal(err)
	}
	start := begin.Add((good - 1) * size)
	for column, want := range map[string]any{
		"visits": int64(1)<<53 + 1, "small": int64(7), "share": .5, "known": false, "seen": start, "photo": []byte{7},
		"last": []float64{7, .5}, "days": []int64{7, 1}, "about": json.RawMessage(`{"score":7,"tags":["new"]}`),
	} {
		if got := rows.Rows[0].Value(column); !reflect.DeepEqual(got, want) || rows.Rows[0].Status(column) != client.Present {
			t.Errorf("%s is %T %v (%s), want %T %v", column, got, got, rows.Rows[0].Status(column), want, want)
		}
		if got := rows.Rows[1].Value(column); got != nil || rows.Rows[1].Status(column) != client.NotFound {
			t.Errorf("%s of nobody is %v (%s)", column, got, rows.Rows[1].Status(column))
		}
	}
	if got := rows.Rows[2].Status("known"); got != client.Null {
		t.Errorf("known of u0 is %s, want %s", got, client.Null)
	}
	if at := rows.Rows[0].EventTime("amount"); !at.Equal(start.Add(7 * time.Second)) {
		t.Errorf("event time %s, want %s", at, start.Add(7*time.Second))
	}
	if at := rows.Rows[1].EventTime("amount"); !at.IsZero() {
		t.Errorf("event time of nobody is %s", at)
	}
	if p := rows.Provenance["payments"]; p.Version != good || p.Verdict == "" || p.Generation == 0 || p.Stale || p.Cached || p.Fallback != "" {
		t.Errorf("provenance %+v", p)
	}
	if len(rows.Columns) != 11 || rows.Columns[0] != "amount" {
		t.Errorf("columns %q", rows.Columns)
	}
}

// TestAccessors asks for a column as another type, and where there is no value.
func TestAccessors(t *testing.T) {
	c := dial(t, client.Config{})
	row, err := c.Row(t.Context(), client.Request{View: "payments", Features: []string{"visits", "known", "about.score", "about.tags"}, Keys: []client.Key{{"user": "u0"}}})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := client.Get[int64](row, "visits"); n != 0 || err != nil {
		t.Errorf("visits: %d, %v", n, err)
	}
	if x, err := client.Get[float64](row, "about.score"); x != 0 || err != nil {
		t.Errorf("score as a float64: %g, %v", x, err)
	}
	if _, err := client.Get[string](row, "visits"); code(err) != "type" {
		t.Errorf("visits as a string: %v", err)
	}
	if _, err := client.Get[bool](row, "known"); !errors.Is(err, client.ErrNoValue) {
		t.Errorf("known: %v", err)
	}
	if v, err := client.Or(row, "known", true); !v || err != nil {
		t.Errorf("known or true: %v, %v", v, err)
	}
	if _, err := client.Get[bool](row, "amount"); code(err) != "unknown_feature" {
		t.Errorf("a column that was not asked for: %v", err)
	}
	if _, err := client.Get[bool](client.Row{}, "amount"); code(err) != "unknown_feature" {
		t.Errorf("no row: %v", err)
	}
}

// code returns the contract's word of an error.
func code(err error) string {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// TestForms reads several views, a service, several join keys and the past.
func TestForms(t *testing.T) {
	c := dial(t, client.Config{})
	for name, tc := range map[string]struct {
		ask     client.Request
		columns []string
		views   int
	}{
		"views":     {client.Request{Features: []string{"spend:amount", "payments:country"}, Keys: keysOf(3)}, []string{"spend:amount", "payments:country"}, 2},
		"service":   {client.Request{Service: "fraud", Keys: keysOf(3), Policy: client.PolicyFlag}, []string{"payments:amount", "spend:amount"}, 2},
		"join keys": {client.Request{View: "cards", Keys: []client.Key{{"user": "u3", "card": 3}}}, []string{"limit"}, 1},
		"past":      {client.Request{View: "payments", Features: []string{"amount"}, Keys: keysOf(1), AsOf: map[string]uint64{"payments": good}}, []string{"amount"}, 1},
	} {
		rows, err := c.Rows(t.Context(), tc.ask)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(rows.Columns, tc.columns) || len(rows.Provenance) != tc.views || len(rows.Rows) != len(tc.ask.Keys) {
			t.Errorf("%s: columns %q, provenance %v, %d rows", name, rows.Columns, rows.Provenance, len(rows.Rows))
		}
		for i, row := range rows.All() {
			for column, v := range row.Values() {
				if v == nil {
					t.Errorf("%s: row %d: %s is %s", name, i, column, row.Status(column))
				}
			}
		}
	}
}

// TestSplit reads more keys than a request takes; every row is its key's.
func TestSplit(t *testing.T) {
	c := dial(t, client.Config{Timeout: time.Minute})
	keys := keysOf(2*1000 + 17)
	rows, err := c.Rows(t.Context(), client.Request{View: "payments", Features: []string{"small"}, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	ordered(t, rows.Rows, len(keys), 0)

	keys = keysOf(20_000 + 321) // more than one stream
	at, parts := 0, 0
	for part, err := range c.Stream(t.Context(), client.Request{View: "payments", Features: []string{"small"}, Keys: keys}) {
		if err != nil {
			t.Fatal(err)
		}
		ordered(t, part.Rows, len(part.Rows), at)
		at, parts = at+len(part.Rows), parts+1
	}
	if at != len(keys) || parts < 21 {
		t.Errorf("%d rows in %d parts, want %d", at, parts, len(keys))
	}
	for range c.Stream(t.Context(), client.Request{View: "payments", Keys: keys}) {
		break // leaving early ends it
	}
}

// ordered checks that rows are those of keysOf from a position on.
func ordered(t *testing.T, rows []client.Row, want, from int) {
	t.Helper()
	if len(rows) != want {
		t.Fatalf("%d rows, want %d", len(rows), want)
	}
	for i, row := range rows {
		if n, err := client.Get[int64](row, "small"); err != nil || n != int64((from+i)%users) {
			t.Fatalf("row %d: small is %d, %v, want %d", from+i, n, err, (from+i)%users)
		}
	}
}

// TestMistakes wants each mistake explained.
func TestMistakes(t *testing.T) {
	c := dial(t, client.Config{})
	one := keysOf(1)
	for name, tc := range map[string]struct {
		ask  client.Request
		code string
		hint string
	}{
		"view":          {client.Request{View: "paymets", Keys: one}, "unknown_view", "did you mean payments?"},
		"feature":       {client.Request{View: "payments", Features: []string{"amuont"}, Keys: one}, "unknown_feature", "did you mean payments:amount?"},
		"service":       {client.Request{Service: "frud", Keys: one}, "unknown_service", "did you mean fraud?"},
		"nothing":       {client.Request{Keys: one}, "invalid_argument", "name a view, features as view:feature, or a service"},
		"both":          {client.Request{View: "payments", Service: "fraud", Keys: one}, "invalid_argument", "ask for one of them"},
		"no keys":       {client.Request{View: "payments"}, "invalid_argument", "give at least one"},
		"empty key":     {client.Request{View: "payments", Keys: []client.Key{{}}}, "invalid_argument", "give the join keys of the view"},
		"uneven keys":   {client.Request{View: "payments", Keys: []client.Key{{"user": "a"}, {"usr": "a"}}}, "invalid_argument", "give every row the same join keys"},
		"more keys":     {client.Request{View: "payments", Keys: []client.Key{{"user": "a"}, {"user": "a", "b": 1}}}, "invalid_argument", "give every row the same join keys"},
		"float key":     {client.Request{View: "payments", Keys: []client.Key{{"user": 1.5}}}, "type", "keys are strings, whole numbers, bools, bytes and times"},
		"nil key":       {client.Request{View: "payments", Keys: []client.Key{{"user": nil}}}, "type", "keys are strings, whole numbers, bools, bytes and times"},
		"large key":     {client.Request{View: "payments", Keys: []client.Key{{"user": uint64(math.MaxUint64)}}}, "type", "keys are strings, whole numbers, bools, bytes and times"},
		"key's type":    {client.Request{View: "cards", Keys: []client.Key{{"user": "u1", "card": "x"}}}, "type", ""},
		"past unknown":  {client.Request{View: "payments", Keys: one, AsOf: map[string]uint64{"payments": 999}}, "invalid_argument", ""},
		"wrong joinkey": {client.Request{View: "payments", Keys: []client.Key{{"usr": "a"}}}, "invalid_argument", ""},
	} {
		_, err := c.Rows(t.Context(), tc.ask)
		var e *client.Error
		if !errors.As(err, &e) || e.Code != tc.code || tc.hint != "" && e.Hint != tc.hint {
			t.Errorf("%s: %v, want %s (%s)", name, err, tc.code, tc.hint)
		}
		streamed := error(nil)
		for _, err := range c.Stream(t.Context(), tc.ask) {
			streamed = err
		}
		if code(streamed) != tc.code {
			t.Errorf("%s: streamed: %v, want %s", name, streamed, tc.code)
		}
	}
}

// TestBatch reads many entities at once, one of which the server refuses: each caller gets
// its own answer.
func TestBatch(t *testing.T) {
	link := listen(t)
	c := dial(t, client.Config{GRPC: link.address(), Batch: client.Batch{Window: 20 * time.Millisecond}, Timeout: time.Minute})
	var wait sync.WaitGroup
	for i := 1; i < 150; i++ { // the limit of card 0 is written by another test
		wait.Go(func() {
			row, err := c.Row(t.Context(), client.Request{View: "cards", Keys: []client.Key{{"user": fmt.Sprintf("u%d", i), "card": i}}})
			if v, bad := client.Get[float64](row, "limit"); err != nil || bad != nil || v != 100.5 || row.Key["card"] != i {
				t.Errorf("row %d: %v, %v, %v", i, row.Values(), err, bad)
			}
		})
	}
	wait.Go(func() {
		if _, err := c.Row(t.Context(), client.Request{View: "cards", Keys: []client.Key{{"user": "u1", "card": "x"}}}); code(err) != "type" {
			t.Errorf("a key of the wrong type: %v", err)
		}
	})
	wait.Wait()
}
