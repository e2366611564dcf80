package replay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/feature"
	"sluice/store/tabular"
)

// EventTime is the column that says when a row's event was, unless another is named.
const EventTime = "event_time"

// calendar says of which time the files are.
//
// A timestamp is judged by its age at the start of its window, by its place in time and by
// its hour and day, so the windows must be the real ones. Where a column says when rows are
// from, the n-th window is the one of the files' usual length that holds the median time
// of the n-th file's rows; if files are of no usual length, as those of months, it begins at
// the hour of the file's first rows. Without such a column, or without another timestamp
// to judge, the n-th file is the n-th hour of 1970: which does not matter to what else is judged.
type calendar struct {
	column string        // that says when rows are from; empty: windows are made up
	size   time.Duration // length of a window
	loose  bool          // windows do not begin at multiples of it
	lasts  time.Duration // of a loose window, and from one window to the next as a rule
	starts []time.Time   // of the files so far
	why    string        // timestamps are left out, if they are
}

// made is how long a made-up window is.
const made = time.Hour

// newCalendar returns one whose windows are made up.
func newCalendar(why string) *calendar { return &calendar{size: made, lasts: made, why: why} }

// window returns the window of the i-th file, once its start is known.
func (c *calendar) window(i int) feature.Window {
	if c.column == "" {
		start := time.Unix(0, 0).UTC().Add(time.Duration(i) * made)
		return feature.Window{Start: start, End: start.Add(made)}
	}
	return feature.Window{Start: c.starts[i], End: c.starts[i].Add(c.lasts)}
}

// file returns which file has the window that starts at start; false if none has.
func (c *calendar) file(start time.Time) (int, bool) {
	if c.column == "" {
		return int(start.Sub(c.window(0).Start) / made), true
	}
	return slices.BinarySearchFunc(c.starts, start, time.Time.Compare)
}

// lasting says how long windows are.
func (c *calendar) lasting() string {
	switch {
	case c.loose:
		return "of no one length"
	case c.lasts >= 48*time.Hour:
		return fmt.Sprintf("of %d days", c.lasts/(24*time.Hour))
	}
	text := strings.TrimSuffix(c.lasts.String(), "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return "of " + text
}

// farthest is how many windows may be missing between two files.
const farthest = 1000

// next sets the window of the next file by the times of its rows. A file whose rows are
// from nowhere after the window before it, or from very long after it, gets the window that
// is due: its times are judged against that. It is reported as not dated.
func (c *calendar) next(t tabular.Times) (dated bool) {
	due := c.starts[len(c.starts)-1].Add(c.lasts)
	if c.loose {
		due = due.Truncate(c.size)
	}
	start, ok := c.start(t)
	if dated = ok && start.After(c.starts[len(c.starts)-1]) && !start.After(due.Add(farthest*c.lasts)); !dated {
		start = due
	}
	c.starts = append(c.starts, start)
	return dated
}

// start returns where the window of a file with those times begins.
func (c *calendar) start(t tabular.Times) (time.Time, bool) {
	if len(t) == 0 {
		return time.Time{}, false
	}
	spec := feature.WindowSpec{Size: c.size}
	if c.loose {
		return spec.Of(t.Quantile(.01)).Start, true
	}
	return spec.Of(t.Quantile(.5)).Start, true
}

// lengths are those that windows usually have.
var lengths = []time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour,
	2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 6 * time.Hour, 8 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// place returns the calendar of files of history by the times in that column, one a file;
// nil if it does not put one after the other.
func place(column string, files []tabular.Times) *calendar {
	step := stepOf(files)
	if step <= 0 {
		return nil
	}
	c := &calendar{column: column}
	for _, size := range lengths {
		if off := (step - size).Abs(); off <= size/10 {
			c.size, c.lasts = size, size
		}
	}
	if c.size > 0 && c.rising(files) {
		return c
	}
	c.size, c.lasts, c.loose, c.starts = time.Hour, step, true, nil
	if step < 2*time.Hour {
		c.size = time.Minute
	}
	if !c.rising(files) {
		return nil
	}
	return c
}

// stepOf returns the median time from one file to the next; what the only file spans; 0 if
// a file has no times.
func stepOf(files []tabular.Times) time.Duration {
	for _, t := range files {
		if len(t) == 0 {
			return 0
		}
	}
	if len(files) == 1 {
		return files[0].Quantile(.99).Sub(files[0].Quantile(.01)).Truncate(time.Minute) + time.Minute
	}
	var steps []time.Duration
	for i := 1; i < len(files); i++ {
		steps = append(steps, files[i].Quantile(.5).Sub(files[i-1].Quantile(.5)))
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}

// rising sets the starts of the files, and reports whether each is later than the one before.
func (c *calendar) rising(files []tabular.Times) bool {
	for _, t := range files {
		start, ok := c.start(t)
		if !ok || len(c.starts) > 0 && !start.After(c.starts[len(c.starts)-1]) {
			c.starts = nil
			return false
		}
		c.starts = append(c.starts, start)
	}
	return true
}

// date finds out of which time the files of history are. The column is the one that the
// options name, event_time, or else the first whose times rise from file to file.
func (r *Replay) date(ctx context.Context, found *columns) (*calendar, error) {
	names, named := found.times(), r.options.Time
	if named != "" && !slices.Contains(names, named) {
		return nil, fmt.Errorf("--time %s: %w: no column of timestamps in the first %d files", named, ErrOptions, r.options.Baseline)
	}
	if named == "" && slices.Contains(names, EventTime) {
		named = EventTime
	}
	if len(names) == 0 || len(names) == 1 && named != "" { // nothing but the time itself
		return newCalendar(""), nil
	}
	read := make([]map[string]tabular.Times, r.options.Baseline)
	if err := r.inTurn(ctx, 0, len(read), func(i int) (err error) {
		read[i], err = tabular.ReadTimes(ctx, r.path(i), names...)
		return err
	}); err != nil {
		return nil, err
	}
	for _, name := range names {
		if named != "" && name != named {
			continue
		}
		files := make([]tabular.Times, len(read))
		for i := range read {
			files[i] = read[i][name]
		}
		c := place(name, files)
		if c != nil && c.loose && r.options.Season > 1 {
			return newCalendar(fmt.Sprintf("files are not of one length by %s, so that windows of a season cannot be counted in real time", name)), nil
		}
		if c != nil && (len(names) > 1 || named != "") {
			return c, nil
		}
	}
	why := "no other column says when the rows of a file are from; name one with --time"
	if named != "" {
		why = fmt.Sprintf("the files do not follow each other by %s, so that ages cannot be told", named)
	}
	return newCalendar(why), nil
}
