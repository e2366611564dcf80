package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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
	r := datasetReader{view: view, layout: layout, key: d.key, topic: "dataset:" + digest, windows: map[int64]*sketch.Profile{}}
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
	column := func(name string, of feature.Type) {
		if mapped := view.Source.Map[name]; mapped != "" {
			name = mapped
		}
		types[name] = of
	}
	for _, e := range view.Entities {
		column(e.Name, e.Type)
	}
	for _, f := range view.Features {
		column(f.Name, f.Type)
	}
	return types
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

// check refuses a file that says too little.
func (r *datasetReader) check() error {
	switch total := r.rows + r.bad; {
	case total == 0:
		return fmt.Errorf("%w: no row of it can be a baseline; it needs the columns of the view and its event time, %s", errDataset, r.view.Source.EventTime)
	case float64(r.bad) > datasetBad*float64(total):
		return fmt.Errorf("%w: %d of %d rows cannot be read, more than %g %%; the first: %w", errDataset, r.bad, total, 100*datasetBad, r.first)
	}
	return nil
}
