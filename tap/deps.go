package tap

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Versions is what the tap needs of the registry.
type Versions interface {
	// OpenVersion returns the version of a window, made if there is none; it is
	// idempotent. The error is feature.ErrSealed if the window takes no more rows.
	OpenVersion(ctx context.Context, view *feature.View, w feature.Window, now time.Time) (feature.VersionInfo, error)
	// LeaveIdle counts that a partition has left idleness and returns how often it
	// has. A seal that counted the partition idle with another number fails.
	LeaveIdle(ctx context.Context, topic string, partition int32, view feature.ViewID) (left uint64, err error)
}

// Rows is what the tap needs of the online store. Staging is idempotent; within a
// version the newer (event time, seq) of a key wins.
type Rows interface {
	Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error)
	// Sync makes what was staged durable.
	Sync(ctx context.Context) error
}

// Clock is the platform's clock: the wall, or one that is set by hand.
type Clock interface {
	// Now returns the time, and whether the clock is set; while it is not, there
	// are no checks of the future and of idleness.
	Now() (now time.Time, set bool)
}

// Deps is what a tap works with. Rows may be nil (writes are only profiled);
// Refresh, Registerer and Logger may be nil.
type Deps struct {
	// Definitions returns the definitions in force and their generation. It is
	// called often and must not block; what it returns is immutable.
	Definitions func() (*feature.Definitions, uint64)
	// Past may be nil: what is read again is judged by the definitions in force then.
	Past Past
	// Refresh reads the definitions again.
	Refresh  func(ctx context.Context) error
	Versions Versions
	// Begun may be nil: a partition without progress is read from its start then.
	Begun Begun
	// Owners may be nil: what a process has of a partition is forgotten once it lets go of it.
	Owners Owners
	Rows   Rows
	// Offline says why rows of a view are to stay out of its online store for now; nil, or a
	// nil error: they are staged. It is called often and must not block.
	Offline func(view *feature.View) error
	// Layouts returns the layout of a window; nil is an unbinned one. It must give
	// the same answer for a window on every partition and after a restart.
	Layouts func(view *feature.View, start time.Time) *sketch.Layout
	HashKey sketch.HashKey
	Clock   Clock
	// ClockByHand says that Clock is one that is set by hand: when records were received
	// by the wall says nothing about their event times then.
	ClockByHand bool
	// CatchUp has a Clock that is set by hand take over what it was set to elsewhere. It is
	// called before a write is refused as one of the future; nil: Clock is never behind.
	CatchUp    func(ctx context.Context) error
	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

func (d *Deps) validate() error {
	var errs []error
	if d.Definitions == nil {
		errs = append(errs, errors.New("tap: no Definitions"))
	}
	if d.Versions == nil {
		errs = append(errs, errors.New("tap: no Versions"))
	}
	if d.Clock == nil {
		errs = append(errs, errors.New("tap: no Clock"))
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Layouts == nil {
		d.Layouts = func(*feature.View, time.Time) *sketch.Layout { return nil }
	}
	return errors.Join(errs...)
}

func (d *Deps) layout(view *feature.View, start time.Time) *sketch.Layout {
	if l := d.Layouts(view, start); l != nil {
		return l
	}
	return sketch.Unbinned(view)
}
