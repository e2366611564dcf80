package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/internal/replay"
	"sluice/rules"
)

type replayCmd struct {
	Dir             string  `arg:"" help:"Folder of .parquet, .csv or .jsonl files: each is one window, in the order of their names."`
	BaselineWindows int     `name:"baseline-windows" default:"28" help:"The first so many files are history and are not judged." placeholder:"28"`
	Season          int     `help:"Windows of a season, such as 7 for days of a week; used only where history shows one." placeholder:"7"`
	Alpha           float64 `default:"0.001" help:"Rate of false alarms per feature and window." placeholder:"0.001"`
	Time            string  `help:"Column that says when a row's event was, from which ages of other timestamps are counted; event_time if there is one, else the first whose times rise from file to file." placeholder:"COLUMN"`
	Format          string  `enum:"table,json,jsonl" default:"table" help:"Output format: table, json or jsonl." placeholder:"table|json|jsonl"`
}

// Help shows examples and how to read the table.
func (*replayCmd) Help() string {
	return "No server is needed. Every file after the baseline is judged as a window at the gate: by how its summaries lie among those of the baseline's windows. BLOCKED is what the gate would not have published, warn what it would have published and told. Small shifts add up over 2 to 16 windows; those only warn. Lists are judged by their lengths and elements, objects by their paths, timestamps by their age and by hour and day where those recur, if a column says when the rows of a file are from (--time)." +
		"\n\nWith --format jsonl a line is printed for every window and feature, those that pass too." +
		"\n\nExamples:\n  sluice replay partitions/ \n  sluice replay partitions/ --baseline-windows 56 --season 7\n  sluice replay partitions/ --format jsonl > verdicts.jsonl"
}

func (c *replayCmd) Run(e *env) error {
	p := newProgress(e.stderr)
	defer p.done()
	r, err := replay.New(c.Dir, replay.Options{Baseline: c.BaselineWindows, Season: c.Season, Level: c.Alpha, Time: c.Time}, filesRead(p))
	if errors.Is(err, replay.ErrOptions) {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if err != nil {
		return err
	}
	shown := &replayed{cmd: c, env: e, progress: p}
	if err := r.Run(e.ctx, shown.begin, shown.window); errors.Is(err, replay.ErrOptions) {
		return fmt.Errorf("%w: %w", errUsage, err)
	} else if err != nil {
		p.done()
		return shown.cut(err)
	}
	p.done()
	return shown.end()
}

// filesRead says how many files were read, and how long the others will take: on a terminal
// all the time, elsewhere every ten seconds.
func filesRead(p *progress) func(done, of int) {
	began, last := time.Now(), time.Now()
	return func(done, of int) {
		if !p.terminal && time.Since(last) < 10*time.Second {
			return
		}
		last = time.Now()
		left := ""
		if spent := time.Since(began); spent > 5*time.Second && done < of {
			left = fmt.Sprintf(", about %s left", (spent * time.Duration(of-done) / time.Duration(done)).Round(time.Second))
		}
		p.say("%d of %d files read%s", done, of, left)
	}
}

// replayed shows a replay.
type replayed struct {
	cmd      *replayCmd
	env      *env
	progress *progress
	setup    replay.Setup

	lines    []replay.Line // json
	strip    []rune
	names    []string // of the windows in it
	rows     [][]string
	counts   map[rules.State]int
	features map[string]*featureAlarms
	judged   int // features in windows, of those that said something
	alarms   int // of them
	total    uint64
	withheld uint64
	without  run // windows in a row without a new version
	longest  run
	unread   []string
	undated  []string
	columns  []string            // that history has not, as they came
	fresh    map[string][]string // and the windows that have them
}

// run is a row of windows.
type run struct {
	windows    int
	first, end string // the last
}

// featureAlarms are what a replay says of a feature.
type featureAlarms struct {
	blocked, warned int
	worst           replay.Line
}

func (s *replayed) begin(setup replay.Setup) error {
	s.setup, s.counts, s.features = setup, map[rules.State]int{}, map[string]*featureAlarms{}
	s.fresh = map[string][]string{}
	if s.cmd.Format != "table" {
		if setup.Undated != "" {
			s.progress.done()
			fmt.Fprintf(s.env.stderr, "timestamps are left out: %s\n", setup.Undated)
		}
		for _, note := range setup.Notes {
			s.progress.done()
			fmt.Fprintln(s.env.stderr, plain(note))
		}
		return nil
	}
	s.progress.done()
	fmt.Fprintf(s.env.stdout, "%d files: %d of history with %s rows, %d to judge; %d features at %g false alarms each window\n",
		setup.Files, setup.Baseline, thousands(int(setup.Rows)), setup.Files-setup.Baseline, len(setup.Features), s.cmd.Alpha)
	if len(setup.LeftOut) > 0 {
		fmt.Fprintf(s.env.stdout, "left out: %s\n", plain(strings.Join(setup.LeftOut, ", ")))
	}
	if setup.Undated != "" {
		fmt.Fprintf(s.env.stdout, "timestamps are left out: %s\n", plain(setup.Undated))
	}
	if setup.Time != "" {
		fmt.Fprintf(s.env.stdout, "windows %s by %s, from whose start ages of timestamps are counted\n", setup.Lasting, plain(setup.Time))
	}
	if setup.Warning != "" {
		fmt.Fprintf(s.env.stdout, "%s\n", setup.Warning)
	}
	for _, note := range setup.Notes {
		fmt.Fprintln(s.env.stdout, plain(note))
	}
	return nil
}

// marks are how windows show in the strip.
var marks = map[rules.State]rune{rules.Pass: '·', rules.Warn: '!', rules.Fail: '█', rules.Inconclusive: '?', rules.Error: '?'}

func (s *replayed) window(w replay.Window) error {
	s.counts[w.State]++
	s.total += w.Rows
	if w.Blocked() {
		s.withheld += w.Rows
	}
	s.unpublished(&w)
	for _, l := range w.Lines {
		s.alarm(l)
	}
	if w.Problem != "" && w.Rows == 0 && w.Problem != "no rows" {
		s.unread = append(s.unread, w.Name+": "+w.Problem)
	}
	for _, column := range w.New {
		if s.fresh[column] == nil {
			s.columns = append(s.columns, column)
		}
		s.fresh[column] = append(s.fresh[column], w.Name)
	}
	if w.Undated {
		s.undated = append(s.undated, w.Name)
	}
	switch s.cmd.Format {
	case "jsonl":
		for _, l := range w.Lines {
			if err := printJSON(s.env.stdout, l); err != nil {
				return err
			}
		}
		return nil
	case "json":
		s.lines = append(s.lines, w.Lines...)
		return nil
	}
	s.strip, s.names = append(s.strip, marks[w.State]), append(s.names, w.Name)
	if w.State != rules.Pass {
		s.rows = append(s.rows, s.told(&w)...)
	}
	return nil
}

// unpublished counts windows in a row whose values readers would not have got.
func (s *replayed) unpublished(w *replay.Window) {
	if w.State == rules.Pass || w.State == rules.Warn {
		s.without = run{}
		return
	}
	if s.without.windows == 0 {
		s.without.first = w.Name
	}
	s.without.windows, s.without.end = s.without.windows+1, w.Name
	if s.without.windows > s.longest.windows {
		s.longest = s.without
	}
}

// alarm counts a line that says something of a feature, and one that alarms. A line of the whole
// window is there only if it alarms, and is no feature.
func (s *replayed) alarm(l replay.Line) {
	if l.Feature != "" && l.State != rules.Inconclusive && l.State != rules.Error {
		s.judged++
	}
	if l.State != rules.Warn && l.State != rules.Fail {
		return
	}
	if l.Feature != "" {
		s.alarms++
	}
	f := s.features[l.Feature]
	if f == nil {
		f = &featureAlarms{}
		s.features[l.Feature] = f
	}
	if l.State == rules.Fail {
		f.blocked++
	} else {
		f.warned++
	}
	if l.Severity > f.worst.Severity {
		f.worst = l
	}
}

// mostFeatures is how many features the table of them names.
const mostFeatures = 10

// byFeature are the rows of the features that alarmed, those that blocked most first.
func (s *replayed) byFeature() (rows [][]string) {
	names := slices.SortedFunc(maps.Keys(s.features), func(a, b string) int {
		x, y := s.features[a], s.features[b]
		return cmp.Or(cmp.Compare(y.blocked, x.blocked), cmp.Compare(y.warned, x.warned), cmp.Compare(a, b))
	})
	for _, name := range names[:min(len(names), mostFeatures)] {
		f := s.features[name]
		rows = append(rows, []string{cmp.Or(name, "(the whole window)"), fmt.Sprint(f.blocked), fmt.Sprint(f.warned), fmt.Sprintf("%.1f", f.worst.Severity), f.worst.Window})
	}
	return rows
}

// mostWhy is how many reasons of a window the table shows.
const mostWhy = 3

// told are the table's rows of a window that did not pass.
func (s *replayed) told(w *replay.Window) (rows [][]string) {
	verdict := map[rules.State]string{rules.Warn: "warn", rules.Fail: "BLOCKED", rules.Inconclusive: "held", rules.Error: "held"}[w.State]
	if w.Problem != "" {
		return [][]string{{w.Name, thousands(int(w.Rows)), verdict, w.Problem}}
	}
	var why []string
	for _, state := range []rules.State{rules.Fail, rules.Inconclusive, rules.Warn} {
		for _, l := range w.Lines {
			if l.State != state || l.State == rules.Inconclusive && w.Blocked() {
				continue
			}
			text := l.Text
			if l.Accumulated {
				text += ", since " + l.Onset
			}
			why = append(why, text)
		}
	}
	for i, text := range why {
		name, n, v := w.Name, thousands(int(w.Rows)), verdict
		if i > 0 {
			name, n, v = " ", " ", " "
		}
		if i == mostWhy && len(why) > mostWhy+1 {
			return append(rows, []string{name, n, v, fmt.Sprintf("and %d features more", len(why)-mostWhy)})
		}
		rows = append(rows, []string{name, n, v, text})
	}
	return rows
}

// stripWidth is how many windows a line of the strip shows.
const stripWidth = 60

func (s *replayed) end() error {
	switch s.cmd.Format {
	case "json":
		document := struct {
			Items []replay.Line `json:"items"`
		}{append([]replay.Line{}, s.lines...)}
		if err := printJSON(s.env.stdout, document); err != nil {
			return err
		}
		return s.unreadable()
	case "jsonl":
		return s.unreadable()
	}
	out := s.env.stdout
	fmt.Fprintln(out)
	for from := 0; from < len(s.strip); from += stripWidth {
		to := min(from+stripWidth, len(s.strip))
		fmt.Fprintf(out, "  %s  %s to %s\n", string(s.strip[from:to]), plain(s.names[from]), plain(s.names[to-1]))
	}
	fmt.Fprintln(out)
	if len(s.rows) > 0 {
		if err := table(out, "WINDOW ROWS VERDICT WHY", s.rows); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	if len(s.features) > 1 {
		if err := table(out, "FEATURE BLOCKED WARNED WORST_SEVERITY IN", s.byFeature()); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out, s.summary())
	return s.unreadable()
}

// cut shows what was judged until somebody interrupted, and returns why it ended. One JSON document
// is whole or is not there; lines of JSON are there.
func (s *replayed) cut(err error) error {
	if s.env.ctx.Err() == nil || s.cmd.Format != "table" || len(s.strip) == 0 {
		return err
	}
	left := fmt.Errorf("%w: %d of %d windows were not judged", err, s.setup.Files-s.setup.Baseline-len(s.strip), s.setup.Files-s.setup.Baseline)
	return errors.Join(left, s.end())
}

// summary says what it would have come to.
func (s *replayed) summary() string {
	held := s.counts[rules.Inconclusive] + s.counts[rules.Error]
	n := s.counts[rules.Pass] + s.counts[rules.Warn] + s.counts[rules.Fail]
	text := fmt.Sprintf("%d windows judged: %d pass (·), %d warn (!), %d would have been blocked (█)", n, s.counts[rules.Pass], s.counts[rules.Warn], s.counts[rules.Fail])
	if held > 0 {
		text += fmt.Sprintf("; %d could not be judged (?)", held)
	}
	text += ".\n"
	if s.withheld > 0 {
		text += fmt.Sprintf("Blocking would have kept %s of %s rows from readers until somebody approved them.\n", thousands(int(s.withheld)), thousands(int(s.total)))
	}
	if s.longest.windows > 0 {
		text += fmt.Sprintf("Longest time without a new version: %d window%s, from %s", s.longest.windows, plural(s.longest.windows), plain(s.longest.first))
		if s.longest.windows > 1 {
			text += " to " + plain(s.longest.end)
		}
		text += ".\n"
	}
	text += s.notDated() + s.notJudged()
	text += fmt.Sprintf("%s of %s features in windows alarm; by chance about %.1f would.", thousands(s.alarms), thousands(s.judged), float64(s.judged)*s.cmd.Alpha)
	return text
}

// notDated names the windows whose rows are of another time; empty if there are none.
func (s *replayed) notDated() string {
	if len(s.undated) == 0 {
		return ""
	}
	names := strings.Join(s.undated[:min(3, len(s.undated))], ", ")
	if more := len(s.undated) - 3; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("By %s the rows of %s are of no time that follows the window before: they were judged as those of the window that was due.\n", plain(s.setup.Time), plain(names))
}

// notJudged names the columns that windows have and history has not; empty if there are none.
func (s *replayed) notJudged() string {
	if len(s.columns) == 0 {
		return ""
	}
	var parts []string
	for _, c := range s.columns[:min(3, len(s.columns))] {
		in := s.fresh[c]
		parts = append(parts, fmt.Sprintf("%s (in %d window%s, first %s)", plain(c), len(in), plural(len(in)), plain(in[0])))
	}
	if more := len(s.columns) - 3; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("Not in history, and not judged: %s.\n", strings.Join(parts, ", "))
}

// unreadable fails the command if a file could not be read.
func (s *replayed) unreadable() error {
	if s.cmd.Format != "table" {
		fmt.Fprint(s.env.stderr, s.notDated()+s.notJudged())
	}
	if len(s.unread) == 0 {
		return nil
	}
	return fmt.Errorf("%d of the files could not be read: %s", len(s.unread), strings.Join(s.unread[:min(3, len(s.unread))], "; "))
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
