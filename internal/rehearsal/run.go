package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"sluice/feature"
	"sluice/rules"
	"sluice/store/tabular"
)

// Outcome is what became of one test.
type Outcome struct {
	Test     string    `json:"test"`
	OK       bool      `json:"ok"`
	Windows  int       `json:"windows"` // judged, history among them
	Failures []Failure `json:"failures"`
}

// Failure is a window that led to something else than was expected.
type Failure struct {
	Window string   `json:"window"`
	Want   []string `json:"want"` // what was expected and did not come, a line each
	Got    []string `json:"got"`  // what came, a line each
}

// Run runs the tests of a script, each on a gate of its own. The error is that of a test
// that could not be run: a file that cannot be read, or ctx.
func (s *Script) Run(ctx context.Context) ([]Outcome, error) {
	var all []Outcome
	for i := range s.Tests {
		out, err := s.run(ctx, &s.Tests[i])
		if err != nil {
			return all, fmt.Errorf("test %s: %w", s.Tests[i].Name, err)
		}
		all = append(all, out)
	}
	return all, nil
}

func (s *Script) run(ctx context.Context, t *Test) (out Outcome, err error) {
	stage, err := NewStage(ctx, s.defs)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	out = Outcome{Test: t.Name, Failures: []Failure{}}
	view := stage.Definitions().View(t.View)
	made := maker{view: view, test: t, folder: s.folder}
	play := func(name string, w *Window) error {
		rows, err := made.rows(w, out.Windows)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		told, err := stage.Play(ctx, view, out.Windows, rows)
		if err != nil {
			return err
		}
		out.Windows++
		if f, failed := w.Expect.compare(name, told); failed {
			out.Failures = append(out.Failures, f)
		}
		return nil
	}
	past := &Window{Expect: Expect{Decision: "publish"}}
	for i := range t.History {
		if err := play(fmt.Sprintf("history %d", i+1), past); err != nil {
			return out, err
		}
	}
	for k := range t.Windows {
		w := &t.Windows[k]
		for n := range w.Repeat {
			name := fmt.Sprintf("window %d", k+1)
			if w.Name != "" {
				name += " (" + w.Name + ")"
			}
			if w.Repeat > 1 {
				name += fmt.Sprintf(", %d of %d", n+1, w.Repeat)
			}
			if err := play(name, w); err != nil {
				return out, err
			}
		}
	}
	out.OK = len(out.Failures) == 0
	return out, nil
}

// maker makes the rows of a test's windows.
type maker struct {
	view   *feature.View
	test   *Test
	folder string
}

// rows returns those of the n-th window, the same for the same seed and n.
func (m *maker) rows(w *Window, n int) ([][]feature.Value, error) {
	switch {
	case w.File != "":
		return m.file(from(m.folder, w.File))
	case w.Values != nil:
		return m.inline(w.Values)
	}
	count := m.test.Rows
	if w.Rows != nil {
		count = *w.Rows
	}
	rows := m.blank(count)
	for i := range m.view.Features {
		f := &m.view.Features[i]
		series, given := m.test.Series[f.Name]
		if other, there := w.Series[f.Name]; there {
			series, given = other, true
		}
		if !given {
			continue
		}
		rng := rand.New(rand.NewPCG(m.test.Seed, uint64(n)<<16|uint64(i)))
		if err := series.fill(rng, f, i, rows); err != nil {
			return nil, fmt.Errorf("series of %s: %w", f.Name, err)
		}
	}
	return rows, nil
}

// blank returns rows of nulls.
func (m *maker) blank(count int) [][]feature.Value {
	width := len(m.view.Features)
	all, rows := make([]feature.Value, count*width), make([][]feature.Value, count)
	for i := range all {
		all[i] = feature.Null
	}
	for i := range rows {
		rows[i] = all[i*width : (i+1)*width]
	}
	return rows
}

func (m *maker) inline(values []map[string]string) ([][]feature.Value, error) {
	rows := m.blank(len(values))
	for i, row := range values {
		for _, name := range slices.Sorted(maps.Keys(row)) {
			at := m.view.FeatureAt(name)
			if at < 0 {
				return nil, fmt.Errorf("row %d: view %s has no feature %q", i+1, m.view.Name, name)
			}
			v, err := valueOf(row[name], m.view.Features[at].Type)
			if err != nil {
				return nil, fmt.Errorf("row %d: %s: %w", i+1, name, err)
			}
			rows[i][at] = v
		}
	}
	return rows, nil
}

// file reads the rows of a file; columns that are no feature are passed over.
func (m *maker) file(path string) (rows [][]feature.Value, err error) {
	types := map[string]feature.Type{}
	for _, f := range m.view.Features {
		types[f.Name] = f.Type
	}
	in, err := tabular.OpenTyped(path, types)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := tabular.RequireHeader(in); err != nil {
		return nil, err
	}
	for n := 1; ; n++ {
		line, _, err := in.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		if n > maxRows {
			return nil, fmt.Errorf("%s: more than %d rows", filepath.Base(path), maxRows)
		}
		row, err := m.line(line)
		if err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", filepath.Base(path), n, err)
		}
		rows = append(rows, row)
	}
}

func (m *maker) line(line []byte) ([]feature.Value, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, err
	}
	row := m.blank(1)[0]
	for i, f := range m.view.Features {
		text := string(members[f.Name])
		if text == "" || text == "null" {
			continue
		}
		if text[0] == '"' {
			if err := json.Unmarshal(members[f.Name], &text); err != nil {
				return nil, err
			}
		}
		if f.Type == feature.String {
			row[i] = feature.StringValue(text)
			continue
		}
		v, err := valueOf(text, f.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		row[i] = v
	}
	return row, nil
}

// compare holds what came against what was expected.
func (e *Expect) compare(name string, told []Told) (Failure, bool) {
	f := Failure{Window: name, Want: []string{}, Got: []string{}}
	var v rules.Verdict
	rolledBack := 0
	for i := range told {
		if told[i].Kind == "window" {
			v = told[i].Verdict
		}
		rolledBack += len(told[i].RolledBack)
	}
	want := func(format string, args ...any) { f.Want = append(f.Want, fmt.Sprintf(format, args...)) }
	if e.State != "" && e.State != v.State {
		want("state: %s", e.State)
	}
	if e.Decision != "" && e.Decision != v.Decision {
		want("decision: %s", e.Decision)
	}
	if e.RolledBk != nil && *e.RolledBk != rolledBack {
		want("rolled_back: %d", *e.RolledBk)
	}
	for i := range e.Reasons {
		if !slices.ContainsFunc(v.Reasons, e.Reasons[i].is) {
			want("reason: %s", e.Reasons[i].text())
		}
	}
	for i := range e.Not {
		if slices.ContainsFunc(v.Reasons, e.Not[i].is) {
			want("no reason: %s", e.Not[i].text())
		}
	}
	if len(f.Want) == 0 {
		return f, false
	}
	if v.State == "" {
		f.Got = append(f.Got, "no verdict: the window has no rows")
		return f, true
	}
	f.Got = append(f.Got, "state: "+string(v.State), "decision: "+v.Decision)
	if rolledBack > 0 {
		f.Got = append(f.Got, fmt.Sprintf("rolled_back: %d", rolledBack))
	}
	for _, r := range v.Reasons {
		f.Got = append(f.Got, fmt.Sprintf("reason: %s; severity %.3g: %s", text(r.Rule, r.Feature, r.Method, r.Summary, string(r.Outcome)), r.Severity, r.Text))
	}
	return f, true
}

// is reports whether a reason is as wanted.
func (w *Reason) is(r rules.Reason) bool {
	for _, pair := range [][2]string{{w.Rule, r.Rule}, {w.Feature, r.Feature}, {w.Method, r.Method}, {w.Summary, r.Summary}, {string(w.Outcome), string(r.Outcome)}} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return true
}

func (w *Reason) text() string {
	return text(w.Rule, w.Feature, w.Method, w.Summary, string(w.Outcome))
}

func text(rule, feature, method, summary, outcome string) string {
	var parts []string
	for _, p := range [][2]string{{"rule", rule}, {"feature", feature}, {"method", method}, {"summary", summary}, {"outcome", outcome}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	return strings.Join(parts, ", ")
}
