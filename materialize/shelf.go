package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
)

// While a view is frozen nothing is certified, and every window that passes would keep
// its rows beside those of the ones before: an entity would have a record in each. So
// no more than feature.MaxVisible versions keep theirs. The rows of those that pass
// after them rest in the log, on the shelf: the version is dead, and after the thaw,
// once there is room, the rows of all of them are published as one version, staged as an
// approval does. Then one more may keep its rows, which passed and waits for room.

// shelve puts what a view has too many of on the shelf. What has not passed expires; a
// person may approve it.
func (d *Desk) shelve() {
	room, text := feature.MaxVisible, "the view is frozen and keeps %d versions already"
	if !d.frozen {
		room, text = feature.MaxVisible+1, "the view keeps %d versions already"
	}
	kept, spare := 0, []feature.Version(nil)
	for _, version := range d.rising() {
		info := d.versions[version]
		if version <= d.floor || info.State.Dead() || info.Step == feature.StepOpen || info.Step == feature.StepSealed {
			continue
		}
		if kept++; !d.listed(version) {
			spare = append(spare, version)
		}
	}
	for ; kept > room && len(spare) > 0; kept-- {
		at := d.leastMissed(spare)
		d.shelveOne(spare[at], fmt.Sprintf(text, room))
		spare = slices.Delete(spare, at, at+1)
	}
}

// leastMissed is the place of the version that goes first: of a view that is not frozen
// the one that was held longest, since the least of its budget is left; else the newest.
func (d *Desk) leastMissed(spare []feature.Version) int {
	if !d.frozen {
		for i, version := range spare {
			if d.versions[version].State == feature.StateHeld && !slices.Contains(d.memory.Waiting, version) {
				return i
			}
		}
	}
	return len(spare) - 1
}

// passedPrefix begins the reason of a version that passed and is not published.
const passedPrefix = "passed, and "

func (d *Desk) shelveOne(version feature.Version, why string) {
	passed := slices.Contains(d.memory.Waiting, version)
	info := d.touch(version)
	d.memory.drop(version)
	info.State, info.DecidedBy, info.DecidedAt, info.Reason = feature.StateExpired, byGate, d.now, why
	if passed {
		d.memory.shelve(version)
		info.Reason = passedPrefix + "rests in the log: " + why
	} else {
		d.alert("hold", version, info.Verdict, fmt.Sprintf("%s version %d expired: %s. Approve it to publish its rows from the log.", d.view.Name, version, why))
	}
	d.note("expire", version, info.Reason)
}

// shelved reports whether a version's rows are published from the log later.
func (d *Desk) shelved(version feature.Version) bool {
	return slices.Contains(d.memory.Shelf, version)
}

// shelfLot is how many windows one version joins at most.
const shelfLot = 64

// next returns the versions that come off the shelf now, in their order; none while
// others wait for room that are in the store. All of them, or none, are offline.
func (d *Desk) next() []feature.Version {
	if d.frozen || len(d.memory.Waiting) > 0 || len(d.visible) >= feature.MaxVisible {
		return nil
	}
	lot := d.memory.Shelf[:min(len(d.memory.Shelf), shelfLot)]
	if len(lot) == 0 {
		return nil
	}
	offline := d.offline(lot[0])
	if n := slices.IndexFunc(lot, func(version feature.Version) bool { return d.offline(version) != offline }); n > 0 {
		lot = lot[:n]
	}
	return lot
}

// shelfRetry is the pause after rows could not be staged from the log: each try is a
// version of its own.
const shelfRetry = 10 * time.Second

// unshelve publishes what comes off the shelf of a view, beside the gate's other work:
// staging from the log takes its time.
func (g *Gate) unshelve(ctx context.Context, view *feature.View) error {
	seen, err := g.look(ctx, view)
	s := g.seat(view)
	if err != nil || len(seen.next) == 0 || !s.shelf.TryLock() {
		return err
	}
	if time.Now().Before(s.shelfLater) {
		s.shelf.Unlock()
		return nil
	}
	if !g.hasRoom(view, s, seen) {
		s.shelf.Unlock()
		return nil
	}
	actions := NewActions(g.deps, g)
	g.aside.Go(func() {
		defer s.shelf.Unlock()
		if err := actions.unshelve(ctx, view, seen.next); err != nil && ctx.Err() == nil {
			s.shelfLater = time.Now().Add(shelfRetry)
			g.metrics.errors.WithLabelValues(view.Name).Inc()
			g.log.Warn("rows of versions that passed and rest in the log are not published yet", "view", view.Name, "versions", seen.next, "err", err)
		}
	})
	return nil
}

// hasRoom reports whether what comes off the shelf of a view may be staged now. Rows that
// taps left out may be as soon as taps stage again.
func (g *Gate) hasRoom(view *feature.View, s *seat, seen look) bool {
	if seen.offline {
		return g.deps.online(view)
	}
	if g.deps.Room == nil {
		return true
	}
	err := g.deps.Room(view)
	if err != nil {
		s.shelfLater = time.Now().Add(shelfRetry)
		g.log.Warn("rows of versions that passed and rest in the log wait for room in the online store", "view", view.Name, "versions", seen.next, "err", err)
	}
	return err == nil
}

// unshelve publishes the rows of versions on the shelf, and tells people of those
// whose rows the log no longer holds.
func (a *Actions) unshelve(ctx context.Context, view *feature.View, versions []feature.Version) error {
	u := unshelving{versions: versions}
	act := Action{View: view, By: byGate, Reason: "passed, and there was no room for its rows until now"}
	_, err := a.staging(ctx, "publish", act, u.publish)
	if errors.Is(err, errTookEffect) {
		return nil
	}
	return err
}

// unshelving is one publication from the shelf under way.
type unshelving struct {
	versions []feature.Version
	taken    []feature.Version   // of these, those that were dealt with: all, unless the store is nearly full again
	joined   feature.VersionInfo // what the log gave of them
	expired  []feature.Version
}

// publish lists a version with the rows of all, unless somebody else has dealt with one
// of them, or there is no room any more. Others may have come to the shelf after them.
func (u *unshelving) publish(p *approval, ctx context.Context, d *Desk, act Action) error {
	if next := d.next(); len(next) < len(u.versions) || !slices.Equal(next[:len(u.versions)], u.versions) {
		return feature.ErrConflict
	}
	if err := u.stage(ctx, p, act); err != nil {
		return err
	}
	if err := p.unmoved(ctx, act.View); err != nil {
		return err
	}
	if err := u.off(ctx, p, d, act); err != nil {
		return err
	}
	for _, version := range u.expired {
		text := fmt.Sprintf("%s version %d passed, there was no room for its rows, and the log no longer holds them: they are not published. Push them again.", d.view.Name, version)
		d.note("expire", version, text)
		d.moment("hold", version, "", text)
	}
	if len(u.joined.Spans) == 0 {
		d.abandon(*p.fresh)
		return nil
	}
	since, err := p.judgedSince(ctx, act, slices.Max(u.taken))
	if err != nil {
		return err
	}
	shown := *p.fresh
	shown.Step, shown.Rows, shown.Digest, shown.Verdict, shown.Spans = feature.StepDecided, u.joined.Rows, u.joined.Digest, u.joined.Verdict, u.joined.Spans
	shown.DecidedBy, shown.DecidedAt, shown.Reason, shown.JudgedSince = byGate, d.now, act.Reason, since
	d.put(shown)
	d.list(shown.Version)
	d.note("publish", shown.Version, fmt.Sprintf("%s: the rows of versions %v", act.Reason, u.taken))
	d.recover(shown.Version, shown.Verdict)
	return nil
}

// off takes what was dealt with off the shelf, and says of each version what became of it.
func (u *unshelving) off(ctx context.Context, p *approval, d *Desk, act Action) error {
	for _, version := range u.taken {
		info, err := p.deps.Registry.Version(ctx, act.View.ID, version) // it may have been swept since it was staged
		if err != nil {
			return fmt.Errorf("read version %d: %w", version, err)
		}
		d.memory.drop(version)
		d.put(info)
		d.touch(version).Reason = publishedAs(p.fresh.Version)
		if slices.Contains(u.expired, version) {
			d.touch(version).Reason = "there was no room for its rows, and the log no longer holds them"
		}
	}
	return nil
}

// publishedAs is the reason of a version that rested on the shelf, once its rows show.
func publishedAs(version feature.Version) string {
	return fmt.Sprintf("its rows are published from the log, as version %d", version)
}

// stage opens a version and stages the rows into it, once.
func (u *unshelving) stage(ctx context.Context, p *approval, act Action) error {
	if p.fresh != nil {
		return nil
	}
	var dead []feature.VersionInfo
	for _, version := range u.versions {
		info, err := p.deps.Registry.Version(ctx, act.View.ID, version)
		if err != nil {
			return fmt.Errorf("read version %d: %w", version, err)
		}
		dead = append(dead, info)
	}
	window := dead[0].Window // versions rise, windows may not
	for _, info := range dead {
		if info.Window.Start.Before(window.Start) {
			window.Start = info.Window.Start
		}
		if info.Window.End.After(window.End) {
			window.End = info.Window.End
		}
	}
	if err := p.meet(ctx, act.View); err != nil {
		return err
	}
	if err := p.open(ctx, act.View, dead[len(dead)-1].Version, window); err != nil {
		return fmt.Errorf("open a version for rows from the log: %w", err)
	}
	for i, info := range dead {
		if i > 0 && !p.deps.online(act.View) {
			break // the rest waits
		}
		before, had := p.fresh.Bytes, p.fresh.Rows
		err := p.restage(ctx, act, info)
		var known *feature.Error
		switch {
		case errors.As(err, &known) && known.Code == feature.CodeExpired && p.fresh.Bytes > before:
			// Some of its rows are in the fresh version by now, and it cannot be parted from
			// others: it goes alone, and they go after it.
			u.taken, u.expired, u.joined = append(slices.Clone(u.expired), info.Version), append(u.expired, info.Version), feature.VersionInfo{}
			return nil
		case errors.As(err, &known) && known.Code == feature.CodeExpired:
			u.taken, u.expired = append(u.taken, info.Version), append(u.expired, info.Version)
		case err != nil:
			return err
		default:
			u.taken = append(u.taken, info.Version)
			u.join(info, p.fresh.Rows-had)
		}
	}
	return nil
}

// join adds a version of which the log gave so many rows.
func (u *unshelving) join(info feature.VersionInfo, rows uint64) {
	for _, span := range info.Spans {
		span.Window = info.Window
		u.joined.Spans = append(u.joined.Spans, span)
	}
	u.joined.Rows += rows
	u.joined.Digest, u.joined.Verdict = info.Digest, info.Verdict
}

// judgedSince counts the windows that were judged after a version.
func (a *Actions) judgedSince(ctx context.Context, act Action, version feature.Version) (n int, err error) {
	later, err := a.deps.Registry.Versions(ctx, act.View.ID, version, 0)
	if err != nil {
		return 0, fmt.Errorf("list versions: %w", err)
	}
	for _, info := range later {
		if info.Kind == feature.KindWindow && info.Step != feature.StepOpen && info.Step != feature.StepSealed {
			n++
		}
	}
	return n, nil
}
