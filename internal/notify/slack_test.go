package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack/slacktest"
)

const testToken = "xoxb-hidden"

// server is slacktest's server with the routes that it lacks: it notes each
// call's form, and answers the calls that refuse names in its own way.
type server struct {
	*slacktest.Server
	mu     sync.Mutex
	calls  []string // path and form
	forms  []url.Values
	heads  []http.Header
	refuse map[int]http.HandlerFunc // by number of the call, from 1
	seen   chan struct{}
}

func newServer(t *testing.T, refuse map[int]http.HandlerFunc) *server {
	t.Helper()
	s := &server{refuse: refuse, seen: make(chan struct{}, 100)}
	s.Server = slacktest.NewTestServer(func(c slacktest.Customize) {
		c.Handle("/chat.postMessage", s.handle)
		c.Handle("/chat.update", s.handle)
	})
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.calls = append(s.calls, strings.TrimPrefix(r.URL.Path, "/"))
	s.forms = append(s.forms, r.Form)
	s.heads = append(s.heads, r.Header)
	if refuse := s.refuse[len(s.calls)]; refuse != nil {
		refuse(w, r)
	} else {
		fmt.Fprintf(w, `{"ok":true,"channel":"C024BE91L","ts":"1700000000.%06d"}`, len(s.calls))
	}
	s.seen <- struct{}{}
}

// wait returns the calls once there are n.
func (s *server) wait(t *testing.T, n int) ([]string, []url.Values) {
	t.Helper()
	for range n {
		select {
		case <-s.seen:
		case <-time.After(30 * time.Second):
			t.Fatalf("saw %v, want %d calls", s.calls, n)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.forms
}

func start(t *testing.T, s *server) (*box, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	b := newBox()
	n := New(Config{Token: testToken, Channel: "alerts", APIURL: s.GetAPIURL()}, b, slog.New(slog.NewTextHandler(&log, nil)), nil)
	n.every = 0 // TestOneMessageASecond is about the pace
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run gave %v, want nil", err)
		}
		if strings.Contains(log.String(), "hidden") {
			t.Errorf("log shows the token: %s", log.String())
		}
	})
	return b, &log
}

func TestSlack(t *testing.T) {
	s := newServer(t, nil)
	b, _ := start(t, s)
	b.add(Event{Kind: Fail, View: "payments", Version: 12, ServedVersion: 11, Text: "a < b & c", Key: "k"})
	s.wait(t, 2)
	b.add(Event{Kind: Recovered, View: "payments", Resolved: true, ServedVersion: 13, Key: "k"})
	calls, forms := s.wait(t, 2)
	equal(t, calls, "chat.postMessage", "chat.postMessage", "chat.update", "chat.postMessage")
	for i, want := range []map[string]string{
		{"channel": "alerts", "ts": "", "thread_ts": ""},
		{"channel": "C024BE91L", "thread_ts": "1700000000.000001"},
		{"channel": "C024BE91L", "ts": "1700000000.000001"},
		{"channel": "C024BE91L", "thread_ts": "1700000000.000001"},
	} {
		for key, value := range want {
			if got := forms[i].Get(key); got != value {
				t.Errorf("call %d: %s = %q, want %q", i, key, got, value)
			}
		}
		if forms[i].Get("text") == "" || !strings.Contains(forms[i].Get("blocks"), `"plain_text"`) {
			t.Errorf("call %d has text %q and blocks %q, want both", i, forms[i].Get("text"), forms[i].Get("blocks"))
		}
	}
	if got := forms[0].Get("blocks"); strings.Contains(got, "&amp;") {
		t.Errorf("plain text is escaped as if it were markup: %s", got)
	}
}

func TestFallbackTextIsEscaped(t *testing.T) {
	s := newServer(t, nil)
	b, _ := start(t, s)
	b.add(Event{Kind: Fail, View: "<!channel>&"})
	_, forms := s.wait(t, 1)
	if got := forms[0].Get("text"); !strings.HasPrefix(got, "&lt;!channel&gt;&amp;") {
		t.Errorf("text %q, want it escaped", got)
	}
}

func TestTooManyRequests(t *testing.T) {
	s := newServer(t, map[int]http.HandlerFunc{1: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}})
	b, log := start(t, s)
	before := time.Now()
	b.add(blocked("payments", 1))
	calls, _ := s.wait(t, 2)
	equal(t, calls, "chat.postMessage", "chat.postMessage")
	if took := time.Since(before); took < time.Second {
		t.Errorf("tried again after %s, Slack asked for 1s", took)
	}
	s.wait(t, 1)
	if log.Len() != 0 {
		t.Errorf("log %q, want nothing: the retry worked", log.String())
	}
}

// TestAnswerLost: Slack has taken a message, and its answer is lost. The message comes again,
// and both say by which notice they came.
func TestAnswerLost(t *testing.T) {
	s := newServer(t, map[int]http.HandlerFunc{1: func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}})
	b, _ := start(t, s)
	b.add(blocked("payments", 1))
	calls, forms := s.wait(t, 3)
	equal(t, calls, "chat.postMessage", "chat.postMessage", "chat.postMessage")
	for i, form := range forms {
		if !strings.Contains(strings.ToLower(form.Get("blocks")), "notice n1") {
			t.Errorf("call %d does not name its notice: %s", i, form.Get("blocks"))
		}
	}
	if forms[0].Get("thread_ts") != "" || forms[1].Get("thread_ts") != "" || forms[2].Get("thread_ts") == "" {
		t.Errorf("threads %q, %q and %q, want the message twice and then its details", forms[0].Get("thread_ts"), forms[1].Get("thread_ts"), forms[2].Get("thread_ts"))
	}
}

func TestSlackErrors(t *testing.T) {
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
	}
	s := newServer(t, map[int]http.HandlerFunc{
		1: answer(`{"ok":false,"error":"channel_not_found"}`),
		2: answer(`{"ok":false,"error":"token ` + testToken + ` is revoked"}`),
		3: answer(`{"ok":false,"error":"message_not_found"}`),
		4: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
	})
	c := newSlackChannel(Config{Token: testToken, Channel: "alerts", APIURL: s.GetAPIURL()})
	m := summary([]Event{blocked("payments", 1)}, "")
	if _, err := c.post(t.Context(), m); err == nil || !strings.Contains(err.Error(), "post message in alerts: channel_not_found") {
		t.Errorf("post gave %v", err)
	}
	if _, err := c.post(t.Context(), m); err == nil || strings.Contains(err.Error(), testToken) {
		t.Errorf("post gave %v, want an error without the token", err)
	}
	if err := c.update(t.Context(), ref{"C1", "1"}, m); !errors.Is(err, errGone) {
		t.Errorf("update gave %v, want errGone", err)
	}
	if err := c.reply(t.Context(), ref{"C1", "1"}, m); err == nil {
		t.Error("reply to a broken server gave no error")
	}
}
