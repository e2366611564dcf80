package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
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
	hangs int // the call that is not answered
}

func (c *chat) call(line string) error {
	c.lines = append(c.lines, line)
	c.times = append(c.times, time.Since(c.start))
	if c.fail != nil {
		return c.fail(len(c.lines))
	}
	return nil
}

func (c *chat) post(ctx context.Context, m message) (ref, error) {
	if err := c.call("post " + head(m)); err != nil {
		return ref{}, err
	}
	if len(c.lines) == c.hangs {
		<-ctx.Done()
		return ref{}, ctx.Err()
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

// box is an outbox in memory. TestOutbox of cmd/sluice/app is about the one in the registry.
type box struct {
	mu      sync.Mutex
	n       int
	events  []Event
	told    []string
	changed chan struct{}
	broken  func(operation string) error
	metrics *metrics // of the Notifier that reads it
}

func newBox() *box { return &box{changed: make(chan struct{})} }

// add puts an event in, recorded now if it does not say when.
func (b *box) add(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	e.ID = fmt.Sprintf("n%d", b.n)
	if e.At.IsZero() {
		e.At = time.Now()
	}
	b.events = append(b.events, e)
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *box) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *box) fails(operation string) error {
	if b.broken == nil {
		return nil
	}
	return b.broken(operation)
}

func (b *box) Waiting(_ context.Context, limit int) ([]Event, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events[:min(limit, len(b.events))]), b.fails("read")
}

func (b *box) Told(_ context.Context, ids ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fails("told"); err != nil {
		return err
	}
	b.events = slices.DeleteFunc(b.events, func(e Event) bool { return slices.Contains(ids, e.ID) })
	b.told = append(b.told, ids...)
	return nil
}

// left is how many events wait.
func (b *box) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.events)
}

// run gives the box of a Notifier to fn inside a bubble of fake time, and returns what the
// chat saw and the log.
func run(t *testing.T, fail func(call int) error, fn func(b *box)) (*chat, string) {
	t.Helper()
	var log bytes.Buffer
	c := &chat{fail: fail}
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		n := New(Config{Token: "xoxb-hidden", Channel: "alerts"}, b, slog.New(slog.NewTextHandler(&log, nil)), nil)
		c.start = time.Now()
		n.channel, b.metrics = c, n.metrics
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		synctest.Wait()
		fn(b)
		time.Sleep(25 * time.Hour) // fake: long enough for every retry
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
	c, _ := run(t, nil, func(b *box) {
		b.add(blocked("payments", 1))
		time.Sleep(time.Minute) // fake
		b.add(blocked("payments", 2))
		time.Sleep(time.Minute)
		b.add(Event{Kind: Recovered, View: "payments", Resolved: true, ServedVersion: 14, Key: "payments"})
		time.Sleep(time.Minute)
		b.add(blocked("payments", 3))
	})
	equal(t, c.lines,
		"post payments: version 12 blocked", "reply 1 with 1",
		"update 1 payments: version 12 blocked", "reply 1 with 1",
		"update 1 payments: recovered", "reply 1 with 1",
		"post payments: version 12 blocked", "reply 7 with 1")
}

func TestOneMessageASecond(t *testing.T) {
	c, _ := run(t, nil, func(b *box) {
		for i := range 10 {
			b.add(blocked(fmt.Sprintf("view_%d", i), 1))
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
	if took := c.times[len(c.times)-1] - c.times[0]; took != 19*interval {
		t.Errorf("20 messages took %s, want %s", took, 19*interval)
	}
}

func TestCoalescing(t *testing.T) {
	c, _ := run(t, nil, func(b *box) {
		b.add(blocked("flights", 1))
		for i := range 100 {
			b.add(blocked("payments", i))
		}
		time.Sleep(time.Minute) // fake
		if got := testutil.ToFloat64(b.metrics.sent.WithLabelValues("slack", "coalesced")); got != 99 || b.left() != 0 {
			t.Errorf("coalesced %v events and left %d, want 99 and 0", got, b.left())
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
			c, log := run(t, tc.fail, func(b *box) { b.add(blocked("a", 1)) })
			equal(t, c.lines, tc.want...)
			if !strings.Contains(log, "alert not sent") {
				t.Errorf("log %q does not say that a message was not sent", log)
			}
		})
	}
}

// TestGivingUp: a chat that never answers is asked for a day and no longer, with ever longer
// pauses, and what it was not told is logged.
func TestGivingUp(t *testing.T) {
	var last *box
	c, log := run(t, func(int) error { return errors.New("down") }, func(b *box) {
		last = b
		b.add(blocked("a", 1))
		time.Sleep(time.Hour) // fake
		if got := testutil.ToFloat64(b.metrics.waiting); got != 1 || b.left() != 1 {
			t.Errorf("after an hour %v wait by the metric and %d in the outbox, want 1", got, b.left())
		}
	})
	for outcome, want := range map[string]float64{"sent": 0, "failed": float64(len(c.lines)), "dropped": 1} {
		if got := testutil.ToFloat64(last.metrics.sent.WithLabelValues("slack", outcome)); got != want {
			t.Errorf("counted %v %s, want %v", got, outcome, want)
		}
	}
	if most := int(maxAge/lastBackoff) + 10; len(c.lines) > most || len(c.lines) < most/2 || c.times[len(c.times)-1] > maxAge {
		t.Errorf("%d attempts until %s, want at most %d within %s", len(c.lines), c.times[len(c.times)-1], most, maxAge)
	}
	if !strings.Contains(log, "alert given up") || !strings.Contains(log, "window 1 failed") || last.left() != 0 {
		t.Errorf("log %q and %d left, want the event and nothing", log[max(0, len(log)-500):], last.left())
	}
}

// TestOldNews: what a process finds that waited for longer than a day, after a long stop,
// does not reach the chat; what is younger does.
func TestOldNews(t *testing.T) {
	c, log := run(t, nil, func(b *box) {
		for name, age := range map[string]time.Duration{"month": 30 * 24 * time.Hour, "day": maxAge + time.Second, "hour": time.Hour} {
			e := blocked(name, 1)
			e.At = time.Now().Add(-age)
			b.add(e)
		}
	})
	equal(t, c.lines, "post hour: version 12 blocked", "reply 1 with 1")
	if strings.Count(log, "alert given up") != 2 {
		t.Errorf("log %q, want two events given up", log)
	}
}

// TestToldIsNotedLater: people were told, and the outbox does not take it. They are not told
// again, by this process.
func TestToldIsNotedLater(t *testing.T) {
	c, _ := run(t, nil, func(b *box) {
		down := true
		b.broken = func(operation string) error {
			if down && operation == "told" {
				return errors.New("down")
			}
			return nil
		}
		b.add(blocked("a", 1))
		time.Sleep(time.Minute) // fake
		b.mu.Lock()
		down = false
		b.mu.Unlock()
		b.add(blocked("b", 1))
		time.Sleep(time.Minute)
		if b.left() != 0 {
			t.Errorf("%d events are left, want none", b.left())
		}
	})
	equal(t, c.lines, "post a: version 12 blocked", "reply 1 with 1", "post b: version 12 blocked", "reply 3 with 1")
}

// TestChatHangs: a chat that takes a call and never answers holds nobody up for longer than
// its patience.
func TestChatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBox(), &chat{start: time.Now(), hangs: 1}
		n := New(Config{Token: "xoxb-hidden", Channel: "alerts"}, b, slog.New(slog.DiscardHandler), nil)
		n.channel = c
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		b.add(blocked("a", 1))
		time.Sleep(2 * patience) // fake
		stop()
		if err := <-done; err != nil || b.left() != 0 {
			t.Errorf("Run = %v and %d are left, want nil and none", err, b.left())
		}
		equal(t, c.lines, "post a: version 12 blocked", "post a: version 12 blocked", "reply 2 with 1")
	})
}

// TestTakeOver: the process that tells stops, before it could tell or after. Another tells
// what waits, and nothing that was told.
func TestTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		first := &chat{start: time.Now(), fail: func(call int) error {
			if call > 2 {
				return errors.New("down")
			}
			return nil
		}}
		second := &chat{start: time.Now()}
		for _, c := range []*chat{first, second} {
			n := New(Config{Token: "xoxb-hidden", Channel: "alerts"}, b, slog.New(slog.DiscardHandler), nil)
			n.channel = c
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- n.Run(ctx) }()
			if c == first {
				b.add(blocked("told", 1))
				time.Sleep(time.Minute) // fake
				b.add(blocked("untold", 1))
			}
			time.Sleep(time.Minute)
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		equal(t, first.lines[:2], "post told: version 12 blocked", "reply 1 with 1")
		equal(t, second.lines, "post untold: version 12 blocked", "reply 1 with 1")
		if b.left() != 0 || !slices.Equal(b.told, []string{"n1", "n2"}) {
			t.Errorf("%d are left and %v were told, want each once", b.left(), b.told)
		}
	})
}

func TestBrokenIncidentDoesNotHoldOthers(t *testing.T) {
	c, _ := run(t, func(call int) error {
		if call == 1 {
			return errors.New("down")
		}
		return nil
	}, func(b *box) {
		b.add(blocked("a", 1))
		b.add(blocked("b", 1))
	})
	equal(t, c.lines, "post a: version 12 blocked", "post b: version 12 blocked", "reply 2 with 1", "post a: version 12 blocked", "reply 4 with 1")
}

func TestIncidentsAreBounded(t *testing.T) {
	q := queue{incidents: map[string]*incident{}}
	for i := range maxIncidents + 5 {
		q.incident(fmt.Sprint(i), time.Unix(int64(i), 0))
	}
	if len(q.incidents) != maxIncidents || q.incidents["4"] != nil || q.incidents["5"] == nil {
		t.Errorf("%d are remembered, want %d and the oldest gone", len(q.incidents), maxIncidents)
	}
}

func TestWithoutToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBox()
		n := New(Config{}, b, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		b.add(blocked("payments", 1))
		time.Sleep(time.Second) // fake
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run gave %v, want nil", err)
		}
		for _, want := range []string{"level=WARN", `msg="payments: version 12 blocked"`, "view=payments", "version=12", "served_version=11", "notice=n1"} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("log %q has not %q once", log.String(), want)
			}
		}
		if got := testutil.ToFloat64(n.metrics.sent.WithLabelValues("log", "sent")); got != 1 || b.left() != 0 {
			t.Errorf("counted %v events, and %d are left, want 1 and none", got, b.left())
		}
	})
}
