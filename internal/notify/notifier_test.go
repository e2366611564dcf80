package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/slack-go/slack"
)

// chat stands for Slack: it notes what was sent when, and fails as told.
type chat struct {
	start time.Time
	lines []string
	times []time.Duration
	fail  func(call int) error
}

func (c *chat) call(line string) error {
	c.lines = append(c.lines, line)
	c.times = append(c.times, time.Since(c.start))
	if c.fail != nil {
		return c.fail(len(c.lines))
	}
	return nil
}

func (c *chat) post(_ context.Context, m message) (ref, error) {
	if err := c.call("post " + head(m)); err != nil {
		return ref{}, err
	}
	return ref{"C1", fmt.Sprint(len(c.lines))}, nil
}

func (c *chat) update(_ context.Context, r ref, m message) error {
	return c.call("update " + r.timestamp + " " + head(m))
}

func (c *chat) reply(_ context.Context, r ref, m message) error {
	return c.call(fmt.Sprintf("reply %s with %d", r.timestamp, len(m.blocks)))
}

func head(m message) string { return m.blocks[0].(*slack.HeaderBlock).Text.Text }

// run gives a Notifier to fn inside a bubble of fake time, and returns what the
// chat saw and the log.
func run(t *testing.T, fail func(call int) error, fn func(n *Notifier)) (*chat, string) {
	t.Helper()
	var log bytes.Buffer
	c := &chat{fail: fail}
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Token: "xoxb-hidden", Channel: "alerts"}, slog.New(slog.NewTextHandler(&log, nil)), nil)
		c.start = time.Now()
		n.channel = c
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		synctest.Wait()
		fn(n)
		time.Sleep(time.Hour) // fake: long enough for every retry
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run gave %v, want nil", err)
		}
	})
	return c, log.String()
}

func blocked(view string, version int) Event {
	return Event{Kind: Fail, View: view, Version: 12, Text: fmt.Sprintf("window %d failed", version), ServedVersion: 11, Key: view}
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestOneMessagePerIncident(t *testing.T) {
	c, _ := run(t, nil, func(n *Notifier) {
		n.Notify(t.Context(), blocked("payments", 1))
		time.Sleep(time.Minute) // fake
		n.Notify(t.Context(), blocked("payments", 2))
		time.Sleep(time.Minute)
		n.Notify(t.Context(), Event{Kind: Recovered, View: "payments", Resolved: true, ServedVersion: 14, Key: "payments"})
		time.Sleep(time.Minute)
		n.Notify(t.Context(), blocked("payments", 3))
	})
	equal(t, c.lines,
		"post payments: version 12 blocked", "reply 1 with 1",
		"update 1 payments: version 12 blocked", "reply 1 with 1",
		"update 1 payments: recovered", "reply 1 with 1",
		"post payments: version 12 blocked", "reply 7 with 1")
}

func TestOneMessageASecond(t *testing.T) {
	c, _ := run(t, nil, func(n *Notifier) {
		for i := range 10 {
			n.Notify(t.Context(), blocked(fmt.Sprintf("view_%d", i), 1))
		}
	})
	if len(c.times) != 20 {
		t.Fatalf("%d messages, want 10 and a reply each", len(c.times))
	}
	for i := 1; i < len(c.times); i++ {
		if gap := c.times[i] - c.times[i-1]; gap < interval {
			t.Errorf("message %d came %s after the one before, want at least %s", i, gap, interval)
		}
	}
	if last := c.times[len(c.times)-1]; last != 19*interval {
		t.Errorf("20 messages took %s, want %s", last, 19*interval)
	}
}

func TestCoalescing(t *testing.T) {
	c, _ := run(t, nil, func(n *Notifier) {
		n.Notify(t.Context(), blocked("flights", 1))
		for i := range 100 {
			n.Notify(t.Context(), blocked("payments", i))
		}
		if got := testutil.ToFloat64(n.metrics.sent.WithLabelValues("slack", "coalesced")); got != 99 {
			t.Errorf("coalesced %v events, want 99", got)
		}
	})
	equal(t, c.lines,
		"post flights: version 12 blocked", "reply 1 with 1",
		"post payments: version 12 blocked", "reply 3 with 5") // four events and how many more
}

func TestDelivery(t *testing.T) {
	broken := errors.New("no route to xoxb")
	for name, tc := range map[string]struct {
		fail func(call int) error
		want []string
	}{
		"a failed post is tried again": {
			func(call int) error {
				if call <= 2 {
					return broken
				}
				return nil
			},
			[]string{"post a: version 12 blocked", "post a: version 12 blocked", "post a: version 12 blocked", "reply 3 with 1"},
		},
		"a failed reply keeps the message": {
			func(call int) error {
				if call == 2 {
					return broken
				}
				return nil
			},
			[]string{"post a: version 12 blocked", "reply 1 with 1", "update 1 a: version 12 blocked", "reply 1 with 1"},
		},
		"a deleted message is sent anew": {
			func(call int) error {
				if call == 2 {
					return fmt.Errorf("reply: %w", errGone)
				}
				return nil
			},
			[]string{"post a: version 12 blocked", "reply 1 with 1", "post a: version 12 blocked", "reply 3 with 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, log := run(t, tc.fail, func(n *Notifier) { n.Notify(t.Context(), blocked("a", 1)) })
			equal(t, c.lines, tc.want...)
			if !strings.Contains(log, "alert not sent") {
				t.Errorf("log %q does not say that a message was not sent", log)
			}
		})
	}
}

func TestGivingUpLogsTheEvent(t *testing.T) {
	var m *metrics
	c, log := run(t, func(int) error { return errors.New("down") }, func(n *Notifier) {
		m = n.metrics
		n.Notify(t.Context(), blocked("a", 1))
	})
	for outcome, want := range map[string]float64{"sent": 0, "failed": maxAttempts, "dropped": 1} {
		if got := testutil.ToFloat64(m.sent.WithLabelValues("slack", outcome)); got != want {
			t.Errorf("counted %v %s, want %v", got, outcome, want)
		}
	}
	if len(c.lines) != maxAttempts || !strings.Contains(log, "window 1 failed") {
		t.Errorf("%d attempts and log %q, want %d and the event", len(c.lines), log, maxAttempts)
	}
}

func TestBrokenIncidentDoesNotHoldOthers(t *testing.T) {
	c, _ := run(t, func(call int) error {
		if call == 1 {
			return errors.New("down")
		}
		return nil
	}, func(n *Notifier) {
		n.Notify(t.Context(), blocked("a", 1))
		n.Notify(t.Context(), blocked("b", 1))
	})
	equal(t, c.lines, "post a: version 12 blocked", "post b: version 12 blocked", "reply 2 with 1", "post a: version 12 blocked", "reply 4 with 1")
}

func TestOpenIncidentsAreBounded(t *testing.T) {
	q := queue{open: map[string]*incident{}}
	dropped := 0
	for i := range maxIncidents + 5 {
		_, d := q.add(blocked(fmt.Sprint(i), 1), time.Unix(int64(i), 0))
		dropped += d
	}
	if len(q.open) != maxIncidents || len(q.waiting) != maxIncidents || dropped != 5 || q.open["4"] != nil {
		t.Errorf("%d open, %d waiting, %d dropped, want %d, %d, 5 and the oldest gone", len(q.open), len(q.waiting), dropped, maxIncidents, maxIncidents)
	}
}

func TestWithoutToken(t *testing.T) {
	var log bytes.Buffer
	n := New(Config{}, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry())
	n.Notify(t.Context(), blocked("payments", 1))
	for _, want := range []string{"level=WARN", `msg="payments: version 12 blocked"`, "view=payments", "version=12", "served_version=11"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log %q lacks %q", log.String(), want)
		}
	}
	if got := testutil.ToFloat64(n.metrics.sent.WithLabelValues("log", "sent")); got != 1 {
		t.Errorf("counted %v events, want 1", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Run(ctx); err != nil {
		t.Errorf("Run gave %v, want nil", err)
	}
}
