package materialize

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// exposed notes in a verdict how often readers saw the versions that it rolled back,
// as far as servers have said so by then.
func (g *Gate) exposed(ctx context.Context, view *feature.View, v *rules.Verdict) error {
	if len(v.RolledBack) == 0 {
		return nil
	}
	all, err := g.deps.Registry.Exposure(ctx, view.ID, slices.Min(v.RolledBack), slices.Max(v.RolledBack))
	if err != nil {
		return fmt.Errorf("read who saw versions %v: %w", v.RolledBack, err)
	}
	v.Exposure = slices.DeleteFunc(all, func(e feature.VersionReads) bool { return !slices.Contains(v.RolledBack, e.Version) })
	return nil
}

// seenBy says how often versions were read, and from the first read to the last how
// long.
func seenBy(exposure []feature.VersionReads) string {
	all := feature.SumReads(exposure)
	switch {
	case all.Reads == 0:
		return "seen by no read"
	case all.First.IsZero():
		return fmt.Sprintf("seen by %d reads", all.Reads)
	}
	return fmt.Sprintf("seen by %d reads in %s", all.Reads, all.Last.Sub(all.First).Round(time.Second))
}
