package materialize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

const (
	// servedLeast is how many windows of what was served there must be before one is
	// judged by them.
	servedLeast = 8
	// servedWindows is how many windows one is judged by, the latest.
	servedWindows = 64
	// servedRowsLeast is how many entities a window must have.
	servedRowsLeast = 100
)

// serving is what a seat keeps of what a view's readers were given.
type serving struct {
	judged  time.Time // start of the newest window looked at by this process
	next    time.Time // start of the newest window that is over
	noticed time.Time // when that was first seen, by the wall
	layout  string    // that windows are over
	windows []served  // rising
}

// served is one window, all processes together.
type served struct {
	window   feature.Window
	rows     *sketch.Profile
	settled  *sketch.Profile // of certified versions
	versions []feature.Version
}

// served judges the windows of what was served that are over, once every process has
// had time to say what it sampled.
func (g *Gate) served(ctx context.Context, view *feature.View, now time.Time) error {
	s := &g.seat(view).serving
	spec := ServedSpec(view)
	last := spec.Of(now).Start.Add(-spec.Size)
	if !last.After(s.next) {
		if !s.next.After(s.judged) || time.Since(s.noticed) < g.cfg.ServedGrace {
			return nil
		}
	} else {
		s.next, s.noticed = last, time.Now()
		if g.cfg.ServedGrace > 0 {
			return nil
		}
	}
	desk, err := g.desk(ctx, view)
	if err != nil {
		return err
	}
	g.late(ctx, g.seat(view), "served", func(d *Desk) bool { return d.memory.Reads.Until.Equal(desk.memory.Reads.Until) })
	book, _, err := openBook(ctx, g.deps.Registry, view, g.deps.HashKey)
	if err != nil {
		return err
	}
	if err := g.readServed(ctx, s, book, desk); err != nil {
		return err
	}
	for i := range s.windows {
		if w := &s.windows[i]; w.window.Start.After(desk.memory.Reads.Until) && !w.window.Start.After(s.next) {
			if err := g.judgeServed(ctx, book, s, w); err != nil {
				return err
			}
		}
	}
	s.judged = s.next
	s.windows = slices.Clone(s.windows[max(0, len(s.windows)-servedWindows):])
	if _, err := g.deps.Registry.RetainServed(ctx, view.ID, s.next.Add(-2*servedWindows*spec.Size)); err != nil {
		return fmt.Errorf("retain: %w", err)
	}
	return nil
}

// readServed reads the windows up to s.next that are not in memory yet, over the
// layout in force. Others, and those with too few entities, are left out.
func (g *Gate) readServed(ctx context.Context, s *serving, book *Book, desk *Desk) error {
	layout, size := book.layout(), ServedSpec(book.view).Size
	if digest := layout.Digest(); digest != s.layout {
		s.layout, s.windows, s.judged = digest, nil, time.Time{}
	}
	from := s.next.Add(-2 * servedWindows * size)
	if !s.judged.IsZero() {
		from = s.judged.Add(size)
	}
	if from.Before(desk.memory.Reads.From) {
		from = desk.memory.Reads.From
	}
	parts, err := g.deps.Registry.Served(ctx, book.view.ID, from, s.next.Add(size))
	if err != nil {
		return err
	}
	s.windows = slices.DeleteFunc(s.windows, func(w served) bool { return !w.window.Start.Before(from) })
	for _, part := range parts {
		if part.Layout != s.layout || s.layout == "" {
			continue
		}
		if n := len(s.windows); n == 0 || !s.windows[n-1].window.Start.Equal(part.Window.Start) {
			s.windows = append(s.windows, served{window: part.Window, rows: sketch.NewProfile(book.view, layout, g.deps.HashKey), settled: sketch.NewProfile(book.view, layout, g.deps.HashKey)})
		}
		if err := s.windows[len(s.windows)-1].add(part, layout); err != nil {
			return fmt.Errorf("profile of %s at %s: %w", part.Process, part.Window.Start.Format(time.RFC3339), err)
		}
	}
	s.windows = slices.DeleteFunc(s.windows, func(w served) bool { return w.rows.Rows < servedRowsLeast })
	return nil
}

// add merges what one process sampled.
func (w *served) add(part feature.ServedProfile, layout *sketch.Layout) error {
	for _, x := range []struct {
		body []byte
		into *sketch.Profile
	}{{part.Profile, w.rows}, {part.Settled, w.settled}} {
		p, err := sketch.UnmarshalProfile(x.body, layout)
		if err == nil {
			err = x.into.Merge(p)
		}
		if err != nil {
			return err
		}
	}
	w.versions = append(w.versions, part.Versions...)
	slices.Sort(w.versions)
	w.versions = slices.Compact(w.versions)
	return nil
}

// judgeServed judges one window by those before it, applies the verdict and commits
// it. With too few before it nothing is said.
func (g *Gate) judgeServed(ctx context.Context, book *Book, s *serving, w *served) error {
	desk, err := g.desk(ctx, book.view)
	if err != nil {
		return err
	}
	before := slices.DeleteFunc(s.before(w), func(x *served) bool {
		return !desk.memory.Reads.admits(x.window.Start) || book.view.Occasion(x.window) != ""
	})
	if len(before) < servedLeast {
		return nil // nothing was decided: the next process may look again
	}
	e := Evidence{Kind: "served", View: book.view, Window: w.window, Versions: w.versions, Layout: book.layout(), Fitted: book.fitted()}
	opinion, err := g.opinionOn(e, before, w, func(x *served) *sketch.Profile { return x.rows })
	if err != nil {
		return err
	}
	v := &opinion.Verdict
	stampServed(v, e, desk, w)
	settled := v.State == rules.Fail && g.settledMoved(e, before, w)
	desk.Served(v, settled)
	drop, err := leaving(ctx, g.deps.Registry, desk, desk.expelled)
	if err != nil {
		return err
	}
	if len(drop) > 0 {
		desk.memory.Book++
	}
	desk.Settle()
	if err := g.exposed(ctx, book.view, v); err != nil {
		return err
	}
	desk.TellServed(v, settled)
	commit, err := withVerdicts(desk.Commit(), []Opinion{opinion})
	if err != nil {
		return err
	}
	commit.DropHistory = drop
	if err := g.commit(ctx, commit); err != nil {
		g.seat(book.view).keep("served", desk, []Opinion{opinion})
		return fmt.Errorf("decide on what was served at %s: %w", w.window.Start.Format(time.RFC3339), err)
	}
	g.told(ctx, desk, []Opinion{opinion})
	return nil
}

// before returns the windows before w that it may be judged by.
func (s *serving) before(w *served) []*served {
	var all []*served
	for i := range s.windows {
		if x := &s.windows[i]; x.window.Start.Before(w.window.Start) {
			all = append(all, x)
		}
	}
	return all[max(0, len(all)-servedWindows):]
}

// opinionOn has one part of what was served judged by the same part of the windows
// before.
func (g *Gate) opinionOn(e Evidence, before []*served, w *served, part func(*served) *sketch.Profile) (Opinion, error) {
	e.Current = []WindowProfile{{w.window, part(w)}}
	e.Baseline = sketch.NewProfile(e.View, e.Layout, g.deps.HashKey)
	for _, x := range before {
		e.History = append(e.History, WindowProfile{x.window, part(x)})
		if err := e.Baseline.Merge(part(x)); err != nil {
			return Opinion{}, fmt.Errorf("merge what was served at %s: %w", x.window.Start.Format(time.RFC3339), err)
		}
	}
	return g.opinion(e, nil), nil
}

// settledMoved reports whether the rows of certified versions moved as well. Then
// either other entities are read than before, or the fault lies where no rollback
// reaches.
func (g *Gate) settledMoved(e Evidence, before []*served, w *served) bool {
	if w.settled.Rows < servedRowsLeast {
		return false
	}
	before = slices.DeleteFunc(slices.Clone(before), func(x *served) bool { return x.settled.Rows < servedRowsLeast })
	if len(before) < servedLeast {
		return false
	}
	opinion, err := g.opinionOn(e, before, w, func(x *served) *sketch.Profile { return x.settled })
	return err == nil && opinion.Verdict.State == rules.Fail
}

// stampServed fills in what names a verdict on what was served.
func stampServed(v *rules.Verdict, e Evidence, desk *Desk, w *served) {
	v.Kind, v.Project, v.View, v.Window, v.Versions = e.Kind, e.View.Project, e.View.Name, e.Window, w.versions
	if n := len(w.versions); n > 0 {
		v.Version = w.versions[n-1]
	}
	v.Rows, v.DecidedAt, v.RolledBack = w.rows.Total(), desk.now, []feature.Version{}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d served %s %d", e.View.ID, e.Window.Start.Format(time.RFC3339Nano), desk.before.Generation))
	v.ID = "vd_" + hex.EncodeToString(sum[:10])
}

// watchServed judges what was served, and tells of an error that is not
// feature.ErrFenced. A decision that another came before is taken at the next look.
func (g *Gate) watchServed(ctx context.Context, view *feature.View, now time.Time) error {
	err := g.served(ctx, view, now)
	switch {
	case errors.Is(err, feature.ErrFenced):
		return err
	case err == nil || ctx.Err() != nil || errors.Is(err, feature.ErrConflict):
		return nil
	}
	g.metrics.errors.WithLabelValues(view.Name).Inc()
	g.log.Warn("what was served is not judged, trying again", "view", view.Name, "err", err)
	return nil
}
