package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"sluice/feature"
)

// testSealRace: a partition leaves idleness and finds its window open, or the window
// is sealed with that partition idle, and never both.
func testSealRace(t *testing.T, r *reg) {
	view, other := r.view(feature.Gated), r.second()
	sealed := 0
	for i := range 60 {
		info := r.opened1(view, i)
		info.Step = feature.StepSealed
		var open, shut bool
		group, ctx := errgroup.WithContext(t.Context())
		group.Go(func() error {
			if left, err := other.LeaveIdle(ctx, "writes", 3, view.ID); left != uint64(i+1) || err != nil {
				return fmt.Errorf("LeaveIdle = %d, %w, want %d", left, err, i+1)
			}
			_, err := other.OpenVersion(ctx, view, window(i), day)
			open = err == nil
			return unless(err, feature.ErrSealed)
		})
		group.Go(func() error {
			_, err := r.Apply(ctx, feature.Commit{View: view.ID, Versions: []feature.VersionInfo{info}, Seal: &feature.Seal{Idle: map[string]uint64{"writes/3": uint64(i)}}, Now: day})
			shut = err == nil
			return unless(err, feature.ErrConflict)
		})
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if open == shut {
			t.Fatalf("round %d: the partition found its window open: %t, and it was sealed with that partition idle: %t", i, open, shut)
		}
		if shut {
			sealed++
		}
	}
	t.Logf("sealed first in %d of 60 rounds", sealed)
}

func unless(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// opened1 opens the version of window i.
func (r *reg) opened1(view *feature.View, i int) feature.VersionInfo {
	r.t.Helper()
	info, err := r.OpenVersion(r.t.Context(), view, window(i), day)
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

// testFenceRace: once an owner has its epoch, nothing more of a former one is
// carried out, not even what was under way.
func testFenceRace(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.second()
	epoch, err := r.Acquire(ctx, "gate")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 40 {
		var then []byte // what was written last when the next owner had its epoch
		former := epoch
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error {
			for i := 0; ; i++ {
				_, err := r.Apply(ctx, feature.Commit{View: view.ID, Owner: "gate", Epoch: former, Memory: fmt.Append(nil, round, i), Now: day})
				if err != nil {
					return unless(err, feature.ErrFenced)
				}
			}
		})
		group.Go(func() (err error) {
			if epoch, err = other.Acquire(ctx, "gate"); err == nil {
				then, err = other.Memory(ctx, view.ID)
			}
			return err
		})
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if now, err := r.Memory(t.Context(), view.ID); string(now) != string(then) || err != nil {
			t.Fatalf("round %d: the former owner wrote %q after the next one had its epoch and read %q, %v", round, now, then, err)
		}
	}
}

// testFollow: whoever follows the log by its cursor misses no row, however many
// write to it at once.
func testFollow(t *testing.T, r *reg) {
	const writers, each = 4, 30
	stores := []RegistryStore{r.RegistryStore, r.second()}
	views := make([]*feature.View, writers)
	for i := range views {
		views[i] = r.view(feature.Gated)
	}
	_, cursor, err := r.AuditLog(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	group, ctx := errgroup.WithContext(t.Context())
	var running atomic.Int32
	running.Store(writers)
	for w, view := range views {
		group.Go(func() error {
			defer running.Add(-1)
			for i := range each {
				c := feature.Commit{View: view.ID, Audit: []feature.Audit{{Action: fmt.Sprint(w)}}, Memory: make([]byte, 3000*(i%3)), Now: day}
				if _, err := stores[w%2].Apply(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	seen := map[string]int{}
	group.Go(func() error {
		for last := false; !last; {
			last = running.Load() == 0
			rows, next, err := stores[0].AuditLog(ctx, cursor, 0)
			if err != nil {
				return err
			}
			for _, row := range rows {
				seen[row.Action]++
			}
			cursor = next
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for w := range writers {
		if n := seen[fmt.Sprint(w)]; n != each {
			t.Errorf("%d rows of writer %d were seen, it wrote %d", n, w, each)
		}
	}
}

// testIDsRace: many save definitions and open versions at once, and no number is
// given twice.
func testIDsRace(t *testing.T, r *reg) {
	view := r.view(feature.Gated)
	stores := []RegistryStore{r.RegistryStore, r.second(), r.second()}
	group, ctx := errgroup.WithContext(t.Context())
	for s, store := range stores {
		group.Go(func() error {
			for i := range 20 {
				if _, err := store.OpenVersion(ctx, view, window(i), day); err != nil {
					return err
				}
				if _, err := store.OpenKind(ctx, view, feature.VersionInfo{Kind: feature.KindBatch, Window: window(i)}); err != nil {
					return err
				}
				defs, generation, err := store.Definitions(ctx)
				if err != nil {
					return err
				}
				defs.Views = append(defs.Views, feature.View{Name: fmt.Sprintf("view_%d_%d", s, i)})
				if _, _, err := store.SaveDefinitions(ctx, generation, defs, why("apply")); unless(err, feature.ErrConflict) != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	infos, err := r.Versions(t.Context(), view.ID, 0, 0)
	if len(infos) != 80 || err != nil || infos[79].Version != 80 {
		t.Errorf("%d versions, %v, want 1 to 80: 20 windows, and a batch for each of 3 stores", len(infos), err)
	}
	defs, generation, err := r.Definitions(t.Context())
	ids := map[feature.ViewID]bool{}
	for _, v := range defs.Views {
		ids[v.ID] = true
	}
	if err != nil || len(ids) != len(defs.Views) || generation != uint64(len(defs.Views)) {
		t.Errorf("%d views with %d ids at generation %d, %v, want as many of each", len(defs.Views), len(ids), generation, err)
	}
}
