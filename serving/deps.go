package serving

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/internal/auth"
	"sluice/serving/push"
	"sluice/serving/readership"
)

// Rows reads stored rows. The stores embedded and redis provide it.
type Rows interface {
	// Read returns the records of every key of view, one chain a key in the order
	// of keys, each in any order and empty where the entity has none. It may reuse
	// dst, which is what an earlier call returned; what it returns stays valid
	// until dst is given to it again. A key may occur more than once. If some
	// chains alone could not be read, it returns the others with an error that is
	// a Partial.
	Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error)
}

// WholeRows is a Rows that has replicas to ask. The store redis provides it.
type WholeRows interface {
	// ReadWhole is Read for a caller who looks at versions alone all of whose rows were
	// written before whole, a moment of this process's clock: chains of a replica that is
	// shown to have all from before it are as good as its primary's, and count as read.
	ReadWhole(ctx context.Context, view feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error)
}

// GroupRows is a Rows that keeps the chains of the views of a group together, in some of
// its stores. The store placement provides it.
type GroupRows interface {
	// Together reports whether a view, which is in a group, is in such a store.
	Together(view feature.ViewID) bool
	// ReadViews is ReadWhole of several views of one group at once: the chain of views[n]
	// of keys[i] is at n*len(keys)+i, and a Partial is of keys, for all views alike.
	ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error)
}

// Source is what reads are decided by: the registry provides it.
type Source interface {
	// Definitions returns what is in force and its generation, which rises with
	// every change; 0 before the first.
	Definitions(ctx context.Context) (feature.Definitions, uint64, error)
	// Vectors returns the vector of every view that has one, from one instant.
	Vectors(ctx context.Context) (map[feature.ViewID]feature.Vector, error)
	// Changed returns a channel that is closed at the next change known to this
	// process. Changes made elsewhere are found by asking again.
	Changed() <-chan struct{}
}

// VersionFunc returns what is known of a version; feature.ErrNotFound if nothing.
type VersionFunc func(ctx context.Context, view feature.ViewID, version feature.Version) (feature.VersionInfo, error)

// PushFunc appends records to the topic of view, the default one if its source
// names none, and returns once they are acknowledged.
type PushFunc func(ctx context.Context, view *feature.View, records []push.Record) error

// AheadFunc returns an error of code future, which names the bound, for an event time that
// lies too far ahead of the platform's clock: whoever reads the log would refuse the row.
type AheadFunc func(ctx context.Context, at time.Time) error

// WindowFate is what became of a window.
type WindowFate struct {
	feature.Window
	Version feature.Version
	Verdict string
	State   feature.State // of its version, or of the one it was approved as; staged or empty: it is not judged yet
}

// judged reports whether anything was decided of the window.
func (w WindowFate) judged() bool { return w.State != "" && w.State != feature.StateStaged }

// WindowsFunc returns the windows of view that hold rows which were written before the
// call, and of which a part lies in [from, to), by their start. It waits until those rows
// are read off the log and, unless open will do, for windows that are closed to be judged.
// The error is a *feature.Error of code conflict if that takes too long.
type WindowsFunc func(ctx context.Context, view *feature.View, from, to time.Time, open bool) ([]WindowFate, error)

// Deps is what a Server works with. Rows and Source are required.
type Deps struct {
	Rows      Rows // that is a WholeRows as well: replicas are asked by it; a GroupRows: views of a group are read at once
	Source    Source
	Version   VersionFunc               // nil: provenance names no verdict
	Ahead     AheadFunc                 // nil: pushes of any time are taken, and those too far ahead become dead letters
	Push      PushFunc                  // nil: pushes are refused as unavailable
	Exposed   readership.ExposedFunc    // nil: reads are not counted by version
	Readers   readership.ReadersFunc    // nil: reads are not counted by feature
	Served    readership.ServedFunc     // nil: nothing is sampled
	Windows   WindowsFunc               // nil: /materialize knows of no rows
	Authorize auth.Authorize            // nil: everything is allowed
	Project   func(token string) string // project of the token of that name, empty for none; nil: of no token
	Now       func() time.Time          // the platform's clock; nil: the wall clock; a zero time: not set, nothing has an age
	Leaving   func() error              // returns an error once the process is about to stop, from several goroutines; nil: it stays

	Registerer prometheus.Registerer // nil: metrics are kept but not exported
	Log        *slog.Logger          // nil: no lines
}

func (d Deps) withDefaults() Deps {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Leaving == nil {
		d.Leaving = func() error { return nil }
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return d
}
