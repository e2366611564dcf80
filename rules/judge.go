package rules

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"sluice/feature"
)

// Bounds of what a verdict lists, so that its size does not grow with the view.
const (
	maxReasons = 256
	maxScores  = 1024
)

// Judge applies rules to the scores of one window of view and returns the
// verdict's State, Reasons, Scores, Uncalibrated and TooFew; the rest is for the
// caller. It is pure: the same arguments give the same verdict.
//
// A score alarms if it is past the rule's threshold, or has a severity above 1 where the rule
// sets none. What an alarm does depends on the rule's mode: enforce fails the
// window, but only warns if the score has no Effect or is Uncalibrated; warn
// warns; observe is recorded. An alarm in fewer than k of the last n windows is
// recorded as pending. A threshold between the statistic and statistic + bound
// leaves an enforced rule undecided: inconclusive. So does a score that is Short;
// then only method expect can still fail the window. A score that is not a number
// is an error. Of several outcomes error counts most, then fail, inconclusive,
// warn.
//
// Reasons come in the order of their outcome, and then of severity, worst first; Steady
// puts them in that of verdicts.
// past is what the windows before left: see Memory.
func Judge(rules []Rule, view *feature.View, scores []feature.Score, past Memory) Verdict {
	v := Verdict{Versions: []feature.Version{}, RolledBack: []feature.Version{}, Digests: map[string]string{}}
	for i := range scores {
		v.Uncalibrated = v.Uncalibrated || scores[i].Uncalibrated
	}
	v.Reasons, v.State, v.TooFew = NewReader(rules, view).Reasons(scores, past)
	v.Reasons = v.Reasons[:min(len(v.Reasons), maxReasons)]
	v.Scores = worst(scores)
	return v
}

// Reader reads the scores of many windows of one view by the same rules. It belongs to
// one goroutine.
type Reader struct {
	rules []Rule
	view  *feature.View
	known map[kindOfScore][]*Rule
}

// kindOfScore is what decides which rules read a score.
type kindOfScore struct {
	feature, method string
	plain, short    bool
}

// NewReader returns a reader of view by rules; neither may change.
func NewReader(rules []Rule, view *feature.View) *Reader {
	return &Reader{rules: rules, view: view, known: map[kindOfScore][]*Rule{}}
}

// Reasons is the part of Judge that depends on rules: every reason, worst first, the
// state that they amount to, and whether too few rows leave it undecided.
func (r *Reader) Reasons(scores []feature.Score, past Memory) (reasons []Reason, state State, tooFew bool) {
	reasons = []Reason{}
	for i := range scores {
		s := &scores[i]
		for _, rule := range r.inForce(s) {
			if reason, ok := judge(rule, s, past); ok {
				reasons = append(reasons, reason)
				tooFew = tooFew || s.Short != "" && reason.Outcome == Undecided
			}
		}
	}
	if tooFew {
		soften(reasons)
	}
	slices.SortStableFunc(reasons, worse)
	return reasons, stateOf(reasons), tooFew
}

// inForce returns the rules that judge a score, looked up once for all of its kind.
func (r *Reader) inForce(s *feature.Score) []*Rule {
	kind := kindOfScore{s.Feature, s.Method, plain(s), s.Short != ""}
	list, known := r.known[kind]
	if !known {
		list = inForce(r.rules, r.view, s)
		r.known[kind] = list
	}
	return list
}

// judge applies one rule to one score; false if nothing alarms.
func judge(r *Rule, s *feature.Score, past Memory) (Reason, bool) {
	reason := Reason{
		Rule: r.Name, Feature: s.Feature, Method: s.Method, Summary: s.Summary, Statistic: s.Statistic, Threshold: s.Threshold,
		Severity: s.Severity, PValue: s.PValue, N: s.N, M: s.M, Bound: s.Bound, Text: s.Text,
		Mode: r.Mode, Effect: s.Effect, Uncalibrated: s.Uncalibrated, Accumulated: s.Accumulated, Onset: s.Onset,
	}
	if s.Short != "" {
		reason.Outcome, reason.Text = Undecided, s.Short
		holds := s.Method == Calibrated || s.Method == Volume || s.Method == Forest
		return reason, holds && r.Mode == Enforce
	}
	if r.Threshold > 0 {
		reason.Threshold, reason.Severity = r.Threshold, s.Statistic/r.Threshold
	}
	if !finite(reason.Statistic) || !finite(reason.Severity) || !finite(reason.PValue) {
		return broken(reason), true
	}
	straddles := r.Threshold > 0 && s.Statistic <= r.Threshold && s.Statistic+s.Bound > r.Threshold
	switch {
	case straddles && r.Mode == Enforce:
		reason.Outcome = Undecided
		reason.Text = fmt.Sprintf("%s is between %s and %s: too coarse to tell whether it is above %s", name(s), show(s.Statistic), show(s.Statistic+s.Bound), show(r.Threshold))
		return reason, true
	case !(reason.Severity > 1):
		return reason, false
	}
	reason.Outcome = outcome(r, s, past)
	reason.Text = sentence(&reason, r, s)
	return reason, true
}

// outcome returns what an alarm does.
func outcome(r *Rule, s *feature.Score, past Memory) Outcome {
	switch {
	case r.Mode == Observe:
		return Observed
	case past.alarms(r, s) < r.For.K:
		return Pending
	case r.Mode == Enforce && s.Effect && !s.Uncalibrated:
		return Failed
	}
	return Warned
}

// sentence returns the score's text, with the rule's own threshold if it has one.
func sentence(reason *Reason, r *Rule, s *feature.Score) string {
	switch {
	case s.Text == "" && r.Threshold == 0:
		return fmt.Sprintf("%s is %s times its threshold", name(s), show(reason.Severity))
	case s.Text == "":
		return fmt.Sprintf("%s is %s, above %s", name(s), show(s.Statistic), show(r.Threshold))
	case r.Threshold > 0:
		return fmt.Sprintf("%s, above %s", s.Text, show(r.Threshold))
	}
	return s.Text
}

func name(s *feature.Score) string {
	if s.Feature == "" {
		return s.Method + " of the view"
	}
	return s.Method + " of " + s.Feature
}

func show(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// broken turns a reason whose numbers cannot be stored into an error.
func broken(reason Reason) Reason {
	return Reason{Rule: reason.Rule, Feature: reason.Feature, Method: reason.Method, Summary: reason.Summary, PValue: 1,
		Mode: reason.Mode, Outcome: Broken, Text: fmt.Sprintf("%s of %q is not a number", reason.Method, reason.Feature)}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// soften lets only refused writes fail a window that is too short to judge.
func soften(reasons []Reason) {
	for i := range reasons {
		if reasons[i].Outcome == Failed && reasons[i].Method != Expect {
			reasons[i].Outcome = Warned
		}
	}
}

// gravity orders outcomes, the one that counts most first.
var gravity = map[Outcome]int{Broken: 0, Failed: 1, Undecided: 2, Warned: 3, Pending: 4, Observed: 5}

func worse(a, b Reason) int {
	return cmp.Or(
		cmp.Compare(gravity[a.Outcome], gravity[b.Outcome]), cmp.Compare(b.Severity, a.Severity),
		cmp.Compare(a.Feature, b.Feature), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Rule, b.Rule))
}

// Steady puts reasons in the order that verdicts list them in: by outcome, then those that
// counts of all rows give before those of the row sample, then by severity. Which rows are
// sampled hangs on the installation's key, and how severe they look with it: two
// installations that read the same writes list the same reasons first.
func Steady(reasons []Reason) {
	slices.SortStableFunc(reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(gravity[a.Outcome], gravity[b.Outcome]), cmp.Compare(drawn(&a), drawn(&b)), worse(a, b))
	})
}

// drawn returns 1 for what is measured on the row sample, else 0.
func drawn(r *Reason) int {
	if r.Method == Forest || r.Summary == "newcomer" {
		return 1
	}
	return 0
}

// stateOf returns the state that sorted reasons amount to.
func stateOf(reasons []Reason) State {
	if len(reasons) == 0 {
		return Pass
	}
	switch reasons[0].Outcome {
	case Broken:
		return Error
	case Failed:
		return Fail
	case Undecided:
		return Inconclusive
	case Warned:
		return Warn
	}
	return Pass
}

// worst returns the most severe finite score of every feature, in the order in
// which the features first appear.
func worst(scores []feature.Score) []feature.Score {
	at := map[string]int{}
	out := []feature.Score{}
	for _, s := range scores {
		if !finite(s.Severity) || !finite(s.Statistic) || !finite(s.PValue) || !finite(s.Threshold) || !finite(s.Bound) {
			continue
		}
		i, seen := at[s.Feature]
		switch {
		case seen && s.Severity > out[i].Severity:
			out[i] = s
		case !seen && len(out) < maxScores:
			at[s.Feature] = len(out)
			out = append(out, s)
		}
	}
	return out
}
