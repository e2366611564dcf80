package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/feature"
	"sluice/materialize"
	"sluice/quality/sketch"
	"sluice/store/tabular"
	"sluice/tap"
)

// datasets reads the files that views name as their baseline, in the process of the
// gate, which must be able to open them: a relative path starts at its working directory.
type datasets struct{ key sketch.HashKey }

const (
	// datasetWindows is how many windows a data set may have: each has a profile in
	// memory while it is read.
	datasetWindows = 4096
	// datasetBad is the share of unreadable rows above which a file is refused.
	datasetBad = 0.01
)

var errDataset = errors.New("unusable data set")

// read is a materialize.DatasetFunc.
func (d datasets) read(ctx context.Context, view *feature.View, layout *sketch.Layout) (materialize.Dataset, error) {
	path := view.Baseline.Dataset
	digest, err := digestOf(path)
	if err != nil {
		return materialize.Dataset{}, err
	}
	in, err := tabular.OpenTyped(path, datasetTypes(view))
	if err != nil {
		return materialize.Dataset{}, err
	}
	r := datasetReader{view: view, layout: layout, key: d.key, topic: "dataset:" + digest, windows: map[int64]*sketch.Profile{}, missing: featureColumns(view)}
	if err = tabular.RequireHeader(in); err == nil {
		err = r.all(ctx, in)
	}
	err = errors.Join(err, in.Close())
	if err != nil {
		return materialize.Dataset{}, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	out := materialize.Dataset{Digest: digest, Rows: r.rows}
	for start, profile := range r.windows {
		if profile.Profiled() > 0 {
			out.Windows = append(out.Windows, materialize.WindowProfile{Window: view.Window.Starting(time.Unix(0, start)), Profile: profile})
		}
	}
	slices.SortFunc(out.Windows, func(a, b materialize.WindowProfile) int { return a.Window.Start.Compare(b.Window.Start) })
	return out, nil
}

// datasetTypes are the types of the columns that a view's flat records have.
func datasetTypes(view *feature.View) map[string]feature.Type {
	types := map[string]feature.Type{}
	for _, e := range view.Entities {
		types[columnOf(view, e.Name)] = e.Type
	}
	for _, f := range view.Features {
		types[columnOf(view, f.Name)] = f.Type
	}
	return types
}

// columnOf is the column of flat records that has a join key or feature.
func columnOf(view *feature.View, name string) string {
	return cmp.Or(view.Source.Map[name], name)
}

// featureColumns are the columns of the view's features, each with its feature.
func featureColumns(view *feature.View) map[string]string {
	columns := map[string]string{}
	for _, f := range view.Features {
		columns[columnOf(view, f.Name)] = f.Name
	}
	return columns
}

// digestOf returns the hex SHA-256 of a file.
func digestOf(path string) (digest string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("%s is no regular file: %w", path, errDataset))
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// datasetReader profiles the rows of a file by the window of their event time. What the
// tap would refuse for an expectation is counted as refused in its window.
type datasetReader struct {
	view    *feature.View
	layout  *sketch.Layout
	key     sketch.HashKey
	topic   string
	windows map[int64]*sketch.Profile // by start
	rows    uint64
	bad     uint64
	first   error // what is wrong with the first row that cannot be read

	missing map[string]string // columns that no row has had yet, each with its feature
	others  []string          // columns of the first row
	fields  tabular.Fields
}

func (r *datasetReader) all(ctx context.Context, in tabular.Reader) error {
	lines, err := tap.NewLines(r.view)
	if err != nil {
		return err
	}
	for offset := int64(0); ; offset++ {
		line, _, err := in.Next()
		if errors.Is(err, io.EOF) {
			return r.check()
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.row(lines, line, offset)
		}
		if err != nil {
			return err
		}
	}
}

func (r *datasetReader) row(lines *tap.Lines, line []byte, offset int64) error {
	r.present(line)
	w, refused, err := lines.Read(line)
	if err != nil {
		if r.bad++; r.first == nil {
			r.first = fmt.Errorf("row %d: %w", offset+1, err)
		}
		return nil
	}
	start := r.view.Window.Of(w.EventTime).Start.UnixNano()
	profile := r.windows[start]
	if profile == nil {
		if len(r.windows) == datasetWindows {
			return fmt.Errorf("%w: more than %d windows of %s: choose a file of fewer, or longer windows", errDataset, datasetWindows, r.view.Window.Size)
		}
		profile = sketch.NewProfile(r.view, r.layout, r.key)
		r.windows[start] = profile
	}
	w.Topic, w.Partition, w.Offset = r.topic, 0, offset
	if refused != tap.NotRefused {
		profile.RefuseWrite(w, refused)
		return nil
	}
	r.rows++
	profile.Add(w)
	return nil
}

// present notes which columns of features a row has, null or not.
func (r *datasetReader) present(line []byte) {
	if len(r.missing) == 0 {
		return
	}
	fields, err := r.fields.Of(line)
	if err != nil {
		return // the row counts as one that cannot be read
	}
	for _, f := range fields {
		delete(r.missing, string(f.Name))
	}
	if r.others != nil {
		return
	}
	for _, f := range fields {
		r.others = append(r.others, string(f.Name))
	}
}

// without names the features of which the file has no column; nil if there are none. History
// would say of such a feature that it is always null, and no fault of its values would ever show.
func (r *datasetReader) without() error {
	if len(r.missing) == 0 {
		return nil
	}
	var names []string
	for _, column := range slices.Sorted(maps.Keys(r.missing)) {
		name := column
		if r.missing[column] != column {
			name += " (of feature " + r.missing[column] + ")"
		}
		if near := feature.Nearest(column, r.others); near != "" {
			name += fmt.Sprintf(", did you mean %q?", near)
		}
		names = append(names, name)
	}
	more := ""
	if n := len(names) - 5; n > 0 {
		names, more = names[:5], fmt.Sprintf("; and %d more", n)
	}
	return fmt.Errorf("%w: it has no column for %d of %d features of the view: %s%s: a baseline needs a column for each, empty where there is no value", errDataset, len(r.missing), len(r.view.Features), strings.Join(names, "; "), more)
}

// check refuses a file that says too little.
func (r *datasetReader) check() error {
	switch total := r.rows + r.bad; {
	case total == 0:
		return fmt.Errorf("%w: no row of it can be a baseline; it needs the columns of the view and its event time, %s", errDataset, r.view.Source.EventTime)
	case float64(r.bad) > datasetBad*float64(total):
		return fmt.Errorf("%w: %d of %d rows cannot be read, more than %g %%; the first: %w", errDataset, r.bad, total, 100*datasetBad, r.first)
	}
	return r.without()
}
