package placement

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"sluice/feature"
)

// groups is in which group each view is, for stores that have a use for that.
type groups struct {
	mu    sync.Mutex
	views map[feature.ViewID]string
}

// adopt tells a store what is known, and then puts it in its place.
func (g *groups) adopt(store Store, put func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if in, ok := store.(Grouping); ok {
		in.Group(g.views)
	}
	put()
}

// Group says in which group each view is, empty for none, before Place says where. A
// view's group does not change. Views that it leaves out stay what they were.
func (s *Stores) Group(views map[feature.ViewID]string) {
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	if s.groups.views == nil {
		s.groups.views = map[feature.ViewID]string{}
	}
	maps.Copy(s.groups.views, views)
	for _, m := range s.members {
		if store := m.store.Load(); store != nil {
			if in, ok := (*store).(Grouping); ok {
				in.Group(views)
			}
		}
	}
}

// Together reports whether ReadViews reads views of a group that this one is in by one
// lookup, and not by one for each: it depends on the store that they are in.
func (s *Stores) Together(view feature.ViewID) bool {
	m := (*s.placed.Load())[view]
	if m == nil {
		return false
	}
	store := m.store.Load()
	if store == nil {
		return false
	}
	_, ok := (*store).(Grouping)
	return ok
}

// ReadViews is ReadWhole of several views of one group at once: the chain of views[n] of
// keys[i] is at n*len(keys)+i of what it returns, and errors that concern some of the
// keys alone concern all of the views. In a store that keeps views apart they are read
// one after the other.
func (s *Stores) ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	if len(views) == 0 {
		return dst[:0], nil
	}
	m, err := s.at(ctx, views[0])
	if err != nil {
		return none(dst, len(views)*len(keys), len(keys), err)
	}
	for _, view := range views[1:] {
		other, err := s.at(ctx, view)
		if err == nil && other.name != m.name {
			err = fmt.Errorf("views %d and %d are not in one online store, but in %s and %s", views[0], view, m.name, other.name)
		}
		if err != nil {
			return none(dst, len(views)*len(keys), len(keys), err)
		}
	}
	return m.read(dst, len(views)*len(keys), len(keys), func(store Store) ([][]feature.Record, error) {
		if in, ok := store.(Grouping); ok {
			return in.ReadViews(ctx, views, keys, whole, dst)
		}
		return eachView(ctx, store, views, keys, dst)
	})
}

// eachView reads views one after the other.
func eachView(ctx context.Context, store Store, views []feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	all := make([][]feature.Record, 0, len(views)*len(keys))
	for n, view := range views {
		var former [][]feature.Record
		if at := n * len(keys); at+len(keys) <= len(dst) {
			former = dst[at : at+len(keys) : at+len(keys)]
		}
		chains, err := store.Read(ctx, view, keys, former)
		if err != nil {
			return none(dst, len(views)*len(keys), len(keys), err)
		}
		all = append(all, chains...)
	}
	return all, nil
}
