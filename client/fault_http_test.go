package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/client"
)

// TestRetriedHTTP counts the tries that each answer gets: an action gets one, since it may
// have arrived.
func TestRetriedHTTP(t *testing.T) {
	for name, tc := range map[string]struct {
		status       int
		header, body string
		tries, acted int64
		code         string
	}{
		"draining":       {503, "", `{"error":{"code":"unavailable","message":"no","hint":"h"}}`, 3, 1, "unavailable"},
		"balancer":       {502, "", "<html>", 3, 1, "unavailable"},
		"shed":           {429, "Retry-After: 0", `{"error":{"code":"limit","message":"no"}}`, 3, 1, "limit"},
		"limit":          {429, "", `{"error":{"code":"limit","message":"no"}}`, 1, 1, "limit"},
		"refused":        {503, "Sluice-Refused: true", `{"error":{"code":"unavailable","message":"no"}}`, 1, 1, "unavailable"},
		"conflict":       {409, "", `{"error":{"code":"conflict","message":"no"}}`, 1, 1, "conflict"},
		"no Sluice":      {404, "", "not here", 1, 1, "internal"},
		"led elsewhere":  {302, "Location: http://127.0.0.1:9/", "", 1, 1, "internal"},
		"no JSON though": {200, "", "<html>", 1, 1, "decode"},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				if name, value, ok := strings.Cut(tc.header, ": "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer server.Close()
			c := dial(t, client.Config{HTTP: server.URL, Timeout: time.Minute, Retry: client.Retry{Attempts: 3, Base: time.Millisecond}})
			if _, err := c.Versions(t.Context(), "v"); code(err) != tc.code || errors.Is(err, client.ErrRefused) != (name == "refused") {
				t.Errorf("%v, want %s", err, tc.code)
			}
			if got := calls.Swap(0); got != tc.tries {
				t.Errorf("%d tries, want %d", got, tc.tries)
			}
			if _, err := c.Act(t.Context(), client.Action{Kind: client.Freeze, View: "v"}); code(err) != tc.code {
				t.Errorf("action: %v, want %s", err, tc.code)
			}
			if got := calls.Load(); got != tc.acted {
				t.Errorf("%d tries of an action, want %d", got, tc.acted)
			}
		})
	}
}
