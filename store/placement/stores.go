package placement

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
)

// Errors of a Stores. Callers test with errors.Is.
var (
	// ErrUnplaced reports a view that no definition in force has.
	ErrUnplaced = errors.New("nothing says in which online store the view is")
	// ErrUnknown reports a view in a store that this process was not given.
	ErrUnknown = errors.New("the online store is not configured here")
	// ErrClosed reports a store that could not be opened yet, or was closed.
	ErrClosed = errors.New("the online store is not open")
	// ErrResting reports a store that gave no answer a moment ago.
	ErrResting = errors.New("the online store gave no answer, and is not asked for a while")
	// ErrSwapped reports a store that was opened under another name before.
	ErrSwapped = errors.New("another online store")
)

// Store is an online store; those of store/embedded and store/redis are. What else
// they can do is asked for by Marked, Named and Expiring.
type Store interface {
	Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error)
	Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error)
	Drop(ctx context.Context, view feature.ViewID, version feature.Version) (rows int, err error)
	Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (removed int, err error)
	Correct(ctx context.Context, view feature.ViewID, version feature.Version, put []feature.Row, gone []feature.Key) error
	Stat(ctx context.Context, view feature.ViewID, version feature.Version) (rows, bytes uint64, err error)
	Sync(ctx context.Context) error
	Size() uint64
	Close() error
}

// Expiring is a store that lets go of entities nobody writes any more.
type Expiring interface {
	SetExpiry(view feature.ViewID, d time.Duration)
}

// Grouping is a store that keeps the chains of the views of a group together, and reads
// them in one lookup; *redis.Store says what it promises.
type Grouping interface {
	Group(views map[feature.ViewID]string)
	ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error)
}

// OpenFunc opens a store. ctx bounds that alone.
type OpenFunc func(ctx context.Context) (Store, error)

// Options say what a Stores is made of.
type Options struct {
	// Default opens the store of views that name none. It must open at once.
	Default OpenFunc
	// Named open the others. One that cannot be opened is tried again by Run.
	Named map[string]OpenFunc
	// Refresh is called before a view is refused that Place has not named: it should
	// call Place with what is in force. nil refuses at once.
	Refresh    func(ctx context.Context, view feature.ViewID) error
	Registerer prometheus.Registerer // nil registers nothing
	Log        *slog.Logger          // nil: silent
}

// Stores is several online stores as one.
type Stores struct {
	refresh func(ctx context.Context, view feature.ViewID) error
	log     *slog.Logger
	members []*member // the default one first, then by name
	placed  atomic.Pointer[map[feature.ViewID]*member]
	groups  groups
	expiry  sync.Map // feature.ViewID → time.Duration
	sources sources
}

// Open opens the stores. The error is of the default one, or ErrSwapped: a named one
// that cannot be opened is left to Run.
func Open(ctx context.Context, opts Options) (*Stores, error) {
	s := &Stores{refresh: opts.Refresh, log: opts.Log, sources: sources{m: map[string]*source{}}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	metrics := newMetrics(opts.Registerer)
	s.members = []*member{newMember(feature.DefaultOnline, opts.Default, metrics)}
	for _, name := range slices.Sorted(maps.Keys(opts.Named)) {
		s.members = append(s.members, newMember(name, opts.Named[name], metrics))
	}
	s.placed.Store(&map[feature.ViewID]*member{})
	errs := make([]error, len(s.members))
	var group sync.WaitGroup
	for i, m := range s.members {
		group.Go(func() { errs[i] = s.open(ctx, m) })
	}
	group.Wait()
	for i, m := range s.members {
		if errs[i] == nil {
			errs[i] = s.confirm(ctx, m)
		}
	}
	for i, err := range errs {
		switch {
		case err == nil:
		case i == 0 || errors.Is(err, ErrSwapped):
			return nil, errors.Join(err, s.Close())
		default:
			s.log.Error("online store not open; its views have no rows until it is", "store", s.members[i].name, "err", err)
		}
	}
	return s, nil
}

// Place says in which store each view is: the name of one, or empty for the default.
// Views that it leaves out stay where they were. Those in a group are named to Group first.
func (s *Stores) Place(views map[feature.ViewID]string) {
	old := *s.placed.Load()
	next, changed := maps.Clone(old), false
	for view, name := range views {
		m := s.member(name)
		if at := old[view]; at == nil || at != m && at.name != m.name {
			next[view], changed = m, true
			if m.unknown {
				s.log.Error("a view is in an online store that this process's configuration does not name", "store", m.name, "view_id", view)
			}
		}
	}
	if changed {
		s.placed.Store(&next)
	}
}

// member returns the store of a name; one that refuses everything if there is none.
func (s *Stores) member(name string) *member {
	if name == "" {
		return s.members[0]
	}
	for _, m := range s.members {
		if m.name == name {
			return m
		}
	}
	return &member{name: name, unknown: true}
}

// at returns where a view is. View 0 is nobody's, and in the default store.
func (s *Stores) at(ctx context.Context, view feature.ViewID) (*member, error) {
	if m := (*s.placed.Load())[view]; m != nil {
		return m, nil
	}
	if view == 0 {
		return s.members[0], nil
	}
	if s.refresh != nil {
		if err := s.refresh(ctx, view); err != nil {
			return nil, fmt.Errorf("view %d: %w: %w", view, ErrUnplaced, err)
		}
		if m := (*s.placed.Load())[view]; m != nil {
			return m, nil
		}
	}
	return nil, fmt.Errorf("view %d: %w", view, ErrUnplaced)
}

// Where returns the name of the store that a view is in; empty if nothing says so.
func (s *Stores) Where(view feature.ViewID) string {
	if m := (*s.placed.Load())[view]; m != nil {
		return m.name
	}
	return ""
}

// Unknown lists the stores that views are in and that this process was not given.
func (s *Stores) Unknown() (names []string) {
	for _, m := range *s.placed.Load() {
		if m.unknown && !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	slices.Sort(names)
	return names
}

// Names lists the stores, the default one first.
func (s *Stores) Names() (names []string) {
	for _, m := range s.members {
		names = append(names, m.name)
	}
	return names
}

// Check returns why a store cannot be read; nil if it can.
func (s *Stores) Check(ctx context.Context, name string) error {
	store, err := s.member(name).opened()
	if err != nil {
		return err
	}
	_, err = store.Read(ctx, 0, []feature.Key{""}, nil)
	if in, ok := store.(Losing); ok && err == nil {
		err = in.Emptied()
	}
	return s.member(name).says(err)
}

// Losing is a store on servers that may come back without their rows: Emptied says that
// they did, as long as they do not have them back.
type Losing interface {
	Emptied() error
}

// Opened returns the store of a name; nil if it is not open, or there is none.
func (s *Stores) Opened(name string) Store {
	store, err := s.member(name).opened()
	if err != nil {
		return nil
	}
	return store
}

// retry is how often a store is tried that could not be opened.
const retry = time.Second

// Run opens stores that could not be opened, until ctx ends.
func (s *Stores) Run(ctx context.Context) error {
	tick := time.NewTicker(retry)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, m := range s.members {
			if m.store.Load() != nil {
				continue
			}
			if err := s.open(ctx, m); err == nil {
				s.log.Info("online store is open", "store", m.name)
			} else {
				s.log.Warn("online store still not open", "store", m.name, "err", err)
			}
		}
	}
}

// open opens a store, and tells it what the others were told.
func (s *Stores) open(ctx context.Context, m *member) error {
	store, err := m.open(ctx)
	if err == nil && len(s.members) > 1 {
		err = claim(ctx, store, m.name)
	}
	if err != nil {
		if store != nil {
			err = errors.Join(err, store.Close())
		}
		return m.says(err)
	}
	if e, ok := store.(Expiring); ok {
		s.expiry.Range(func(view, d any) bool {
			e.SetExpiry(view.(feature.ViewID), d.(time.Duration))
			return true
		})
	}
	s.groups.adopt(store, func() { s.sources.adopt(store, func() { m.store.Store(&store) }) })
	m.metrics.up.WithLabelValues(m.name).Set(1)
	return nil
}

// confirm reads the name of an open store once more: two that were new, and opened at
// once, may both have found no name on the servers that they share. One that is not to
// be read now has been claimed, and is left open.
func (s *Stores) confirm(ctx context.Context, m *member) error {
	store := m.store.Load()
	if store == nil || len(s.members) == 1 {
		return nil
	}
	if err := claim(ctx, *store, m.name); errors.Is(err, ErrSwapped) {
		return m.says(err)
	}
	return nil
}

// SetExpiry says how long rows of a view are kept after its last write, where the store
// can let go of them.
func (s *Stores) SetExpiry(view feature.ViewID, d time.Duration) {
	s.expiry.Store(view, d)
	for _, m := range s.members {
		if store := m.store.Load(); store != nil {
			if e, ok := (*store).(Expiring); ok {
				e.SetExpiry(view, d)
			}
		}
	}
}

// Size returns the bytes of all stores; one that is not open counts as 0.
func (s *Stores) Size() (total uint64) {
	for _, m := range s.members {
		if store := m.store.Load(); store != nil {
			total += (*store).Size()
		}
	}
	return total
}

// Close closes the stores.
func (s *Stores) Close() error {
	var errs []error
	for _, m := range s.members {
		if store := m.store.Load(); store != nil {
			errs = append(errs, m.says((*store).Close()))
		}
	}
	return errors.Join(errs...)
}
