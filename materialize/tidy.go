package materialize

import (
	"context"
	"fmt"

	"sluice/feature"
)

// tidy ends, once per view and process, approvals that a crash cut short: their
// versions are open and nobody stages rows into them any more, and the floor would
// wait for them for ever. Approvals of this process that are under way end first.
func (g *Gate) tidy(ctx context.Context, view *feature.View, s *seat) error {
	if s.tidied {
		return nil
	}
	g.staging.Lock()
	defer g.staging.Unlock()
	desk, err := g.desk(ctx, view)
	if err != nil {
		return err
	}
	for _, version := range desk.rising() {
		if info := desk.versions[version]; info.Kind == feature.KindApproved && info.Step == feature.StepOpen {
			desk.abandon(*info)
		}
	}
	if len(desk.touched) > 0 {
		desk.Settle()
		if err := g.commit(ctx, desk.Commit()); err != nil {
			return fmt.Errorf("end approvals cut short: %w", err)
		}
	}
	s.tidied = true
	return nil
}

// abandon ends a version that was opened for rows that are not all staged.
func (d *Desk) abandon(info feature.VersionInfo) {
	info.Step, info.State, info.DecidedBy, info.DecidedAt, info.Reason = feature.StepDecided, feature.StateExpired, d.by, d.now, "its rows were not all staged again"
	d.put(info)
	d.touch(info.Version)
	d.note("expire", info.Version, fmt.Sprintf("the approval of version %d did not come to its end", info.ApprovedOf))
}
