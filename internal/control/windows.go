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
	var items []materialize.WindowStatus
	err := a.await(ctx, wait, func() (bool, error) {
		items = nil
		item, found, err := a.judgedAt(ctx, v, start)
		if err != nil {
			return false, err
		}
		if found {
			items = []materialize.WindowStatus{item}
			return true, nil
		}
		for _, open := range a.deps.Board.Open(v) {
			if open.Start.Equal(start) {
				open.Reason = item.Reason
				items = []materialize.WindowStatus{open}
			}
		}
		return false, nil
	})
	return windowsAnswer{listOf(items, ""), a.deps.Board.Partitions(v)}, err
}

// judgedAt returns the window that starts at start, and whether it was judged.
func (a *API) judgedAt(ctx context.Context, v *feature.View, start time.Time) (materialize.WindowStatus, bool, error) {
	info, err := a.deps.Registry.VersionOf(ctx, v.ID, start)
	if errors.Is(err, feature.ErrNotFound) {
		return materialize.WindowStatus{}, false, nil
	}
	if err != nil {
		return materialize.WindowStatus{}, false, fmt.Errorf("read window of %s at %s: %w", v.Name, start.Format(time.RFC3339), err)
	}
	return judgedWindow(info, a.deps.Board.Partitions(v)), decided(info), nil
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
	var items []materialize.WindowStatus
	before := -1 // judged windows behind the cursor when the request came
	err = a.await(r.Context(), wait, func() (bool, error) {
		if items, err = a.allWindows(r.Context(), v); err != nil {
			return false, err
		}
		items = slices.DeleteFunc(items, func(w materialize.WindowStatus) bool { return !after.IsZero() && !w.Start.After(after) })
		n := 0
		for i := range items {
			if items[i].State == judged {
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
	next := ""
	if len(items) > limit {
		items = items[:limit]
		next = items[limit-1].Start.Format(time.RFC3339Nano)
	}
	return windowsAnswer{listOf(items, next), a.deps.Board.Partitions(v)}, nil
}

// allWindows returns the windows that were judged and those that are open, by
// their start.
func (a *API) allWindows(ctx context.Context, v *feature.View) ([]materialize.WindowStatus, error) {
	infos, err := a.deps.Registry.Versions(ctx, v.ID, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("list windows of %s: %w", v.Name, err)
	}
	var items []materialize.WindowStatus
	partitions := a.deps.Board.Partitions(v)
	seen := map[int64]feature.VersionInfo{}
	for _, info := range infos {
		if info.Kind != feature.KindWindow {
			continue
		}
		seen[info.Window.Start.UnixNano()] = info
		if decided(info) {
			items = append(items, judgedWindow(info, partitions))
		}
	}
	for _, open := range a.deps.Board.Open(v) {
		if info, known := seen[open.Start.UnixNano()]; !known || !decided(info) {
			open.Reason = info.Reason
			items = append(items, open)
		}
	}
	slices.SortStableFunc(items, func(x, y materialize.WindowStatus) int { return x.Start.Compare(y.Start) })
	return items, nil
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
