package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/feature"
)

func testVector(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.view(feature.Gated)
	infos := r.opened(view, 2)
	next := feature.Vector{Generation: 77, Visible: []feature.Version{1}}
	infos[0].Step, infos[0].State, infos[0].PublishedAt = feature.StepDecided, feature.StateVisible, day
	audit := why("publish")
	audit.ID, audit.Version = "my-id", 1
	got := r.apply(feature.Commit{View: view.ID, Vector: &next, Versions: infos[:1], Audit: []feature.Audit{audit}, Now: day})
	want := feature.Vector{Generation: 1, Visible: []feature.Version{1}}
	if got.Generation != 1 || !got.Equal(want) {
		t.Errorf("Apply = %+v, want %+v", got, want)
	}
	if v := r.vector(view.ID); v.Generation != 1 || !v.Equal(want) {
		t.Errorf("Vector = %+v, want %+v", v, want)
	}
	if info, err := r.Version(ctx, view.ID, 1); err != nil || !reflect.DeepEqual(info, infos[0]) {
		t.Errorf("Version(1) = %+v, %v, want %+v", info, err, infos[0])
	}
	log, _, err := r.AuditLog(ctx, "2", 0)
	if len(log) != 1 || err != nil || log[0].ID != "my-id" || !slices.Contains([]byte(log[0].After), '1') || len(log[0].Before) < 10 {
		t.Errorf("AuditLog = %+v, %v, want the row with both vectors", log, err)
	}
	if got := r.apply(feature.Commit{View: view.ID, Memory: []byte("m"), Now: day}); got.Generation != 1 || !got.Equal(want) {
		t.Errorf("Apply without a vector = %+v, want the one in force", got)
	}
	rolled, _ := got.Without(1)
	infos[0].State = feature.StateRolledBack
	if got := r.apply(feature.Commit{View: view.ID, Vector: &rolled, Versions: infos[:1], Audit: []feature.Audit{why("rollback")}, Now: day}); got.Generation != 2 || len(got.Visible) != 0 {
		t.Errorf("Apply of a rollback = %+v, want generation 2 and nothing visible", got)
	}
	vectors, err := r.Vectors(ctx)
	if len(vectors) != 1 || err != nil || vectors[view.ID].Generation != 2 {
		t.Errorf("Vectors = %+v, %v, want that of view %d alone", vectors, err, view.ID)
	}
	if v := r.vector(other.ID); !reflect.DeepEqual(v, feature.Vector{}) {
		t.Errorf("Vector of another view = %+v, want the zero one", v)
	}
}

// everything is a commit that changes whatever can be.
func everything(view feature.ViewID, info feature.VersionInfo) feature.Commit {
	info.Step, info.State, info.PublishedAt = feature.StepDecided, feature.StateVisible, day
	return feature.Commit{
		View: view, Vector: &feature.Vector{Visible: []feature.Version{info.Version}}, Versions: []feature.VersionInfo{info},
		Verdicts: []feature.VerdictRow{{ID: fmt.Sprint("verdict", info.Version), Kind: "window", Window: info.Window, Version: info.Version, State: "pass", Decision: "publish", Body: []byte("{}")}},
		Blobs:    map[string][]byte{}, Audit: []feature.Audit{why("publish")}, Alerts: []feature.Alert{{ID: "alert", Kind: "fail", View: "delays", Text: "x"}},
		Resolve: []string{"former"}, History: []feature.HistoryRow{{Window: info.Window, Version: info.Version, Profile: []byte("p")}}, DropHistory: []time.Time{window(50).Start},
		Layouts: []feature.LayoutRow{{Digest: "l", From: day, Body: []byte("body")}}, Baseline: &feature.BaselineRow{Kind: "pinned", Version: 1, From: day},
		Memory: []byte("remember"), Now: day,
	}
}

func testRefused(t *testing.T, r *reg) {
	view := r.view(feature.Gated)
	infos := r.opened(view, 3)
	r.apply(feature.Commit{View: view.ID, Now: day, Alerts: []feature.Alert{{ID: "former", Kind: "fail", View: "delays"}},
		History:  []feature.HistoryRow{{Window: window(50), Profile: []byte("old")}},
		Verdicts: []feature.VerdictRow{{ID: "taken", Kind: "served"}, {ID: "judged", Kind: "window", Version: 2}}})
	if epoch, err := r.Acquire(t.Context(), "gate"); epoch != 1 || err != nil {
		t.Fatalf("Acquire = %d, %v, want 1", epoch, err)
	}
	for name, tc := range map[string]struct {
		spoil func(c *feature.Commit)
		want  error
	}{
		"generation behind":         {func(c *feature.Commit) { c.IfGeneration = 1 }, feature.ErrConflict},
		"without vector as well":    {func(c *feature.Commit) { c.IfGeneration, c.Vector, c.Versions = 5, nil, nil }, feature.ErrConflict},
		"verdict id exists":         {func(c *feature.Commit) { c.Verdicts[0].ID = "taken" }, feature.ErrConflict},
		"verdict id twice":          {func(c *feature.Commit) { c.Verdicts = append(c.Verdicts, c.Verdicts[0]) }, feature.ErrConflict},
		"window judged":             {func(c *feature.Commit) { c.Verdicts[0].Version = 2 }, feature.ErrConflict},
		"audit id twice":            {func(c *feature.Commit) { c.Audit = []feature.Audit{{ID: "a"}, {ID: "a"}} }, feature.ErrConflict},
		"version never opened":      {func(c *feature.Commit) { c.Versions[0].Version = 9 }, feature.ErrNotFound},
		"lists one never opened":    {func(c *feature.Commit) { c.Vector.Visible = []feature.Version{1, 9} }, feature.ErrNotFound},
		"owner of a former epoch":   {func(c *feature.Commit) { c.Owner, c.Epoch = "gate", 0 }, feature.ErrFenced},
		"owner of a later epoch":    {func(c *feature.Commit) { c.Owner, c.Epoch = "gate", 2 }, feature.ErrFenced},
		"owner that never acquired": {func(c *feature.Commit) { c.Owner, c.Epoch = "other", 0 }, feature.ErrFenced},
		"blob of another digest":    {func(c *feature.Commit) { c.Blobs["00"] = []byte("b") }, r.invalid},
		"no audit row":              {func(c *feature.Commit) { c.Audit = nil }, r.invalid},
		"no view":                   {func(c *feature.Commit) { c.View = 0 }, r.invalid},
		"another window":            {func(c *feature.Commit) { c.Versions[0].Window = window(7) }, r.invalid},
		"another kind":              {func(c *feature.Commit) { c.Versions[0].Kind = feature.KindBatch }, r.invalid},
		"no step":                   {func(c *feature.Commit) { c.Versions[0].Step = "" }, r.invalid},
	} {
		t.Run(name, func(t *testing.T) {
			c := everything(view.ID, infos[0])
			tc.spoil(&c)
			r.refused(c, tc.want)
		})
	}
	c := everything(view.ID, infos[0])
	c.Owner, c.Epoch = "gate", 1
	if _, err := r.Apply(t.Context(), c); err != nil {
		t.Errorf("Apply of the same commit unspoilt = %v", err)
	}
}

// testShown: no commit may let a reader see rows of a version that is not visible.
func testShown(t *testing.T, r *reg) {
	view := r.view(feature.Gated)
	infos := r.opened(view, 8)
	set := func(i int, step feature.Step, state feature.State) {
		infos[i].Step, infos[i].State = step, state
		r.apply(feature.Commit{View: view.ID, Versions: infos[i : i+1], Now: day})
	}
	set(1, feature.StepDecided, feature.StateRejected)
	set(2, feature.StepDecided, feature.StateHeld)
	set(3, feature.StepSwept, feature.StateRejected)
	r.publish(view, infos[0])
	r.publish(view, infos[4], infos[5], infos[6])
	versions := func(v ...feature.Version) []feature.Version { return v }
	refused := func(generation uint64, vectors map[string]feature.Vector) {
		for name, v := range vectors {
			t.Run(name, func(t *testing.T) {
				r.refused(feature.Commit{View: view.ID, IfGeneration: generation, Vector: &v, Audit: []feature.Audit{why("x")}}, r.invalid)
			})
		}
	}
	refused(2, map[string]feature.Vector{
		"lists a staged one":          {Visible: versions(1, 8)},
		"lists a rejected one":        {Visible: versions(1, 2)},
		"lists a held one":            {Visible: versions(1, 3)},
		"lists too many":              {Visible: versions(1, 5, 6, 7, 8)},
		"out of order":                {Visible: versions(5, 1)},
		"twice":                       {Visible: versions(1, 1)},
		"lists one below its floor":   {Floor: 1, Visible: versions(1)},
		"dead above the floor":        {Floor: 1, Dead: versions(2)},
		"floor passes a rejected one": {Floor: 2},
		"floor passes a held one":     {Floor: 3, Dead: versions(2)},
		"floor passes a staged one":   {Floor: 8, Dead: versions(2, 3)},
	})
	raised := feature.Vector{Floor: 5, Dead: versions(2, 3), Visible: versions(6)} // 4 is swept
	r.apply(feature.Commit{View: view.ID, Vector: &raised, Audit: []feature.Audit{why("certify")}, Now: day})
	refused(3, map[string]feature.Vector{
		"floor falls":                    {Floor: 4, Dead: versions(2, 3)},
		"dead is forgotten before sweep": {Floor: 5, Dead: versions(3)},
	})
	infos[1].Step = feature.StepSwept
	swept := raised.Swept(versions(2))
	r.apply(feature.Commit{View: view.ID, Vector: &swept, Versions: infos[1:2], Audit: []feature.Audit{why("sweep")}, Now: day})
	for name, i := range map[string]int{"certified one becomes dead": 4, "listed one becomes dead": 5} {
		t.Run(name, func(t *testing.T) {
			infos[i].Step, infos[i].State = feature.StepDecided, feature.StateRolledBack
			r.refused(feature.Commit{View: view.ID, IfGeneration: 4, Versions: infos[i : i+1]}, r.invalid)
		})
	}
}

func testForward(t *testing.T, r *reg) {
	view := r.view(feature.Gated)
	for i, tc := range []struct {
		name               string
		fromStep, toStep   feature.Step
		fromState, toState feature.State
		want               error
	}{
		{"seal", feature.StepOpen, feature.StepSealed, feature.StateStaged, feature.StateStaged, nil},
		{"decide at once", feature.StepOpen, feature.StepDecided, feature.StateStaged, feature.StateRejected, nil},
		{"release a held one", feature.StepDecided, feature.StepDecided, feature.StateHeld, feature.StateVisible, nil},
		{"sweep a dead one", feature.StepDecided, feature.StepSwept, feature.StateExpired, feature.StateExpired, nil},
		{"open again", feature.StepSealed, feature.StepOpen, feature.StateStaged, feature.StateStaged, feature.ErrConflict},
		{"back from certified", feature.StepCertified, feature.StepDecided, feature.StateVisible, feature.StateVisible, feature.ErrConflict},
		{"back from the dead", feature.StepDecided, feature.StepDecided, feature.StateRejected, feature.StateVisible, feature.ErrConflict},
		{"dead another way", feature.StepDecided, feature.StepDecided, feature.StateRolledBack, feature.StateRejected, feature.ErrConflict},
	} {
		t.Run(tc.name, func(t *testing.T) {
			info, err := r.OpenVersion(t.Context(), view, window(i), day)
			if err != nil {
				t.Fatal(err)
			}
			info.Step, info.State = tc.fromStep, tc.fromState
			r.apply(feature.Commit{View: view.ID, Versions: []feature.VersionInfo{info}})
			info.Step, info.State = tc.toStep, tc.toState
			c := feature.Commit{View: view.ID, Versions: []feature.VersionInfo{info}}
			if tc.want != nil {
				r.refused(c, tc.want)
				return
			}
			r.apply(c)
		})
	}
}

// testSwappers: of deciders that saw the same generation exactly one wins.
func testSwappers(t *testing.T, r *reg) {
	view := r.view(feature.Gated)
	infos := r.opened(view, 2)
	r.publish(view, infos...)
	stores := []RegistryStore{r.RegistryStore, r.second()}
	for generation := uint64(1); generation < 40; generation++ {
		var won, lost atomic.Int32
		group, ctx := errgroup.WithContext(t.Context())
		for i, store := range stores {
			group.Go(func() error {
				next := feature.Vector{Frozen: generation%2 == 0, Visible: []feature.Version{feature.Version(i + 1)}}
				_, err := store.Apply(ctx, feature.Commit{View: view.ID, IfGeneration: generation, Vector: &next, Audit: []feature.Audit{why(fmt.Sprint("swap ", i))}, Now: day})
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, feature.ErrConflict):
					lost.Add(1)
				default:
					return err
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil || won.Load() != 1 || lost.Load() != 1 {
			t.Fatalf("generation %d: %d won, %d lost, %v, want one of each", generation, won.Load(), lost.Load(), err)
		}
	}
	if v := r.vector(view.ID); v.Generation != 40 {
		t.Errorf("generation %d, want 40", v.Generation)
	}
	if log, _, err := r.AuditLog(t.Context(), "2", 0); len(log) != 39 || err != nil {
		t.Errorf("%d audit rows, %v, want 39: one a swap", len(log), err)
	}
}

func testFenced(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Gated)
	other := r.second()
	commit := func(store RegistryStore, epoch uint64) error {
		_, err := store.Apply(ctx, feature.Commit{View: view.ID, Owner: "gate", Epoch: epoch, Memory: []byte{byte(epoch)}, Now: day})
		return err
	}
	first, err := r.Acquire(ctx, "gate")
	if first != 1 || err != nil {
		t.Fatalf("Acquire = %d, %v, want 1", first, err)
	}
	if err := commit(r, first); err != nil {
		t.Errorf("Apply of the owner = %v", err)
	}
	second, err := other.Acquire(ctx, "gate")
	if second != 2 || err != nil {
		t.Fatalf("second Acquire = %d, %v, want 2", second, err)
	}
	if err := commit(r, first); !errors.Is(err, feature.ErrFenced) {
		t.Errorf("Apply of the former owner = %v, want %v", err, feature.ErrFenced)
	}
	if err := commit(other, second); err != nil {
		t.Errorf("Apply of the new owner = %v", err)
	}
	if epoch, err := r.Acquire(ctx, "other"); epoch != 1 || err != nil {
		t.Errorf("Acquire of another name = %d, %v, want 1", epoch, err)
	}
	if memory, err := r.Memory(ctx, view.ID); string(memory) != "\x02" || err != nil {
		t.Errorf("Memory = %q, %v, want that of epoch 2", memory, err)
	}
}

// testSeal: a partition leaves idleness and a window is sealed that counted it
// idle; whichever comes first, the other learns of it.
func testSeal(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.view(feature.Gated)
	infos := r.opened(view, 3)
	seal := func(i int, left uint64) feature.Commit {
		info := infos[i]
		info.Step = feature.StepSealed
		return feature.Commit{View: view.ID, Versions: []feature.VersionInfo{info}, Seal: &feature.Seal{Idle: map[string]uint64{"writes/3": left, "writes/4": 0}}, Now: day}
	}
	leave := func(id feature.ViewID, want uint64) {
		t.Helper()
		if left, err := r.LeaveIdle(ctx, "writes", 3, id); left != want || err != nil {
			t.Errorf("LeaveIdle = %d, %v, want %d", left, err, want)
		}
	}
	if idle, err := r.Idle(ctx, view.ID); len(idle) != 0 || err != nil {
		t.Errorf("Idle at first = %v, %v, want none", idle, err)
	}
	r.apply(seal(0, 0)) // sealed first: the partition finds its window sealed
	leave(view.ID, 1)
	if _, err := r.OpenVersion(ctx, view, window(0), day); !errors.Is(err, feature.ErrSealed) {
		t.Errorf("OpenVersion after the seal = %v, want %v", err, feature.ErrSealed)
	}
	r.refused(seal(1, 0), feature.ErrConflict) // left first: the seal is refused
	if _, err := r.OpenVersion(ctx, view, window(1), day); err != nil {
		t.Errorf("OpenVersion after a refused seal = %v", err)
	}
	leave(other.ID, 1) // another view is another matter
	r.apply(seal(1, 1))
	leave(view.ID, 2)
	r.refused(seal(2, 1), feature.ErrConflict)
	if idle, err := r.Idle(ctx, view.ID); !reflect.DeepEqual(idle, map[string]uint64{"writes/3": 2}) || err != nil {
		t.Errorf("Idle = %v, %v, want writes/3: 2", idle, err)
	}
	r.apply(seal(2, 2))
}

// testDeciders: many deciders publish and roll back; the audit log tells a history
// in which every generation follows from the one before.
func testDeciders(t *testing.T, r *reg) {
	view := r.view(feature.Gated)
	infos := r.opened(view, 6)
	for i := range infos {
		infos[i].Step, infos[i].State = feature.StepDecided, feature.StateVisible
	}
	r.apply(feature.Commit{View: view.ID, Versions: infos, Now: day})
	var won atomic.Uint64
	group, ctx := errgroup.WithContext(t.Context())
	for d, store := range []RegistryStore{r.RegistryStore, r.RegistryStore, r.second()} {
		group.Go(func() error {
			for i := range 25 {
				v, err := store.Vector(ctx, view.ID)
				if err != nil {
					return err
				}
				next, ok := v.With(feature.Version(1 + (i*7+d*3)%len(infos)))
				if !ok {
					next, _ = v.Without(feature.Version(1 + (i*7+d*3)%len(infos)))
				}
				_, err = store.Apply(ctx, feature.Commit{View: view.ID, IfGeneration: v.Generation, Vector: &next, Audit: []feature.Audit{why("swap")}, Now: day})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, feature.ErrConflict) {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if v := r.vector(view.ID); v.Generation != won.Load() || won.Load() < 25 {
		t.Errorf("generation %d after %d commits", v.Generation, won.Load())
	}
	log, _, err := r.AuditLog(t.Context(), "1", 0)
	if uint64(len(log)) != won.Load() || err != nil {
		t.Fatalf("%d audit rows, %v, want %d", len(log), err, won.Load())
	}
	for i := 1; i < len(log); i++ {
		if string(log[i].Before) != string(log[i-1].After) {
			t.Errorf("change %d is from %s, the one before it was to %s", i, log[i].Before, log[i-1].After)
		}
	}
}
