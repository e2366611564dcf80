//go:build services

package registry_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/feature"
	"sluice/store/registry"
)

// load is deciders at work, each on a view of its own.
type load struct {
	views []*feature.View
	acked []atomic.Uint64 // changes that were answered with success, by view
}

const deciders = 4

func newLoad(t *testing.T, s *registry.Registry) *load {
	t.Helper()
	var defs feature.Definitions
	for i := range deciders {
		defs.Views = append(defs.Views, feature.View{Name: fmt.Sprint("view", i)})
	}
	defs, _, err := s.SaveDefinitions(t.Context(), 0, defs, feature.Audit{Action: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	l := &load{acked: make([]atomic.Uint64, deciders)}
	for i := range defs.Views {
		l.views = append(l.views, &defs.Views[i])
	}
	return l
}

func (l *load) total() (n uint64) {
	for i := range l.acked {
		n += l.acked[i].Load()
	}
	return n
}

// change is the n-th decision about a view, from 0.
func change(view *feature.View, n uint64) feature.Commit {
	return feature.Commit{
		View: view.ID, IfGeneration: n, Vector: &feature.Vector{Frozen: n%2 == 0}, Now: start,
		Verdicts: []feature.VerdictRow{{ID: fmt.Sprintf("%s-%d", view.Name, n), Kind: "served", Body: []byte("{}")}},
		Audit:    []feature.Audit{{Action: "freeze", View: view.Name}},
	}
}

// run decides until ctx ends. A decider that is alone in its view is never refused:
// ErrConflict would mean that a change which failed had been made, or made twice.
// Errors that tolerate accepts leave it to the registry how far it had come.
func (l *load) run(ctx context.Context, s *registry.Registry, tolerate func(error) bool) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, view := range l.views {
		group.Go(func() error {
			for next := l.acked[i].Load(); ctx.Err() == nil; {
				v, err := s.Apply(context.WithoutCancel(ctx), change(view, next))
				switch {
				case err == nil && v.Generation != next+1:
					return fmt.Errorf("change %d of %s gave generation %d", next, view.Name, v.Generation)
				case err == nil:
					next++
					l.acked[i].Store(next)
				case tolerate(err):
					v, err := s.Vector(context.WithoutCancel(ctx), view.ID)
					if err == nil && (v.Generation < next || v.Generation > next+1) {
						return fmt.Errorf("%s is at generation %d after %d changes were acknowledged and one was not", view.Name, v.Generation, next)
					}
					if err == nil {
						next = v.Generation
						l.acked[i].Store(next)
					} else if !tolerate(err) {
						return err
					}
				default:
					return fmt.Errorf("change %d of %s: %w", next, view.Name, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// check compares what the registry holds with what was acknowledged: every change,
// with its verdict and audit row, once.
func (l *load) check(t *testing.T, s *registry.Registry) {
	t.Helper()
	audit, _, err := s.AuditLog(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]uint64{}
	for _, a := range audit {
		rows[a.View]++
	}
	for i, view := range l.views {
		v, err := s.Vector(t.Context(), view.ID)
		if err != nil {
			t.Fatal(err)
		}
		verdicts, _, err := s.Verdicts(t.Context(), view.ID, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if want := l.acked[i].Load(); v.Generation != want || uint64(len(verdicts)) != want || rows[view.Name] != want {
			t.Errorf("%s: %d changes acknowledged, generation %d, %d verdicts, %d audit rows", view.Name, want, v.Generation, len(verdicts), rows[view.Name])
		}
	}
}

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !met() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}
