package client_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"sluice/client"
)

// TestContext reads computed features with one context for all rows and with one a row,
// in every form of read.
func TestContext(t *testing.T) {
	c := dial(t, client.Config{Timeout: time.Minute, Keep: client.Keep{Rows: 1000, Fresh: time.Hour}})
	const rows = 2500
	keys, each := make([]client.Key, rows), make([]map[string]any, rows)
	for i := range rows {
		keys[i] = client.Key{"user": fmt.Sprintf("u%d", 1+i%190), "card": 1 + i%190}
		each[i] = map[string]any{"asked": i % 90}
	}
	left := func(what string, column string, row client.Row, asked float64) {
		t.Helper()
		if v, err := client.Get[float64](row, column); err != nil || v != 100.5-asked {
			t.Fatalf("%s: %s of %v is %g, %v, want %g", what, column, row.Key, v, err, 100.5-asked)
		}
	}
	for range 2 { // what depends on a context is not kept
		for _, asked := range []any{40.0, 41, float32(42)} {
			got, err := c.Rows(t.Context(), client.Request{View: "cards", Features: []string{"left", "low"}, Keys: keys[:3], Context: map[string]any{"asked": asked}})
			if err != nil || got.Rows[0].Value("low") != false {
				t.Fatalf("%v, %v", got, err)
			}
			left("one for all", "left", got.Rows[2], map[any]float64{40.0: 40, 41: 41, float32(42): 42}[asked])
		}
	}
	got, err := c.Rows(t.Context(), client.Request{Service: "payment", Keys: keys, Contexts: each})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range got.All() {
		left("one a row of a service", "cards:left", row, float64(i%90))
	}
	at := 0
	for part, err := range c.Stream(t.Context(), client.Request{View: "cards", Features: []string{"left"}, Keys: keys, Contexts: each}) {
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range part.All() {
			left("stream", "left", row, float64((at+i)%90))
		}
		at += len(part.Rows)
	}
	if at != rows {
		t.Errorf("%d rows of a stream, want %d", at, rows)
	}

	batched := dial(t, client.Config{Timeout: time.Minute, Batch: client.Batch{Window: 20 * time.Millisecond}})
	var wait sync.WaitGroup
	for i := range 100 {
		wait.Go(func() {
			row, err := batched.Row(t.Context(), client.Request{View: "cards", Features: []string{"left"}, Keys: keys[i : i+1], Context: each[i]})
			if v := row.Value("left"); err != nil || v != 100.5-float64(i%90) {
				t.Errorf("batched: %v, %v", v, err)
			}
		})
	}
	wait.Wait()

	for name, tc := range map[string]struct {
		ask  client.Request
		code string
	}{
		"missing":    {client.Request{View: "cards", Features: []string{"left"}, Keys: keys[:1]}, "invalid_argument"},
		"unknown":    {client.Request{View: "cards", Features: []string{"left"}, Keys: keys[:1], Context: map[string]any{"asked": 1, "more": 2}}, "invalid_argument"},
		"too few":    {client.Request{View: "cards", Features: []string{"left"}, Keys: keys[:3], Contexts: each[:2]}, "invalid_argument"},
		"both":       {client.Request{View: "cards", Features: []string{"left"}, Keys: keys[:1], Contexts: each[:1], Context: each[0]}, "invalid_argument"},
		"uneven":     {client.Request{View: "cards", Features: []string{"left"}, Keys: keys[:2], Contexts: []map[string]any{{"asked": 1}, {}}}, "invalid_argument"},
		"wrong type": {client.Request{View: "cards", Features: []string{"left"}, Keys: keys[:1], Context: map[string]any{"asked": "x"}}, "type"},
		"no value":   {client.Request{View: "cards", Features: []string{"left"}, Keys: keys[:1], Context: map[string]any{"asked": func() {}}}, "type"},
	} {
		if _, err := c.Rows(t.Context(), tc.ask); code(err) != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
}
