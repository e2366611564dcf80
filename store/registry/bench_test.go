package registry_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/registry"
)

// bench is a registry of one view whose first versions are visible.
type bench struct {
	*registry.Registry
	view  *feature.View
	infos []feature.VersionInfo
}

var start = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

func window(i int) feature.Window {
	from := start.Add(time.Duration(i) * 5 * time.Minute)
	return feature.Window{Start: from, End: from.Add(5 * time.Minute)}
}

// synced opens a registry whose commits survive a loss of power.
func synced(b *testing.B) *registry.Registry {
	b.Helper()
	s, err := registry.OpenSQLite(context.Background(), filepath.Join(b.TempDir(), "registry.db"), registry.Options{Sync: true})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// newBench gives a registry a view of versions versions, each of rows entities, of
// which the first two are visible.
func newBench(b *testing.B, s *registry.Registry, versions int, rows uint64) *bench {
	b.Helper()
	ctx := context.Background()
	b.Cleanup(func() { s.Close() })
	defs, _, err := s.SaveDefinitions(ctx, 0, feature.Definitions{Views: []feature.View{{Name: "delays"}}}, feature.Audit{Action: "apply"})
	if err != nil {
		b.Fatal(err)
	}
	f := &bench{Registry: s, view: &defs.Views[0]}
	for i := range versions {
		info, err := s.OpenVersion(ctx, f.view, window(i), start)
		if err != nil {
			b.Fatal(err)
		}
		if i < 2 {
			info.Step, info.State, info.Rows = feature.StepDecided, feature.StateVisible, rows
		}
		f.infos = append(f.infos, info)
	}
	if _, err := s.Apply(ctx, feature.Commit{View: f.view.ID, Versions: f.infos[:2]}); err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkCommit is the commit of a publication or a rollback as the gate makes
// it, synced: vector, version, verdict with a case, history, audit row, memory.
func BenchmarkCommit(b *testing.B) { benchmarkCommit(b, synced) }

func benchmarkCommit(b *testing.B, open func(b *testing.B) *registry.Registry) {
	for _, rows := range []uint64{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("entities=%d", rows), func(b *testing.B) {
			f := newBench(b, open(b), 200, rows)
			ctx, n := context.Background(), 0
			profile := make([]byte, 12_000)
			for i := range profile {
				profile[i] = byte(i * i >> 7)
			}
			b.ReportAllocs()
			for b.Loop() {
				n++
				v := feature.Vector{Visible: []feature.Version{feature.Version(1 + n%2)}}
				if _, err := f.Apply(ctx, feature.Commit{
					View: f.view.ID, IfGeneration: uint64(n - 1), Vector: &v, Versions: f.infos[:1], Memory: profile[:500], Now: start,
					Verdicts: []feature.VerdictRow{{ID: fmt.Sprint(n), Kind: "probation", Version: 1, Window: window(1), Body: profile[:2000], Case: profile[:1000]}},
					Audit:    []feature.Audit{{Action: "publish", View: "delays", Version: 1}},
					History:  []feature.HistoryRow{{Window: window(n), Version: 1, Profile: profile, Summary: profile[:200]}},
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/commit")
		})
	}
}

func BenchmarkVector(b *testing.B) { benchmarkVector(b, synced) }

func benchmarkVector(b *testing.B, open func(b *testing.B) *registry.Registry) {
	f := newBench(b, open(b), 50, 1)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Vector(ctx, f.view.ID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenVersion opens the version of a window that is there.
func BenchmarkOpenVersion(b *testing.B) { benchmarkOpenVersion(b, synced) }

func benchmarkOpenVersion(b *testing.B, open func(b *testing.B) *registry.Registry) {
	f := newBench(b, open(b), 2000, 1)
	ctx, n := context.Background(), 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		if _, err := f.OpenVersion(ctx, f.view, window(2+n%1900), start); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRetain looks for history to remove, of 26,000 windows of 12 kB, where
// there is none.
func BenchmarkRetain(b *testing.B) { benchmarkRetain(b, synced) }

func benchmarkRetain(b *testing.B, open func(b *testing.B) *registry.Registry) {
	const windows, newest = 26_000, 2016
	f := newBench(b, open(b), 2, 1)
	ctx, profile := context.Background(), make([]byte, 12_000)
	for from := 0; from < windows; from += 1000 {
		var rows []feature.HistoryRow
		for i := range 1000 {
			row := feature.HistoryRow{Window: window(from + i), Version: 1, Summary: profile[:100]}
			if from+i >= windows-newest {
				row.Profile = append([]byte(fmt.Sprint(from+i)), profile...)
			}
			rows = append(rows, row)
		}
		if _, err := f.Apply(ctx, feature.Commit{View: f.view.ID, History: rows, Now: start}); err != nil {
			b.Fatal(err)
		}
	}
	end := window(windows).End
	b.ReportAllocs()
	for b.Loop() {
		if profiles, windows, err := f.Retain(ctx, f.view.ID, newest, end.Add(-48*time.Hour), start); profiles+windows != 0 || err != nil {
			b.Fatal(profiles, windows, err)
		}
	}
}
