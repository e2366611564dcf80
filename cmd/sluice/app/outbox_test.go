package app

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/notify"
	"sluice/store/registry"
)

func TestOfProbe(t *testing.T) {
	for name, tc := range map[string]struct {
		project, view, kind string
		planted             bool
	}{
		"a planted fault":                     {"sluice", "probe", "fail", true},
		"a probe that is frozen":              {"sluice", "probe", "frozen", false},
		"another view":                        {"sluice", "payments", "fail", false},
		"a view of that name of somebody":     {"shop", "probe", "fail", false},
		"a view of that name that is no more": {"", "probe", "fail", false},
	} {
		t.Run(name, func(t *testing.T) {
			defs := &feature.Definitions{}
			if tc.project != "" {
				defs.Views = []feature.View{{Project: tc.project, Name: "probe"}}
			}
			if got := ofProbe(defs, feature.Alert{View: tc.view, Kind: tc.kind}); got != tc.planted {
				t.Errorf("planted %t, want %t", got, tc.planted)
			}
		})
	}
}

// TestOutbox: what a process that is gone has decided is told by the next one that leads,
// once, but for what a probe has planted.
func TestOutbox(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "registry.db")
	open := func() *registry.Registry {
		t.Helper()
		r, err := registry.OpenSQLite(ctx, path, registry.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	defs, _, err := r.SaveDefinitions(ctx, 0, feature.Definitions{Project: "sluice", Views: []feature.View{outboxView("probe"), outboxView("payments")}}, feature.Audit{By: "a", Action: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	for i, view := range []string{"probe", "payments"} {
		alert := feature.Alert{At: time.Now(), Kind: "rollback", View: view, Version: 7, Verdict: "vd", Text: "it moved"}
		if _, err := r.Apply(ctx, feature.Commit{View: defs.Views[i].ID, Alerts: []feature.Alert{alert}, Notices: []feature.Notice{{Alert: alert, Served: 6, Reasons: []string{"why"}}}, Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	var logs []string
	for range 2 {
		r := open()
		var log bytes.Buffer
		n := notify.New(notify.Config{}, outbox{r, func() *feature.Definitions { return &defs }}, slog.New(slog.NewTextHandler(&log, nil)), nil)
		ending, stop := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- n.Run(ending) }()
		for {
			if left, err := r.Notices(ctx, 0); err != nil || len(left) == 0 {
				if err != nil {
					t.Error(err)
				}
				break
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		logs = append(logs, log.String())
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(logs[0], "payments: version 7 rolled back") || !strings.Contains(logs[0], "reasons=[why]") || strings.Count(logs[0], "\n") != 1 || logs[1] != "" {
		t.Errorf("the processes after logged %q, want the rollback of payments once", logs)
	}
}

func outboxView(name string) feature.View {
	return feature.View{Name: name, Entities: []feature.Entity{{Name: "u", Type: feature.String}}, Features: []feature.Feature{{Name: "x", Type: feature.Float64}},
		Window: feature.WindowSpec{Size: time.Minute}, Publish: feature.Publish{Mode: feature.Gated}, Project: "sluice"}
}
