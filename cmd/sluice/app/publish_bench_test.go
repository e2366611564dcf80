package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/serving"
	"sluice/store/embedded"
	"sluice/store/registry"
)

// BenchmarkPublish times what makes a version of a million entities visible, and
// what takes it out again: the synced commit, and how long until a reader sees it.
func BenchmarkPublish(b *testing.B) {
	for _, entities := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("entities=%d", entities), func(b *testing.B) { benchmarkPublish(b, entities) })
	}
}

func benchmarkPublish(b *testing.B, entities int) {
	ctx, dir := b.Context(), b.TempDir()
	p := &publishing{}
	var err error
	p.registry, err = registry.OpenSQLite(ctx, filepath.Join(dir, "registry.db"), registry.Options{Sync: true})
	p.must(b, err)
	b.Cleanup(func() { p.must(b, p.registry.Close()) })
	rows, err := embedded.Open(embedded.Options{Path: filepath.Join(dir, "rows"), Sync: true})
	p.must(b, err)
	b.Cleanup(func() { p.must(b, rows.Close()) })
	p.prepare(b, rows, entities)
	p.http = p.serve(b, rows, p.registry)
	var commit, seen [2]time.Duration
	for b.Loop() {
		for i, show := range []bool{true, false} {
			start := time.Now()
			p.decide(ctx, b, show)
			commit[i] += time.Since(start)
			p.await(b, show)
			seen[i] += time.Since(start)
		}
	}
	per := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
	b.ReportMetric(per(commit[0]), "publish-commit-ms")
	b.ReportMetric(per(seen[0]), "publish-seen-ms")
	b.ReportMetric(per(commit[1]), "rollback-commit-ms")
	b.ReportMetric(per(seen[1]), "rollback-seen-ms")
	b.ReportMetric(0, "ns/op")
}

// publishing is a view with one version of rows that is made visible and taken out.
type publishing struct {
	registry *registry.Registry
	view     feature.View
	info     feature.VersionInfo
	http     http.Handler
}

// publishedRows is a row store that a version is staged in and served from.
type publishedRows interface {
	serving.Rows
	Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error)
	Sync(ctx context.Context) error
}

func (p *publishing) must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// prepare defines the view in the registry and stages its version.
func (p *publishing) prepare(b *testing.B, rows publishedRows, entities int) {
	b.Helper()
	ctx := b.Context()
	defs := feature.Definitions{Project: "bench", Views: []feature.View{{
		Project: "bench", Name: "accounts", Entities: []feature.Entity{{Name: "account", Type: feature.Int64}},
		Features: []feature.Feature{{Name: "amount", Type: feature.Float64}}, Window: feature.WindowSpec{Size: time.Hour},
		Publish: feature.Publish{Mode: feature.Gated, ProbationWindows: 3, ProbationFail: 2, Hold: 3},
	}}}
	defs, _, err := p.registry.SaveDefinitions(ctx, 0, defs, feature.Audit{By: "bench", Action: "apply"})
	p.must(b, err)
	p.view = defs.Views[0]
	p.info, err = p.registry.OpenVersion(ctx, &p.view, p.view.Window.Of(time.Unix(0, 0)), time.Unix(0, 0))
	p.must(b, err)
	p.must(b, p.stage(ctx, rows, entities))
}

// serve runs a server until the benchmark ends.
func (p *publishing) serve(b *testing.B, rows serving.Rows, from *registry.Registry) http.Handler {
	b.Helper()
	server, err := serving.New(serving.DefaultConfig(), serving.Deps{Rows: rows, Source: from})
	p.must(b, err)
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	b.Cleanup(func() { stop(); p.must(b, <-done) })
	return server.HTTP()
}

// stage writes the version's rows.
func (p *publishing) stage(ctx context.Context, rows publishedRows, entities int) error {
	var batch []feature.Row
	for i := range entities {
		key, err := feature.NewKey(&p.view, []feature.Value{feature.Int64Value(int64(i))})
		if err != nil {
			return err
		}
		batch = append(batch, feature.Row{Key: key, Record: feature.Record{Version: p.info.Version, EventTime: 1, Row: feature.AppendRow(nil, &p.view, []feature.Value{feature.Float64Value(float64(i))})}})
		if len(batch) == 10_000 || i == entities-1 {
			if _, err := rows.Stage(ctx, p.view.ID, p.info.Version, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return rows.Sync(ctx)
}

// decide shows the version or takes it out, with its audit row, in one commit.
func (p *publishing) decide(ctx context.Context, b *testing.B, show bool) {
	vector, err := p.registry.Vector(ctx, p.view.ID)
	if err != nil {
		b.Fatal(err)
	}
	next, _ := vector.Without(p.info.Version)
	p.info.State, p.info.Step = feature.StateHeld, feature.StepDecided
	if show {
		next, _ = vector.With(p.info.Version)
		p.info.State = feature.StateVisible
	}
	c := feature.Commit{View: p.view.ID, IfGeneration: vector.Generation, Vector: &next, Versions: []feature.VersionInfo{p.info},
		Audit: []feature.Audit{{By: "bench", Action: "decide", View: p.view.Name}}, Now: time.Now()}
	if _, err := p.registry.Apply(ctx, c); err != nil {
		b.Fatal(err)
	}
}

// await reads until a reader sees the decision.
func (p *publishing) await(b *testing.B, shown bool) {
	want := map[bool]string{true: "PRESENT", false: "NOT_FOUND"}[shown]
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if status, _ := statusOf(p.http, 7); status == want {
			return
		}
	}
	b.Fatalf("the decision (visible: %v) was not seen within 10 s", shown)
}

// statusOf reads an account and returns its status, or nothing if the read failed, and
// whether the answer says itself that it may be old.
func statusOf(h http.Handler, account int) (status string, flagged bool) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/views/accounts/rows", strings.NewReader(fmt.Sprintf(`{"keys":[{"account":%d}]}`, account))))
	var answer struct {
		Rows       []struct{ Statuses map[string]string }
		Provenance struct{ Stale bool }
	}
	if w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &answer) != nil {
		return "", false
	}
	return answer.Rows[0].Statuses["amount"], answer.Provenance.Stale
}
