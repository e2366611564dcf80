package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/client"
)

// TestRestart stops a platform and starts it again at the same place. A client that is
// patient loses no read; one that is not answers from what it read before; and both work
// again with the connections that they have, actions included, which have one try.
func TestRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	http, grpc, stop, err := start(dir, anyPort, anyPort)
	if err != nil {
		t.Fatal(err)
	}
	patient := dial(t, client.Config{HTTP: "http://" + http, GRPC: grpc, Timeout: time.Minute, Retry: client.Retry{Attempts: 100, Base: 20 * time.Millisecond, Cap: 200 * time.Millisecond, Burst: 1000}})
	hasty := dial(t, client.Config{HTTP: "http://" + http, GRPC: grpc, Keep: client.Keep{Rows: 100, LastGood: time.Hour}, Retry: client.Retry{Attempts: 1}})
	for _, step := range []func() error{
		func() error {
			return until(ctx, func() error {
				_, err := hasty.Apply(ctx, client.Definitions{Files: []client.File{{Name: "shop.yaml", Text: definition}}})
				return err
			})
		},
		func() error {
			pushed, err := patient.Push(ctx, "spend", windowRows("spend", 0, 1))
			return errors.Join(err, patient.Seal(ctx, pushed), patient.Judged(ctx, pushed), pushed.Check())
		},
		func() error { return settle(ctx, hasty, "spend") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	ask := client.Request{View: "spend", Features: []string{"country"}, Keys: keysOf(1)}
	before, err := hasty.Row(ctx, ask)
	if err != nil || before.Value("country") == nil {
		t.Fatalf("before: %v, %v", before.Values(), err)
	}

	var reads atomic.Int64
	var readers sync.WaitGroup
	reading, enough := context.WithCancel(ctx)
	for range 4 {
		readers.Go(func() {
			for reading.Err() == nil {
				row, err := patient.Row(ctx, ask)
				if err != nil || row.Value("country") != before.Value("country") || row.Provenance("country").Stale {
					t.Errorf("a read over the restart: %v, %+v, %v", row.Values(), row.Provenance("country"), err)
					return
				}
				reads.Add(1)
			}
		})
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	row, err := hasty.Row(ctx, ask)
	if p := row.Provenance("country"); err != nil || row.Value("country") != before.Value("country") || !p.Stale || p.Fallback != "client" {
		t.Errorf("while nobody answers: %v, %+v, %v", row.Values(), p, err)
	}
	if _, err := hasty.Versions(ctx, "spend"); code(err) != "unavailable" {
		t.Errorf("versions while nobody answers: %v", err)
	}
	down := reads.Load()
	if _, _, stop, err = start(dir, http, grpc); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	err = until(ctx, func() error {
		if reads.Load() < down+8 {
			return errors.New("the patient client does not read again")
		}
		row, err := hasty.Row(ctx, ask)
		if err == nil && row.Provenance("country").Stale {
			err = errors.New("the hasty client still answers from an earlier read")
		}
		return err
	})
	enough()
	readers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hasty.Act(ctx, client.Action{Kind: client.Freeze, View: "spend", Reason: "a test"}); err != nil {
		t.Errorf("an action over a connection of before: %v", err)
	}
}

// TestConnectionsAreUsedAgain counts them, on both ports.
func TestConnectionsAreUsedAgain(t *testing.T) {
	link := listen(t)
	var opened atomic.Int64
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"items":[]}`)) }))
	web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	web.Start()
	defer web.Close()
	c := dial(t, client.Config{GRPC: link.address(), HTTP: web.URL})
	for range 50 {
		if _, err := c.Rows(t.Context(), client.Request{View: "payments", Keys: keysOf(2)}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Windows(t.Context(), "v"); err != nil {
			t.Fatal(err)
		}
	}
	for range c.Stream(t.Context(), client.Request{View: "payments", Keys: keysOf(2500)}) {
	}
	if link.accepted.Load() != 1 || opened.Load() != 1 {
		t.Errorf("%d gRPC and %d HTTP connections, want one each", link.accepted.Load(), opened.Load())
	}
}

// TestRetryAfter keeps to what a server asks for, in seconds or as a time of day.
func TestRetryAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		after  func(now time.Time) string
		tries  int64
		least  time.Duration
	}{
		"seconds":           {503, func(time.Time) string { return "1" }, 2, time.Second},
		"a time of day":     {429, func(now time.Time) string { return now.Add(2 * time.Second).Format(http.TimeFormat) }, 2, time.Second},
		"past the deadline": {503, func(time.Time) string { return "120" }, 1, 0},
		"nonsense":          {429, func(time.Time) string { return "soon" }, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if calls.Add(1) == 1 {
					now := time.Now().UTC()
					w.Header().Set("Date", now.Format(http.TimeFormat))
					w.Header().Set("Retry-After", tc.after(now))
					w.WriteHeader(tc.status)
				}
				_, _ = w.Write([]byte(`{"view":"v"}`))
			}))
			defer server.Close()
			begun := time.Now()
			_, err := dial(t, client.Config{HTTP: server.URL, Timeout: time.Minute, Retry: client.Retry{Base: time.Millisecond}}).Versions(t.Context(), "v")
			if took := time.Since(begun); calls.Load() != tc.tries || took < tc.least || took > 30*time.Second || (err == nil) != (tc.tries == 2) {
				t.Errorf("%d tries in %s, %v; want %d in %s or more", calls.Load(), took, err, tc.tries, tc.least)
			}
		})
	}
}
