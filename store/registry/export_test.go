package registry_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/registry"
)

// moved is an export in memory.
type moved struct {
	tables []registry.Table
	rows   [][][]any
}

func export(t *testing.T, s *registry.Registry, began func() error) (m moved) {
	t.Helper()
	err := s.Export(t.Context(), registry.Export{
		Began: began,
		Table: func(table registry.Table) error {
			m.tables, m.rows = append(m.tables, table), append(m.rows, nil)
			return nil
		},
		Row: func(values []any) error {
			last := len(m.rows) - 1
			m.rows[last] = append(m.rows[last], values)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// next hands the export over, as Import wants it.
func (m moved) next() func() (*registry.Table, []any, error) {
	table, row := -1, 0
	return func() (*registry.Table, []any, error) {
		if table >= 0 && row < len(m.rows[table]) {
			row++
			return nil, m.rows[table][row-1], nil
		}
		if table++; table == len(m.tables) {
			return nil, nil, io.EOF
		}
		row = 0
		return &m.tables[table], nil, nil
	}
}

// without leaves a table out.
func (m moved) without(name string) (out moved) {
	for i, table := range m.tables {
		if table.Name != name {
			out.tables, out.rows = append(out.tables, table), append(out.rows, m.rows[i])
		}
	}
	return out
}

// content is an export as text, rows of a table sorted: the two kinds of database order
// text differently.
func (m moved) content() string {
	var b strings.Builder
	for i, table := range m.tables {
		fmt.Fprintf(&b, "%s %v\n", table.Name, table.Columns)
		var lines []string
		for _, row := range m.rows[i] {
			lines = append(lines, fmt.Sprintf("  %#v\n", row))
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	return b.String()
}

var (
	blob       = bytes.Repeat([]byte{0, 255}, 400)
	blobDigest = fmt.Sprintf("%x", sha256.Sum256(blob))
)

var day = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)

// fill puts something into every table.
func fill(t *testing.T, s *registry.Registry) *feature.View {
	t.Helper()
	ctx := t.Context()
	defs := feature.Definitions{Project: "p", Views: []feature.View{{
		Name: "v", Entities: []feature.Entity{{Name: "u", Type: feature.String}}, Features: []feature.Feature{{Name: "x", Type: feature.Float64}},
		Window: feature.WindowSpec{Size: time.Minute}, Publish: feature.Publish{Mode: feature.Gated},
	}}}
	defs, _, err := s.SaveDefinitions(ctx, 0, defs, feature.Audit{By: "a", Action: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	view := &defs.Views[0]
	if _, err := s.Installation(ctx); err != nil {
		t.Fatal(err)
	}
	w := view.Window.Starting(day)
	info, err := s.OpenVersion(ctx, view, w, day)
	if err != nil {
		t.Fatal(err)
	}
	_, clockErr := s.SetClock(ctx, day, feature.Audit{By: "a", Action: "clock"})
	_, ownerErr := s.Acquire(ctx, "gate")
	_, idleErr := s.LeaveIdle(ctx, "t", 1, view.ID)
	exposureErr := s.AddExposure(ctx, feature.ExposureReport{Process: "p", Number: 1, Reads: []feature.Exposure{{View: view.ID, Version: info.Version, Reads: 3, First: day, Last: day}}})
	servedErr := s.PutServed(ctx, feature.ServedProfile{View: view.ID, Window: w, Process: "p", Layout: "l", Rows: 1, Versions: []feature.Version{info.Version}, Profile: []byte("profile")})
	readershipErr := s.PutReadership(ctx, []feature.Readership{{View: view.ID, Window: feature.Window{Start: day, End: day.Add(time.Hour)}, Process: "p", First: day, Reads: []feature.FeatureReads{{Rows: 3}}}})
	originsErr := s.SaveOrigins(ctx, "v1", []byte("origins"))
	if err := errors.Join(clockErr, ownerErr, idleErr, exposureErr, servedErr, readershipErr, originsErr); err != nil {
		t.Fatal(err)
	}
	info.Step, info.State, info.Rows = feature.StepDecided, feature.StateVisible, 7
	vector, _ := feature.Vector{}.With(info.Version)
	_, err = s.Apply(ctx, feature.Commit{
		View: view.ID, Vector: &vector, Versions: []feature.VersionInfo{info}, Now: day, Memory: []byte("memory"),
		Verdicts: []feature.VerdictRow{{ID: "vd", Kind: "window", Window: w, Version: info.Version, State: "pass", Decision: "publish", At: day, Body: []byte(`{"id":"vd"}`), Case: []byte("case"), Record: []byte("record")}},
		Blobs:    map[string][]byte{blobDigest: blob},
		Audit:    []feature.Audit{{By: "gate", Action: "publish", View: "v", Version: info.Version, At: day}},
		Alerts:   []feature.Alert{{ID: "al", Kind: "fail", View: "v", At: day}, {ID: "am", Kind: "fail", View: "v", At: day}}, Resolve: []string{"am"},
		Notices:  []feature.Notice{{Alert: feature.Alert{Kind: "fail", View: "v", At: day}}},
		History:  []feature.HistoryRow{{Window: w, Version: info.Version, Layout: "l", Profile: []byte("profile"), Summary: []byte("{}")}},
		Layouts:  []feature.LayoutRow{{Digest: "l", From: day, Body: []byte("layout")}},
		Baseline: &feature.BaselineRow{Kind: "pinned", Version: info.Version, From: day, At: day},
	})
	if err != nil {
		t.Fatal(err)
	}
	return view
}

func sqlite(t *testing.T) *registry.Registry {
	t.Helper()
	s, err := registry.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestMoveSQLite(t *testing.T) { testMove(t, sqlite(t), sqlite(t)) }

// testMove moves a registry into an empty one: it is the same, goes on from there, and
// whoever worked on either is fenced.
func testMove(t *testing.T, from, to *registry.Registry) {
	ctx := t.Context()
	view := fill(t, from)
	m := export(t, from, nil)
	for i, table := range m.tables {
		if len(m.rows[i]) == 0 {
			t.Errorf("table %s is empty: the test does not say whether it is moved", table.Name)
		}
	}
	for range 3 {
		if _, err := to.Acquire(ctx, "gate"); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Import(ctx, registry.Import{Next: m.next()}); err != nil {
		t.Fatal(err)
	}
	if got, want := export(t, to, nil).without("owners").content(), m.without("owners").content(); got != want {
		t.Errorf("after the move there is\n%s\nwant\n%s", got, want)
	}
	if epoch, err := to.Acquire(ctx, "gate"); err != nil || epoch != 5 {
		t.Errorf("the next epoch is %d (%v), want 5: behind the fence above 3", epoch, err)
	}
	same(t, from, to, view)
	untold(t, to)
	before, _, err := to.AuditLog(ctx, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.WriteAudit(ctx, feature.Audit{By: "b", Action: "restore"}); err != nil {
		t.Errorf("an audit row after the move: %v", err)
	}
	if after, _, err := to.AuditLog(ctx, "", 0); err != nil || len(after) != len(before)+1 || after[len(before)].By != "b" {
		t.Errorf("audit log = %+v (%v), want one row more, at its end", after, err)
	}
	if info, err := to.OpenVersion(ctx, view, view.Window.Starting(day.Add(time.Minute)), day); err != nil || info.Version != 2 {
		t.Errorf("the next version is %d (%v), want 2", info.Version, err)
	}
	if err := to.Import(ctx, registry.Import{Next: m.next()}); !errors.Is(err, registry.ErrNotEmpty) {
		t.Errorf("a second move = %v, want %v", err, registry.ErrNotEmpty)
	}
	if _, err := to.Apply(ctx, feature.Commit{View: view.ID, IfGeneration: 1, Notices: []feature.Notice{{Alert: feature.Alert{Kind: "fail", View: "v", At: day}}}, Now: day}); err != nil {
		t.Fatal(err)
	}
	if err := to.Import(ctx, registry.Import{Force: true, Next: m.next()}); err != nil {
		t.Errorf("a second move by force = %v", err)
	}
	same(t, from, to, view)
	untold(t, to)
	testUnfinished(t, m, to)
	testSourcesFenced(t, from, to)
}

// testSourcesFenced wants nobody who was noted as the owner of a source partition, in either
// registry, to be noted after a restore.
func testSourcesFenced(t *testing.T, from, to *registry.Registry) {
	ctx := t.Context()
	for r, name := range map[*registry.Registry]string{from: "then", to: "now"} {
		if ok, err := r.SwapSourceOwner(ctx, "writes", 1, "", name); !ok || err != nil {
			t.Fatalf("SwapSourceOwner = %t, %v", ok, err)
		}
	}
	m := export(t, from, nil)
	noted := map[string]bool{"then": true, "now": true, "": true}
	for range 2 {
		if err := to.Import(ctx, registry.Import{Force: true, Next: m.next()}); err != nil {
			t.Fatal(err)
		}
		owner, err := to.SourceOwner(ctx, "writes", 1)
		if err != nil || noted[owner] {
			t.Errorf("the owner after a restore is %q, %v, as before it", owner, err)
		}
		noted[owner] = true
	}
}

// testUnfinished restores m: from the moment at which its tables are there the registry says
// that the restore is not over, and who began it.
func testUnfinished(t *testing.T, m moved, to *registry.Registry) {
	ctx := t.Context()
	unfinished := func(want bool) {
		t.Helper()
		if got, err := to.Unfinished(ctx); err != nil || got != want {
			t.Errorf("Unfinished = %t, %v, want %t", got, err, want)
		}
	}
	last := func(want string) {
		t.Helper()
		if rows, _, err := to.AuditLog(ctx, "", 0); err != nil || len(rows) == 0 || rows[len(rows)-1].Action != want || rows[len(rows)-1].By != "eve" {
			t.Errorf("audit log = %+v (%v), want %s by eve at its end", rows, err, want)
		}
	}
	// A process that ran before goes on asking for the lead, and opening versions.
	window := feature.Window{Start: day.Add(1000 * time.Hour), End: day.Add(1001 * time.Hour)}
	view := &feature.View{ID: 1, Name: "any"}
	refused := func(want error) {
		t.Helper()
		_, err := to.Lead(ctx, "gate", "who ran before", time.Minute)
		_, opened := to.OpenVersion(ctx, view, window, day)
		_, kind := to.OpenKind(ctx, view, feature.VersionInfo{Kind: feature.KindApproved, Window: window})
		for name, err := range map[string]error{"Lead": err, "OpenVersion": opened, "OpenKind": kind} {
			if !errors.Is(err, want) {
				t.Errorf("%s = %v, want %v", name, err, want)
			}
		}
	}
	unfinished(false)
	for range 2 { // the second repeats one that was cut short
		if err := to.Import(ctx, registry.Import{Force: true, Next: m.next(), Why: &feature.Audit{At: day, By: "eve", Action: "restore"}}); err != nil {
			t.Fatal(err)
		}
		unfinished(true)
		refused(registry.ErrRestoring)
		last("restore")
	}
	if err := to.FinishRestore(ctx, feature.Audit{At: day, By: "eve", Action: "restored"}); err != nil {
		t.Error(err)
	}
	unfinished(false)
	last("restored")
	refused(nil)
}

// untold wants nothing that people are to be told: what waited when the export was made, or
// before a registry was replaced, is of another time.
func untold(t *testing.T, to *registry.Registry) {
	t.Helper()
	if left, err := to.Notices(t.Context(), 0); err != nil || len(left) > 0 {
		t.Errorf("Notices = %+v, %v, want none after a restore", left, err)
	}
}

// same compares what the two registries answer.
func same(t *testing.T, a, b *registry.Registry, view *feature.View) {
	t.Helper()
	type answers struct {
		defs     feature.Definitions
		vector   feature.Vector
		versions []feature.VersionInfo
		verdicts []feature.VerdictRow
		audit    []feature.Audit
		alerts   []feature.Alert
		id       [16]byte
		blob     []byte
	}
	ask := func(s *registry.Registry) (x answers) {
		ctx := t.Context()
		var errs [8]error
		x.defs, _, errs[0] = s.Definitions(ctx)
		x.vector, errs[1] = s.Vector(ctx, view.ID)
		x.versions, errs[2] = s.Versions(ctx, view.ID, 0, 0)
		x.verdicts, _, errs[3] = s.Verdicts(ctx, view.ID, "", 0)
		x.audit, _, errs[4] = s.AuditLog(ctx, "", 0)
		x.alerts, _, errs[5] = s.Alerts(ctx, "", 0)
		x.id, errs[6] = s.Installation(ctx)
		x.blob, errs[7] = s.Blob(ctx, blobDigest)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		return x
	}
	if x, y := ask(a), ask(b); !reflect.DeepEqual(x, y) {
		t.Errorf("the moved registry answers\n%+v\nwant\n%+v", y, x)
	}
}

// What is written during an export is not in it, and does not wait for it.
func TestExportIsOfOneMoment(t *testing.T) { testMoment(t, sqlite(t)) }

func testMoment(t *testing.T, s *registry.Registry) {
	fill(t, s)
	count := func(m moved) int {
		for i, table := range m.tables {
			if table.Name == "audit" {
				return len(m.rows[i])
			}
		}
		return 0
	}
	before := count(export(t, s, nil))
	during := count(export(t, s, func() error {
		return s.WriteAudit(context.WithoutCancel(t.Context()), feature.Audit{By: "c", Action: "later"})
	}))
	if after := count(export(t, s, nil)); during != before || after != before+1 {
		t.Errorf("exports before, during and after a write hold %d, %d, %d audit rows, want %d, %d, %d", before, during, after, before, before, before+1)
	}
}

func TestImportRefuses(t *testing.T) {
	from := sqlite(t)
	fill(t, from)
	good := export(t, from, nil)
	broken := errors.New("broken archive")
	for name, tc := range map[string]struct {
		next func() func() (*registry.Table, []any, error)
		want error
	}{
		"a table of another release":  {moved{[]registry.Table{{Name: "news", Columns: []string{"x"}}}, [][][]any{{}}}.next, registry.ErrForeign},
		"a column of another release": {moved{[]registry.Table{{Name: "audit", Columns: []string{"seq", "x) --"}}}, [][][]any{{}}}.next, registry.ErrForeign},
		"a row too short":             {moved{[]registry.Table{{Name: "audit", Columns: []string{"seq", "id", "body"}}}, [][][]any{{{int64(1)}}}}.next, registry.ErrCorrupt},
		"a row first": {func() func() (*registry.Table, []any, error) {
			return func() (*registry.Table, []any, error) { return nil, []any{int64(1)}, nil }
		}, registry.ErrCorrupt},
		"an end in the middle": {func() func() (*registry.Table, []any, error) {
			next, left := good.next(), 20
			return func() (*registry.Table, []any, error) {
				if left--; left == 0 {
					return nil, nil, broken
				}
				return next()
			}
		}, broken},
	} {
		t.Run(name, func(t *testing.T) {
			to := sqlite(t)
			before := export(t, to, nil).content()
			if err := to.Import(t.Context(), registry.Import{Next: tc.next()}); !errors.Is(err, tc.want) {
				t.Errorf("Import = %v, want %v", err, tc.want)
			}
			if after := export(t, to, nil).content(); after != before {
				t.Errorf("a refused import left\n%s\nwant\n%s", after, before)
			}
		})
	}
}
