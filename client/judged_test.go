package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/client"
)

// TestDay defines a view, pushes good and bad windows, waits for what is decided, and asks
// for everything that there is to ask.
func TestDay(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := dial(t, client.Config{})
	text := `
project: shop
entities: [{name: user, type: string}]
views:
  - {name: day, entities: [user], features: [{name: amount, type: float64, expect: {min: 0}}, {name: country, type: string}], window: {size: 5m, lateness: 10s}}
`
	files := client.Definitions{Files: []client.File{{Name: "day.yaml", Text: text}}, Reason: "a test"}
	planned, err := c.Plan(ctx, files)
	if err != nil || planned.Generation != 0 || len(planned.Changes) == 0 || planned.Changes[len(planned.Changes)-1].Name != "day" {
		t.Fatalf("plan: %+v, %v", planned, err)
	}
	if applied, err := c.Apply(ctx, files); err != nil || applied.Generation == 0 || applied.Digest != planned.Digest {
		t.Fatalf("apply: %+v, %v, want digest %s", applied, err, planned.Digest)
	}
	push := func(rows []map[string]any) *client.Pushed {
		t.Helper()
		pushed, err := c.Push(ctx, "day", rows)
		if err == nil {
			err = c.Seal(ctx, pushed)
		}
		if err == nil {
			err = c.Judged(ctx, pushed)
		}
		if err != nil {
			t.Fatal(err)
		}
		return pushed
	}
	var rows []map[string]any
	for at := range good {
		rows = append(rows, windowRows("spend", at, 1)...)
	}
	if pushed := push(rows); pushed.Check() != nil || len(pushed.Windows) != good || pushed.Windows[0].Version != 1 {
		t.Fatalf("good windows: %+v, %v", pushed, pushed.Check())
	}

	bad := push(windowRows("spend", good, 100))
	if err := bad.Check(); !errors.Is(err, client.ErrBlocked) || !strings.Contains(err.Error(), "fail, reject, verdict "+bad.Windows[0].Verdict) {
		t.Errorf("a window of cents: %v", err)
	}
	verdict, err := c.Verdict(ctx, bad.Blocked()[0].Verdict)
	if err != nil || !strings.HasPrefix(verdict.Explain(), "version 11 of day: fail, reject\n  amount: ") {
		t.Errorf("verdict: %v, %s", err, verdict.Explain())
	}
	if ok, err := c.Verify(ctx, verdict.ID); !ok || err != nil {
		t.Errorf("verify: %v, %v", ok, err)
	}
	if _, err := c.Verify(ctx, "vd_nothing"); err == nil {
		t.Error("a verdict that is not there is verified")
	}

	refused := windowRows("spend", good+1, 1)[:3]
	for _, row := range refused {
		row["amount"] = -1.0
	}
	if pushed := push(refused); pushed.Windows[0].Decision == "publish" || pushed.Check() == nil {
		t.Errorf("a window of refused rows: %+v", pushed)
	}
	letters, err := c.DeadLetters(ctx, "day")
	if err != nil || len(letters) != 3 || letters[0].Reason != "expect" || letters[0].Feature != "amount" || len(letters[0].Bytes) == 0 {
		t.Errorf("dead letters: %+v, %v", letters, err)
	}
	views, err := c.Views(ctx)
	view, errOne := c.View(ctx, "day")
	if err != nil || errOne != nil || len(views) < 4 || view.State != "serving" || fmt.Sprint(view.Features) != "[{amount float64} {country string}]" || len(view.Raw) == 0 {
		t.Errorf("views: %v, %v, %+v", err, errOne, view)
	}
	windows, err := c.Windows(ctx, "day")
	if err != nil || len(windows) <= good || windows[0].State != "judged" || windows[0].Rows != users || !windows[0].Start.Equal(begin) {
		t.Errorf("windows: %v, %+v", err, windows)
	}
	if w, err := c.WaitWindow(ctx, "day", begin); err != nil || w.Version != 1 {
		t.Errorf("wait for a window that is judged: %+v, %v", w, err)
	}
	alerts, err := c.Alerts(ctx)
	if err != nil || !strings.Contains(fmt.Sprintf("%+v", alerts), "Kind:fail View:day Version:11 Verdict:"+verdict.ID) {
		t.Errorf("alerts: %+v, %v", alerts, err)
	}
	if _, err := c.Act(ctx, client.Action{Kind: client.Freeze, View: "day", Reason: "a pause", By: "eve"}); err != nil {
		t.Fatal(err)
	}
	audits, err := c.Audits(ctx)
	if err != nil || !strings.Contains(fmt.Sprintf("%+v", audits), "By:eve Action:freeze View:day") {
		t.Errorf("audits: %+v, %v", audits, err)
	}
}

// TestJudgedWaits gives up on a window that stays open when its time is over.
func TestJudgedWaits(t *testing.T) {
	c := dial(t, client.Config{})
	pushed, err := c.Push(t.Context(), "cards", windowRows("cards", 40, 1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := c.Judged(ctx, pushed); !errors.Is(err, client.ErrNoNews) || !strings.Contains(err.Error(), "Seal") {
		t.Errorf("a window that is open: %v", err)
	}
	short, end := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer end()
	if _, err := c.WaitWindow(short, "cards", pushed.Windows[0].Start); !errors.Is(err, client.ErrNoNews) {
		t.Errorf("wait for a window that is open: %v", err)
	}
	if _, err := c.Plan(t.Context(), client.Definitions{}); code(err) != "invalid_argument" {
		t.Errorf("no definitions: %v", err)
	}
	if _, err := c.Apply(t.Context(), client.Definitions{Files: []client.File{{Name: "x.yaml", Text: "project: ["}}}); code(err) != "invalid_argument" || !strings.Contains(err.Error(), "x.yaml") {
		t.Errorf("definitions that are none: %v", err)
	}
}

// TestClock reads a clock that was never set, and sends the time to set one to.
func TestClock(t *testing.T) {
	c := dial(t, client.Config{})
	if now, err := c.Clock(t.Context()); err != nil || !now.IsZero() {
		t.Fatalf("a manual clock that was never set shows %s, %v", now, err)
	}
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		body = string(text)
		_, _ = w.Write(text)
	}))
	defer server.Close()
	if err := dial(t, client.Config{HTTP: server.URL}).SetClock(t.Context(), begin); err != nil || body != `{"now":"2026-11-01T00:00:00Z"}` {
		t.Errorf("set the clock: %v, sent %s", err, body)
	}
}
