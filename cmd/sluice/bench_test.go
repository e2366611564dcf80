package main

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestBenchServe measures a server that answers every third request with an error.
func TestBenchServe(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var in struct {
			Features []string
			Entities map[string][]any
		}
		if err != nil || json.Unmarshal(body, &in) != nil || len(in.Features) != 2 || len(in.Entities["user_id"]) != 3 {
			t.Errorf("asked with %s, %v", body, err)
		}
		if asked.Add(1)%3 == 0 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	args := []string{"bench", "serve", "--over", "http", "--address", server.Listener.Addr().String(), "--features", "users:age,users:visits",
		"--key", "user_id=u{0..9}", "--entities", "3", "--clients", "2", "--warmup", "0s", "--duration", "300ms"}
	code, out, errs := command(t, append(args, "--format", "json", "--rate", "100")...)
	var report benchReport
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitDone {
		t.Fatalf("bench serve gave %d, %q, %q: %v", code, out, errs, err)
	}
	if report.Answered != 20 || report.Failed != 10 || report.Unanswered != 0 || report.Loop != "open" || report.Max < report.P50 || report.P50 <= 0 {
		t.Errorf("report is %+v, want 20 answered and 10 failed", report)
	}
	code, out, errs = command(t, args...)
	if code != exitDone || !strings.HasPrefix(out, "closed loop over http, 2 clients, 3 entities a request, 0.3 s\n") || !strings.Contains(out, "busy") || !strings.Contains(out, "p99.9") {
		t.Errorf("bench serve gave %d, %q, %q", code, out, errs)
	}
}

// TestBenchServeRefuses wants flags that make no sense refused before anybody is asked.
func TestBenchServeRefuses(t *testing.T) {
	good := map[string]string{"--features": "users:age", "--key": "user_id=u{0..9}", "--duration": "1s"}
	for name, tc := range map[string]struct{ flag, value, want string }{
		"another machine": {"--address", "192.0.2.1:6565", "--allow-remote"},
		"no address":      {"--address", "here", "not this machine"},
		"both":            {"--service", "model", "one of the two"},
		"no keys":         {"--key", "", "--key"},
		"key form":        {"--key", "user_id", "NAME=TEXT{FROM..TO}"},
		"key range":       {"--key", "user_id={9..1}", "below"},
		"key text":        {"--key", "user_id:int64=u{0..9}", "no text"},
		"key too large":   {"--key", "user_id={0..99999999999999999999}", "out of range"},
		"no entities":     {"--entities", "0", "--entities"},
		"too much":        {"--entities", "20000", "fewer entities"},
		"clients":         {"--clients", "100000", "clients"},
		"rate":            {"--rate", "-5", "rate"},
		"time":            {"--duration", "0s", "duration"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"bench", "serve", tc.flag + "=" + tc.value}
			for flag, value := range good {
				if flag != tc.flag {
					args = append(args, flag+"="+value)
				}
			}
			if code, out, errs := command(t, args...); code != exitUsage || !strings.Contains(errs, tc.want) {
				t.Errorf("%q gave %d, %q, %q, want %q", args, code, out, errs, tc.want)
			}
		})
	}
}

func TestKeyColumn(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for text, want := range map[string]any{"id={7..7}": int64(7), "id:string={7..7}": "7", "id=a{-7..-7}b": "a-7b", "id:int64={7..7}": int64(7)} {
		c, err := keyColumn(text)
		if err != nil || c.Name != "id" || c.Key(rng) != want {
			t.Errorf("keyColumn(%s) = %q, %v, want %v", text, c.Name, err, want)
		}
	}
}
