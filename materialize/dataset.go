package materialize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// baseDataset is the kind of a baseline that is a file which the view's definition names.
// The gate reads it once, before the first window that it judges by it, and keeps its
// windows in the registry: what becomes of the file later changes nothing.
const baseDataset = "dataset"

// Dataset is a file as baseline: its windows by event time, over one layout.
type Dataset struct {
	Digest  string          // hex SHA-256 of the file
	Windows []WindowProfile // rising
	Rows    uint64          // profiled
}

// DatasetFunc reads the file that a view's definition names as its baseline, and profiles
// its windows over layout. Nothing that it returns is used if it fails.
type DatasetFunc func(ctx context.Context, view *feature.View, layout *sketch.Layout) (Dataset, error)

// dataset is the body of a row of kind baseDataset.
type dataset struct {
	Path    string          `json:"path"`
	Key     string          `json:"key"` // of path, features and window size
	Digest  string          `json:"digest"`
	Rows    uint64          `json:"rows"`
	Fitted  time.Time       `json:"fitted"` // start of the last window that the layout was made of
	Windows []datasetWindow `json:"windows"`
}

type datasetWindow struct {
	Window feature.Window `json:"window"`
	Blob   string         `json:"blob"` // its profile
}

func decodeDataset(body []byte) (*dataset, error) {
	var d dataset
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("decode data set of a baseline: %w: %w", feature.ErrCorrupt, err)
	}
	return &d, nil
}

// datasetKey names what a data set was read for; empty if the view names none.
func datasetKey(view *feature.View) string {
	if view.Baseline.From != baseDataset {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q %d", view.Baseline.Dataset, view.Window.Size)
	for _, f := range view.Features {
		fmt.Fprintf(&b, " %d:%s", f.ID, f.Type)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:12])
}

// dataset reads the data set that the view's definition names, unless it is read already
// or a person has decided otherwise since, and commits layout and windows.
func (g *Gate) dataset(ctx context.Context, view *feature.View, s *seat, window feature.Window) error {
	key := datasetKey(view)
	if key == s.dataset {
		return nil
	}
	if key != "" {
		book, _, err := openBook(ctx, g.deps.Registry, view, g.deps.HashKey)
		if err != nil {
			return err
		}
		if due, err := book.datasetDue(ctx, g.deps.Registry, key); err != nil {
			return err
		} else if due {
			if err := g.readDataset(ctx, book, key, window); err != nil {
				return fmt.Errorf("baseline of %s from data set %s: %w", view.Name, view.Baseline.Dataset, err)
			}
		}
	}
	s.dataset, s.book = key, nil
	return nil
}

// datasetDue reports whether the data set of that key is not the one last read, or bins of
// another origin took the place of its own.
func (b *Book) datasetDue(ctx context.Context, r Records, key string) (bool, error) {
	rows, err := r.Baselines(ctx, b.view.ID)
	if err != nil {
		return false, fmt.Errorf("read baselines of %s: %w", b.view.Name, err)
	}
	last := -1
	for i, row := range rows {
		if row.Kind == baseDataset {
			last = i
		}
	}
	if last < 0 {
		return true, nil
	}
	d, err := decodeDataset(rows[last].Body)
	if err != nil {
		return false, err
	}
	bins := b.anchor == nil || b.anchor.Kind == baseDataset && b.layout().Digest() != b.anchor.Layout
	return d.Key != key || bins, nil
}

// readDataset reads the file twice: to make bins of it, and to count it in them.
func (g *Gate) readDataset(ctx context.Context, book *Book, key string, window feature.Window) error {
	if g.deps.Dataset == nil {
		return errors.New("this process reads no files")
	}
	view := book.view
	plain, err := g.deps.Dataset(ctx, view, sketch.Unbinned(view))
	if err != nil {
		return err
	}
	layout, fitted, err := layoutOf(view, plain.Windows)
	if err != nil {
		return err
	}
	layout.From = book.takesEffect(g.deps.Board.beyond(view, window), layout.Digest())
	binned, err := g.deps.Dataset(ctx, view, layout)
	if err != nil {
		return err
	}
	if binned.Digest != plain.Digest {
		return errors.New("the file changed while it was read")
	}
	return g.saveDataset(ctx, book, layout, dataset{Path: view.Baseline.Dataset, Key: key, Digest: binned.Digest, Rows: binned.Rows, Fitted: fitted}, binned.Windows)
}

// layoutOf makes bins of the first windows, as many as the gate would wait for, or of all
// if those have too few rows.
func layoutOf(view *feature.View, windows []WindowProfile) (layout *sketch.Layout, fitted time.Time, err error) {
	for _, n := range []int{min(layoutWindows, len(windows)), len(windows)} {
		samples := make([]*sketch.Profile, n)
		for i, w := range windows[:n] {
			samples[i] = w.Profile
		}
		if layout, err = sketch.BuildLayout(view, samples...); err == nil {
			return layout, windows[n-1].Window.Start, nil
		}
	}
	if errors.Is(err, sketch.ErrSample) {
		return nil, fitted, fmt.Errorf("it holds too few rows to compare with, in %d windows of %s: %d are the least", len(windows), view.Window.Size, sketch.MinLayoutRows)
	}
	return nil, fitted, fmt.Errorf("build layout: %w", err)
}

// saveDataset commits what was read.
func (g *Gate) saveDataset(ctx context.Context, book *Book, layout *sketch.Layout, d dataset, windows []WindowProfile) error {
	if keep := book.view.Baseline.Windows; keep > 0 {
		windows = windows[max(0, len(windows)-keep):]
	}
	blobs := map[string][]byte{}
	for _, w := range windows {
		body, err := w.Profile.MarshalBinary()
		if err != nil {
			return fmt.Errorf("encode profile of %s: %w", w.Window.Start.Format(time.RFC3339), err)
		}
		sum := sha256.Sum256(body)
		name := hex.EncodeToString(sum[:])
		blobs[name] = body
		d.Windows = append(d.Windows, datasetWindow{w.Window, name})
	}
	row, err := layoutRow(layout)
	if err != nil {
		return err
	}
	desk, err := g.desk(ctx, book.view)
	if err != nil {
		return err
	}
	reason := fmt.Sprintf("data set %s: %d rows in %d windows, sha256 %s", d.Path, d.Rows, len(d.Windows), d.Digest)
	desk.memory.Book++
	desk.memory.Probation, desk.memory.Alarms = nil, nil
	desk.note("baseline_dataset", 0, reason)
	c := desk.Commit()
	c.Layouts, c.Blobs = []feature.LayoutRow{row}, blobs
	c.Baseline = &feature.BaselineRow{Kind: baseDataset, From: d.Windows[0].Window.Start, Layout: layout.Digest(), By: byGate, Reason: reason, At: desk.now, Body: mustJSON(d)}
	if err := g.commit(ctx, c); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	g.log.Info("baseline read from a data set", "view", book.view.Name, "path", d.Path, "digest", d.Digest, "windows", len(d.Windows), "rows", d.Rows, "layout", layout.Digest())
	return nil
}

// datasetRows are the windows of a data set, without their profiles.
func (d *dataset) rows(layout string) []feature.HistoryRow {
	rows := make([]feature.HistoryRow, len(d.Windows))
	for i, w := range d.Windows {
		rows[i] = feature.HistoryRow{Window: w.Window, Layout: layout}
	}
	return rows
}

// entries reads the profiles of a data set.
func (d *dataset) entries(ctx context.Context, r Records, layout *sketch.Layout) ([]entry, error) {
	var all []entry
	for _, w := range d.Windows {
		body, err := r.Blob(ctx, w.Blob)
		if err != nil {
			return nil, err
		}
		profile, err := sketch.UnmarshalProfile(body, layout)
		if err != nil {
			return nil, fmt.Errorf("window %s of data set %s: %w", w.Window.Start.Format(time.RFC3339), d.Path, err)
		}
		all = append(all, entry{window: w.Window, profile: profile})
	}
	return all, nil
}

// recall keeps a window that passed and is no history, for probation and for what adds up.
func (b *Book) recall(e entry) {
	e.row.Profile = nil
	at, found := slices.BinarySearchFunc(b.later, e.window.Start, func(x entry, t time.Time) int { return x.window.Start.Compare(t) })
	if found {
		b.later[at] = e
		return
	}
	b.later = slices.Insert(b.later, at, e)
	b.later = slices.Clone(b.later[max(0, len(b.later)-passed):])
}
