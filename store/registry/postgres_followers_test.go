//go:build services

package registry_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/registry"
)

const (
	followers = 200
	opened    = 4 // registries that the followers share: what several processes have
	publishes = 50
)

// follower notes when it first saw each generation of a view.
type follower struct {
	store *registry.Registry
	mu    sync.Mutex
	seen  map[uint64]time.Time
}

// run does what a server does: it waits for news, and then reads the vectors.
func (f *follower) run(ctx context.Context, view feature.ViewID, ready func()) error {
	for {
		changed := f.store.Changed()
		v, err := f.store.Vectors(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		now := time.Now()
		f.mu.Lock()
		if _, known := f.seen[v[view].Generation]; !known {
			f.seen[v[view].Generation] = now
		}
		f.mu.Unlock()
		ready()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// TestPublishReachesFollowers publishes from one process while 200 readers in others
// follow: half of them have the new vector within 50 ms, and all within a second.
func TestPublishReachesFollowers(t *testing.T) {
	dsn, dir := superuser(t), t.TempDir()
	at := databaseOf(t, dsn, dir)
	open := func() *registry.Registry {
		s, err := registry.OpenPostgres(t.Context(), at, registry.PostgresOptions{})
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
	gate := open()
	defs, _, err := gate.SaveDefinitions(t.Context(), 0, feature.Definitions{Views: []feature.View{{Name: "view0"}}}, feature.Audit{Action: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	view := &defs.Views[0]
	var stores []*registry.Registry
	for range opened {
		stores = append(stores, open())
	}
	ctx, stop := context.WithCancel(t.Context())
	var running, ready sync.WaitGroup
	all := make([]*follower, followers)
	for i := range all {
		all[i] = &follower{store: stores[i%opened], seen: map[uint64]time.Time{}}
		ready.Add(1)
		running.Go(func() {
			if err := all[i].run(ctx, view.ID, sync.OnceFunc(ready.Done)); err != nil {
				t.Errorf("follower %d: %v", i, err)
			}
		})
	}
	ready.Wait()
	var commits []time.Duration
	committed := map[uint64]time.Time{}
	for n := range uint64(publishes) {
		began := time.Now()
		v, err := gate.Apply(t.Context(), change(view, n))
		if err != nil {
			t.Fatal(err)
		}
		committed[v.Generation] = time.Now()
		commits = append(commits, committed[v.Generation].Sub(began))
		allSee(t, all, v.Generation)
	}
	stop()
	running.Wait()
	var delays []time.Duration
	for _, f := range all {
		for generation, at := range committed {
			delays = append(delays, f.seen[generation].Sub(at))
		}
	}
	slices.Sort(commits)
	slices.Sort(delays)
	median, last := delays[len(delays)/2], delays[len(delays)-1]
	t.Logf("commit: median %s, greatest %s; seen by %d readers after the commit: median %s, 99%% %s, greatest %s",
		commits[len(commits)/2], commits[len(commits)-1], followers, median, delays[len(delays)*99/100], last)
	if median > 50*time.Millisecond || last > time.Second {
		t.Errorf("readers see a publication after %s (median) and %s (last), want 50ms and 1s", median, last)
	}
}

// allSee waits until every follower has a generation, or a later one.
func allSee(t *testing.T, all []*follower, generation uint64) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, f := range all {
		for {
			f.mu.Lock()
			_, seen := f.seen[generation]
			f.mu.Unlock()
			if seen {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("a follower has not seen generation %d", generation)
			}
			<-tick.C
		}
	}
}
