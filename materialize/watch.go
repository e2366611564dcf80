package materialize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// look is what the watcher remembers of a view, so that it reads the registry only
// when something changed.
type look struct {
	known      bool
	generation uint64
	served     time.Time         // end of the newest visible window
	stale      string            // freshness level that was last told
	next       []feature.Version // that come off the shelf
	offline    bool              // their rows are there that taps left out
	blind      bool              // an alert about overdue windows is open
}

// watchAll looks at what no write can show: values that grow old, and windows
// that do not close. Both go by the platform's clock; an unset one is not asked.
// The error is feature.ErrFenced.
func (g *Gate) watchAll(ctx context.Context) error {
	now, set := g.deps.Clock.Now()
	defs := g.deps.Definitions()
	g.forgetOthers(defs)
	for i := range defs.Views {
		view := &defs.Views[i]
		g.metrics.view(view)
		if err := g.unshelve(ctx, view); err != nil && ctx.Err() == nil {
			g.log.Warn("versions that passed and rest in the log", "view", view.Name, "err", err)
		}
		if !set {
			continue
		}
		g.clocks(view, now.UTC())
		err := g.watch(ctx, view, now.UTC())
		if errors.Is(err, feature.ErrFenced) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			g.log.Warn("freshness and overdue windows", "view", view.Name, "err", err)
		}
		if err := g.watchServed(ctx, view, now.UTC()); err != nil {
			return err
		}
	}
	return nil
}

// forgetOthers forgets views that are no longer defined.
func (g *Gate) forgetOthers(defs *feature.Definitions) {
	for name := range g.named {
		if defs.View(name) == nil {
			g.metrics.forget(name)
			delete(g.named, name)
		}
	}
	g.forgetScores(defs)
	for i := range defs.Views {
		g.named[defs.Views[i].Name] = true
	}
	maps.DeleteFunc(g.seats, func(id feature.ViewID, _ *seat) bool {
		return !slices.ContainsFunc(defs.Views, func(v feature.View) bool { return v.ID == id })
	})
}

// watch looks at one view.
func (g *Gate) watch(ctx context.Context, view *feature.View, now time.Time) error {
	seen, err := g.look(ctx, view)
	if err != nil {
		return err
	}
	return errors.Join(g.freshness(ctx, view, seen, now), g.overdue(ctx, view, seen, now))
}

// look returns what is remembered of a view, read again if its vector changed.
func (g *Gate) look(ctx context.Context, view *feature.View) (look, error) {
	vector, err := g.deps.Registry.Vector(ctx, view.ID)
	if err != nil {
		return look{}, fmt.Errorf("read vector of %s: %w", view.Name, err)
	}
	s := g.seat(view)
	if seen := s.look; seen.known && seen.generation == vector.Generation {
		return seen, nil
	}
	desk, err := g.desk(ctx, view)
	if err != nil {
		return look{}, err
	}
	blind := slices.ContainsFunc(desk.open, func(a feature.Alert) bool { return a.Kind == "blind" })
	next := desk.next()
	seen := look{true, desk.before.Generation, desk.served(nil), desk.memory.Stale, next, len(next) > 0 && desk.offline(next[0]), blind}
	s.look = seen
	return seen, nil
}

// level names the freshness level of an age: empty while it is fresh.
func level(spec feature.Freshness, age time.Duration) (name string, limit time.Duration) {
	for _, l := range []struct {
		name  string
		limit time.Duration
	}{{"critical", spec.Critical}, {"page", spec.Page}, {"warn", spec.Warn}} {
		if l.limit > 0 && age > l.limit {
			return l.name, l.limit
		}
	}
	return "", 0
}

// freshness compares the age of what is served with the view's objectives, and
// tells each change of level once.
func (g *Gate) freshness(ctx context.Context, view *feature.View, seen look, now time.Time) error {
	newest := reaches(seen.served, g.deps.Board.Newest(view))
	if newest.IsZero() {
		return nil // nothing was ever served
	}
	name, limit := level(view.Freshness, now.Sub(newest))
	s := g.seat(view)
	if name == seen.stale {
		g.late(ctx, s, "stale", func(d *Desk) bool { return d.memory.Stale == name })
		return nil
	}
	delete(s.unsaid, "stale")
	desk, err := readDesk(ctx, g.deps.Registry, view, now)
	if err != nil {
		return err
	}
	if desk.before.Generation != seen.generation {
		return nil // the next look has the new state
	}
	desk.memory.Stale = name
	opinion := Opinion{Verdict: staleVerdict(view, desk, newest, now, name, limit)}
	desk.Fresh(&opinion.Verdict)
	c, err := withVerdicts(desk.Commit(), []Opinion{opinion})
	if err != nil {
		return err
	}
	if err := g.commit(ctx, c); err != nil {
		s.keep("stale", desk, []Opinion{opinion})
		return fmt.Errorf("tell freshness of %s: %w", view.Name, err)
	}
	g.told(ctx, desk, []Opinion{opinion})
	return nil
}

// reaches returns the event time that what is visible reaches: the end of the
// newest visible window, but no later than the newest event time accepted.
func reaches(served, accepted time.Time) time.Time {
	if !accepted.IsZero() && accepted.Before(served) {
		return accepted
	}
	return served
}

func staleVerdict(view *feature.View, d *Desk, newest, now time.Time, name string, limit time.Duration) rules.Verdict {
	age := now.Sub(newest).Round(time.Second)
	v := rules.Verdict{Kind: "freshness", Project: view.Project, View: view.Name, Version: d.vector().Newest(), State: rules.Pass,
		Window: feature.Window{Start: newest, End: now}, Decision: "notify", RolledBack: []feature.Version{}, DecidedAt: now}
	if name != "" {
		v.State = rules.Warn
		v.Reasons = []rules.Reason{{Rule: "freshness", Method: "freshness", Statistic: age.Seconds(), Threshold: limit.Seconds(), PValue: 1,
			Severity: age.Seconds() / limit.Seconds(), Text: fmt.Sprintf("the newest visible value is %s old, past freshness.%s of %s", age, name, limit)}}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d freshness %s %s %d", view.ID, name, newest.Format(time.RFC3339Nano), now.UnixNano()))
	v.ID = "vd_" + hex.EncodeToString(sum[:10])
	return v
}

// overdue reports windows that cannot complete, with the partitions that hold
// them open, and ends the report once none is left.
func (g *Gate) overdue(ctx context.Context, view *feature.View, seen look, now time.Time) error {
	late := g.deps.Board.Overdue(view, now)
	g.metrics.overdue.WithLabelValues(view.Name).Set(float64(len(late)))
	s, blind := g.seat(view), len(late) > 0
	if seen.blind == blind {
		return nil
	}
	desk, err := readDesk(ctx, g.deps.Registry, view, now)
	if err != nil {
		return err
	}
	if blind {
		desk.alert("blind", 0, "", overdueText(view, late))
	} else {
		desk.resolve("blind")
	}
	s.look = look{} // also after an error: an alert raises no generation, and may be there all the same
	if err := g.commit(ctx, desk.Commit()); err != nil {
		return fmt.Errorf("report overdue windows of %s: %w", view.Name, err)
	}
	return nil
}

func overdueText(view *feature.View, late map[time.Time][]string) string {
	var starts []time.Time
	for start := range late {
		starts = append(starts, start)
	}
	slices.SortFunc(starts, time.Time.Compare)
	return fmt.Sprintf("%s: window %s cannot close: partitions %s are not past it and not idle. Check their producers, or send a watermark record.",
		view.Name, starts[0].Format(time.RFC3339), strings.Join(late[starts[0]], ", "))
}
