package materialize

import (
	"context"
	"fmt"
	"slices"
	"time"

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

// approvalTime is how long an approval of another process may take until its rows are
// staged; after that, and at the latest after twice that, it is taken for one that a
// crash cut short.
const approvalTime = 10 * time.Minute

// tidyOthers ends approvals of other processes that did not come to their end: their
// versions were open already when the gate last looked. now is the real time. While an
// approval of this process is under way it ends none.
func (g *Gate) tidyOthers(ctx context.Context, view *feature.View, s *seat, now time.Time) error {
	if now.Sub(s.looked) < approvalTime || !g.staging.TryLock() {
		return nil
	}
	defer g.staging.Unlock()
	desk, err := g.desk(ctx, view)
	if err != nil {
		return err
	}
	var open []feature.Version
	for _, version := range desk.rising() {
		info := desk.versions[version]
		switch {
		case info.Kind != feature.KindApproved || info.Step != feature.StepOpen:
		case slices.Contains(s.unfinished, version):
			desk.abandon(*info)
		default:
			open = append(open, version)
		}
	}
	if len(desk.touched) > 0 {
		desk.Settle()
		if err := g.commit(ctx, desk.Commit()); err != nil {
			return fmt.Errorf("end approvals of other processes: %w", err)
		}
	}
	s.looked, s.unfinished = now, open
	return nil
}

// abandon ends a version that was opened for rows that are not all staged.
func (d *Desk) abandon(info feature.VersionInfo) {
	info.Step, info.State, info.DecidedBy, info.DecidedAt, info.Reason = feature.StepDecided, feature.StateExpired, d.by, d.now, "its rows were not all staged again"
	d.put(info)
	d.touch(info.Version)
	d.note("expire", info.Version, fmt.Sprintf("the approval of version %d did not come to its end", info.ApprovedOf))
}
