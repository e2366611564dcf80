package materialize

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
	"sluice/store/embedded"
	"sluice/store/registry"
)

// world is a platform around the gate: a real registry and row store, and in place
// of the tap and its log, writes in memory that are opened, staged and profiled as
// the tap does.
type world struct {
	t        testing.TB
	registry *registry.Registry
	rows     rowStore
	log      *memoryLog
	board    *Board
	view     *feature.View
	defs     *feature.Definitions
	clock    manualClock
	judge    JudgeFunc
	epoch    uint64
	gate     *Gate
	actions  *Actions

	mu   sync.Mutex
	seen []Evidence
}

type rowStore interface {
	Rows
	Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error)
}

type manualClock struct {
	now time.Time
	set bool
}

func (c *manualClock) Now() (time.Time, bool) { return c.now, c.set }

var hashKey = sketch.HashKey{1, 2, 3}

const topic = "writes"

// paymentsView has one number and windows of an hour.
func paymentsView() *feature.View {
	view := gatedView()
	view.Features = []feature.Feature{{ID: 1, Name: "amount", Type: feature.Float64}}
	view.Baseline = feature.Baseline{From: "trailing", Windows: 100}
	return view
}

func openRegistry(t testing.TB) *registry.Registry {
	t.Helper()
	r, err := registry.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// newWorld has a gate that passes everything.
func newWorld(t testing.TB, view *feature.View) *world {
	t.Helper()
	rows, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "rows")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, registry: openRegistry(t), rows: rows, view: view, clock: manualClock{now: day0}}
	w.log, w.defs = &memoryLog{parts: map[int32][]logged{}}, &feature.Definitions{Views: []feature.View{*view}}
	w.view = &w.defs.Views[0]
	w.judge = func(Evidence) (Opinion, error) { return verdict(rules.Pass), nil }
	w.restart()
	return w
}

func verdict(state rules.State) Opinion {
	return Opinion{Verdict: rules.Verdict{State: state, Reasons: []rules.Reason{{Method: "test", Text: "it is " + string(state)}}}}
}

// states makes the gate's judge answer with those states, one for each window;
// probation passes.
func (w *world) states(states ...rules.State) {
	w.judge = func(e Evidence) (Opinion, error) {
		if e.Kind != "window" || len(states) == 0 {
			return verdict(rules.Pass), nil
		}
		o := verdict(states[0])
		o.Verdict.TooFew = states[0] == rules.Inconclusive
		states = states[1:]
		return o, nil
	}
}

func (w *world) deps() Deps {
	return Deps{
		Registry: w.registry, Rows: w.rows, Log: w.log, Board: w.board, HashKey: hashKey, Clock: &w.clock,
		Judge: func(e Evidence) (Opinion, error) {
			w.mu.Lock()
			w.seen = append(w.seen, e)
			w.mu.Unlock()
			return w.judge(e)
		},
		Definitions: func() *feature.Definitions { return w.defs }, Readership: w.registry.Readership, Logger: slog.New(slog.DiscardHandler),
		Owner: "gate", Epoch: w.epoch,
	}
}

// restart starts another gate on the same registry and rows, with a board that
// reads the log's partials anew.
func (w *world) restart() {
	w.t.Helper()
	var err error
	if w.epoch, err = w.registry.Acquire(w.t.Context(), "gate"); err != nil {
		w.t.Fatal(err)
	}
	w.board = NewBoard(topic, func(string) int { return 2 })
	w.gate = New(DefaultConfig(), w.deps())
	w.actions = NewActions(w.deps(), w.gate)
	for p := range int32(2) {
		w.board.Update(w.log.progress[p], w.log.partials(p))
	}
	w.board.CaughtUp()
}

// decide lets the gate decide all that is complete.
func (w *world) decide() {
	w.t.Helper()
	for {
		decided, err := w.gate.turn(w.t.Context(), w.view, w.gate.seat(w.view))
		if err != nil {
			w.t.Fatal(err)
		}
		if !decided {
			return
		}
	}
}

// window is the nth window.
func (w *world) window(n int) feature.Window {
	return w.view.Window.Starting(day0.Add(time.Duration(n) * w.view.Window.Size))
}

// put writes rows of the nth window, keyed by number, to both partitions. Values
// lie around centre.
func (w *world) put(n, rows int, centre float64) feature.Version {
	w.t.Helper()
	var keys []string
	for i := range rows {
		keys = append(keys, fmt.Sprint(i))
	}
	return w.putKeys(n, keys, func(i int) float64 { return centre + float64(i*37%101)/100 })
}

func (w *world) putKeys(n int, keys []string, value func(i int) float64) feature.Version {
	w.t.Helper()
	win := w.window(n)
	info, err := w.registry.OpenVersion(w.t.Context(), w.view, win, w.clock.now)
	if err != nil {
		w.t.Fatal(err)
	}
	layout := w.layout(win.Start)
	for i, key := range keys {
		w.log.append(w.view, int32(i%2), win, layout, info.Version, feature.Write{
			View: w.view, Key: feature.Key(key), EventTime: win.Start.Add(time.Duration(i) * time.Second), Topic: topic,
			Values: []feature.Value{feature.Float64Value(value(i))},
		})
	}
	for p := range int32(2) {
		err := w.log.rows(p, win, info.Version, func(rows []feature.Row) error {
			_, err := w.rows.Stage(w.t.Context(), w.view.ID, info.Version, rows)
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return info.Version
}

// layout is the tap's: the newest that applies to the window.
func (w *world) layout(start time.Time) *sketch.Layout {
	w.t.Helper()
	rows, err := w.registry.Layouts(w.t.Context(), w.view.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range slices.Backward(rows) {
		if !row.From.After(start) {
			layout, err := sketch.UnmarshalLayout(row.Body)
			if err != nil {
				w.t.Fatal(err)
			}
			return layout
		}
	}
	return sketch.Unbinned(w.view)
}

// close moves the watermark of some partitions to the end of the nth window, which
// completes it once all of them are there.
func (w *world) close(n int, partitions ...int32) {
	for _, p := range partitions {
		w.progress(p, feature.ViewProgress{Watermark: w.window(n).End})
	}
}

func (w *world) progress(p int32, state feature.ViewProgress) {
	progress := feature.Progress{Topic: topic, Partition: p, Epoch: 1, Offset: int64(len(w.log.parts[p])), Views: map[string]feature.ViewProgress{}}
	for i := range w.defs.Views {
		progress.Views[w.defs.Views[i].Name] = state
	}
	w.log.progress[p] = progress
	w.board.Update(progress, w.log.partials(p))
}

// run puts, closes and decides one window.
func (w *world) run(n, rows int, centre float64) feature.VersionInfo {
	w.t.Helper()
	version := w.put(n, rows, centre)
	w.close(n, 0, 1)
	w.decide()
	return w.version(version)
}

func (w *world) version(version feature.Version) feature.VersionInfo {
	w.t.Helper()
	info, err := w.registry.Version(w.t.Context(), w.view.ID, version)
	if err != nil {
		w.t.Fatal(err)
	}
	return info
}

func (w *world) vector() feature.Vector {
	w.t.Helper()
	v, err := w.registry.Vector(w.t.Context(), w.view.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) history() []feature.HistoryRow {
	w.t.Helper()
	rows, err := w.registry.History(w.t.Context(), w.view.ID, time.Time{}, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func (w *world) verdicts() []feature.VerdictRow {
	w.t.Helper()
	rows, _, err := w.registry.Verdicts(w.t.Context(), w.view.ID, "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// act does what a person asks.
func (w *world) act(name string, version feature.Version) Result {
	w.t.Helper()
	r, err := w.actions.Act(w.t.Context(), name, Action{View: w.view, Version: version, By: "alice", Reason: "because"})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// get reads a key as a reader with the present vector does.
func (w *world) get(key string) (feature.Record, bool) {
	w.t.Helper()
	chains, err := w.rows.Read(w.t.Context(), w.view.ID, []feature.Key{feature.Key(key)}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.vector().Resolve(chains[0])
}

// events are what people are to be told since forget was called last.
func (w *world) events() []feature.Notice {
	w.t.Helper()
	notices, err := w.registry.Notices(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return notices
}

func (w *world) forget() {
	w.t.Helper()
	for _, n := range w.events() {
		if err := w.registry.Told(w.t.Context(), n.ID); err != nil {
			w.t.Fatal(err)
		}
	}
}

// kinds are what people are to be told, "resolved " before what ended.
func (w *world) kinds() []string {
	kinds := []string{}
	for _, e := range w.events() {
		kind := e.Alert.Kind
		if e.Resolved {
			kind = "resolved " + kind
		}
		kinds = append(kinds, kind)
	}
	return kinds
}
