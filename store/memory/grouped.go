package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/feature"
)

// Grouped is a Store in which rows expire, those of an entity in all views of a group
// at once: the plain reading of what package redis does. The zero Grouped is empty and
// ready; nothing expires before SetClock.
type Grouped struct {
	Store
	now    func() time.Time
	groups map[feature.ViewID]string
	expiry map[feature.ViewID]time.Duration
	ends   map[hash]time.Time // of every hash that there is; zero: never
}

// hash is what expires at once: what an entity has in the views of a group, or in one
// that is in none.
type hash struct {
	group string
	view  feature.ViewID // 0 in a group
	key   feature.Key
}

// SetClock says by which clock rows expire. It is called before the first write.
func (g *Grouped) SetClock(now func() time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = now
}

// Group says in which group each view is, empty for none. Views that it leaves out stay
// where they were.
func (g *Grouped) Group(views map[feature.ViewID]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.groups == nil {
		g.groups = map[feature.ViewID]string{}
	}
	maps.Copy(g.groups, views)
}

// SetExpiry makes rows of a view that are written from now on expire when it has not
// written their entity for d, and no other view of its group needs them for longer; 0 is
// never.
func (g *Grouped) SetExpiry(view feature.ViewID, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.expiry == nil {
		g.expiry = map[feature.ViewID]time.Duration{}
	}
	g.expiry[view] = d
}

// Stage is Store.Stage.
func (g *Grouped) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.purge()
	return g.stage(view, version, rows, func(key feature.Key) { g.extend(view, key) }), nil
}

// hashOf returns the hash of a key in a view.
func (g *Grouped) hashOf(view feature.ViewID, key feature.Key) hash {
	if group := g.groups[view]; group != "" {
		return hash{group: group, key: key}
	}
	return hash{view: view, key: key}
}

// extend sees to it that a hash to which a view has written lives for as long as that
// view asks for. In a group, what another one asked for stands.
func (g *Grouped) extend(view feature.ViewID, key feature.Key) {
	if g.now == nil {
		return
	}
	if g.ends == nil {
		g.ends = map[hash]time.Time{}
	}
	h, d := g.hashOf(view, key), g.expiry[view]
	old, there := g.ends[h]
	switch end := g.now().Add(d); {
	case d == 0 && (!there || h.group != ""):
		g.ends[h] = time.Time{}
	case d == 0:
	case !there || h.group == "" || !old.IsZero() && old.Before(end):
		g.ends[h] = end
	}
}

// purge removes what has expired, and forgets hashes that are empty.
func (g *Grouped) purge() {
	for h, end := range g.ends {
		gone := !end.IsZero() && !g.now().Before(end)
		left := false
		for _, p := range g.placesOf(h) {
			if gone {
				delete(g.chains, p)
			}
			left = left || len(g.chains[p]) > 0
		}
		if !left {
			delete(g.ends, h)
		}
	}
}

// placesOf are where the chains of a hash are.
func (g *Grouped) placesOf(h hash) (all []place) {
	if h.group == "" {
		return []place{{h.view, h.key}}
	}
	for view, group := range g.groups {
		if group == h.group {
			all = append(all, place{view, h.key})
		}
	}
	return all
}

// present removes what has expired before a call of Store.
func (g *Grouped) present() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.purge()
}

// Read is Store.Read.
func (g *Grouped) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	g.present()
	return g.Store.Read(ctx, view, keys, dst)
}

// ReadViews reads views of one group at once: the chain of views[n] of keys[i] is at
// n*len(keys)+i. There are no replicas that whole would matter to.
func (g *Grouped) ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, _ time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.purge()
	dst = dst[:0]
	for _, view := range views {
		if group := g.groups[view]; len(views) > 1 && (group == "" || group != g.groups[views[0]]) {
			return dst, fmt.Errorf("views %d and %d are not in one group", views[0], view)
		}
		dst = slices.Grow(dst, len(keys))
		for _, key := range keys {
			dst = append(dst, g.chain(view, key))
		}
	}
	return dst, nil
}

// Drop is Store.Drop.
func (g *Grouped) Drop(ctx context.Context, view feature.ViewID, version feature.Version) (rows int, err error) {
	g.present()
	return g.Store.Drop(ctx, view, version)
}

// Fold is Store.Fold.
func (g *Grouped) Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (removed int, err error) {
	g.present()
	return g.Store.Fold(ctx, view, floor, dead, touched)
}

// Stat is Store.Stat.
func (g *Grouped) Stat(ctx context.Context, view feature.ViewID, version feature.Version) (rows, bytes uint64, err error) {
	g.present()
	return g.Store.Stat(ctx, view, version)
}
