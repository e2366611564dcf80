package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/materialize"
	"sluice/serving"
)

const (
	fateWait = 20 * time.Second       // for rows to be read off the log, and for closed windows to be judged
	fatePoll = 500 * time.Millisecond // between two looks at what other processes did
)

// fates tells what became of the windows of a view.
type fates struct {
	registry interface {
		Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error)
		Changed() <-chan struct{}
	}
	board *materialize.Board
	ends  func(ctx context.Context, view *feature.View) (map[int32]int64, error)
}

// Windows is a serving.WindowsFunc.
func (f fates) Windows(ctx context.Context, view *feature.View, from, to time.Time, open bool) ([]serving.WindowFate, error) {
	within, cancel := context.WithTimeout(ctx, fateWait)
	defer cancel()
	l := fateLook{fates: f, view: view, from: from, to: to}
	var windows []serving.WindowFate
	err := f.read(within, view)
	if err == nil {
		err = f.await(within, func() (done bool, err error) {
			var closing bool
			windows, closing, err = l.look(within)
			return open || !closing, err
		})
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, &feature.Error{
			Code: feature.CodeConflict, Message: fmt.Sprintf("rows of view %s that were written are not all read and judged after %s", view.Name, fateWait),
			Hint: "ask again; `sluice windows " + view.Name + "` and `sluice doctor` say what is behind",
		}
	}
	return windows, err
}

// read waits until all that is on the view's topic now was read.
func (f fates) read(ctx context.Context, view *feature.View) error {
	ends, err := f.ends(ctx, view)
	if err != nil {
		return &feature.Error{Code: feature.CodeUnavailable, Message: "the log does not say how long it is", Hint: "try again; `sluice doctor` looks at the brokers"}
	}
	return f.await(ctx, func() (bool, error) { return f.board.Read(view, ends), nil })
}

// fateLook looks at the windows that lie in [from, to) in part, again and again.
type fateLook struct {
	fates
	view     *feature.View
	from, to time.Time

	versions []feature.VersionInfo // as of the last look, rising
}

// look returns the windows, and whether one of them only waits to be judged. The board is
// looked at first: what it has no more was judged before.
func (l *fateLook) look(ctx context.Context) (windows []serving.WindowFate, closing bool, err error) {
	waiting := l.board.Open(l.view)
	again := l.versions != nil
	if err := l.list(ctx, again); err != nil {
		return nil, false, err
	}
	if windows, closing = l.told(waiting); closing || !again {
		return windows, closing, nil
	}
	// What was decided before may have been taken back meanwhile.
	if err := l.list(ctx, false); err != nil {
		return nil, false, err
	}
	windows, closing = l.told(waiting)
	return windows, closing, nil
}

// list reads the versions of the view: all, or only those on that may have been judged since
// the last look, which are those from the oldest staged one on.
func (l *fateLook) list(ctx context.Context, newer bool) error {
	kept := l.versions[:0:0]
	if newer {
		staged := slices.IndexFunc(l.versions, func(v feature.VersionInfo) bool { return v.State == feature.StateStaged })
		if staged < 0 {
			staged = len(l.versions)
		}
		kept = l.versions[:staged:staged]
	}
	after := feature.Version(0)
	if len(kept) > 0 {
		after = kept[len(kept)-1].Version
	}
	infos, err := l.registry.Versions(ctx, l.view.ID, after, 0)
	if err != nil {
		return fmt.Errorf("list versions: %w", err)
	}
	l.versions = append(kept, infos...)
	return nil
}

// told is what the versions, and the windows that the board has open, tell.
func (l *fateLook) told(waiting []materialize.WindowStatus) (windows []serving.WindowFate, closing bool) {
	within := func(w feature.Window) bool { return w.Start.Before(l.to) && w.End.After(l.from) }
	known, open := map[int64]bool{}, map[int64]bool{}
	for _, w := range waiting {
		open[w.Start.UnixNano()] = w.State == "open"
	}
	for _, info := range l.versions {
		if info.Kind == feature.KindWindow && within(info.Window) {
			start := info.Window.Start.UnixNano()
			known[start] = true
			closing = closing || info.State == feature.StateStaged && !open[start]
			windows = append(windows, serving.WindowFate{Window: info.Window, Version: info.Version, Verdict: info.Verdict, State: info.State})
		}
	}
	for _, w := range waiting {
		if window := (feature.Window{Start: w.Start, End: w.End}); within(window) && !known[w.Start.UnixNano()] {
			closing = closing || w.State != "open"
			windows = append(windows, serving.WindowFate{Window: window, Version: w.Version})
		}
	}
	approve(windows, l.versions)
	slices.SortStableFunc(windows, func(x, y serving.WindowFate) int { return x.Start.Compare(y.Start) })
	return windows, closing
}

// approve gives windows whose version a person approved the state of what it became.
func approve(windows []serving.WindowFate, infos []feature.VersionInfo) {
	as := map[feature.Version]feature.State{}
	for _, info := range infos {
		if info.ApprovedOf != 0 {
			as[info.ApprovedOf] = info.State
		}
	}
	for i := range windows {
		if state, ok := as[windows[i].Version]; ok {
			windows[i].State = state
		}
	}
}

// await calls look until it says done, at every change and every half second.
func (f fates) await(ctx context.Context, look func() (done bool, err error)) error {
	tick := time.NewTicker(fatePoll)
	defer tick.Stop()
	for {
		registry, board := f.registry.Changed(), f.board.Changed()
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-registry:
		case <-board:
		case <-tick.C:
		}
	}
}
