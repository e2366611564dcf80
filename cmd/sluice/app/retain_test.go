package app

import (
	"fmt"
	"testing"
	"time"

	"sluice/feature"
)

// TestRetainByTheNewestWindow: what rules read is kept for 90 days of windows, however long
// ago those were.
func TestRetainByTheNewestWindow(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Data = t.TempDir()
	cfg.Listen.HTTP, cfg.Listen.GRPC, cfg.Listen.Kafka = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	a, err := New(t.Context(), cfg, Options{Target: "all", Clock: "wall", NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, r := t.Context(), a.parts.registry
	defs, _, err := r.SaveDefinitions(ctx, 0, feature.Definitions{Views: []feature.View{{
		Name: "payments", Entities: []feature.Entity{{Name: "user", Type: feature.String}}, Features: []feature.Feature{{Name: "amount", Type: feature.Float64}},
	}}}, feature.Audit{ID: "a", Action: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	view := defs.View("payments")
	first := time.Date(2025, 5, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	judge := func(days int) {
		t.Helper()
		start := first.Add(time.Duration(days) * day)
		info, err := r.OpenVersion(ctx, view, feature.Window{Start: start, End: start.Add(time.Hour)}, start)
		if err != nil {
			t.Fatal(err)
		}
		info.Verdict = fmt.Sprint("day ", days)
		if _, err := r.Apply(ctx, feature.Commit{View: view.ID, Versions: []feature.VersionInfo{info}, Now: start, Verdicts: []feature.VerdictRow{{
			ID: info.Verdict, Kind: "window", Version: info.Version, Window: info.Window, State: "pass", Decision: "publish", Body: []byte(`{}`), Record: []byte("read")}}}); err != nil {
			t.Fatal(err)
		}
	}
	kept := func() (verdicts []string) {
		t.Helper()
		now := first.Add(579 * day)
		newest, err := a.newest(ctx, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.retainView(ctx, view, newest, now); err != nil {
			t.Fatal(err)
		}
		rows, err := r.Records(ctx, time.Time{}, time.Time{}, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			verdicts = append(verdicts, row.Verdict)
		}
		return verdicts
	}
	judge(0)
	judge(80)
	if got := fmt.Sprint(kept()); got != "[day 0 day 80]" {
		t.Errorf("579 days later kept are %s, want both windows of the last 90 days that were judged", got)
	}
	judge(100)
	if got := fmt.Sprint(kept()); got != "[day 80 day 100]" {
		t.Errorf("20 days on kept are %s, want those of 90 days", got)
	}
	judge(600) // ahead of the clock
	if got := fmt.Sprint(kept()); got != "[day 600]" {
		t.Errorf("with a window in the future kept are %s, want what is less than 90 days old", got)
	}
}
