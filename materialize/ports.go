package materialize

import (
	"context"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// Registry is what the gate and the actions need of the registry; every method
// that changes something is one transaction there.
type Registry interface {
	Apply(ctx context.Context, c feature.Commit) (feature.Vector, error)
	OpenKind(ctx context.Context, view *feature.View, info feature.VersionInfo) (feature.VersionInfo, error)
	// Await returns once every change of a view is over that was asked for before, also one
	// whose answer was lost; what is read after it shows whether that took effect.
	Await(ctx context.Context, view feature.ViewID) error
	// RetainServed removes what was sampled in windows that ended by before.
	RetainServed(ctx context.Context, view feature.ViewID, before time.Time) (removed int, err error)
	Records
}

// Records is the reading half of Registry. Lists rise; limit 0 is no limit.
type Records interface {
	Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error)
	Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error)
	Version(ctx context.Context, view feature.ViewID, version feature.Version) (feature.VersionInfo, error)
	VersionOf(ctx context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error)
	Memory(ctx context.Context, view feature.ViewID) ([]byte, error)
	OpenAlerts(ctx context.Context, view string) ([]feature.Alert, error)
	History(ctx context.Context, view feature.ViewID, from, to time.Time) ([]feature.HistoryRow, error)
	Layouts(ctx context.Context, view feature.ViewID) ([]feature.LayoutRow, error)
	// Baselines lists the decisions about a view's baseline, first to last.
	Baselines(ctx context.Context, view feature.ViewID) ([]feature.BaselineRow, error)
	// Blob returns the bytes of a digest.
	Blob(ctx context.Context, digest string) ([]byte, error)
	// Exposure lists how often versions from first to last were shown to readers.
	Exposure(ctx context.Context, view feature.ViewID, first, last feature.Version) ([]feature.VersionReads, error)
	// Served lists what processes sampled of what they served, by window and process.
	Served(ctx context.Context, view feature.ViewID, from, to time.Time) ([]feature.ServedProfile, error)
}

// Rows is what the gate needs of the online store.
type Rows interface {
	Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error)
	// Read returns the chain of every key, in any order; it stays valid until dst is
	// given to another call.
	Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error)
	Drop(ctx context.Context, view feature.ViewID, version feature.Version) (rows int, err error)
	Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (removed int, err error)
	Sync(ctx context.Context) error
}

// ShardsFunc names the data sets of the servers that hold a view's rows, as they are
// now: the text changes when rows that were acknowledged may have been lost. It is the
// same for all views of an online store; empty where there are no servers.
type ShardsFunc func(ctx context.Context, view *feature.View) (string, error)

// RoomFunc says why the online store of a view has no room; nil: it has. Deps.Room is asked
// before a version is staged from the log once more, and answers with a *feature.Error;
// Deps.Offline before rows are staged that taps left out, and answers what it tells taps.
type RoomFunc func(view *feature.View) error

// Sweeps is asked before a view's rows are swept: what was removed must not be staged
// again by whoever restores the rows of a store meanwhile. sync.Mutex is one.
type Sweeps interface {
	TryLock() bool
	Unlock()
}

// RecountFunc counts the partitions of a view's topic again, for the board.
type RecountFunc func(ctx context.Context, view *feature.View) error

// EndsFunc returns, for each partition of a view's topic, the offset behind the last
// record that readers may see.
type EndsFunc func(ctx context.Context, view *feature.View) (map[int32]int64, error)

// ReadershipFunc returns what processes counted of the reads of a view in the hours that
// begin at from or later.
type ReadershipFunc func(ctx context.Context, view feature.ViewID, from time.Time) ([]feature.Readership, error)

// Log reads records again and forgets partials that are no longer needed.
type Log interface {
	// Profile reads the records of a window again, sorts them as the tap did, and
	// profiles them over layout. The error is feature.ErrExpired if the log no
	// longer holds them all.
	Profile(ctx context.Context, view *feature.View, layout *sketch.Layout, window feature.Window, spans []feature.Span) (*sketch.Profile, error)
	// Rows reads them again and hands over the accepted rows in batches, each for
	// the version it is asked for; batches are valid during the call.
	Rows(ctx context.Context, view *feature.View, version feature.Version, window feature.Window, spans []feature.Span, fn func([]feature.Row) error) error
	// Forget deletes the partials of a judged window.
	Forget(ctx context.Context, partials []sketch.Partial) error
}

// WindowProfile is a window with its profile.
type WindowProfile struct {
	Window  feature.Window
	Profile *sketch.Profile
}

// Evidence is everything that a judge may look at.
type Evidence struct {
	Kind     string // window | probation | served
	View     *feature.View
	Window   feature.Window
	Versions []feature.Version
	Layout   *sketch.Layout
	Current  []WindowProfile // one; several in probation
	History  []WindowProfile // rising
	Fitted   time.Time       // windows of History that start up to then made Layout; zero: none
	Recent   []WindowProfile // that passed last before Current, rising, whether they are history or come after it; of a window only
	Baseline *sketch.Profile // merge of History; nil without
	Pinned   *Reference      // that stands beside a trailing History; nil without
	Spread   []byte          // an older reference whose spread serves while History is short; nil without
	Alarms   []byte          // what the judge wished to remember of this view
}

// Opinion is a judge's answer. Case and Blobs are all that recomputes Verdict.
type Opinion struct {
	Verdict rules.Verdict
	Case    []byte
	Blobs   map[string][]byte
	Alarms  []byte
	Spread  []byte // the reference used; kept when a baseline is accepted
	Summary []byte // a few numbers per feature, for history
	Record  []byte // what the rules read, for other rules to be tried on
}

// JudgeFunc judges evidence. It is pure: the same evidence, the same opinion.
type JudgeFunc func(Evidence) (Opinion, error)

// Clock is the platform's clock: the wall, or one that is set by hand.
type Clock interface {
	// Now returns the time, and whether the clock is set; an unset one shows the wall.
	Now() (now time.Time, set bool)
}
