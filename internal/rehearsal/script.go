package rehearsal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
	"sluice/internal/definition"
	"sluice/rules"
)

// ErrScript reports a file of tests that cannot be run. Its text names every problem.
var ErrScript = errors.New("invalid test")

// Bounds of a file of tests.
const (
	maxScript  = 4 << 20 // bytes
	maxWindows = 5000    // of one test, history among them
	maxRows    = 1_000_000
)

// Script is a file of tests of rules.
type Script struct {
	Definitions string `yaml:"definitions"` // folder or file, relative to this one
	Rules       string `yaml:"rules"`       // a rules file in place of that of the definitions; the same
	Tests       []Test `yaml:"tests"`

	folder string
	defs   feature.Definitions
}

// Test is windows of one view in a row, on a gate that knows nothing before.
type Test struct {
	Name    string            `yaml:"name"`
	View    string            `yaml:"view"` // may be left out where there is one
	Seed    uint64            `yaml:"seed"`
	Rows    int               `yaml:"rows"`    // of a window that says nothing else
	Series  map[string]Series `yaml:"series"`  // by feature; features without one are null
	History int               `yaml:"history"` // windows before the first, which must all be published
	Windows []Window          `yaml:"windows"`
}

// Window is one window, or several alike.
type Window struct {
	Name   string              `yaml:"name"`
	Repeat int                 `yaml:"repeat"` // how many of them; 1 if left out
	Rows   *int                `yaml:"rows"`
	Series map[string]Series   `yaml:"series"` // in place of those of the test
	Values []map[string]string `yaml:"values"` // the rows themselves
	File   string              `yaml:"file"`   // the rows in a Parquet, CSV or JSONL file, relative to this one
	Expect Expect              `yaml:"expect"`
}

// Expect is what a window must lead to. What is left out is not looked at.
type Expect struct {
	State    rules.State `yaml:"state"`
	Decision string      `yaml:"decision"`
	Reasons  []Reason    `yaml:"reasons"`     // each must be there
	Not      []Reason    `yaml:"not"`         // none may be there
	RolledBk *int        `yaml:"rolled_back"` // versions taken out after the window was judged, itself among them
}

// Reason is what a reason must be; what is left out may be anything.
type Reason struct {
	Rule    string        `yaml:"rule"`
	Feature string        `yaml:"feature"`
	Method  string        `yaml:"method"`
	Summary string        `yaml:"summary"`
	Outcome rules.Outcome `yaml:"outcome"`
}

// empty reports whether nothing is expected.
func (e *Expect) empty() bool {
	return e.State == "" && e.Decision == "" && e.Reasons == nil && e.Not == nil && e.RolledBk == nil
}

// Load reads a file of tests, and the definitions that it names, or those of folder if
// that is not empty. The error is ErrScript for what is wrong in the file.
func Load(name, folder string) (*Script, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read test: %w", err)
	}
	if info.Size() > maxScript {
		return nil, fmt.Errorf("%s: %d bytes, more than %d: %w", name, info.Size(), maxScript, ErrScript)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read test: %w", err)
	}
	s, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.folder = filepath.Dir(name)
	if folder == "" {
		folder = from(s.folder, s.Definitions)
	}
	if s.defs, err = definition.Load(folder); err != nil {
		return nil, fmt.Errorf("%s: definitions: %w", name, err)
	}
	if s.Rules != "" {
		if text, err = os.ReadFile(from(s.folder, s.Rules)); err != nil {
			return nil, fmt.Errorf("%s: rules: %w", name, err)
		}
		s.defs.Rules = string(text)
		if err := definition.Validate(&s.defs); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, s.Rules, err)
		}
	}
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrScript, err)
	}
	return s, nil
}

// from returns where a path leads that a file in folder names.
func from(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// Parse reads the text of a file of tests strictly. It does not look up what the file
// names.
func Parse(text []byte) (*Script, error) {
	s := &Script{}
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	if err := in.Decode(s); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", ErrScript, err)
	}
	if len(s.Tests) == 0 {
		return nil, fmt.Errorf("%w: no tests: list them under `tests:`", ErrScript)
	}
	return s, nil
}

// validate returns every problem, each with the test and window that has it.
func (s *Script) validate() error {
	inForce, err := rules.Parse(s.defs.Rules)
	if err != nil {
		return err
	}
	var errs []error
	names := map[string]bool{}
	for i := range s.Tests {
		t := &s.Tests[i]
		at := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("tests[%d] %s: %w", i, t.Name, fmt.Errorf(format, args...)))
		}
		if t.Name == "" || names[t.Name] {
			at("name: want one that no other test has")
		}
		names[t.Name] = true
		if t.View == "" && len(s.defs.Views) == 1 {
			t.View = s.defs.Views[0].Name
		}
		view := s.defs.View(t.View)
		if view == nil {
			at("view: the definitions have no view %q", t.View)
			continue
		}
		for _, err := range t.validate(view, inForce) {
			at("%w", err)
		}
	}
	return errors.Join(errs...)
}

func (t *Test) validate(view *feature.View, inForce []rules.Rule) (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, err := range validateSeries(view, t.Series) {
		bad("series: %w", err)
	}
	if t.Rows < 0 || t.Rows > maxRows || t.History < 0 {
		bad("rows: %d and history: %d; want 0 to %d rows, and no negative number", t.Rows, t.History, maxRows)
	}
	windows := t.History
	for k := range t.Windows {
		w := &t.Windows[k]
		w.Repeat = max(1, w.Repeat)
		windows += w.Repeat
		for _, err := range w.validate(view, inForce) {
			bad("windows[%d] %s: %w", k, w.Name, err)
		}
	}
	if windows > maxWindows || len(t.Windows) == 0 {
		bad("%d windows: want 1 to %d, history among them", windows, maxWindows)
	}
	return errs
}

func (w *Window) validate(view *feature.View, inForce []rules.Rule) (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, err := range validateSeries(view, w.Series) {
		bad("series: %w", err)
	}
	given := 0
	for _, is := range []bool{w.Series != nil || w.Rows != nil, w.Values != nil, w.File != ""} {
		if is {
			given++
		}
	}
	if given > 1 {
		bad("want one of series (with rows), values and file")
	}
	if w.Rows != nil && (*w.Rows < 0 || *w.Rows > maxRows) {
		bad("rows: %d; want 0 to %d", *w.Rows, maxRows)
	}
	if w.Expect.empty() {
		bad("expect: nothing is expected")
	}
	if state := w.Expect.State; state != "" && !slices.Contains([]rules.State{rules.Pass, rules.Warn, rules.Fail, rules.Inconclusive, rules.Error}, state) {
		bad("expect.state: %q is none of pass, warn, fail, inconclusive, error", state)
	}
	if d := w.Expect.Decision; d != "" && !slices.Contains([]string{"publish", "hold", "reject", "rollback", "none"}, d) {
		bad("expect.decision: %q is none of publish, hold, reject, rollback, none", d)
	}
	for i := range w.Expect.Reasons {
		for _, err := range w.Expect.Reasons[i].validate(view, inForce) {
			bad("expect.reasons[%d]: %w", i, err)
		}
	}
	for i := range w.Expect.Not {
		for _, err := range w.Expect.Not[i].validate(view, inForce) {
			bad("expect.not[%d]: %w", i, err)
		}
	}
	if n := w.Expect.RolledBk; n != nil && *n < 0 {
		bad("expect.rolled_back: %d; want a number of versions", *n)
	}
	return errs
}

// outcomes are those that a reason may have.
var outcomes = []string{string(rules.Failed), string(rules.Undecided), string(rules.Warned), string(rules.Pending), string(rules.Observed), string(rules.Broken)}

// validate returns what no reason of the view can be. A reason that there is not would make a
// test that cannot pass, and as one that may not be there a test that cannot fail.
func (r *Reason) validate(view *feature.View, inForce []rules.Rule) (errs []error) {
	var ruled, features []string
	for i := range inForce {
		ruled = append(ruled, inForce[i].Name)
	}
	for i := range view.Features {
		features = append(features, view.Features[i].Name)
	}
	for _, of := range []struct {
		key, name string
		known     []string
	}{{"rule", r.Rule, ruled}, {"feature", r.Feature, features}, {"method", r.Method, rules.Methods()}, {"outcome", string(r.Outcome), outcomes}} {
		if of.name == "" || slices.Contains(of.known, of.name) {
			continue
		}
		err := fmt.Errorf("%s: %q is none of %s", of.key, of.name, listed(of.known))
		if near := feature.Nearest(of.name, of.known); near != "" {
			err = fmt.Errorf("%s: there is no %q: did you mean %q?", of.key, of.name, near)
		}
		errs = append(errs, err)
	}
	return errs
}

// listed names the first of what there is.
func listed(names []string) string {
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func validateSeries(view *feature.View, series map[string]Series) (errs []error) {
	for _, name := range slices.Sorted(maps.Keys(series)) {
		at := view.FeatureAt(name)
		if at < 0 {
			errs = append(errs, fmt.Errorf("view %s has no feature %q", view.Name, name))
			continue
		}
		one := series[name]
		if err := one.validate(&view.Features[at]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errs
}
