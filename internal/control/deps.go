package control

import (
	"context"
	"log/slog"
	"time"

	"sluice/feature"
	"sluice/internal/auth"
	"sluice/internal/backtest"
	"sluice/materialize"
	"sluice/rules"
)

// Registry is what the API reads of the registry, and the one thing it changes
// there. The stores of store/registry provide it. Cursors are decimal numbers.
type Registry interface {
	// Definitions returns what is in force and its generation; 0 before the first.
	Definitions(ctx context.Context) (feature.Definitions, uint64, error)
	// SaveDefinitions puts defs in force with why as audit row, in one
	// transaction; feature.ErrConflict unless ifGeneration is the current one.
	SaveDefinitions(ctx context.Context, ifGeneration uint64, defs feature.Definitions, why feature.Audit) (feature.Definitions, uint64, error)
	// CheckDefinitions returns the refusal, a *feature.Error, that SaveDefinitions has for
	// where the rows of views would be looked for, also of those that are out of force.
	CheckDefinitions(ctx context.Context, defs feature.Definitions) error
	// Former returns a view as it was last in force; feature.ErrNotFound if it never was.
	Former(ctx context.Context, name string) (feature.View, error)
	Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error)
	// Version, VersionOf and Verdict return feature.ErrNotFound for what is not there.
	Version(ctx context.Context, view feature.ViewID, version feature.Version) (feature.VersionInfo, error)
	VersionOf(ctx context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error)
	Verdict(ctx context.Context, id string) (feature.VerdictRow, error)
	// Lists rise, start behind after, and hold at most limit rows; 0 is no limit.
	Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error)
	// Exposure lists how often the versions from first to last were shown to readers;
	// one that never was is not in it.
	Exposure(ctx context.Context, view feature.ViewID, first, last feature.Version) ([]feature.VersionReads, error)
	// Readership lists who read what of a view in the hours that start at from or later.
	Readership(ctx context.Context, view feature.ViewID, from time.Time) ([]feature.Readership, error)
	Verdicts(ctx context.Context, view feature.ViewID, after string, limit int) ([]feature.VerdictRow, string, error)
	AuditLog(ctx context.Context, after string, limit int) ([]feature.Audit, string, error)
	Alerts(ctx context.Context, after string, limit int) ([]feature.Alert, string, error)
	// WriteAudit stores an audit row of something that is no commit.
	WriteAudit(ctx context.Context, row feature.Audit) error
	// Changed returns a channel that is closed at the next change made by this process.
	Changed() <-chan struct{}
}

// Actions does what people ask for; *materialize.Actions provides it. Its errors
// are *feature.Error where the contract has a code for them.
type Actions interface {
	Act(ctx context.Context, name string, act materialize.Action) (materialize.Result, error)
	Baseline(ctx context.Context, view *feature.View) (materialize.BaselineStatus, error)
	SetBaseline(ctx context.Context, act materialize.Action) (materialize.Result, error)
	AcceptBaseline(ctx context.Context, act materialize.Action) (materialize.Result, error)
	RevertBaseline(ctx context.Context, act materialize.Action) (materialize.Result, error)
	Baselines(ctx context.Context, view *feature.View) ([]materialize.BaselineDecision, error)
}

// Board knows the windows that are not judged yet and how far every partition
// is; *materialize.Board provides it.
type Board interface {
	Open(view *feature.View) []materialize.WindowStatus
	Partitions(view *feature.View) map[string]materialize.PartitionStatus
	Newest(view *feature.View) time.Time
	// Producers tells of the clocks of those who wrote within two minutes of now.
	Producers(view *feature.View, now time.Time) []materialize.ProducerSkew
	Accounting() []feature.Progress
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
}

// Clock is the platform's clock.
type Clock interface {
	// Now returns the time and whether the clock is set.
	Now() (now time.Time, set bool)
	// Set moves a manual clock, with the audit row why, and returns where it is; feature.ErrConflict if it
	// would go back, and a *feature.Error from a wall clock.
	Set(ctx context.Context, t time.Time, why feature.Audit) (time.Time, error)
}

// Record is one line on its way to a view's topic.
type Record struct {
	Key     []byte // chooses the partition, so that an entity and a repeated row stay in one; nil: any
	Value   []byte // the line as it stands
	EventID string // becomes the header event_id; empty: none
	View    string // becomes the header sluice-view: a flat row on the default topic; empty: none

	Backfill bool // becomes the header sluice-backfill
}

// Log appends to the topic of a view, the default one if its source names none;
// package tap provides what it takes.
type Log interface {
	// Append returns the first and last offset per partition once all replicas
	// have the records; with an error, of those that were acknowledged.
	Append(ctx context.Context, view *feature.View, records []Record) ([]feature.Span, error)
	// Watermark tells every partition of the view's topic that the view's event
	// time has reached t.
	Watermark(ctx context.Context, view *feature.View, t time.Time) error
}

// HistoryItem is the summary of a feature in one window, as the contract shows it.
type HistoryItem struct {
	Window    feature.Window     `json:"window"`
	N         uint64             `json:"n"`
	Nulls     uint64             `json:"nulls"`
	Mean      *float64           `json:"mean"` // null where it is not defined
	SD        *float64           `json:"sd"`
	Quantiles map[string]float64 `json:"quantiles"`
	Severity  float64            `json:"severity"`
	Method    string             `json:"method"`
	Statistic float64            `json:"statistic"`
	Threshold float64            `json:"threshold"`
}

// RuleCheck says what a rule can reach on a view with the history there is, as
// the contract shows it.
type RuleCheck struct {
	Rule            string     `json:"rule"`
	View            string     `json:"view"`
	Level           float64    `json:"level"`
	Reachable       bool       `json:"reachable"`
	SmallestShiftSD float64    `json:"smallest_shift_sd"`
	ReachableLevel  float64    `json:"reachable_level"` // at which runs are judged: Level, if that is reachable
	Method          string     `json:"method"`
	Mode            rules.Mode `json:"mode"`
	Windows         int        `json:"windows"` // of history
	Rows            float64    `json:"rows"`    // of a usual window; 0 until one was judged by history
	// AlertsPerWeek is how many incidents a week are false alarms at ReachableLevel if
	// nothing ever changes, all views of the project together.
	AlertsPerWeek float64 `json:"alerts_per_week"`
	// Selects are the features of the view that the rule is for; none where its method is
	// about a view as a whole. Overruled names those of them that rules closer to them
	// judge in its place, and by which.
	Selects   []string            `json:"selects"`
	Overruled map[string][]string `json:"overruled,omitempty"`
	Features  []Sensitivity       `json:"features,omitempty"` // what the rule sees of each, half of the time; none of methods of which that cannot be told
}

// Sensitivity is the smallest change of a feature that is seen half of the time, in one
// window of the usual number of rows; 0 where history does not measure it.
type Sensitivity struct {
	Feature  string  `json:"feature"`
	Shift    float64 `json:"shift,omitempty"`    // of all values, in Unit
	ShiftSD  float64 `json:"shift_sd,omitempty"` // the same, in standard deviations between rows
	Unit     string  `json:"unit,omitempty"`
	Factor   float64 `json:"factor,omitempty"`   // of the spread of values
	Nulls    float64 `json:"nulls,omitempty"`    // rise of the share of nulls
	Share    float64 `json:"share,omitempty"`    // rise of the share of the largest category
	Unseen   float64 `json:"unseen,omitempty"`   // rise of the share of values never seen before
	Distance float64 `json:"distance,omitempty"` // from the baseline: Kolmogorov-Smirnov, or total variation
}

// Check is one thing that a status looks at, such as whether the log can be
// written. Run returns nil if it is well, and else what is wrong.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Deps is what an API works with. All are required but those that say so.
type Deps struct {
	Registry Registry
	Actions  Actions
	Board    Board
	Clock    Clock
	Log      Log

	// Letters is what was not accepted.
	Letters Letters
	// Verify recomputes a verdict; differences is empty if it is the same.
	Verify func(ctx context.Context, id string) (differences []string, err error)
	// Trace returns a verdict's JSON with where in the log its reasons begin. Nil: nobody
	// looks.
	Trace func(ctx context.Context, row feature.VerdictRow, read bool) ([]byte, error)
	// Statistics returns the JSON of what the counts say that a verdict rests on; nil if it
	// rests on none.
	Statistics func(ctx context.Context, row feature.VerdictRow) ([]byte, error)
	// History returns a feature's summaries of the windows that start in [from, to).
	History func(ctx context.Context, view *feature.View, feature string, from, to time.Time) ([]HistoryItem, error)
	// CheckRules says what each rule can reach on the views of defs.
	CheckRules func(ctx context.Context, defs *feature.Definitions, list []rules.Rule) ([]RuleCheck, error)
	// Backtest applies rules to what was read of the views of defs in the last days.
	Backtest func(ctx context.Context, defs *feature.Definitions, list []rules.Rule, days int) (backtest.Report, error)
	// CheckView finds what only the reader of writes can: an expression that does
	// not compile. Nil: nothing is checked.
	CheckView func(view *feature.View) error
	// Applied is called when definitions were saved, before the answer: it makes
	// topics and refreshes what is kept of definitions. Nil: nothing is done.
	Applied func(ctx context.Context, defs *feature.Definitions) error
	// Learning says whether a view has too little history to block by it. Nil: a
	// view learns until it has eight versions.
	Learning func(ctx context.Context, view *feature.View) (bool, error)

	Authorize    auth.Authorize // nil: everything is allowed
	DefaultTopic string         // kafka.writes
	Target       string         // what the process runs, for the status
	Version      string         // of the program, for the status
	Checks       []Check        // for the status; may be empty
	Logger       *slog.Logger   // nil: no lines
}
