package materialize

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

const (
	// layoutRows is how many sampled rows pin the first layout.
	layoutRows = 200
	// layoutWindows is how many windows of history pin the second.
	layoutWindows = 8
)

// Book is what a view's windows are compared with: the layouts, and the windows
// that passed, over the newest layout. It is used by one goroutine.
type Book struct {
	view      *feature.View
	key       sketch.HashKey
	layouts   []*sketch.Layout // rising; the last is in force
	entries   []entry          // rising by window
	later     []entry          // that passed and are no history: after a pinned one, or beside a data set; the newest, rising
	dataset   *dataset         // that is the history; nil if windows are that passed
	anchor    *feature.BaselineRow
	reference *Reference      // that stands beside them; nil without, or where they do not move along
	under     int             // number of the decision that history began with; 0: none did
	mark      uint64          // memory.Book when it was read
	merged    *sketch.Profile // of the first mergedN entries, of which the first starts at mergedF
	mergedN   int
	mergedF   time.Time
}

// entry is a window of history.
type entry struct {
	window  feature.Window
	version feature.Version
	profile *sketch.Profile
	row     feature.HistoryRow // without the profile's bytes once it is stored
}

// readBook reads a view's book from the registry. Windows over another layout
// than the one in force are left out: they are rebuilt when it is pinned.
func readBook(ctx context.Context, r Records, view *feature.View, key sketch.HashKey) (*Book, error) {
	b, rows, err := openBook(ctx, r, view, key)
	if err != nil {
		return nil, err
	}
	if b.dataset != nil {
		if b.entries, err = b.dataset.entries(ctx, r, b.layout()); err != nil {
			return nil, fmt.Errorf("read history of %s: %w", view.Name, err)
		}
	} else if b.entries, err = b.decode(rows); err != nil {
		return nil, err
	}
	return b, b.readLater(ctx, r)
}

// readLater reads the newest windows that passed and are no history.
func (b *Book) readLater(ctx context.Context, r Records) error {
	_, from := b.span()
	if b.dataset == nil && from.IsZero() {
		return nil
	}
	rows, err := r.History(ctx, b.view.ID, from, time.Time{})
	if err != nil {
		return fmt.Errorf("read history of %s: %w", b.view.Name, err)
	}
	rows = slices.DeleteFunc(rows, func(row feature.HistoryRow) bool { return !b.holds(&row) })
	b.later, err = b.decode(rows[max(0, len(rows)-passed):])
	return err
}

// decode reads the profiles of windows over the layout in force.
func (b *Book) decode(rows []feature.HistoryRow) (entries []entry, err error) {
	for _, row := range rows {
		profile, err := sketch.UnmarshalProfile(row.Profile, b.layout())
		if err != nil {
			return nil, fmt.Errorf("read history of %s at %s: %w", b.view.Name, row.Window.Start.Format(time.RFC3339), err)
		}
		row.Profile = nil
		entries = append(entries, entry{row.Window, row.Version, profile, row})
	}
	return entries, nil
}

// openBook reads a book without decoding its windows, which it returns as they are
// stored.
func openBook(ctx context.Context, r Records, view *feature.View, key sketch.HashKey) (*Book, []feature.HistoryRow, error) {
	b := &Book{view: view, key: key}
	layouts, err := r.Layouts(ctx, view.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("read layouts of %s: %w", view.Name, err)
	}
	for _, row := range layouts {
		layout, err := sketch.UnmarshalLayout(row.Body)
		if err != nil {
			return nil, nil, fmt.Errorf("read layout %s of %s: %w", row.Digest, view.Name, err)
		}
		layout.From = row.From
		b.layouts = append(b.layouts, layout)
	}
	stands, err := readStanding(ctx, r, view)
	if err != nil {
		return nil, nil, err
	}
	if b.anchor, err = stands.anchor(ctx, r, view); err != nil {
		return nil, nil, err
	}
	if b.reference, err = stands.reference(b); err != nil {
		return nil, nil, fmt.Errorf("read baseline of %s: %w", view.Name, err)
	}
	if b.anchor != nil && b.anchor.Kind == baseDataset {
		if b.dataset, err = decodeDataset(b.anchor.Body); err != nil {
			return nil, nil, fmt.Errorf("read baseline of %s: %w", view.Name, err)
		}
		return b, b.dataset.rows(b.anchor.Layout), nil
	}
	from, to := b.span()
	rows, err := r.History(ctx, view.ID, from, to)
	if err != nil {
		return nil, nil, fmt.Errorf("read history of %s: %w", view.Name, err)
	}
	rows = slices.DeleteFunc(rows, func(row feature.HistoryRow) bool { return !b.holds(&row) })
	return b, rows[b.beyond(len(rows)):], nil
}

// beyond returns how many of n windows are more than the view's baseline asks for.
func (b *Book) beyond(n int) int {
	if keep := b.view.Baseline.Windows; keep > 0 {
		return max(0, n-keep)
	}
	return 0
}

// holds reports whether a window of history counts under the layout in force.
func (b *Book) holds(row *feature.HistoryRow) bool {
	return row.Layout == b.layout().Digest() && len(row.Profile) > 0 && (row.Normal || b.view.Occasion(row.Window) == "")
}

// span returns the event times within which windows count as history: after an
// accepted baseline, up to a pinned one. Zero is open.
func (b *Book) span() (from, to time.Time) {
	if b.anchor == nil || b.dataset != nil {
		return from, to
	}
	if b.anchor.Kind == basePinned {
		return from, b.anchor.From.Add(b.view.Window.Size)
	}
	return b.anchor.From, to
}

// layout returns the layout in force; the unbinned one before there is any.
func (b *Book) layout() *sketch.Layout {
	if n := len(b.layouts); n > 0 {
		return b.layouts[n-1]
	}
	return sketch.Unbinned(b.view)
}

// trim keeps as many windows as the view's baseline asks for.
func (b *Book) trim() {
	if more := b.beyond(len(b.entries)); more > 0 {
		b.entries = slices.Clone(b.entries[more:])
	}
}

// admit puts a window into history, in its place.
func (b *Book) admit(e entry) {
	from, to := b.span()
	switch {
	case b.dataset != nil || !to.IsZero() && !e.window.Start.Before(to):
		b.recall(e)
		return
	case e.window.Start.Before(from):
		return
	}
	if pin := b.view.Baseline; b.anchor == nil && pin.From == basePinned && pin.Version == e.version {
		b.anchor = &feature.BaselineRow{Kind: basePinned, Version: e.version, From: e.window.Start}
	}
	e.row.Profile = nil
	at, found := slices.BinarySearchFunc(b.entries, e.window.Start, func(x entry, t time.Time) int { return x.window.Start.Compare(t) })
	if found {
		b.entries[at] = e
		b.merged = nil
		return
	}
	b.entries = slices.Insert(b.entries, at, e)
	if at != len(b.entries)-1 {
		b.merged = nil
	}
	b.trim()
}

// starts returns where those versions that are in history have their windows.
func (b *Book) starts(versions []feature.Version) (starts []time.Time) {
	for _, e := range slices.Concat(b.entries, b.later) {
		if slices.Contains(versions, e.version) {
			starts = append(starts, e.window.Start)
		}
	}
	return starts
}

// expel takes windows out of history: their versions were rolled back.
func (b *Book) expel(starts []time.Time) {
	n, gone := len(b.entries), func(e entry) bool { return e.version > 0 && slices.ContainsFunc(starts, e.window.Start.Equal) }
	b.entries, b.later = slices.DeleteFunc(b.entries, gone), slices.DeleteFunc(b.later, gone)
	if len(b.entries) < n {
		b.merged = nil
	}
}

// lag is how many of the newest windows are left out of the merge that is kept:
// windows in probation are judged by a history that ends before them.
const lag = 2 * feature.MaxVisible

// before returns the windows of history that start before t, and their merge,
// which is the caller's; nil without any.
func (b *Book) before(t time.Time) ([]WindowProfile, *sketch.Profile, error) {
	n, _ := slices.BinarySearchFunc(b.entries, t, func(x entry, t time.Time) int { return x.window.Start.Compare(t) })
	if b.dataset != nil {
		n = len(b.entries) // whenever it was
	}
	if n == 0 {
		return nil, nil, nil
	}
	var history []WindowProfile
	for _, e := range b.entries[:n] {
		history = append(history, WindowProfile{e.window, e.profile})
	}
	if b.merged == nil || b.mergedN > n || !b.mergedF.Equal(b.entries[0].window.Start) {
		b.merged, b.mergedN, b.mergedF = sketch.NewProfile(b.view, b.layout(), b.key), 0, b.entries[0].window.Start
	}
	if kept := n - lag; kept > b.mergedN {
		if err := b.merge(b.merged, b.entries[b.mergedN:kept]); err != nil {
			b.merged = nil
			return nil, nil, err
		}
		b.mergedN = kept
	}
	all := sketch.NewProfile(b.view, b.layout(), b.key)
	if err := all.Merge(b.merged); err != nil {
		return nil, nil, fmt.Errorf("merge history of %s: %w", b.view.Name, err)
	}
	return history, all, b.merge(all, b.entries[b.mergedN:n])
}

func (b *Book) merge(into *sketch.Profile, entries []entry) error {
	for _, e := range entries {
		if err := into.Merge(e.profile); err != nil {
			return fmt.Errorf("merge history of %s at %s: %w", b.view.Name, e.window.Start.Format(time.RFC3339), err)
		}
	}
	return nil
}

// wants reports whether a layout is due: the first from enough rows, the second
// once there are enough windows. An accepted baseline starts the count anew.
func (b *Book) wants(rows uint64) bool {
	if b.dataset != nil {
		return false
	}
	switch b.pinned() {
	case 0:
		return rows >= layoutRows
	case 1:
		return len(b.entries) >= layoutWindows
	}
	return false
}

// pinned counts the layouts since the accepted baseline's, which is one of them. One
// that came back, because a decision was taken back, counts where it was first.
func (b *Book) pinned() int {
	n := len(b.layouts)
	if n == 0 {
		return 0
	}
	first := 0
	if b.anchor != nil && b.anchor.Kind == baseAccepted {
		first = b.firstOf(b.anchor.Layout)
	}
	return b.firstOf(b.layout().Digest()) - first + 1
}

// firstOf returns where the layout of that digest is listed first; 0 if it is not.
func (b *Book) firstOf(digest string) int {
	return max(0, slices.IndexFunc(b.layouts, func(l *sketch.Layout) bool { return l.Digest() == digest }))
}

// fitted returns the start of the last window that the layout in force may be made of:
// the one that it first applied to.
func (b *Book) fitted() time.Time {
	switch {
	case b.dataset != nil:
		return b.dataset.Fitted
	case len(b.layouts) == 0:
		return time.Time{}
	}
	return b.layouts[b.firstOf(b.layout().Digest())].From
}

// takesEffect returns the first window start that a layout made now applies to, given
// the one that no partition has opened: never before an earlier layout, and after
// itself if it was in force before.
func (b *Book) takesEffect(beyond time.Time, digest string) time.Time {
	if n := len(b.layouts); n > 0 && b.layouts[n-1].From.After(beyond) {
		beyond = b.layouts[n-1].From
	}
	for slices.ContainsFunc(b.layouts, func(l *sketch.Layout) bool { return l.Digest() == digest && l.From.Equal(beyond) }) {
		beyond = beyond.Add(time.Nanosecond) // layouts that start together are listed in the order in which they came
	}
	return beyond
}
