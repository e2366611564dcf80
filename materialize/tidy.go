package materialize

import (
	"context"
	"fmt"
	"slices"
	"sync"
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
	if err := g.endOpen(ctx, view, func(*feature.VersionInfo) bool { return true }); err != nil {
		return fmt.Errorf("end approvals cut short: %w", err)
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
	var open []feature.Version
	if err := g.endOpen(ctx, view, func(info *feature.VersionInfo) bool {
		if slices.Contains(s.unfinished, info.Version) {
			return true
		}
		open = append(open, info.Version)
		return false
	}); err != nil {
		return fmt.Errorf("end approvals of other processes: %w", err)
	}
	s.looked, s.unfinished = now, open
	return nil
}

// endOpen ends those open versions for rows from the log that are over.
func (g *Gate) endOpen(ctx context.Context, view *feature.View, over func(*feature.VersionInfo) bool) error {
	desk, err := g.desk(ctx, view)
	if err != nil {
		return err
	}
	for _, version := range desk.rising() {
		if info := desk.versions[version]; info.Kind == feature.KindApproved && info.Step == feature.StepOpen && over(info) {
			desk.abandon(*info)
		}
	}
	if len(desk.touched) == 0 {
		return nil
	}
	desk.Settle()
	return g.commit(ctx, desk.Commit())
}

// unanswered are the openings of this process whose versions may be open though nobody
// stages rows into them any more: the registry did not answer. A version's reason names
// its opening.
type unanswered struct {
	mu sync.Mutex
	of map[feature.ViewID][]string
}

func (u *unanswered) add(view feature.ViewID, opening string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of == nil {
		u.of = map[feature.ViewID][]string{}
	}
	u.of[view] = append(u.of[view], opening)
}

// take returns a view's, and forgets them.
func (u *unanswered) take(view feature.ViewID) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.of[view]
	delete(u.of, view)
	return all
}

// tidyUnanswered ends what this process has left open, as soon as the registry answers again.
func (g *Gate) tidyUnanswered(ctx context.Context, view *feature.View) error {
	openings := g.unanswered.take(view.ID)
	if len(openings) == 0 {
		return nil
	}
	err := g.deps.Registry.Await(ctx, view.ID)
	if err == nil {
		err = g.endOpen(ctx, view, func(info *feature.VersionInfo) bool { return slices.Contains(openings, info.Reason) })
	}
	if err == nil {
		return nil
	}
	for _, opening := range openings {
		g.unanswered.add(view.ID, opening)
	}
	return fmt.Errorf("end approvals that the registry did not answer: %w", err)
}

// abandon ends a version that was opened for rows that are not all staged.
func (d *Desk) abandon(info feature.VersionInfo) {
	info.Step, info.State, info.DecidedBy, info.DecidedAt, info.Reason = feature.StepDecided, feature.StateExpired, d.by, d.now, "its rows were not all staged again"
	d.put(info)
	d.touch(info.Version)
	d.note("expire", info.Version, fmt.Sprintf("the approval of version %d did not come to its end", info.ApprovedOf))
}
