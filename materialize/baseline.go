package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// BaselineStatus is what a view's windows are compared with, as the contract
// shows it.
type BaselineStatus struct {
	View    string    `json:"view"`
	Layout  string    `json:"layout"`
	Windows int       `json:"windows"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	Kind    string    `json:"kind"` // trailing | pinned | accepted | dataset

	// Beside says what stands beside a history that follows the windows that pass; nil
	// where it does not follow them.
	Beside *BesideStatus `json:"beside,omitempty"`
}

// Baseline returns what the view's windows are compared with now.
func (a *Actions) Baseline(ctx context.Context, view *feature.View) (BaselineStatus, error) {
	book, rows, err := openBook(ctx, a.deps.Registry, view, a.deps.HashKey)
	if err != nil {
		return BaselineStatus{}, err
	}
	s := BaselineStatus{View: view.Name, Layout: book.layout().Digest(), Windows: len(rows), Kind: baseTrailing}
	if n := len(rows); n > 0 {
		s.From, s.To = rows[0].Window.Start, rows[n-1].Window.End
	}
	if book.anchor != nil {
		s.Kind, s.By, s.Reason = book.anchor.Kind, book.anchor.By, book.anchor.Reason
	}
	s.Beside = book.beside(len(rows))
	return s, nil
}

// SetBaseline pins history to the windows up to the version's: later ones are
// judged but no longer enter.
func (a *Actions) SetBaseline(ctx context.Context, act Action) (Result, error) {
	return a.rebase(ctx, "baseline set", act, func(ctx context.Context, d *Desk, info feature.VersionInfo, c *feature.Commit) error {
		book, _, err := openBook(ctx, a.deps.Registry, act.View, a.deps.HashKey)
		if err != nil {
			return err
		}
		if err := a.pinnable(ctx, book, info); err != nil {
			return err
		}
		c.Baseline = &feature.BaselineRow{Kind: basePinned, Version: info.Version, From: info.Window.Start, Layout: book.layout().Digest(), By: d.by, Reason: act.Reason, At: d.now}
		return nil
	})
}

// pinnable says why history cannot end with a version's window; nil if it can. A
// baseline accepted later began a layout and a history of its own, and without a
// window there would be nothing to compare with, for ever.
func (a *Actions) pinnable(ctx context.Context, book *Book, info feature.VersionInfo) error {
	view := book.view
	if b := book.anchor; b != nil && b.Kind == baseAccepted && info.Window.Start.Before(b.From) {
		return &feature.Error{Code: feature.CodeConflict,
			Message: fmt.Sprintf("%s version %d is of %s, before the baseline that was accepted with version %d, which starts at %s", view.Name, info.Version, info.Window.Start.Format(time.RFC3339), b.Version, b.From.Format(time.RFC3339)),
			Hint:    fmt.Sprintf("choose a version from %d on, or accept an older one: sluice baseline accept %s --version %d --reason …", b.Version, view.Name, info.Version)}
	}
	rows, err := a.deps.Registry.History(ctx, view.ID, time.Time{}, time.Time{})
	if err != nil {
		return fmt.Errorf("read history of %s: %w", view.Name, err)
	}
	first := slices.IndexFunc(rows, func(row feature.HistoryRow) bool { return book.holds(&row) })
	if first >= 0 && rows[first].Window.Start.After(info.Window.Start) {
		return &feature.Error{Code: feature.CodeConflict,
			Message: fmt.Sprintf("%s has no window of history up to version %d over the layout in force", view.Name, info.Version),
			Hint:    "choose a later version that was published, or start anew from this one: sluice baseline accept " + view.Name}
	}
	return nil
}

// AcceptBaseline starts history and layout anew at the version's window: a level
// shift that is the new normal no longer blocks. Rejected versions stay rejected.
func (a *Actions) AcceptBaseline(ctx context.Context, act Action) (Result, error) {
	return a.rebase(ctx, "baseline accept", act, func(ctx context.Context, d *Desk, info feature.VersionInfo, c *feature.Commit) error {
		book, _, err := openBook(ctx, a.deps.Registry, act.View, a.deps.HashKey)
		if err != nil {
			return err
		}
		passed, err := a.deps.Registry.History(ctx, act.View.ID, info.Window.Start, time.Time{})
		if err != nil {
			return fmt.Errorf("read history of %s: %w", act.View.Name, err)
		}
		layout, entries, err := a.renew(ctx, act, info, book, passed)
		if err != nil {
			return err
		}
		row, err := layoutRow(layout)
		if err != nil {
			return err
		}
		was, err := formerOf(book, passed)
		if err != nil {
			return err
		}
		d.memory.Probation, d.memory.Alarms = nil, nil
		c.Baseline = &feature.BaselineRow{Kind: baseAccepted, Version: info.Version, From: info.Window.Start, Layout: layout.Digest(), By: d.by, Reason: act.Reason, At: d.now, Body: was}
		c.Layouts = []feature.LayoutRow{row}
		for _, e := range entries {
			c.History = append(c.History, e.row)
		}
		return nil
	})
}

// renew makes a layout from the version's own rows and profiles it, and the
// windows after it that passed, over it.
func (a *Actions) renew(ctx context.Context, act Action, info feature.VersionInfo, book *Book, passed []feature.HistoryRow) (*sketch.Layout, []entry, error) {
	if err := single(act, info); err != nil {
		return nil, nil, err
	}
	sample, err := a.deps.Log.Profile(ctx, act.View, sketch.Unbinned(act.View), info.Window, info.Spans)
	if err != nil {
		return nil, nil, expired(err, act, info)
	}
	layout, err := sketch.BuildLayout(act.View, sample)
	if errors.Is(err, sketch.ErrSample) {
		return nil, nil, &feature.Error{Code: feature.CodeInvalidArgument, Message: fmt.Sprintf("%s version %d has too few rows to start a baseline from", act.View.Name, info.Version), Hint: "choose a version with more rows"}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("build layout: %w", err)
	}
	layout.From = book.takesEffect(a.deps.Board.beyond(act.View, info.Window), layout.Digest())
	windows := []entry{{window: info.Window, version: info.Version, row: feature.HistoryRow{Normal: true}}}
	for _, row := range passed {
		if row.Window.Start.After(info.Window.Start) {
			windows = append(windows, entry{window: row.Window, version: row.Version, row: row})
		}
	}
	entries, _, err := a.deps.rebuild(ctx, act.View, layout, windows)
	return layout, entries, err
}

// because refuses a change without a reason.
func because(act Action) error {
	if act.Reason != "" {
		return nil
	}
	return &feature.Error{Code: feature.CodeInvalidArgument, Message: "a baseline is changed without a reason", Hint: "say why, for the audit log: --reason TEXT"}
}

// rebasing fills in what a change of baseline commits besides its audit row.
type rebasing func(ctx context.Context, d *Desk, info feature.VersionInfo, c *feature.Commit) error

// rebase is one change of a view's baseline, by a person, with its audit row.
func (a *Actions) rebase(ctx context.Context, name string, act Action, fill rebasing) (Result, error) {
	if err := because(act); err != nil {
		return Result{}, err
	}
	act.By = person(act.By)
	return a.retry(ctx, name, act, func() (Result, error) { return a.rebaseOnce(ctx, name, act, fill) })
}

func (a *Actions) rebaseOnce(ctx context.Context, name string, act Action, fill rebasing) (Result, error) {
	desk, err := a.desk(ctx, act)
	if err != nil {
		return Result{}, err
	}
	info, err := a.find(ctx, desk, act)
	if err != nil {
		return Result{}, err
	}
	if info.Step == feature.StepOpen || info.Step == feature.StepSealed {
		return Result{}, &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s version %d is not judged yet", act.View.Name, info.Version), Hint: "wait until its window is judged"}
	}
	before, err := a.Baseline(ctx, act.View)
	if err != nil {
		return Result{}, err
	}
	var extra feature.Commit
	if err := fill(ctx, desk, *info, &extra); err != nil {
		return Result{}, err
	}
	desk.memory.Book++
	desk.note(baselineActions[name], info.Version, act.Reason)
	c := desk.Commit()
	c.Baseline, c.Layouts, c.History = extra.Baseline, extra.Layouts, extra.History
	c.Audit[0].Before = mustJSON(before)
	c.Audit[0].After = mustJSON(map[string]any{"kind": c.Baseline.Kind, "version": c.Baseline.Version, "layout": c.Baseline.Layout})
	return a.apply(ctx, desk, c)
}

// baselineActions are the words of the audit log.
var baselineActions = map[string]string{"baseline set": "baseline_set", "baseline accept": "baseline_accept"}
