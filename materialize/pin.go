package materialize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// pin makes a layout when one is due, rebuilds history over it by reading the log
// again, and profiles the candidate over the layout then in force. The first is
// made from the window itself, which nothing can be compared with yet; the second
// from history alone, so that a window that fails leaves no trace in it.
func (g *Gate) pin(ctx context.Context, c *candidate) error {
	if c.broken != nil || !c.book.wants(c.profile.Rows) || c.book.pinned() == 0 && c.leftOut() != "" {
		return nil
	}
	var samples []*sketch.Profile
	for _, e := range c.book.entries {
		samples = append(samples, e.profile)
	}
	if c.book.pinned() == 0 {
		samples = append(samples, c.profile)
	}
	layout, err := sketch.BuildLayout(c.book.view, samples...)
	if errors.Is(err, sketch.ErrSample) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("build layout: %w", err)
	}
	layout.From = c.book.takesEffect(g.deps.Board.beyond(c.book.view, c.info.Window), layout.Digest())
	profile, err := g.deps.Log.Profile(ctx, c.book.view, layout, c.info.Window, c.info.Spans)
	if errors.Is(err, feature.ErrExpired) {
		return nil // the next window makes it
	}
	if err != nil {
		return fmt.Errorf("profile over layout %s: %w", layout.Digest(), err)
	}
	entries, gone, err := g.deps.rebuild(ctx, c.book.view, layout, c.book.entries)
	if err != nil {
		return err
	}
	if err := g.saveLayout(ctx, c, layout, entries, gone); err != nil {
		return err
	}
	c.profile = profile
	return nil
}

// saveLayout puts a layout in force, in one commit with the history over it.
func (g *Gate) saveLayout(ctx context.Context, c *candidate, layout *sketch.Layout, entries []entry, gone []time.Time) error {
	row, err := layoutRow(layout)
	if err != nil {
		return err
	}
	c.desk.memory.Book++
	c.desk.note("layout", c.info.Version, fmt.Sprintf("layout %s is pinned, from %s on", layout.Digest(), layout.From.Format(time.RFC3339)))
	commit := c.desk.Commit()
	commit.Layouts, commit.DropHistory = []feature.LayoutRow{row}, gone
	for _, e := range entries {
		commit.History = append(commit.History, e.row)
	}
	if err := g.commit(ctx, commit); err != nil {
		return fmt.Errorf("save layout %s: %w", layout.Digest(), err)
	}
	g.log.Info("layout pinned", "view", c.book.view.Name, "layout", layout.Digest(), "from", layout.From, "history", len(entries))
	c.book.renew(layout, entries, c.desk.memory.Book)
	c.desk, err = g.desk(ctx, c.book.view)
	return err
}

// renew takes over a layout with the history over it.
func (b *Book) renew(layout *sketch.Layout, entries []entry, mark uint64) {
	b.layouts, b.entries, b.later, b.reference, b.merged, b.mark = append(b.layouts, layout), entries, nil, nil, nil, mark
	for i := range b.entries {
		b.entries[i].row.Profile = nil
	}
}

func layoutRow(layout *sketch.Layout) (feature.LayoutRow, error) {
	body, err := layout.MarshalBinary()
	if err != nil {
		return feature.LayoutRow{}, fmt.Errorf("encode layout: %w", err)
	}
	return feature.LayoutRow{Digest: layout.Digest(), From: layout.From, Body: body}, nil
}

// rebuild profiles windows over layout by reading the log again. One that the log
// no longer holds drops out.
func (d *Deps) rebuild(ctx context.Context, view *feature.View, layout *sketch.Layout, windows []entry) (kept []entry, gone []time.Time, err error) {
	for _, w := range windows {
		info, err := d.Registry.Version(ctx, view.ID, w.version)
		if err != nil {
			return nil, nil, fmt.Errorf("read version %d: %w", w.version, err)
		}
		profile, err := d.Log.Profile(ctx, view, layout, w.window, info.Spans)
		if errors.Is(err, feature.ErrExpired) {
			gone = append(gone, w.window.Start)
			d.Logger.Warn("window of history left out: the log no longer holds it", "view", view.Name, "window", w.window.Start.Format(time.RFC3339))
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("rebuild %s: %w", w.window.Start.Format(time.RFC3339), err)
		}
		next, err := newEntry(w.window, w.version, profile, w.row.Normal, w.row.Summary)
		if err != nil {
			return nil, nil, err
		}
		kept = append(kept, next)
	}
	return kept, gone, nil
}

func newEntry(w feature.Window, version feature.Version, profile *sketch.Profile, normal bool, summary []byte) (entry, error) {
	body, err := profile.MarshalBinary()
	if err != nil {
		return entry{}, fmt.Errorf("encode profile of %s: %w", w.Start.Format(time.RFC3339), err)
	}
	row := feature.HistoryRow{Window: w, Version: version, Layout: profile.Layout().Digest(), Profile: body, Normal: normal, Summary: summary}
	return entry{w, version, profile, row}, nil
}
