package rules

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"sluice/feature"
)

// Mode is what an alarm of a rule does. A rule climbs from observe to enforce.
type Mode string

// The modes.
const (
	Observe Mode = "observe" // it is recorded
	Notify  Mode = "warn"    // it warns
	Enforce Mode = "enforce" // it fails the window, if the shift is large enough to block
)

// Method names, as in feature.Score.
const (
	Calibrated = "calibrated"
	PSI        = "psi"
	KS         = "ks"
	ChiSquare  = "chi_square"
	TVD        = "tvd"
	Nulls      = "nulls"
	Volume     = "volume"
	Expect     = "expect"
	Forest     = "iforest"
	Pinned     = "pinned" // the last windows together, against a reference that does not follow what passes
)

// Rule says when scores of one method alarm, and what an alarm does.
type Rule struct {
	Name    string `json:"name" yaml:"name"`
	View    string `json:"view" yaml:"view"`       // glob: * stands for any run of characters
	Feature string `json:"feature" yaml:"feature"` // the same
	// Tags, Owner and Type narrow it to views with every one of those tags and that owner,
	// and to features of that type; absent ones do not. Values are globs too.
	Tags   map[string]string `json:"tags,omitempty" yaml:"tags"`
	Owner  string            `json:"owner,omitempty" yaml:"owner"`
	Type   string            `json:"type,omitempty" yaml:"type"`
	Method string            `json:"method" yaml:"method"`
	// Threshold is the statistic above which a score alarms; 0: the method's own.
	Threshold float64 `json:"threshold" yaml:"threshold"`
	For       For     `json:"for" yaml:"for"`
	Mode      Mode    `json:"mode" yaml:"mode"`
	// Default marks a rule that holds where no rule of the file reads the score.
	Default bool `json:"default,omitempty" yaml:"-"`
}

// For is how often a rule must alarm: in K of the last N windows, this one among
// them.
type For struct {
	K int `json:"k" yaml:"k"`
	N int `json:"n" yaml:"n"`
}

// maxFor is the most windows that a rule can look back.
const maxFor = 64

// Default returns the rules that hold where a file says nothing else: calibrated,
// expect, nulls, volume and iforest for every view and feature, enforced at the
// methods' own thresholds, and pinned, which is recorded.
func Default() []Rule {
	var out []Rule
	for _, r := range []struct {
		name, method string
		mode         Mode
	}{
		{"drift", Calibrated, Enforce}, {"expect", Expect, Enforce}, {"nulls", Nulls, Enforce}, {"volume", Volume, Enforce}, {"joint", Forest, Enforce},
		{"pinned", Pinned, Observe},
	} {
		out = append(out, Rule{Name: r.name, View: "*", Feature: "*", Method: r.method, For: For{1, 1}, Mode: r.mode, Default: true})
	}
	return out
}

// Validate returns every problem of r, joined, each with its key and value.
func (r *Rule) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !feature.ValidName(r.Name) {
		bad("name: %q is not a name", r.Name)
	}
	if r.View == "" || r.Feature == "" {
		bad("view, feature: empty; * is all")
	}
	needs, known := methods[r.Method]
	if !known {
		bad("method: %q is none of %s", r.Method, strings.Join(methodNames, ", "))
	}
	switch {
	case math.IsNaN(r.Threshold) || math.IsInf(r.Threshold, 0) || r.Threshold < 0:
		bad("threshold: %v is not a positive number", r.Threshold)
	case needs == always && r.Threshold == 0:
		bad("threshold: method %s needs one", r.Method)
	case needs == never && r.Threshold != 0:
		bad("threshold: method %s has its own; leave it out", r.Method)
	case r.Method == Volume && r.Threshold != 0 && r.Threshold <= 1:
		bad("threshold: %v; volume takes a ratio above 1", r.Threshold)
	}
	if r.For.K < 1 || r.For.N < r.For.K || r.For.N > maxFor {
		bad("for: {k: %d, n: %d}; want 1 <= k <= n <= %d", r.For.K, r.For.N, maxFor)
	}
	if err := r.validateSelectors(); err != nil {
		errs = append(errs, err)
	}
	if r.Mode != Observe && r.Mode != Notify && r.Mode != Enforce {
		bad("mode: %q is none of observe, warn, enforce", r.Mode)
	}
	return errors.Join(errs...)
}

// need says whether a rule of a method sets a threshold.
type need uint8

const (
	optional need = iota
	always
	never
)

var (
	methods = map[string]need{
		Calibrated: never, PSI: always, KS: always, ChiSquare: always, TVD: always,
		Nulls: optional, Volume: optional, Expect: optional, Forest: optional, Pinned: never,
	}
	methodNames = []string{Calibrated, PSI, KS, ChiSquare, TVD, Nulls, Volume, Expect, Forest, Pinned}
)

// Methods names the methods that a rule may have.
func Methods() []string { return slices.Clone(methodNames) }

// reads reports whether r is about score s of view.
func (r *Rule) reads(view *feature.View, s *feature.Score) bool {
	return r.Method == s.Method && (s.Short != "" || r.plain() == plain(s)) && r.Covers(view, s.Feature)
}

// plain reports whether r compares a plain statistic with its own threshold.
func (r *Rule) plain() bool { return r.Threshold > 0 && r.Method != Expect && r.Method != Forest }

// plain reports whether a score is a statistic without a threshold of its own.
func plain(s *feature.Score) bool {
	switch s.Method {
	case PSI, KS, ChiSquare, TVD:
		return true
	}
	return s.Summary == "share" || s.Summary == "ratio"
}

// inForce returns the rules that judge a score: of those that read it, the ones
// that name it most closely.
func inForce(rules []Rule, view *feature.View, s *feature.Score) []*Rule {
	var out []*Rule
	for i := range rules {
		r := &rules[i]
		if !r.reads(view, s) {
			continue
		}
		if len(out) > 0 && r.rank() > out[0].rank() {
			out = out[:0]
		}
		if len(out) == 0 || r.rank() == out[0].rank() {
			out = append(out, r)
		}
	}
	return out
}

// match reports whether name has the form of pattern, in which * stands for any
// run of characters.
func match(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	rest := name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return true
}

// Needs reports whether any rule could read a score of that method.
func Needs(rules []Rule, method string) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool { return r.Method == method })
}
