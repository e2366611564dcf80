package judge

import (
	"errors"
	"fmt"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// Errors of this package. Callers test with errors.Is.
var (
	// ErrCase reports a case that cannot be judged: something is missing.
	ErrCase = errors.New("incomplete case")
	// ErrCorrupt reports bytes that are no encoded case, or a blob that is not
	// what its name says.
	ErrCorrupt = errors.New("corrupt encoding")
)

// Kinds of evidence.
const (
	KindWindow    = "window"    // one window, before it is published
	KindProbation = "probation" // windows that are visible already, together
	KindServed    = "served"    // what readers were given in a window of the clock
)

// Case is everything that a verdict rests on. It is immutable once made.
type Case struct {
	Kind      string
	View      feature.View
	Window    feature.Window
	Occasion  string // declared in the calendar: alarms of drift only warn
	Versions  []feature.Version
	Layout    *sketch.Layout
	Current   []drift.WindowProfile // one window; several in probation
	Baseline  *sketch.Profile       // merge of the windows of history; nil without
	Reference *drift.Reference      // nil without history
	Forest    *drift.Joint          // nil if there is too little to fit one on
	Rules     []rules.Rule
	Memory    rules.Memory         // alarms of the windows before
	Level     float64              // rate of false alarms per feature and window
	Since     map[string]time.Time // by feature: the end of the window of its last alarm, before which none counts again
	Slow      *Slow                // nil if there is too little for small shifts to add up
	Pinned    *Pinned              // nil if nothing is pinned beside history, or too few windows passed
	History   int                  // windows of history; fewer than drift.MinWindows is a cold start

	format int // of the head that it was read from; 0: it was built now
}

// steady reports whether reasons are listed in the order that no row sample decides, as
// they are since format 4.
func (c *Case) steady() bool { return c.format == 0 || c.format >= steadyFormat }

// check returns ErrCase if c cannot be judged.
func (c *Case) check() error {
	switch {
	case c.Layout == nil:
		return fmt.Errorf("no layout: %w", ErrCase)
	case len(c.Current) == 0:
		return fmt.Errorf("no window: %w", ErrCase)
	case !(c.Level > 0 && c.Level < 1):
		return fmt.Errorf("level %v: %w", c.Level, ErrCase)
	}
	for _, w := range c.Current {
		if w.Profile == nil {
			return fmt.Errorf("no profile of window %s: %w", w.Window.Start, ErrCase)
		}
	}
	if s := c.Slow; s != nil && (len(s.Recent) == 0 || (s.Reference == nil) != (s.Baseline == nil)) {
		return fmt.Errorf("windows that add up, incomplete: %w", ErrCase)
	}
	if p := c.Pinned; p != nil && !p.complete() {
		return fmt.Errorf("what is pinned, incomplete: %w", ErrCase)
	}
	return nil
}

// calibrated reports whether history can judge.
func (c *Case) calibrated() bool {
	return c.Baseline != nil && c.Reference != nil && c.Reference.Calibrated() &&
		(c.History >= drift.MinWindows || c.Reference.Borrowed)
}
