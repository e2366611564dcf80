package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/client"
)

// TestPushCountsOnce loses the answer to a push that arrived: its rows count once.
func TestPushCountsOnce(t *testing.T) {
	var calls atomic.Int64
	lossy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		answer, err := http.Post(os.Getenv("SLUICE_SERVER")+r.URL.Path, r.Header.Get("Content-Type"), strings.NewReader(string(body)))
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		if calls.Add(1) == 1 {
			panic(http.ErrAbortHandler) // the connection is dropped
		}
		_, _ = io.Copy(w, answer.Body)
	}))
	defer lossy.Close()
	rows := nextWindow("cards", 1)
	rows[0]["limit"] = math.NaN()
	pushed, err := dial(t, client.Config{HTTP: lossy.URL, Timeout: time.Minute}).Push(t.Context(), "cards", rows)
	if err != nil || pushed.Sent != users || len(pushed.Windows) != 1 || calls.Load() != 2 {
		t.Fatalf("pushed %+v, %v in %d calls", pushed, err, calls.Load())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := dial(t, client.Config{})
	_, after, err := c.Verdicts(ctx, "cards", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Watermark(ctx, "cards", pushed.Windows[0].End.Add(10*time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		v, next, err := c.WaitVerdict(ctx, "cards", after)
		if err != nil {
			t.Fatal(err)
		}
		if after = next; !v.Window.Start.Equal(pushed.Windows[0].Start) {
			continue
		}
		if v.Rows != users {
			t.Errorf("%d rows were judged, want %d: %+v", v.Rows, users, v)
		}
		again, err := c.Verdict(ctx, v.ID)
		if err != nil || again.ID != v.ID || again.Rows != v.Rows || again.State != v.State {
			t.Errorf("verdict %s: %+v, %v, want %+v", v.ID, again, err, v)
		}
		return
	}
}

// TestPushSplits sends more rows than a body takes.
func TestPushSplits(t *testing.T) {
	var lines []int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		n := strings.Count(string(body), "\n")
		first := 0
		for _, l := range lines {
			first += l
		}
		lines = append(lines, n)
		_ = json.NewEncoder(w).Encode(map[string]any{"view": "v", "sent": n, "offsets": map[string][2]int{"w/0": {first, first + n - 1}}, "windows": []any{}})
	}))
	defer server.Close()
	c := dial(t, client.Config{HTTP: server.URL, Timeout: time.Minute})
	rows := make([]map[string]any, 11_000)
	for i := range rows {
		rows[i] = map[string]any{"user": fmt.Sprint(i)}
	}
	pushed, err := c.Push(t.Context(), "v", rows)
	if err != nil || pushed.Sent != len(rows) || pushed.Offsets["w/0"] != [2]int64{0, 10_999} || fmt.Sprint(lines) != "[5000 5000 1000]" {
		t.Errorf("pushed %+v, %v in bodies of %v lines", pushed, err, lines)
	}
	rows[1] = map[string]any{"user": func() {}}
	if _, err := c.Push(t.Context(), "v", rows); code(err) != "decode" || !strings.Contains(err.Error(), "row 1:") {
		t.Errorf("a row that JSON cannot write: %v", err)
	}
	if _, err := c.Push(t.Context(), "v", nil); code(err) != "invalid_argument" {
		t.Errorf("no rows: %v", err)
	}
}

// TestPushBackfill sends more rows than a body takes, all of them declared to be of long ago.
func TestPushBackfill(t *testing.T) {
	var queries []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.RequestURI())
		_ = json.NewEncoder(w).Encode(map[string]any{"view": "v", "sent": 1, "offsets": map[string][2]int{}, "windows": []any{}})
	}))
	defer server.Close()
	c := dial(t, client.Config{HTTP: server.URL, Timeout: time.Minute})
	rows := make([]map[string]any, 5_001)
	if pushed, err := c.PushBackfill(t.Context(), "v", rows); err != nil || pushed.Sent != 2 {
		t.Errorf("pushed %+v, %v", pushed, err)
	}
	if _, err := c.Push(t.Context(), "v", rows[:1]); err != nil {
		t.Error(err)
	}
	if want := "[/api/v1/views/v/writes?backfill=true /api/v1/views/v/writes?backfill=true /api/v1/views/v/writes]"; fmt.Sprint(queries) != want {
		t.Errorf("asked for %v, want %s", queries, want)
	}
}

// TestDecisions gets an answer to every action, and to what cannot be done.
func TestDecisions(t *testing.T) {
	c := dial(t, client.Config{})
	ctx := t.Context()
	for _, kind := range []client.Kind{client.Freeze, client.Thaw} {
		if _, err := c.Act(ctx, client.Action{Kind: kind, View: "cards", Reason: "a test"}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		versions, err := c.Versions(ctx, "cards")
		if err != nil || versions.Frozen != (kind == client.Freeze) || len(versions.Items) < good || versions.Items[0].Version != 1 {
			t.Errorf("after %s: %+v, %v", kind, versions, err)
		}
	}
	for name, tc := range map[string]struct {
		action client.Action
		code   string
	}{
		"generation": {client.Action{Kind: client.Freeze, View: "cards", Reason: "a test", IfGeneration: 1}, "conflict"},
		"view":       {client.Action{Kind: client.Freeze, View: "nothing", Reason: "a test"}, "unknown_view"},
		"kind":       {client.Action{Kind: "delete", View: "cards"}, "invalid_argument"},
		"no view":    {client.Action{Kind: client.Freeze}, "invalid_argument"},
	} {
		if _, err := c.Act(ctx, tc.action); code(err) != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
	if _, err := c.Verdict(ctx, "vd_nothing"); err == nil {
		t.Error("a verdict that is not there")
	}
	_, after, err := c.Verdicts(ctx, "payments", "")
	if err != nil || after == "" {
		t.Fatalf("the end of the verdicts is %q, %v", after, err)
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, next, err := c.WaitVerdict(short, "payments", after); !errors.Is(err, client.ErrNoNews) || next != after {
		t.Errorf("waited for nothing: %q, %v", next, err)
	}
}

// TestNewerGenerationEmpties keeps rows until an answer shows that the view moved on.
func TestNewerGenerationEmpties(t *testing.T) {
	c := dial(t, client.Config{Keep: client.Keep{Rows: 100, Fresh: time.Hour}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	read := func(i int) client.Provenance {
		t.Helper()
		row, err := c.Row(ctx, client.Request{View: "cards", Keys: []client.Key{{"user": fmt.Sprintf("u%d", i), "card": i}}})
		if err != nil {
			t.Fatal(err)
		}
		return row.Provenance("limit")
	}
	old := read(1)
	if p := read(1); !p.Cached || p.Generation != old.Generation {
		t.Fatalf("read again: %+v after %+v", p, old)
	}
	other := dial(t, client.Config{}) // somebody else acts
	for _, kind := range []client.Kind{client.Freeze, client.Thaw} {
		if _, err := other.Act(ctx, client.Action{Kind: kind, View: "cards", Reason: "a test"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := settle(ctx, other, "cards"); err != nil {
		t.Fatal(err)
	}
	if p := read(1); !p.Cached {
		t.Fatalf("nothing showed that the view moved on: %+v", p)
	}
	if p := read(2); p.Cached || p.Generation <= old.Generation {
		t.Fatalf("another row: %+v after %+v", p, old)
	}
	if p := read(1); p.Cached || p.Generation <= old.Generation {
		t.Errorf("after a newer generation: %+v", p)
	}
	if _, err := c.Act(ctx, client.Action{Kind: client.Thaw, View: "cards", Reason: "a test"}); err != nil && code(err) != "conflict" {
		t.Fatal(err)
	}
	if p := read(1); p.Cached {
		t.Errorf("after an action of its own: %+v", p)
	}
}

// TestConfig refuses what cannot work, and a token in the clear.
func TestConfig(t *testing.T) {
	for name, tc := range map[string]struct {
		config client.Config
		says   string
	}{
		"URL":          {client.Config{HTTP: "127.0.0.1:6566"}, "HTTP"},
		"address":      {client.Config{GRPC: "127.0.0.1"}, "GRPC"},
		"timeout":      {client.Config{Timeout: -1}, "Timeout"},
		"entities":     {client.Config{MaxEntities: -1}, "MaxEntities"},
		"attempts":     {client.Config{Retry: client.Retry{Attempts: -1}}, "Retry.Attempts"},
		"ratio":        {client.Config{Retry: client.Retry{Ratio: math.NaN()}}, "Retry"},
		"keep":         {client.Config{Keep: client.Keep{Fresh: time.Second}}, "Keep.Rows"},
		"batch":        {client.Config{Batch: client.Batch{Window: -1}}, "Batch"},
		"plain HTTP":   {client.Config{Token: "secret", HTTP: "http://feature.store:80", GRPC: "127.0.0.1:1"}, "HTTP: the token"},
		"plain gRPC":   {client.Config{Token: "secret", HTTP: "https://feature.store", GRPC: "feature.store:443"}, "GRPC: the token"},
		"line break":   {client.Config{Token: "secret\n"}, "Token"},
		"both at once": {client.Config{Timeout: -1, MaxEntities: -1}, "negative Timeout: -1ns\nMaxEntities"},
	} {
		_, err := client.Dial(tc.config)
		if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
	dial(t, client.Config{Token: "secret", HTTP: "http://feature.store:80", GRPC: "feature.store:1", AllowPlainToken: true})
	dial(t, client.Config{Token: "secret", HTTP: "http://[::1]:80", GRPC: "localhost:1"})
}
