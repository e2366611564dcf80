package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/judge"
	"sluice/quality/sketch"
	"sluice/rules"
	"sluice/store/tabular"
)

// Options say how a folder is judged.
type Options struct {
	Baseline int     // the first files, which are history
	Season   int     // windows of a season; 0 or 1: none
	Level    float64 // rate of false alarms per feature and window
	Time     string  // column that says when rows are from; empty: event_time, or what looks like it
}

// Line is what is said of one feature in one window, in the contract's JSON.
type Line struct {
	Window       string      `json:"window"`  // name of the file
	Feature      string      `json:"feature"` // empty: the window as a whole
	State        rules.State `json:"state"`
	Severity     float64     `json:"severity"` // 1 and more: an alarm
	PValue       float64     `json:"p_value"`
	Method       string      `json:"method"`
	Statistic    float64     `json:"statistic"`
	Accumulated  bool        `json:"accumulated"` // several windows together alarm, and this one alone does not
	Uncalibrated bool        `json:"uncalibrated"`
	Summary      string      `json:"summary,omitempty"`
	Onset        string      `json:"onset,omitempty"` // of what accumulated: the file in which it begins
	Text         string      `json:"text,omitempty"`  // what an alarm is about
}

// Window is what is said of one file.
type Window struct {
	Name    string
	Rows    uint64
	Refused uint64
	State   rules.State // what the gate would have said
	Lines   []Line      // of every feature, in their order; those of the whole window, if they alarm, last
	Problem string      // why the file could not be read
	Undated bool        // its rows are of no time that can be its window's: see Setup.Time
	New     []string    // columns that history has not, which are not judged
}

// Blocked reports whether the gate would not have published the window.
func (w *Window) Blocked() bool { return w.State == rules.Fail }

// Setup is what was found before the first window is judged.
type Setup struct {
	Files    int
	Baseline int
	Rows     uint64 // of history
	Features []feature.Feature
	LeftOut  []string // columns: event ids, those of nulls alone, and timestamps that cannot be judged
	Time     string   // column that windows are placed in time by; empty: they are not
	Lasting  string   // how long windows are, in words, if they are
	Undated  string   // why timestamps are among those left out, if others than the time of rows are
	Warning  string   // what makes the judgement weak
	Notes    []string // what the files of history, or the folder, have that one may not know
}

var (
	// ErrFiles reports a folder without enough files to judge one.
	ErrFiles = errors.New("too few files")
	// ErrOptions reports options out of range.
	ErrOptions = errors.New("option out of range")
)

// Replay is a folder on its way through the judge.
type Replay struct {
	options Options
	dir     string
	files   []string
	told    func(done, of int)
	read    int    // files so far
	passed  string // what of the folder is no window

	view     *feature.View
	layout   *sketch.Layout
	fitted   int         // files that the layout is built from
	template *judge.Case // the case of any window, but for the window
	history  []drift.WindowProfile
	recent   []drift.WindowProfile // that passed after them
	memory   judge.Memory
	calendar *calendar
	setup    Setup
	columns  map[string]bool // of history
}

// New lists the files of dir. told, which may be nil, hears how many steps of how many
// are done; a step is one file.
func New(dir string, o Options, told func(done, of int)) (*Replay, error) {
	switch {
	case o.Baseline < 1:
		return nil, fmt.Errorf("%d windows of baseline: %w: want 1 at least, and %d to calibrate", o.Baseline, ErrOptions, drift.MinWindows)
	case !(o.Level > 0 && o.Level < 1):
		return nil, fmt.Errorf("alpha %v: %w: want a rate of false alarms between 0 and 1, such as 0.001", o.Level, ErrOptions)
	case o.Season < 0:
		return nil, fmt.Errorf("season of %d windows: %w: want 2 or more, or 0 for none", o.Season, ErrOptions)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list windows: %w", err)
	}
	r := &Replay{options: o, dir: dir, told: told}
	if told == nil {
		r.told = func(int, int) {}
	}
	var others []string
	for _, e := range entries {
		switch ok, skipped := judgeable(e); {
		case ok:
			r.files = append(r.files, e.Name())
		case !skipped:
			others = append(others, e.Name())
		}
	}
	r.passed = passedOver(others)
	slices.Sort(r.files)
	if len(r.files) <= o.Baseline {
		err := fmt.Errorf("%s has %d files of .parquet, .csv, .jsonl or .ndjson, and %d are the baseline: %w: lower --baseline-windows, or add files", dir, len(r.files), o.Baseline, ErrFiles)
		if r.passed != "" {
			err = fmt.Errorf("%w; %s", err, r.passed)
		}
		return nil, err
	}
	return r, nil
}

// Run judges the files after the baseline in the order of their names, and calls each
// with every one. The error is that of a file of the baseline that cannot be read, or
// of each; a later file that cannot be read is inconclusive.
func (r *Replay) Run(ctx context.Context, begin func(Setup) error, each func(Window) error) error {
	if err := r.learn(ctx); err != nil {
		return err
	}
	if err := begin(r.setup); err != nil {
		return err
	}
	batch := runtime.GOMAXPROCS(0)
	for from := r.options.Baseline; from < len(r.files); from += batch {
		to := min(from+batch, len(r.files))
		profiles, failed := make([]*sketch.Profile, to-from), make([]error, to-from)
		fresh := make([][]string, to-from)
		undated := r.dateNext(ctx, from, failed)
		var reading errgroup.Group
		for i := range profiles {
			reading.Go(func() error {
				if failed[i] == nil {
					profiles[i], fresh[i], failed[i] = r.profile(ctx, from+i, r.layout)
				}
				return nil
			})
		}
		_ = reading.Wait() // failed has what failed
		for i := range profiles {
			if err := ctx.Err(); err != nil {
				return err
			}
			w, err := r.judge(from+i, profiles[i], failed[i])
			if err != nil {
				return err
			}
			w.Undated, w.New = undated[i] && w.Rows > 0, fresh[i]
			r.step()
			if err := each(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// dateNext sets the windows of the files from that one on, or says which cannot be read, and
// which have no time that can be theirs.
func (r *Replay) dateNext(ctx context.Context, from int, failed []error) (undated []bool) {
	if undated = make([]bool, len(failed)); r.calendar.column == "" {
		return undated
	}
	read := make([]map[string]tabular.Times, len(failed))
	var reading errgroup.Group
	for i := range read {
		reading.Go(func() error {
			read[i], failed[i] = tabular.ReadTimes(ctx, r.path(from+i), r.calendar.column)
			return nil
		})
	}
	_ = reading.Wait() // failed has what failed
	for i := range read {
		undated[i] = !r.calendar.next(read[i][r.calendar.column])
	}
	return undated
}

// profile reads the i-th file over a layout, and names its columns that history has not.
func (r *Replay) profile(ctx context.Context, i int, layout *sketch.Layout) (*sketch.Profile, []string, error) {
	return profile(ctx, r.path(i), r.view, layout, r.calendar.window(i), r.columns)
}

func (r *Replay) path(i int) string { return filepath.Join(r.dir, r.files[i]) }

// steps counts the files of history for their types and for their profiles, and the
// first of them for their bins, too.
func (r *Replay) steps() int {
	return len(r.files) + r.options.Baseline + min(r.options.Baseline, drift.MinWindows)
}

// learn makes view, layout and reference from the files of history.
func (r *Replay) learn(ctx context.Context) error {
	n := r.options.Baseline
	var found columns
	read := make([][]tabular.Kind, n)
	if err := r.inTurn(ctx, 0, n, func(i int) (err error) {
		read[i], err = tabular.ReadKinds(ctx, r.path(i))
		return err
	}); err != nil {
		return err
	}
	r.columns = map[string]bool{}
	for _, file := range read {
		found.add(file)
		for _, k := range file {
			r.columns[k.Name] = true
		}
	}
	placed, err := r.date(ctx, &found)
	if err != nil {
		return err
	}
	r.calendar = placed
	view, out := found.view(filepath.Base(filepath.Clean(r.dir)), r.options, placed)
	if len(view.Features) == 0 {
		return fmt.Errorf("no column of the first %d files holds values to judge: %w", n, ErrFiles)
	}
	r.view = view
	if err := r.pin(ctx); err != nil {
		return err
	}
	profiles := make([]*sketch.Profile, n)
	if err := r.inTurn(ctx, 0, n, func(i int) (err error) {
		profiles[i], _, err = r.profile(ctx, i, r.layout)
		return err
	}); err != nil {
		return err
	}
	if err := r.prepare(profiles, out); err != nil {
		return err
	}
	r.setup.Notes = append(r.noteKinds(read), r.noteEmpty(profiles)...)
	for _, note := range []string{r.noteOrder(), r.passed} {
		if note != "" {
			r.setup.Notes = append(r.setup.Notes, note)
		}
	}
	return nil
}

// pin makes the layout from the first files, as the gate does, and from all of history
// if those hold too few rows.
func (r *Replay) pin(ctx context.Context) error {
	var unbinned []*sketch.Profile
	for _, to := range []int{min(r.options.Baseline, drift.MinWindows), r.options.Baseline} {
		from := len(unbinned)
		unbinned = append(unbinned, make([]*sketch.Profile, to-from)...)
		if err := r.inTurn(ctx, from, to, func(i int) (err error) {
			unbinned[i], _, err = r.profile(ctx, i, sketch.Unbinned(r.view))
			return err
		}); err != nil {
			return err
		}
		layout, err := sketch.BuildLayout(r.view, unbinned...)
		if err == nil {
			r.layout, r.fitted = layout, to
			return nil
		}
		if !errors.Is(err, sketch.ErrSample) {
			return err
		}
	}
	return fmt.Errorf("the first %d files hold too few rows to compare with: %w: want %d in all; raise --baseline-windows", r.options.Baseline, ErrFiles, sketch.MinLayoutRows)
}

// inTurn does fn for those files, as many at once as there are processors.
func (r *Replay) inTurn(ctx context.Context, from, to int, fn func(i int) error) error {
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for i := from; i < to; i++ {
		all.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return fn(i)
		})
		r.step()
	}
	return all.Wait()
}

// step tells that one more file was read.
func (r *Replay) step() {
	r.read++
	r.told(min(r.read, r.steps()), r.steps())
}

// prepare builds the case that all windows share.
func (r *Replay) prepare(profiles []*sketch.Profile, out []string) error {
	merged := sketch.NewProfile(r.view, r.layout, sketch.HashKey{})
	for i, p := range profiles {
		if err := merged.Merge(p); err != nil {
			return fmt.Errorf("merge %s: %w", r.files[i], err)
		}
		r.history = append(r.history, drift.WindowProfile{Window: r.calendar.window(i), Profile: p, Fitted: i < r.fitted})
	}
	c, err := judge.NewBuilder().Case(judge.Evidence{Kind: judge.KindWindow, View: r.view, Layout: r.layout, History: r.history,
		Baseline: merged, Rules: rules.Default(), Level: r.options.Level})
	if err != nil {
		return err
	}
	r.template = c
	r.setup = Setup{Files: len(r.files), Baseline: len(profiles), Rows: merged.Total(), Features: r.view.Features, LeftOut: out,
		Time: r.calendar.column, Lasting: r.calendar.lasting(), Undated: r.calendar.why}
	if len(profiles) < drift.MinWindows {
		r.setup.Warning = fmt.Sprintf("%d windows of baseline do not show what is usual: nothing is blocked on drift below %d", len(profiles), drift.MinWindows)
	}
	return nil
}

// judge says what the gate would have said of the n-th file.
func (r *Replay) judge(n int, p *sketch.Profile, failed error) (Window, error) {
	w := Window{Name: r.files[n]}
	if failed != nil {
		w.State, w.Problem = rules.Inconclusive, failed.Error()
		w.Lines = r.undecided(w.Name, w.Problem)
		return w, nil
	}
	w.Rows, w.Refused = p.Total(), p.Refused()
	c := r.template.Next(drift.WindowProfile{Window: r.calendar.window(n), Profile: p}, feature.Version(n+1), r.recent, r.memory)
	v, err := judge.Judge(c)
	if err != nil {
		return w, fmt.Errorf("judge %s: %w", w.Name, err)
	}
	w.State = v.State
	if p.Profiled() == 0 || v.TooFew {
		w.Lines, w.Problem = r.undecided(w.Name, "no rows"), "no rows"
		if i := slices.IndexFunc(v.Reasons, func(r rules.Reason) bool { return r.Outcome == rules.Undecided }); i >= 0 && w.Rows > 0 {
			w.Problem = v.Reasons[i].Text
		}
		if w.State != rules.Fail {
			w.State = rules.Inconclusive
			w.Lines = r.undecided(w.Name, w.Problem)
			return w, nil
		}
		w.Problem = "" // expectations fail a window of any size
		for i, l := range w.Lines {
			if found := r.line(w.Name, l.Feature, &v); found.State == rules.Fail {
				w.Lines[i] = found
			}
		}
		return w, nil
	}
	r.memory = c.Remember(&v)
	if v.State == rules.Pass || v.State == rules.Warn { // as the gate lets into history
		r.recent = append(r.recent, c.Current[0])
		r.recent = r.recent[max(0, len(r.recent)-drift.Accumulated):]
	}
	for _, f := range r.view.Features {
		w.Lines = append(w.Lines, r.line(w.Name, f.Name, &v))
	}
	if whole := r.line(w.Name, "", &v); whole.State != rules.Pass {
		w.Lines = append(w.Lines, whole)
	}
	return w, nil
}

// undecided are the lines of a window that nothing can be said of.
func (r *Replay) undecided(window, why string) []Line {
	var lines []Line
	for _, f := range r.view.Features {
		lines = append(lines, Line{Window: window, Feature: f.Name, State: rules.Inconclusive, PValue: 1, Method: rules.Calibrated, Text: why})
	}
	return lines
}

// line says what a verdict means for one feature.
func (r *Replay) line(window, name string, v *rules.Verdict) Line {
	l := Line{Window: window, Feature: name, State: rules.Pass, PValue: 1, Method: rules.Calibrated, Uncalibrated: v.Uncalibrated}
	for _, s := range v.Scores {
		if s.Feature == name && s.Short == "" {
			l.Severity, l.PValue, l.Method, l.Statistic, l.Summary = s.Severity, s.PValue, s.Method, s.Statistic, s.Summary
		}
	}
	for i := range v.Reasons { // worst first
		reason := &v.Reasons[i]
		if state := stateOf(reason.Outcome); reason.Feature == name && state != rules.Pass {
			l.State, l.Severity, l.PValue, l.Method, l.Statistic, l.Summary, l.Text = state, reason.Severity, reason.PValue, reason.Method, reason.Statistic, reason.Summary, reason.Text
			if l.Accumulated = reason.Accumulated; l.Accumulated {
				if i, known := r.calendar.file(reason.Onset); known && i < len(r.files) {
					l.Onset = r.files[i]
				}
			}
			break
		}
	}
	return finite(l)
}

// finite keeps numbers that JSON has, and of the zeros the one that people write.
func finite(l Line) Line {
	for _, v := range []*float64{&l.Severity, &l.PValue, &l.Statistic} {
		if math.IsNaN(*v) || math.IsInf(*v, 0) || *v == 0 {
			*v = 0
		}
	}
	return l
}

func stateOf(o rules.Outcome) rules.State {
	switch o {
	case rules.Failed:
		return rules.Fail
	case rules.Warned:
		return rules.Warn
	case rules.Undecided, rules.Broken:
		return rules.Inconclusive
	}
	return rules.Pass
}
