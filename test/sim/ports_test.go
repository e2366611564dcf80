package sim

import (
	"context"
	"time"

	"sluice/feature"
	"sluice/serving"
)

// registryPort is the registry at the far end of a line: what the gate decides by,
// and the tap and the servers work with, breaks with it.
type registryPort struct {
	*line
	*ledger
}

func (l *line) registry() registryPort { return registryPort{l, l.w.ledger} }

func (r registryPort) Apply(ctx context.Context, c feature.Commit) (feature.Vector, error) {
	return stepThrough(r.line, stepOf(c), func() (feature.Vector, error) { return r.ledger.Apply(ctx, c) })
}

func (r registryPort) OpenKind(ctx context.Context, view *feature.View, info feature.VersionInfo) (feature.VersionInfo, error) {
	return through(r.line, func() (feature.VersionInfo, error) { return r.ledger.OpenKind(ctx, view, info) })
}

func (r registryPort) Await(ctx context.Context, view feature.ViewID) error {
	_, err := through(r.line, func() (struct{}, error) { return struct{}{}, r.ledger.Await(ctx, view) })
	return err
}

func (r registryPort) OpenVersion(ctx context.Context, view *feature.View, w feature.Window, now time.Time) (feature.VersionInfo, error) {
	return stepThrough(r.line, "open", func() (feature.VersionInfo, error) { return r.ledger.OpenVersion(ctx, view, w, now) })
}

func (r registryPort) LeaveIdle(ctx context.Context, topic string, partition int32, view feature.ViewID) (uint64, error) {
	return through(r.line, func() (uint64, error) { return r.ledger.LeaveIdle(ctx, topic, partition, view) })
}

func (r registryPort) Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error) {
	return through(r.line, func() (feature.Vector, error) { return r.ledger.Vector(ctx, view) })
}

func (r registryPort) Vectors(ctx context.Context) (map[feature.ViewID]feature.Vector, error) {
	asked := time.Now()
	all, err := stepThrough(r.line, "broadcast", func() (map[feature.ViewID]feature.Vector, error) { return r.ledger.Vectors(ctx) })
	if err == nil {
		r.line.mu.Lock()
		defer r.line.mu.Unlock()
		r.line.gave(asked, all)
	}
	return all, err
}

func (r registryPort) Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error) {
	return through(r.line, func() ([]feature.VersionInfo, error) { return r.ledger.Versions(ctx, view, after, limit) })
}

func (r registryPort) Version(ctx context.Context, view feature.ViewID, version feature.Version) (feature.VersionInfo, error) {
	return through(r.line, func() (feature.VersionInfo, error) { return r.ledger.Version(ctx, view, version) })
}

func (r registryPort) VersionOf(ctx context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error) {
	return through(r.line, func() (feature.VersionInfo, error) { return r.ledger.VersionOf(ctx, view, start) })
}

func (r registryPort) Memory(ctx context.Context, view feature.ViewID) ([]byte, error) {
	return through(r.line, func() ([]byte, error) { return r.ledger.Memory(ctx, view) })
}

func (r registryPort) OpenAlerts(ctx context.Context, view string) ([]feature.Alert, error) {
	return through(r.line, func() ([]feature.Alert, error) { return r.ledger.OpenAlerts(ctx, view) })
}

func (r registryPort) History(ctx context.Context, view feature.ViewID, from, to time.Time) ([]feature.HistoryRow, error) {
	return through(r.line, func() ([]feature.HistoryRow, error) { return r.ledger.History(ctx, view, from, to) })
}

func (r registryPort) Layouts(ctx context.Context, view feature.ViewID) ([]feature.LayoutRow, error) {
	return through(r.line, func() ([]feature.LayoutRow, error) { return r.ledger.Layouts(ctx, view) })
}

func (r registryPort) Baseline(ctx context.Context, view feature.ViewID) (*feature.BaselineRow, error) {
	return through(r.line, func() (*feature.BaselineRow, error) { return r.ledger.Baseline(ctx, view) })
}

func (r registryPort) Baselines(ctx context.Context, view feature.ViewID) ([]feature.BaselineRow, error) {
	return through(r.line, func() ([]feature.BaselineRow, error) { return r.ledger.Baselines(ctx, view) })
}

// Definitions are reached over the same line as the vectors.
func (r registryPort) Definitions(context.Context) (feature.Definitions, uint64, error) {
	type answer struct {
		defs       feature.Definitions
		generation uint64
	}
	a, err := stepThrough(r.line, "broadcast", func() (answer, error) { return answer{*r.w.defs, 1}, nil })
	return a.defs, a.generation, err
}

func (r registryPort) Changed() <-chan struct{} { return r.ledger.Changed() }

// rowsPort is the row store at the far end of a line. What was staged is noted by
// the oracle.
type rowsPort struct{ *line }

func (r rowsPort) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	return stepThrough(r.line, "write", func() (uint64, error) {
		r.w.of(view).keep(version, rows)
		return r.w.rows.Stage(ctx, view, version, rows)
	})
}

func (r rowsPort) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	return stepThrough(r.line, "audit", func() ([][]feature.Record, error) { return r.w.rows.Read(ctx, view, keys, dst) })
}

func (r rowsPort) Drop(ctx context.Context, view feature.ViewID, version feature.Version) (int, error) {
	return stepThrough(r.line, "sweep", func() (int, error) { return r.w.rows.Drop(ctx, view, version) })
}

func (r rowsPort) Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (int, error) {
	return stepThrough(r.line, "sweep", func() (int, error) { return r.w.rows.Fold(ctx, view, floor, dead, touched) })
}

func (r rowsPort) Sync(ctx context.Context) error {
	_, err := through(r.line, func() (struct{}, error) { return struct{}{}, r.w.rows.Sync(ctx) })
	return err
}

// readPort is the row store as a server reads it, over a line of its own that is
// never cut; something may happen while the read is under way.
type readPort struct{ *line }

func (r readPort) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	r.meanwhile()
	return r.w.rows.Read(ctx, view, keys, dst)
}

// meanwhile lets happen what is to happen within a read.
func (r readPort) meanwhile() {
	r.mu.Lock()
	reading := r.reading
	r.reading = nil
	r.mu.Unlock()
	if reading != nil {
		reading()
	}
}

// groupReads is how a store that keeps groups reads several views at once.
type groupReads interface {
	ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error)
}

// groupPort is a readPort to such a store.
type groupPort struct {
	readPort
	rows groupReads
}

func (r groupPort) Together(feature.ViewID) bool { return true }

func (r groupPort) ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	r.meanwhile()
	return r.rows.ReadViews(ctx, views, keys, whole, dst)
}

// readRows is what a server reads rows from.
func (w *world) readRows(l *line) serving.Rows {
	if rows, ok := w.rows.(groupReads); ok {
		return groupPort{readPort{l}, rows}
	}
	return readPort{l}
}
