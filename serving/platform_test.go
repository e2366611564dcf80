package serving

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/embedded"
	sqlitestore "sluice/store/registry"
)

// TestOverStores reads through the stores that the platform runs on: a version
// shows once it is listed, and is gone once it is taken off.
func TestOverStores(t *testing.T) {
	sqlite, err := sqlitestore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "registry.db"), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sqlite.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows, err := embedded.Open(embedded.Options{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	defs, _, err := sqlite.SaveDefinitions(t.Context(), 0, definitions(), feature.Audit{At: start, By: "test", Action: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	v := defs.View("users")
	v.Window = feature.WindowSpec{Size: time.Minute}
	info, err := sqlite.OpenVersion(t.Context(), v, v.Window.Of(start), start)
	if err != nil {
		t.Fatal(err)
	}
	key, err := feature.NewKey(v, user("a"))
	if err != nil {
		t.Fatal(err)
	}
	record := feature.Record{EventTime: start.UnixNano(), Row: feature.AppendRow(nil, v, []feature.Value{float(7), feature.Null, feature.Null, feature.Null, feature.Null})}
	if _, err := rows.Stage(t.Context(), v.ID, info.Version, []feature.Row{{Key: key, Record: record}}); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(_ *Config, d *Deps) { d.Rows, d.Source, d.Version = rows, sqlite, sqlite.Version })
	expect := func(when, want string) {
		t.Helper()
		f.renew(t)
		if status, got := f.post(t, "/api/v1/views/users/rows", readA); status != 200 || !strings.Contains(got, want) {
			t.Errorf("%s = %d %s, want %s", when, status, got, want)
		}
	}
	expect("staged", `"NOT_FOUND"`)
	info.Step, info.State, info.Verdict = feature.StepDecided, feature.StateVisible, "v-1"
	listed, err := sqlite.Apply(t.Context(), feature.Commit{
		View: v.ID, Now: start, Vector: &feature.Vector{Visible: []feature.Version{info.Version}}, Versions: []feature.VersionInfo{info},
		Audit: []feature.Audit{{At: start, By: "test", Action: "publish", View: v.Name, Version: info.Version}},
	})
	if err != nil {
		t.Fatal(err)
	}
	expect("listed", `"values":{"f00":7.0},"statuses":{"f00":"PRESENT"}`)
	expect("listed", `"version":1,"verdict":"v-1","generation":1,"age_seconds":0,"stale":false`)
	info.State = feature.StateRolledBack
	if _, err := sqlite.Apply(t.Context(), feature.Commit{
		View: v.ID, IfGeneration: listed.Generation, Now: start, Vector: &feature.Vector{}, Versions: []feature.VersionInfo{info},
		Audit: []feature.Audit{{At: start, By: "test", Action: "rollback", View: v.Name, Version: info.Version}},
	}); err != nil {
		t.Fatal(err)
	}
	expect("taken off", `"NOT_FOUND"`)
}
