package materialize

import (
	"context"
	"errors"
	"fmt"

	"sluice/feature"
)

// mendBack is how many versions up to the floor are read back after a failover, newest
// first: what a replica lacked was written in its last moments.
const mendBack = 16

// mendAll looks whether servers of the row store have changed, and then reads back what
// readers see, or will see once it no longer waits: a failover loses rows that were
// acknowledged, if the replica lagged, and some may be of versions that are judged already.
// Those that are still on their way are read back before they are decided, and those that
// are staged from the log before they are published. The error is feature.ErrFenced.
func (g *Gate) mendAll(ctx context.Context) error {
	defs := g.deps.Definitions()
	stores := map[string]string{} // data sets by online store; each is asked once
	for i := range defs.Views {
		view := &defs.Views[i]
		s := g.seat(view)
		shards, asked := stores[view.OnlineStore()]
		if !asked {
			var err error
			if shards, err = g.shards(ctx, view); err != nil {
				shards = ""
				g.log.Warn("the servers of an online store cannot be asked who they are", "store", view.OnlineStore(), "err", err)
			}
			stores[view.OnlineStore()] = shards
		}
		if shards == "" || s.mended == shards {
			continue
		}
		err := g.mend(ctx, view, s, shards)
		switch {
		case err == nil || ctx.Err() != nil || errors.Is(err, feature.ErrConflict):
		case errors.Is(err, feature.ErrFenced):
			return err
		default:
			g.metrics.errors.WithLabelValues(view.Name).Inc()
			g.log.Error("rows not read back after a change of servers, trying again", "view", view.Name, "err", err)
		}
	}
	return nil
}

// mend does so for one view, and notes in the gate's memory for which servers.
func (g *Gate) mend(ctx context.Context, view *feature.View, s *seat, shards string) error {
	desk, err := g.desk(ctx, view)
	if err != nil {
		return err
	}
	if desk.memory.Mended == shards {
		s.mended = shards
		return nil
	}
	if desk.memory.Shards == "" {
		return nil // nothing was decided yet
	}
	if s.readBack != shards {
		s.readBack, s.whole = shards, map[feature.Version]bool{}
	}
	if err := g.mendVersions(ctx, desk, s.whole); err != nil {
		return err
	}
	if now, err := g.shards(ctx, view); err != nil || now != shards {
		return err
	}
	desk.memory.Mended = shards
	desk.note("mend", 0, "rows were read back after the row store's servers changed")
	if err := g.commit(ctx, desk.Commit()); err != nil {
		return fmt.Errorf("note that rows were read back: %w", err)
	}
	s.mended, s.whole = shards, nil
	return nil
}

// mendVersions reads the rows of versions that show, or may come to, back, and stages again
// those of a version that lacks some. whole are those that were read back already: they are
// not, if somebody changed the view meanwhile and this is tried again.
func (g *Gate) mendVersions(ctx context.Context, desk *Desk, whole map[feature.Version]bool) error {
	from := desk.floor - min(desk.floor, mendBack)
	versions, err := g.deps.Registry.Versions(ctx, desk.view.ID, from, 0)
	if err != nil {
		return fmt.Errorf("list versions: %w", err)
	}
	for _, info := range versions {
		if whole[info.Version] || len(info.Spans) == 0 || !desk.before.Sees(info.Version) && !desk.pending(info) {
			continue
		}
		a := &auditing{gate: g, candidate: &candidate{desk: desk, info: info}, has: holds}
		if info.Version <= desk.floor {
			a.has = desk.settled
		}
		if err := a.mend(ctx); err != nil {
			return fmt.Errorf("version %d: %w", info.Version, err)
		}
		whole[info.Version] = true
	}
	return nil
}

// pending reports whether a version that was judged is out of sight and may come to show
// with the rows that it has: it is held, or passed and waits.
func (d *Desk) pending(info feature.VersionInfo) bool {
	return info.Step == feature.StepDecided && !info.State.Dead() && !d.offline(info.Version)
}

// settled reports whether a chain has a row up to the floor, or one that hides it there
// and may have been folded over it.
func (d *Desk) settled(chain []feature.Record, row feature.Record) bool {
	certified := feature.Vector{Floor: d.before.Floor, Dead: d.before.Dead}
	for _, r := range chain {
		if certified.Sees(r.Version) && !row.Newer(r) {
			return true
		}
	}
	return false
}

// mend reads all rows of a version back, and stages them again if some are missing. A
// log that no longer has them is told of.
func (a *auditing) mend(ctx context.Context) error {
	err := a.readBack(ctx, a.info.Spans, 0)
	if errors.Is(err, feature.ErrExpired) {
		a.gate.metrics.audited.WithLabelValues(a.desk.view.Name, "unread").Add(float64(a.info.Rows))
		a.gate.log.Error("rows of a version may be lost with a server, and the log no longer holds them", "view", a.desk.view.Name, "version", a.info.Version, "rows", a.info.Rows)
		return nil
	}
	if err == nil && a.lost > 0 {
		err = a.again(ctx)
	}
	return err
}
