package app

import (
	"context"
	"slices"
	"time"

	"sluice/feature"
)

// retention of history: whole profiles of base windows, then their summaries.
// Profiles that serve as baseline stay.
const (
	keepProfiles  = 2 * 24 * time.Hour
	keepSummaries = 90 * 24 * time.Hour
	retainEvery   = time.Minute
)

// retain removes history that no baseline needs, by the platform's clock.
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
		defs := a.parts.catalog.Definitions()
		for i := range defs.Views {
			if err := a.prune(ctx, &defs.Views[i], now); err != nil && ctx.Err() == nil {
				a.opts.Log.Warn("retention", "view", defs.Views[i].Name, "err", err)
			}
		}
	}
}

func (a *App) prune(ctx context.Context, view *feature.View, now time.Time) error {
	rows, err := a.parts.registry.History(ctx, view.ID, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	profiles := now.Add(-keepProfiles)
	if keep := len(rows) - view.Baseline.Windows; keep < len(rows) {
		oldest := rows[max(0, keep)].Window.End
		profiles = slices.MinFunc([]time.Time{profiles, oldest.Add(-time.Nanosecond)}, time.Time.Compare)
	}
	summaries := slices.MinFunc([]time.Time{profiles, now.Add(-keepSummaries)}, time.Time.Compare)
	_, _, err = a.parts.registry.Prune(ctx, view.ID, profiles, summaries)
	return err
}
