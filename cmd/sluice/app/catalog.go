package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// definitionStore is what the catalog reads; the registry provides it.
type definitionStore interface {
	Definitions(ctx context.Context) (feature.Definitions, uint64, error)
	Layouts(ctx context.Context, view feature.ViewID) ([]feature.LayoutRow, error)
	Changed() <-chan struct{}
}

// catalog holds the definitions and layouts in force, so that nothing on the write
// path asks the registry for them.
type catalog struct {
	store   definitionStore
	log     *slog.Logger
	hear    func(*feature.Definitions) // told what is in force, before others see it
	current atomic.Pointer[inForce]
	mu      sync.Mutex // one refresh at a time
}

// inForce is one immutable state of the catalog.
type inForce struct {
	defs       feature.Definitions
	generation uint64
	layouts    map[feature.ViewID][]*sketch.Layout // rising
}

func openCatalog(ctx context.Context, store definitionStore, log *slog.Logger, hear func(*feature.Definitions)) (*catalog, error) {
	c := &catalog{store: store, log: log, hear: hear}
	return c, c.Refresh(ctx)
}

// Refresh reads the registry again.
func (c *catalog) Refresh(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defs, generation, err := c.store.Definitions(ctx)
	if err != nil {
		return fmt.Errorf("read definitions: %w", err)
	}
	next := &inForce{defs: defs, generation: generation, layouts: map[feature.ViewID][]*sketch.Layout{}}
	for i := range defs.Views {
		if next.layouts[defs.Views[i].ID], err = c.layouts(ctx, defs.Views[i].ID); err != nil {
			return err
		}
	}
	c.hear(&next.defs)
	c.current.Store(next)
	return nil
}

// layouts reads the layouts of a view; those already in memory are kept.
func (c *catalog) layouts(ctx context.Context, view feature.ViewID) ([]*sketch.Layout, error) {
	rows, err := c.store.Layouts(ctx, view)
	if err != nil {
		return nil, fmt.Errorf("read layouts of view %d: %w", view, err)
	}
	var old []*sketch.Layout
	if last := c.current.Load(); last != nil {
		old = last.layouts[view]
	}
	var all []*sketch.Layout
	for i, row := range rows {
		if i < len(old) && old[i].Digest() == row.Digest && old[i].From.Equal(row.From) {
			all = append(all, old[i])
			continue
		}
		layout, err := sketch.UnmarshalLayout(row.Body)
		if err != nil {
			return nil, fmt.Errorf("layout %s of view %d: %w", row.Digest, view, err)
		}
		layout.From = row.From
		all = append(all, layout)
	}
	return all, nil
}

// Run keeps the catalog current until ctx ends.
func (c *catalog) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		changed := c.store.Changed()
		if err := c.Refresh(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("definitions not read; the last ones stay in force", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}

// Definitions returns what is in force. The caller must not change it.
func (c *catalog) Definitions() *feature.Definitions { return &c.current.Load().defs }

// InForce returns what is in force, which the caller must not change, and its generation.
func (c *catalog) InForce() (*feature.Definitions, uint64) {
	current := c.current.Load()
	return &current.defs, current.generation
}

// Generation returns the generation of what is in force.
func (c *catalog) Generation() uint64 { return c.current.Load().generation }

// Layout returns the layout of a window of view: the newest that applies to it.
func (c *catalog) Layout(view *feature.View, start time.Time) *sketch.Layout {
	layouts := c.current.Load().layouts[view.ID]
	for i := len(layouts) - 1; i >= 0; i-- {
		if !layouts[i].From.After(start) {
			return layouts[i]
		}
	}
	return sketch.Unbinned(view)
}
