package serving

import (
	"context"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/memory"
)

// askingWhole is a store that notes since when the rows asked for are said to be whole.
type askingWhole struct {
	memory.Store
	whole time.Time
}

func (a *askingWhole) ReadWhole(ctx context.Context, view feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	a.whole = whole
	return a.Read(ctx, view, keys, dst)
}

// TestWhole checks what the store is told: rows are whole since the server learned of a
// vector none of whose versions is open or unknown, and of nothing else.
func TestWhole(t *testing.T) {
	rows := &askingWhole{}
	f := newFixture(t, func(_ *Config, d *Deps) { d.Rows = rows })
	users := f.registry.defs.View("users").ID
	asked := func() time.Time {
		t.Helper()
		f.renew(t)
		if status, body := f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"u1"}]}`); status != 200 {
			t.Fatalf("read: %d %s", status, body)
		}
		return rows.whole
	}
	step := func(version feature.Version, step feature.Step) {
		f.registry.change(func() { f.registry.infos[version] = feature.VersionInfo{Version: version, Step: step} })
	}
	list := func(generation uint64, visible ...feature.Version) {
		f.registry.change(func() { f.registry.vectors[users] = feature.Vector{Generation: generation, Floor: 1, Visible: visible} })
	}
	if got := asked(); !got.IsZero() {
		t.Errorf("whole since %v while nothing is known of the version, want nothing", got)
	}
	step(1, feature.StepCertified)
	first, before := asked(), time.Now()
	if first.IsZero() || first.After(before) {
		t.Errorf("whole since %v once the version is known, want a moment before %v", first, before)
	}
	if again := asked(); !again.Equal(first) {
		t.Errorf("whole since %v after a renewal without news, want %v", again, first)
	}
	step(2, feature.StepOpen)
	list(4, 2)
	if got := asked(); !got.IsZero() {
		t.Errorf("whole since %v while an open version shows, want nothing", got)
	}
	step(2, feature.StepSealed)
	second := asked()
	if !second.After(before) {
		t.Errorf("whole since %v once the version is sealed, want a moment after %v", second, before)
	}
	step(2, feature.StepDecided)
	if again := asked(); !again.Equal(second) {
		t.Errorf("whole since %v after its verdict, want %v", again, second)
	}
	list(5)
	if third := asked(); !third.After(second) {
		t.Errorf("whole since %v after another change, want a moment after %v", third, second)
	}
}
