package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"sluice/feature"
)

// maxDead is how many dead versions a vector names at least before the oldest of
// those whose rows are gone are left out.
const maxDead = 256

// sweeping is how far sweeps of a view have come.
type sweeping struct {
	known  bool
	done   feature.Version // every version up to here is swept
	vector feature.Vector  // as of at
	at     time.Time
	floor  feature.Version       // up to which records may be folded
	dead   []feature.VersionInfo // that were out of sight by then
	folded []feature.VersionInfo // certified by then
}

// sweepAll removes rows that no reader can see any more: those of dead versions,
// and those that a newer certified version hides. The error is feature.ErrFenced.
func (g *Gate) sweepAll(ctx context.Context) error {
	defs := g.deps.Definitions()
	for i := range defs.Views {
		view := &defs.Views[i]
		err := g.sweep(ctx, view, time.Now())
		if err == nil {
			err = g.tidyUnanswered(ctx, view)
		}
		if err == nil {
			err = g.tidyOthers(ctx, view, g.seat(view), time.Now())
		}
		switch {
		case err == nil || ctx.Err() != nil || errors.Is(err, feature.ErrConflict):
		case errors.Is(err, feature.ErrFenced):
			return err
		default:
			g.metrics.errors.WithLabelValues(view.Name).Inc()
			g.log.Warn("sweep", "view", view.Name, "err", err)
		}
	}
	return nil
}

// sweep does so for one view; now is the real time, as leases are. What to remove
// is listed first and removed two leases later: then every reader that may still
// answer has a vector at least as new as the list.
func (g *Gate) sweep(ctx context.Context, view *feature.View, now time.Time) error {
	if g.deps.Sweeps != nil {
		if !g.deps.Sweeps.TryLock() {
			return nil
		}
		defer g.deps.Sweeps.Unlock()
	}
	s := &g.seat(view).sweep
	if len(s.dead)+len(s.folded) > 0 {
		if now.Sub(s.at) < 2*g.cfg.Lease {
			return nil
		}
		if err := g.remove(ctx, view, s); err != nil {
			return err
		}
	}
	return g.survey(ctx, view, s, now)
}

// survey lists what can be removed once every reader has the present vector.
func (g *Gate) survey(ctx context.Context, view *feature.View, s *sweeping, now time.Time) error {
	vector, err := g.deps.Registry.Vector(ctx, view.ID)
	if err != nil {
		return fmt.Errorf("read vector: %w", err)
	}
	if s.known && s.vector.Generation == vector.Generation {
		return nil
	}
	if !s.known {
		if s.done, err = g.sweptUpTo(ctx, view, vector.Floor); err != nil {
			return err
		}
	}
	floor, ok, err := g.foldable(ctx, view, vector)
	if err != nil || !ok {
		return err
	}
	versions, err := g.deps.Registry.Versions(ctx, view.ID, s.done, 0)
	if err != nil {
		return fmt.Errorf("list versions: %w", err)
	}
	s.known, s.vector, s.floor, s.at, s.dead, s.folded = true, vector, floor, now, nil, nil
	for _, info := range versions {
		switch {
		case info.Step == feature.StepSwept:
		case info.State.Dead() && !vector.Sees(info.Version) && info.Step != feature.StepOpen:
			s.dead = append(s.dead, info)
		case info.Version <= floor && info.Step == feature.StepCertified:
			s.folded = append(s.folded, info)
		}
	}
	return nil
}

// sweptUpTo finds how far sweeps came before this process started: up to the last
// version before which all are swept. Those up to the floor are swept from the oldest
// on, but for dead ones that were swept while the floor was below them; so the search
// is followed by a look back.
func (g *Gate) sweptUpTo(ctx context.Context, view *feature.View, floor feature.Version) (feature.Version, error) {
	var failed error
	n := sort.Search(int(floor), func(i int) bool {
		info, err := g.deps.Registry.Version(ctx, view.ID, feature.Version(i+1))
		if err != nil {
			failed = fmt.Errorf("read version %d: %w", i+1, err)
		}
		return err != nil || info.Step != feature.StepSwept
	})
	if failed != nil {
		return 0, failed
	}
	return g.sweptBefore(ctx, view, feature.Version(n))
}

// lookBack is how many swept versions in a row have nothing before them that is not.
const lookBack = 256

// sweptBefore returns the last version up to done before which all are swept.
func (g *Gate) sweptBefore(ctx context.Context, view *feature.View, done feature.Version) (feature.Version, error) {
	for from := done; from > 0; {
		from -= min(from, lookBack)
		page, err := g.deps.Registry.Versions(ctx, view.ID, from, lookBack)
		if err != nil {
			return 0, fmt.Errorf("list versions: %w", err)
		}
		at := slices.IndexFunc(page, func(info feature.VersionInfo) bool { return info.Version <= done && info.Step != feature.StepSwept })
		if at < 0 {
			break
		}
		done = page[at].Version - 1
	}
	return done, nil
}

// remove removes what the survey listed, and notes that in the registry. It may be
// repeated.
func (g *Gate) remove(ctx context.Context, view *feature.View, s *sweeping) error {
	removed, err := g.removeRows(ctx, view, s)
	g.metrics.swept.WithLabelValues(view.Name).Add(float64(removed))
	if err != nil {
		return err
	}
	vector, err := g.deps.Registry.Vector(ctx, view.ID)
	if err != nil {
		return fmt.Errorf("read vector: %w", err)
	}
	c := feature.Commit{View: view.ID, IfGeneration: vector.Generation, Now: g.now()}
	if c.Versions, err = g.swept(ctx, view, s); err != nil {
		return err
	}
	if n := len(vector.Dead); n > 2*maxDead {
		gone := slices.DeleteFunc(slices.Clone(vector.Dead[:n-maxDead]), func(v feature.Version) bool { return v > s.vector.Floor })
		if err := g.dropAll(ctx, view, gone); err != nil {
			return err
		}
		next := vector.Swept(gone)
		c.Vector, c.Audit = &next, []feature.Audit{{At: c.Now, By: byGate, Action: "sweep", View: view.Name, Reason: fmt.Sprintf("%d dead versions without rows are no longer named", len(gone))}}
	}
	if err := g.commit(ctx, c); err != nil {
		return fmt.Errorf("note %d versions as swept: %w", len(c.Versions), err)
	}
	s.done, s.dead, s.folded = max(s.done, s.floor), nil, nil
	return nil
}

// swept returns what the survey listed as it is now, but swept: people may have noted
// something of it since. It comes after the vector is read, which whatever they note raises.
func (g *Gate) swept(ctx context.Context, view *feature.View, s *sweeping) ([]feature.VersionInfo, error) {
	listed := map[feature.Version]bool{}
	first := ^feature.Version(0)
	for _, info := range slices.Concat(s.dead, s.folded) {
		listed[info.Version] = true
		first = min(first, info.Version)
	}
	versions, err := g.deps.Registry.Versions(ctx, view.ID, first-1, 0)
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	versions = slices.DeleteFunc(versions, func(info feature.VersionInfo) bool { return !listed[info.Version] })
	for i := range versions {
		versions[i].Step = feature.StepSwept
	}
	return versions, nil
}

func (g *Gate) removeRows(ctx context.Context, view *feature.View, s *sweeping) (removed int, err error) {
	for _, info := range s.dead {
		rows, err := g.deps.Rows.Drop(ctx, view.ID, info.Version)
		removed += rows
		if err != nil {
			return removed, err
		}
	}
	if err := g.narrow(ctx, view, s); err != nil {
		return removed, err
	}
	var folded []feature.Version
	for _, info := range s.folded {
		folded = append(folded, info.Version)
	}
	if len(folded) == 0 {
		return removed, nil
	}
	rows, err := g.deps.Rows.Fold(ctx, view.ID, s.floor, s.vector.Dead, folded)
	return removed + rows, err
}

// narrow takes off the list what must not be folded any more: rows that went to rest in the
// log since the survey may be hidden by it once they are published.
func (g *Gate) narrow(ctx context.Context, view *feature.View, s *sweeping) error {
	if len(s.folded) == 0 {
		return nil
	}
	vector, err := g.deps.Registry.Vector(ctx, view.ID)
	if err != nil {
		return fmt.Errorf("read vector: %w", err)
	}
	floor, ok, err := g.foldable(ctx, view, vector)
	if err == nil && !ok {
		err = feature.ErrConflict // the next sweep asks again
	}
	if err != nil {
		return err
	}
	s.floor = min(s.floor, floor)
	s.folded = slices.DeleteFunc(s.folded, func(info feature.VersionInfo) bool { return info.Version > s.floor })
	return nil
}

// dropAll makes sure that a version which is no longer named as dead has no rows
// that a late writer brought back.
func (g *Gate) dropAll(ctx context.Context, view *feature.View, versions []feature.Version) error {
	for _, version := range versions {
		if _, err := g.deps.Rows.Drop(ctx, view.ID, version); err != nil {
			return err
		}
	}
	return nil
}
