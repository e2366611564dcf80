package probe

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Outcome is what became of a window.
type Outcome string

// The outcomes. A fault that is published, or not judged, is missed.
const (
	Published Outcome = "published"
	Blocked   Outcome = "blocked"   // rejected or held: readers do not see it
	Unjudged  Outcome = "unjudged"  // no verdict in time
	Unwritten Outcome = "unwritten" // the server did not take all of its rows
)

// Window is one window of a probe.
type Window struct {
	Start    time.Time `json:"start"`
	Fault    Fault     `json:"fault"` // empty: good values
	Outcome  Outcome   `json:"outcome"`
	State    string    `json:"state"`
	Decision string    `json:"decision"`
	Verdict  string    `json:"verdict"`
	Seconds  float64   `json:"seconds"` // from seal to verdict; 0 without
	Error    string    `json:"error"`
}

// Missed reports whether the window is a fault that was not caught.
func (w Window) Missed() bool {
	return w.Fault != NoFault && (w.Outcome == Published || w.Outcome == Unjudged)
}

// String says what became of the window, in one line.
func (w Window) String() string {
	text := "good"
	if w.Fault != NoFault {
		text = "fault (" + string(w.Fault) + ")"
	}
	text = fmt.Sprintf("%s %s: %s", w.Start.UTC().Format("2006-01-02T15:04:05Z"), text, w.Outcome)
	if w.State != "" {
		text += fmt.Sprintf(", %s, %s, %.3f s after its seal", w.State, w.Decision, w.Seconds)
	}
	if w.Missed() {
		text += ", MISSED"
	}
	if w.Error != "" {
		text += ": " + w.Error
	}
	return text
}

// Report is what a probe saw.
type Report struct {
	Windows     int     `json:"windows"`
	Faults      int     `json:"faults"`
	Caught      int     `json:"caught"`
	Missed      int     `json:"missed"`
	GoodBlocked int     `json:"good_blocked"` // good windows that were not published
	Unwritten   int     `json:"unwritten"`
	Reads       uint64  `json:"reads"` // rows
	BadReads    uint64  `json:"bad_reads"`
	FailedReads uint64  `json:"failed_reads"`
	VerdictP50  float64 `json:"verdict_p50_seconds"`
	VerdictMax  float64 `json:"verdict_max_seconds"`
	FirstBad    string  `json:"first_bad"` // the first bad read; empty without
	Seconds     float64 `json:"seconds"`

	verdicts []float64
}

// What a probe that ends can have found. Callers test with errors.Is.
var (
	ErrMissed  = errors.New("a planted fault was not caught")
	ErrBadRead = errors.New("a reader got a value that is not a known good one")
	ErrVoid    = errors.New("no fault was planted and judged: nothing is shown")
)

// Err returns what is wrong; nil if every planted fault was caught and every read value
// was good.
func (r *Report) Err() error {
	var errs []error
	if r.Missed > 0 {
		errs = append(errs, fmt.Errorf("%d of %d: %w", r.Missed, r.Faults, ErrMissed))
	}
	if r.BadReads > 0 {
		errs = append(errs, fmt.Errorf("%d of %d reads, the first %s: %w", r.BadReads, r.Reads, r.FirstBad, ErrBadRead))
	}
	if r.Caught+r.Missed == 0 {
		errs = append(errs, ErrVoid)
	}
	return errors.Join(errs...)
}

// add counts a window.
func (r *Report) add(w Window) {
	r.Windows++
	switch {
	case w.Outcome == Unwritten:
		r.Unwritten++
	case w.Missed():
		r.Missed++
	case w.Fault != NoFault:
		r.Caught++
	case w.Outcome != Published:
		r.GoodBlocked++
	}
	if w.Fault != NoFault {
		r.Faults++
	}
	if w.Verdict != "" {
		r.verdicts = append(r.verdicts, w.Seconds)
		slices.Sort(r.verdicts)
		r.VerdictP50, r.VerdictMax = r.verdicts[len(r.verdicts)/2], r.verdicts[len(r.verdicts)-1]
	}
}
