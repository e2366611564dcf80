package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sluice/feature"
	"sluice/materialize"
)

const judged = "judged"

// windowsAnswer also says how far every partition is, for views without a window.
type windowsAnswer struct {
	list[materialize.WindowStatus]
	Partitions map[string]materialize.PartitionStatus `json:"partitions"`
}

// windows lists a view's windows by their start. With ?start= it is the window
// that starts then, and ?wait= returns once that is judged. With ?after=, the start
// of a window, it is those behind it, and ?wait= returns once one of them is judged.
// With neither, ?wait= returns once any window was judged after the request came.
func (a *API) windows(r *http.Request) (any, error) {
	v, err := a.find(r)
	if err != nil {
		return nil, err
	}
	start, err := timeOf(r, "start")
	if err != nil {
		return nil, err
	}
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	if !start.IsZero() {
		return a.window(r.Context(), v, start, wait)
	}
	return a.windowPage(r, v, wait)
}

// window answers with the one window that starts at start, or none.
func (a *API) window(ctx context.Context, v *feature.View, start time.Time, wait time.Duration) (any, error) {
	var answer windowsAnswer
	err := a.await(ctx, wait, func() (bool, error) {
		now := a.board(v)
		item, found, err := a.judgedAt(ctx, v, start, now.partitions)
		if err != nil {
			return false, err
		}
		var items []materialize.WindowStatus
		if found {
			items = append(items, item)
		}
		for _, open := range now.open {
			if !found && open.Start.Equal(start) {
				open.Reason = item.Reason
				items = append(items, open)
			}
		}
		answer = windowsAnswer{listOf(items, ""), now.partitions}
		return found, nil
	})
	return answer, err
}

// boardLook is what the board says of a view. It is looked at before the registry, how far
// partitions are before which windows are open: then a window that was closed is still in
// the one or already in the other, and one that is in neither had no rows as far as
// partitions were read.
type boardLook struct {
	partitions map[string]materialize.PartitionStatus
	open       []materialize.WindowStatus
}

func (a *API) board(v *feature.View) boardLook {
	partitions := a.deps.Board.Partitions(v)
	return boardLook{partitions, a.deps.Board.Open(v)}
}

// judgedAt returns the window that starts at start, and whether it was judged.
func (a *API) judgedAt(ctx context.Context, v *feature.View, start time.Time, partitions map[string]materialize.PartitionStatus) (materialize.WindowStatus, bool, error) {
	info, err := a.deps.Registry.VersionOf(ctx, v.ID, start)
	if errors.Is(err, feature.ErrNotFound) {
		return materialize.WindowStatus{}, false, nil
	}
	if err != nil {
		return materialize.WindowStatus{}, false, fmt.Errorf("read window of %s at %s: %w", v.Name, start.Format(time.RFC3339), err)
	}
	return judgedWindow(info, partitions), decided(info), nil
}

// windowPage lists the windows behind the cursor, which is a window's start.
func (a *API) windowPage(r *http.Request, v *feature.View, wait time.Duration) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	after, err := timeOf(r, "after")
	if err != nil {
		return nil, err
	}
	var listed windowList
	before := -1 // judged windows behind the cursor when the request came
	err = a.await(r.Context(), wait, func() (bool, error) {
		if before >= 0 {
			if news, err := a.judgedSince(r.Context(), v, &listed); !news || err != nil {
				return false, err
			}
		}
		if listed, err = a.allWindows(r.Context(), v); err != nil {
			return false, err
		}
		listed.items = slices.DeleteFunc(listed.items, func(w materialize.WindowStatus) bool { return !after.IsZero() && !w.Start.After(after) })
		n := 0
		for i := range listed.items {
			if listed.items[i].State == judged {
				n++
			}
		}
		if before < 0 {
			before = n
		}
		return n > before || n > 0 && !after.IsZero(), nil
	})
	if err != nil {
		return nil, err
	}
	items, next := listed.items, ""
	if len(items) > limit {
		items = items[:limit]
		next = items[limit-1].Start.Format(time.RFC3339Nano)
	}
	return windowsAnswer{listOf(items, next), listed.partitions}, nil
}

// windowList is the windows of a view at a moment.
type windowList struct {
	items      []materialize.WindowStatus
	partitions map[string]materialize.PartitionStatus
	last       feature.Version          // the newest
	open       feature.Version          // the oldest that was not decided; 0: all were
	decided    map[feature.Version]bool // those after it that were
}

// note takes in a version, after those before it.
func (l *windowList) note(info feature.VersionInfo) {
	l.last = info.Version
	switch {
	case info.Kind != feature.KindWindow:
	case l.open != 0 && decided(info):
		l.decided[info.Version] = true
	case l.open == 0 && !decided(info):
		l.open = info.Version
	}
}

// settled returns the version up to which nothing more is judged.
func (l *windowList) settled() feature.Version {
	if l.open != 0 {
		return l.open - 1
	}
	return l.last
}

// judgedSince reports whether a window was judged since a list was made, by a look at the
// versions alone that were not decided then and at newer ones.
func (a *API) judgedSince(ctx context.Context, v *feature.View, l *windowList) (bool, error) {
	infos, err := a.deps.Registry.Versions(ctx, v.ID, l.settled(), 0)
	if err != nil {
		return false, fmt.Errorf("list newer windows of %s: %w", v.Name, err)
	}
	return slices.ContainsFunc(infos, func(info feature.VersionInfo) bool {
		return info.Kind == feature.KindWindow && decided(info) && !l.decided[info.Version]
	}), nil
}

// allWindows returns the windows that were judged and those that are open, by
// their start.
func (a *API) allWindows(ctx context.Context, v *feature.View) (windowList, error) {
	now := a.board(v)
	infos, err := a.deps.Registry.Versions(ctx, v.ID, 0, 0)
	if err != nil {
		return windowList{}, fmt.Errorf("list windows of %s: %w", v.Name, err)
	}
	l := windowList{partitions: now.partitions, decided: map[feature.Version]bool{}}
	seen := map[int64]feature.VersionInfo{}
	for _, info := range infos {
		l.note(info)
		if info.Kind != feature.KindWindow {
			continue
		}
		seen[info.Window.Start.UnixNano()] = info
		if decided(info) {
			l.items = append(l.items, judgedWindow(info, now.partitions))
		}
	}
	for _, open := range now.open {
		if info, known := seen[open.Start.UnixNano()]; !known || !decided(info) {
			open.Reason = info.Reason
			l.items = append(l.items, open)
		}
	}
	slices.SortStableFunc(l.items, func(x, y materialize.WindowStatus) int { return x.Start.Compare(y.Start) })
	return l, nil
}

// decided reports whether a version's window was judged.
func decided(info feature.VersionInfo) bool {
	return info.Step != feature.StepOpen && info.Step != feature.StepSealed
}

func judgedWindow(info feature.VersionInfo, partitions map[string]materialize.PartitionStatus) materialize.WindowStatus {
	return materialize.WindowStatus{
		Start: info.Window.Start, End: info.Window.End, State: judged, Version: info.Version,
		Rows: info.Rows, Verdict: info.Verdict, Reason: info.Reason, Partitions: partitions, Behind: []string{},
	}
}
