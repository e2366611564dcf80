package placement_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/feature"
	"sluice/store/placement"
)

// together is a store that keeps groups together.
type together struct {
	store
	groups map[feature.ViewID]string
	asked  [][]feature.ViewID
}

func (s *together) Group(views map[feature.ViewID]string) {
	if s.groups == nil {
		s.groups = map[feature.ViewID]string{}
	}
	maps.Copy(s.groups, views)
}

func (s *together) ReadViews(_ context.Context, views []feature.ViewID, keys []feature.Key, _ time.Time, _ [][]feature.Record) ([][]feature.Record, error) {
	s.asked = append(s.asked, views)
	return make([][]feature.Record, len(views)*len(keys)), nil
}

// TestGroups: every store knows the groups before it is asked, also one that is opened
// later, and views of a group go to their store in one call.
func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &store{}, &together{}
		var there atomic.Bool
		s, err := placement.Open(t.Context(), placement.Options{
			Default: func(context.Context) (placement.Store, error) { return a, nil },
			Named: map[string]placement.OpenFunc{"critical": func(context.Context) (placement.Store, error) {
				if !there.Load() {
					return nil, errors.New("connection refused")
				}
				return b, nil
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		s.Group(map[feature.ViewID]string{1: "users", 2: "users", 3: "users", 4: "users"})
		s.Place(map[feature.ViewID]string{1: "", 2: "", 3: "critical", 4: "critical"})
		keys := []feature.Key{"x", "y"}
		var partial interface{ Missing() []int }
		if got, err := s.ReadViews(t.Context(), []feature.ViewID{3, 4}, keys, time.Time{}, nil); len(got) != 4 || !errors.As(err, &partial) || len(partial.Missing()) != 2 || s.Together(3) {
			t.Errorf("ReadViews in a store that is not open = %d chains, %v, want 4 and that no key could be read", len(got), err)
		}
		there.Store(true)
		time.Sleep(2 * time.Second) // of the bubble's clock
		synctest.Wait()
		if fmt.Sprint(b.groups) != fmt.Sprint(map[feature.ViewID]string{1: "users", 2: "users", 3: "users", 4: "users"}) {
			t.Errorf("the store that was opened later knows %v", b.groups)
		}
		if got, err := s.ReadViews(t.Context(), []feature.ViewID{3, 4}, keys, time.Time{}, nil); len(got) != 4 || err != nil || len(b.asked) != 1 {
			t.Errorf("ReadViews = %d chains, %v, and asks %d", len(got), err, b.asked)
		}
		for view, want := range map[feature.ViewID]bool{1: false, 3: true, 9: false} {
			if got := s.Together(view); got != want {
				t.Errorf("Together(%d) = %t, want %t", view, got, want)
			}
		}
		if got, err := s.ReadViews(t.Context(), []feature.ViewID{2, 3}, keys, time.Time{}, nil); len(got) != 4 || err == nil {
			t.Errorf("ReadViews of views in two stores = %d chains, %v", len(got), err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
