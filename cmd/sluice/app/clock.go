package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"sluice/feature"
)

// clockStore keeps a manual clock; the registry provides it.
type clockStore interface {
	Clock(ctx context.Context) (time.Time, error)
	SetClock(ctx context.Context, t time.Time, why feature.Audit) (time.Time, error)
	Changed() <-chan struct{}
}

// clock is the platform's clock: the wall, or one that is moved by hand, stored,
// and never goes back. It drives TTL, freshness, idleness, future checks and the
// times of decisions; never leases or timeouts.
type clock struct {
	manual bool
	store  clockStore
	log    *slog.Logger
	nanos  atomic.Int64 // of a manual clock; 0: not set yet
}

// openClock reads what a manual clock was last set to.
func openClock(ctx context.Context, store clockStore, manual bool, log *slog.Logger) (*clock, error) {
	c := &clock{manual: manual, store: store, log: log}
	if !manual {
		return c, nil
	}
	return c, c.read(ctx)
}

// read takes over what a manual clock was set to, here or in another process.
func (c *clock) read(ctx context.Context) error {
	t, err := c.store.Clock(ctx)
	if err != nil {
		return fmt.Errorf("read clock: %w", err)
	}
	if !t.IsZero() {
		c.forward(t)
	}
	return nil
}

// forward moves the clock to t, never back.
func (c *clock) forward(t time.Time) {
	for {
		old := c.nanos.Load()
		if old >= t.UnixNano() || c.nanos.CompareAndSwap(old, t.UnixNano()) {
			return
		}
	}
}

// catchUp returns read for a manual clock, which may be behind what another process set it
// to for as long as this one stood still; nil for the wall, which never is.
func (c *clock) catchUp() func(context.Context) error {
	if !c.manual {
		return nil
	}
	return c.read
}

// Run follows a manual clock that other processes move, until ctx ends.
func (c *clock) Run(ctx context.Context) error {
	if !c.manual {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		changed := c.store.Changed()
		if err := c.read(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("manual clock not read; it stands still", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}

// Now returns the time and whether the clock is set. A manual clock that is not
// set yet shows the wall: nothing is late or in the future by it.
func (c *clock) Now() (time.Time, bool) {
	if !c.manual {
		return time.Now().UTC(), true
	}
	if n := c.nanos.Load(); n != 0 {
		return time.Unix(0, n).UTC(), true
	}
	return time.Now().UTC(), false
}

// age returns the time that ages are measured by: zero while a manual clock is
// not set, when nothing has an age.
func (c *clock) age() time.Time {
	if now, set := c.Now(); set {
		return now
	}
	return time.Time{}
}

// Set moves a manual clock; why is stored with the move.
func (c *clock) Set(ctx context.Context, t time.Time, why feature.Audit) (time.Time, error) {
	if !c.manual {
		return time.Time{}, &feature.Error{Code: feature.CodeInvalidArgument, Message: "the clock is the wall clock", Hint: "start with -clock=manual to move it by hand"}
	}
	now, err := c.store.SetClock(ctx, t, why)
	if err != nil {
		return time.Time{}, fmt.Errorf("set clock to %s: %w", t.Format(time.RFC3339), err)
	}
	c.forward(now)
	return now, nil
}
