package app

import (
	"errors"
	"testing"
	"time"

	"sluice/feature"
)

// TestVerdictWithoutEvidence: of a window that could not be judged there is nothing to
// recompute, and the history of the others is told all the same.
func TestVerdictWithoutEvidence(t *testing.T) {
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
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	info, err := r.OpenVersion(ctx, view, feature.Window{Start: start, End: start.Add(time.Hour)}, start)
	if err != nil {
		t.Fatal(err)
	}
	info.Verdict = "broken"
	if _, err := r.Apply(ctx, feature.Commit{View: view.ID, Versions: []feature.VersionInfo{info}, Now: start, Verdicts: []feature.VerdictRow{{
		ID: "broken", Kind: "window", Version: info.Version, Window: info.Window, State: "error", Decision: "hold", Body: []byte(`{"id":"broken","kind":"window","state":"error"}`)}}}); err != nil {
		t.Fatal(err)
	}
	var known *feature.Error
	if _, err := a.verify(ctx, "broken"); !errors.As(err, &known) || known.Code != feature.CodeConflict || known.Hint == "" {
		t.Errorf("verify = %v, want %s with a hint", err, feature.CodeConflict)
	}
	if items, err := a.history(ctx, view, "amount", time.Time{}, time.Time{}); err != nil || len(items) != 0 {
		t.Errorf("history = %+v, %v, want none and no error", items, err)
	}
}
