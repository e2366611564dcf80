package placement

import (
	"context"
	"fmt"
	"sync"

	"sluice/feature"
)

// Marked is a store that keeps a mark behind each batch, by which it finds out whether
// a failover has lost rows; *redis.Store says how.
type Marked interface {
	Own(source string, offset int64)
	Disown(source string)
	StageMarked(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row, source string, offset int64) (bytes uint64, err error)
	Lost(ctx context.Context, source string, acknowledged int64) (rewind int64, lost bool, err error)
}

// sources is what is owned, so that a store that opens later is told, and where the
// rows of each went.
type sources struct {
	mu sync.Mutex
	m  map[string]*source
}

// source is a partition of writes. One call at a time is made for it.
type source struct {
	offset int64
	wrote  map[*member]bool // ever
	staged map[*member]bool // since it was last made durable
}

// adopt tells a store that has just been opened what is owned, and then has it put in
// its place: what is owned meanwhile is told to either.
func (s *sources) adopt(store Store, put func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if marked, ok := store.(Marked); ok {
		for name, of := range s.m {
			marked.Own(name, of.offset)
		}
	}
	put()
}

func (s *sources) get(name string) *source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[name]
}

// marked calls fn for every open store that keeps marks.
func (s *Stores) marked(fn func(Marked)) {
	for _, m := range s.members {
		if store := m.store.Load(); store != nil {
			if marked, ok := (*store).(Marked); ok {
				fn(marked)
			}
		}
	}
}

// Own takes a source over in all stores that keep marks.
func (s *Stores) Own(name string, offset int64) {
	s.sources.mu.Lock()
	defer s.sources.mu.Unlock()
	s.sources.m[name] = &source{offset: offset, wrote: map[*member]bool{}, staged: map[*member]bool{}}
	s.marked(func(store Marked) { store.Own(name, offset) })
}

// Disown forgets a source.
func (s *Stores) Disown(name string) {
	s.sources.mu.Lock()
	defer s.sources.mu.Unlock()
	delete(s.sources.m, name)
	s.marked(func(store Marked) { store.Disown(name) })
}

// StageMarked stages rows of a source in the store that the view is in, with a mark
// where that store keeps them.
func (s *Stores) StageMarked(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row, name string, offset int64) (bytes uint64, err error) {
	m, err := s.at(ctx, view)
	if err != nil {
		return 0, err
	}
	if of := s.sources.get(name); of != nil {
		of.wrote[m], of.staged[m] = true, true
	}
	err = m.stage(ctx, func(store Store) error {
		if marked, ok := store.(Marked); ok {
			bytes, err = marked.StageMarked(ctx, view, version, rows, name, offset)
		} else {
			bytes, err = store.Stage(ctx, view, version, rows)
		}
		return err
	})
	return bytes, err
}

// SyncSource makes what was staged for a source durable, and does not wait for stores
// that got no row of it.
func (s *Stores) SyncSource(ctx context.Context, name string) error {
	of := s.sources.get(name)
	if of == nil {
		return s.Sync(ctx)
	}
	var members []*member
	for m := range of.staged {
		members = append(members, m)
	}
	if err := syncAll(ctx, members); err != nil {
		return err
	}
	clear(of.staged)
	return nil
}

// Lost tells whether any store lost rows of a source that it had acknowledged, and the
// lowest offset to go back to. A store is asked only if it got rows of the source.
func (s *Stores) Lost(ctx context.Context, name string, acknowledged int64) (rewind int64, lost bool, err error) {
	rewind = acknowledged
	of := s.sources.get(name)
	if of == nil {
		return rewind, false, nil
	}
	for m := range of.wrote {
		err := m.write(ctx, func(store Store) error {
			marked, ok := store.(Marked)
			if !ok {
				return nil
			}
			at, gone, err := marked.Lost(ctx, name, acknowledged)
			rewind, lost = min(rewind, at), lost || gone
			return err
		})
		if err != nil {
			return acknowledged, false, fmt.Errorf("look for lost rows of %s: %w", name, err)
		}
	}
	return rewind, lost, nil
}
