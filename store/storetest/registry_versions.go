package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/feature"
)

func testVersions(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Gated)
	zone := time.FixedZone("elsewhere", 3600)
	for i := range 3 {
		w := feature.Window{Start: window(i).Start.In(zone), End: window(i).End.In(zone)}
		for range 2 {
			info, err := r.OpenVersion(ctx, view, w, day)
			want := feature.VersionInfo{Version: feature.Version(i + 1), Kind: feature.KindWindow, Window: window(i), Step: feature.StepOpen, State: feature.StateStaged}
			if err != nil || !reflect.DeepEqual(info, want) {
				t.Errorf("OpenVersion(%d) = %+v, %v, want %+v", i, info, err, want)
			}
		}
	}
	other := r.view(feature.Gated)
	if info := r.opened(other, 1)[0]; info.Version != 1 {
		t.Errorf("first version of another view = %d, want 1", info.Version)
	}
	longer := window(1)
	longer.End = longer.End.Add(time.Minute)
	if info, err := r.OpenVersion(ctx, view, longer, day); !errors.Is(err, feature.ErrSealed) || info.Version != 2 || !info.Window.End.Equal(window(1).End) {
		t.Errorf("OpenVersion of a window of another length = %+v, %v, want version 2 as it is, and %v", info, err, feature.ErrSealed)
	}
	if info, err := r.VersionOf(ctx, view.ID, window(1).Start); info.Version != 2 || err != nil {
		t.Errorf("VersionOf(1) = %+v, %v, want version 2", info, err)
	}
	if _, err := r.VersionOf(ctx, view.ID, window(9).Start); !errors.Is(err, feature.ErrNotFound) {
		t.Errorf("VersionOf a window without rows = %v, want %v", err, feature.ErrNotFound)
	}
	if _, err := r.Version(ctx, view.ID, 9); !errors.Is(err, feature.ErrNotFound) {
		t.Errorf("Version(9) = %v, want %v", err, feature.ErrNotFound)
	}
	testVersionPages(t, r, view)
	sealed, _ := r.Version(ctx, view.ID, 2)
	sealed.Step, sealed.Rows, sealed.Bytes, sealed.Digest = feature.StepSealed, 7, 700, "d"
	sealed.Spans = []feature.Span{{Topic: "writes", Partition: 1, First: 3, Last: 9, Origin: feature.Origin{Offset: 3, Watermark: day, Open: []time.Time{day}}}}
	r.apply(feature.Commit{View: view.ID, Versions: []feature.VersionInfo{sealed}, Now: day})
	if info, err := r.OpenVersion(ctx, view, window(1), day); !errors.Is(err, feature.ErrSealed) || !reflect.DeepEqual(info, sealed) {
		t.Errorf("OpenVersion of a sealed window = %+v, %v, want %+v, %v", info, err, sealed, feature.ErrSealed)
	}
	if v := r.vector(view.ID); v.Generation != 0 {
		t.Errorf("vector of a gated view that only opened versions = %+v, want generation 0", v)
	}
}

func testVersionPages(t *testing.T, r *reg, view *feature.View) {
	for _, tc := range []struct {
		after feature.Version
		limit int
		want  string
	}{{0, 0, "[1 2 3]"}, {0, 2, "[1 2]"}, {2, 2, "[3]"}, {3, 2, "[]"}} {
		infos, err := r.Versions(t.Context(), view.ID, tc.after, tc.limit)
		got := []feature.Version{}
		for _, info := range infos {
			got = append(got, info.Version)
		}
		if fmt.Sprint(got) != tc.want || err != nil {
			t.Errorf("Versions(after %d, limit %d) = %v, %v, want %s", tc.after, tc.limit, got, err, tc.want)
		}
	}
}

func testKinds(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Gated)
	r.opened(view, 1)
	for i, kind := range []feature.Kind{feature.KindApproved, feature.KindApproved, feature.KindBatch} {
		given := feature.VersionInfo{Kind: kind, Window: window(0), Step: feature.StepSealed, State: feature.StateStaged, ApprovedOf: 1, Reason: "checked"}
		info, err := r.OpenKind(ctx, view, given)
		given.Version = feature.Version(i + 2)
		if err != nil || !reflect.DeepEqual(info, given) {
			t.Errorf("OpenKind(%s) = %+v, %v, want %+v", kind, info, err, given)
		}
		if read, err := r.Version(ctx, view.ID, given.Version); err != nil || !reflect.DeepEqual(read, given) {
			t.Errorf("Version(%d) = %+v, %v, want %+v", given.Version, read, err, given)
		}
	}
	if _, err := r.OpenKind(ctx, view, feature.VersionInfo{Kind: feature.KindBatch, Step: feature.StepOpen}); err != nil {
		t.Errorf("OpenKind without a window = %v", err)
	}
	if info, err := r.VersionOf(ctx, view.ID, window(0).Start); info.Version != 1 || err != nil {
		t.Errorf("VersionOf = %+v, %v, want the window's own version 1", info, err)
	}
	if _, err := r.OpenKind(ctx, view, feature.VersionInfo{Kind: feature.KindWindow, Window: window(5)}); !errors.Is(err, r.invalid) {
		t.Errorf("OpenKind(window) = %v, want %v", err, r.invalid)
	}
	if _, err := r.OpenVersion(ctx, &feature.View{Name: "unsaved"}, window(0), day); !errors.Is(err, r.invalid) {
		t.Errorf("OpenVersion of a view without id = %v, want %v", err, r.invalid)
	}
}

// testOpenedByMany: partitions that meet a window at once agree on its version.
func testOpenedByMany(t *testing.T, r *reg) {
	view := r.view(feature.Optimistic)
	const windows = 12
	var got [4][windows]feature.Version
	group, ctx := errgroup.WithContext(t.Context())
	for p, store := range []RegistryStore{r.RegistryStore, r.RegistryStore, r.second(), r.second()} {
		group.Go(func() error {
			for i := range windows {
				info, err := store.OpenVersion(ctx, view, window((i+p)%windows), day)
				if err != nil {
					return err
				}
				got[p][(i+p)%windows] = info.Version
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	seen := map[feature.Version]bool{}
	for i := range windows {
		seen[got[0][i]] = true
		for p := range got {
			if got[p][i] != got[0][i] {
				t.Errorf("window %d has versions %d and %d", i, got[0][i], got[p][i])
			}
		}
	}
	if len(seen) != windows || seen[0] || seen[windows+1] {
		t.Errorf("versions %v, want 1 to %d", seen, windows)
	}
	if v := r.vector(view.ID); len(v.Visible) != feature.MaxVisible || v.Generation != feature.MaxVisible {
		t.Errorf("vector %+v, want %d versions listed, one a generation", v, feature.MaxVisible)
	}
}

func testOptimistic(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Optimistic)
	infos := r.opened(view, feature.MaxVisible+1)
	for i, info := range infos {
		listed := i < feature.MaxVisible
		if (info.State == feature.StateVisible) != listed || info.PublishedAt.Equal(day) != listed || info.Step != feature.StepOpen {
			t.Errorf("version %d = %+v, want listed: %t", i+1, info, listed)
		}
		if read, err := r.Version(ctx, view.ID, info.Version); err != nil || !reflect.DeepEqual(read, info) {
			t.Errorf("Version(%d) = %+v, %v, want %+v", info.Version, read, err, info)
		}
	}
	v := r.vector(view.ID)
	if want := (feature.Vector{Generation: feature.MaxVisible, Visible: []feature.Version{1, 2, 3, 4}}); v.Generation != want.Generation || !v.Equal(want) {
		t.Errorf("vector %+v, want %+v", v, want)
	}
	r.opened(view, feature.MaxVisible+1)
	if again := r.vector(view.ID); again.Generation != v.Generation {
		t.Errorf("opening again made generation %d, was %d", again.Generation, v.Generation)
	}
	log, _, err := r.AuditLog(ctx, "1", 0) // behind the definition's
	if len(log) != feature.MaxVisible || err != nil {
		t.Fatalf("AuditLog = %+v, %v, want %d rows", log, err, feature.MaxVisible)
	}
	if a := log[1]; a.Action != "list" || a.View != view.Name || a.Version != 2 || !a.At.Equal(day) || len(a.Before) < 10 || len(a.After) < 10 {
		t.Errorf("audit row %+v, want action list with both vectors", a)
	}
	frozen := v
	frozen.Frozen, frozen.Visible = true, nil
	r.apply(feature.Commit{View: view.ID, Vector: &frozen, Audit: []feature.Audit{why("freeze")}, Now: day})
	info, err := r.OpenVersion(ctx, view, window(20), day)
	if info.State != feature.StateStaged || err != nil || len(r.vector(view.ID).Visible) != 0 {
		t.Errorf("OpenVersion of a frozen view = %+v, %v, want it staged", info, err)
	}
}
