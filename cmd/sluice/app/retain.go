package app

import (
	"context"
	"time"

	"sluice/feature"
)

// retention of history: whole profiles of base windows, then their summaries and what
// rules read. Profiles that serve as baseline stay.
const (
	keepProfiles  = 2 * 24 * time.Hour
	keepSummaries = 90 * 24 * time.Hour
	retainEvery   = time.Minute
)

// retain removes history that no baseline needs.
func (a *App) retain(ctx context.Context) error {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, set := a.parts.clock.Now()
		if !set {
			continue
		}
		newest, err := a.newest(ctx, now)
		if err != nil {
			if ctx.Err() == nil {
				a.opts.Log.Warn("retention", "err", err)
			}
			continue
		}
		defs := a.parts.catalog.Definitions()
		for i := range defs.Views {
			if err := a.retainView(ctx, &defs.Views[i], newest, now); err != nil && ctx.Err() == nil {
				a.opts.Log.Warn("retention", "view", defs.Views[i].Name, "err", err)
			}
		}
	}
}

// newest is the end of the newest window that was judged, where that is before now. History
// is counted back from it, as backtests do: rows of last year that are pushed today have a
// past to try rules on.
func (a *App) newest(ctx context.Context, now time.Time) (time.Time, error) {
	last, err := a.parts.registry.LastRecord(ctx)
	if err == nil && (last.IsZero() || last.After(now)) {
		last = now
	}
	return last, err
}

func (a *App) retainView(ctx context.Context, view *feature.View, newest, now time.Time) error {
	_, _, err := a.parts.registry.Retain(ctx, view.ID, view.Baseline.Windows, newest.Add(-keepProfiles), newest.Add(-keepSummaries))
	if err != nil {
		return err
	}
	if _, err = a.parts.registry.RetainRecords(ctx, view.ID, newest.Add(-keepSummaries)); err != nil {
		return err
	}
	_, err = a.parts.registry.RetainReadership(ctx, view.ID, now.Add(-feature.ReadershipPeriod))
	return err
}
