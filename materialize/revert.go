package materialize

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// former is what an accepted baseline replaced: the body of its row.
type former struct {
	Layout  string         `json:"layout"`            // digest of the layout in force before; empty if there was none
	Windows []formerWindow `json:"windows,omitempty"` // that had passed, from the accepted one on
}

type formerWindow struct {
	Start   time.Time       `json:"start"`
	Version feature.Version `json:"version"`
	Normal  bool            `json:"normal,omitempty"`
}

// formerOf notes what takes the place of which: windows that passed.
func formerOf(book *Book, passed []feature.HistoryRow) ([]byte, error) {
	f := former{Layout: book.layout().Digest()}
	for _, row := range passed {
		f.Windows = append(f.Windows, formerWindow{row.Window.Start, row.Version, row.Normal})
	}
	b, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode what the baseline replaced: %w", err)
	}
	return b, nil
}

// RevertBaseline takes back the last decision about a view's baseline that is in
// force: what stood before it stands again, with its layout and its windows, which are
// profiled again from the log where another layout took their place. Windows that
// passed under an accepted baseline that is taken back leave history.
func (a *Actions) RevertBaseline(ctx context.Context, act Action) (Result, error) {
	if err := because(act); err != nil {
		return Result{}, err
	}
	act.By = person(act.By)
	return a.retry(ctx, "baseline revert", act, func() (Result, error) { return a.revertOnce(ctx, act) })
}

func (a *Actions) revertOnce(ctx context.Context, act Action) (Result, error) {
	desk, err := a.desk(ctx, act)
	if err != nil {
		return Result{}, err
	}
	stands, err := readStanding(ctx, a.deps.Registry, act.View)
	if err != nil {
		return Result{}, err
	}
	last, number := stands.top()
	if last == nil || last.Kind == baseDataset {
		return Result{}, &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("no decision about the baseline of %s is in force", act.View.Name),
			Hint: "`sluice baseline show " + act.View.Name + " --history` lists those there were"}
	}
	before, err := a.Baseline(ctx, act.View)
	if err != nil {
		return Result{}, err
	}
	r := reverting{actions: a, act: act, last: last, standing: stands.without()}
	c, err := r.work(ctx)
	if err != nil {
		return Result{}, err
	}
	desk.memory.Book++
	desk.memory.Probation, desk.memory.Alarms = nil, nil
	desk.note("baseline_revert", last.Version, act.Reason)
	commit := desk.Commit()
	commit.Layouts, commit.History, commit.DropHistory = c.Layouts, c.History, c.DropHistory
	commit.Baseline = &feature.BaselineRow{Kind: baseReverted, Undoes: number, By: desk.by, Reason: act.Reason, At: desk.now}
	after := map[string]any{"kind": baseTrailing, "undoes": number, "layout": r.layout.Digest(), "lost": len(r.gone)}
	if r.anchor != nil {
		after["kind"], after["version"] = r.anchor.Kind, r.anchor.Version
	}
	commit.Audit[0].Before, commit.Audit[0].After = mustJSON(before), mustJSON(after)
	return a.apply(ctx, desk, commit)
}

// reverting is a decision that is being taken back.
type reverting struct {
	actions  *Actions
	act      Action
	last     *feature.BaselineRow
	standing standing // without it

	book   *Book
	anchor *feature.BaselineRow
	layout *sketch.Layout
	gone   []time.Time // windows that the log no longer holds
}

// work returns what layouts and history change.
func (r *reverting) work(ctx context.Context) (c feature.Commit, err error) {
	deps, view := &r.actions.deps, r.act.View
	if r.book, _, err = openBook(ctx, deps.Registry, view, deps.HashKey); err != nil {
		return c, err
	}
	if r.anchor, err = r.standing.anchor(ctx, deps.Registry, view); err != nil {
		return c, err
	}
	was := former{Layout: r.book.layout().Digest()}
	if r.last.Kind == baseAccepted {
		if err := json.Unmarshal(r.last.Body, &was); err != nil {
			return c, &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("the baseline of %s was accepted by a release that did not keep what it replaced", view.Name),
				Hint: "accept a version of before instead: sluice baseline accept " + view.Name + " --version N"}
		}
	}
	if r.layout, err = r.formerLayout(was.Layout); err != nil {
		return c, err
	}
	rows, err := deps.Registry.History(ctx, view.ID, time.Time{}, time.Time{})
	if err != nil {
		return c, fmt.Errorf("read history of %s: %w", view.Name, err)
	}
	windows, drop := r.divide(rows, was)
	return r.restore(ctx, windows, drop)
}

// formerLayout returns a copy of a layout that was in force before, from now on.
func (r *reverting) formerLayout(digest string) (*sketch.Layout, error) {
	switch {
	case digest == "" && len(r.book.layouts) == 0:
		return r.book.layout(), nil
	case digest == "":
		return nil, &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s had no layout before that decision", r.act.View.Name), Hint: "accept another version instead"}
	}
	layout := *r.book.layouts[r.book.firstOf(digest)]
	if digest != r.book.layout().Digest() {
		newest := feature.Window{}
		if n := len(r.book.layouts); n > 0 {
			newest.End = r.book.layouts[n-1].From
		}
		layout.From = r.book.takesEffect(r.actions.deps.Board.beyond(r.act.View, newest), digest)
	}
	return &layout, nil
}

// divide returns the windows that history then consists of, and those that leave it.
func (r *reverting) divide(rows []feature.HistoryRow, was former) (windows []entry, drop []time.Time) {
	next := Book{view: r.act.View, anchor: r.anchor}
	from, to := next.span()
	for _, row := range rows {
		start := row.Window.Start
		if r.last.Kind == baseAccepted && !start.Before(r.last.From) {
			at := slices.IndexFunc(was.Windows, func(w formerWindow) bool { return w.Start.Equal(start) && w.Version == row.Version })
			if at < 0 {
				drop = append(drop, start)
				continue
			}
			row.Normal = was.Windows[at].Normal
		}
		if start.Before(from) || !to.IsZero() && !start.Before(to) {
			continue
		}
		windows = append(windows, entry{window: row.Window, version: row.Version, row: row})
	}
	return windows[next.beyond(len(windows)):], drop
}

// restore profiles those windows again that are over another layout, or whose profiles
// are gone.
func (r *reverting) restore(ctx context.Context, windows []entry, drop []time.Time) (c feature.Commit, err error) {
	again := slices.DeleteFunc(windows, func(e entry) bool { return e.row.Layout == r.layout.Digest() && len(e.row.Profile) > 0 })
	if r.anchor != nil && r.anchor.Kind == baseDataset {
		again = nil
	}
	kept, gone, err := r.actions.deps.rebuild(ctx, r.act.View, r.layout, again)
	if err != nil {
		return c, err
	}
	for _, e := range kept {
		c.History = append(c.History, e.row)
	}
	r.gone = gone
	c.DropHistory = append(drop, gone...)
	if r.layout.Digest() != r.book.layout().Digest() {
		row, err := layoutRow(r.layout)
		if err != nil {
			return c, err
		}
		c.Layouts = []feature.LayoutRow{row}
	}
	return c, nil
}

// BaselineDecision is a decision about a view's baseline, as the API lists them.
type BaselineDecision struct {
	Number  int             `json:"number"`
	Kind    string          `json:"kind"` // pinned | accepted | dataset | reverted | reference
	Undoes  int             `json:"undoes,omitempty"`
	Version feature.Version `json:"version"`
	From    time.Time       `json:"from,omitzero"` // accepted: history starts here; pinned: its last window does; reference: its first does
	Layout  string          `json:"layout"`
	By      string          `json:"by"`
	Reason  string          `json:"reason"`
	At      time.Time       `json:"at"`
	State   string          `json:"state"` // in_force | beneath | taken_back; empty for what takes one back; reference: in_force or replaced
}

// Baselines lists the decisions about a view's baseline, first to last. Beneath is one
// that comes back into force if those after it are taken back.
func (a *Actions) Baselines(ctx context.Context, view *feature.View) ([]BaselineDecision, error) {
	s, err := readStanding(ctx, a.deps.Registry, view)
	if err != nil {
		return nil, err
	}
	book, _, err := openBook(ctx, a.deps.Registry, view, a.deps.HashKey)
	if err != nil {
		return nil, err
	}
	_, top := s.top()
	held := s.referenceAt(book)
	list := []BaselineDecision{}
	for i, row := range s.rows {
		d := BaselineDecision{Number: i + 1, Kind: row.Kind, Undoes: row.Undoes, Version: row.Version, From: row.From, Layout: row.Layout, By: row.By, Reason: row.Reason, At: row.At}
		switch {
		case row.Kind == baseReverted:
		case row.Kind == baseReference && i == held:
			d.State = "in_force"
		case row.Kind == baseReference:
			d.State = "replaced"
		case i+1 == top:
			d.State = "in_force"
		case slices.Contains(s.stack, i):
			d.State = "beneath"
		default:
			d.State = "taken_back"
		}
		list = append(list, d)
	}
	return list, nil
}
